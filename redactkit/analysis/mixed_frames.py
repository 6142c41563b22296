"""Frames that belong to no shot for sure: blended ones, fields of two shots, flashes, shots of a frame or two."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.shot_boundaries import THUMBNAIL_SIZE, likeness

__all__ = ["MixFinder", "brief_stretches", "mixed_stretches", "show_two_shots"]

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
IntArray = NDArray[np.int64]

REACHES = (1, 2, 4, 8)
"""Frames before and after one of which it may be a mixture; the farthest is what parts of a video overlap by."""

UNLIKE = {1: 0.8, 2: 0.8, 4: 0.9, 8: 0.9}
"""Likeness of those two frames from which they show one shot, by reach: up to it, what lies between may be a mixture.

From the middle of a long dissolve, both frames show much of both shots and are more alike.
"""

LEAST_CHANGE = 4.0
"""Mean difference of a pixel between those two frames, 0 to 255, below which nothing is told."""

LEAST_SHARE = 0.07
"""Share of either frame from which it shows in the mixture."""

MISFIT = 0.6
"""What the mixture leaves unexplained, to what the weaker of the two frames adds to it: more, and something moved."""

JUMPS = ((6.0, 0.65), (12.0, 0.845))
"""Mean change of a pixel and likeness to the frame before: with more change and less likeness a frame jumps."""

PLAIN = 4.0
"""Standard deviation of a small picture below which it shows nothing, as a flash or a black frame does."""

BRIEF = 2
"""Most frames of a shot that is too short for a face to be followed in it."""

FEW = 5
"""Most frames of a video in which every frame counts as one of a brief shot."""

BRIDGED = 2
"""Most frames between two mixtures that are taken for one too."""


class MixFinder:
    """Find the frames that are a mixture of an earlier and a later one, and those that are unlike the one before.

    A frame is fitted by least squares as ``(1 - t) * earlier + t * later``. In a dissolve that fits, with any ``t``, as
    it does where the two fields of a frame are of two shots: a small picture shows their mean. Motion does not fit.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.integers(0, 255, (2, 36, 64, 3), np.uint8)
    >>> finder = MixFinder()
    >>> for frame in (first, first, first // 2 + second // 2, second, second):
    ...     finder.add(frame)
    >>> finder.mixed().tolist()
    [2]
    """

    def __init__(self) -> None:
        self._recent: deque[_Small] = deque(maxlen=2 * REACHES[-1] + 1)
        self._seen = 0
        self._mixed: list[int] = []
        self._jumps: list[int] = []

    def add(self, image: Image) -> None:
        """Take the next frame.

        Parameters
        ----------
        image : uint8 ndarray of shape (H, W, 3)
            The whole frame, at any size; `THUMBNAIL_SIZE` or some multiple of it is enough.
        """
        small = _Small(image)
        if self._recent and _jumps(self._recent[-1], small):
            self._jumps.append(self._seen)
        self._recent.append(small)
        self._seen += 1
        number = self._seen - 1 - REACHES[-1]
        if number >= 0 and _is_mixed(self._recent, len(self._recent) - 1 - REACHES[-1]):
            self._mixed.append(number)

    def mixed(self) -> IntArray:
        """Return the frames so far that are mixtures, ascending."""
        # The last frames have not been judged yet: what comes after them may still come.
        last = range(max(len(self._recent) - REACHES[-1], 0), len(self._recent))
        first = self._seen - len(self._recent)
        found = [first + place for place in last if _is_mixed(self._recent, place)]
        return np.array(self._mixed + found, np.int64)

    def jumps(self) -> IntArray:
        """Return the frames so far that are unlike the one before, cuts or not, ascending."""
        return np.array(self._jumps, np.int64)


class _Small:
    """A small picture of a frame."""

    def __init__(self, image: Image) -> None:
        import cv2

        self.image = np.asarray(cv2.resize(image, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        self.values: Floats = self.image.astype(np.float32).ravel()
        self.plain = float(self.values.std()) < PLAIN


def _likeness(earlier: _Small, later: _Small) -> float:
    """Return the likeness of two pictures; nothing is like one that shows nothing."""
    return 0.0 if earlier.plain or later.plain else likeness(earlier.image, later.image)


def _jumps(earlier: _Small, later: _Small) -> bool:
    change = float(np.abs(later.values - earlier.values).mean())
    if change < JUMPS[0][0]:
        return False
    alike = _likeness(earlier, later)
    return any(change >= least and alike < most for least, most in JUMPS)


def _is_mixed(recent: deque[_Small], place: int) -> bool:
    """Tell whether one of some consecutive frames is a mixture of two others."""
    middle = recent[place].values
    for reach in REACHES:
        earlier, later = recent[max(place - reach, 0)], recent[min(place + reach, len(recent) - 1)]
        if _fits(middle, earlier.values, later.values) and _likeness(earlier, later) < UNLIKE[reach]:
            return True
    return False


def _fits(middle: Floats, earlier: Floats, later: Floats) -> bool:
    way = later - earlier
    if float(np.abs(way).mean()) < LEAST_CHANGE:
        return False
    gone, length = middle - earlier, float(way @ way)
    share = float(gone @ way) / length
    weaker = min(share, 1 - share)
    return weaker >= LEAST_SHARE and float(np.linalg.norm(gone - share * way)) <= MISFIT * weaker * length**0.5


def mixed_stretches(mixed: IntArray, *, frames: int) -> IntArray:
    """Return the first and last frames of stretches of mixtures, shape (K, 2).

    The first and last frames of a dissolve show little of one shot and are not told from motion, so a stretch of
    several frames is taken to be longer at both ends.

    Examples
    --------
    >>> mixed_stretches(np.array([5, 20, 21, 23]), frames=100).tolist()
    [[5, 5], [18, 25]]
    """
    if not len(mixed):
        return np.zeros((0, 2), np.int64)
    breaks = np.flatnonzero(np.diff(mixed) > BRIDGED + 1)
    first, last = mixed[np.r_[0, breaks + 1]], mixed[np.r_[breaks, len(mixed) - 1]]
    more = np.where(last > first, (last - first + 2) // 2, 0)
    return np.stack([np.maximum(first - more, 0), np.minimum(last + more, frames - 1)], axis=1)


def brief_stretches(jumps: IntArray, *, frames: int) -> IntArray:
    """Return the first and last frames of what shows for a frame or two only, shape (K, 2).

    Examples
    --------
    >>> brief_stretches(np.array([7, 9, 40]), frames=100).tolist()
    [[7, 8]]
    >>> brief_stretches(np.array([], np.int64), frames=1).tolist()
    [[0, 0]]
    """
    if 0 < frames <= FEW:
        return np.array([[0, frames - 1]], np.int64)
    edges = np.concatenate([[0], jumps, [frames]]).astype(np.int64)
    brief = np.flatnonzero((np.diff(edges) > 0) & (np.diff(edges) <= BRIEF))
    return np.stack([edges[brief], edges[brief + 1] - 1], axis=1)


def show_two_shots(earlier: Image, later: Image) -> bool:
    """Tell whether the frames on both sides of a stretch of mixtures show two shots, shape (H, W, 3) each."""
    before, after = _Small(earlier), _Small(later)
    change, alike = JUMPS[0]
    return float(np.abs(after.values - before.values).mean()) >= change and _likeness(before, after) < alike
