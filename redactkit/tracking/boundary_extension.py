"""Extend boxes over mixed frames and brief shots, from the shot before and from the shot after.

A mixed frame shows the faces of two shots at once, most of them too faint to detect, so both shots' boxes cover it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import expand, hull, iou
from redactkit.tables import BOX, as_detections, row_keys, sort_detections
from redactkit.tracking.gaps import FILLED_CONFIDENCE_FACTOR
from redactkit.tracking.shots import frame_times

__all__ = ["extend_over_mixed", "merge_extensions"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

MAX_DISTANCE_FRAMES = 2
"""How near to a range, in frames, a face must have a box to be extended over it. Raising it covers more."""

SPEED_FRAMES = 3
"""Frames from which the velocity of a face is taken. Raising it is less noisy, and slower to react."""

MAX_EXTENSION_FRAMES = 16
"""Longest extension of a box. Raising it covers more of long dissolves, also where no face is."""

GROWTH_SHARES = (0.05, 0.25)
"""Growth of an extended box on each side, in shares of its size: per frame, and at most."""

SAME_FACE_IOU = 0.4
"""IoU from which a box detected in a mixed frame is of the face extended there. Raising it keeps more as own faces."""


def extend_over_mixed(detections: pd.DataFrame, *, ranges: ArrayLike, times: ArrayLike) -> pd.DataFrame:
    """Extend the boxes on both sides of short frame ranges over these, also over shot boundaries.

    An extended box covers both where the face was detected and where constant velocity would have taken it, and grows
    with the distance. Between two boxes of one face it covers both.

    Parameters
    ----------
    detections : DataFrame
    ranges : array_like of shape (K, 2)
        First and last frame of each.
    times : array_like of shape (F,)
        Time of every frame of the clip in seconds.

    Returns
    -------
    DataFrame
        The added rows alone, with source ``"interpolated"``: one for each face that has a box in a range or within two
        frames of it, in each frame of the range where it has none.

    Raises
    ------
    OptionError
        If ``times`` ends before the last row's frame.

    Examples
    --------
    >>> rows = as_detections({"frame": [3, 5], "face_id": [1, 2], "x": 40, "y": 40, "width": 20, "height": 20})
    >>> extend_over_mixed(rows, ranges=[[4, 4]], times=range(6))[["frame", "face_id", "x", "width"]].to_numpy().tolist()
    [[4.0, 1.0, 39.0, 22.0], [4.0, 2.0, 39.0, 22.0]]
    """
    clock = frame_times(detections, times)
    rows = sort_detections(detections)
    frames = rows["frame"].to_numpy()
    found = []
    for first, last in np.asarray(ranges, np.int64).reshape(-1, 2).tolist():
        near = slice(
            *np.searchsorted(
                frames, [first - MAX_DISTANCE_FRAMES - SPEED_FRAMES, last + MAX_DISTANCE_FRAMES + SPEED_FRAMES + 1]
            ).tolist()
        )
        for face, own in rows.iloc[near].groupby("face_id"):
            found += [(frame, face, *box) for frame, *box in _extended(own, first, last)]
    columns = dict(zip(["frame", "face_id", *BOX, "confidence"], np.array(found).reshape(-1, 7).T, strict=True))
    frame = columns["frame"].astype(np.int64)
    added = as_detections({**columns, "time": clock[frame], "source": "interpolated"})
    return sort_detections(added.drop_duplicates(["frame", "face_id"]))


def _extended(own: pd.DataFrame, first: int, last: int) -> Iterator[list[float]]:
    """Yield frame, box and confidence for the frames of a range in which a face has no box."""
    frame = own["frame"].to_numpy()
    boxes, confidence = own[BOX].to_numpy(np.float64), own["confidence"].to_numpy(np.float64)
    if not ((frame >= first - MAX_DISTANCE_FRAMES) & (frame <= last + MAX_DISTANCE_FRAMES)).any():
        return
    for number in sorted({*range(first, last + 1)} - {*frame.tolist()}):
        # From the nearest box before forwards, and from the nearest box after backwards.
        after = int(np.searchsorted(frame, number))
        sides = [
            (_moved(frame, boxes, row, number, step), FILLED_CONFIDENCE_FACTOR * confidence[row])
            for row, step in ((after - 1, 1), (after, -1))
            if 0 <= row < len(frame) and _near(frame[row], number, first, last)
        ]
        if len(sides) == 2:
            yield [number, *hull([sides[0][0]], [sides[1][0]])[0], min(sides[0][1], sides[1][1])]
        elif sides:
            yield [number, *sides[0][0], sides[0][1]]


def _near(frame: int, number: int, first: int, last: int) -> bool:
    """Tell whether a box at ``frame`` is near enough to a range, and to a frame in it, to be extended there."""
    return (
        first - MAX_DISTANCE_FRAMES <= frame <= last + MAX_DISTANCE_FRAMES
        and abs(number - frame) <= MAX_EXTENSION_FRAMES
    )


def _moved(frame: IntArray, boxes: FloatArray, row: int, number: int, step: int) -> FloatArray:
    """Extend a face from one of its boxes to a frame, forwards (``step`` 1) or backwards (-1)."""
    # The velocity is taken from the rows on the far side of the box.
    inner = row
    while 0 <= inner - step < len(frame) and abs(frame[inner - step] - frame[row]) <= SPEED_FRAMES:
        inner -= step
    velocity = (boxes[row, :2] - boxes[inner, :2]) / max(abs(int(frame[row] - frame[inner])), 1)
    away = abs(number - int(frame[row]))
    ahead = boxes[row].copy()
    ahead[:2] += velocity * away
    both = hull([boxes[row]], [ahead])[0]
    grown = expand([boxes[row]], share=min(GROWTH_SHARES[0] * away, GROWTH_SHARES[1]))[0]
    return np.asarray(hull([both], [grown])[0])


def merge_extensions(detections: pd.DataFrame, extension: pd.DataFrame, *, mixed: ArrayLike) -> pd.DataFrame:
    """Merge extended boxes into the table, and detections of mixed frames into the faces that were extended there.

    A face detected in mixed frames only is the extended one if each of its boxes overlaps a box of that one alone.

    Parameters
    ----------
    detections : DataFrame
    extension : DataFrame
        As from `extend_over_mixed`.
    mixed : array_like of shape (K, 2)
        First and last frame of each range of mixed frames.

    Returns
    -------
    DataFrame
        In table order.

    Examples
    --------
    >>> rows = as_detections({"frame": [3, 4], "face_id": [1, 2], "x": 40, "y": 40, "width": 20, "height": 20})
    >>> table = merge_extensions(rows, extend_over_mixed(rows, ranges=[[4, 4]], times=range(6)), mixed=[[4, 4]])
    >>> table[["frame", "face_id"]].to_numpy().tolist()
    [[3, 1], [4, 1]]
    """
    ranges = np.asarray(mixed, np.int64).reshape(-1, 2)
    same = _same_faces(detections, extension, ranges)
    merged = detections.assign(face_id=detections["face_id"].replace(same))
    rest = extension[~extension["face_id"].isin(list(same))]
    # Where a face has both a detected and an extended box, the detected row stays and covers both.
    keys, others = row_keys(merged, rest)
    _, positions, doubles = np.intersect1d(keys, others, return_indices=True)
    boxes = merged[BOX].to_numpy(copy=True)
    boxes[positions] = hull(boxes[positions], rest[BOX].to_numpy()[doubles])
    joined = merged.assign(**{name: boxes[:, column] for column, name in enumerate(BOX)})
    whole = sort_detections(pd.concat([joined, rest.drop(rest.index[doubles])], ignore_index=True))
    return _widened(whole, ranges)


def _widened(rows: pd.DataFrame, ranges: IntArray) -> pd.DataFrame:
    """Widen each box in mixed frames to cover the nearest boxes of its face before and after the range too.

    Where the faces of two shots overlap, a box detected there may be of the other face, or lie between both.
    """
    frames, faces, boxes = rows["frame"].to_numpy(), rows["face_id"].to_numpy(), rows[BOX].to_numpy(copy=True)
    for first, last in ranges.tolist():
        near = np.arange(*np.searchsorted(frames, [first - MAX_DISTANCE_FRAMES, last + MAX_DISTANCE_FRAMES + 1]))
        for face in np.unique(faces[near]):
            own = near[faces[near] == face]
            inside = (frames[own] >= first) & (frames[own] <= last)
            for side in (own[frames[own] < first][-1:], own[frames[own] > last][:1]):
                # Not farther than boxes are extended: in long dissolves the face may have moved on.
                reached = (
                    own[inside & (np.abs(frames[own] - frames[side]) <= MAX_EXTENSION_FRAMES)]
                    if len(side)
                    else side[:0]
                )
                boxes[reached] = hull(boxes[reached], np.repeat(rows[BOX].to_numpy()[side], len(reached), axis=0))
    return rows.assign(**{name: boxes[:, column] for column, name in enumerate(BOX)})


def _same_faces(detections: pd.DataFrame, extension: pd.DataFrame, mixed: IntArray) -> dict[int, int]:
    """Return the faces detected in mixed frames only, and which extended ones they are."""
    frames = detections["frame"].to_numpy()
    inside = ((frames[:, None] >= mixed[:, 0]) & (frames[:, None] <= mixed[:, 1])).any(axis=1)
    lasting = set(detections["face_id"].to_numpy()[~inside].tolist())
    brief = detections[~detections["face_id"].isin(lasting)]
    others = extension[extension["face_id"].isin(lasting)]
    same: dict[int, int] = {}
    claimed: set[tuple[int, int]] = set()
    for face, own in brief.groupby("face_id"):
        overlapping = [
            _overlapping(frame, box, others) for frame, box in zip(own["frame"], own[BOX].to_numpy(), strict=True)
        ]
        pairs = {(int(frame), next(iter(each))) for frame, each in zip(own["frame"], overlapping, strict=True) if each}
        one = set.union(*overlapping)
        # Of two boxes in one frame, only one can be the extended face.
        if all(overlapping) and len(one) == 1 and not pairs & claimed:
            same[int(str(face))] = one.pop()
            claimed |= pairs
    return same


def _overlapping(frame: int, box: FloatArray, extension: pd.DataFrame) -> set[int]:
    """Return the faces whose extended boxes in a frame overlap a box enough."""
    here = extension[extension["frame"] == frame]
    return {int(face) for face in here["face_id"].to_numpy()[iou([box], here[BOX].to_numpy())[0] >= SAME_FACE_IOU]}
