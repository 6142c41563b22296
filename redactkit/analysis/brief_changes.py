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

__all__ = ["find_brief_changes"]

Image = NDArray[np.uint8]

NEIGHBOURHOOD_PIXELS = 5
"""Side of what is near a pixel of the small copies. Raising it lets things move further, and misses smaller changes."""

MIN_CHANGE = 12
"""Mean excess of 3 by 3 pixels, 0 to 255, from which they are a change. Raising it searches fewer frames."""

MAX_FRAMES = 3
"""Most frames that are given. Raising it finds more of what shows one after the other, and takes longer."""

MIN_SHOWN_SHARE = 0.5
"""Share of the highest excess of a pixel in all frames from which one shows it well enough. Raising it gives more."""


def find_brief_changes(first: Image, between: Sequence[Image], last: Image) -> list[tuple[int, FloatArray]]:
    """Find the frames that show best what neither of two frames around them does, and where.

    Parameters
    ----------
    first, last : uint8 ndarray of shape (H, W, 3)
    between : sequence of uint8 ndarray of shape (H, W, 3)
        The frames between them, at least one.

    Returns
    -------
    list of (place, boxes)
        ``place`` is the position of a frame in ``between``; ``boxes``, shape (N, 4), are where it shows what no frame
        before it in the list shows as well: x, y, width and height in pixels of the copies.

    Examples
    --------
    >>> empty, left, right = np.full((3, 36, 64, 3), 90, np.uint8)
    >>> left[10:20, 10:20], right[10:20, 30:40] = 200, 190
    >>> find_brief_changes(empty, [empty, left, right, right], empty)
    [(1, array([[ 9.,  9., 12., 12.]])), (2, array([[29.,  9., 12., 12.]]))]
    >>> find_brief_changes(empty, [left], left)
    []
    """
    import cv2

    near = np.ones((NEIGHBOURHOOD_PIXELS, NEIGHBOURHOOD_PIXELS), np.uint8)
    brightest, darkest = cv2.dilate(np.maximum(first, last), near), cv2.erode(np.minimum(first, last), near)
    excess = [np.maximum(cv2.subtract(each, brightest), cv2.subtract(darkest, each)).max(axis=2) for each in between]
    shown = np.array([cv2.blur(each, (3, 3)) for each in excess])
    highest = shown.max(axis=0)
    left = highest >= MIN_CHANGE
    found: list[tuple[int, FloatArray]] = []
    while left.any() and len(found) < MAX_FRAMES:
        place = int((shown * left).max(axis=(1, 2)).argmax())
        _, labels, stats, _ = cv2.connectedComponentsWithStats((shown[place] >= MIN_CHANGE).astype(np.uint8))
        new = np.setdiff1d(labels[left], 0)
        found.append((place, stats[new, : cv2.CC_STAT_AREA].astype(np.float64)))
        left &= shown[place] < np.maximum(MIN_SHOWN_SHARE * highest, MIN_CHANGE)
    return found
