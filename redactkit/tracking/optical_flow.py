"""Boxes followed from one frame to another by their pixels alone.

References
----------
Kalal, Mikolajczyk and Matas, "Forward-Backward Error: Automatic Detection of Tracking Failures", ICPR 2010: a grid of
points is followed there and back, those that do not return are dropped, and the median of the rest moves the box.
Bouguet, "Pyramidal Implementation of the Lucas Kanade Feature Tracker", 2000.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import pdist

from redactkit.boxes import FloatArray, as_boxes, to_corners
from redactkit.errors import OptionError

__all__ = ["FlowOptions", "follow", "window"]

GrayImage = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]

GRID_POINTS = 8
"""Points across and down a box."""
SEARCH_REACH_FACTOR = 9
"""Windows that a point may go, and half a window more that is compared there."""
PATCH_PIXELS = 24
"""Side in pixels to which a box is scaled before its look is compared."""


@dataclass(frozen=True)
class FlowOptions:
    """What is taken for the same face.

    Parameters
    ----------
    returned : float
        Share of a box's points that must come back to where they started.
    mismatched : float
        Pixels by which a point may miss its start, or 0.02 of the box's size where that is more.
    likeness : float
        Correlation of the box's picture before and after, -1 to 1.
    growth : float
        Most by which a box may grow or shrink from one frame to the other, as a factor.
    reach : int
        Side in pixels of the window compared; eight times that is about the longest way found.
    """

    returned: float = 0.4
    mismatched: float = 1.0
    likeness: float = 0.6
    growth: float = 1.25
    reach: int = 15


def follow(
    previous: GrayImage, current: GrayImage, boxes: ArrayLike, *, options: FlowOptions | None = None
) -> tuple[FloatArray, BoolArray]:
    """Find the boxes of one frame again in another.

    Parameters
    ----------
    previous, current : ndarray of shape (H, W), uint8
        The frame the boxes are of, and the one to find them in, in grey and of one size.
    boxes : array_like of shape (N, 4)
        Boxes on ``previous``, in pixels.
    options : FlowOptions, optional

    Returns
    -------
    boxes : ndarray of shape (N, 4)
        Where they are on ``current``; where they were, for those not found.
    ok : ndarray of shape (N,), bool
        Which were found: enough points came back, and the picture still looks the same.

    Raises
    ------
    OptionError
        If an image is not grey, not uint8, or the two differ in size.
    TableError
        If ``boxes`` has another shape than (N, 4).
    """
    options = options or FlowOptions()
    _check_images(previous, current)
    start = as_boxes(boxes)
    if not len(start):
        return start, np.zeros(0, bool)
    points = _grid(start)
    there, valid, back, returned = _there_and_back(previous, current, start, points, options.reach)
    size = np.sqrt(np.clip(start[:, 2] * start[:, 3], 0, None))
    mismatched = np.linalg.norm(back - points, axis=2)
    good = (
        valid
        & returned
        & (mismatched <= np.maximum(options.mismatched, 0.02 * size)[:, None])
        & _inside(points, previous)
    )
    ok = good.mean(axis=1) >= options.returned
    moved = _moved(start, points, there, good, options.growth)
    ok &= _correlation(previous, current, start, moved) >= options.likeness
    return np.where(ok[:, None], moved, start), ok


def _check_images(previous: GrayImage, current: GrayImage) -> None:
    for image in (previous, current):
        if image.ndim != 2 or image.dtype != np.uint8:
            raise OptionError(f"an image must be grey, (H, W) uint8, got {image.shape} {image.dtype}")
    if previous.shape != current.shape:
        raise OptionError(f"both images must have one size, got {previous.shape} and {current.shape}")


def _grid(boxes: FloatArray) -> FloatArray:
    """Return points spread over the inner part of each box, (N, GRID_POINTS ** 2, 2)."""
    share = np.linspace(0.1, 0.9, GRID_POINTS)
    unit = np.stack(np.meshgrid(share, share), axis=-1).reshape(1, -1, 2)
    return np.asarray(boxes[:, None, :2] + unit * boxes[:, None, 2:])


def window(image: GrayImage, boxes: FloatArray, *, reach: float) -> tuple[GrayImage, int, int]:
    """Return the part of a picture that shows boxes and ``reach`` pixels around them, and its left and top edge.

    It is never empty: of boxes outside the picture it shows the pixels nearest to them.
    """
    height, width = image.shape
    corners = to_corners(boxes)
    left, top = (
        int(np.clip(np.floor(corners[:, k].min() - reach), 0, side - 1)) for k, side in ((0, width), (1, height))
    )
    right, bottom = (int(np.ceil(corners[:, k].max() + reach)) for k in (2, 3))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)], left, top


def _there_and_back(
    previous: GrayImage, current: GrayImage, boxes: FloatArray, points: FloatArray, reach: int
) -> tuple[FloatArray, BoolArray, FloatArray, BoolArray]:
    """Follow points to the second picture and from there back, in the part of both that they can get to."""
    (first, left, top), (second, _, _) = (
        window(image, boxes, reach=SEARCH_REACH_FACTOR * reach) for image in (previous, current)
    )
    corner = np.array([left, top])
    there, valid = _flow(first, second, points - corner, reach)
    back, returned = _flow(second, first, there, reach)
    return there + corner, valid, back + corner, returned


def _flow(first: GrayImage, second: GrayImage, points: FloatArray, reach: int) -> tuple[FloatArray, BoolArray]:
    flat = points.reshape(-1, 1, 2).astype(np.float32)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(first, second, flat, flat.copy(), winSize=(reach, reach), maxLevel=3)
    return moved.reshape(points.shape).astype(np.float64), status.reshape(points.shape[:2]) == 1


def _inside(points: FloatArray, image: GrayImage) -> BoolArray:
    height, width = image.shape
    return np.asarray(((points >= 0) & (points < (width, height))).all(axis=2))


def _moved(boxes: FloatArray, before: FloatArray, after: FloatArray, good: BoolArray, growth: float) -> FloatArray:
    """Move and scale each box by the medians over its good points; a box with none stays."""
    result = boxes.copy()
    for index in np.flatnonzero(good.sum(axis=1) >= 2):
        p, q = before[index, good[index]], after[index, good[index]]
        scale = np.clip(_scale(p, q), 1 / growth, growth)
        center = boxes[index, :2] + boxes[index, 2:] / 2
        center = np.median(q - scale * (p - center), axis=0)
        sides = boxes[index, 2:] * scale
        result[index] = *(center - sides / 2), *sides
    return result


def _scale(before: FloatArray, after: FloatArray) -> float:
    """Return the median change of the distances between points."""
    return float(np.median(pdist(after) / np.maximum(pdist(before), 1e-6)))


def _correlation(previous: GrayImage, current: GrayImage, before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the normalised correlation of each box's picture before and after, 0 where there is nothing to see."""
    old = np.stack([_patch(previous, box) for box in before])
    new = np.stack([_patch(current, box) for box in after])
    old -= old.mean(axis=1, keepdims=True)
    new -= new.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    return np.asarray((old * new).sum(axis=1) / np.maximum(norm, 1.0))


def _patch(image: GrayImage, box: FloatArray) -> FloatArray:
    """Return a box's picture as a vector of PATCH_PIXELS ** 2 values; beyond the frame its border goes on."""
    scale = box[2:] / PATCH_PIXELS
    corner = box[:2] + scale / 2 - 0.5
    turn = np.array([[scale[0], 0, corner[0]], [0, scale[1], corner[1]]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(image, turn, (PATCH_PIXELS, PATCH_PIXELS), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(patch, np.float64).ravel()
