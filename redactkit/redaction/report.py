"""What a redaction did, and whether the file it wrote keeps the source's frames, time and sound."""

from __future__ import annotations

import getpass
import hashlib
import importlib.metadata
import json
import math
import os
import platform
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import redactkit
from redactkit.annotations import Annotations
from redactkit.effects import BLUR_KINDS
from redactkit.formats.labels import stated_kinds
from redactkit.media import VideoInfo, file_sha256
from redactkit.redaction.options import RedactionOptions
from redactkit.redaction.plan import Plan, hidden_rows
from redactkit.redaction.rendering import Written
from redactkit.runtime.files import check_output, report_path, write_text
from redactkit.runtime.kinds import FACE
from redactkit.runtime.timecode import check_ranges, timecode
from redactkit.tables import OPTIONAL

__all__ = [
    "LeakCheck",
    "RedactionReport",
    "add_painted",
    "check_report",
    "count_faces",
    "read_report",
    "software_versions",
    "sound_settings",
]

MAX_DAMAGED_FRAMES = 5
"""Packets and frames that may fail to decode whole before the verdict is broken; a higher number trusts worse files."""
_DIGEST = 64  # figures of a SHA-256

_BARE_KINDS = [name for name, kind in BLUR_KINDS.items() if kind.hides_nothing]
_PARTS = ["av", "numpy", "opencv-python", "openvino", "pandas", "scipy"]


class LeakCheck(Protocol):
    """What a redaction's report holds of the leak check: a `redactkit.verification.VerificationReport`."""

    @property
    def ok(self) -> bool:
        """Whether nothing is left to look at."""

    @property
    def verdict(self) -> str:
        """The verdict in a word or a few."""

    @property
    def findings(self) -> pd.DataFrame:
        """One row for each appearance to act on."""


@dataclass(frozen=True)
class RedactionReport:
    """The record of one redaction.

    Parameters
    ----------
    source, output : Path
    settings : mapping
        Every option with which the pass ran.
    faces : DataFrame
        Index ``face_id``; ``kind``, ``redact``, ``label``, ``reason``; ``boxes`` to be hidden, which are those that
        reach into a frame of the output, and of those ``painted``; ``frames`` in which one was; ``first_time``,
        ``last_time`` (s); ``blur``, the kind; ``look`` and ``visible_at`` of its decision; ``hidden_at``, pairs of
        seconds from when to when it is hidden, several where frames between show it bare; ``left_bare`` boxes
        that time ranges leave bare on purpose; ``start``, ``end`` of its track (s).
    fidelity : DataFrame
        One row per check of the written file: ``check``, ``expected``, ``got``, ``ok``, ``note``.
    notes : tuple of str
        What was converted rather than kept, and what was odd about the source.
    record : mapping
        Hashes, versions, device, user and time.
    check : VerificationReport, optional
        What the leak check found, where it was asked for.

    Examples
    --------
    >>> report = redactkit.redact("lobby.mp4", "lobby_annotations.json")  # doctest: +SKIP
    >>> report.ok, report.output  # doctest: +SKIP
    (True, PosixPath('lobby_redacted.mp4'))
    """

    source: Path
    output: Path
    settings: Mapping[str, Any]
    faces: pd.DataFrame
    fidelity: pd.DataFrame
    notes: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    check: LeakCheck | None = None

    @property
    def ok(self) -> bool:
        """Whether the output keeps frames, time, size and sound of a whole source, and every chosen face is hidden."""
        clean = self.check is None or self.check.ok
        return self._keeps_source and clean and not self.bare_faces and not self.damaged

    @property
    def damaged(self) -> bool:
        """Whether more than `MAX_DAMAGED_FRAMES` packets or frames of the source did not decode whole."""
        return len(self.record.get("damage", ())) > MAX_DAMAGED_FRAMES

    @property
    def bare_faces(self) -> list[int]:
        """The faces that were to be hidden and can be seen: a box was not painted, or not one reaches into the frame.

        With outlines these are all, unless ``allow_nothing`` says that this is what is wanted.
        """
        faces = self.faces
        # Who has no box because of time ranges is left bare on purpose.
        bare = (faces["painted"] != faces["boxes"]) | ((faces["painted"] == 0) & (faces["left_bare"] == 0))
        if not self.settings.get("allow_nothing"):
            bare |= faces["blur"].isin(_BARE_KINDS)
        return [int(face) for face in faces.index[faces["redact"] & bare]]

    @property
    def nothing_hidden(self) -> bool:
        """Whether no pixel of the output is hidden: there was no face, all are left visible, or outlines were drawn."""
        hidden = self.faces["redact"] & (self.faces["painted"] > 0) & ~self.faces["blur"].isin(_BARE_KINDS)
        return not hidden.any()

    @property
    def _keeps_source(self) -> bool:
        return bool(self.fidelity["ok"].all()) and len(self.fidelity) > 0

    @property
    def _noun(self) -> str:
        """Return what the rows of ``faces`` are to be called."""
        return "faces" if "kind" not in self.faces or (self.faces["kind"] == FACE).all() else "objects"

    @property
    def path(self) -> Path:
        """Where the report is saved: ``foo_redacted.report.json`` beside ``foo_redacted.mp4``."""
        return report_path(self.output)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON-able data."""
        return {
            "ok": self.ok,
            "nothing_hidden": self.nothing_hidden,
            "source": str(self.source),
            "output": str(self.output),
            **self.record,
            "settings": dict(self.settings),
            "faces": _rows(self.faces.reset_index()),
            "fidelity": _rows(self.fidelity),
            "notes": list(self.notes),
        }

    def save(self) -> Path:
        """Write the report beside the output and return its path."""
        write_text(self.path, json.dumps(self.to_dict(), indent=1, default=str), overwrite=True)
        return self.path

    def __str__(self) -> str:
        whole = "fidelity holds" if self._keeps_source else f"FIDELITY BROKEN: {', '.join(_failed(self.fidelity))}"
        text = f"{self.output}: {self._ranges_words()}"
        if self.damaged:
            text += f"DAMAGED SOURCE, {len(self.record['damage'])} packets or frames of it did not decode whole; "
        if self.nothing_hidden:
            return f"{text}{self._why_nothing()}; {whole}{self._verdict_words()}"
        hidden = self.faces[self.faces["redact"] & (self.faces["painted"] > 0)]
        counts = f"{len(hidden)} of {len(self.faces)} {self._noun} hidden, {int(hidden['painted'].sum())} boxes"
        kinds = ", ".join(dict.fromkeys(hidden["blur"])) or self.settings.get("blur")
        return f"{text}{self._bare_words()}{counts}, blur {kinds}, {whole}{self._verdict_words()}"

    def _verdict_words(self) -> str:
        """Return the verdict of the leak check, where there was one."""
        return "" if self.check is None else f"; leak check: {self.check.verdict}"

    def _ranges_words(self) -> str:
        """Return what the whole report holds for, where that is not the whole video."""
        ranges = self.settings.get("ranges") or ()
        text = ", ".join(f"{timecode(start)} to {timecode(stop)}" for start, stop in ranges)
        rest = "and cut down to that" if self.settings.get("trim") else "all else is left bare"
        return f"ONLY FROM {text}, {rest}; " if text else ""

    def _why_nothing(self) -> str:
        if self.faces.empty:
            return "NO FACE WAS FOUND AND NOTHING IS HIDDEN, watch it before you give it away"
        if (self.faces["redact"] & (self.faces["painted"] > 0)).any():
            drawn = f"{int(self.faces['redact'].sum())} {self._noun.upper()}"
            return f"ONLY OUTLINES OF {drawn} ARE DRAWN, EVERYBODY CAN BE SEEN"
        return f"NOTHING IS HIDDEN, all {len(self.faces)} {self._noun} can be seen"

    def _bare_words(self) -> str:
        """Return which faces can be seen that should not be, and why; nothing where there are none."""
        bare = self.faces.loc[self.bare_faces]
        away, unpainted = bare[bare["boxes"] == 0], bare[bare["boxes"] > 0]
        noun = self._noun.upper()
        text = f"{noun} NOT HIDDEN, no box inside the frame: {_listed(away.index)}; " if len(away) else ""
        if len(unpainted):
            done, wanted = int(unpainted["painted"].sum()), int(unpainted["boxes"].sum())
            text += f"{noun} NOT WHOLLY HIDDEN, {done} of {wanted} boxes painted: {_listed(unpainted.index)}; "
        return text

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        checks = self.fidelity.assign(**{name: self.fidelity[name].map(_shortened) for name in ("expected", "got")})
        tables = checks.to_html(index=False, escape=True) + self.faces.to_html(escape=True)
        return f"<p><b>{escape(str(self))}</b></p><ul>{notes}</ul>{tables}"


def _shortened(value: object) -> object:
    """Return a digest, too wide for a notebook's cell, by its first figures; the file has it whole."""
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == _DIGEST else value


def _listed(faces: pd.Index[int]) -> str:
    return ", ".join(map(str, faces[:20])) + (", ..." if len(faces) > 20 else "")


def _failed(fidelity: pd.DataFrame) -> list[str]:
    return [str(name) for name in fidelity.loc[~fidelity["ok"].astype(bool), "check"]] or ["no check ran"]


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", default_handler=str))
    return rows


def count_faces(annotations: Annotations, plan: Plan, *, faces: list[int], options: RedactionOptions) -> pd.DataFrame:
    """Return for every face whether and how it is to be hidden, between which times, and what ranges leave bare."""
    hidden = pd.DataFrame({"face_id": plan.faces, "time": annotations.video.times[plan.frames]})
    spans = hidden.groupby("face_id")["time"].agg(first_time="min", last_time="max")
    decided = annotations.tracks[["kind", "redact", "label", "reason", "visible_at", "look", "start", "end"]].copy()
    decided["redact"] = decided.index.isin(faces)
    rows = annotations.detections[annotations.detections["face_id"].isin(faces)]
    chosen = hidden_rows(rows, annotations.decisions, annotations.video, options)
    bare = rows.loc[~chosen, "face_id"].value_counts()
    pairs = np.unique(np.column_stack([plan.faces, plan.look_of]), axis=0) if plan.looks else np.zeros((0, 2), int)
    kinds = {int(face): plan.looks[place].kind for face, place in pairs}
    decided["blur"] = [kinds.get(face, options.blur) for face in decided.index.tolist()]
    decided["left_bare"] = bare.reindex(decided.index, fill_value=0).astype("int64")
    stretches = _stretches(rows, chosen, annotations.video)
    at = [stretches.get(face, ()) for face in decided.index.tolist()]
    decided["hidden_at"] = pd.Series(at, index=decided.index, dtype="object")
    return decided.join(spans)


def _stretches(
    rows: pd.DataFrame, hidden: NDArray[np.bool_], video: VideoInfo
) -> dict[int, tuple[tuple[float, float], ...]]:
    """Return from when to when each object is hidden, in seconds: each run of frames in which it is."""
    ends = np.append(video.times[1:], video.times[-1:] + float(1 / video.frame_rate))
    table = pd.DataFrame({"face": rows["face_id"].to_numpy(), "frame": rows["frame"].to_numpy()})[hidden]
    table = table.sort_values(["face", "frame"])
    table["stretch"] = (table.groupby("face")["frame"].diff() > 1).groupby(table["face"]).cumsum()
    frames = table.groupby(["face", "stretch"])["frame"].agg(["min", "max"])
    found: dict[int, tuple[tuple[float, float], ...]] = {}
    for (face, _), first, last in frames.itertuples():
        found[face] = (*found.get(face, ()), (float(video.times[first]), float(ends[last])))
    return found


def add_painted(faces: pd.DataFrame, plan: Plan, written: Written) -> pd.DataFrame:
    """Return the faces with ``boxes`` that were to be hidden in the output, those ``painted``, and their ``frames``.

    Parameters
    ----------
    faces : DataFrame
        As of `count_faces`.
    plan : Plan
    written : Written
        What the painter reports.
    """
    there = ~np.isin(plan.frames, np.asarray(written.left_out, np.int64))
    wanted = Counter(plan.faces[there].tolist())
    counts = {"boxes": wanted, "painted": written.painted, "frames": written.frames}
    columns = {name: [of.get(face, 0) for face in faces.index.tolist()] for name, of in counts.items()}
    table = faces.assign(**{name: np.array(column, np.int64) for name, column in columns.items()})
    unpainted = (table["painted"] == 0).tolist()
    at = [() if bare else spans for bare, spans in zip(unpainted, table["hidden_at"], strict=True)]
    table["hidden_at"] = pd.Series(at, index=table.index, dtype="object")
    said = ["kind", "redact", "label", "reason"]
    how = ["blur", "look", "visible_at", "hidden_at", "left_bare", "start", "end"]
    return table[[*said, *counts, "first_time", "last_time", *how]]


def software_versions() -> dict[str, str]:
    """Return the versions of everything that decides what the output looks like."""
    versions = {"redactkit": redactkit.__version__, "python": platform.python_version()}
    return versions | {name: importlib.metadata.version(name) for name in _PARTS}


def make_record(source_sha256: str, annotations: Annotations) -> dict[str, Any]:
    """Return who makes an output, from what, with what."""
    return {
        "user": _user(),
        "source_sha256": source_sha256,
        "annotations_sha256": annotations_digest(annotations),
        "versions": software_versions(),
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "analysis": dict(annotations.settings),
    }


def stamp_record(output: Path) -> dict[str, Any]:
    """Return when an output was made, and its digest."""
    return {"created": datetime.now(UTC).isoformat(timespec="seconds"), "output_sha256": file_sha256(output)}


def annotations_digest(annotations: Annotations) -> str:
    """Return the SHA-256, in hex, of boxes, their labels and decisions, whatever file they came from."""
    detections = annotations.detections
    # Boxes without labels and the like keep the digest that they had before these columns.
    detailed = detections.assign(kind=stated_kinds(detections))
    unsaid = [name for name in OPTIONAL if not detailed[name].astype(bool).any()]
    # Which boxes are keyframes says how they came about, not what is hidden.
    detections = detections.drop(columns=unsaid).drop(columns="keyframe", errors="ignore")
    # Nor does who is one person; time ranges and looks do, where there are any.
    unsaid = [name for name in ("visible_at", "look") if not (annotations.decisions[name] != "").any()]
    decisions = annotations.decisions.drop(columns=["person_id", *unsaid]).reset_index()
    digest = hashlib.sha256()
    for table in (detections, decisions):
        digest.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def read_report(path: str | Path) -> dict[str, Any]:
    """Read a saved report as plain data.

    Examples
    --------
    >>> read_report("lobby_redacted.report.json")["settings"]["blur"]  # doctest: +SKIP
    'Med'
    """
    data: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return data


def check_report(output: str | Path, *, overwrite: bool = False) -> None:
    """Refuse an output whose report would replace a file that is no report.

    Raises
    ------
    OutputExistsError
        If there is one and ``overwrite`` is false.
    """
    path = report_path(output)
    try:
        known = read_report(path).keys() >= {"source", "output", "settings"}
    except (OSError, ValueError, AttributeError):
        known = False
    check_output(path, overwrite=overwrite or known)


def sound_settings(output: str | Path) -> dict[str, Any]:
    """Return ``audio`` and ``mute`` with which a video was redacted, by its own report; nothing without one."""
    path = report_path(output)
    try:
        recorded = read_report(path)
        settings = recorded["settings"] if recorded.get("output_sha256") == file_sha256(output) else {}
        mute = check_ranges(settings.get("mute", ()), end=math.inf)
        return {"audio": settings.get("audio", "keep"), "mute": mute}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
