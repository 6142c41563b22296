"""Fill a box from the pixels around it: a smooth membrane stretched over its rim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from redactkit.effects.grids import Cells
from redactkit.effects.layout import Plane

__all__ = ["MEMBRANE_NODES", "Strip", "blend_into", "find_rims", "membranes", "side_means"]

IntArray = NDArray[np.int64]

MEMBRANE_NODES = 12
"""Nodes of the membrane along each side of a box."""

_RIM_SHARE = 0.04
_MIN_WEIGHT = 1e-3
_FEW_PIXELS = 1024
"""Pixels up to which NumPy takes means quicker than OpenCV, which also hands the interpreter to other threads."""

_PARTS = np.arange(MEMBRANE_NODES)


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


def side_means(planes: Sequence[Plane], strips: Sequence[Sequence[Strip]]) -> NDArray[np.float64]:
    """Return the mean of each of MEMBRANE_NODES parts along strips.

    Parameters
    ----------
    planes : sequence of ndarray
    strips : sequence of sequence of Strip
        Those in each plane.

    Returns
    -------
    ndarray of shape (strips of all planes, MEMBRANE_NODES)
        NaN for parts without pixels.
    """
    each = [(plane, strip) for plane, own in zip(planes, strips, strict=True) for strip in own]
    lengths = np.array([strip.length for _, strip in each], np.int64)
    means = np.full((len(each), MEMBRANE_NODES), np.nan)
    if not lengths.any():
        return means
    profiles = np.concatenate([_profile(plane, strip) for plane, strip in each if strip.length])
    means[lengths > 0] = _part_means(profiles, lengths[lengths > 0])
    cut = [number for number, (_, strip) in enumerate(each) if strip.allowed is not None]
    if cut:
        allowed = [_across(strip.allowed, strip.axis) for _, strip in each if strip.allowed is not None]
        share = _part_means(np.concatenate(allowed), lengths[cut])
        means[cut] = np.where(share > _MIN_WEIGHT, means[cut] / np.maximum(share, _MIN_WEIGHT), np.nan)
    return means


def _profile(plane: Plane, strip: Strip) -> NDArray[np.float32]:
    """Return the mean across each pixel of a strip's length, what is not allowed counted as 0."""
    pixels = plane[strip.rows, strip.columns]
    return _across(pixels if strip.allowed is None else pixels * strip.allowed, strip.axis)


def _across(pixels: NDArray[Any], axis: int) -> NDArray[np.float32]:
    if pixels.size <= _FEW_PIXELS:
        return np.asarray(np.add.reduce(pixels, axis=axis, dtype=np.float32) / np.float32(pixels.shape[axis]))
    import cv2  # costs a tenth of a second to import

    return np.asarray(cv2.reduce(pixels, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32).ravel()


def _part_means(profiles: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the means of MEMBRANE_NODES equal parts of each stretch in a row of values.

    A value that lies in two parts counts in both by its shares. The result has shape (stretches, MEMBRANE_NODES).
    """
    sums = np.zeros(len(profiles) + 1)
    np.cumsum(profiles, dtype=np.float64, out=sums[1:])
    ends = np.cumsum(lengths)
    edges = (ends - lengths)[:, None] + lengths[:, None] * (np.arange(MEMBRANE_NODES + 1) / MEMBRANE_NODES)
    whole = np.minimum(edges.astype(np.int64), len(profiles) - 1)
    until = sums[whole] + (edges - whole) * profiles[whole]
    return np.asarray(np.diff(until, axis=1) * (MEMBRANE_NODES / lengths[:, None]))


def find_rims(boxes: IntArray, *, hidden: IntArray, height: int, width: int) -> list[Strip]:
    """Return the strips above, right of, below and left of each box in a plane of the size given.

    Parameters
    ----------
    boxes : ndarray of shape (N, 4)
        First row and the one after the last, first column and the one after the last.
    hidden : ndarray of shape (M, 4)
        The same of all redacted boxes of the frame; their pixels are never used.
    height, width : int
        Size of the plane.
    """
    top, bottom, left, right = boxes.T
    high, wide = (np.maximum(2, np.rint(_RIM_SHARE * side)).astype(np.int64) for side in (bottom - top, right - left))
    above, below = np.maximum(top - high, 0), np.minimum(bottom + high, height)
    before, after = np.maximum(left - wide, 0), np.minimum(right + wide, width)
    sides = [
        (above, top, left, right),
        (top, bottom, right, after),
        (bottom, below, left, right),
        (top, bottom, before, left),
    ]
    places = np.array(sides).transpose(2, 0, 1).reshape(-1, 4)
    before = (places[:, None, ::2] < hidden[:, 1::2]).all(axis=2)
    after = (hidden[:, ::2] < places[:, None, 1::2]).all(axis=2)
    near = [hidden[meets] for meets in np.logical_and(before, after)]
    return [_strip(place, number % 2, near[number]) for number, place in enumerate(places.tolist())]


def _strip(place: list[int], axis: int, hidden: IntArray) -> Strip:
    """Return the strip of some rows and columns, of which boxes are ``hidden``."""
    top, bottom, left, right = place
    down, across = bottom - top, right - left
    rows, columns = slice(top, bottom), slice(left, right)
    if down <= 0 or across <= 0:
        return Strip(rows, columns, axis, 0, None)
    allowed = None
    if len(hidden):
        allowed = np.ones((down, across), dtype=np.float32)
        for first, last, start, stop in np.maximum(hidden - [top, top, left, left], 0).tolist():
            allowed[first:last, start:stop] = 0
    return Strip(rows, columns, axis, down if axis else across, allowed)


def membranes(sides: NDArray[np.float64], *, empty: NDArray[np.float64]) -> Cells:
    """Return grids of values made only from the pixels of rims.

    The outermost nodes are means over the rim, the inner ones solve Laplace's equation, so that
    every value lies between those of the rim.

    Parameters
    ----------
    sides : ndarray of shape (N, 4, MEMBRANE_NODES)
        The means of the four strips of each rim.
    empty : ndarray of shape (N,)
        What is returned where a rim has no pixels.

    Returns
    -------
    ndarray of shape (N, MEMBRANE_NODES, MEMBRANE_NODES)
    """
    clockwise = np.concatenate([sides[:, :2], sides[:, 2:, ::-1]], axis=1)
    clockwise[:, :, 0] = _mean_of_known(clockwise[:, :, 0], clockwise[:, [3, 0, 1, 2], -1])
    borders = clockwise[:, :, :-1].reshape(len(sides), 4 * (MEMBRANE_NODES - 1))
    holes = ~np.isfinite(borders).all(axis=1)
    if holes.any():
        borders[holes] = _without_holes(borders[holes], empty[holes])
    nodes = borders.astype(np.float32) @ _membrane_weights().T
    return np.asarray(nodes.reshape(-1, MEMBRANE_NODES, MEMBRANE_NODES), np.float32)


def blend_into(surroundings: Cells, inside: Cells) -> Cells:
    """Return the nodes of ``inside`` running out into those of ``surroundings`` towards the border."""
    return np.asarray(surroundings + (inside - surroundings) * _blend_shares(), dtype=np.float32)


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
    nodes = np.zeros((len(border), MEMBRANE_NODES * MEMBRANE_NODES))
    nodes[np.arange(len(border)), border] = 1
    grids = nodes.reshape(-1, MEMBRANE_NODES, MEMBRANE_NODES)
    beside = grids[:, :-2, 1:-1] + grids[:, 2:, 1:-1] + grids[:, 1:-1, :-2] + grids[:, 1:-1, 2:]
    waves = np.pi * np.arange(1, MEMBRANE_NODES - 1) / (MEMBRANE_NODES - 1)
    sines = np.sin(np.outer(waves, np.arange(1, MEMBRANE_NODES - 1))) * np.sqrt(2 / (MEMBRANE_NODES - 1))
    grids[:, 1:-1, 1:-1] = (
        sines @ ((sines @ beside @ sines) / (4 - 2 * np.add.outer(np.cos(waves), np.cos(waves)))) @ sines
    )
    return np.asarray(nodes.T, dtype=np.float32)


def _border_nodes() -> list[int]:
    """Return the border's node numbers, clockwise from the top left."""
    grid = np.arange(MEMBRANE_NODES * MEMBRANE_NODES).reshape(MEMBRANE_NODES, MEMBRANE_NODES)
    sides = [grid[0, :-1], grid[:-1, -1], grid[-1, :0:-1], grid[:0:-1, 0]]
    return [int(node) for side in sides for node in side]
