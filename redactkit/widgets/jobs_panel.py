"""Many videos in one panel: start `redactkit.jobs` over them, see how each stands, cancel, try again, open a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
import pandas as pd

from redactkit.effects import HIDING_KINDS
from redactkit.errors import OptionError
from redactkit.jobs import Jobs, submit
from redactkit.jobs.job import ENDED
from redactkit.jobs.submit import make_specs
from redactkit.widgets.markup import escape, timecode
from redactkit.widgets.playback import as_video
from redactkit.widgets.view import Panel, button, row
from redactkit.widgets.workbench import Workbench
from redactkit.widgets.workbench import open as open_workbench

__all__ = ["JobsPanel", "describe_job", "describe_jobs"]

MODES = {"find and hide": "combined", "find only": "analyze", "hide what was found": "redact"}
BARS = {"queued": "", "running": "info", "done": "info", "failed": "danger", "cancelled": "warning"}
ORDER = {"running": 0, "failed": 1, "queued": 2, "done": 3, "cancelled": 3}
"""Which jobs are listed first, where not all are: those under way, and those that want something done."""

REDRAW_SECONDS = 0.3
"""Least time between two drawings of the list. Higher is calmer and costs the kernel less."""


_WORDS = (("cancel", "Cancel"), ("do again", "Again"), ("open the result of", "Open"))


class _Line(NamedTuple):
    """The widgets of one job."""

    box: Any
    bar: Any
    text: Any
    cancel: Any
    again: Any
    open: Any


class JobsPanel(Panel):
    """Passes over many videos, each in a process of its own: states, progress, cancel, try again, open the result.

    Parameters
    ----------
    jobs : Jobs, optional
        Those of `redactkit.submit`, which go on when the panel is closed. By default the panel makes its own, and
        cancels what still runs when it is closed.
    videos : path or iterable of path
        What the list of videos and folders begins with.
    output : path, optional
        Folder for everything; by default each video's own.
    executor, workers
        As of `redactkit.submit`, for the panel's own jobs.
    most : int
        Jobs listed at once: running and failed ones first.

    Examples
    --------
    >>> JobsPanel(videos="bodycams/", output="redacted/")  # doctest: +SKIP
    """

    def __init__(
        self,
        jobs: Jobs | None = None,
        *,
        videos: str | Path | Iterable[str | Path] = (),
        output: str | Path | None = None,
        executor: Any = None,
        workers: int | None = None,
        most: int = 30,
    ) -> None:
        super().__init__(css="rk-jobs-panel")
        self.jobs, self._owns = jobs, jobs is None
        self._pool: dict[str, Any] = {"executor": executor, "workers": workers}
        self._most = most
        self._lines: dict[int, _Line] = {}
        self._forget: Callable[[], None] | None = None
        self._build([videos] if isinstance(videos, str | Path) else list(videos), output)
        self._drawing = self.worker(self.refresh, interval=REDRAW_SECONDS)
        if jobs is not None:
            self._follow(jobs)
        self.refresh()

    def _build(self, videos: list[str | Path], output: str | Path | None) -> None:
        self.videos = ipywidgets.Textarea(
            "\n".join(map(str, videos)),
            placeholder="videos, or folders of videos, one a line",
            layout={"width": "100%", "height": "60px"},
        )
        self.videos.add_class("rk-videos")
        self.mode = ipywidgets.Dropdown(options=MODES, description="do", layout={"width": "200px"})
        self.blur = ipywidgets.Dropdown(
            options=HIDING_KINDS, value="Med", description="hide by", layout={"width": "150px"}
        )
        self.mode.style.description_width, self.blur.style.description_width = "22px", "48px"
        self.mode.observe(self._show_mode, "value")
        self.output = ipywidgets.Text(
            "" if output is None else str(output), placeholder="folder; default beside each video"
        )
        self.output.add_class("rk-output")
        self.overwrite = ipywidgets.Checkbox(description="replace what is there", indent=False)
        self.overwrite.layout.width = "160px"
        self.run_button = button("play", "start these videos", text="Start", css="rk-run")
        self.run_button.button_style = "primary"
        self.run_button.on_click(self.press(self.start))
        self.bar = ipywidgets.FloatProgress(0, min=0, max=1, layout={"width": "200px"})
        self.bar.add_class("rk-progress")
        self.cancel_button = button("times", "stop every job; no unfinished file is left", text="Cancel all")
        self.cancel_button.add_class("rk-cancel")
        self.cancel_button.on_click(self.press(self._cancel_all))
        self.again_button = button("redo", "do again what failed or was cancelled", text="Try failed again")
        self.again_button.add_class("rk-again")
        self.again_button.on_click(self.press(self._try_again))
        self.text, self.list, self.room = ipywidgets.HTML(), ipywidgets.VBox(), ipywidgets.VBox()
        self.text.add_class("rk-progress-text")
        self.show(
            self.videos,
            row(self.mode, self.blur, self.output, self.overwrite, self.run_button),
            row(self.bar, self.cancel_button, self.again_button, self.text),
            self.list,
            self.room,
        )

    def _show_mode(self, _: Any) -> None:
        self.blur.disabled = self.mode.value == "analyze"

    def start(self) -> list[int]:
        """Queue the videos that are listed, and return the numbers of their jobs.

        Raises
        ------
        OptionError
            If no video is named or found.
        """
        named = [line.strip() for line in self.videos.value.splitlines() if line.strip()]
        if not named:
            raise OptionError("name a video or a folder first, one a line")
        hiding = {} if self.mode.value == "analyze" else {"blur": self.blur.value}
        output = self.output.value.strip() or None
        specs = make_specs(named, mode=self.mode.value, output=output, overwrite=self.overwrite.value, **hiding)
        if not specs:
            raise OptionError(f"there is no video in {', '.join(named)[:200]}")
        if self.jobs is None:
            self._follow(submit([], **self._pool))
        assert self.jobs is not None
        added = self.jobs.add(specs)
        self._drawing.submit()
        return added

    def _follow(self, jobs: Jobs) -> None:
        self.jobs = jobs
        self._forget = jobs.on_change(lambda _: self._drawing.submit())

    def _cancel_all(self) -> None:
        if self.jobs is not None:
            self.jobs.cancel()

    def _try_again(self) -> None:
        if self.jobs is not None:
            self.jobs.resubmit()

    def open_result(self, job: int) -> None:
        """Show the result of a job below the list: what was written, and a workbench on the faces that were found.

        Raises
        ------
        OptionError
            If the job is not done.
        """
        assert self.jobs is not None
        row = self.jobs.table([job]).to_dict("records")[0]
        if row["state"] != "done":
            raise OptionError(f"job {job} is {row['state']}; only what is done can be opened")
        self._drop_room()
        player = [] if row["mode"] == "analyze" else [as_video(row["output"])]
        self.room.children = (*player, open_workbench(row["video"], self.jobs.annotations_of(job)))

    def _drop_room(self) -> None:
        for view in self.room.children:
            view.close()
            if isinstance(view, Workbench):
                view.review.close()
            elif isinstance(view, ipywidgets.Video):
                view.value = b""  # no picture of a person is left in the page
        self.room.children = ()

    def refresh(self) -> None:
        """Show how the jobs stand now."""
        if self.jobs is None:
            self.cancel_button.disabled = self.again_button.disabled = True
            return
        table, counts = self.jobs.table(), self.jobs.counts()
        self.cancel_button.disabled = not counts["running"] + counts["queued"]
        self.again_button.disabled = not counts["failed"] + counts["cancelled"]
        ended = table["state"].isin(ENDED)
        self.bar.value = float(table["progress"].where(~ended, 1.0).mean()) if len(table) else 0.0
        self.text.value = escape(describe_jobs(counts, left=self.jobs.time_left()))
        listed = self._listed(table)
        for number in [number for number in self._lines if number not in listed.index]:
            _close(self._lines.pop(number))
        boxes = []
        for record in listed.reset_index().to_dict("records"):
            number = int(record["job"])
            if number not in self._lines:
                self._lines[number] = self._make_line(number, str(record["video"]))
            _show(self._lines[number], record)
            boxes.append(self._lines[number].box)
        if list(self.list.children) != boxes:
            self.list.children = boxes

    def _listed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows that are shown, in the order in which their videos were named."""
        if len(table) <= self._most:
            return table
        first = table["state"].astype("object").map(ORDER)
        return table.loc[sorted(first.sort_values(kind="stable").index[: self._most])]

    def _make_line(self, number: int, path: str) -> _Line:
        assert self.jobs is not None
        jobs, video = self.jobs, Path(path).name
        name = ipywidgets.HTML(f'<b title="{escape(path)}">{escape(video)}</b>', layout={"width": "190px"})
        bar, text = ipywidgets.FloatProgress(0, min=0, max=1, layout={"width": "110px"}), ipywidgets.HTML()
        cancel, again, opened = (button("", f"{what} {video}", text=word) for what, word in _WORDS)
        cancel.on_click(self.press(lambda: jobs.cancel(number)))
        again.on_click(self.press(lambda: jobs.resubmit(number)))
        opened.on_click(self.press(lambda: self.open_result(number)))
        return _Line(row(name, bar, cancel, again, opened, text, css="rk-job"), bar, text, cancel, again, opened)

    def close(self) -> None:
        """Take the panel out of the page; jobs that it started itself are cancelled."""
        if self._closed:
            return
        if self._forget is not None:
            self._forget()
        if self._owns and self.jobs is not None:
            self.jobs.close()
        self._drop_room()
        super().close()


def describe_jobs(counts: Mapping[str, int], *, left: float) -> str:
    """Return in one line of plain text how many jobs are in each state, and how long they still take.

    Examples
    --------
    >>> describe_jobs({"queued": 2, "running": 1, "done": 4, "failed": 0}, left=90)
    '2 queued, 1 running, 4 done, 00:01:30 left'
    """
    counted = [f"{count} {state}" for state, count in counts.items() if count]
    return ", ".join([*counted, *([f"{timecode(left)[:8]} left"] if left > 0 else [])])


def describe_job(row: Mapping[Any, Any]) -> str:
    """Return in one line of plain text how a job stands, by its row of the table of jobs.

    What is written is called neither hidden nor clean: jobs do not look for leaks.
    """
    state, note = str(row["state"]), str(row["note"])
    if state == "failed":
        return f"failed: {row['error']}"
    if state == "running":
        known = row["frames"] and row["progress"] > 0 and np.isfinite(row["left"])
        left = f", {timecode(float(row['left']))[:8]} left" if known else ""
        return f"{row['stage'] or 'starting'}: {row['progress']:.0%}{left}"
    if state != "done":
        return state
    faces = "1 face" if row["faces"] == 1 else f"{row['faces']} faces"
    if row["ok"] is False:
        return f"done, but the output is not as it should be; see its report ({faces})"
    outcome = f"{faces} found" if row["mode"] == "analyze" else f"written, {faces}, not checked for leaks"
    return f"{outcome}; {note}" if note else outcome


def _is_doubtful(row: Mapping[Any, Any]) -> bool:
    """Return whether what a job has made must not pass for a good one."""
    return row["state"] == "done" and (row["ok"] is False or bool(row["nothing_hidden"] and row["mode"] != "analyze"))


def _show(line: _Line, row: Mapping[Any, Any]) -> None:
    state, doubtful = str(row["state"]), _is_doubtful(row)
    line.bar.value, line.bar.bar_style = float(row["progress"]), "danger" if doubtful else BARS[state]
    css = "rk-bad" if doubtful or state == "failed" else ""
    line.text.value = f'<span class="rk-job-{state} {css}">{escape(describe_job(row))}</span>'
    line.cancel.disabled = state in ENDED
    line.again.disabled, line.open.disabled = state not in ENDED, state != "done"


def _close(line: _Line) -> None:
    for child in line.box.children:
        child.close()
    line.box.close()
