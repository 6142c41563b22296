"""The state of one job, and the table of many."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from redactkit.errors import OptionError
from redactkit.jobs.heartbeat import ProgressStep
from redactkit.jobs.spec import Spec
from redactkit.jobs.task_graph import TaskGraph
from redactkit.runtime.files import writing
from redactkit.runtime.html import Lane, draw_lanes, show, show_facts, show_table
from redactkit.runtime.timecode import timecode

__all__ = ["ENDED", "STATES", "TABLE", "Job", "as_table", "save_table", "show_jobs"]

MOST_SHOWN = 20

STATES = ["queued", "running", "done", "failed", "cancelled"]
ENDED = frozenset({"done", "failed", "cancelled"})

COLORS = {"queued": "#9AA5AD", "running": "#0072B2", "done": "#009E73", "failed": "#D55E00", "cancelled": "#5B6770"}

TABLE: dict[str, Any] = {
    "video": "object",
    "mode": "object",
    "state": pd.CategoricalDtype(STATES),
    "stage": "object",
    "progress": "float64",
    "frames": "int64",
    "rate": "float64",
    "left": "float64",
    "faces": "int64",
    "ok": "object",
    "nothing_hidden": "bool",
    "priority": "int64",
    "tries": "int64",
    "worker": "object",
    "started": "datetime64[ns]",
    "ended": "datetime64[ns]",
    "note": "object",
    "error": "object",
    "output": "object",
}


@dataclass(slots=True)
class Job:
    """The state of one job. ``began`` and ``ended`` are seconds since 1970, 0 before that."""

    id: int
    spec: Spec
    priority: int = 0
    state: str = "queued"
    stage: str = ""
    frames: int = 0
    finished: int = 0
    faces: int = 0
    ok: bool | None = None
    nothing_hidden: bool = False
    tries: int = 0
    worker: str = ""
    began: float = 0.0
    ended: float = 0.0
    note: str = ""
    error: str = ""
    stopping: bool = False
    task_graph: TaskGraph | None = None
    live: dict[str, ProgressStep] = field(default_factory=dict)

    def begin(self) -> None:
        """Set the job to running."""
        self.state, self.began, self.ended, self.error = "running", time.time(), 0.0, ""
        self.tries += 1
        self.task_graph = TaskGraph(self.spec)

    def end(self, state: str, *, error: str = "") -> None:
        """Set the job to an end state."""
        self.state, self.error, self.ended = state, error, time.time()
        self.task_graph, self.stage, self.stopping = None, "", False
        self.live.clear()

    def learn(self, what: Any) -> None:
        """Take over the results of a finished job from its manifest or its last task's outcome."""
        self.frames, self.faces = what.frames or self.frames, what.faces
        self.ok, self.nothing_hidden = what.ok, what.nothing_hidden
        if self.spec.redacts and what.nothing_hidden:
            self.add_note("nothing is hidden" if what.faces else "no face was found and nothing is hidden")

    def requeue(self) -> None:
        """Reset the job to queued."""
        self.state, self.error, self.note, self.ok, self.nothing_hidden = "queued", "", "", None, False
        self.finished, self.ended, self.began = 0, 0.0, 0.0

    def add_note(self, text: str) -> None:
        """Append a remark, once."""
        if text and text not in self.note:
            self.note = f"{self.note}; {text}" if self.note else text

    def hear(self, task: str, step: ProgressStep) -> bool:
        """Take over the progress of a task; return whether it has changed."""
        if self.live.get(task) == step:
            return False
        self.live[task] = step
        self.stage, self.worker = step.stage, step.worker
        self.frames = self.frames or step.total
        return True

    @property
    def work(self) -> int:
        """Frames to process in all, over both passes."""
        return self.frames * (self.spec.analyzes + self.spec.redacts)

    @property
    def done(self) -> int:
        """Frames done, over both passes."""
        if self.state == "done":
            return self.work
        live = sum(self._frames_of(task, step) for task, step in self.live.items())
        return min(self.work, self.finished + live)

    def _frames_of(self, task: str, step: ProgressStep) -> int:
        """Return the frames that a running task has done; joining chunks counts no frames again."""
        if task.endswith("-close"):
            return 0
        second_of_both = task == "start" and step.stage == "redact" and self.spec.analyzes
        return step.done + (self.frames if second_of_both else 0)

    @property
    def rate(self) -> float:
        """Frames per second since the job began, NaN before that."""
        passed = (self.ended or time.time()) - self.began
        return self.done / passed if self.began and passed > 0 else np.nan

    @property
    def left(self) -> float:
        """Seconds that a running job still takes at its rate so far, NaN if that is not known."""
        rate = self.rate
        return (self.work - self.done) / rate if self.state == "running" and self.done and rate > 0 else np.nan

    def row(self) -> dict[str, Any]:
        """Return the job's row of the table."""
        return {
            "video": self.spec.source,
            "mode": self.spec.mode,
            "state": self.state,
            "stage": self.stage,
            "progress": self.done / self.work if self.work else float(self.state == "done"),
            "frames": self.frames,
            "rate": self.rate,
            "left": self.left,
            "faces": self.faces,
            "ok": self.ok,
            "nothing_hidden": self.nothing_hidden,
            "priority": self.priority,
            "tries": self.tries,
            "worker": self.worker,
            "started": _moment(self.began),
            "ended": _moment(self.ended),
            "note": self.note,
            "error": self.error,
            "output": str(self.spec.output if self.spec.redacts else self.spec.annotation_file),
        }


def _moment(seconds: float) -> pd.Timestamp | None:
    return pd.Timestamp(seconds, unit="s") if seconds else None


def as_table(jobs: Iterable[Job]) -> pd.DataFrame:
    """Return one row per job: index ``job``, columns of `TABLE`; ``left`` in seconds, times in UTC."""
    listed = list(jobs)
    index = pd.Index([job.id for job in listed], dtype="int64", name="job")
    return pd.DataFrame([job.row() for job in listed], index=index, columns=list(TABLE)).astype(TABLE)


def show_jobs(table: pd.DataFrame, counts: dict[str, int], *, left: float) -> str:
    """Return counts, when each job ran, and how it stands as HTML; of many jobs those under way and the last ones.

    Parameters
    ----------
    table : DataFrame
        As `as_table` gives it.
    counts : dict
        Jobs in each state.
    left : float
        Seconds until all is done, NaN where nobody can know.
    """
    order = table.assign(first=table["state"] != "running").sort_values("first", kind="stable")
    shown = order.head(MOST_SHOWN)
    facts = {"videos": len(table), **{state: count or "" for state, count in counts.items()}}
    facts["left"] = timecode(left) if left > 0 else ""
    rows = [
        (job, Path(str(row["video"])).name, row["state"], f"{row['progress']:.0%}", row["faces"], _remark(row))
        for job, row in shown.iterrows()
    ]
    columns = ["job", "video", "state", "progress", "faces", "remark"]
    rest = f"<div>and {len(table) - len(shown)} more: see table()</div>" if len(table) > len(shown) else ""
    return show("Jobs", show_facts(facts), _draw_jobs(shown), show_table(columns, rows), rest)


def _remark(row: pd.Series) -> str:
    """Return what went wrong with a job, else what is to be noted."""
    return str(row["error"] or row["note"])


def _draw_jobs(table: pd.DataFrame) -> str:
    """Draw when each job that has begun ran, in the colour of its state."""
    begun = table[table["started"].notna()]
    if begun.empty:
        return ""
    since = begun["started"].min()
    now = max(begun["ended"].max(), pd.Timestamp(time.time(), unit="s")) if begun["ended"].isna().any() else None
    starts = (begun["started"] - since).dt.total_seconds()
    ends = (begun["ended"].fillna(now or since) - since).dt.total_seconds()
    lanes = [
        Lane(f"{job} {Path(str(row['video'])).name}", COLORS[row["state"]], [(starts[job], ends[job])])
        for job, row in begun.iterrows()
    ]
    return draw_lanes(lanes, start=0.0, end=float(ends.max()), label="When each job ran")


def save_table(table: pd.DataFrame, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write a table of jobs as CSV, or as Parquet where the name ends so.

    Raises
    ------
    OptionError
        If the name ends in neither, or Parquet needs a package that is not installed.
    OutputExistsError
        If the file exists and ``overwrite`` is false.
    """
    target = Path(path)
    if target.suffix not in (".csv", ".parquet"):
        raise OptionError(f"a report's name must end in .csv or .parquet, got {target.name}")
    with writing(target, overwrite=overwrite) as file:
        if target.suffix == ".csv":
            table.to_csv(file, mode="wb")
            return target
        try:
            table.astype({"state": "object"}).to_parquet(file)
        except ImportError as err:
            raise OptionError(f"{target.name}: Parquet needs the package pyarrow; install it or name a .csv") from err
    return target
