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
from redactkit.following.views import GrayImage, Shape, project

__all__ = ["FLAT_KINDS", "Motion", "fit", "flow", "pick_points"]

BoolArray = NDArray[np.bool_]

FLAT_KINDS = frozenset({"plate", "screen", "document"})
"""Kinds of objects that are flat, so that their perspective is followed too."""

WINDOW_PIXELS = 13
"""Side of the Lucas-Kanade window in a view. Raising it is more robust, and less exact at edges."""

MAX_RETURN_ERROR = 1.0
"""Forward-backward error in pixels of the view up to which a point has returned. Raising it keeps more points."""

MAX_RESIDUAL = 1.5
"""Distance in pixels of the view from the fitted motion up to which a point agrees. Raising it keeps more points."""

MIN_POINTS = 6
"""Agreeing points below which no motion is fitted."""

MIN_FLAT_POINTS = 20
"""Agreeing points below which a flat object's motion is fitted without perspective."""

MAX_GROWTH = 1.25
"""Largest factor by which an object grows or shrinks in one step."""

MAX_TURN_DEGREES = 25.0
"""Largest angle by which an object turns in one step."""

MAX_PERSPECTIVE = 0.25
"""Largest change of a corner's depth, as a share, in one step."""


@dataclass(frozen=True)
class Motion:
    """A fitted motion: a homography in the object's own coordinates, and which points agree with it."""

    matrix: FloatArray
    agreed: BoolArray


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
    # A plain cell has no point that flow could hold.
    held = cells.max(axis=2).ravel() > 0.002 * float(strength.max())
    return np.asarray(points[held], np.float64)


def flow(
    before: GrayImage, after: GrayImage, points: FloatArray, *, levels: int, check: bool
) -> tuple[FloatArray, BoolArray]:
    """Track points of one view to another by pyramidal Lucas-Kanade.

    Parameters
    ----------
    points : ndarray of shape (N, 2)
        In pixels of the view, a pixel's middle at a half.
    levels : int
        Highest level of the image pyramid.
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
    matrix, agreed = np.vstack([partial, [0, 0, 1]]), inside.ravel() == 1
    if flat and len(index) >= MIN_FLAT_POINTS:
        full, inside = cv2.findHomography(p, q, cv2.RANSAC, MAX_RESIDUAL, maxIters=300, confidence=0.995)
        wide = full is not None and int(inside.sum()) >= max(MIN_FLAT_POINTS, int(agreed.sum()))
        if wide and is_plausible(np.asarray(full, np.float64), shape):
            matrix, agreed = np.asarray(full, np.float64), inside.ravel() == 1
    if not is_plausible(matrix, shape):
        return None
    found = np.zeros(len(good), bool)
    found[index[agreed]] = True
    return Motion(np.asarray(matrix, np.float64), found)


def is_plausible(matrix: FloatArray, shape: Shape) -> bool:
    """Return whether an object may move so in one step: it neither flips nor jumps in size, angle or depth."""
    corners = shape.corners
    depth = corners @ matrix[2, :2] + matrix[2, 2]
    if (np.abs(depth - 1) > MAX_PERSPECTIVE).any():
        return False
    edges = np.roll(project(matrix, corners), -1, axis=0) - project(matrix, corners)
    was = np.roll(corners, -1, axis=0) - corners
    growth = np.linalg.norm(edges, axis=1) / np.linalg.norm(was, axis=1)
    turn = np.abs((np.angle(edges @ [1, 1j]) - np.angle(was @ [1, 1j]) + np.pi) % (2 * np.pi) - np.pi)
    return bool(
        (growth < MAX_GROWTH).all() and (growth > 1 / MAX_GROWTH).all() and turn.max() < np.deg2rad(MAX_TURN_DEGREES)
    )
