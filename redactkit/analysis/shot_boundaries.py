"""Scene cuts, found from small pictures of the frames as they pass by."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import OptionError

__all__ = ["THUMBNAIL_SIZE", "ShotBoundaryFinder"]

Image = NDArray[np.uint8]

THUMBNAIL_SIZE = (64, 36)
MAX_SHIFT_PIXELS = (10, 6)
LOOKAHEAD_FRAMES = 2
NEIGHBOUR_FRAMES = 5
_LOOSE_FACTOR = 1.3


class ShotBoundaryFinder:
    """Find the frames that start a new shot.

    Two frames belong to one shot when a small picture of the one is found again in that of the other,
    moved by up to a sixth of the frame and at any brightness: camera motion, exposure and flashes are
    no cuts. A cut must also stand out from the changes before and after it, and last: a frame or two
    of something else are no shot.

    Parameters
    ----------
    alike : float
        Normalised correlation from which two frames can be of one shot.
    sudden : float
        Mean change of a pixel, 0 to 255, below which nothing is a cut.

    Examples
    --------
    >>> finder = ShotBoundaryFinder()
    >>> rng = np.random.default_rng(0)
    >>> shots = rng.integers(0, 255, (2, 36, 64, 3), np.uint8)
    >>> jumps = [finder.add(shots[number // 6]) for number in range(10)]
    >>> finder.cuts().tolist()
    [6]
    """

    def __init__(self, *, alike: float = 0.65, sudden: float = 6.0) -> None:
        self.alike = alike
        self.sudden = sudden
        self._recent: deque[Image] = deque(maxlen=LOOKAHEAD_FRAMES + 1)
        self._changes: list[float] = []
        self._likeness: list[float] = []

    def add(self, image: Image) -> bool:
        """Take the next frame, and tell whether it looks as if it started a new shot.

        The last word is `cuts`, which knows what came after.

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
            self._note(0.0, 1.0)
        fresh = 1.0
        for back, earlier in enumerate(reversed(self._recent), start=1):
            self._compare(np.asarray(earlier), np.asarray(small), back)
            fresh = self._likeness[-1] if back == 1 else fresh
        self._recent.append(np.asarray(small))
        return bool(fresh < _LOOSE_FACTOR * self.alike)

    def _compare(self, earlier: Image, later: Image, back: int) -> None:
        """Note how the new frame changed from the last, and whether an earlier one has come back."""
        if back == 1:
            change = float(np.mean(np.abs(later.astype(np.int16) - earlier)))
            self._note(change, likeness(earlier, later) if change >= self.sudden else 1.0)
            return
        between = slice(len(self._likeness) - back, None)
        if min(self._likeness[between]) < _LOOSE_FACTOR * self.alike:
            again = likeness(earlier, later)
            self._likeness[between] = [max(again, alike) for alike in self._likeness[between]]

    def _note(self, change: float, alike: float) -> None:
        self._changes.append(change)
        self._likeness.append(alike)

    def cuts(self) -> NDArray[np.int64]:
        """Return the frames so far that start a new shot, ascending, without frame 0."""
        changes, alike = np.array(self._changes), np.array(self._likeness)
        usual = _usual_changes(changes)
        unlike = (alike < self.alike) & (changes >= 1.5 * usual)
        abrupt = (alike < _LOOSE_FACTOR * self.alike) & (changes >= 2 * self.sudden) & (changes >= 5 * usual)
        return np.flatnonzero((changes >= self.sudden) & (unlike | abrupt)).astype(np.int64)


def likeness(earlier: Image, later: Image) -> float:
    """Return how well one small picture is found again in the other, moved a little: 1 exactly, 0 not at all."""
    import cv2

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
    padded = np.pad(changes, NEIGHBOUR_FRAMES, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOUR_FRAMES + 1).copy()
    windows[:, NEIGHBOUR_FRAMES] = np.nan
    windows[np.isnan(windows).all(axis=1)] = 0
    return np.asarray(np.nanmedian(windows, axis=1))
