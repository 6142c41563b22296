"""Fit how an object moved to points of it, by RANSAC: a similarity, or a homography for what is flat.

References
----------
Fischler and Bolles, "Random Sample Consensus", CACM 1981.
Kalal, Mikolajczyk and Matas, "Forward-Backward Error: Automatic Detection of Tracking Failures", ICPR 2010.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.following.views import GrayImage, Shape, project, shifted

__all__ = ["FLAT_KINDS", "Motion", "fit", "flow", "pick_points"]

BoolArray = NDArray[np.bool_]

FLAT_KINDS = frozenset({"plate", "screen", "document"})
"""Kinds of objects that are flat, so that their perspective is followed too."""

FLOW_LEVELS = 3
"""Highest level of the image pyramid for flow from the frame before. Each level doubles the motion that is found."""

WINDOW_PIXELS = 13
"""Side of the Lucas-Kanade window in a view. Raising it is more robust, and less exact at edges."""

MOST_POINTS = 60
"""Points of an object that are tracked. Raising it is more exact where much is hidden, and slower."""

MAX_RETURN_ERROR = 1.0
"""Forward-backward error in pixels of the view up to which a point has returned. Raising it keeps more points."""

MAX_RESIDUAL = 1.2
"""Distance in pixels of the view from the fitted motion up to which a point agrees. Raising it keeps more points."""

CLOSE_RESIDUAL = 0.5
"""Distance up to which a point surely moves with the object, and not with something that slowly comes before it."""

MIN_POINTS = 6
"""Agreeing points below which no motion is fitted."""

MIN_FLAT_POINTS = 20
"""Agreeing points below which a flat object's motion is fitted without perspective."""

MIN_FLAT_SPREAD = 0.5
"""Share of the object that the points' convex hull must cover for perspective to be fitted."""

MIN_SPREAD = 0.1
"""The same for size and angle; with less, only the place is fitted."""

MAX_GROWTH = 1.25
"""Largest factor by which an object grows or shrinks in one step."""

MAX_ROTATION_DEGREES = 25.0
"""Largest angle by which an object turns in one step."""

MAX_PERSPECTIVE = 0.25
"""Largest change of a corner's depth, as a share, in one step."""


@dataclass(frozen=True)
class Motion:
    """A fitted motion: a homography in the object's own coordinates, and which points agree with it, and closely."""

    matrix: FloatArray
    agreed: BoolArray
    close: BoolArray


def pick_points(picture: GrayImage, shape: Shape) -> FloatArray:
    """Return the point of each block of an object that flow can hold best, in its own coordinates.

    Parameters
    ----------
    picture : ndarray of shape (height, width), uint8
        The object without margin.

    References
    ----------
    Shi and Tomasi, "Good Features to Track", CVPR 1994.
    """
    side = picture.shape[0] // shape.rows // 2
    strength = cv2.cornerMinEigenVal(cv2.GaussianBlur(picture, (3, 3), 0), 5)
    # Four cells to a block, so that points lie close enough for a small object too.
    rows, columns = 2 * shape.rows, 2 * shape.columns
    cells = strength.reshape(rows, side, columns, side).transpose(0, 2, 1, 3).reshape(rows, columns, side * side)
    best = cells.argmax(axis=2)
    x = np.arange(columns)[None, :] * side + best % side
    y = np.arange(rows)[:, None] * side + best // side
    points = np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5
    worth = cells.max(axis=2)
    # The best point of every block first, then the second best of every block, and so on.
    blocks = worth.reshape(shape.rows, 2, shape.columns, 2).transpose(0, 2, 1, 3).reshape(-1, 4)
    rank = np.argsort(np.argsort(-blocks, axis=1), axis=1).reshape(shape.rows, shape.columns, 2, 2)
    order = np.lexsort((-worth.ravel(), rank.transpose(0, 2, 1, 3).ravel()))
    # A plain cell has no point that flow could hold.
    held = order[worth.ravel()[order] > 0.002 * float(strength.max())][:MOST_POINTS]
    return np.asarray(points[np.sort(held)], np.float64)


def flow(
    before: GrayImage, after: GrayImage, points: FloatArray, *, levels: int = FLOW_LEVELS, check: bool = True
) -> tuple[FloatArray, BoolArray]:
    """Track points of one view to another by pyramidal Lucas-Kanade.

    Parameters
    ----------
    before, after : ndarray of shape (H, W), uint8
        The two views.
    points : ndarray of shape (N, 2)
        In pixels of the view, a pixel's middle at a half.
    levels : int
        Highest level of the image pyramid that is used.
    check : bool
        Track them back as well; those that do not return are not good.

    Returns
    -------
    points : ndarray of shape (N, 2)
    good : ndarray of shape (N,), bool
    """
    if not len(points):
        return points, np.zeros(0, bool)
    size = (WINDOW_PIXELS, WINDOW_PIXELS)
    start = (points - 0.5).reshape(-1, 1, 2).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 0.03)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(
        before, after, start, start.copy(), winSize=size, maxLevel=levels, criteria=criteria
    )
    good = status.ravel() == 1
    if check:
        back, returned, _ = cv2.calcOpticalFlowPyrLK(
            after, before, moved, start.copy(), winSize=size, maxLevel=levels, criteria=criteria
        )
        good &= (returned.ravel() == 1) & (np.linalg.norm((back - start).reshape(-1, 2), axis=1) <= MAX_RETURN_ERROR)
    return np.asarray(moved.reshape(-1, 2), np.float64) + 0.5, good


def fit(before: FloatArray, after: FloatArray, good: BoolArray, *, shape: Shape, flat: bool) -> Motion | None:
    """Return the motion that most points agree on; None where too few do, or it is none that an object makes.

    Parameters
    ----------
    before, after : ndarray of shape (N, 2)
        In the object's own coordinates.
    good : ndarray of shape (N,), bool
        Points to be looked at.
    flat : bool
        Fit perspective too, where enough points agree.
    """
    index = np.flatnonzero(good)
    if len(index) < MIN_POINTS:
        return None
    p, q = before[index].astype(np.float32), after[index].astype(np.float32)
    partial, inside = cv2.estimateAffinePartial2D(
        p, q, method=cv2.RANSAC, ransacReprojThreshold=MAX_RESIDUAL, maxIters=300, confidence=0.995, refineIters=10
    )
    if partial is None or int(inside.sum()) < MIN_POINTS:
        return None
    matrix, agreed = np.vstack([partial, [0, 0, 1]]), int(inside.sum())
    wide = _spread(before[index[inside.ravel() == 1]], shape)
    if flat and len(index) >= MIN_FLAT_POINTS and _spread(before[index], shape) >= MIN_FLAT_SPREAD:
        full = _flat(before[index], after[index], matrix, agreed, shape)
        matrix, wide = (matrix, wide) if full is None else (full, 1.0)
    if wide < MIN_SPREAD:
        # Points of a small part say where it went, not how the whole has turned or grown.
        shift = np.median(after[index] - before[index], axis=0)
        matrix = shifted(*shift.tolist())
    if not is_plausible(matrix, shape):
        return None
    off = np.full(len(good), np.inf)
    off[index] = np.linalg.norm(project(np.asarray(matrix, np.float64), before[index]) - after[index], axis=1)
    return Motion(np.asarray(matrix, np.float64), off <= MAX_RESIDUAL, off <= CLOSE_RESIDUAL)


def _flat(before: FloatArray, after: FloatArray, matrix: FloatArray, agreed: int, shape: Shape) -> FloatArray | None:
    """Return the homography of the points about a similarity; None where fewer agree with it, or too few."""
    result = matrix
    # Least squares over the points near the last fit, first near the similarity, then near the homography itself.
    for reach in (3 * MAX_RESIDUAL, MAX_RESIDUAL):
        near = np.linalg.norm(project(result, before) - after, axis=1) <= reach
        if int(near.sum()) < MIN_FLAT_POINTS or _spread(before[near], shape) < MIN_FLAT_SPREAD:
            return None
        full, _ = cv2.findHomography(before[near], after[near], 0)
        if full is None:
            return None
        result = np.asarray(full, np.float64)
    inside = np.linalg.norm(project(result, before) - after, axis=1) <= MAX_RESIDUAL
    return result if int(inside.sum()) >= agreed and is_plausible(result, shape) else None


def _spread(points: FloatArray, shape: Shape) -> float:
    """Return the share of the object that the points' convex hull covers."""
    if len(points) < 3:
        return 0.0
    return float(cv2.contourArea(cv2.convexHull(points.astype(np.float32)))) / (shape.width * shape.height)


def is_plausible(matrix: FloatArray, shape: Shape) -> bool:
    """Return whether an object may move so in one step: it neither flips nor jumps in size, angle or depth."""
    corners = shape.corners
    depth = corners @ matrix[2, :2] + matrix[2, 2]
    if (np.abs(depth - 1) > MAX_PERSPECTIVE).any():
        return False
    placed = (corners @ matrix[:2, :2].T + matrix[:2, 2]) / depth[:, None]
    # As complex numbers, an edge divided by what it was is how much it has grown and turned.
    x, y = (placed[[1, 2, 3, 0]] - placed).T
    was_x, was_y = (corners[[1, 2, 3, 0]] - corners).T
    change = (x + 1j * y) / (was_x + 1j * was_y)
    growth, angle = np.abs(change), np.abs(np.angle(change))
    most = max(float(growth.max()), 1 / max(float(growth.min()), 1e-9))
    return most < MAX_GROWTH and float(angle.max()) < np.deg2rad(MAX_ROTATION_DEGREES)
