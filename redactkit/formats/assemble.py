"""Annotations from what readers of other formats find: boxes by frame number, or by time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from typing import Any, TypedDict, Unpack

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.formats.azure.time_grid import FragmentSpan, build_grid
from redactkit.formats.normalize import Reading, Remark, check_boxes, number_faces, round_pixels, separate_doubles
from redactkit.formats.numbering import Numbering, number_frames
from redactkit.formats.source import Source
from redactkit.formats.units import SIZELESS, from_pixels, from_shares, from_units
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_decisions, as_detections

__all__ = ["MAX_ROWS", "FileFacts", "ParsedBoxes", "Numbering", "RowLocations", "by_frame", "by_time"]

MAX_ROWS = 5_000_000
_NANO = 10**9
_SAME_RATE = 0.01
"""Share by which two frame rates may differ and still be one, rounded: 29.97 and 30."""
_LARGEST_TICK = 2**53
_LONGEST = 1e9
Clock = tuple[NDArray[np.float64], NDArray[np.float64]]


class RowLocations(Sequence[str]):
    """Where in the file a table's rows stand, spelled only when asked for."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, row: Any) -> Any:
        return f"row {row + 1}"


class BoxFacts(TypedDict, total=False):
    """What a file may say of a box: its class and kind, if something is before it, whose face it is, and who set it."""

    label: str
    kind: str
    occluded: bool
    person: str
    keyframe: bool


@dataclass
class ParsedBoxes:
    """Rows as a reader collects them, one item per box in every list.

    ``at`` is the frame number or the time in ticks; ``boxes`` are x, y, width, height in pixels;
    ``locations`` says where in the file each row stands, for errors; ``sources`` is empty where the
    file says nothing of them. So are ``labels``, ``kinds``, ``occluded``,
    ``persons`` and ``keyframes``; a kind of "" follows from the label.
    """

    at: list[int] = field(default_factory=list)
    faces: list[int | str | None] = field(default_factory=list)
    boxes: list[Sequence[float]] = field(default_factory=list)
    confidence: list[float | None] = field(default_factory=list)
    locations: Any = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    occluded: list[bool] = field(default_factory=list)
    persons: list[str] = field(default_factory=list)
    keyframes: list[bool] = field(default_factory=list)

    def add(
        self,
        at: int,
        face: int | str | None,
        box: Sequence[float],
        *,
        place: str,
        confidence: float | None = None,
        **said: Unpack[BoxFacts],
    ) -> None:
        """Add one box, with what the file says of it."""
        self.at.append(at)
        self.faces.append(face)
        self.boxes.append(box)
        self.locations.append(place)
        self.confidence.append(confidence)
        self.labels.append(said.get("label", ""))
        self.kinds.append(said.get("kind", ""))
        self.occluded.append(said.get("occluded", False))
        self.persons.append(said.get("person", ""))
        self.keyframes.append(said.get("keyframe", False))

    def take(self, rows: Sequence[int]) -> ParsedBoxes:
        """Return some of the boxes."""
        columns = {item.name: getattr(self, item.name) for item in fields(self)}
        return ParsedBoxes(
            **{name: [column[row] for row in rows] if len(column) else [] for name, column in columns.items()}
        )


@dataclass(frozen=True)
class FileFacts:
    """What a file says beside its boxes.

    Parameters
    ----------
    format : str
    size : (int, int)
        Width and height of the frame in pixels.
    frame_rate : Fraction, optional
    decisions : mapping
        What is decided about faces, by their IDs in the file.
    remarks : sequence of Remark
        What its reader lost or repaired.
    boxless : bool
        The file says when faces are seen but not where; boxes are NaN.
    stated : bool
        The file itself says how large its frames are, though its format need not.
    """

    format: str
    size: tuple[int, int]
    frame_rate: Fraction | None = None
    decisions: Mapping[int | str, Mapping[str, Any]] = field(default_factory=dict)
    remarks: Sequence[Remark] = ()
    boxless: bool = False
    stated: bool = False

    @property
    def sized(self) -> bool:
        """Whether the file says how large its frames are in pixels."""
        return self.stated or self.format not in SIZELESS


def by_frame(
    found: ParsedBoxes,
    source: Source,
    facts: FileFacts,
    *,
    numbering: Numbering | None = None,
    frame_count: int = 0,
    clock: Clock | None = None,
    trusted: bool = False,
    origin: int = 0,
) -> Reading:
    """Build annotations from boxes known by frame number.

    Times are those of ``clock``, which has frame numbers and their times in seconds, or follow from the
    frame rate. They are NaN where neither the file nor the caller says either, or where the video is
    given and has that rate: on its frames the boxes are then laid by number.

    Parameters
    ----------
    numbering : Numbering, optional
        Default: frames count from 0.
    frame_count : int
        How many frames the file says there are.
    trusted : bool
        Boxes are surely in pixels; else their numbers are looked at.
    origin : int
        What the file calls the first pixel of a row or column.
    """
    remarks, size = list(facts.remarks), facts.size
    boxes = _as_array(found)
    if not facts.boxless:
        check_boxes(boxes, where=lambda row: found.locations[row])
        if trusted and source.units is not None:
            raise AnnotationError(f"{facts.format} states the units of its boxes; leave out units (--units)")
        if source.units is not None:
            scaled, odd = from_units(boxes, size, source.units), list[Remark]()
            facts = replace(facts, stated=facts.stated or source.units != "pixels")
        else:
            scaled, odd = (boxes, []) if trusted else from_pixels(boxes, size, sized=facts.sized)
        boxes = boxes - [origin, origin, 0, 0] if scaled is boxes else scaled
        remarks += odd
    rate = source.frame_rate or facts.frame_rate
    timed = clock is not None and len(clock[1]) > 0 and bool(np.isfinite(clock[1]).all())
    # Where the caller says which frames of the video are numbered, the file's rate no longer does.
    by_rate = rate is not None and not _counts_as(rate, source.video) and source.frame_step is None
    by_rate |= rate is not None and source.video is None
    numbered = number_frames(
        found.at, numbering or Numbering(), source, frame_count=frame_count, timed=timed or by_rate
    )
    remarks += numbered.remarks
    if not found.at and not any(remark.kind == "no boxes" for remark in remarks):
        remarks.append(Remark("no boxes", "no box is in the file", quiet=True))
    count, frames = numbered.count, numbered.frames
    if clock is not None and timed:
        numbers, seconds = _check_clock(((clock[0] - numbered.first) * numbered.step, clock[1]))
        info = _timed(numbers, seconds, count, size, rate)
        times = seconds[np.searchsorted(numbers, frames)]
    elif rate is not None and by_rate:
        info = _numbered(count, size, rate)
        times = info.times[frames]
    else:
        info = _numbered(count, size, Fraction(1))
        times = np.full(len(frames), np.nan)
        if source.video is None or not len(frames):
            text = "the file has no frame rate, so times are NaN; pass frame_rate (--frame-rate) or video (--video)"
            remarks.append(Remark("no frame rate", text, quiet=not len(frames)))
    settings = {"frames_told": numbered.listed_frames} if numbered.listed_frames else {}
    reading = _finish(found, boxes, info, frames, times, replace(facts, remarks=remarks))
    return replace(reading, annotations=reading.annotations.replace(settings=settings)) if settings else reading


def _counts_as(rate: Fraction, video: VideoInfo | None) -> bool:
    """Return whether a file of some frames per second numbers the frames of a video; rates are rounded, numbers not."""
    return video is not None and abs(float(rate / video.frame_rate) - 1) <= _SAME_RATE


def _numbered(count: int, size: tuple[int, int], rate: Fraction) -> VideoInfo:
    return VideoInfo(
        path=None, width=size[0], height=size[1], frame_rate=rate, time_base=1 / rate, pts=np.arange(count)
    )


def _check_clock(clock: Clock) -> Clock:
    """Return each frame once with its time, ascending.

    Raises
    ------
    AnnotationError
        If a frame has two times, or time does not ascend with frames.
    """
    if np.abs(clock[1]).max(initial=0) > _LONGEST:
        raise AnnotationError(f"times must be below {_LONGEST:.0e} s, got {np.abs(clock[1]).max():.3g}")
    numbers, first = np.unique(clock[0], return_index=True)
    seconds = clock[1][first]
    apart = np.abs(clock[1] - seconds[np.searchsorted(numbers, clock[0])]) > 1e-6
    if apart.any():
        raise AnnotationError(f"frame {clock[0][np.argmax(apart)]:.0f} has two times")
    backwards = np.diff(np.round(seconds * _NANO)) <= 0
    if backwards.any():
        raise AnnotationError(f"time does not ascend after frame {numbers[np.argmax(backwards)]:.0f}")
    return numbers, seconds


def _timed(
    numbers: NDArray[np.float64], seconds: NDArray[np.float64], count: int, size: tuple[int, int], rate: Fraction | None
) -> VideoInfo:
    """Return a header in nanoseconds; frames between those with a time are taken to be evenly spaced."""
    steps = np.diff(seconds) / np.diff(numbers)
    step = float(np.median(steps)) if len(steps) else float(1 / (rate or Fraction(1)))
    frames = np.arange(count)
    times = np.interp(frames, numbers, seconds)
    times = times + np.minimum(frames - numbers[0], 0) * step + np.maximum(frames - numbers[-1], 0) * step
    return VideoInfo(
        path=None,
        width=size[0],
        height=size[1],
        frame_rate=rate or Fraction(1 / max(step, 1e-6)).limit_denominator(1001),
        time_base=Fraction(1, _NANO),
        pts=np.round(times * _NANO).astype(np.int64),
    )


def by_time(
    found: ParsedBoxes,
    source: Source,
    facts: FileFacts,
    *,
    timescale: int,
    shares: bool = False,
    rule: str = "places in time come from the file",
) -> Reading:
    """Build annotations from boxes known by time, ``at`` in ticks of which ``timescale`` make a second.

    Frames are the instants of the file; where none is told for longer than usual, instants without
    faces are laid out. Without boxes only the instants told are laid out. With ``shares``
    boxes are shares of the frame, else pixels.
    """
    if source.first_frame is not None or source.frame_step is not None:
        raise AnnotationError("the file places boxes by time, so first_frame and frame_step mean nothing")
    first, last = min(found.at, default=0), max(found.at, default=0)
    if first < 0 or last > _LARGEST_TICK:
        raise AnnotationError(f"times must be 0 to 2^53 ticks, got {first} to {last}")
    instants = np.unique(np.array(found.at, np.int64))
    steps = np.diff(instants)
    usual = int(np.median(steps)) if len(steps) else timescale
    spans = [FragmentSpan(int(tick), usual, 1, usual) for tick in instants]
    grid = instants if facts.boxless else build_grid(spans, spacing=usual, timescale=timescale)
    info = VideoInfo(
        path=None,
        width=facts.size[0],
        height=facts.size[1],
        frame_rate=facts.frame_rate or Fraction(timescale, usual),
        time_base=Fraction(1, timescale),
        pts=grid,
    )
    frames = np.searchsorted(grid, np.array(found.at, np.int64))
    remarks, size = list(facts.remarks), facts.size
    boxes = _as_array(found)
    if not facts.boxless:
        check_boxes(boxes, where=lambda row: found.locations[row])
        where = found.locations.__getitem__
        if source.units is not None:
            boxes, odd = from_units(boxes, size, source.units), list[Remark]()
            facts = replace(facts, stated=facts.stated or source.units != "pixels")
        elif shares:
            boxes, odd = from_shares(boxes, size, where=where)
        else:
            boxes, odd = from_pixels(boxes, size, sized=facts.sized)
        remarks += odd
    if len(instants):
        text = f"the first time in the file is {instants[0] / timescale:g} s; {rule}"
        remarks.append(Remark("times", text, quiet=True))
    return _finish(found, boxes, info, frames, info.times[frames], replace(facts, remarks=remarks))


def _as_array(found: ParsedBoxes) -> NDArray[np.float64]:
    return np.array(found.boxes, np.float64).reshape(-1, 4)


def _finish(
    found: ParsedBoxes,
    pixels: NDArray[np.float64],
    info: VideoInfo,
    frames: NDArray[np.int64],
    times: NDArray[np.float64],
    facts: FileFacts,
) -> Reading:
    boxes = round_pixels(pixels)
    ids, names, odd = number_faces(found.faces)
    number_of = dict(zip(found.faces, ids.tolist(), strict=True))
    by_id: dict[int, Mapping[str, Any]] = {number: {"label": name} for number, name in names.items()}
    by_id |= {number_of[face]: what for face, what in facts.decisions.items() if face in number_of}
    table = as_detections(
        {
            "frame": frames,
            "time": times,
            "face_id": ids,
            **{name: boxes[:, column] for column, name in enumerate(BOX)},
            "confidence": np.array([np.nan if value is None else value for value in found.confidence], np.float64),
            **{name: pd.Series(values, dtype=kind) for name, values, kind in _more(found) if values},
        }
    )
    detections, doubles = separate_doubles(table)
    annotations = Annotations(info, detections, decisions=as_decisions(by_id))
    return Reading(annotations, facts.format, [*facts.remarks, *odd, *doubles], sized=facts.sized)


def _more(found: ParsedBoxes) -> list[tuple[str, list[Any], type]]:
    """Return the columns that a file may lack, with the types of their values."""
    return [
        ("source", found.sources, object),
        ("label", found.labels, object),
        ("kind", found.kinds, object),
        ("occluded", found.occluded, bool),
        ("person", found.persons, object),
        ("keyframe", found.keyframes, bool),
    ]
