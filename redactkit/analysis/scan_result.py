"""The result of scanning a section: faces, shot boundaries, mixed frames."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.appearance import Appearance
from redactkit.analysis.mixed_frames import MixFinder
from redactkit.analysis.shot_boundaries import ShotBoundaryFinder
from redactkit.boxes import FloatArray
from redactkit.media import FrameRange

__all__ = ["ScanResult"]


@dataclass
class ScanResult:
    """The result of scanning a section.

    Parameters
    ----------
    faces : dict of int to ndarray of shape (N, 5)
        The faces of each frame.
    searched : dict of int to ndarray of shape (N,), bool
        For each searched frame, which of its faces the detector found; the others are interpolated.
    appearance : dict of int to ndarray of shape (N, LENGTH)
        The appearance of the faces of each searched frame, zeros for interpolated ones.
    boundary_finder : ShotBoundaryFinder
    mix_finder : MixFinder
    numbers : list of int
        The frames that both finders were given.
    """

    faces: dict[int, FloatArray] = field(default_factory=dict)
    searched: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    appearance: dict[int, Appearance] = field(default_factory=dict)
    boundary_finder: ShotBoundaryFinder = field(default_factory=ShotBoundaryFinder)
    mix_finder: MixFinder = field(default_factory=MixFinder)
    numbers: list[int] = field(default_factory=list)

    @property
    def cuts(self) -> NDArray[np.int64]:
        """Frames that start a new shot."""
        return self._frames(self.boundary_finder.cuts())

    @property
    def mixed(self) -> NDArray[np.int64]:
        """Mixed frames."""
        return self._frames(self.mix_finder.mixed())

    @property
    def jumps(self) -> NDArray[np.int64]:
        """Frames that differ strongly from the one before, shot boundaries or not."""
        return self._frames(self.mix_finder.jumps())

    def final(self, frames: FrameRange) -> dict[str, NDArray[np.int64]]:
        """Return the ``cuts``, ``mixed`` and ``jumps`` among frames of which later ones will not change them.

        Another thread may be adding frames meanwhile.
        """
        first, stop = (bisect_left(self.numbers, frame) for frame in frames)
        marks = {
            "cuts": self.boundary_finder.cuts(since=first),
            "mixed": self.mix_finder.judged(),
            "jumps": self.mix_finder.jumps(),
        }
        return {name: self._frames(each[(each >= first) & (each < stop)]) for name, each in marks.items()}

    def _frames(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.array([self.numbers[position] for position in positions], np.int64)
