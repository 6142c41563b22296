"""Gaps, the frames of a track without a box: interpolate the short ones, list the long ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.errors import OptionError
from redactkit.tables import BOX, CARRIED, as_detections, sort_detections
from redactkit.tracking.shots import frame_times, shot_numbers

__all__ = ["fill_gaps", "long_gaps"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

FILLED_CONFIDENCE_FACTOR = 0.8
"""Confidence of an interpolated box, in shares of the lower one of its gap's two ends."""


def fill_gaps(detections: pd.DataFrame, *, times: ArrayLike, cuts: ArrayLike, longest: int) -> pd.DataFrame:
    """Interpolate the boxes of short gaps in tracks, linearly in time.

    Parameters
    ----------
    detections : DataFrame
    times : array_like of shape (F,)
        Time of every frame of the clip in seconds.
    cuts : array_like of int
        Frames that start a new shot; a gap with a cut in it stays.
    longest : int
        Longest gap in frames that is filled. Raising it covers more, also where no face is. Longer gaps stay;
        `long_gaps` lists them.

    Returns
    -------
    DataFrame
        In table order, the new rows with source ``"interpolated"`` and 0.8 of the lower confidence of the gap's ends.

    Raises
    ------
    OptionError
        If ``times`` ends before the last row's frame, or ``longest`` is negative.

    Examples
    --------
    >>> rows = {"frame": [0, 2], "face_id": 1, "x": [0, 8], "y": 0, "width": 5, "height": 5}
    >>> fill_gaps(as_detections(rows), times=[0, 0.1, 0.2], cuts=[], longest=5)["x"].tolist()
    [0.0, 4.0, 8.0]
    """
    clock = frame_times(detections, times)
    if longest < 0:
        raise OptionError(f"longest must be 0 or more frames, got {longest}")
    rows = _by_face(detections)
    first, missing = _gaps(rows, cuts)
    short = missing <= longest
    return sort_detections(pd.concat([rows, _interpolated(rows, first[short], missing[short], clock)]))


def long_gaps(detections: pd.DataFrame, *, longest: int = 0, cuts: ArrayLike = ()) -> pd.DataFrame:
    """List the gaps in tracks that are longer than ``longest`` frames.

    Returns
    -------
    DataFrame
        Columns ``face_id``, ``first_frame`` and ``last_frame`` (the first and last frame without a box), ``frames``;
        the longest first.

    Examples
    --------
    >>> rows = {"frame": [0, 9], "face_id": 1, "x": 0, "y": 0, "width": 5, "height": 5}
    >>> long_gaps(as_detections(rows)).iloc[0].to_dict()
    {'face_id': 1, 'first_frame': 1, 'last_frame': 8, 'frames': 8}
    """
    rows = _by_face(detections)
    first, missing = _gaps(rows, cuts)
    first, missing = first[missing > longest], missing[missing > longest]
    start = rows["frame"].to_numpy()[first] + 1
    table = pd.DataFrame(
        {
            "face_id": rows["face_id"].to_numpy()[first],
            "first_frame": start,
            "last_frame": start + missing - 1,
            "frames": missing,
        }
    ).astype("int64")
    return table.sort_values(["frames", "first_frame", "face_id"], ascending=[False, True, True], ignore_index=True)


def _by_face(detections: pd.DataFrame) -> pd.DataFrame:
    return detections.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)


def _gaps(rows: pd.DataFrame, cuts: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return the row before each gap and the number of frames missing."""
    frame, face = rows["frame"].to_numpy(), rows["face_id"].to_numpy()
    # Rows are in order of face and frame: a gap is a step in frames within one face and one shot.
    shot = shot_numbers(frame, cuts=cuts)
    missing = np.diff(frame) - 1
    first = np.flatnonzero((missing > 0) & (np.diff(face) == 0) & (np.diff(shot) == 0))
    return first, missing[first]


def _interpolated(rows: pd.DataFrame, first: IntArray, missing: IntArray, clock: FloatArray) -> pd.DataFrame:
    """Interpolate all gaps at once, one row for each missing frame."""
    before = np.repeat(first, missing)
    # Count 1, 2, ... within each gap.
    step = np.arange(missing.sum()) - np.repeat(np.cumsum(missing) - missing, missing) + 1
    frame, boxes, confidence = (rows[name].to_numpy() for name in ("frame", BOX, "confidence"))
    here = frame[before] + step
    span = clock[frame[before + 1]] - clock[frame[before]]
    # Linear in time, since frame rates may vary; by frame count where a gap's two times are equal.
    even = step / (frame[before + 1] - frame[before])
    share = np.where(span > 0, (clock[here] - clock[frame[before]]) / np.where(span > 0, span, 1), even)[:, None]
    between = boxes[before] * (1 - share) + boxes[before + 1] * share
    return as_detections(
        {
            "frame": here,
            "time": clock[here],
            "face_id": rows["face_id"].to_numpy()[before],
            **{name: between[:, column] for column, name in enumerate(BOX)},
            "confidence": FILLED_CONFIDENCE_FACTOR * np.minimum(confidence[before], confidence[before + 1]),
            "source": "interpolated",
            **{name: rows[name].to_numpy()[before] for name in CARRIED},
        }
    )
