"""Temporal padding: extend tracks before their first and after their last box, where a face is there but not found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.errors import OptionError
from redactkit.tables import BOX, CARRIED, as_detections, sort_detections
from redactkit.tracking.gaps import FILLED_CONFIDENCE_FACTOR
from redactkit.tracking.shots import frame_times, shot_bounds

__all__ = ["extend"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

SPEED_ROWS = 3
"""Rows at the end of a track from which its velocity is taken. Raising it is less noisy, and slower to react."""


def extend(
    detections: pd.DataFrame, *, before: int = 0, after: int = 0, times: ArrayLike, cuts: ArrayLike = ()
) -> pd.DataFrame:
    """Extend every track by some frames before its first and after its last box, within its shot and the clip.

    An added box covers both where the face was last detected and where constant velocity would have taken it.

    Parameters
    ----------
    detections : DataFrame
    before, after : int
        Frames to add before the first and after the last box of each track. Raising them covers more.
    times : array_like of shape (F,)
        Time of every frame of the clip in seconds.
    cuts : array_like of int
        Frames that start a new shot.

    Returns
    -------
    DataFrame
        In table order; added rows have source ``"interpolated"``.

    Raises
    ------
    OptionError
        If ``before`` or ``after`` is negative, or ``times`` ends before the last row's frame.

    Examples
    --------
    >>> rows = {"frame": [3, 4], "face_id": 1, "x": [10, 12], "y": 0, "width": 5, "height": 5}
    >>> more = extend(as_detections(rows), after=1, times=[0, 1, 2, 3, 4, 5])
    >>> more[["frame", "x", "width"]].to_numpy().tolist()[-1]
    [5.0, 12.0, 7.0]
    """
    clock = frame_times(detections, times)
    if before < 0 or after < 0:
        raise OptionError(f"before and after must be 0 or more frames, got {before} and {after}")
    rows = detections.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    _, first, counts = np.unique(rows["face_id"].to_numpy(), return_index=True, return_counts=True)
    last = first + counts - 1
    start, stop = shot_bounds(rows["frame"].to_numpy(), cuts=cuts, frame_count=len(clock))
    frame = rows["frame"].to_numpy()
    early = np.minimum(before, frame[first] - start[first])
    late = np.minimum(after, stop[last] - 1 - frame[last])
    added = [
        _padded(rows, first, np.minimum(first + SPEED_ROWS, last), -early, clock),
        _padded(rows, last, np.maximum(last - SPEED_ROWS, first), late, clock),
    ]
    return sort_detections(pd.concat([rows, *added]))


def _padded(rows: pd.DataFrame, end: IntArray, inner: IntArray, padding: IntArray, clock: FloatArray) -> pd.DataFrame:
    """Extend each track from row ``end`` by ``padding`` frames, negative backwards, at its velocity since ``inner``."""
    frame, boxes, confidence = (rows[name].to_numpy() for name in ("frame", BOX, "confidence"))
    length = np.abs(padding)
    # One row for each added frame: the track it belongs to, and its distance from the end, 1, 2, ...
    track = np.repeat(np.arange(len(end)), length)
    step = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length) + 1
    here = frame[end][track] + np.sign(padding)[track] * step
    frames = np.where(frame[end] == frame[inner], 1, frame[end] - frame[inner])
    speed = (boxes[end, :2] - boxes[inner, :2]) / frames[:, None]
    moved = speed[track] * (here - frame[end][track])[:, None]
    # The hull of the box at the end and the same box moved.
    box = boxes[end][track]
    corner = np.minimum(box[:, :2], box[:, :2] + moved)
    return as_detections(
        {
            "frame": here,
            "time": clock[here],
            "face_id": rows["face_id"].to_numpy()[end][track],
            "x": corner[:, 0],
            "y": corner[:, 1],
            "width": box[:, 2] + np.abs(moved[:, 0]),
            "height": box[:, 3] + np.abs(moved[:, 1]),
            "confidence": FILLED_CONFIDENCE_FACTOR * confidence[end][track],
            "source": "interpolated",
            **{name: rows[name].to_numpy()[end][track] for name in CARRIED},
        }
    )
