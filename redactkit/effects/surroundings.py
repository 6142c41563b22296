"""Fill a box from the pixels around it: a membrane, the solution of Laplace's equation inside the box.

The rim, a narrow strip of pixels along each side outside the box, gives the boundary values. A solution of Laplace's
equation has its extremes on the boundary, so the fill adds nothing that the rim does not show.

References
----------
Pérez, Gangnet, Blake: "Poisson Image Editing", ACM Transactions on Graphics 22(3), 2003 (membrane interpolation).
"""

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
"""Nodes of the membrane along each side of a box. More follow the rim in finer detail and cost more time."""

_RIM_WIDTH_SHARE = 0.04
"""Width of the rim as a share of the box. Wider averages more noise away, and reaches further from the border."""

_MIN_ALLOWED_SHARE = 1e-3
"""Share of allowed pixels below which a stretch of the rim counts as missing."""

_NODE_NUMBERS = np.arange(MEMBRANE_NODES)


class Strip(NamedTuple):
    """One side of a rim: the pixels along one side of a box, outside it.

    ``axis`` is the array axis across the strip, ``length`` its pixels along the side, 0 if it lies outside the
    plane. ``allowed`` is 0 on pixels of redacted boxes and 1 elsewhere, None if no redacted box is there.
    """

    rows: slice
    columns: slice
    axis: int
    length: int
    allowed: NDArray[np.float32] | None


def side_means(planes: Sequence[Plane], strips: Sequence[Sequence[Strip]]) -> NDArray[np.float64]:
    """Return the boundary values: the means of MEMBRANE_NODES equal parts along each strip.

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
    # 1. One mean for each pixel along the side, then means of equal parts of that profile.
    profiles = np.concatenate([_profile(plane, strip) for plane, strip in each if strip.length])
    means[lengths > 0] = _node_means(profiles, lengths[lengths > 0])
    # 2. Where redacted pixels were counted as 0, divide by the share that was allowed.
    cut = [number for number, (_, strip) in enumerate(each) if strip.allowed is not None]
    if cut:
        allowed = [_mean_across(strip.allowed, strip.axis) for _, strip in each if strip.allowed is not None]
        share = _node_means(np.concatenate(allowed), lengths[cut])
        means[cut] = np.where(share > _MIN_ALLOWED_SHARE, means[cut] / np.maximum(share, _MIN_ALLOWED_SHARE), np.nan)
    return means


def _profile(plane: Plane, strip: Strip) -> NDArray[np.float32]:
    """Return the mean across the strip for each pixel along it, with disallowed pixels as 0."""
    pixels = plane[strip.rows, strip.columns]
    return _mean_across(pixels if strip.allowed is None else pixels * strip.allowed, strip.axis)


def _mean_across(pixels: NDArray[Any], axis: int) -> NDArray[np.float32]:
    return np.asarray(np.add.reduce(pixels, axis=axis, dtype=np.float32) / np.float32(pixels.shape[axis]))


def _node_means(profiles: NDArray[np.float32], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the means of MEMBRANE_NODES equal parts of each profile, shape (profiles, MEMBRANE_NODES).

    ``profiles`` are concatenated, ``lengths`` their lengths. A value on a border counts in both parts by its shares.
    """
    # Cumulative sums, interpolated at the borders of the parts: their differences are the sums of the parts.
    sums = np.zeros(len(profiles) + 1)
    np.cumsum(profiles, dtype=np.float64, out=sums[1:])
    ends = np.cumsum(lengths)
    edges = (ends - lengths)[:, None] + lengths[:, None] * (np.arange(MEMBRANE_NODES + 1) / MEMBRANE_NODES)
    whole = np.minimum(edges.astype(np.int64), len(profiles) - 1)
    until = sums[whole] + (edges - whole) * profiles[whole]
    return np.asarray(np.diff(until, axis=1) * (MEMBRANE_NODES / lengths[:, None]))


def find_rims(boxes: IntArray, *, hidden: IntArray, height: int, width: int) -> list[Strip]:
    """Return four strips for each box in a plane: above, right, below, left.

    Parameters
    ----------
    boxes : ndarray of shape (N, 4)
        First row and the one after the last, first column and the one after the last.
    hidden : ndarray of shape (M, 4)
        The same of all redacted boxes of the frame; no strip uses their pixels.
    height, width : int
        Size of the plane.
    """
    top, bottom, left, right = boxes.T
    high, wide = (
        np.maximum(2, np.rint(_RIM_WIDTH_SHARE * side)).astype(np.int64) for side in (bottom - top, right - left)
    )
    above, below = np.maximum(top - high, 0), np.minimum(bottom + high, height)
    before, after = np.maximum(left - wide, 0), np.minimum(right + wide, width)
    # Rows and columns of the four strips, clipped to the plane, then reordered to strip after strip.
    sides = [
        (above, top, left, right),
        (top, bottom, right, after),
        (bottom, below, left, right),
        (top, bottom, before, left),
    ]
    places = np.array(sides).transpose(2, 0, 1).reshape(-1, 4)
    # A redacted box meets a strip if each starts before the other ends, in rows and in columns.
    before = (places[:, None, ::2] < hidden[:, 1::2]).all(axis=2)
    after = (hidden[:, ::2] < places[:, None, 1::2]).all(axis=2)
    near = [hidden[meets] for meets in np.logical_and(before, after)]
    return [_strip(place, number % 2, near[number]) for number, place in enumerate(places.tolist())]


def _strip(place: list[int], axis: int, hidden: IntArray) -> Strip:
    """Return the strip at ``place``, with the pixels of the ``hidden`` boxes disallowed."""
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
    """Return the membranes of boxes from the means along their rims.

    The outermost nodes are those means. The inner ones solve the discrete Laplace equation, so every value lies
    between the extremes of the rim.

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
    # 1. The strips as one ring, clockwise; a corner belongs to two strips and gets the mean of both.
    clockwise = np.concatenate([sides[:, :2], sides[:, 2:, ::-1]], axis=1)
    clockwise[:, :, 0] = _mean_of_known(clockwise[:, :, 0], clockwise[:, [3, 0, 1, 2], -1])
    borders = clockwise[:, :, :-1].reshape(len(sides), 4 * (MEMBRANE_NODES - 1))
    # 2. Interpolate along the ring over parts without pixels.
    holes = ~np.isfinite(borders).all(axis=1)
    if holes.any():
        borders[holes] = _without_holes(borders[holes], empty[holes])
    # 3. The solution is linear in the boundary values: one matrix product.
    nodes = borders.astype(np.float32) @ _membrane_weights().T
    return np.asarray(nodes.reshape(-1, MEMBRANE_NODES, MEMBRANE_NODES), np.float32)


def blend_into(surroundings: Cells, inside: Cells) -> Cells:
    """Blend nodes of ``inside`` into those of ``surroundings`` towards the border."""
    return np.asarray(surroundings + (inside - surroundings) * _blend_shares(), dtype=np.float32)


def _mean_of_known(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(first), second, np.where(np.isnan(second), first, (first + second) / 2))


def _without_holes(borders: NDArray[np.float64], empty: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows of ring values with gaps filled by linear interpolation between the nearest known neighbours."""
    # Three copies of the ring in a row, so that neighbours across its seam are found too.
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
    """Return the weight of the inside at each node: 0 on the border, 1 from the third node on."""
    depth = np.minimum(_NODE_NUMBERS, _NODE_NUMBERS[::-1])
    ramp = np.clip(depth / 2, 0, 1)
    return np.minimum.outer(ramp, ramp).astype(np.float32)


@lru_cache(maxsize=1)
def _membrane_weights() -> NDArray[np.float32]:
    """Return the matrix from boundary values to all nodes: the discrete Laplace equation, solved once.

    The 5-point stencil is diagonal under the discrete sine transform: a fast Poisson solver.
    """
    # 1. One grid for each boundary node, 1 at that node and 0 at the others.
    border = _border_nodes()
    nodes = np.zeros((len(border), MEMBRANE_NODES * MEMBRANE_NODES))
    nodes[np.arange(len(border)), border] = 1
    grids = nodes.reshape(-1, MEMBRANE_NODES, MEMBRANE_NODES)
    # 2. The right-hand side: at each inner node the sum of its boundary neighbours.
    beside = grids[:, :-2, 1:-1] + grids[:, 2:, 1:-1] + grids[:, 1:-1, :-2] + grids[:, 1:-1, 2:]
    # 3. Transform, divide by the stencil's eigenvalues 4 - 2 cos(a) - 2 cos(b), transform back.
    waves = 2 * np.cos(np.pi * np.arange(1, MEMBRANE_NODES - 1) / (MEMBRANE_NODES - 1))
    from scipy.fft import dstn, idstn  # slow to import

    transformed = dstn(beside, type=1, axes=(1, 2)) / (4 - np.add.outer(waves, waves))
    grids[:, 1:-1, 1:-1] = idstn(transformed, type=1, axes=(1, 2))
    return np.asarray(nodes.T, dtype=np.float32)


def _border_nodes() -> list[int]:
    """Return the numbers of the boundary nodes, clockwise from the top left."""
    grid = np.arange(MEMBRANE_NODES * MEMBRANE_NODES).reshape(MEMBRANE_NODES, MEMBRANE_NODES)
    sides = [grid[0, :-1], grid[:-1, -1], grid[-1, :0:-1], grid[:0:-1, 0]]
    return [int(node) for side in sides for node in side]
