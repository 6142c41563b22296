"""Fill a box from the pixels around it: a smooth membrane stretched over its rim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from redactkit.effects.grids import Cells
from redactkit.effects.layout import Plane
from redactkit.effects.regions import Region

__all__ = ["NODES", "Strip", "blend_into", "find_rim", "membranes", "side_means"]

NODES = 12
"""Nodes of the membrane along each side of a box."""

_RIM_SHARE = 0.04
_LEAST = 1e-3
_PARTS = np.arange(NODES)


class Strip(NamedTuple):
    """The pixels along one side of a box, outside it.

    ``axis`` is the one across the strip, ``length`` its pixels along the other one, 0 where it lies outside the
    plane. ``allowed`` is 0 on pixels of redacted boxes, None where there are none.
    """

    rows: slice
    columns: slice
    axis: int
    length: int
    allowed: NDArray[np.float32] | None


def side_means(strips: Sequence[Strip], planes: Sequence[Plane]) -> NDArray[np.float64]:
    """Return the mean of each of NODES parts along every strip in planes of one size.

    Returns
    -------
    ndarray of shape (planes, strips, NODES)
        NaN for parts without pixels.
    """
    lengths = np.array([strip.length for strip in strips], np.int64)
    means = np.full((len(planes), len(strips), NODES), np.nan)
    shown = [strip for strip in strips if strip.length]
    if not shown:
        return means
    profiles = np.stack([np.concatenate([_profile(plane, strip) for strip in shown]) for plane in planes])
    means[:, lengths > 0] = _part_means(profiles, lengths[lengths > 0])
    cut = [number for number, strip in enumerate(strips) if strip.length and strip.allowed is not None]
    if cut:
        allowed = [_across(strip.allowed, strip.axis) for strip in strips if strip.length and strip.allowed is not None]
        share = _part_means(np.concatenate(allowed)[None], lengths[cut])
        means[:, cut] = np.where(share > _LEAST, means[:, cut] / np.maximum(share, _LEAST), np.nan)
    return means


def _profile(plane: Plane, strip: Strip) -> NDArray[np.float32]:
    """Return the mean across each pixel of a strip's length, what is not allowed counted as 0."""
    pixels = plane[strip.rows, strip.columns]
    return _across(pixels if strip.allowed is None else pixels * strip.allowed, strip.axis)


def _across(pixels: NDArray[Any], axis: int) -> NDArray[np.float32]:
    import cv2  # costs a tenth of a second to import

    return np.asarray(cv2.reduce(pixels, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32).ravel()


def _part_means(profiles: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the means of NODES equal parts of each of the stretches that follow one another in rows of values.

    A value that lies in two parts counts in both by its shares. The result has shape (rows, stretches, NODES).
    """
    sums = np.zeros((len(profiles), profiles.shape[1] + 1))
    np.cumsum(profiles, axis=1, dtype=np.float64, out=sums[:, 1:])
    ends = np.cumsum(lengths)
    edges = (ends - lengths)[:, None] + lengths[:, None] * (np.arange(NODES + 1) / NODES)
    whole = np.minimum(edges.astype(np.int64), profiles.shape[1] - 1)
    until = sums[:, whole] + (edges - whole) * profiles[:, whole]
    return np.asarray(np.diff(until, axis=2) * (NODES / lengths[:, None]))


def find_rim(
    region: Region, taken: Sequence[tuple[slice, slice]], *, shift: tuple[int, int], height: int, width: int
) -> list[Strip]:
    """Return the strips above, right of, below and left of ``region`` in a plane of the size given.

    Parameters
    ----------
    region : Region
    taken : sequence of (slice, slice)
        Rows and columns of all redacted boxes of the frame in that plane; their pixels are never used.
    shift : tuple of int
        Base-2 logarithm of the plane's subsampling, across and down.
    height, width : int
        Size of the plane.
    """
    rows, columns = region.slices(*shift)
    high, wide = _rim_width(rows), _rim_width(columns)
    around = (
        slice(max(0, rows.start - high), rows.stop + high),
        slice(max(0, columns.start - wide), columns.stop + wide),
    )
    places = [
        (slice(around[0].start, rows.start), columns, 0),
        (rows, slice(columns.stop, min(width, around[1].stop)), 1),
        (slice(rows.stop, min(height, around[0].stop)), columns, 0),
        (rows, slice(around[1].start, columns.start), 1),
    ]
    own = (rows, columns)
    near = [part for part in taken if part != own and _meet(part[0], around[0]) and _meet(part[1], around[1])]
    return [_strip(down, across, axis, near) for down, across, axis in places]


def membranes(sides: NDArray[np.float64], *, empty: NDArray[np.float64]) -> Cells:
    """Return grids of values made only from the pixels of rims.

    The outermost nodes are means over the rim, the inner ones solve Laplace's equation, so that
    every value lies between those of the rim.

    Parameters
    ----------
    sides : ndarray of shape (N, 4, NODES)
        The means of the four strips of each rim.
    empty : ndarray of shape (N,)
        What is returned where a rim has no pixels.

    Returns
    -------
    ndarray of shape (N, NODES, NODES)
    """
    clockwise = np.concatenate([sides[:, :2], sides[:, 2:, ::-1]], axis=1)
    clockwise[:, :, 0] = _mean_of_known(clockwise[:, :, 0], clockwise[:, [3, 0, 1, 2], -1])
    borders = clockwise[:, :, :-1].reshape(len(sides), 4 * (NODES - 1))
    holes = ~np.isfinite(borders).all(axis=1)
    if holes.any():
        borders[holes] = _without_holes(borders[holes], empty[holes])
    nodes = borders.astype(np.float32) @ _membrane_weights().T
    return np.asarray(nodes.reshape(-1, NODES, NODES), np.float32)


def blend_into(surroundings: Cells, inside: Cells) -> Cells:
    """Return the nodes of ``inside`` running out into those of ``surroundings`` towards the border."""
    return np.asarray(surroundings + (inside - surroundings) * _blend_shares(), dtype=np.float32)


def _rim_width(side: slice) -> int:
    length: int = side.stop - side.start
    return max(2, round(length * _RIM_SHARE))


def _strip(rows: slice, columns: slice, axis: int, taken: Sequence[tuple[slice, slice]]) -> Strip:
    down, across = rows.stop - rows.start, columns.stop - columns.start
    length = 0 if min(down, across) <= 0 else down if axis else across
    near = [part for part in taken if length and _meet(part[0], rows) and _meet(part[1], columns)]
    if not near:
        return Strip(rows, columns, axis, length, None)
    allowed = np.ones((down, across), dtype=np.float32)
    for part in near:
        allowed[_within(part[0], rows), _within(part[1], columns)] = 0
    return Strip(rows, columns, axis, length, allowed)


def _meet(first: slice, second: slice) -> bool:
    return bool(first.start < second.stop and second.start < first.stop)


def _within(part: slice, whole: slice) -> slice:
    """Return ``part`` counted from the start of ``whole``, cut to it."""
    return slice(max(0, part.start - whole.start), max(0, part.stop - whole.start))


def _mean_of_known(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(first), second, np.where(np.isnan(second), first, (first + second) / 2))


def _without_holes(borders: NDArray[np.float64], empty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows of values with what is missing drawn from the next ones along the border, which is a ring."""
    count = borders.shape[1]
    places = np.arange(3 * count)
    known = np.tile(np.isfinite(borders), 3)
    here = slice(count, 2 * count)
    before = np.maximum.accumulate(np.where(known, places, 0), axis=1)[:, here]
    after = np.minimum.accumulate(np.where(known, places, 3 * count)[:, ::-1], axis=1)[:, ::-1][:, here]
    first, last = (np.take_along_axis(borders, next_one % count, axis=1) for next_one in (before, after))
    drawn = first + (last - first) * ((places[here] - before) / np.maximum(after - before, 1))
    return np.where(np.any(known, axis=1, keepdims=True), drawn, empty[:, None])


@lru_cache(maxsize=1)
def _blend_shares() -> NDArray[np.float32]:
    """Return how much the inside counts at each node: nothing on the border, all from the third node on."""
    depth = np.minimum(_PARTS, _PARTS[::-1])
    ramp = np.clip(depth / 2, 0, 1)
    return np.minimum.outer(ramp, ramp).astype(np.float32)


@lru_cache(maxsize=1)
def _membrane_weights() -> NDArray[np.float32]:
    """Return the matrix from border values to all nodes: the discrete Laplace equation, solved once.

    It is solved in the sine basis, by small products: a linear solver wakes the threads of BLAS, which then spin for a
    tenth of a second.
    """
    border = _border_nodes()
    nodes = np.zeros((len(border), NODES * NODES))
    nodes[np.arange(len(border)), border] = 1
    grids = nodes.reshape(-1, NODES, NODES)
    beside = grids[:, :-2, 1:-1] + grids[:, 2:, 1:-1] + grids[:, 1:-1, :-2] + grids[:, 1:-1, 2:]
    waves = np.pi * np.arange(1, NODES - 1) / (NODES - 1)
    sines = np.sin(np.outer(waves, np.arange(1, NODES - 1))) * np.sqrt(2 / (NODES - 1))
    grids[:, 1:-1, 1:-1] = (
        sines @ ((sines @ beside @ sines) / (4 - 2 * np.add.outer(np.cos(waves), np.cos(waves)))) @ sines
    )
    return np.asarray(nodes.T, dtype=np.float32)


def _border_nodes() -> list[int]:
    """Return the border's node numbers, clockwise from the top left."""
    grid = np.arange(NODES * NODES).reshape(NODES, NODES)
    sides = [grid[0, :-1], grid[:-1, -1], grid[-1, :0:-1], grid[:0:-1, 0]]
    return [int(node) for side in sides for node in side]
