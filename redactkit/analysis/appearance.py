"""What a face looks like in a word: the colours of the head and of what is worn below it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray

__all__ = ["LENGTH", "Appearance", "describe"]

Image = NDArray[np.uint8]
Appearance = NDArray[np.uint8]

SIDE = 16
LIGHT, TINT = 8, 8
LENGTH = 2 * (LIGHT + TINT * TINT)
"""Numbers that describe a face."""

HEAD = (-0.1, -0.25, 1.2, 1.25)
CHEST = (-0.25, 1.2, 1.5, 0.8)
"""Left, top, width and height of what is looked at, in sides of the box from its corner."""

LEAST = 4
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
    ndarray of shape (N, LENGTH), uint8
        In 255ths, so that those of a long film take little room; zeros for a face of which the picture shows nothing.

    References
    ----------
    Comaniciu, Ramesh, Meer: Real-Time Tracking of Non-Rigid Objects using Mean Shift, CVPR 2000 (the Bhattacharyya
    coefficient of colour histograms).
    """
    looks = np.zeros((len(boxes), LENGTH), np.uint8)
    for number, box in enumerate(boxes):
        parts = np.concatenate([_histograms(_cut(image, box, place)) for place in (HEAD, CHEST)])
        if parts.any():
            looks[number] = np.rint(255 * np.sqrt(parts / parts.sum()))
    return looks


def _cut(image: Image, box: FloatArray, place: tuple[float, float, float, float]) -> Image | None:
    """Cut a part of or beside the box out of the picture, scaled, None where it shows little of it."""
    import cv2

    x, y, width, height = box
    left, top = x + place[0] * width, y + place[1] * height
    x0, y0 = max(0, round(left)), max(0, round(top))
    x1, y1 = round(left + place[2] * width), round(top + place[3] * height)
    part = image[y0 : max(y1, 0), x0 : max(x1, 0)]
    if min(part.shape[:2]) < LEAST:
        return None
    return np.asarray(cv2.cvtColor(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2LAB))


def _histograms(lab: Image | None) -> NDArray[np.float64]:
    """Return how often each lightness and each tint occurs, 0 where there is no picture."""
    if lab is None:
        return np.zeros(LIGHT + TINT * TINT)
    light, green_red, blue_yellow = lab.reshape(-1, 3).T.astype(np.intp)
    tint = np.clip((np.stack([green_red, blue_yellow]) - 96) // (64 // TINT), 0, TINT - 1)
    counts = [np.bincount(light * LIGHT // 256, minlength=LIGHT)]
    counts += [np.bincount(tint[0] * TINT + tint[1], minlength=TINT * TINT)]
    return np.concatenate(counts).astype(np.float64)
