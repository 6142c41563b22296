"""Find what shows only between two searched frames, such as a face in a gap between two pillars.

All frames are decoded, so a small copy of each is at hand. A pixel that is brighter or darker than everything near it
in both searched frames is of something that was in neither. What moves a little stays within what is near it; what
comes and goes does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray

__all__ = ["find_brief_change"]

Image = NDArray[np.uint8]

NEIGHBOURHOOD_PIXELS = 5
"""Side of what is near a pixel of the small copies. Raising it lets things move further, and misses smaller changes."""

MIN_CHANGE = 12
"""Mean excess of 3 by 3 pixels, 0 to 255, from which they are a change. Raising it searches fewer frames."""


def find_brief_change(first: Image, between: Sequence[Image], last: Image) -> tuple[int, FloatArray]:
    """Find the frame that shows most of what neither of two frames around it does.

    Parameters
    ----------
    first, last : uint8 ndarray of shape (H, W, 3)
    between : sequence of uint8 ndarray of shape (H, W, 3)
        The frames between them, at least one.

    Returns
    -------
    place : int
        Position in ``between`` of that frame.
    boxes : ndarray of shape (N, 4)
        Where it shows something else, x, y, width and height in pixels of the copies; empty where it does nowhere.

    Examples
    --------
    >>> empty, full = np.full((2, 36, 64, 3), 90, np.uint8)
    >>> full[10:20, 30:40] = 200
    >>> find_brief_change(empty, [empty, full], empty)
    (1, array([[29.,  9., 12., 12.]]))
    >>> find_brief_change(empty, [full], full)[1].shape
    (0, 4)
    """
    import cv2

    near = np.ones((NEIGHBOURHOOD_PIXELS, NEIGHBOURHOOD_PIXELS), np.uint8)
    brightest, darkest = cv2.dilate(np.maximum(first, last), near), cv2.erode(np.minimum(first, last), near)
    excess = [np.maximum(cv2.subtract(each, brightest), cv2.subtract(darkest, each)).max(axis=2) for each in between]
    smooth = [cv2.blur(each, (3, 3)) for each in excess]
    place = int(np.argmax([each.max() for each in smooth]))
    *_, stats, _ = cv2.connectedComponentsWithStats((smooth[place] >= MIN_CHANGE).astype(np.uint8))
    return place, stats[1:, : cv2.CC_STAT_AREA].astype(np.float64)
