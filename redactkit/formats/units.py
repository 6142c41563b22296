"""Pixels or shares of the frame, seconds or milliseconds: told apart by the numbers, or refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import AnnotationError
from redactkit.formats.normalize import Remark

__all__ = [
    "SIZELESS",
    "UNITS",
    "check_seconds",
    "fit_sizes",
    "from_percent",
    "from_pixels",
    "from_shares",
    "from_units",
]

Boxes = NDArray[np.float64]
Size = tuple[int, int]

UNITS = ("pixels", "percent", "shares")
"""What the numbers of a box may be, where its file does not say."""
SIZELESS = {"csv", "kitti", "mot", "openface", "parquet", "via", "visdrone", "wider"}
"""Formats whose boxes are in pixels of a frame of which they need not say the size."""

MAX_SHARE = 4.0  # a box whose numbers are all smaller is a share of the frame, or too small to hold a face
SHARE_SIDE = 1.5  # sides of boxes that are given in pixels all lie above this, or they are shares
SLOWEST_STEP = 10.0  # instants of a file are no more than so many seconds apart, or they are no seconds
LARGE = 300  # pixels of a frame's shorter side, from which boxes that all lie within 100 are hardly pixels
BEYOND = 20.0  # percent by which a box may reach beyond the frame
FAR = 60.0  # percent across which such boxes spread, or they are few faces in the corner
FEWEST, CORNER = 3, 4.0  # boxes from which it is no accident that all lie within 100, and the frame so many times that
_SAY_UNITS = "say which they are with units='percent' or units='pixels' of read_annotations (--units)"
LIKE_SHAPE = 0.05  # by which part of itself an image's aspect ratio may differ from the video's


def from_shares(shares: Boxes, size: Size, *, where: Callable[[int], str]) -> tuple[Boxes, list[Remark]]:
    """Return boxes in pixels that a format gives as shares of the frame.

    Some tools write pixels into the same fields. Where all boxes of a file are such, they are taken for pixels.

    Parameters
    ----------
    shares : ndarray of shape (N, 4)
        x, y, width, height.
    size : (int, int)
        The frame's width and height in pixels.
    where : callable
        Gives the place of row n in the file.

    Raises
    ------
    AnnotationError
        If some boxes are shares and some can be none, if those that can be none do not lie in the frame, or if they
        may as well be percent.
    """
    large = (np.abs(shares) > MAX_SHARE).any(axis=1)
    if not large.any():
        return shares * [*size, *size], []
    row = int(np.argmax(large))
    example = f"{shares[row].tolist()} - at `{where(row)}`"
    if not large.all():
        raise AnnotationError(
            f"{int((~large).sum())} boxes are shares of the frame and {int(large.sum())} cannot be: {example}; "
            "write all of them in shares"
        )
    overlap = (shares[:, :2] < size).all(axis=1) & (shares[:, :2] + shares[:, 2:] > 0).all(axis=1)
    if not overlap.all() or (shares[:, 2:] > 2 * np.array(size)).any():
        raise AnnotationError(f"expected shares of the frame, got boxes that are neither shares nor pixels: {example}")
    # However few they are: taken for pixels by mistake, they would hide a corner and leave the faces bare.
    if _all_in_corner(shares, size) or (min(size) >= LARGE and not _are_whole(shares) and _within_percent(shares)):
        raise AnnotationError(
            f"expected shares of the frame, got boxes that may be percent, or pixels of its corner: {example}; "
            f"write them in shares from 0 to 1, or {_SAY_UNITS}"
        )
    text = f"this format gives boxes as shares of the frame, but here they are in pixels of {size[0]}x{size[1]}"
    return shares, [Remark("pixels for shares", text)]


def from_units(boxes: Boxes, size: Size, units: str) -> Boxes:
    """Return boxes in pixels whose units, one of `UNITS`, the caller knows.

    Raises
    ------
    AnnotationError
        If they are no pixels and the frame's size is unknown.

    Examples
    --------
    >>> from_units(np.array([[10.0, 20, 30, 40]]), (200, 100), "percent").tolist()
    [[20.0, 20.0, 60.0, 40.0]]
    """
    if units == "pixels":
        return boxes
    if size[0] <= 0:
        raise AnnotationError(
            f"boxes in {units} need the frame's size; pass frame_size=(width, height) (--size WxH) or video (--video)"
        )
    return boxes * [*size, *size] / (100 if units == "percent" else 1)


def from_pixels(boxes: Boxes, size: Size, *, sized: bool = False) -> tuple[Boxes, list[Remark]]:
    """Return boxes in pixels that a format gives in pixels.

    Some tools write shares of the frame into the same fields. Where all boxes have sides of a pixel and less and
    stand within a pixel of the corner, they are shares.

    Parameters
    ----------
    boxes : ndarray of shape (N, 4)
    size : (int, int)
        The frame's width and height in pixels; zeros where nobody knows them.
    sized : bool
        The file itself says how large its frames are in pixels, so that its boxes are hardly percent.

    Raises
    ------
    AnnotationError
        If they are shares and the frame's size is unknown, or if they may as well be percent.
    """
    if not _look_like_shares(boxes):
        if not _may_be_percent(boxes, size):
            return boxes, []
        text = f"no box reaches beyond 100, so they may be percent, not pixels of {size[0]}x{size[1]}"
        if sized:
            return boxes, [Remark("may be percent", f"{text}; look at the result")]
        # Taken for pixels by mistake, they would hide a corner and leave the faces bare.
        raise AnnotationError(f"{text}, such as {boxes[0].tolist()}; {_SAY_UNITS}")
    if size[0] <= 0:
        raise AnnotationError(
            f"boxes such as {boxes[0].tolist()} are shares of the frame, not pixels, and the file has no frame size; "
            "pass frame_size=(width, height) (--size WxH) or video (--video)"
        )
    text = f"boxes are shares of the frame, not pixels; they were multiplied by {size[0]}x{size[1]}"
    return boxes * [*size, *size], [Remark("shares for pixels", text)]


def _may_be_percent(boxes: Boxes, size: Size) -> bool:
    """Return whether boxes lie in what would be a frame of 100 x 100, in the corner of a much larger one."""
    known = boxes[np.isfinite(boxes).all(axis=1)]
    if _all_in_corner(known, size):
        return True
    # Who counts pixels of a corner mostly writes whole numbers; percent have fractions.
    if min(size) < LARGE or len(known) < 2 or _are_whole(known):
        return False
    return _within_percent(known) and bool(np.ptp(_corners(known), axis=0).max() >= FAR)


def _all_in_corner(boxes: Boxes, size: Size) -> bool:
    """Return whether percent and pixels can both be meant, also by whole numbers."""
    corners = _corners(boxes)
    return len(boxes) >= FEWEST and min(size) > CORNER * 100 and bool((corners >= 0).all() and (corners <= 100).all())


def _are_whole(boxes: Boxes) -> bool:
    return bool((boxes == np.floor(boxes)).all())


def _within_percent(boxes: Boxes) -> bool:
    corners = _corners(boxes)
    # Faces at the edge of the frame may reach beyond it.
    return bool((corners > -BEYOND).all() and (corners < 100 + BEYOND).all())


def _corners(boxes: Boxes) -> NDArray[np.float64]:
    return np.vstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])


def _look_like_shares(boxes: Boxes) -> bool:
    known = boxes[np.isfinite(boxes).all(axis=1)]
    if not len(known) or _are_whole(known):
        return False
    sides, corners = known[:, 2:], known[:, :2]
    return bool((sides > 0).all() and (sides <= SHARE_SIDE).all() and (np.abs(corners) <= SHARE_SIDE).all())


def fit_sizes(boxes: Boxes, sizes: Sequence[Size], size: Size) -> Boxes:
    """Return boxes that are in pixels of their own images in pixels of the frame, where images have several sizes.

    Parameters
    ----------
    boxes : ndarray of shape (N, 4)
    sizes : sequence of (int, int)
        Width and height of each box's image.
    size : (int, int)
        The frame's.

    Raises
    ------
    AnnotationError
        If an image is of another shape than the frame, so that it can be no frame of it.
    """
    own = np.array(sizes, np.float64).reshape(-1, 2)
    shape = own[:, 0] * size[1] / (own[:, 1] * size[0])
    other = np.abs(shape - 1) > LIKE_SHAPE
    if other.any():
        width, height = own[int(np.argmax(other))]
        raise AnnotationError(
            f"an image of {width:.0f}x{height:.0f} is of another shape than the video's {size[0]}x{size[1]} frames; "
            "the file is not of this video alone"
        )
    fitted: Boxes = boxes * np.tile(np.array(size) / own, 2)
    return fitted


def check_seconds(
    times: NDArray[np.float64], *, frames: NDArray[np.float64] | None, end: float | None
) -> tuple[NDArray[np.float64], list[Remark]]:
    """Return times in seconds of a column that does not say whether it holds seconds or milliseconds.

    Parameters
    ----------
    times : ndarray of shape (N,)
    frames : ndarray of shape (N,) or None
        The numbers of their frames, where there are any.
    end : float or None
        When the video ends, in seconds, where it is known.

    Raises
    ------
    AnnotationError
        If they may be milliseconds and nothing tells.
    """
    known, first = np.unique(times, return_index=True)
    if len(known) < 2 or not (known == np.floor(known)).all():
        return times, []
    steps = np.diff(known) if frames is None else np.diff(known) / np.maximum(np.abs(np.diff(frames[first])), 1)
    if not np.median(steps) >= SLOWEST_STEP:
        return times, []
    if end is not None and known[-1] <= end + 1:
        return times, []
    if end is not None and known[-1] / 1000 <= end + 1:
        return times / 1000, [Remark("milliseconds", "times are milliseconds, not seconds; they were divided by 1000")]
    raise AnnotationError(
        f"times such as {known[0]:g} and {known[1]:g} may be milliseconds; name the column time_ms, or seconds, "
        "or pass video (--video)"
    )


def from_percent(
    box: tuple[float, float, float, float], size: Size, *, rotation: float, where: str
) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom in pixels of the upright box around one in percent of the frame.

    Parameters
    ----------
    box : (float, float, float, float)
        x, y, width, height in percent.
    size : (int, int)
    rotation : float
        Degrees clockwise about the corner at the left top.
    where : str
        The place in the file, for errors.

    Raises
    ------
    AnnotationError
        If a number is not finite.

    Examples
    --------
    >>> from_percent((10, 20, 30, 40), (200, 100), rotation=0, where="")
    (20.0, 20.0, 80.0, 60.0)
    """
    x, y, width, height = (value * side / 100 for value, side in zip(box, (*size, *size), strict=True))
    if not all(map(math.isfinite, (x, y, width, height, rotation))):
        raise AnnotationError(f"expected finite numbers, got {list(box)} - at {where}")
    if not rotation % 360:
        return x, y, x + width, y + height
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    across = [x, x + width * cos, x - height * sin, x + width * cos - height * sin]
    down = [y, y + width * sin, y + height * cos, y + width * sin + height * cos]
    return min(across), min(down), max(across), max(down)
