"""The places in a frame where faces went mismatched: they are searched instead of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.crops import Crop
from redactkit.boxes import FloatArray, centers, expand, to_corners

__all__ = ["plan_crops", "inside"]

CROP_SIDES_PIXELS = (160, 320)
"""Sides in pixels to which squares are scaled that are cut out: few, since the network gets ready for each."""

MAX_CROPPED_SHARE = 0.5
"""Share of the picture from which searching the squares would save little."""

CONTEXT_SHARE = 0.5
"""What a square shows around a place, in shares of the place."""


def plan_crops(mismatched: FloatArray, *, scale: float, width: int, height: int) -> list[Crop] | None:
    """Return squares of a frame that show all places, None where the whole of it is searched as cheaply.

    Parameters
    ----------
    mismatched : ndarray of shape (N, 4)
        In pixels of the frame.
    scale : float
        Pixels of the picture of the frame that is searched otherwise, to one of the frame.
    width, height : int
        Of that picture.

    Examples
    --------
    >>> plan_crops(np.array([[200.0, 200, 80, 100], [240, 220, 80, 100]]), scale=0.5, width=640, height=352)
    [Crop(left=80.0, top=90.0, side=320.0, scaled=160)]
    >>> plan_crops(np.array([[200.0, 200, 600, 100]]), scale=0.5, width=640, height=352)
    """
    cuts: list[Crop] = []
    for box in mismatched[np.argsort(-mismatched[:, 2:].max(axis=1, initial=0), kind="stable")]:
        scaled = next(
            (side for side in CROP_SIDES_PIXELS if (1 + 2 * CONTEXT_SHARE) * box[2:].max() * scale <= side), None
        )
        if scaled is None:
            return None
        if not _shown(box, cuts):
            side = scaled / scale
            left, top = centers(box[None])[0] - side / 2
            cuts.append(Crop(float(left), float(top), side, scaled=scaled))
    return cuts if sum(cut.scaled**2 for cut in cuts) <= MAX_CROPPED_SHARE * width * height else None


def _shown(box: FloatArray, cuts: Sequence[Crop]) -> bool:
    return bool(inside(expand(box[None], share=CONTEXT_SHARE), cuts)[0])


def inside(boxes: FloatArray, cuts: Sequence[Crop]) -> NDArray[np.bool_]:
    """Tell which boxes, in pixels of the frame, lie wholly in one of the squares."""
    corners = to_corners(boxes)
    within = np.zeros(len(boxes), bool)
    for cut in cuts:
        left_top = np.array([cut.left, cut.top])
        within |= ((corners[:, :2] >= left_top) & (corners[:, 2:] <= left_top + cut.side)).all(axis=1)
    return within
