"""Describe the appearance of faces by colour histograms of the head and of the chest below it.

Lightness and chromaticity are counted apart, in CIE L*a*b*. The square roots of the counts are kept, so that the dot
product of two descriptors is their Bhattacharyya coefficient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray

__all__ = ["DESCRIPTOR_LENGTH", "Appearance", "describe"]

Image = NDArray[np.uint8]
Appearance = NDArray[np.uint8]

PATCH_PIXELS = 16
"""Side in pixels to which a region is scaled."""

LIGHTNESS_BINS, CHROMA_BINS = 8, 8
"""Bins of L*, and of a* and b* each. Raising them tells more colours apart, and is less robust to changing light."""

DESCRIPTOR_LENGTH = 2 * (LIGHTNESS_BINS + CHROMA_BINS * CHROMA_BINS)
"""Numbers in the descriptor of a face."""

CHROMA_RANGE = (96, 64)
"""Least value and width of the range of a* and b*, in 8 bits, over which the bins lie; 128 is gray."""

HEAD_REGION = (-0.1, -0.25, 1.2, 1.25)
CHEST_REGION = (-0.25, 1.2, 1.5, 0.8)
"""Left, top, width and height of the two regions, in widths and heights of the face's box, from its corner."""

MIN_REGION_PIXELS = 4
"""Side in pixels, of the part inside the image, below which a region is left out."""


def describe(image: Image, boxes: FloatArray) -> Appearance:
    """Describe the appearance of faces by colour histograms.

    Parameters
    ----------
    image : uint8 ndarray of shape (H, W, 3)
        RGB.
    boxes : ndarray of shape (N, 4)
        In pixels of ``image``.

    Returns
    -------
    ndarray of shape (N, DESCRIPTOR_LENGTH), uint8
        Square roots of relative frequencies, times 255, since bytes take little memory in long videos. Zeros for a face
        of which the image shows nothing. The dot product of two rows, divided by 255 squared, is 1 for equal colours.

    References
    ----------
    Comaniciu, Ramesh, Meer: Real-Time Tracking of Non-Rigid Objects using Mean Shift, CVPR 2000 (the Bhattacharyya
    coefficient of colour histograms).
    """
    import cv2  # costs a tenth of a second to import

    patches = [_patch(image, box, region) for box in boxes for region in (HEAD_REGION, CHEST_REGION)]
    shown = np.array([patch is not None for patch in patches], bool)
    counts = np.zeros((len(patches), DESCRIPTOR_LENGTH // 2))
    if shown.any():
        # All patches are stacked, so that each step runs once over all faces.
        strip = np.vstack([patch for patch in patches if patch is not None])
        counts[shown] = _histograms(np.asarray(cv2.cvtColor(strip, cv2.COLOR_RGB2Lab)))
    whole = counts.reshape(len(boxes), DESCRIPTOR_LENGTH)
    return np.asarray(np.rint(255 * np.sqrt(whole / np.maximum(whole.sum(axis=1, keepdims=True), 1))), np.uint8)


def _patch(image: Image, box: FloatArray, region: tuple[float, float, float, float]) -> Image | None:
    """Crop a region of a face and scale it; None where the image shows too little of it."""
    import cv2

    x, y, width, height = box.tolist()
    left, top = x + region[0] * width, y + region[1] * height
    x0, y0 = max(0, round(left)), max(0, round(top))
    x1, y1 = round(left + region[2] * width), round(top + region[3] * height)
    part = image[y0 : max(y1, 0), x0 : max(x1, 0)]
    if min(part.shape[:2]) < MIN_REGION_PIXELS:
        return None
    return np.asarray(cv2.resize(part, (PATCH_PIXELS, PATCH_PIXELS), interpolation=cv2.INTER_AREA))


def _histograms(lab: Image) -> NDArray[np.int64]:
    """Count lightness, and a* with b*, in each of the patches stacked in ``lab``."""
    pixels = lab.reshape(-1, PATCH_PIXELS * PATCH_PIXELS, 3).astype(np.intp)
    light = pixels[..., 0] * LIGHTNESS_BINS // 256
    lowest, width = CHROMA_RANGE
    a, b = np.moveaxis(np.clip((pixels[..., 1:] - lowest) // (width // CHROMA_BINS), 0, CHROMA_BINS - 1), 2, 0)
    return np.hstack([_histogram(light, LIGHTNESS_BINS), _histogram(a * CHROMA_BINS + b, CHROMA_BINS * CHROMA_BINS)])


def _histogram(values: NDArray[np.intp], bins: int) -> NDArray[np.int64]:
    """Count in each row of ``values`` how often each number below ``bins`` occurs."""
    # Each row gets bins of its own, so that one call counts all rows.
    offsets = np.arange(len(values))[:, None] * bins
    return np.bincount((offsets + values).ravel(), minlength=len(values) * bins).reshape(-1, bins)
