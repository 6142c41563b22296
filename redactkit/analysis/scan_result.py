"""What was found in a run of frames: faces, and where shots change."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.appearance import Appearance
from redactkit.analysis.mixed_frames import MixFinder
from redactkit.analysis.shot_boundaries import ShotBoundaryFinder
from redactkit.boxes import FloatArray

__all__ = ["ScanResult"]


@dataclass
class ScanResult:
    """What was found in a run of frames.

    Parameters
    ----------
    faces : dict of int to ndarray of shape (N, 5)
        The faces of each frame.
    searched : dict of int to ndarray of shape (N,), bool
        Of frames that were searched, which faces were found so; the others lie between those of other frames.
    appearance : dict of int to ndarray of shape (N, LENGTH)
        What the faces of those frames look like; zeros for those that were not searched for.
    finder : ShotBoundaryFinder
    mixes : MixFinder
    numbers : list of int
        The frames that both finders saw.
    """

    faces: dict[int, FloatArray] = field(default_factory=dict)
    searched: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    appearance: dict[int, Appearance] = field(default_factory=dict)
    finder: ShotBoundaryFinder = field(default_factory=ShotBoundaryFinder)
    mixes: MixFinder = field(default_factory=MixFinder)
    numbers: list[int] = field(default_factory=list)

    @property
    def cuts(self) -> NDArray[np.int64]:
        """Frames that start a new shot."""
        return self._frames(self.finder.cuts())

    @property
    def mixed(self) -> NDArray[np.int64]:
        """Frames that are a mixture of two others."""
        return self._frames(self.mixes.mixed())

    @property
    def jumps(self) -> NDArray[np.int64]:
        """Frames unlike the one before, cuts or not."""
        return self._frames(self.mixes.jumps())

    def _frames(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.asarray(np.array(self.numbers, np.int64)[places])
