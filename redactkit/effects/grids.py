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

import numpy as np
from numpy.typing import NDArray

from redactkit.effects.layout import Plane
from redactkit.effects.regions import Region

__all__ = ["Cells", "grid_shape", "paint_cells", "sample_cells"]

Cells = NDArray[np.float32]
"""Values of shape (rows, columns) in the plane's own numbers, one per cell."""

_SMALLEST_CELL = 4.0


def grid_shape(box: tuple[float, float, float, float], cells: float) -> tuple[int, int]:
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
    cell = max(size, _SMALLEST_CELL)
    return max(1, round(box[3] / cell)), max(1, round(box[2] / cell))


def sample_cells(plane: Plane, region: Region, *, shape: tuple[int, int], shift: tuple[int, int], look: str) -> Cells:
    """Return the cells of ``region`` in ``plane``.

    Parameters
    ----------
    plane : ndarray of shape (H, W)
    region : Region
    shape : tuple of int
        Rows and columns of cells.
    shift : tuple of int
        Base-2 logarithm of the plane's subsampling, across and down.
    look : str
        ``linear`` takes each cell from its next neighbours' middle to middle, all else wider.
    """
    rows, columns = region.slices(*shift)
    down, across = _bases(region, shape, shift, "linear" if look == "linear" else "smooth")
    pixels = plane[rows, columns].astype(np.float32)
    weight = np.outer(down.sum(axis=0), across.sum(axis=0))
    total = down.T @ pixels @ across
    mean = np.float32(pixels.mean())
    return np.where(weight > 1e-6, total / np.maximum(weight, 1e-6), mean).astype(np.float32)


def paint_cells(plane: Plane, region: Region, cells: Cells, *, shift: tuple[int, int], look: str) -> None:
    """Paint ``cells`` over ``region`` in ``plane``, in place."""
    rows, columns = region.slices(*shift)
    height, width = cells.shape
    down, across = _bases(region, (height, width), shift, look)
    half = np.float32(0.5)
    np.copyto(plane[rows, columns], (down @ (cells + half)) @ across.T, casting="unsafe")


def _bases(region: Region, shape: tuple[int, int], shift: tuple[int, int], look: str) -> tuple[Cells, Cells]:
    """Return how much each cell counts in each pixel row and in each pixel column."""
    rows, columns = region.slices(*shift)
    x, y, width, height = region.box
    return (
        _basis(rows, 1 << shift[1], origin=y, size=height, cells=shape[0], look=look),
        _basis(columns, 1 << shift[0], origin=x, size=width, cells=shape[1], look=look),
    )


def _basis(pixels: slice, step: int, *, origin: float, size: float, cells: int, look: str) -> Cells:
    """Return the weights, shape (pixels, cells), of cells along one side of a box; each row sums to 1."""
    middle = (np.arange(pixels.start, pixels.stop, dtype=np.float32) + np.float32(0.5)) * step
    place = np.clip((middle - origin) * (cells / max(size, 1e-6)), 0, cells) - 0.5
    if look == "blocks":
        nearest = np.clip(np.floor(place + 0.5), 0, cells - 1)
        return np.asarray(nearest[:, None] == np.arange(cells), dtype=np.float32)
    distance = np.abs(place[:, None] - np.arange(-2, cells + 2))
    weights = _hat(distance) if look == "linear" else _spline(distance)
    weights[:, 2] += weights[:, :2].sum(axis=1)
    weights[:, -3] += weights[:, -2:].sum(axis=1)
    return np.asarray(weights[:, 2:-2], dtype=np.float32)


def _hat(distance: Cells) -> Cells:
    return np.asarray(np.maximum(0, 1 - distance), dtype=np.float32)


def _spline(distance: Cells) -> Cells:
    """Cubic B-spline of distances in cells."""
    near = 2 / 3 - distance**2 * (1 - distance / 2)
    far = np.maximum(0, 2 - distance) ** 3 / 6
    return np.asarray(np.where(distance < 1, near, far), dtype=np.float32)
