"""Estimate the motion that all faces of a shot share, as when the camera pans; it is subtracted before linking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from redactkit.tracking.motion import FloatArray, IntArray, Rows, chains

__all__ = ["common_path", "steadied"]

WINDOW_SECONDS = 0.2
"""Seconds on each side over which velocities are pooled. Raising it is less noisy, and lags behind a jerking camera."""
SPREAD_WEIGHT = 4.0
"""Weight of the faces' disagreement against their common speed. Raising it takes less motion for the camera's."""


def steadied(rows: Rows, links: IntArray) -> Rows:
    """Return ``rows`` without the faces' common motion, as a camera would see them that moves along with it.

    Parameters
    ----------
    rows : Rows
        Of one shot, in order of frame.
    links : ndarray of shape (N,)
        For each row the next row of the same face, or -1.
    """
    return replace(rows, center=rows.center - common_path(rows, links))


def common_path(rows: Rows, links: IntArray) -> FloatArray:
    """Return the path of the common motion up to each row, shape (N, 2) in pixels; 0 while there is none.

    The common velocity of a moment is the median of the faces' velocities, shrunk by how much they disagree: two people
    who walk towards each other share none, a crowd that slides by shares all. It takes three faces at least.
    """
    # The velocity of every link, at the middle of its time.
    source = np.flatnonzero(links >= 0)
    target = links[source]
    speed = (rows.center[target] - rows.center[source]) / (rows.seconds[target] - rows.seconds[source])[:, None]
    middle = (rows.seconds[target] + rows.seconds[source]) / 2
    order = np.argsort(middle, kind="stable")
    # For each moment, the links within the window around it.
    moments, where = np.unique(rows.seconds, return_inverse=True)
    low = np.searchsorted(middle[order], moments - WINDOW_SECONDS)
    high = np.searchsorted(middle[order], moments + WINDOW_SECONDS)
    face, speed = chains(links)[source][order], speed[order]
    common = np.array([_consensus(face[a:b], speed[a:b]) for a, b in zip(low, high, strict=True)]).reshape(-1, 2)
    # The path is the integral of the common velocity, by trapezoids.
    between = (common[1:] + common[:-1]) / 2 * np.diff(moments)[:, None]
    return np.concatenate([np.zeros((1, 2)), np.cumsum(between, axis=0)])[where]


def _consensus(face: IntArray, speed: FloatArray) -> FloatArray:
    """Shrink the faces' median velocity by how little they agree on it."""
    faces, member, links = np.unique(face, return_inverse=True, return_counts=True)
    if len(faces) < 3:
        return np.zeros(2)
    each = np.stack([np.bincount(member, axis) for axis in speed.T], axis=1) / links[:, None]
    middle = _median(each)
    apart = _median(np.abs(each - middle).max(axis=1))
    strength = float(middle @ middle)
    return np.asarray(middle * strength / (strength + SPREAD_WEIGHT * apart**2 + 1e-9))


def _median(values: FloatArray) -> FloatArray:
    """Return the median along the first axis: of few values, ten times as quick as NumPy's, which looks for NaN."""
    ranked, half = np.sort(values, axis=0), len(values) // 2
    return np.asarray((ranked[half] + ranked[(len(values) - 1) // 2]) / 2)
