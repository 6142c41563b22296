"""The redacted picture of one frame, by the same code as the pass, for looking before writing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from redactkit import effects
from redactkit.redaction.plan import Plan, noise_seed
from redactkit.video import Frame, Pictures, VideoReader, pixel_layout, plane_views

__all__ = ["Preview"]


class Preview:
    """Frames of a video as `redactkit.redact` would hide them, before encoding.

    Parameters
    ----------
    reader : VideoReader
    plan : Plan
    kind : str
        Blur kind.
    strength : float
        As in `redactkit.redact`.
    """

    def __init__(self, reader: VideoReader, plan: Plan, *, kind: str = "Med", strength: float = 1.0) -> None:
        self._reader, self._plan = reader, plan
        self._kind, self._strength = kind, strength
        self._pictures = Pictures(reader.info)

    def frame_at(self, index: int) -> Frame:
        """Return a frame with its faces hidden; its rows before it in the hold window are replayed."""
        frame = self._copy(index)
        layout, seed = pixel_layout(frame.picture), noise_seed(self._reader.info)
        effect = effects.Effect(self._kind, layout, strength=self._strength, seed=seed)
        for earlier in range(effect.window_start(index), index):
            if len(self._plan.at(earlier)[0]):
                self._hide(effect, self._copy(earlier), paint=False)
        self._hide(effect, frame)
        return frame

    def rgb(self, index: int, *, width: int | None = None, height: int | None = None) -> NDArray[np.uint8]:
        """Return the hidden frame as displayed, shape (H, W, 3)."""
        return self.frame_at(index).rgb(width=width, height=height)

    def _copy(self, index: int) -> Frame:
        frame = self._reader.frame_at(index)
        return replace(frame, picture=self._pictures.prepare(frame.picture))

    def _hide(self, effect: effects.Effect, frame: Frame, *, paint: bool = True) -> None:
        boxes, faces = self._plan.at(frame.index)
        if len(boxes):
            looks = self._plan.looks_at(frame.index)
            effect.apply(plane_views(frame.picture), boxes, faces=faces, frame=frame.index, paint=paint, looks=looks)
