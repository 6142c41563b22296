"""Track boxes from one frame to another by sparse optical flow: the median flow tracker.

A grid of points in each box is tracked by pyramidal Lucas-Kanade, forwards and backwards. Points that do not return to
where they started are dropped, and the medians over the others move and scale the box.

References
----------
Kalal, Mikolajczyk and Matas, "Forward-Backward Error: Automatic Detection of Tracking Failures", ICPR 2010.
Bouguet, "Pyramidal Implementation of the Lucas Kanade Feature Tracker", 2000.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import FloatArray, as_boxes, to_corners
from redactkit.errors import OptionError

__all__ = ["FlowOptions", "follow", "window"]

GrayImage = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]

GRID_POINTS = 8
"""Points across and down a box. Raising it is more robust, and slower."""

PYRAMID_LEVELS = 3
"""Highest level of the image pyramid. Each level doubles how far a point may move between frames."""

SEARCH_FACTOR = 9
"""Margin of the searched part of the frame, in windows: eight for the motion, and one that is compared there."""

PATCH_PIXELS = 24
"""Side in pixels to which a box is scaled before its pixels are compared."""

MAX_RETURN_ERROR_SHARE = 0.02
"""Forward-backward error of a point, in shares of the box's size, up to which it is good in any case."""


@dataclass(frozen=True)
class FlowOptions:
    """When a box counts as tracked.

    Parameters
    ----------
    min_returned_share : float
        Share of a box's points that must return to where they started. Raising it tracks fewer boxes, more safely.
    max_return_error : float
        Forward-backward error in pixels up to which a point has returned, or 0.02 of the box's size where that is
        more. Raising it tracks more boxes, less exactly.
    min_correlation : float
        Least normalised cross-correlation of the box's pixels before and after, -1 to 1. Raising it tracks fewer boxes.
    max_growth : float
        Largest factor by which a box may grow or shrink between the two frames.
    window_pixels : int
        Side of the Lucas-Kanade window. About eight times that is the longest motion found. Raising it finds faster
        motion, and is slower.
    """

    min_returned_share: float = 0.4
    max_return_error: float = 1.0
    min_correlation: float = 0.6
    max_growth: float = 1.25
    window_pixels: int = 15


def follow(
    previous: GrayImage, current: GrayImage, boxes: ArrayLike, *, options: FlowOptions | None = None
) -> tuple[FloatArray, BoolArray]:
    """Track the boxes of one frame to another by optical flow.

    Parameters
    ----------
    previous, current : ndarray of shape (H, W), uint8
        The frame that the boxes are of and the one to track them to, gray, of the same size.
    boxes : array_like of shape (N, 4)
        Boxes on ``previous``, in pixels.
    options : FlowOptions, optional

    Returns
    -------
    boxes : ndarray of shape (N, 4)
        The boxes on ``current``; unchanged for those not tracked.
    ok : ndarray of shape (N,), bool
        Which were tracked: enough points returned, and the pixels still correlate.

    Raises
    ------
    OptionError
        If an image is not gray, not uint8, or the two differ in size.
    TableError
        If ``boxes`` has another shape than (N, 4).
    """
    options = options or FlowOptions()
    _check_images(previous, current)
    start = as_boxes(boxes)
    if not len(start):
        return start, np.zeros(0, bool)
    points = _grid(start)
    forward, valid, back, returned = _forward_backward(previous, current, start, points, options.window_pixels)
    # A point is good if the flow found it both times and its forward-backward error is small.
    size = np.sqrt(np.clip(start[:, 2] * start[:, 3], 0, None))
    error = np.linalg.norm(back - points, axis=2)
    good = (
        valid
        & returned
        & (error <= np.maximum(options.max_return_error, MAX_RETURN_ERROR_SHARE * size)[:, None])
        & _inside(points, previous)
    )
    ok = good.mean(axis=1) >= options.min_returned_share
    moved = _moved(start, points, forward, good, options.max_growth)
    # Points on the background may return as well, so the pixels must still correlate.
    ok &= _correlation(previous, current, start, moved) >= options.min_correlation
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
    """Return the part of an image that shows boxes with a margin of ``reach`` pixels, and its left and top edge.

    It is never empty: for boxes outside the image it shows the pixels nearest to them.
    """
    height, width = image.shape
    corners = to_corners(boxes)
    left, top = (
        int(np.clip(np.floor(corners[:, k].min() - reach), 0, side - 1)) for k, side in ((0, width), (1, height))
    )
    right, bottom = (int(np.ceil(corners[:, k].max() + reach)) for k in (2, 3))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)], left, top


def _forward_backward(
    previous: GrayImage, current: GrayImage, boxes: FloatArray, points: FloatArray, window_pixels: int
) -> tuple[FloatArray, BoolArray, FloatArray, BoolArray]:
    """Track points to the second image and back, in the part of both images that they can reach."""
    # Flow on the part around the boxes takes a fraction of the time of the whole frame.
    (first, left, top), (second, _, _) = (
        window(image, boxes, reach=SEARCH_FACTOR * window_pixels) for image in (previous, current)
    )
    corner = np.array([left, top])
    forward, valid = _flow(first, second, points - corner, window_pixels)
    back, returned = _flow(second, first, forward, window_pixels)
    return forward + corner, valid, back + corner, returned


def _flow(first: GrayImage, second: GrayImage, points: FloatArray, window_pixels: int) -> tuple[FloatArray, BoolArray]:
    flat = points.reshape(-1, 1, 2).astype(np.float32)
    size = (window_pixels, window_pixels)
    moved, status, _ = cv2.calcOpticalFlowPyrLK(first, second, flat, flat.copy(), winSize=size, maxLevel=PYRAMID_LEVELS)
    return moved.reshape(points.shape).astype(np.float64), status.reshape(points.shape[:2]) == 1


def _inside(points: FloatArray, image: GrayImage) -> BoolArray:
    height, width = image.shape
    return np.asarray(((points >= 0) & (points < (width, height))).all(axis=2))


def _moved(boxes: FloatArray, before: FloatArray, after: FloatArray, good: BoolArray, max_growth: float) -> FloatArray:
    """Move and scale each box by the medians over its good points; a box with none stays."""
    result = boxes.copy()
    # A scale takes two points at least.
    for index in np.flatnonzero(good.sum(axis=1) >= 2):
        p, q = before[index, good[index]], after[index, good[index]]
        scale = np.clip(_scale(p, q), 1 / max_growth, max_growth)
        # Each point proposes a new centre, as if the box were scaled about it; the median counts.
        center = boxes[index, :2] + boxes[index, 2:] / 2
        center = np.median(q - scale * (p - center), axis=0)
        sides = boxes[index, 2:] * scale
        result[index] = *(center - sides / 2), *sides
    return result


def _scale(before: FloatArray, after: FloatArray) -> float:
    """Return the median ratio of the distances between points, after to before."""
    first, second = np.triu_indices(len(before), 1)
    was, now = (np.sqrt(((points[first] - points[second]) ** 2).sum(axis=1)) for points in (before, after))
    return float(np.median(now / np.maximum(was, 1e-6)))


def _correlation(previous: GrayImage, current: GrayImage, before: FloatArray, after: FloatArray) -> FloatArray:
    """Return the normalised cross-correlation of each box's pixels before and after, 0 for plain ones."""
    old = np.stack([_patch(previous, box) for box in before])
    new = np.stack([_patch(current, box) for box in after])
    # Without mean and norm, brightness and contrast do not matter.
    old -= old.mean(axis=1, keepdims=True)
    new -= new.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
    return np.asarray((old * new).sum(axis=1) / np.maximum(norm, 1.0))


def _patch(image: GrayImage, box: FloatArray) -> FloatArray:
    """Return a box's pixels as a vector of PATCH_PIXELS ** 2 values; beyond the frame its border is repeated."""
    scale = box[2:] / PATCH_PIXELS
    corner = box[:2] + scale / 2 - 0.5
    affine = np.array([[scale[0], 0, corner[0]], [0, scale[1], corner[1]]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(image, affine, (PATCH_PIXELS, PATCH_PIXELS), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(patch, np.float64).ravel()
