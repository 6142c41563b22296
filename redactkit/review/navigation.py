"""Which frame an analyst wants to see next, from the tables alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import OptionError

__all__ = ["STOPS", "nearest", "stops"]

IntArray = NDArray[np.int64]

STOPS = {
    "face": "the current face has a box",
    "edge": "a face starts or ends",
    "empty": "no face has a box",
    "box": "any face has a box",
    "keyframe": "the current face's box was set by hand",
    "gap": "the current face loses or finds its box",
}
"""Kinds of frames to stop at, and what each means."""


def stops(kind: str, detections: pd.DataFrame, *, face_id: int | None, frame_count: int) -> IntArray:
    """Return the frames of one kind, ascending.

    Parameters
    ----------
    kind : str
        One of `STOPS`.
    detections : DataFrame
        Sorted by frame.
    face_id : int or None
        The current face; without one the kinds that need it have no frame.
    frame_count : int
        Frames of the video.

    Raises
    ------
    OptionError
        For an unknown kind.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = as_detections({"frame": [2, 3], "face_id": 1, "x": 0, "y": 0, "width": 1, "height": 1})
    >>> stops("empty", rows, face_id=None, frame_count=5).tolist()
    [0, 1, 4]
    """
    if kind not in STOPS:
        raise OptionError(f"frames to stop at are {', '.join(STOPS)}; got {kind!r}")
    frames = detections["frame"].to_numpy()
    mine = detections["face_id"].to_numpy() == face_id
    if kind == "edge":
        return _edges(detections)
    if kind == "empty":
        return np.setdiff1d(np.arange(frame_count), frames)
    if kind == "keyframe":
        mine &= detections["keyframe"].to_numpy()
    if kind == "gap":
        return _run_ends(frames[mine])
    return np.unique(frames if kind == "box" else frames[mine])


def nearest(frames: IntArray, current: int, *, direction: int = 1) -> int | None:
    """Return the next of ``frames`` after ``current``, or before it where ``direction`` is negative.

    Examples
    --------
    >>> nearest(np.array([3, 7]), 3), nearest(np.array([3, 7]), 3, direction=-1)
    (7, None)
    """
    if direction > 0:
        later = frames[frames > current]
        return int(later[0]) if later.size else None
    earlier = frames[frames < current]
    return int(earlier[-1]) if earlier.size else None


def _edges(detections: pd.DataFrame) -> IntArray:
    frames = detections.groupby("face_id")["frame"]
    return np.union1d(frames.min(), frames.max()).astype(np.int64)


def _run_ends(frames: IntArray) -> IntArray:
    """Return the frames on both sides of each gap."""
    breaks = np.flatnonzero(np.diff(frames) > 1)
    return np.union1d(frames[breaks], frames[breaks + 1]).astype(np.int64)
