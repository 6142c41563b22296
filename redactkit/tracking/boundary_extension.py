"""Boxes carried over the frames in which two shots show at once, from the shot before and from the one after."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import expand, hull, iou
from redactkit.tables import BOX, as_detections, row_keys, sort_detections
from redactkit.tracking.gaps import FILLED_CONFIDENCE_FACTOR
from redactkit.tracking.shots import frame_times

__all__ = ["carry", "join_carried"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

NEAR = 2
"""Frames before and after a stretch in which a face must have a box to be carried into it."""

INNER = 3
"""Frames over which the speed of a face is taken."""

MOST = 16
"""Frames over which a box is carried from the one it comes from."""

GROWTH = (0.05, 0.25)
"""Share of its size by which a carried box grows on each side, in a frame and at most."""

SAME = 0.4
"""Overlap from which a box that was found in a mixed frame is of the face that was carried there."""


def carry(detections: pd.DataFrame, *, stretches: ArrayLike, times: ArrayLike) -> pd.DataFrame:
    """Carry the boxes on both sides of short stretches into them, over cuts.

    A carried box covers both where the face was seen and where its speed would have taken it, and grows with the
    distance. Between two boxes of one face it covers both.

    Parameters
    ----------
    detections : DataFrame
    stretches : array_like of shape (K, 2)
        First and last frame of each.
    times : array_like of shape (F,)
        Time of every frame of the clip in seconds.

    Returns
    -------
    DataFrame
        The added rows alone, of source ``"interpolated"``: one for each face that has a box in a stretch or within
        two frames of it, in each frame of the stretch where it has none.

    Raises
    ------
    OptionError
        If ``times`` ends before the last row's frame.

    Examples
    --------
    >>> rows = as_detections({"frame": [3, 5], "face_id": [1, 2], "x": 40, "y": 40, "width": 20, "height": 20})
    >>> carry(rows, stretches=[[4, 4]], times=range(6))[["frame", "face_id", "x", "width"]].to_numpy().tolist()
    [[4.0, 1.0, 39.0, 22.0], [4.0, 2.0, 39.0, 22.0]]
    """
    clock = frame_times(detections, times)
    rows = sort_detections(detections)
    frames = rows["frame"].to_numpy()
    found = []
    for first, last in np.asarray(stretches, np.int64).reshape(-1, 2).tolist():
        near = slice(*np.searchsorted(frames, [first - NEAR - INNER, last + NEAR + INNER + 1]).tolist())
        for face, own in rows.iloc[near].groupby("face_id"):
            found += [(frame, face, *box) for frame, *box in _carried(own, first, last)]
    columns = dict(zip(["frame", "face_id", *BOX, "confidence"], np.array(found).reshape(-1, 7).T, strict=True))
    frame = columns["frame"].astype(np.int64)
    added = as_detections({**columns, "time": clock[frame], "source": "interpolated"})
    return sort_detections(added.drop_duplicates(["frame", "face_id"]))


def _carried(own: pd.DataFrame, first: int, last: int) -> Iterator[list[float]]:
    """Yield frame, box and confidence for the frames of a stretch in which a face has no box."""
    frame = own["frame"].to_numpy()
    boxes, confidence = own[BOX].to_numpy(np.float64), own["confidence"].to_numpy(np.float64)
    if not ((frame >= first - NEAR) & (frame <= last + NEAR)).any():
        return
    for number in sorted({*range(first, last + 1)} - {*frame.tolist()}):
        after = int(np.searchsorted(frame, number))
        sides = [
            (_moved(frame, boxes, place, number, step), FILLED_CONFIDENCE_FACTOR * confidence[place])
            for place, step in ((after - 1, 1), (after, -1))
            if 0 <= place < len(frame) and _near(frame[place], number, first, last)
        ]
        if len(sides) == 2:
            yield [number, *hull([sides[0][0]], [sides[1][0]])[0], min(sides[0][1], sides[1][1])]
        elif sides:
            yield [number, *sides[0][0], sides[0][1]]


def _near(frame: int, number: int, first: int, last: int) -> bool:
    return first - NEAR <= frame <= last + NEAR and abs(number - frame) <= MOST


def _moved(frame: IntArray, boxes: FloatArray, place: int, number: int, step: int) -> FloatArray:
    """Continue a face from one of its boxes to a frame, forwards or backwards."""
    inner = place
    while 0 <= inner - step < len(frame) and abs(frame[inner - step] - frame[place]) <= INNER:
        inner -= step
    speed = (boxes[place, :2] - boxes[inner, :2]) / max(abs(int(frame[place] - frame[inner])), 1)
    away = abs(number - int(frame[place]))
    ahead = boxes[place].copy()
    ahead[:2] += speed * away
    both = hull([boxes[place]], [ahead])[0]
    grown = expand([boxes[place]], share=min(GROWTH[0] * away, GROWTH[1]))[0]
    return np.asarray(hull([both], [grown])[0])


def join_carried(detections: pd.DataFrame, carried: pd.DataFrame, *, mixed: ArrayLike) -> pd.DataFrame:
    """Put carried boxes into the table; what was seen in mixed frames alone becomes part of the face it shows.

    A face found only there, each of whose boxes lies on a carried one of the same single face, is that face.

    Parameters
    ----------
    detections, carried : DataFrame
    mixed : array_like of shape (K, 2)
        First and last frame of each stretch of mixed frames.

    Returns
    -------
    DataFrame
        In table order.

    Examples
    --------
    >>> rows = as_detections({"frame": [3, 4], "face_id": [1, 2], "x": 40, "y": 40, "width": 20, "height": 20})
    >>> table = join_carried(rows, carry(rows, stretches=[[4, 4]], times=range(6)), mixed=[[4, 4]])
    >>> table[["frame", "face_id"]].to_numpy().tolist()
    [[3, 1], [4, 1]]
    """
    stretches = np.asarray(mixed, np.int64).reshape(-1, 2)
    same = _same_faces(detections, carried, stretches)
    merged = detections.assign(face_id=detections["face_id"].replace(same))
    rest = carried[~carried["face_id"].isin(list(same))]
    # Where a box was both found and carried, the found row stays and covers both.
    keys, under = row_keys(merged, rest)
    _, places, doubles = np.intersect1d(keys, under, return_indices=True)
    boxes = merged[BOX].to_numpy(copy=True)
    boxes[places] = hull(boxes[places], rest[BOX].to_numpy()[doubles])
    joined = merged.assign(**{name: boxes[:, column] for column, name in enumerate(BOX)})
    whole = sort_detections(pd.concat([joined, rest.drop(rest.index[doubles])], ignore_index=True))
    return _widened(whole, stretches)


def _widened(rows: pd.DataFrame, stretches: IntArray) -> pd.DataFrame:
    """Let the boxes in mixed frames also cover those which their faces have just before and after.

    Where two faces show in one place, a box found there may be of the other one, or lie between both.
    """
    frames, faces, boxes = rows["frame"].to_numpy(), rows["face_id"].to_numpy(), rows[BOX].to_numpy(copy=True)
    for first, last in stretches.tolist():
        near = np.arange(*np.searchsorted(frames, [first - NEAR, last + NEAR + 1]))
        for face in np.unique(faces[near]):
            own = near[faces[near] == face]
            inside = (frames[own] >= first) & (frames[own] <= last)
            for side in (own[frames[own] < first][-1:], own[frames[own] > last][:1]):
                reached = own[inside & (np.abs(frames[own] - frames[side]) <= MOST)] if len(side) else side[:0]
                boxes[reached] = hull(boxes[reached], np.repeat(rows[BOX].to_numpy()[side], len(reached), axis=0))
    return rows.assign(**{name: boxes[:, column] for column, name in enumerate(BOX)})


def _same_faces(detections: pd.DataFrame, carried: pd.DataFrame, mixed: IntArray) -> dict[int, int]:
    """Return the faces that show in mixed frames alone, and which carried ones they are."""
    frames = detections["frame"].to_numpy()
    inside = ((frames[:, None] >= mixed[:, 0]) & (frames[:, None] <= mixed[:, 1])).any(axis=1)
    lasting = set(detections["face_id"].to_numpy()[~inside].tolist())
    brief = detections[~detections["face_id"].isin(lasting)]
    others = carried[carried["face_id"].isin(lasting)]
    same: dict[int, int] = {}
    taken: set[tuple[int, int]] = set()
    for face, own in brief.groupby("face_id"):
        under = [_under(frame, box, others) for frame, box in zip(own["frame"], own[BOX].to_numpy(), strict=True)]
        there = {(int(frame), next(iter(each))) for frame, each in zip(own["frame"], under, strict=True) if each}
        one = set.union(*under)
        # Of two boxes of one frame, only one can be the carried face.
        if all(under) and len(one) == 1 and not there & taken:
            same[int(str(face))] = one.pop()
            taken |= there
    return same


def _under(frame: int, box: FloatArray, carried: pd.DataFrame) -> set[int]:
    """Return the faces whose carried boxes lie in a frame where a box is."""
    here = carried[carried["frame"] == frame]
    return {int(face) for face in here["face_id"].to_numpy()[iou([box], here[BOX].to_numpy())[0] >= SAME]}
