"""Follow boxes from one picture to the next by their pixels alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray

__all__ = ["follow"]

Gray = NDArray[np.uint8]

GRID = 12
FACE = 96.0
AROUND = 1.0
LEAST_POINTS = 8
RETURNING = 0.35
ASTRAY = 1.0
SPREAD = 0.12
GROWTH = 1.25


def follow(before: Gray, after: Gray, boxes: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Find where the pixels in each box went.

    A grid of points in the box is followed forwards by pyramidal Lucas-Kanade and back again. The points
    that come back to where they started say how the box moved and grew: each by the median.

    Parameters
    ----------
    before, after : uint8 ndarray of shape (H, W)
        Two pictures, in either direction of time.
    boxes : ndarray of shape (N, 4)
        In pixels of the pictures; they may reach outside.

    Returns
    -------
    boxes : ndarray of shape (N, 4)
        The boxes in ``after``, those that could not be followed as they were.
    certain : bool ndarray of shape (N,)
        False where too few points came back, they disagree, or the box is outside the picture.

    References
    ----------
    Kalal, Mikolajczyk, Matas: Forward-Backward Error: Automatic Detection of Tracking Failures, ICPR 2010.

    Examples
    --------
    >>> picture = np.random.default_rng(0).integers(0, 255, (80, 100), np.uint8)
    >>> boxes, certain = follow(picture, np.roll(picture, 3, axis=1), np.array([[30.0, 20, 40, 40]]))
    >>> boxes.round().tolist(), certain.tolist()
    ([[33.0, 20.0, 40.0, 40.0]], [True])
    """
    moved = np.array(boxes, np.float64).reshape(-1, 4)
    certain = np.zeros(len(moved), bool)
    for place, box in enumerate(moved.copy()):
        found = _follow_one(before, after, box)
        if found is not None:
            moved[place], certain[place] = found, True
    return moved, certain


@dataclass(frozen=True)
class _Window:
    """The part of both pictures around a box, scaled so that a large face costs no more than a small one."""

    before: Gray
    after: Gray
    corner: FloatArray
    scale: float


def _follow_one(before: Gray, after: Gray, box: FloatArray) -> FloatArray | None:
    points = _grid(box, before.shape)
    window = _window(before, after, box)
    if len(points) < LEAST_POINTS or min(window.before.shape) < 16:
        return None
    start, end = _flow(window, (points - window.corner) * window.scale)
    if len(start) < max(LEAST_POINTS, RETURNING * len(points)):
        return None
    steps = end - start
    step = np.median(steps, axis=0)
    growth = _growth(start, end)
    spread = np.median(np.linalg.norm(steps - step - (growth - 1) * (start - start.mean(axis=0)), axis=1))
    if not 1 / GROWTH < growth < GROWTH or spread > SPREAD * box[2:].max() * window.scale:
        return None
    middle = box[:2] + box[2:] / 2 + step / window.scale
    return np.concatenate([middle - box[2:] * growth / 2, box[2:] * growth])


def _grid(box: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Return points spread over the box, those inside the picture."""
    shares = 0.05 + 0.9 * (np.arange(GRID) + 0.5) / GRID
    x, y = np.meshgrid(box[0] + shares * box[2], box[1] + shares * box[3])
    inside = (x >= 1) & (x < shape[1] - 1) & (y >= 1) & (y < shape[0] - 1)
    return np.stack([x[inside], y[inside]], axis=1)


def _window(before: Gray, after: Gray, box: FloatArray) -> _Window:
    import cv2

    reach = AROUND * box[2:].max() + 16
    left, top = np.maximum(np.floor(box[:2] - reach), 0).astype(int)
    right, bottom = np.maximum(np.ceil(box[:2] + box[2:] + reach), 0).astype(int)
    scale = min(1.0, FACE / max(float(box[2:].max()), 1.0))
    parts = [np.asarray(picture[top:bottom, left:right]) for picture in (before, after)]
    if scale < 1 and parts[0].size:
        parts = [np.asarray(cv2.resize(p, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)) for p in parts]
    return _Window(parts[0], parts[1], np.array([left, top], np.float64), scale)


def _flow(window: _Window, points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where points start and end, of those that come back."""
    import cv2

    start = points.astype(np.float32).reshape(-1, 1, 2)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.03)

    def flow(first: Gray, second: Gray, at: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        there, found, _ = cv2.calcOpticalFlowPyrLK(
            first, second, at, at.copy(), winSize=(15, 15), maxLevel=3, criteria=criteria
        )
        return np.asarray(there), np.asarray(found)[:, 0] == 1

    end, went = flow(window.before, window.after, start)
    back, returned = flow(window.after, window.before, end)
    good = went & returned & (np.linalg.norm(back - start, axis=2)[:, 0] < ASTRAY)
    return start[good, 0].astype(np.float64), end[good, 0].astype(np.float64)


def _growth(start: FloatArray, end: FloatArray) -> float:
    """Return by how much points moved apart: the median ratio of their distances."""
    first, second = np.array(list(_pairs(len(start)))).T
    before = np.linalg.norm(start[first] - start[second], axis=1)
    apart = before > 4
    if apart.sum() < LEAST_POINTS:
        return 1.0
    return float(np.median(np.linalg.norm(end[first] - end[second], axis=1)[apart] / before[apart]))


def _pairs(count: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of points far apart in the grid."""
    for shift in (count // 2, count // 3, max(1, count // 4)):
        yield from ((place, (place + shift) % count) for place in range(count))
