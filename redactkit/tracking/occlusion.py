"""Occlusion: hold a face at constant velocity while it is partly hidden by another face or an object.

A face that disappears behind another is still visible in part, too little for a detector. Its box is extended until the
other face's box covers it. The same is done backwards, for a face that comes out again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import hull, iou, union_cover
from redactkit.errors import OptionError
from redactkit.tables import BOX, CARRIED, as_detections, frame_rows, sort_detections
from redactkit.tracking.gaps import FILLED_CONFIDENCE_FACTOR
from redactkit.tracking.shots import frame_times, run_numbers, shot_bounds

__all__ = ["hold_occluded"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
_HeldBox = tuple[int, int, FloatArray]
"""The row of the run's end from which the box is extended, the frame, and the box."""

MIN_OCCLUDED_SHARE = 0.1
"""Share of a face's box inside others from which it is occluded. Raising it holds fewer faces."""

MAX_OCCLUDED_SHARE = 0.9
"""The same share from which the others' boxes hide the face anyway. Raising it holds faces longer."""

SPEED_ROWS = 12
"""Rows from which the velocity of a face is taken. Raising it is less noisy, and slower to react."""

FADED_CONFIDENCE_RATIO = 0.33
"""Last confidence of a track, in shares of its recent best, below which the face has faded: occluded or turned away.

Raising it holds more faces.
"""

MIN_OCCLUSION_GROWTH = 0.01
"""Least growth of the occluded share per frame. Below it the face stands beside the other one.

Raising it holds fewer faces.
"""

FADED_DIVISOR = 4
"""How many times shorter than an occluded face one that only faded is held."""


def hold_occluded(detections: pd.DataFrame, *, times: ArrayLike, cuts: ArrayLike = (), longest: int) -> pd.DataFrame:
    """Hold a face that goes behind another until that one hides it, and from when it begins to come out.

    Where a run of boxes ends next to the box of another face, the face may still show in part. Its box is extended at
    constant velocity while the other one occludes more and more of it. A face whose confidence has faded is extended
    too, for a quarter of the time: it went behind something else, or turned away.

    Parameters
    ----------
    detections : DataFrame
    times : array_like of shape (F,)
        Time of every frame of the clip in seconds.
    cuts : array_like of int
        Frames that start a new shot; nothing is held over one.
    longest : int
        Most frames added at each end, four times as many as for a face that only faded. Raising it covers more, also
        where no face is.

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
    # Rows of one face are next to each other, so the ends of runs are neighbouring rows.
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
            **{name: rows[name].to_numpy()[end] for name in CARRIED},
        }
    )
    return sort_detections(pd.concat([rows, more]))


def _united(table: _Table, held: Iterator[_HeldBox]) -> list[_HeldBox]:
    """Merge the boxes of a face that reach one frame from both ends of a gap, into their hull."""
    found: dict[tuple[int, int], _HeldBox] = {}
    for end, frame, box in held:
        key = (int(table.face[end]), frame)
        known = found.get(key)
        found[key] = (end, frame, box if known is None else hull([known[2]], [box])[0])
    return list(found.values())


@dataclass(frozen=True)
class _Table:
    """The rows as arrays, with an index by frame."""

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
    """One end of a run of boxes.

    ``row`` is the row at the end, ``inner`` one further in for the velocity, ``step`` the direction outwards,
    ``longest`` how many frames may be added, and ``room`` how many of these are free.
    """

    row: int
    inner: int
    step: int
    longest: int
    room: int


def _ends(rows: pd.DataFrame, cuts: ArrayLike, frame_count: int, longest: int) -> Iterator[_End]:
    """Yield both ends of every run, with room up to the edge of the shot or the face's next box."""
    frame, face = rows["frame"].to_numpy(), rows["face_id"].to_numpy()
    _, first, counts = np.unique(run_numbers(rows, cuts=cuts), return_index=True, return_counts=True)
    last = first + counts - 1
    start, stop = shot_bounds(frame, cuts=cuts, frame_count=frame_count)
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        # The first free frame before the run, and the one after the last free frame behind it.
        before = max(int(start[a]), int(frame[a - 1]) + 1 if a and face[a - 1] == face[a] else 0)
        after = min(int(stop[b]), int(frame[b + 1]) if b + 1 < len(rows) and face[b + 1] == face[b] else frame_count)
        yield _End(a, min(a + SPEED_ROWS, b), -1, longest, min(longest, int(frame[a]) - before))
        yield _End(b, max(b - SPEED_ROWS, a), 1, longest, min(longest, after - 1 - int(frame[b])))


def _held(table: _Table, end: _End) -> Iterator[_HeldBox]:
    """Yield row, frame and box while a part of the face may show."""
    if end.room < 1:
        return
    here, box = int(table.frame[end.row]), table.boxes[end.row]
    # Constant velocity, of the last rows of the run; the size stays.
    velocity = (box[:2] - table.boxes[end.inner, :2]) / max(abs(here - int(table.frame[end.inner])), 1)
    moved = [np.concatenate([box[:2] + velocity * away, box[2:]]) for away in range(1, end.room + 1)]
    # An occluded face is held as long as it is partly hidden, a faded one for a fixed time; the longer one counts.
    best = table.confidence[min(end.row, end.inner) : max(end.row, end.inner) + 1].max()
    faded = end.longest // FADED_DIVISOR if table.confidence[end.row] < FADED_CONFIDENCE_RATIO * best else 0
    for away in range(max(_occluded_frames(table, end, moved), min(faded, end.room))):
        yield end.row, here + end.step * (away + 1), moved[away]


def _occluded_frames(table: _Table, end: _End, moved: list[FloatArray]) -> int:
    """Count the frames for which faces that overlap the last box occlude more and more of the extended one."""
    here, box = int(table.frame[end.row]), table.boxes[end.row]
    # Without another face beside the last box there is nothing that could occlude it.
    beside = table.at(here)
    beside = beside[(beside != end.row) & (iou(box[None], table.boxes[beside])[0] > 0)]
    if not len(beside):
        return 0
    hidden = float(union_cover(box[None], table.boxes[beside])[0])
    for away, moved_box in enumerate(moved):
        others = table.at(here + end.step * (away + 1))
        # Only faces that were beside it at the end may occlude it: others may be new, or on the far side.
        others = others[np.isin(table.face[others], table.face[beside])]
        # The occluded share must grow from frame to frame, and ends this where the other boxes cover the face.
        before, hidden = hidden, float(union_cover(moved_box[None], table.boxes[others])[0])
        if not max(MIN_OCCLUDED_SHARE, before + MIN_OCCLUSION_GROWTH) <= hidden < MAX_OCCLUDED_SHARE:
            return away
    return len(moved)
