"""Smooth boxes over time without shrinking any: each smoothed box still covers the box it came from.

Each edge is averaged with a triangular window. Where the mean lies inside the original edge, it is pushed outwards by
a smoothed upper envelope of what is missing. A morphological closing of the sides comes first, so that short dips in
size disappear.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import hull
from redactkit.errors import OptionError
from redactkit.tables import BOX
from redactkit.tracking.shots import run_numbers

__all__ = ["smooth"]

DOUBTFUL_CONFIDENCE = 0.3
"""Confidence below which a box also covers the way between the surer ones around it. Raising it makes boxes larger."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def smooth(detections: pd.DataFrame, *, cuts: ArrayLike = (), reach: int = 2, dip: int = 0) -> pd.DataFrame:
    """Smooth every track's boxes over time.

    Each edge becomes a centred, weighted mean over ``2 * reach + 1`` frames, and is then pushed outwards, also
    smoothly, until it covers the edge it came from. Nothing is carried over frames without a box, nor over a shot
    boundary.

    A box that is smaller for a while than before and after keeps its size, about its centre: something passed in front
    of the face. So does one that shrinks just before its track ends, or starts small: the face is being occluded. For
    as long, boxes with a confidence below `DOUBTFUL_CONFIDENCE` also cover the straight line between the surer ones
    before and after: they may lie aside of the face, or on a part of it.

    Parameters
    ----------
    detections : DataFrame
    cuts : array_like of int
        Frames that start a new shot.
    reach : int
        Frames averaged on each side; 0 changes nothing. Raising it makes boxes steadier and larger.
    dip : int
        Half of the longest dip in size or confidence, in frames, that is filled. Raising it makes boxes larger.

    Returns
    -------
    DataFrame
        The same rows in the same order; every box covers the one it had. Boxes with source ``"manual"`` are as
        a person drew them and stay.

    Raises
    ------
    OptionError
        If ``reach`` or ``dip`` is negative.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = {"frame": [0, 1, 2], "face_id": 1, "x": [10, 14, 10], "y": 0, "width": 20, "height": 20}
    >>> smooth(as_detections(rows), reach=1)["x"].round(1).tolist()
    [10.0, 12.0, 10.0]
    """
    if min(reach, dip) < 0:
        raise OptionError(f"reach and dip must be 0 or more frames, got {reach} and {dip}")
    order = np.lexsort((detections["frame"].to_numpy(), detections["face_id"].to_numpy()))
    rows = detections.iloc[order]
    run = run_numbers(rows, cuts=cuts)
    doubtful = (rows["confidence"] < DOUBTFUL_CONFIDENCE).to_numpy()
    boxes = _fill_dips(rows[BOX].to_numpy(), run, dip)
    boxes = _cover_line(boxes, run, doubtful, longest=2 * dip)
    # Right and bottom edges are negated, so that outwards is towards smaller values for all four edges.
    edges = np.hstack([boxes[:, :2], -(boxes[:, :2] + boxes[:, 2:])])
    edges = _covering_mean(edges, run, reach)
    result = np.empty_like(boxes)
    result[order] = np.hstack([edges[:, :2], -edges[:, 2:] - edges[:, :2]])
    drawn = (detections["source"] == "manual").to_numpy()
    result[drawn] = detections.loc[drawn, BOX].to_numpy()
    return detections.assign(**{name: result[:, column] for column, name in enumerate(BOX)})


def _cover_line(boxes: FloatArray, run: IntArray, doubtful: NDArray[np.bool_], *, longest: int) -> FloatArray:
    """Enlarge doubtful boxes to cover also the straight line between the surer ones of their run before and after.

    ``longest`` is the most doubtful boxes between two of these.
    """
    rows, surer = np.flatnonzero(doubtful), np.flatnonzero(~doubtful)
    after = np.searchsorted(surer, rows)
    between = (after > 0) & (after < len(surer))
    rows, first, last = rows[between], surer[after[between] - 1], surer[after[between]]
    # Frames of a run follow each other.
    near = (run[first] == run[last]) & (last - first <= longest + 1)
    rows, first, last = rows[near], first[near], last[near]
    share = ((rows - first) / (last - first))[:, None]
    covered = boxes.copy()
    covered[rows] = hull(boxes[rows], boxes[first] * (1 - share) + boxes[last] * share)
    return covered


def _fill_dips(boxes: FloatArray, run: IntArray, dip: int) -> FloatArray:
    """Fill dips in the size of boxes by a morphological closing of their sides, about their centres."""
    # Closing is dilation (a windowed maximum), then erosion (a windowed minimum: the maximum of the negated values).
    dilated = _windowed_max(boxes[:, 2:], run, dip)
    top = dilated.max(initial=0) + 1
    sides = top - _windowed_max(top - dilated, run, dip)
    return np.hstack([boxes[:, :2] - (sides - boxes[:, 2:]) / 2, sides])


def _covering_mean(edges: FloatArray, run: IntArray, reach: int) -> FloatArray:
    """Smooth edges, shape (N, 4), whose outward direction is down, never above the edge itself."""
    weights = 1.0 + reach - np.abs(np.arange(-reach, reach + 1))
    mean = _windowed_mean(edges, run, weights)
    # By how much the mean lies inside the edge; its maximum over the window is an envelope that may be smoothed.
    excess = np.clip(mean - edges, 0, None)
    envelope = _windowed_max(excess, run, reach)
    return np.minimum(mean - _windowed_mean(envelope, run, weights), edges)


def _windowed_mean(values: FloatArray, run: IntArray, weights: FloatArray) -> FloatArray:
    """Return the weighted mean over a window that shrinks, evenly on both sides, at the ends of a run."""
    reach = len(weights) // 2
    before, after = _run_neighbours(run)
    room = np.minimum(np.minimum(before, after), reach)
    total, norm = np.zeros_like(values), np.zeros(len(values))
    index = np.arange(len(values))
    for shift, weight in zip(range(-reach, reach + 1), weights, strict=True):
        share = np.where(abs(shift) <= room, weight, 0.0)
        total += share[:, None] * values[np.clip(index + shift, 0, len(values) - 1)]
        norm += share
    return total / norm[:, None]


def _windowed_max(values: FloatArray, run: IntArray, reach: int) -> FloatArray:
    """Return the maximum of values of 0 or more, shape (N, K), over a window cut off at the ends of its run."""
    if not len(run):
        return values
    # With ``reach`` zeros around runs one filter serves them all: no window sees values of another run.
    positions = np.arange(len(values)) + run * reach
    widest = np.zeros((len(values) + (int(run[-1]) + 2) * reach, values.shape[1]))
    widest[positions + reach] = values
    # Maxima of two neighbouring windows make that of one twice as long; SciPy's filter takes 0.3 s to import.
    length = 1
    while 2 * length <= 2 * reach + 1:
        widest = np.maximum(widest[:-length], widest[length:])
        length *= 2
    return np.asarray(np.maximum(widest[positions], widest[positions + 2 * reach + 1 - length]))


def _run_neighbours(run: IntArray) -> tuple[IntArray, IntArray]:
    """Return how many rows of its run lie before and after each row."""
    _, first, counts = np.unique(run, return_index=True, return_counts=True)
    before = np.arange(len(run)) - np.repeat(first, counts)
    return before, np.repeat(counts, counts) - 1 - before
