"""What an object looks like: its first picture, a slowly changing one, and which parts of them a frame shows.

References
----------
Matthews, Ishikawa and Baker, "The Template Update Problem", PAMI 2004.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.following.views import BLOCK_PIXELS, GrayImage, Shape

__all__ = ["Likeness", "Template", "compare", "smoothed"]

BoolArray = NDArray[np.bool_]
Picture = NDArray[np.float32]

MIN_BLOCK_CORRELATION = 0.5
"""Normalised cross-correlation from which a block of the template is seen. Raising it takes more for hidden."""

MAX_BLOCK_RESIDUAL = 0.3
"""Difference from the template, in shares of the template's contrast, up to which a block is seen in any case."""

UPDATE_SHARE = 0.1
"""Share of the frame's pixels in the slowly changing template. Raising it follows changes sooner, and drifts sooner."""


@dataclass(frozen=True)
class Likeness:
    """How much of a template a frame shows.

    Parameters
    ----------
    correlation : float
        Normalised cross-correlation over the blocks inside the frame, -1 to 1.
    seen : ndarray of shape (rows, columns), bool
        Blocks that are seen.
    seen_correlation : float
        The same over those.
    """

    correlation: float
    seen: BoolArray
    seen_correlation: float


class Template:
    """A view of an object, and the smoothed pixels with which it is compared.

    Parameters
    ----------
    picture : ndarray of shape (H, W), uint8
        A view.
    shape : Shape
    """

    def __init__(self, picture: GrayImage, shape: Shape) -> None:
        self.shape = shape
        self.picture = picture
        self._exact = picture.astype(np.float32)
        self.smooth = smoothed(picture, shape)

    def update(self, picture: GrayImage, blocks: BoolArray) -> None:
        """Mix a view into the template, in the given blocks and around the object."""
        shape, margin = self.shape, self.shape.margin
        share = np.full(picture.shape, UPDATE_SHARE, np.float32)
        share[margin : margin + shape.height, margin : margin + shape.width] *= np.kron(
            blocks, np.ones((BLOCK_PIXELS, BLOCK_PIXELS), np.float32)
        )
        self._exact += share * (picture - self._exact)
        self.picture = self._exact.astype(np.uint8)
        self.smooth = smoothed(self.picture, shape)


def smoothed(picture: GrayImage, shape: Shape) -> Picture:
    """Return the object's pixels, smoothed so that noise and a shift of half a pixel count little."""
    return shape.inner(np.asarray(cv2.GaussianBlur(picture, (5, 5), 0), np.uint8)).astype(np.float32)


def compare(template: Template, smooth: Picture, inside: BoolArray) -> Likeness:
    """Compare a view with a template, block by block; brightness and contrast do not matter.

    Parameters
    ----------
    template : Template
    smooth : ndarray of shape (height, width), float32
        The object's pixels in a view, as `smoothed` returns them.
    inside : ndarray of shape (rows, columns), bool
        Blocks that lie inside the frame.
    """
    shape = template.shape
    seen = np.zeros((shape.rows, shape.columns), bool)
    if not inside.any():
        return Likeness(0.0, seen, 0.0)
    first, second = (_blocks(pixels, shape) for pixels in (template.smooth, smooth))
    block = _correlation(first, second)
    a, b = first[inside].ravel(), second[inside].ravel()
    whole = float(_correlation(a[None], b[None])[0])
    # Gain and offset come from the blocks that correlate, so that what hides the others does not shift them.
    sure = inside & (block >= MIN_BLOCK_CORRELATION)
    if sure.sum() >= 2:
        a, b = first[sure].ravel(), second[sure].ravel()
    spread = max(float(a.std()), 4.0)
    gain = float(np.clip(a.std() / max(float(b.std()), 1.0), 0.5, 2.0))
    level = (second - b.mean()) * gain + a.mean()
    residual = np.sqrt(((level - first) ** 2).mean(axis=2))
    seen = inside & ((block >= MIN_BLOCK_CORRELATION) | (residual <= MAX_BLOCK_RESIDUAL * spread))
    part = float(_correlation(first[seen].ravel()[None], second[seen].ravel()[None])[0]) if seen.any() else 0.0
    return Likeness(whole, seen, part)


def _blocks(pixels: Picture, shape: Shape) -> Picture:
    """Return the pixels by block, (rows, columns, pixels of a block)."""
    side = BLOCK_PIXELS
    split = pixels.reshape(shape.rows, side, shape.columns, side).transpose(0, 2, 1, 3)
    return split.reshape(shape.rows, shape.columns, side * side)


def _correlation(first: Picture, second: Picture) -> FloatArray:
    """Return the normalised cross-correlation along the last axis, 0 for plain pixels."""
    a, b = first - first.mean(axis=-1, keepdims=True), second - second.mean(axis=-1, keepdims=True)
    norm = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    # Two grey levels of contrast are noise and no texture.
    least = 4.0 * first.shape[-1]
    return np.asarray(np.where(norm > least, (a * b).sum(axis=-1) / np.maximum(norm, 1e-9), 0.0), np.float64)
