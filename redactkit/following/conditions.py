"""When an object counts as found, hidden or lost, and how its place in a frame is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.following.appearance import Similarity
from redactkit.following.views import GrayImage

__all__ = ["HIDDEN_SHARE", "Ending", "FollowOptions", "Found", "FollowedBox"]

BoolArray = NDArray[np.bool_]

HIDDEN_SHARE = 0.6
"""Share of the object's blocks below which a part of it is hidden."""


class Ending(StrEnum):
    """Why following ended."""

    END = "followed to the end"
    MET = "met the next known box"
    LEFT = "left the picture"
    HIDDEN = "hidden"
    LOST = "lost"


@dataclass(frozen=True)
class FollowOptions:
    """When an object counts as found.

    Parameters
    ----------
    min_seen_share : float
        Share of the object's blocks that must be seen to go on. Raising it ends sooner where the object is hidden in
        part or changes its looks.
    min_correlation : float
        Least normalised cross-correlation of those blocks with the object's template, -1 to 1. Raising it ends sooner.
    min_found_share, min_found_correlation : float
        The same where the object is found again. Raising them takes fewer other things for it.
    max_found_loss : float
        How much less it may then correlate than before it was hidden. Lowering it takes fewer other things for it.
    max_hidden_seconds : float
        How long a hidden object is searched for. Raising it bridges longer occlusions, and finds more that is not it.
    hold_seconds : float
        How long the box stays on an object that is not seen any more, in case a part of it still is.
    """

    min_seen_share: float = 0.3
    min_correlation: float = 0.4
    min_found_share: float = 0.7
    min_found_correlation: float = 0.6
    max_found_loss: float = 0.12
    max_hidden_seconds: float = 1.5
    hold_seconds: float = 0.12


@dataclass(frozen=True)
class FollowedBox:
    """Where an object is in one frame.

    Parameters
    ----------
    box : ndarray of shape (4,)
    confidence : float
        0 to 1; how much of it is seen, and how like its template.
    seen : bool
        Whether it was found in this frame; its place is assumed otherwise.
    occluded : bool
        Whether a good part of it is hidden.
    """

    box: FloatArray
    confidence: float
    seen: bool = True
    occluded: bool = False


@dataclass(frozen=True)
class Found:
    """An object found in a frame.

    Parameters
    ----------
    pose : ndarray of shape (3, 3)
    picture : ndarray of shape (H, W), uint8
        Its view.
    moving : ndarray of shape (N,), bool
        Which of its points surely moved with it.
    first, recent : Similarity
        To its first template, and to the slowly changing one.
    inside : ndarray of shape (rows, columns), bool
        Blocks inside the frame.
    """

    pose: FloatArray
    picture: GrayImage
    moving: BoolArray
    first: Similarity
    recent: Similarity
    inside: BoolArray

    @property
    def seen(self) -> BoolArray:
        """Blocks that look like either template."""
        return self.first.seen | self.recent.seen

    @property
    def share(self) -> float:
        """Their share of the blocks inside the frame."""
        return float(self.seen.sum() / max(int(self.inside.sum()), 1))

    @property
    def correlation(self) -> float:
        """Correlation with the template that it is more like."""
        return max(self.first.correlation, self.recent.correlation)

    @property
    def confidence(self) -> float:
        """How sure its place is, 0 to 1."""
        return float(np.clip(0.5 * self.share + 0.5 * self.correlation, 0.01, 1.0))
