"""How the planes of a picture are laid out, and which whole pixels a box covers in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import OptionError

__all__ = ["Plane", "PixelLayout"]

Plane = NDArray[Any]
"""A writable view of one plane: shape (H, W), uint8, or uint16 for more than 8 bits."""


@dataclass(frozen=True)
class PixelLayout:
    """What the numbers in the planes of a YUV or gray picture mean.

    Parameters
    ----------
    chroma_x, chroma_y : int
        Base-2 logarithm of how many luma pixels share a chroma sample across and down:
        1, 1 for 4:2:0; 1, 0 for 4:2:2; 0, 0 for 4:4:4 and gray.
    bit_depth : int
        Bits that a sample uses, 8 to 16; above 8 the planes are uint16.
    full_range : bool
        Whether black is 0 rather than 16 (of 8 bits).

    Examples
    --------
    >>> PixelLayout(chroma_x=1, chroma_y=1, bit_depth=10, full_range=False).black
    64
    """

    chroma_x: int = 1
    chroma_y: int = 1
    bit_depth: int = 8
    full_range: bool = False

    @property
    def black(self) -> int:
        """Luma of black."""
        return 0 if self.full_range else 16 << (self.bit_depth - 8)

    @property
    def white(self) -> int:
        """Luma of white."""
        return (1 << self.bit_depth) - 1 if self.full_range else 235 << (self.bit_depth - 8)

    @property
    def neutral(self) -> int:
        """Chroma of gray."""
        return 1 << (self.bit_depth - 1)

    def check(self, planes: Sequence[Plane]) -> None:
        """Raise unless ``planes`` are what this layout says.

        Raises
        ------
        OptionError
            If there are not 1, 3 or 4 planes, or a plane has the wrong shape or dtype or cannot be written to.
        """
        dtype = np.uint8 if self.bit_depth == 8 else np.uint16
        if len(planes) not in (1, 3, 4):
            raise OptionError(f"a picture has 1 plane (gray), 3 (YUV) or 4 (YUV and alpha), got {len(planes)}")
        for number, plane in enumerate(planes[:3]):
            expected = self.plane_shape(planes[0].shape, number)
            if plane.shape != expected or plane.dtype != dtype:
                raise OptionError(
                    f"plane {number} must be {np.dtype(dtype).name} of shape {expected}, got "
                    f"{plane.dtype} of shape {plane.shape}; does the layout belong to this picture?"
                )
            if not plane.flags.writeable:
                raise OptionError(f"plane {number} is read-only; pass a writable copy of the picture")

    def shift(self, number: int) -> tuple[int, int]:
        """Return the base-2 logarithm of the subsampling of plane ``number``, across and down."""
        return (self.chroma_x, self.chroma_y) if number in (1, 2) else (0, 0)

    def plane_shape(self, luma: tuple[int, ...], number: int) -> tuple[int, ...]:
        """Return the shape of plane ``number`` of a picture whose luma has shape ``luma``."""
        height, width = luma
        shift_x, shift_y = self.shift(number)
        return -(-height >> shift_y), -(-width >> shift_x)
