"""Calm boxes that never shrink: smoothed over time, yet each still covers the box it came from."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import maximum_filter1d

from redactkit.errors import OptionError
from redactkit.tables import BOX
from redactkit.tracking.shots import stretch_numbers

__all__ = ["smooth"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def smooth(detections: pd.DataFrame, *, cuts: ArrayLike = (), reach: int = 2, dip: int = 0) -> pd.DataFrame:
    """Smooth every track's boxes over time.

    Each edge becomes a centred, weighted mean over ``2 * reach + 1`` frames, then is pushed outwards, itself
    smoothly, until it covers the edge it came from. Over frames without a box nothing is carried, nor over a cut.
    A box that is smaller for a while than on both sides of it keeps its size, about its middle: something passed
    before the face. So does one that gets smaller just before its track ends, or is at first: the face goes behind
    something, or comes out.

    Parameters
    ----------
    detections : DataFrame
    cuts : array_like of int
        Frames that start a new shot.
    reach : int
        Frames to look at on each side; 0 leaves all as it is.
    dip : int
        Half of the most frames for which a box may be smaller than before and after.

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
    run = stretch_numbers(rows, cuts=cuts)
    boxes = _whole(rows[BOX].to_numpy(), run, dip)
    # Negated, the far edges grow outwards downwards like the near ones, so that one rule serves all four.
    edges = np.hstack([boxes[:, :2], -(boxes[:, :2] + boxes[:, 2:])])
    edges = _covering_mean(edges, run, reach)
    result = np.empty_like(boxes)
    result[order] = np.hstack([edges[:, :2], -edges[:, 2:] - edges[:, :2]])
    drawn = (detections["source"] == "manual").to_numpy()
    result[drawn] = detections.loc[drawn, BOX].to_numpy()
    return detections.assign(**{name: result[:, column] for column, name in enumerate(BOX)})


def _whole(boxes: FloatArray, run: IntArray, dip: int) -> FloatArray:
    """Grow boxes about their middles to the size they have on both sides: the morphological closing of their sides."""
    spread = _windowed_max(boxes[:, 2:], run, dip)
    top = spread.max(initial=0) + 1
    sides = top - _windowed_max(top - spread, run, dip)
    return np.hstack([boxes[:, :2] - (sides - boxes[:, 2:]) / 2, sides])


def _covering_mean(edges: FloatArray, run: IntArray, reach: int) -> FloatArray:
    """Smooth edges (N, 4) whose outward side is down, never above the edge itself."""
    weights = 1.0 + reach - np.abs(np.arange(-reach, reach + 1))
    calm = _windowed_mean(edges, run, weights)
    excess = np.clip(calm - edges, 0, None)
    envelope = _windowed_max(excess, run, reach)
    return np.minimum(calm - _windowed_mean(envelope, run, weights), edges)


def _windowed_mean(values: FloatArray, run: IntArray, weights: FloatArray) -> FloatArray:
    """Weighted mean over a window that shrinks, evenly on both sides, at the ends of a run."""
    reach = len(weights) // 2
    place, left = _places(run)
    room = np.minimum(np.minimum(place, left), reach)
    total, norm = np.zeros_like(values), np.zeros(len(values))
    index = np.arange(len(values))
    for shift, weight in zip(range(-reach, reach + 1), weights, strict=True):
        share = np.where(abs(shift) <= room, weight, 0.0)
        total += share[:, None] * values[np.clip(index + shift, 0, len(values) - 1)]
        norm += share
    return total / norm[:, None]


def _windowed_max(values: FloatArray, run: IntArray, reach: int) -> FloatArray:
    """Maximum of values (N, 4), all 0 or more, over a window cut off at the ends of its run."""
    padding = np.arange(len(values)) + run * reach
    spread = np.zeros((len(values) + (int(run[-1]) if len(run) else 0) * reach, values.shape[1]))
    spread[padding] = values
    return np.asarray(maximum_filter1d(spread, 2 * reach + 1, axis=0, mode="constant"))[padding] if len(run) else values


def _places(run: IntArray) -> tuple[IntArray, IntArray]:
    """Return how many rows of its run lie before and after each row."""
    _, first, counts = np.unique(run, return_index=True, return_counts=True)
    place = np.arange(len(run)) - np.repeat(first, counts)
    return place, np.repeat(counts, counts) - 1 - place
