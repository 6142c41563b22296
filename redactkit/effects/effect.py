"""An effect: one blur kind, applied frame after frame to the boxes of faces."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from redactkit.effects.kinds import BlurKind, get_kind
from redactkit.effects.layout import PixelLayout, Plane

__all__ = ["Effect"]


class Effect:
    """Hide boxes in the planes of a picture, in place, and touch no pixel outside them."""

    def __init__(
        self,
        kind: str | BlurKind,
        layout: PixelLayout,
        *,
        strength: float = 1.0,
        hold: int = 8,
        seed: int = 0,
    ) -> None:
        self.kind = kind if isinstance(kind, BlurKind) else get_kind(kind)
        self.layout = layout
        self.strength = strength
        self.hold = hold
        self.seed = seed

    def window_start(self, frame: int) -> int:
        """Return the frame from which to replay so that ``frame`` comes out as in a run from the start."""
        return frame - frame % self.hold

    def apply(self, planes: Sequence[Plane], boxes: ArrayLike, *, faces: ArrayLike, frame: int) -> None:
        """Hide ``boxes`` in ``planes``, in place."""
        raise NotImplementedError
