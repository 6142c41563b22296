"""Detect shot boundaries by template matching between small copies of successive frames.

A frame starts a new shot where the normalised cross-correlation with the frame before is low, also after a shift, and
the change stands out from the changes around it. Shifts are allowed so that camera motion is no boundary.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import OptionError

__all__ = ["THUMBNAIL_SIZE", "ShotBoundaryFinder", "shifted_correlation"]

Image = NDArray[np.uint8]

THUMBNAIL_SIZE = (64, 36)
"""Width and height of the small copies."""

MAX_SHIFT_PIXELS = (10, 6)
"""Camera motion allowed between two frames, in pixels of the small copies. Raising it finds fewer boundaries."""

LOOKAHEAD_FRAMES = 2
"""Longest flash, in frames, after which the shot goes on. Raising it finds fewer very short shots."""

NEIGHBOUR_FRAMES = 5
"""Frames on each side whose median change is the usual one."""

MIN_UNUSUAL_RATIO = 1.5
"""Change of a boundary, divided by the usual change around it. Raising it finds fewer boundaries in lively footage."""

LOOSE_FACTOR = 1.3
"""Factor on ``min_correlation`` below which an abrupt change is a boundary all the same."""

ABRUPT_CHANGE_FACTOR = 2
"""Multiple of ``min_change`` from which a change is abrupt."""

ABRUPT_UNUSUAL_RATIO = 5
"""Change of an abrupt boundary, divided by the usual change around it."""


class ShotBoundaryFinder:
    """Find the frames that start a new shot.

    Two frames belong to one shot when a small copy of one is found again in that of the other, shifted by up to a
    sixth of the frame and at any brightness. So camera motion, exposure and flashes are no boundaries. A boundary must
    also stand out from the changes before and after it, and last: a frame or two of something else are no shot.

    Parameters
    ----------
    min_correlation : float
        Normalised cross-correlation from which two frames can be of one shot. Raising it finds more boundaries.
    min_change : float
        Mean change of a pixel, 0 to 255, from which a boundary is possible. Raising it finds fewer boundaries.

    Examples
    --------
    >>> finder = ShotBoundaryFinder()
    >>> rng = np.random.default_rng(0)
    >>> shots = rng.integers(0, 255, (2, 36, 64, 3), np.uint8)
    >>> jumps = [finder.add(shots[number // 6]) for number in range(10)]
    >>> finder.cuts().tolist()
    [6]
    """

    def __init__(self, *, min_correlation: float = 0.65, min_change: float = 6.0) -> None:
        self.min_correlation = min_correlation
        self.min_change = min_change
        self._recent: deque[Image] = deque(maxlen=LOOKAHEAD_FRAMES + 1)
        self._changes: list[float] = []
        self._correlations: list[float] = []

    def add(self, image: Image) -> bool:
        """Take the next frame, and tell whether it may start a new shot.

        `cuts` decides, once the frames after it are known.

        Parameters
        ----------
        image : uint8 ndarray of shape (H, W, 3)
            The whole frame, at any size; `THUMBNAIL_SIZE` or some multiple of it is enough.

        Raises
        ------
        OptionError
            If it is not such an array.
        """
        import cv2

        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise OptionError(f"a frame must be uint8 of shape (H, W, 3), got {image.dtype} of shape {image.shape}")
        small = cv2.resize(image, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA)
        if not self._recent:
            self._append(0.0, 1.0)  # the first frame starts no new shot
        correlation = 1.0
        for back, earlier in enumerate(reversed(self._recent), start=1):
            self._compare(np.asarray(earlier), np.asarray(small), back)
            correlation = self._correlations[-1] if back == 1 else correlation
        self._recent.append(np.asarray(small))
        return bool(correlation < LOOSE_FACTOR * self.min_correlation)

    def _compare(self, earlier: Image, later: Image, back: int) -> None:
        """Compare the new frame with the last one, or with an earlier one to which the video may have come back."""
        if back == 1:
            change = float(np.mean(np.abs(later.astype(np.int16) - earlier)))
            self._append(change, shifted_correlation(earlier, later) if change >= self.min_change else 1.0)
            return
        # After a flash the shot goes on: where the new frame matches one from before, none between is a boundary.
        between = slice(len(self._correlations) - back, None)
        if min(self._correlations[between]) < LOOSE_FACTOR * self.min_correlation:
            again = shifted_correlation(earlier, later)
            self._correlations[between] = [max(again, known) for known in self._correlations[between]]

    def _append(self, change: float, correlation: float) -> None:
        self._changes.append(change)
        self._correlations.append(correlation)

    def cuts(self, *, since: int = 0) -> NDArray[np.int64]:
        """Return the frames so far, from one on, that start a new shot, ascending, without frame 0."""
        # Another thread may be adding a frame, so that there is a change of it and no correlation yet.
        window = slice(max(since - NEIGHBOUR_FRAMES, 0), len(self._correlations))
        changes, correlations = np.array(self._changes[window]), np.array(self._correlations[window])
        usual = _usual_changes(changes)
        unlike = (correlations < self.min_correlation) & (changes >= MIN_UNUSUAL_RATIO * usual)
        # Two shots of one set can correlate well; there an abrupt change decides.
        abrupt = (
            (correlations < LOOSE_FACTOR * self.min_correlation)
            & (changes >= ABRUPT_CHANGE_FACTOR * self.min_change)
            & (changes >= ABRUPT_UNUSUAL_RATIO * usual)
        )
        found = window.start + np.flatnonzero((changes >= self.min_change) & (unlike | abrupt)).astype(np.int64)
        return found[found >= since]


def shifted_correlation(earlier: Image, later: Image) -> float:
    """Return the best normalised cross-correlation of two small copies over all allowed shifts, -1 to 1."""
    import cv2

    # The middle of one is searched in the whole of the other, and the other way round.
    x, y = MAX_SHIFT_PIXELS
    found = [
        cv2.matchTemplate(whole, part[y:-y, x:-x], cv2.TM_CCOEFF_NORMED).max()
        for whole, part in ((earlier, later), (later, earlier))
    ]
    return float(max(found))


def _usual_changes(changes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each frame the median change of the frames around it, itself left out."""
    if not len(changes):
        return changes
    # Each window is a row; the frame itself, in the middle, is blanked, and the ends are padded with NaN.
    padded = np.pad(changes, NEIGHBOUR_FRAMES, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOUR_FRAMES + 1).copy()
    windows[:, NEIGHBOUR_FRAMES] = np.nan
    windows[np.isnan(windows).all(axis=1)] = 0
    return np.asarray(np.nanmedian(windows, axis=1))
