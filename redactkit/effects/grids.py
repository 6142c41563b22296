"""Planes to cells and cells to planes: the bounded information that a hiding kind keeps of a box.

A box is described by a few cells along each side, whatever its size in pixels. Cells are taken with
the cubic B-spline as weight, four cells wide, and not with the mean of each cell's own pixels: the
spline passes almost nothing finer than the grid (its spectrum is sinc^4), so that a grid that moves
against the face by parts of a cell, from window to window, tells next to nothing new.

References
----------
M. Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Processing Magazine, 1999.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.effects.layout import Plane
from redactkit.effects.regions import Region

__all__ = [
    "Cells",
    "cells_at_nodes",
    "grid_shape",
    "paint_blocks",
    "paint_fine",
    "refine_nodes",
    "sample_cells",
    "soften",
]

Cells = NDArray[np.float32]
"""Values of shape (rows, columns) in the plane's own numbers, one per cell."""

Box = tuple[float, float, float, float]

_MIN_CELL_PIXELS = 4.0
_FINE_CELLS = 48


def grid_shape(box: Box, cells: float) -> tuple[int, int]:
    """Return rows and columns of square cells, ``cells`` of them along the longer side of ``box``.

    A cell is never smaller than 4 pixels.

    Examples
    --------
    >>> grid_shape((0, 0, 50, 100), 6)
    (6, 3)
    >>> grid_shape((0, 0, 8, 8), 6)
    (2, 2)
    """
    size = max(box[2], box[3]) / cells
    cell = max(size, _MIN_CELL_PIXELS)
    return max(1, round(box[3] / cell)), max(1, round(box[2] / cell))


def sample_cells(plane: Plane, region: Region, *, shape: tuple[int, int], shift: tuple[int, int]) -> Cells:
    """Return the cells of ``region`` in ``plane``.

    Parameters
    ----------
    plane : ndarray of shape (H, W)
    region : Region
    shape : tuple of int
        Rows and columns of cells.
    shift : tuple of int
        Base-2 logarithm of the plane's subsampling, across and down.
    """
    pixels = _shrink(plane[region.slices(*shift)], (_FINE_CELLS, _FINE_CELLS)).astype(np.float32)
    down, across = _visible_weights(region, pixels.shape, shape)
    weight = np.outer(down.sum(axis=0), across.sum(axis=0))
    total = down.T @ pixels @ across
    return np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), pixels.mean()).astype(np.float32)


def soften(plane: Plane, region: Region, *, shape: tuple[int, int], shift: tuple[int, int]) -> None:
    """Average ``region`` over (rows, columns) cells and stretch them over it again, in place."""
    rows, columns = region.slices(*shift)
    small = _shrink(plane[rows, columns], shape)
    plane[rows, columns] = _stretch(small, rows, columns)


def paint_blocks(plane: Plane, region: Region, cells: Cells, *, shift: tuple[int, int]) -> None:
    """Paint the cells of the box of ``region`` over it in ``plane`` as blocks, in place."""
    rows, columns = region.slices(*shift)
    x, y, width, height = region.box
    values = (cells + np.float32(0.5)).astype(plane.dtype)
    down = _nearest(_middles(rows, 1 << shift[1]), origin=y, size=height, cells=cells.shape[0])
    across = _nearest(_middles(columns, 1 << shift[0]), origin=x, size=width, cells=cells.shape[1])
    plane[rows, columns] = values[:, across][down]


def refine_nodes(nodes: Cells, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return smooth values between nodes, shape (..., N, N), as many as are stretched over a box."""
    weights = _node_weights(nodes.shape[-1])
    return np.asarray((weights @ (nodes + np.float32(0.5)) @ weights.T).astype(dtype))


def paint_fine(plane: Plane, region: Region, fine: Plane, *, shift: tuple[int, int]) -> None:
    """Paint the values of `refine_nodes` over the visible part of ``region`` in ``plane``, in place."""
    rows, columns = region.slices(*shift)
    plane[rows, columns] = _stretch(fine, rows, columns)


def cells_at_nodes(cells: Cells, region: Region, *, nodes: int) -> Cells:
    """Return smooth ``cells`` of the box at the middles of (nodes, nodes) parts of its visible part."""
    if cells.size == 1:
        return np.full((nodes, nodes), cells.item(), np.float32)
    down, across = _visible_weights(region, (nodes, nodes), (cells.shape[0], cells.shape[1]))
    return np.asarray(down @ cells @ across.T, dtype=np.float32)


def _shrink(pixels: Plane, shape: tuple[int, int]) -> Plane:
    """Return the means of at most ``shape`` equal parts of ``pixels``."""
    import cv2  # costs a tenth of a second to import

    height, width = pixels.shape
    size = (min(width, shape[1]), min(height, shape[0]))
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)).reshape(size[::-1])


def _stretch(values: Plane, rows: slice, columns: slice) -> Plane:
    """Return ``values`` stretched linearly over the pixels of ``rows`` and ``columns``."""
    import cv2

    size = (columns.stop - columns.start, rows.stop - rows.start)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)).reshape(size[::-1])


def _visible_weights(region: Region, parts: tuple[int, ...], shape: tuple[int, int]) -> tuple[Cells, Cells]:
    """Return how much each cell of the box counts in each of (rows, columns) equal parts of what is visible."""
    x, y, width, height = region.box
    left, top, across, down = region.visible
    tall = _part_weights(parts[0], shape[0], *_in_sixtyfourths(top, down, origin=y, size=height))
    wide = _part_weights(parts[1], shape[1], *_in_sixtyfourths(left, across, origin=x, size=width))
    return tall, wide


def _in_sixtyfourths(first: float, length: float, *, origin: float, size: float) -> tuple[int, int]:
    """Return where a stretch lies along a side of a box, in 64ths of the side: few, so that they can be kept."""
    scale = 64 / max(size, 1e-6)
    return round((first - origin) * scale), round((first + length - origin) * scale)


@lru_cache(maxsize=512)
def _part_weights(parts: int, cells: int, first: int, last: int) -> Cells:
    """Return how much each of ``cells`` counts in each of ``parts`` between two 64ths of a side."""
    places = first + _shares(parts) * np.float32(last - first)
    return _weights(places, origin=0, size=64, cells=cells)


def _shares(parts: int) -> Cells:
    return np.asarray((np.arange(parts) + 0.5) / parts, dtype=np.float32)


def _middles(pixels: slice, step: int) -> Cells:
    return np.asarray((np.arange(pixels.start, pixels.stop) + 0.5) * step, dtype=np.float32)


def _in_cells(places: Cells, *, origin: float, size: float, cells: int) -> Cells:
    """Return places along one side of a box counted in cells, 0 to ``cells``."""
    inside = (places - np.float32(origin)) * np.float32(cells / max(size, 1e-6))
    return np.asarray(np.clip(inside, 0, cells))


def _nearest(places: Cells, *, origin: float, size: float, cells: int) -> NDArray[np.intp]:
    inside = _in_cells(places, origin=origin, size=size, cells=cells)
    return np.minimum(inside.astype(np.intp), cells - 1)


def _weights(places: Cells, *, origin: float, size: float, cells: int) -> Cells:
    """Return how much each cell along one side of a box counts at each place, shape (N, cells); rows sum to 1."""
    middles = np.arange(-1.5, cells + 2, dtype=np.float32)
    inside = _in_cells(places, origin=origin, size=size, cells=cells)
    weights = _spline(np.abs(inside[:, None] - middles))
    weights[:, 2] += weights[:, :2].sum(axis=1)
    weights[:, -3] += weights[:, -2:].sum(axis=1)
    return np.asarray(weights[:, 2:-2], dtype=np.float32)


@lru_cache(maxsize=4)
def _node_weights(nodes: int) -> Cells:
    """Return how much each node counts at each of the fine values that are stretched over a box."""
    return _weights(_shares(_FINE_CELLS), origin=0, size=1, cells=nodes)


def _spline(distance: Cells) -> Cells:
    """Cubic B-spline of distances in cells."""
    near = 2 / 3 - distance**2 * (1 - distance / 2)
    far = np.maximum(0, 2 - distance) ** 3 / 6
    return np.asarray(np.where(distance < 1, near, far), dtype=np.float32)
