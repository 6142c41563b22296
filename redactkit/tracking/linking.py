"""One ID per appearance: every box of a clip gets the face it belongs to, by motion and size alone.

Consecutive frames are linked forwards and backwards and the two must agree; the tracklets are then stitched over
gaps in several rounds, short gaps first, where the end of one and the start of the other predict each other better
than chance would have it and no rival does as well. All is measured in face sizes and in seconds, so one set of
numbers holds for near and far faces, and for detections of every frame or of a few a second. Where that leaves a
doubt the track stays split: two IDs for one face cost the analyst a click, one ID for two faces shows the wrong one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import intersections
from redactkit.errors import OptionError, TableError
from redactkit.tables import BOX, DETECTIONS
from redactkit.tracking.association import agreed_links
from redactkit.tracking.camera import steadied
from redactkit.tracking.motion import FloatArray, IntArray, Noise, Rows, chains
from redactkit.tracking.shots import shot_numbers
from redactkit.tracking.stitching import Limits, stitch

__all__ = ["LinkOptions", "link", "renumber"]

DOUBTFUL_CONFIDENCE = 0.3
"""Confidence below which a box does not occlude others. Raising it takes fewer rows for hidden."""
MIN_COVER_SHARE = 0.08
"""Share of a box from which another one on it may hide part of the face. Raising it takes fewer for hidden."""


@dataclass(frozen=True)
class LinkOptions:
    """What `link` takes for one face.

    Parameters
    ----------
    high_confidence : float
        Boxes from here on are assigned before the others.
    longest_gap : float
        Seconds without a box over which a track may be joined.
    gate : float
        Squared Mahalanobis distance between a box and a prediction beyond which they never match; lower is
        stricter (more IDs, fewer mixed ones).
    odds : float
        Twice the logarithm of the likelihood that two tracklets are two people rather than one, up to which they are
        joined; lower is stricter.
    """

    high_confidence: float = 0.5
    longest_gap: float = 2.0
    gate: float = 16.0
    odds: float = 0.0


def link(
    detections: pd.DataFrame,
    *,
    frame_rate: float,
    cuts: ArrayLike = (),
    appearance: NDArray[Any] | None = None,
    options: LinkOptions | None = None,
) -> pd.DataFrame:
    """Give every box the ID of the face it belongs to.

    Parameters
    ----------
    detections : DataFrame
        One row per box, any order; face IDs it has are not looked at. Frames may be missing, also regularly, as
        when the detector was run on every third frame.
    frame_rate : float
        Frames per second.
    cuts : array_like of int
        Frames that start a new shot; no ID spans a cut.
    appearance : ndarray of shape (N, D), optional
        A description of each row's picture, compared by direction; rows of NaN or of zeros are not compared.
    options : LinkOptions, optional

    Returns
    -------
    DataFrame
        The same rows in the same order with ``face_id`` 1 to n, in order of first appearance (left to right, then
        top to bottom, within a frame).

    Raises
    ------
    TableError
        For missing columns, boxes that are not finite or have no size, or an appearance of the wrong length.
    OptionError
        For a frame rate that is not above 0.

    References
    ----------
    Zhang et al., "ByteTrack", ECCV 2022.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> boxes = {"frame": [0, 0, 1, 1], "x": [10, 90, 92, 11], "y": 5, "width": 20, "height": 25, "confidence": 0.9}
    >>> link(as_detections({"face_id": 0, **boxes}), frame_rate=25)["face_id"].tolist()
    [1, 2, 2, 1]
    """
    options = options or LinkOptions()
    if not frame_rate > 0:
        raise OptionError(f"frame_rate must be above 0 frames per second, got {frame_rate}")
    _check_rows(detections, appearance)
    track = np.full(len(detections), -1, np.int64)
    shots = shot_numbers(detections["frame"].to_numpy(), cuts=cuts)
    for shot in np.unique(shots):
        member = np.flatnonzero(shots == shot)
        member = member[_frame_order(detections.iloc[member])]
        seen = None if appearance is None else appearance[member]
        track[member] = (
            _link_shot(detections.iloc[member], float(frame_rate), seen, options) + track.max(initial=-1) + 1
        )
    return renumber(detections.assign(face_id=track))


def renumber(detections: pd.DataFrame) -> pd.DataFrame:
    """Give faces the IDs 1 to n in order of first appearance; ties go left to right, then top to bottom.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = {"frame": [4, 2, 4], "face_id": [7, 9, 9], "x": 0, "y": 0, "width": 5, "height": 5}
    >>> renumber(as_detections(rows))["face_id"].tolist()
    [2, 1, 1]
    """
    order = _frame_order(detections)
    face = detections["face_id"].to_numpy()
    faces, first = np.unique(face[order], return_index=True)
    number = np.empty(len(faces), np.int64)
    number[np.argsort(first)] = np.arange(1, len(faces) + 1)
    return detections.assign(face_id=number[np.searchsorted(faces, face)].astype(np.int64))


def _check_rows(detections: pd.DataFrame, appearance: NDArray[Any] | None) -> None:
    missing = [name for name in DETECTIONS if name not in detections]
    if missing:
        raise TableError(f"detections lacks the columns {missing}; build it with redactkit.tables.as_detections")
    boxes = detections[BOX].to_numpy()
    bad = ~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] <= 0).any(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise TableError(
            f"row {row} (frame {detections['frame'].iloc[row]}) has a box without size or not finite: "
            f"{boxes[row].tolist()}; drop such rows before linking"
        )
    if appearance is not None and (np.ndim(appearance) != 2 or len(appearance) != len(detections)):
        raise TableError(f"appearance must have shape ({len(detections)}, D), got {np.shape(appearance)}")


def _frame_order(detections: pd.DataFrame) -> NDArray[np.intp]:
    return np.lexsort(tuple(detections[name].to_numpy() for name in ("height", "width", "y", "x", "frame")))


def _as_rows(detections: pd.DataFrame, frame_rate: float) -> Rows:
    boxes = detections[BOX].to_numpy()
    frame = detections["frame"].to_numpy()
    size = np.sqrt(boxes[:, 2] * boxes[:, 3])
    sure = ~(detections["confidence"].to_numpy() < DOUBTFUL_CONFIDENCE)
    cover = _covers(boxes, frame, sure)
    return Rows(frame, frame / frame_rate, boxes[:, :2] + boxes[:, 2:] / 2, np.log(size), size, cover)


def _covers(boxes: FloatArray, frame: IntArray, sure: NDArray[np.bool_]) -> IntArray:
    """Return for each row the sure one of the same frame that reaches furthest into its box, -1 for none."""
    cover = np.full(len(boxes), -1, np.int64)
    edges = np.flatnonzero(np.diff(frame, prepend=frame[:1] - 1, append=frame[-1:] + 1))
    for first, stop in pairwise(edges):
        if stop - first > 1:
            share = _reach(boxes[first:stop]) * sure[first:stop]
            cover[first:stop] = np.where(share.max(axis=1) > MIN_COVER_SHARE, share.argmax(axis=1) + first, -1)
    return cover


def _reach(boxes: FloatArray) -> FloatArray:
    """Return the share of each box that lies under each other one, shape (N, N)."""
    share = intersections(boxes, boxes) / np.prod(boxes[:, 2:], axis=1)[:, None]
    np.fill_diagonal(share, 0)
    return np.asarray(share)


def _link_shot(
    detections: pd.DataFrame, frame_rate: float, appearance: NDArray[Any] | None, options: LinkOptions
) -> IntArray:
    rows = _as_rows(detections, frame_rate)
    confidence = detections["confidence"].to_numpy()
    noise = Noise()
    step = _stride(rows.frame) / frame_rate
    confident = ~(confidence < options.high_confidence)
    links = agreed_links(rows, confident, noise=noise, memory=3.5 * step, gate=options.gate)
    rows = steadied(rows, links)
    limits = Limits(step=step, longest=options.longest_gap, gate=options.gate, odds=options.odds)
    return stitch(rows, chains(links), limits=limits, noise=noise, appearance=appearance)


def _stride(frame: IntArray) -> int:
    """Frames from one run of the detector to the next, as far as the table tells."""
    steps = np.diff(np.unique(frame))
    return int(np.median(steps)) if len(steps) else 1
