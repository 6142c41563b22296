"""Number frames by shot, and rows by run. Nothing is carried over a shot boundary."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.errors import OptionError

__all__ = ["frame_times", "shot_bounds", "shot_numbers", "run_numbers"]

IntArray = NDArray[np.int64]


def frame_times(detections: pd.DataFrame, times: ArrayLike) -> NDArray[np.float64]:
    """Return the times of a clip's frames as an array.

    Raises
    ------
    OptionError
        If they end before the last row's frame.
    """
    clock = np.asarray(times, np.float64)
    if len(detections) and int(detections["frame"].max()) >= len(clock):
        raise OptionError(f"times has {len(clock)} frames, but a row is at frame {detections['frame'].max()}")
    return clock


def shot_numbers(frames: ArrayLike, *, cuts: ArrayLike = ()) -> IntArray:
    """Return the number of the shot each frame is in, from 0.

    Parameters
    ----------
    frames : array_like of shape (N,), int
    cuts : array_like of int
        Frames that start a new shot, without 0; any order.

    Returns
    -------
    ndarray of shape (N,), int64

    Examples
    --------
    >>> shot_numbers([0, 19, 20, 99], cuts=[20, 82]).tolist()
    [0, 0, 1, 2]
    """
    return np.searchsorted(_sorted_cuts(cuts), np.asarray(frames, np.int64), side="right").astype(np.int64)


def shot_bounds(frames: ArrayLike, *, cuts: ArrayLike, frame_count: int) -> tuple[IntArray, IntArray]:
    """Return the first frame of each frame's shot and the one after its last.

    Examples
    --------
    >>> first, stop = shot_bounds([5, 30], cuts=[20], frame_count=50)
    >>> first.tolist(), stop.tolist()
    ([0, 20], [20, 50])
    """
    starts = np.concatenate([[0], _sorted_cuts(cuts)]).astype(np.int64)
    stops = np.concatenate([starts[1:], [max(frame_count, int(starts[-1]))]]).astype(np.int64)
    number = shot_numbers(frames, cuts=cuts)
    return starts[number], stops[number]


def run_numbers(rows: pd.DataFrame, *, cuts: ArrayLike = ()) -> IntArray:
    """Return the number of each row's run: rows of one face in consecutive frames of one shot.

    Parameters
    ----------
    rows : DataFrame
        Detections in order of face and frame.
    cuts : array_like of int
        As of `shot_numbers`.

    Returns
    -------
    ndarray of shape (N,), int64

    Examples
    --------
    >>> run_numbers(pd.DataFrame({"frame": [0, 1, 3, 4], "face_id": [1, 1, 1, 2]})).tolist()
    [0, 0, 1, 2]
    """
    frame, face = rows["frame"].to_numpy(), rows["face_id"].to_numpy()
    same = (np.diff(frame) == 1) & (np.diff(face) == 0) & (np.diff(shot_numbers(frame, cuts=cuts)) == 0)
    return np.cumsum(np.concatenate([[0], ~same])[: len(rows)]).astype(np.int64)


def _sorted_cuts(cuts: ArrayLike) -> IntArray:
    array = np.asarray(cuts)
    if array.ndim != 1:
        raise OptionError(f"cuts must be a list of frame numbers, got an array of shape {array.shape}")
    if len(array) and not np.issubdtype(array.dtype, np.integer):
        raise OptionError(f"cuts must be whole frame numbers, got dtype {array.dtype}; pass frames, not seconds")
    kept = np.unique(array.astype(np.int64))
    return kept[kept > 0]
