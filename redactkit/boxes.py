"""Boxes as plain arrays of shape ``(N, 4)``: x, y, width, height in pixels, y down, top-left origin."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redactkit.errors import TableError

__all__ = [
    "FloatArray",
    "as_boxes",
    "centers",
    "clip",
    "count_cover",
    "edges_around",
    "expand",
    "from_coded",
    "from_corners",
    "hull",
    "interpolate",
    "intersections",
    "iou",
    "paired_intersections",
    "suppress",
    "to_coded",
    "to_corners",
    "union_cover",
]

FloatArray = NDArray[np.float64]


def as_boxes(boxes: ArrayLike) -> FloatArray:
    """Return ``boxes`` as a float64 array of shape (N, 4), a copy.

    Raises
    ------
    TableError
        If the shape is not (N, 4).

    Examples
    --------
    >>> as_boxes([[1, 2, 3, 4]]).shape
    (1, 4)
    >>> as_boxes([]).shape
    (0, 4)
    """
    array = np.array(boxes, dtype=np.float64)
    if array.size == 0:
        return array.reshape(0, 4)
    if array.ndim != 2 or array.shape[1] != 4:
        raise TableError(f"boxes must have shape (N, 4), got {array.shape}; pass box[None] for one box")
    return array


def to_corners(boxes: ArrayLike) -> FloatArray:
    """Turn x, y, width, height into left, top, right, bottom.

    Examples
    --------
    >>> to_corners([[5, 5, 10, 20]]).tolist()
    [[5.0, 5.0, 15.0, 25.0]]
    """
    array = as_boxes(boxes)
    array[:, 2:] += array[:, :2]
    return array


def from_corners(corners: ArrayLike) -> FloatArray:
    """Turn left, top, right, bottom into x, y, width, height.

    Examples
    --------
    >>> from_corners([[5, 5, 15, 25]]).tolist()
    [[5.0, 5.0, 10.0, 20.0]]
    """
    array = as_boxes(corners)
    array[:, 2:] -= array[:, :2]
    return array


def centers(boxes: ArrayLike) -> FloatArray:
    """Return the boxes' centres, shape (N, 2).

    Examples
    --------
    >>> centers([[0, 0, 10, 20]]).tolist()
    [[5.0, 10.0]]
    """
    array = as_boxes(boxes)
    return array[:, :2] + array[:, 2:] / 2


def _areas(corners: FloatArray) -> FloatArray:
    sides = np.maximum(corners[:, 2:] - corners[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def _shared_areas(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the areas that corners share, broadcast over all but the last axis."""
    left_top = np.maximum(a[..., :2], b[..., :2])
    right_bottom = np.minimum(a[..., 2:], b[..., 2:])
    sides = np.maximum(right_bottom - left_top, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def _intersections(a: FloatArray, b: FloatArray) -> FloatArray:
    return _shared_areas(a[:, None], b[None])


def intersections(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return the area that every box of ``a`` shares with every box of ``b``, shape (N, M).

    Examples
    --------
    >>> intersections([[0, 0, 2, 2]], [[1, 0, 2, 2], [5, 5, 1, 1]]).tolist()
    [[2.0, 0.0]]
    """
    return _intersections(to_corners(a), to_corners(b))


def paired_intersections(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Return the area that each box of ``a`` shares with the box in the same row of ``b``, shape (N,).

    Examples
    --------
    >>> paired_intersections([[0, 0, 2, 2], [0, 0, 2, 2]], [[1, 0, 2, 2], [5, 5, 1, 1]]).tolist()
    [2.0, 0.0]
    """
    return _shared_areas(to_corners(a), to_corners(b))


def _shares(shared: FloatArray, union: FloatArray) -> FloatArray:
    share: FloatArray = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return share


def iou(a: ArrayLike, b: ArrayLike) -> FloatArray:
    """Intersection over union of every box of ``a`` with every box of ``b``.

    Parameters
    ----------
    a : array_like of shape (N, 4)
    b : array_like of shape (M, 4)

    Returns
    -------
    ndarray of shape (N, M)
        0 to 1; 0 where either box is empty.

    Examples
    --------
    >>> iou([[0, 0, 2, 2]], [[1, 0, 2, 2]]).round(3).tolist()
    [[0.333]]
    """
    first, second = to_corners(a), to_corners(b)
    shared = _intersections(first, second)
    return _shares(shared, _areas(first)[:, None] + _areas(second)[None, :] - shared)


def suppress(boxes: ArrayLike, scores: ArrayLike, *, overlap: float = 0.3) -> NDArray[np.intp]:
    """Pick the boxes that greedy non-maximum suppression leaves.

    Parameters
    ----------
    boxes : array_like of shape (N, 4)
    scores : array_like of shape (N,)
    overlap : float
        A box goes when a better one has at least this intersection over union with it.

    Returns
    -------
    ndarray of shape (K,)
        Row numbers of the boxes that stay, best first; of equal scores the earlier row counts as better.

    Examples
    --------
    >>> suppress([[0, 0, 4, 4], [0, 0, 4, 5], [9, 9, 4, 4]], [0.5, 0.9, 0.7]).tolist()
    [1, 2]
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    corners = to_corners(as_boxes(boxes)[order])
    areas = _areas(corners)
    left = np.arange(len(order))
    kept = []
    while len(left):
        best, rest = left[0], left[1:]
        kept.append(best)
        shared = _intersections(corners[best][None], corners[rest])[0]
        left = rest[_shares(shared, areas[best] + areas[rest] - shared) < overlap]
    return order[np.array(kept, np.intp)]


def clip(boxes: ArrayLike, *, width: float, height: float) -> FloatArray:
    """Clip boxes to the frame; a box wholly outside gets zero area.

    Examples
    --------
    >>> clip([[-5, 10, 20, 20]], width=100, height=25).tolist()
    [[0.0, 10.0, 15.0, 15.0]]
    """
    corners = to_corners(boxes)
    corners[:, 0::2] = np.clip(corners[:, 0::2], 0, width)
    corners[:, 1::2] = np.clip(corners[:, 1::2], 0, height)
    return from_corners(corners)


def expand(boxes: ArrayLike, *, share: float = 0.0, pixels: float = 0.0) -> FloatArray:
    """Grow boxes about their centres, on each side by ``share`` of the side's length plus ``pixels``.

    Negative values shrink, never below zero size.

    Examples
    --------
    >>> expand([[10, 10, 20, 40]], share=0.5).tolist()
    [[0.0, -10.0, 40.0, 80.0]]
    """
    array = as_boxes(boxes)
    middle = array[:, :2] + array[:, 2:] / 2
    sides = np.clip(array[:, 2:] * (1 + 2 * share) + 2 * pixels, 0, None)
    return np.hstack([middle - sides / 2, sides])


def interpolate(first: ArrayLike, last: ArrayLike, weights: ArrayLike) -> FloatArray:
    """Interpolate linearly between two boxes.

    Parameters
    ----------
    first, last : array_like of shape (4,)
    weights : array_like of shape (N,)
        0 gives ``first``, 1 gives ``last``.

    Returns
    -------
    ndarray of shape (N, 4)

    Examples
    --------
    >>> interpolate([0, 0, 10, 10], [10, 0, 20, 10], [0.5]).tolist()
    [[5.0, 0.0, 15.0, 10.0]]
    """
    a, b = np.asarray(first, np.float64), np.asarray(last, np.float64)
    share = np.asarray(weights, np.float64)[:, None]
    return np.asarray(a + (b - a) * share)


def hull(first: ArrayLike, second: ArrayLike) -> FloatArray:
    """Return the smallest box around each box and its partner, shape (N, 4).

    Examples
    --------
    >>> hull([[0, 0, 4, 4]], [[6, 2, 2, 4]]).tolist()
    [[0.0, 0.0, 8.0, 6.0]]
    """
    a, b = to_corners(first), to_corners(second)
    return from_corners(np.hstack([np.minimum(a[:, :2], b[:, :2]), np.maximum(a[:, 2:], b[:, 2:])]))


def union_cover(boxes: ArrayLike, covers: ArrayLike) -> FloatArray:
    """Return for each box the share of its area that the union of ``covers`` hides, shape (N,).

    Exact, by coordinate compression. A box of no area counts as wholly covered.

    Examples
    --------
    >>> union_cover([[0, 0, 10, 10]], [[0, 0, 5, 10], [2, 0, 5, 10]]).round(2).tolist()
    [0.7]
    """
    return np.array([_cover_of_one(box, to_corners(covers)) for box in to_corners(boxes)])


def _cover_of_one(box: FloatArray, covers: FloatArray) -> float:
    area = float(np.prod(box[2:] - box[:2]))
    if area <= 0:
        return 1.0
    cut = np.hstack([np.maximum(covers[:, :2], box[:2]), np.minimum(covers[:, 2:], box[2:])])
    cut = cut[(cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1])]
    if not len(cut):
        return 0.0
    xs, ys = np.unique(cut[:, 0::2]), np.unique(cut[:, 1::2])
    mid_x, mid_y = (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2
    in_x = (cut[:, :1] < mid_x) & (mid_x < cut[:, 2:3])
    in_y = (cut[:, 1:2] < mid_y) & (mid_y < cut[:, 3:4])
    hidden = np.any(in_x[:, :, None] & in_y[:, None, :], axis=0)
    return float(np.diff(xs) @ hidden @ np.diff(ys)) / area


def to_coded(boxes: ArrayLike, *, width: float, height: float, rotation: int, mirrored: bool = False) -> FloatArray:
    """Turn boxes of the displayed frame into boxes of the frame as stored.

    Parameters
    ----------
    boxes : array_like of shape (N, 4)
    width, height : float
        Size of the displayed frame in pixels.
    rotation : int
        Degrees clockwise by which a player turns the stored frame: 0, 90, 180 or 270.
    mirrored : bool
        Whether the stored frame is flipped left to right before it is turned.

    Examples
    --------
    >>> to_coded([[0, 0, 2, 1]], width=10, height=20, rotation=90).tolist()
    [[0.0, 8.0, 1.0, 2.0]]
    """
    corners = to_corners(boxes)
    size = (float(width), float(height))
    for _ in range(rotation % 360 // 90):
        corners, size = _turn_left(corners, size), (size[1], size[0])
    return from_corners(_mirror(corners, size[0]) if mirrored else corners)


def from_coded(boxes: ArrayLike, *, width: float, height: float, rotation: int, mirrored: bool = False) -> FloatArray:
    """Turn boxes of the stored frame into boxes of the displayed one; ``width, height`` are the displayed size.

    Examples
    --------
    >>> from_coded([[0, 8, 1, 2]], width=10, height=20, rotation=90).tolist()
    [[0.0, 0.0, 2.0, 1.0]]
    """
    quarter_turns = rotation % 360 // 90
    size = (float(height), float(width)) if quarter_turns % 2 else (float(width), float(height))
    corners = to_corners(boxes)
    corners = _mirror(corners, size[0]) if mirrored else corners
    for _ in range((4 - quarter_turns) % 4):
        corners, size = _turn_left(corners, size), (size[1], size[0])
    return from_corners(corners)


def _turn_left(corners: FloatArray, size: tuple[float, float]) -> FloatArray:
    """Turn a frame by 90 degrees anticlockwise: (x, y) goes to (y, width - x)."""
    left, top, right, bottom = corners.T
    return np.stack([top, size[0] - right, bottom, size[0] - left], axis=1)


def _mirror(corners: FloatArray, width: float) -> FloatArray:
    left, top, right, bottom = corners.T
    return np.stack([width - right, top, width - left, bottom], axis=1)


def count_cover(corners: FloatArray, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the boxes over each cell of a grid, by the differences at their corners.

    Parameters
    ----------
    corners : ndarray of shape (N, 4)
        Left, top, right, bottom, in cells.
    shape : (int, int)
        Cells down and across.

    Examples
    --------
    >>> count_cover(np.array([[0.0, 0, 2, 1], [1, 0, 2, 2]]), (2, 2))
    array([[1, 2],
           [0, 1]])
    """
    edges = np.concatenate([np.floor(corners[:, :2]), np.ceil(corners[:, 2:])], axis=1).astype(np.int64)
    edges = np.clip(edges, 0, [shape[1], shape[0], shape[1], shape[0]])
    changes = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
    for across, down, sign in ((0, 1, 1), (2, 3, 1), (0, 3, -1), (2, 1, -1)):
        np.add.at(changes, (edges[:, down], edges[:, across]), sign)
    return changes.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]


def edges_around(box: FloatArray, *, width: int, height: int, share: float) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of the whole pixels that show a box with a margin; never empty.

    Parameters
    ----------
    box : ndarray of shape (4,)
    width, height : int
        Of the frame, in pixels.
    share : float
        Margin on each side, in shares of the box.

    Examples
    --------
    >>> edges_around(np.array([10.0, 10, 20, 20]), width=40, height=40, share=0.5)
    (0, 0, 40, 40)
    """
    grown = clip(expand(box[None], share=share), width=width, height=height)
    left, top, right, bottom = (int(edge) for edge in np.rint(to_corners(grown)[0]))
    left, top = min(left, width - 1), min(top, height - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)
