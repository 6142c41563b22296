"""Fill a box from the pixels around it: a smooth membrane stretched over its rim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from redactkit.effects.grids import Cells
from redactkit.effects.layout import Plane
from redactkit.effects.regions import Region

__all__ = ["NODES", "membrane"]

NODES = 12
"""Nodes of the membrane along each side of a box."""

_RIM_SHARE = 0.04


def membrane(plane: Plane, region: Region, *, others: Sequence[Region], shift: tuple[int, int], empty: float) -> Cells:
    """Return a grid of (NODES, NODES) values made only from pixels outside every region.

    The outermost nodes are means over the rim around the box, the inner ones solve Laplace's
    equation, so that every value lies between those of the rim.

    Parameters
    ----------
    plane : ndarray of shape (H, W)
    region : Region
        The box to fill.
    others : sequence of Region
        All redacted boxes of the frame; their pixels are never used.
    shift : tuple of int
        Base-2 logarithm of the plane's subsampling, across and down.
    empty : float
        What to return where no pixel of the rim may be used.
    """
    border = _border_values(plane, region, others, shift)
    known = np.isfinite(border)
    if not known.any():
        return np.full((NODES, NODES), empty, dtype=np.float32)
    places = np.arange(len(border))
    border = np.interp(places, places[known], border[known], period=len(border))
    return (_membrane_weights() @ border.astype(np.float32)).reshape(NODES, NODES)


def _border_values(
    plane: Plane, region: Region, others: Sequence[Region], shift: tuple[int, int]
) -> NDArray[np.float64]:
    """Return the mean of the rim near each border node, clockwise from the top left, NaN where there is none."""
    rows, columns = region.slices(*shift)
    rim_y = max(2, round((rows.stop - rows.start) * _RIM_SHARE))
    rim_x = max(2, round((columns.stop - columns.start) * _RIM_SHARE))
    top = _strip(plane, slice(rows.start - rim_y, rows.start), columns, others, shift)
    bottom = _strip(plane, slice(rows.stop, rows.stop + rim_y), columns, others, shift)
    left = _strip(plane.T, slice(columns.start - rim_x, columns.start), rows, others, shift, turned=True)
    right = _strip(plane.T, slice(columns.stop, columns.stop + rim_x), rows, others, shift, turned=True)
    sides = np.stack([top, right, bottom[::-1], left[::-1]])
    corners = _mean_of_known(sides[:, 0], np.roll(sides[:, -1], 1))
    sides[:, 0] = corners
    return sides[:, :-1].ravel()


def _mean_of_known(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(first), second, np.where(np.isnan(second), first, (first + second) / 2))


def _strip(
    plane: Plane,
    across: slice,
    along: slice,
    others: Sequence[Region],
    shift: tuple[int, int],
    *,
    turned: bool = False,
) -> NDArray[np.float64]:
    """Return NODES means along one strip of the rim, NaN where all its pixels are redacted or outside."""
    across = slice(max(0, across.start), min(plane.shape[0], across.stop))
    pixels = plane[across, along].astype(np.float64)
    allowed = np.ones(pixels.shape)
    for other in others:
        rows, columns = other.slices(*shift)
        rows, columns = (columns, rows) if turned else (rows, columns)
        allowed[_within(rows, across), _within(columns, along)] = 0
    weights = _node_weights(pixels.shape[1])
    count = weights @ allowed.sum(axis=0)
    total = weights @ (pixels * allowed).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(NODES, np.nan), where=count > 1e-6))


def _within(part: slice, whole: slice) -> slice:
    """Return ``part`` counted from the start of ``whole``, cut to it."""
    size = max(0, whole.stop - whole.start)
    return slice(min(max(0, part.start - whole.start), size), min(max(0, part.stop - whole.start), size))


def _node_weights(pixels: int) -> NDArray[np.float64]:
    """Return how much each pixel along a side counts for each node, shape (NODES, pixels)."""
    place = (np.arange(pixels) + 0.5) * ((NODES - 1) / pixels)
    reach = max(1.0, (NODES - 1) / pixels)
    return np.asarray(np.maximum(0, 1 - np.abs(place - np.arange(NODES)[:, None]) / reach))


@lru_cache(maxsize=1)
def _membrane_weights() -> NDArray[np.float32]:
    """Return the matrix from border values to all nodes: the discrete Laplace equation, solved once."""
    border = _border_nodes()
    system = np.zeros((NODES * NODES, NODES * NODES))
    source = np.zeros((NODES * NODES, len(border)))
    for node in range(NODES * NODES):
        if node in border:
            system[node, node] = source[node, border.index(node)] = 1
        else:
            system[node, node] = 4
            system[node, [node - 1, node + 1, node - NODES, node + NODES]] = -1
    return np.asarray(np.linalg.solve(system, source), dtype=np.float32)


def _border_nodes() -> list[int]:
    """Return the border's node numbers, clockwise from the top left."""
    grid = np.arange(NODES * NODES).reshape(NODES, NODES)
    sides = [grid[0, :-1], grid[:-1, -1], grid[-1, :0:-1], grid[:0:-1, 0]]
    return [int(node) for side in sides for node in side]
