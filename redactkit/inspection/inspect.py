"""Look into an annotation file: what it holds, and what is suspicious about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import pandas as pd

from redactkit.annotations import Annotations
from redactkit.formats import ReadOptions, align, choose_labels, load, probed
from redactkit.formats.fit import DOUBTS, reach
from redactkit.formats.labels import count_labels
from redactkit.formats.normalize import Remark
from redactkit.inspection.page import page_html
from redactkit.inspection.suspicions import as_findings, find_gaps, find_suspicious
from redactkit.media import VideoInfo
from redactkit.runtime.files import write_text
from redactkit.runtime.html import short

__all__ = ["Inspection", "inspect"]

_NOTES = {
    "lost fields", "no face ID", "no frame rate", "no boxes", "missing pages", "unfinished job", "other shapes",
    "several sizes", "unknown source", "confidence scale", "offset", "frame count", "equal boxes", "several videos",
    "frame numbers", "frames stepped over", "times", "no face boxes", "shares for pixels", "pixels for shares",
    "milliseconds", "labels", "archive", *DOUBTS,
}  # fmt: skip
_NO_RATE = "no frame rate"
_SHOWN = 20


@dataclass(frozen=True)
class Inspection:
    """What is in an annotation file.

    Parameters
    ----------
    name : str
        The file, or "annotations".
    format : str
        As `redactkit.formats.READABLE` names it; "redactkit" for annotations from memory.
    annotations : Annotations
    findings : DataFrame
        Everything suspicious, one row each: ``kind``, ``face_id``, ``frame``, ``time`` (s), ``detail``.
    gaps : DataFrame
        Frames without a box between two boxes of a face; see `find_gaps`.
    notes : list of str
        What was lost or repaired in reading.
    timed : bool
        Whether the file, or a video beside it, says when its frames are.
    video : VideoInfo or None
        The video that was given beside the file, for the pictures of `save_page`.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> inspect(sample_truth_path()).summary["faces"]
    6
    """

    name: str
    format: str
    annotations: Annotations
    findings: pd.DataFrame
    gaps: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    timed: bool = True
    video: VideoInfo | None = None

    @property
    def faces(self) -> pd.DataFrame:
        """One row per face, as `Annotations.tracks`."""
        return self.annotations.tracks

    @property
    def summary(self) -> dict[str, Any]:
        """The file in numbers; None for what it does not say."""
        annotations, video = self.annotations, self.annotations.video
        times = annotations.detections["time"] if annotations.has_times else pd.Series(dtype="float64")
        known = self.timed and annotations.has_times and video.frame_count > 0
        return {
            "file": self.name,
            "format": self.format,
            "width": video.width or None,
            "height": video.height or None,
            "frame_rate": float(video.frame_rate) if known else None,
            "frames": video.frame_count,
            "start": _number(video.times[0]) if known else None,
            "end": _number(video.times[-1]) if known else None,
            "faces": int(annotations.detections["face_id"].nunique()),
            "boxes": len(annotations.detections),
            "labels": count_labels(annotations),
            "reach": reach(annotations),
            "first_box": _number(times.min()),
            "last_box": _number(times.max()),
            "gaps": len(self.gaps),
            "suspicious": {kind: int(count) for kind, count in self.counts.items()},
            "notes": self.notes,
        }

    @property
    def counts(self) -> pd.Series[int]:
        """How many findings there are of each kind, most first."""
        return self.findings["kind"].value_counts()

    def to_dict(self) -> dict[str, Any]:
        """Return everything as what JSON can hold, NaN as None."""
        tracks = self.faces.reset_index().drop(columns="thumbnail")
        tables = {"tracks": tracks, "gap_list": self.gaps, "findings": self.findings}
        return self.summary | {name: _records(table) for name, table in tables.items()}

    def to_json(self) -> str:
        """Return everything as JSON."""
        return msgspec.json.format(msgspec.json.encode(self.to_dict()), indent=2).decode()

    def save_page(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write everything as one HTML file that needs no other, readable by its owner alone.

        It has a timeline, counts of labels, a heat map, every suspicious row with its reason, and the faces. Where a
        video was given to `inspect` beside the file, faces and suspicious rows have pictures: then the page shows
        people.
        """
        return write_text(path, page_html(self), overwrite=overwrite)

    @property
    def headline(self) -> list[str]:
        """The file in a few lines."""
        return [_clean(line) for line in _headline(self)]

    def __str__(self) -> str:
        return "\n".join(_clean(line) for line in [*_headline(self), *_face_lines(self), *_finding_lines(self)])

    def __repr__(self) -> str:
        return f"<Inspection of {self.name}: {len(self.faces)} faces, {len(self.findings)} suspicious>"

    def _repr_html_(self) -> str:
        head = "".join(f"<p>{escape(line)}</p>" for line in self.headline)
        columns = ["start", "end", "frames", "coverage", "longest_gap", "label"]
        faces = self.faces[columns].head(_SHOWN).to_html(escape=True, float_format="{:.3f}".format, border=0)
        findings = self.findings.head(_SHOWN).to_html(escape=True, float_format="{:.3f}".format, border=0, index=False)
        summary = f"<h4>{len(self.findings)} suspicious</h4>" + (findings if len(self.findings) else "")
        return f"<div>{head}<h4>{len(self.faces)} faces</h4>{faces}{summary}</div>"


def inspect(
    source: str | Path | Annotations,
    *,
    format: str | None = None,
    video: VideoInfo | str | Path | None = None,
    frame_size: tuple[int, int] | None = None,
    frame_rate: Fraction | float | None = None,
    labels: str | Iterable[str] | None = None,
    video_name: str | None = None,
    first_frame: int | None = None,
    frame_step: int | None = None,
    units: str | None = None,
) -> Inspection:
    """Look into an annotation file, with no video needed.

    Parameters
    ----------
    source : path or Annotations
    format, video, frame_size, frame_rate, labels, video_name, first_frame, frame_step, units
        As in `redactkit.formats.read_annotations`; ``video`` lends its size, rate and times where the file has
        none, and boxes stay at the file's own instants otherwise.

    Returns
    -------
    Inspection
        Prints as text, shows as HTML in a notebook; ``to_json()``; ``findings`` is a table.

    Raises
    ------
    AnnotationError
        If the file cannot be read.

    Examples
    --------
    >>> inspect("their_annotations.json").findings  # doctest: +SKIP
    """
    info = probed(video)
    if isinstance(source, Annotations):
        given = source if labels is None else choose_labels(source, labels)
        report = _inspect(given, "annotations", "redactkit", [])
        return replace(report, video=info or (given.video if given.video.path is not None else None))
    reading = load(
        source, ReadOptions(format, info, frame_size, frame_rate, labels, video_name, first_frame, frame_step, units)
    )
    remarks = reading.remarks
    untimed = any(remark.kind == _NO_RATE for remark in remarks)
    if info is not None and untimed:
        remarks = [remark for remark in remarks if remark.kind != _NO_RATE]
    given = _with_times(reading.annotations, info, untimed=untimed)
    return replace(_inspect(given, str(source), reading.format, remarks), video=info)


def _with_times(annotations: Annotations, video: VideoInfo | None, *, untimed: bool) -> Annotations:
    """Return annotations that only number frames with the times of a video's, where it has as many."""
    frames = annotations.detections["frame"]
    if video is None or (annotations.has_times and not untimed) or (len(frames) and frames.max() >= video.frame_count):
        return annotations
    return align(annotations, video)


def _inspect(annotations: Annotations, name: str, format: str, remarks: Sequence[Remark]) -> Inspection:
    structural = as_findings(
        (remark.kind, remark.face_id, remark.frame, math.nan if remark.time is None else remark.time, remark.text)
        for remark in remarks
        if remark.kind not in _NOTES
    )
    found = find_suspicious(annotations)
    if any(remark.kind == "no face ID" for remark in remarks):
        found = found[found["kind"] != "one frame"]
    tables = [table for table in (structural, found) if len(table)]
    findings = pd.concat(tables, ignore_index=True) if tables else as_findings()
    notes = [remark.text for remark in remarks if remark.kind in _NOTES]
    findings = findings.sort_values(["time", "frame", "face_id"], kind="stable", ignore_index=True)
    timed = not any(remark.kind == _NO_RATE for remark in remarks)
    return Inspection(name, format, annotations, findings, find_gaps(annotations), notes, timed)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    plain = table.astype("object").where(table.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def _clean(text: str) -> str:
    """Replace what a terminal would act on."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(abs(seconds), 60)
    sign = "-" if seconds < 0 else ""
    return f"{sign}{int(minutes) // 60}:{int(minutes) % 60:02}:{rest:06.3f}"


def _headline(report: Inspection) -> list[str]:
    summary = report.summary
    size = f"{summary['width']}x{summary['height']}" if summary["width"] else "size unknown"
    rate = f"{summary['frame_rate']:.3f} fps" if summary["frame_rate"] else "frame rate unknown"
    span = f"{_clock(summary['start'])} to {_clock(summary['end'])}"
    return [
        f"{summary['file']}: {summary['format']}, {size}, {rate}, {summary['frames']} frames, {span}",
        f"{summary['faces']} faces, {summary['boxes']} boxes, {summary['gaps']} gaps, "
        f"{len(report.findings)} suspicious",
        *_label_lines(summary["labels"]),
        *_reach_lines(summary["reach"]),
        *(f"note: {note}" for note in summary["notes"]),
    ]


def _label_lines(labels: dict[str, int]) -> list[str]:
    if not set(labels) - {""}:
        return []
    return [
        "labels: " + ", ".join(f"{short(label) or 'none'} {count}" for label, count in list(labels.items())[:_SHOWN])
    ]


def _reach_lines(reach: tuple[float, float] | None) -> list[str]:
    return (
        [] if reach is None else [f"boxes reach to {reach[0]:.0%} of the frame's width, {reach[1]:.0%} of its height"]
    )


def _face_lines(report: Inspection) -> list[str]:
    faces = report.faces
    lines = [
        f"  face {face}: {row.frames} boxes, {_clock(_number(row.start))} to {_clock(_number(row.end))}, "
        f"coverage {row.coverage:.0%}, longest gap {row.longest_gap}" + (f", {row.label}" if row.label else "")
        for face, row in faces.head(_SHOWN).iterrows()
    ]
    return [*lines, f"  and {len(faces) - _SHOWN} more faces"] if len(faces) > _SHOWN else lines


def _finding_lines(report: Inspection) -> list[str]:
    lines = []
    for kind, count in report.counts.items():
        first = report.findings[report.findings["kind"] == kind].iloc[0]
        face = "" if pd.isna(first["face_id"]) else f" face {first['face_id']}"
        frame = "" if pd.isna(first["frame"]) else f" frame {first['frame']}"
        time = "" if pd.isna(first["time"]) else f" at {_clock(float(first['time']))}"
        lines.append(f"suspicious: {kind}, {count} times, first{face}{frame}{time}: {first['detail']}")
    return lines
