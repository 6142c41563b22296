"""Sample planes into cells and paint cells into planes: the bounded information that a hiding kind keeps.

A box has a fixed number of cells along its longer side, whatever its size in pixels. Cells are sampled with a cubic
B-spline, four cells wide, not with a box filter. Its spectrum, sinc^4, suppresses nearly everything finer than the
grid. So a grid that shifts by fractions of a cell from window to window reveals next to nothing new
(no super-resolution from many frames).

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
"""One value per cell, shape (rows, columns), in the plane's own units."""

Box = tuple[float, float, float, float]

_MIN_CELL_PIXELS = 4.0
"""Least side of a cell. Higher hides more of small faces."""

_FINE_VALUES = 48
"""Values along a side between sampling and painting; OpenCV scales from and to pixels. More are smoother and slower."""


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
    # Area averaging to 48 values a side first, then the B-spline as one matrix product along each axis. Pixels outside
    # the frame have no weight; a cell without any pixel gets the mean of the box.
    pixels = _shrink(plane[region.slices(*shift)], (_FINE_VALUES, _FINE_VALUES)).astype(np.float32)
    down, across = _visible_weights(region, pixels.shape, shape)
    weight = np.outer(down.sum(axis=0), across.sum(axis=0))
    total = down.T @ pixels @ across
    return np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), pixels.mean()).astype(np.float32)


def soften(plane: Plane, region: Region, *, shape: tuple[int, int], shift: tuple[int, int]) -> None:
    """Average ``region`` over (rows, columns) cells and scale them up again bilinearly, in place."""
    rows, columns = region.slices(*shift)
    small = _shrink(plane[rows, columns], shape)
    plane[rows, columns] = _stretch(small, rows, columns)


def paint_blocks(plane: Plane, region: Region, cells: Cells, *, shift: tuple[int, int]) -> None:
    """Paint cells over ``region`` as blocks (nearest neighbour), in place."""
    rows, columns = region.slices(*shift)
    x, y, width, height = region.box
    values = (cells + np.float32(0.5)).astype(plane.dtype)
    down = _nearest(_middles(rows, 1 << shift[1]), origin=y, size=height, cells=cells.shape[0])
    across = _nearest(_middles(columns, 1 << shift[0]), origin=x, size=width, cells=cells.shape[1])
    plane[rows, columns] = values[:, across][down]


def refine_nodes(nodes: Cells, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Interpolate nodes with the cubic B-spline to `_FINE_VALUES` values a side, shape (..., N, N)."""
    weights = _node_weights(nodes.shape[-1])
    return np.asarray((weights @ (nodes + np.float32(0.5)) @ weights.T).astype(dtype))


def paint_fine(plane: Plane, region: Region, fine: Plane, *, shift: tuple[int, int]) -> None:
    """Scale the values of `refine_nodes` over the visible part of ``region`` bilinearly, in place."""
    rows, columns = region.slices(*shift)
    plane[rows, columns] = _stretch(fine, rows, columns)


def cells_at_nodes(cells: Cells, region: Region, *, nodes: int) -> Cells:
    """Interpolate cells of the box at the middles of (nodes, nodes) equal parts of its visible part."""
    if cells.size == 1:
        return np.full((nodes, nodes), cells.item(), np.float32)
    down, across = _visible_weights(region, (nodes, nodes), (cells.shape[0], cells.shape[1]))
    return np.asarray(down @ cells @ across.T, dtype=np.float32)


def _shrink(pixels: Plane, shape: tuple[int, int]) -> Plane:
    """Average ``pixels`` over at most ``shape`` equal parts."""
    import cv2  # costs a tenth of a second to import

    height, width = pixels.shape
    size = (min(width, shape[1]), min(height, shape[0]))
    return np.asarray(cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)).reshape(size[::-1])


def _stretch(values: Plane, rows: slice, columns: slice) -> Plane:
    """Scale ``values`` bilinearly to the pixels of ``rows`` and ``columns``."""
    import cv2

    size = (columns.stop - columns.start, rows.stop - rows.start)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)).reshape(size[::-1])


def _visible_weights(region: Region, parts: tuple[int, ...], shape: tuple[int, int]) -> tuple[Cells, Cells]:
    """Return the weight of each cell of the box in each equal part of the visible region, for rows and for columns."""
    x, y, width, height = region.box
    left, top, across, down = region.visible
    tall = _weights_in_range(parts[0], shape[0], *_range_in_64ths(top, down, origin=y, size=height))
    wide = _weights_in_range(parts[1], shape[1], *_range_in_64ths(left, across, origin=x, size=width))
    return tall, wide


def _range_in_64ths(first: float, length: float, *, origin: float, size: float) -> tuple[int, int]:
    """Return where a range lies along a side of a box, in 64ths of the side: coarse, so that weights can be cached."""
    scale = 64 / max(size, 1e-6)
    return round((first - origin) * scale), round((first + length - origin) * scale)


@lru_cache(maxsize=512)
def _weights_in_range(parts: int, cells: int, first: int, last: int) -> Cells:
    """Return the weight of each of ``cells`` in each of ``parts`` equal parts between two 64ths of a side."""
    places = first + _middles_of_cells(parts) * np.float32(last - first)
    return _weights(places, origin=0, size=64, cells=cells)


def _middles_of_cells(parts: int) -> Cells:
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
    """Return the B-spline weight of each cell along a side at each place, shape (N, cells); rows sum to 1."""
    middles = np.arange(-1.5, cells + 2, dtype=np.float32)
    inside = _in_cells(places, origin=origin, size=size, cells=cells)
    weights = _spline(np.abs(inside[:, None] - middles))
    # Two virtual cells beyond each end repeat the end cell.
    weights[:, 2] += weights[:, :2].sum(axis=1)
    weights[:, -3] += weights[:, -2:].sum(axis=1)
    return np.asarray(weights[:, 2:-2], dtype=np.float32)


@lru_cache(maxsize=4)
def _node_weights(nodes: int) -> Cells:
    """Return the weight of each node at each of the `_FINE_VALUES` values along a side."""
    return _weights(_middles_of_cells(_FINE_VALUES), origin=0, size=1, cells=nodes)


def _spline(distance: Cells) -> Cells:
    """Return the cubic B-spline at distances in cells."""
    near = 2 / 3 - distance**2 * (1 - distance / 2)
    far = np.maximum(0, 2 - distance) ** 3 / 6
    return np.asarray(np.where(distance < 1, near, far), dtype=np.float32)
