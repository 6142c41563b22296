"""Detect mixed frames, which show two shots at once, and shots of a frame or two.

Mixed frames come from dissolves, from frame rate conversion by blending, and from interlaced video, where the fields of
one frame may be of two shots. Each is fitted as a linear blend of an earlier and a later frame by least squares.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.shot_boundaries import THUMBNAIL_SIZE, shifted_correlation

__all__ = ["MixFinder", "brief_ranges", "mixed_ranges", "show_two_shots"]

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
IntArray = NDArray[np.int64]

BLEND_DISTANCES_FRAMES = (1, 2, 4, 8)
"""How far before and after a mixed frame the two frames may be that it blends.

Chunks overlap by the largest. Adding larger ones finds longer dissolves, and takes longer.
"""

MAX_BLEND_CORRELATIONS = {1: 0.8, 2: 0.8, 4: 0.9, 8: 0.9}
"""Correlation of these two frames from which they show one shot, by distance. Raising it finds more mixed frames.

It is higher for larger distances: in the middle of a long dissolve, both frames still show much of both shots.
"""

MIN_BLEND_CHANGE = 4.0
"""Mean difference of a pixel between these two frames, 0 to 255, below which the fit says nothing."""

MIN_BLEND_SHARE = 0.07
"""Weight of either frame from which it shows in the mixed one. Raising it finds fewer mixed frames."""

MAX_BLEND_RESIDUAL_RATIO = 0.6
"""Residual of the fit, divided by what the weaker of the two frames adds to it. Above it something moved instead.

Raising it finds more mixed frames, and takes more motion for them.
"""

JUMP_THRESHOLDS = ((6.0, 0.65), (12.0, 0.845))
"""Pairs of mean pixel change and correlation: a frame with more change and less correlation is a jump."""

MAX_PLAIN_DEVIATION = 4.0
"""Standard deviation of the pixels, 0 to 255, below which a frame is plain, as a flash or a black frame is."""

MAX_BRIEF_FRAMES = 2
"""Longest shot, in frames, that is too short to confirm a face by tracking. Raising it searches more frames."""

MAX_ALL_BRIEF_FRAMES = 5
"""Longest video, in frames, that counts as one brief shot."""

MAX_BRIDGED_FRAMES = 2
"""Frames between two mixed ones that are taken for mixed too. Raising it joins more ranges."""


class MixFinder:
    """Find mixed frames, and jumps: frames that differ strongly from the one before.

    A frame is fitted by least squares as ``(1 - t) * earlier + t * later``. That fits a dissolve at any ``t``. It also
    fits a frame whose two fields are of two shots, since a small copy shows their mean. It does not fit motion.

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
        self._recent: deque[_Thumbnail] = deque(maxlen=2 * BLEND_DISTANCES_FRAMES[-1] + 1)
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
        small = _Thumbnail(image)
        if self._recent and _jumps(self._recent[-1], small):
            self._jumps.append(self._seen)
        self._recent.append(small)
        self._seen += 1
        # The frame `BLEND_DISTANCES_FRAMES[-1]` back now has all its neighbours, and is judged.
        number = self._seen - 1 - BLEND_DISTANCES_FRAMES[-1]
        if number >= 0 and _is_mixed(self._recent, len(self._recent) - 1 - BLEND_DISTANCES_FRAMES[-1]):
            self._mixed.append(number)

    def mixed(self) -> IntArray:
        """Return the mixed frames so far, ascending."""
        # `add` judges a frame once all frames after it that may be blended are there; here the last ones follow.
        last = range(max(len(self._recent) - BLEND_DISTANCES_FRAMES[-1], 0), len(self._recent))
        first = self._seen - len(self._recent)
        found = [first + index for index in last if _is_mixed(self._recent, index)]
        return np.array(self._mixed + found, np.int64)

    def judged(self) -> IntArray:
        """Return the mixed frames among those that have all their neighbours, ascending."""
        return np.array(self._mixed, np.int64)

    def jumps(self) -> IntArray:
        """Return the jumps so far, shot boundaries or not, ascending."""
        return np.array(self._jumps, np.int64)


class _Thumbnail:
    """A small copy of a frame, its values as a vector, and whether it is plain."""

    def __init__(self, image: Image) -> None:
        import cv2

        self.image = np.asarray(cv2.resize(image, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA), np.uint8)
        self.values: Floats = self.image.astype(np.float32).ravel()
        self.plain = float(self.values.std()) < MAX_PLAIN_DEVIATION


def _correlation(earlier: _Thumbnail, later: _Thumbnail) -> float:
    """Return the shifted correlation of two frames, 0 where one is plain."""
    return 0.0 if earlier.plain or later.plain else shifted_correlation(earlier.image, later.image)


def _jumps(earlier: _Thumbnail, later: _Thumbnail) -> bool:
    """Tell whether the later of two successive frames is a jump."""
    change = float(np.abs(later.values - earlier.values).mean())
    if change < JUMP_THRESHOLDS[0][0]:
        return False
    correlation = _correlation(earlier, later)
    return any(change >= least and correlation < most for least, most in JUMP_THRESHOLDS)


def _is_mixed(recent: deque[_Thumbnail], index: int) -> bool:
    """Tell whether one of some successive frames is a blend of two others, of different shots."""
    middle = recent[index].values
    for distance in BLEND_DISTANCES_FRAMES:
        earlier, later = recent[max(index - distance, 0)], recent[min(index + distance, len(recent) - 1)]
        # The fit is tried first, since it takes less time than the correlation.
        fits = _fits_blend(middle, earlier.values, later.values)
        if fits and _correlation(earlier, later) < MAX_BLEND_CORRELATIONS[distance]:
            return True
    return False


def _fits_blend(middle: Floats, earlier: Floats, later: Floats) -> bool:
    """Tell whether a frame lies near the line between two others, and not at its ends."""
    direction = later - earlier
    if float(np.abs(direction).mean()) < MIN_BLEND_CHANGE:
        return False
    # The least-squares weight of the later frame is the projection onto that line; the rest is the residual.
    offset, squared = middle - earlier, float(direction @ direction)
    share = float(offset @ direction) / squared
    weaker = min(share, 1 - share)
    residual = float(np.linalg.norm(offset - share * direction))
    return weaker >= MIN_BLEND_SHARE and residual <= MAX_BLEND_RESIDUAL_RATIO * weaker * squared**0.5


def mixed_ranges(mixed: IntArray, *, frames: int) -> IntArray:
    """Return the first and last frame of each range of mixed frames, shape (K, 2).

    The first and last frames of a dissolve show little of one shot and cannot be told from motion. So a range of
    several frames is extended by half its length at both ends.

    Examples
    --------
    >>> mixed_ranges(np.array([5, 20, 21, 23]), frames=100).tolist()
    [[5, 5], [18, 25]]
    """
    if not len(mixed):
        return np.zeros((0, 2), np.int64)
    # A range ends where the next mixed frame is too far away to be bridged.
    breaks = np.flatnonzero(np.diff(mixed) > MAX_BRIDGED_FRAMES + 1)
    first, last = mixed[np.r_[0, breaks + 1]], mixed[np.r_[breaks, len(mixed) - 1]]
    more = np.where(last > first, (last - first + 2) // 2, 0)
    return np.stack([np.maximum(first - more, 0), np.minimum(last + more, frames - 1)], axis=1)


def brief_ranges(jumps: IntArray, *, frames: int) -> IntArray:
    """Return the first and last frame of each shot of a frame or two, shape (K, 2).

    Examples
    --------
    >>> brief_ranges(np.array([7, 9, 40]), frames=100).tolist()
    [[7, 8]]
    >>> brief_ranges(np.array([], np.int64), frames=1).tolist()
    [[0, 0]]
    """
    if 0 < frames <= MAX_ALL_BRIEF_FRAMES:
        return np.array([[0, frames - 1]], np.int64)
    edges = np.concatenate([[0], jumps, [frames]]).astype(np.int64)
    brief = np.flatnonzero((np.diff(edges) > 0) & (np.diff(edges) <= MAX_BRIEF_FRAMES))
    return np.stack([edges[brief], edges[brief + 1] - 1], axis=1)


def show_two_shots(earlier: Image, later: Image) -> bool:
    """Tell whether the frames on both sides of a range of mixed frames show two shots, shape (H, W, 3) each."""
    before, after = _Thumbnail(earlier), _Thumbnail(later)
    min_change, max_correlation = JUMP_THRESHOLDS[0]
    return (
        float(np.abs(after.values - before.values).mean()) >= min_change
        and _correlation(before, after) < max_correlation
    )
