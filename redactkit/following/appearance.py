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

__all__ = ["Similarity", "Template", "compare", "smoothed"]

BoolArray = NDArray[np.bool_]
Picture = NDArray[np.float32]

MIN_BLOCK_CORRELATION = 0.5
"""Normalised cross-correlation from which a block of the template is seen. Raising it takes more for hidden."""

MAX_BLOCK_RESIDUAL = 0.3
"""Difference from the template, in shares of the template's contrast, up to which a block is seen in any case."""

UPDATE_SHARE = 0.1
"""Share of the frame's pixels in the slowly changing template. Raising it follows changes sooner, and drifts sooner."""


@dataclass(frozen=True)
class Similarity:
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
        self._keep()

    def update(self, picture: GrayImage, blocks: BoolArray) -> None:
        """Mix a view into the template, in the given blocks and around the object."""
        shape, margin = self.shape, self.shape.margin
        share = np.full(picture.shape, UPDATE_SHARE, np.float32)
        shown = blocks.repeat(BLOCK_PIXELS, axis=0).repeat(BLOCK_PIXELS, axis=1)
        share[margin : margin + shape.height, margin : margin + shape.width] *= shown
        self._exact += share * (picture - self._exact)
        self.picture = self._exact.astype(np.uint8)
        self._keep()

    def _keep(self) -> None:
        """Keep what comparing needs of the smoothed picture: its pixels by block, and sums of them."""
        self.blocks = _blocks(smoothed(self.picture, self.shape), self.shape)
        self.sums = self.blocks.sum(axis=2), np.einsum("ijk,ijk->ij", self.blocks, self.blocks)


def smoothed(picture: GrayImage, shape: Shape) -> Picture:
    """Return the object's pixels, smoothed so that noise and a shift of half a pixel count little."""
    return shape.inner(np.asarray(cv2.GaussianBlur(picture, (5, 5), 0), np.uint8)).astype(np.float32)


def compare(template: Template, smooth: Picture, inside: BoolArray) -> Similarity:
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
        return Similarity(0.0, seen, 0.0)
    sums = _Sums.of(template.blocks, template.sums, _blocks(smooth, shape))
    block = sums.correlation()
    # Gain and offset come from the blocks that correlate, so that what hides the others does not shift them.
    sure = inside & (block >= MIN_BLOCK_CORRELATION)
    known = sums.over(sure if sure.sum() >= 2 else inside)
    deviation, other = np.sqrt(known.first_spread / known.count), np.sqrt(known.second_spread / known.count)
    gain = float(np.clip(deviation / max(other, 1.0), 0.5, 2.0))
    residual = sums.residual(gain, float(known.first / known.count - gain * known.second / known.count))
    spread = max(float(deviation), 4.0)
    seen = inside & ((block >= MIN_BLOCK_CORRELATION) | (residual <= MAX_BLOCK_RESIDUAL * spread))
    part = float(sums.over(seen).correlation()) if seen.any() else 0.0
    return Similarity(float(sums.over(inside).correlation()), seen, part)


@dataclass(frozen=True)
class _Sums:
    """Sums over the pixels of two pictures, by block or over several: all that a correlation needs.

    Parameters
    ----------
    count : int
        Pixels.
    first, second : ndarray or float
        Sums of the values.
    first_square, second_square, product : ndarray or float
        Sums of their squares and of their products.
    """

    count: int
    first: FloatArray
    first_square: FloatArray
    second: FloatArray
    second_square: FloatArray
    product: FloatArray

    @classmethod
    def of(cls, first: FloatArray, known: tuple[FloatArray, FloatArray], second: FloatArray) -> _Sums:
        """Return the sums by block of two pictures, (rows, columns, pixels of a block) each."""
        square, product = (np.einsum("ijk,ijk->ij", second, each) for each in (second, first))
        return cls(first.shape[2], *known, second.sum(axis=2), square, product)

    def over(self, blocks: BoolArray) -> _Sums:
        """Return the sums over some blocks together."""
        parts = (self.first, self.first_square, self.second, self.second_square, self.product)
        return _Sums(self.count * int(blocks.sum()), *(np.asarray(each[blocks].sum()) for each in parts))

    @property
    def first_spread(self) -> FloatArray:
        """Sum of the squared differences from the mean, at least 0."""
        return np.maximum(self.first_square - self.first**2 / self.count, 0)

    @property
    def second_spread(self) -> FloatArray:
        """The same of the second picture."""
        return np.maximum(self.second_square - self.second**2 / self.count, 0)

    def correlation(self) -> FloatArray:
        """Return the normalised cross-correlation, 0 for plain pixels."""
        norm = np.sqrt(self.first_spread * self.second_spread)
        # Two grey levels of contrast are noise and no texture.
        least = 4.0 * self.count
        common = self.product - self.first * self.second / self.count
        return np.asarray(np.where(norm > least, common / np.maximum(norm, 1e-9), 0.0), np.float64)

    def residual(self, gain: float, offset: float) -> FloatArray:
        """Return the root mean square of what ``gain`` times the second picture plus ``offset`` differs by."""
        squares = gain**2 * self.second_square + self.first_square + self.count * offset**2
        mixed = gain * offset * self.second - gain * self.product - offset * self.first
        return np.asarray(np.sqrt(np.maximum((squares + 2 * mixed) / self.count, 0)))


def _blocks(pixels: Picture, shape: Shape) -> FloatArray:
    """Return the pixels by block, (rows, columns, pixels of a block), about the middle of the range for exact sums."""
    side = BLOCK_PIXELS
    split = pixels.reshape(shape.rows, side, shape.columns, side).transpose(0, 2, 1, 3)
    return split.reshape(shape.rows, shape.columns, side * side).astype(np.float64) - 128.0
