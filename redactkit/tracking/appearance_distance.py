"""How unlike two tracklets look, on a scale that the tracklets themselves set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.tracking.motion import FloatArray, IntArray

__all__ = ["AppearanceDistance"]

END_ROWS = 5
"""Rows of a tracklet's end whose mean appearance is compared, of those whose appearance is known.

Raising it evens out single pictures, and compares less of the moment at which the face was lost.
"""
MIN_CALIBRATION_ROWS = 12
"""Rows from which a tracklet counts for the unit. Raising it leaves fewer, longer ones."""
MIN_UNIT = 0.05
"""Least unit, since faces change more over a gap than where the detector saw them.

Raising it allows joins of faces that look less alike.
"""


class AppearanceDistance:
    """Compares tracklets by the mean appearance of their ends.

    The unit of distance is the change from a tracklet's first rows to its last ones that nine tracklets of ten stay
    below. Where no tracklet is long enough, nothing is compared.

    Parameters
    ----------
    appearance : ndarray of shape (N, D)
        Rows of NaN and rows of zeros are not known.
    tracklets : sequence of ndarray of int
        The rows of each tracklet in order of frame.
    """

    def __init__(self, appearance: NDArray[Any], tracklets: Sequence[IntArray]) -> None:
        self._known = np.isfinite(appearance).all(axis=1) & appearance.any(axis=1)
        self._position = np.cumsum(self._known) - 1
        vectors = appearance[self._known].astype(np.float32)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        long = [rows for rows in tracklets if len(rows) >= MIN_CALIBRATION_ROWS]
        change = _apart(self._means(long, slice(None, END_ROWS)), self._means(long, slice(-END_ROWS, None)))
        change = change[np.isfinite(change)]
        self._unit = max(float(np.quantile(change, 0.9)), MIN_UNIT) if len(change) else np.inf

    def between(self, tracklets: Sequence[IntArray], tails: IntArray, heads: IntArray) -> FloatArray:
        """Return squared distances, 2 at the unit, of tracklets' ends from others' starts; 0 where not known."""
        return np.nan_to_num(2 * (self.apart(tracklets, tails, heads) / self._unit) ** 2, nan=0.0)

    def apart(self, tracklets: Sequence[IntArray], tails: IntArray, heads: IntArray) -> FloatArray:
        """Return how unlike tracklets' ends are to others' starts: 0 alike, 1 in nothing; NaN where not known."""
        last, first = self._means(tracklets, slice(-END_ROWS, None)), self._means(tracklets, slice(None, END_ROWS))
        return _apart(last[tails], first[heads])

    def _means(self, tracklets: Sequence[IntArray], part: slice) -> FloatArray:
        means = np.full((len(tracklets), self._vectors.shape[1]), np.nan)
        for index, rows in enumerate(tracklets):
            known = rows[self._known[rows]][part]
            if len(known):
                means[index] = self._vectors[self._position[known]].mean(axis=0, dtype=np.float64)
        return means


def _apart(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return one less the cosine of the angle between vectors, row by row."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(1 - (a * b).sum(axis=1) / np.where(norms > 0, norms, 1))
