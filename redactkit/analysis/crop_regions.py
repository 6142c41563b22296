"""Plan square crops around mismatched faces or changes, so that the detector searches these and not the whole frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, centers, expand, to_corners
from redactkit.detectors.crops import Crop

__all__ = ["inside_crops", "plan_crops"]

CROP_SIDES_PIXELS = (160, 320)
"""Sides in pixels to which crops are scaled. There are few, since the network is prepared once for each size."""

MAX_CROPPED_SHARE = 0.5
"""Largest area of all crops, in shares of the detector input. Above it crops save little, and the frame is searched."""

CONTEXT_SHARE = 0.5
"""Margin of a crop on each side of a face, in shares of the face."""


def plan_crops(
    regions: FloatArray, *, scale: float, width: int, height: int, context: float = CONTEXT_SHARE
) -> list[Crop] | None:
    """Return square crops that together show all regions of a frame, None where the whole frame costs as little.

    Parameters
    ----------
    regions : ndarray of shape (N, 4)
        Boxes in pixels of the frame, as of mismatched faces.
    scale : float
        Pixels of the detector input for one pixel of the frame.
    width, height : int
        Size in pixels of the detector input that the crops would replace.
    context : float
        Margin on each side of a region, in shares of it. Raising it costs time, and helps detection.

    Examples
    --------
    >>> plan_crops(np.array([[200.0, 200, 80, 100], [240, 220, 80, 100]]), scale=0.5, width=640, height=352)
    [Crop(left=80.0, top=90.0, side=320.0, scaled=160)]
    >>> plan_crops(np.array([[200.0, 200, 600, 100]]), scale=0.5, width=640, height=352)
    """
    crops: list[Crop] = []
    # The largest regions come first, since their crops often show the smaller ones as well.
    for box in regions[np.argsort(-regions[:, 2:].max(axis=1, initial=0), kind="stable")]:
        scaled = next((side for side in CROP_SIDES_PIXELS if (1 + 2 * context) * box[2:].max() * scale <= side), None)
        if scaled is None:
            return None
        if not _shown(box, crops, context=context):
            side = scaled / scale
            left, top = centers(box[None])[0] - side / 2
            crops.append(Crop(float(left), float(top), side, scaled=scaled))
    return crops if sum(crop.scaled**2 for crop in crops) <= MAX_CROPPED_SHARE * width * height else None


def _shown(box: FloatArray, crops: Sequence[Crop], *, context: float) -> bool:
    """Tell whether one of the crops shows a box with its margin."""
    return bool(inside_crops(expand(box[None], share=context), crops)[0])


def inside_crops(boxes: FloatArray, crops: Sequence[Crop]) -> NDArray[np.bool_]:
    """Tell which boxes, in pixels of the frame, lie wholly inside one of the crops."""
    corners = to_corners(boxes)
    within = np.zeros(len(boxes), bool)
    for crop in crops:
        left_top = np.array([crop.left, crop.top])
        within |= ((corners[:, :2] >= left_top) & (corners[:, 2:] <= left_top + crop.side)).all(axis=1)
    return within
