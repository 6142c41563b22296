"""Faces that go behind something and come out again: held as long as a part of them may show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import hull, iou, union_cover
from redactkit.errors import OptionError
from redactkit.tables import BOX, as_detections, frame_rows, sort_detections
from redactkit.tracking.gaps import FILLED_CONFIDENCE_FACTOR
from redactkit.tracking.shots import frame_times, shot_bounds, stretch_numbers

__all__ = ["hold_occluded"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_HeldBox = tuple[int, int, FloatArray]
"""The row of the end it comes from, frame and box."""

MIN_OCCLUDED_SHARE = 0.1
"""Share of a face that lies behind others from which it is going behind them, and did not end for itself."""

HIDDEN_SHARE = 0.9
"""Share of it from which the others' boxes hide it as well as its own would."""

SPEED_FRAMES = 12
"""Frames over which a face's speed is taken."""

FADED_CONFIDENCE_RATIO = 0.33
"""Share of the confidence it had before to which a face that goes behind something, or turns away, has come down."""

MIN_OCCLUSION_GROWTH = 0.01
"""Least share of a face that gets hidden from frame to frame: less, and it stands beside the other one."""


def hold_occluded(detections: pd.DataFrame, *, times: ArrayLike, cuts: ArrayLike = (), longest: int) -> pd.DataFrame:
    """Hold faces that go behind other faces until those hide them, and from when they begin to come out.

    Where the boxes of a face end next to a box of another one that is there already, a part of the face may
    still show, too little for a detector. Its box goes on at its speed. So does, for a quarter of the time, that of a
    face whose confidence had come down: it went behind something else, or turned away.

    Parameters
    ----------
    detections : DataFrame
    times : array_like of shape (F,)
        Time of every frame of the clip in seconds.
    cuts : array_like of int
        Frames that start a new shot; nothing is held over one.
    longest : int
        Most frames to add at an end, four times as many as for a face that only faded.

    Returns
    -------
    DataFrame
        In table order; added rows have source ``"interpolated"``.

    Raises
    ------
    OptionError
        If ``longest`` is negative, or ``times`` ends before the last row's frame.

    Examples
    --------
    >>> still = {"frame": range(4), "face_id": 1, "x": 20, "y": 0, "width": 20, "height": 20}
    >>> moving = {"frame": [0, 1], "face_id": 2, "x": [0, 5], "y": 0, "width": 20, "height": 20}
    >>> faces = pd.concat([as_detections(still), as_detections(moving)])
    >>> held = hold_occluded(faces, times=[0, 1, 2, 3], longest=5)
    >>> held.loc[held["face_id"] == 2, "x"].tolist()
    [0.0, 5.0, 10.0, 15.0]
    """
    clock = frame_times(detections, times)
    if longest < 0:
        raise OptionError(f"longest must be 0 or more frames, got {longest}")
    rows = detections.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    table = _Table.of(rows)
    added = _united(table, (held for end in _ends(rows, cuts, len(clock), longest) for held in _held(table, end)))
    if not added:
        return sort_detections(rows)
    end, frame, boxes = (np.array(column) for column in zip(*added, strict=True))
    more = as_detections(
        {
            "frame": frame,
            "time": clock[frame],
            "face_id": table.face[end],
            **dict(zip(BOX, boxes.T, strict=True)),
            "confidence": FILLED_CONFIDENCE_FACTOR * table.confidence[end],
            "source": "interpolated",
            "label": rows["label"].to_numpy()[end],
        }
    )
    return sort_detections(pd.concat([rows, more]))


def _united(table: _Table, held: Iterator[_HeldBox]) -> list[_HeldBox]:
    """Make one box of two that come from both ends of a gap to one frame."""
    found: dict[tuple[int, int], _HeldBox] = {}
    for end, frame, box in held:
        place = (int(table.face[end]), frame)
        known = found.get(place)
        found[place] = (end, frame, box if known is None else hull([known[2]], [box])[0])
    return list(found.values())


@dataclass(frozen=True)
class _Table:
    """The rows as arrays, and where in them each frame's are."""

    frame: IntArray
    face: IntArray
    boxes: FloatArray
    confidence: FloatArray
    order: IntArray
    ascending: IntArray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Table:
        frame, face, boxes, confidence = (rows[name].to_numpy() for name in ("frame", "face_id", BOX, "confidence"))
        order = np.argsort(frame, kind="stable")
        return cls(frame, face, boxes, confidence, order, frame[order])

    def at(self, frame: int) -> IntArray:
        """Return the rows of a frame."""
        return self.order[frame_rows(self.ascending, frame)]


@dataclass(frozen=True)
class _End:
    """An end of a stretch of boxes: its row, one further in, the way out, and how many frames are wanted and free."""

    row: int
    inner: int
    step: int
    longest: int
    room: int


def _ends(rows: pd.DataFrame, cuts: ArrayLike, frame_count: int, longest: int) -> Iterator[_End]:
    """Yield both ends of every stretch, with room up to its shot's border or its face's next box."""
    frame, face = rows["frame"].to_numpy(), rows["face_id"].to_numpy()
    _, first, counts = np.unique(stretch_numbers(rows, cuts=cuts), return_index=True, return_counts=True)
    last = first + counts - 1
    start, stop = shot_bounds(frame, cuts=cuts, frame_count=frame_count)
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        before = max(int(start[a]), int(frame[a - 1]) + 1 if a and face[a - 1] == face[a] else 0)
        after = min(int(stop[b]), int(frame[b + 1]) if b + 1 < len(rows) and face[b + 1] == face[b] else frame_count)
        yield _End(a, min(a + SPEED_FRAMES, b), -1, longest, min(longest, int(frame[a]) - before))
        yield _End(b, max(b - SPEED_FRAMES, a), 1, longest, min(longest, after - 1 - int(frame[b])))


def _held(table: _Table, end: _End) -> Iterator[_HeldBox]:
    """Yield row, frame and box for as long as a part of the face may show."""
    if end.room < 1:
        return
    here, box = int(table.frame[end.row]), table.boxes[end.row]
    pace = (box[:2] - table.boxes[end.inner, :2]) / max(abs(here - int(table.frame[end.inner])), 1)
    moved = [np.concatenate([box[:2] + pace * away, box[2:]]) for away in range(1, end.room + 1)]
    sure = table.confidence[min(end.row, end.inner) : max(end.row, end.inner) + 1].max()
    faded = end.longest // 4 if table.confidence[end.row] < FADED_CONFIDENCE_RATIO * sure else 0
    for away in range(max(_occluded_frames(table, end, moved), min(faded, end.room))):
        yield end.row, here + end.step * (away + 1), moved[away]


def _occluded_frames(table: _Table, end: _End, moved: list[FloatArray]) -> int:
    """Count the frames for which the face is partly, and more and more, behind others that were there already."""
    here, box = int(table.frame[end.row]), table.boxes[end.row]
    beside = table.at(here)
    beside = beside[(beside != end.row) & (iou(box[None], table.boxes[beside])[0] > 0)]
    if not len(beside):
        return 0
    hidden = float(union_cover(box[None], table.boxes[beside])[0])
    for away, place in enumerate(moved):
        others = table.at(here + end.step * (away + 1))
        others = others[np.isin(table.face[others], table.face[beside])]
        before, hidden = hidden, float(union_cover(place[None], table.boxes[others])[0])
        if not max(MIN_OCCLUDED_SHARE, before + MIN_OCCLUSION_GROWTH) <= hidden < HIDDEN_SHARE:
            return away
    return len(moved)
