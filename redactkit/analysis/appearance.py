"""What a face looks like in a word: the colours of the head and of what is worn below it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray

__all__ = ["DESCRIPTOR_LENGTH", "Appearance", "describe", "to_lab"]

Image = NDArray[np.uint8]
Appearance = NDArray[np.uint8]

PATCH_PIXELS = 16
LIGHTNESS_BINS, CHROMA_BINS = 8, 8
DESCRIPTOR_LENGTH = 2 * (LIGHTNESS_BINS + CHROMA_BINS * CHROMA_BINS)
"""Numbers that describe a face."""

HEAD_REGION = (-0.1, -0.25, 1.2, 1.25)
CHEST_REGION = (-0.25, 1.2, 1.5, 0.8)
"""Left, top, width and height of what is looked at, in sides of the box from its corner."""

RGB_TO_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
RGB_TO_SCALED_XYZ = (RGB_TO_XYZ / RGB_TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
"""From linear sRGB to CIE XYZ, white being 1."""

MIN_REGION_PIXELS = 4
"""Pixels of a side of that inside the picture below which it is left out."""


def describe(image: Image, boxes: FloatArray) -> Appearance:
    """Describe faces by square roots of histograms, of lightness and of tint, whose product tells how alike they are.

    Parameters
    ----------
    image : uint8 ndarray of shape (H, W, 3)
        RGB.
    boxes : ndarray of shape (N, 4)
        In pixels of that picture.

    Returns
    -------
    ndarray of shape (N, DESCRIPTOR_LENGTH), uint8
        In 255ths, so that those of a long film take little room; zeros for a face of which the picture shows nothing.

    References
    ----------
    Comaniciu, Ramesh, Meer: Real-Time Tracking of Non-Rigid Objects using Mean Shift, CVPR 2000 (the Bhattacharyya
    coefficient of colour histograms).
    """
    cuts = [_crop(image, box, place) for box in boxes for place in (HEAD_REGION, CHEST_REGION)]
    shown = np.array([cut is not None for cut in cuts], bool)
    counts = np.zeros((len(cuts), DESCRIPTOR_LENGTH // 2))
    if shown.any():
        strip = np.vstack([cut for cut in cuts if cut is not None])
        counts[shown] = _histograms(to_lab(strip))
    whole = counts.reshape(len(boxes), DESCRIPTOR_LENGTH)
    return np.asarray(np.rint(255 * np.sqrt(whole / np.maximum(whole.sum(axis=1, keepdims=True), 1))), np.uint8)


def _crop(image: Image, box: FloatArray, place: tuple[float, float, float, float]) -> Image | None:
    """Cut a part of or beside the box out of the picture, scaled, None where it shows little of it."""
    import cv2

    x, y, width, height = box.tolist()
    left, top = x + place[0] * width, y + place[1] * height
    x0, y0 = max(0, round(left)), max(0, round(top))
    x1, y1 = round(left + place[2] * width), round(top + place[3] * height)
    part = image[y0 : max(y1, 0), x0 : max(x1, 0)]
    if min(part.shape[:2]) < MIN_REGION_PIXELS:
        return None
    return np.asarray(cv2.resize(part, (PATCH_PIXELS, PATCH_PIXELS), interpolation=cv2.INTER_AREA))


def to_lab(rgb: Image) -> Image:
    """Turn sRGB into CIE L*a*b* in 8 bits, as OpenCV does, whose tables for that take a tenth of a second to make."""
    xyz = _linear_table()[rgb] @ RGB_TO_SCALED_XYZ.T
    x, y, z = np.moveaxis(np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116), -1, 0)
    lab = np.stack([2.55 * (116 * y - 16), 500 * (x - y) + 128, 200 * (y - z) + 128], axis=-1)
    return np.asarray(np.rint(lab).clip(0, 255), np.uint8)


@lru_cache(maxsize=1)
def _linear_table() -> NDArray[np.float32]:
    """Return the light that each value of sRGB stands for."""
    value = np.arange(256) / 255
    return np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92).astype(np.float32)


def _histograms(lab: Image) -> NDArray[np.int64]:
    """Return how often each lightness and each tint occurs in each of the squares one below the other."""
    pixels = lab.reshape(-1, PATCH_PIXELS * PATCH_PIXELS, 3).astype(np.intp)
    light = pixels[..., 0] * LIGHTNESS_BINS // 256
    across, down = np.moveaxis(np.clip((pixels[..., 1:] - 96) // (64 // CHROMA_BINS), 0, CHROMA_BINS - 1), 2, 0)
    return np.hstack(
        [_histogram(light, LIGHTNESS_BINS), _histogram(across * CHROMA_BINS + down, CHROMA_BINS * CHROMA_BINS)]
    )


def _histogram(values: NDArray[np.intp], kinds: int) -> NDArray[np.int64]:
    """Count in each row how often it holds each of the numbers below ``kinds``."""
    rows = np.arange(len(values))[:, None] * kinds
    return np.bincount((rows + values).ravel(), minlength=len(values) * kinds).reshape(-1, kinds)
