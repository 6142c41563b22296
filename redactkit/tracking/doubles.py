"""Merge two tracks that lie on one face, as where the detector boxes a profile twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import hull, paired_intersections
from redactkit.errors import OptionError
from redactkit.tables import BOX, sort_detections
from redactkit.tracking.matching import expanded

__all__ = ["merge_doubles"]

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

MIN_IOU = 0.4
"""IoU from which two boxes of a frame lie on one face. Raising it leaves more doubles."""
MIN_SHARED_FRAMES = 0.8
"""Share of the frames of both tracks in which they must do so. Raising it leaves more doubles; people who pass each
other stay below it."""


def merge_doubles(detections: pd.DataFrame, *, least: int) -> pd.DataFrame:
    """Make one of two tracks that lie on one face whenever both are seen.

    Parameters
    ----------
    detections : DataFrame
        One row per face and frame.
    least : int
        Fewest frames in which the two must lie on one face.

    Returns
    -------
    DataFrame
        In table order. The two are called by the lower ID; where both had a box, the one box covers both.

    Raises
    ------
    OptionError
        If ``least`` is below 1.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = {"frame": [0, 0, 1, 1], "face_id": [1, 2, 1, 2], "x": [5, 6, 5, 6], "y": 0, "width": 9, "height": 9}
    >>> merge_doubles(as_detections(rows), least=2)[["face_id", "x", "width"]].to_numpy().tolist()
    [[1.0, 5.0, 10.0], [1.0, 5.0, 10.0]]
    """
    if least < 1:
        raise OptionError(f"least must be 1 or more frames, got {least}")
    rows = sort_detections(detections)
    face = _one_face(rows, least)
    return _one_box(rows.assign(face_id=face))


def _one_face(rows: pd.DataFrame, least: int) -> IntArray:
    """Return the face ID of each row once doubles are one, the longest on one face first."""
    faces, member = np.unique(rows["face_id"].to_numpy(), return_inverse=True)
    pair, shared, together = _meetings(rows, member.astype(np.int64))
    doubles = (together >= least) & (together >= MIN_SHARED_FRAMES * shared)
    # A face beside another cannot be the same one, not even by way of a third on which both lie.
    apart = {frozenset(two) for two in pair[~doubles].tolist()}
    groups = {number: {number} for number in range(len(faces))}
    for a, b in pair[doubles][np.argsort(-together[doubles], kind="stable")].tolist():
        ours, theirs = groups[a], groups[b]
        if ours is not theirs and not any(frozenset((i, j)) in apart for i in ours for j in theirs):
            ours |= theirs
            groups.update(dict.fromkeys(theirs, ours))
    lowest = np.array([min(groups[number]) for number in range(len(faces))], np.int64)
    return np.asarray(faces[lowest[member]], np.int64)


def _meetings(rows: pd.DataFrame, member: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return pairs of tracks (P, 2) that share frames, in how many, and in how many they lie on one face."""
    frame = rows["frame"].to_numpy()
    first, second = expanded(np.arange(len(rows)) + 1, np.searchsorted(frame, frame, side="right"))
    on_one = _paired_iou(rows[BOX].to_numpy(), first, second) >= MIN_IOU
    keys = np.sort(np.stack([member[first], member[second]], axis=1), axis=1)
    pair, which, shared = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    together = np.bincount(which.ravel(), on_one, minlength=len(pair))
    return pair, shared, together.astype(np.int64)


def _paired_iou(boxes: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    """Return the IoU of the boxes in rows ``first`` and ``second``, pair by pair."""
    area = np.prod(boxes[:, 2:], axis=1)
    shared = paired_intersections(boxes[first], boxes[second])
    return np.asarray(shared / (area[first] + area[second] - shared))


def _one_box(rows: pd.DataFrame) -> pd.DataFrame:
    """Give each face one box in each frame, which covers all that it had, at the highest confidence."""
    ordered = rows.sort_values(["frame", "face_id", "confidence"], ascending=[True, True, False], kind="stable")
    later = ordered.duplicated(["frame", "face_id"]).to_numpy()
    if not later.any():
        return rows
    boxes, kept = ordered[BOX].to_numpy().copy(), np.maximum.accumulate(np.where(later, -1, np.arange(len(ordered))))
    for row in np.flatnonzero(later):
        boxes[kept[row]] = hull(boxes[kept[row]][None], boxes[row][None])[0]
    return sort_detections(ordered.assign(**dict(zip(BOX, boxes.T, strict=True)))[~later])
