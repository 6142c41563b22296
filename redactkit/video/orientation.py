"""How a player turns the coded frame: read from the display matrix, applied to arrays."""

from __future__ import annotations

import math
import struct
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from redactkit.video.sidedata import side_data

__all__ = ["UPRIGHT", "display_matrix", "orient", "parse_matrix", "read_matrix"]

_ONE, _W = 1 << 16, 1 << 30
UPRIGHT = (_ONE, 0, 0, 0, _ONE, 0, 0, 0, _W)

Matrix = tuple[int, ...]


def read_matrix(picture: av.VideoFrame) -> Matrix | None:
    """Return the display matrix that a decoded frame carries, 9 fixed-point integers, or None.

    References
    ----------
    ISO/IEC 14496-12, 8.3.2 (track header); FFmpeg ``libavutil/display.h`` for the layout.
    """
    raw = side_data(picture, "DISPLAYMATRIX")
    return struct.unpack("=9i", raw[:36]) if len(raw) >= 36 else None


def parse_matrix(matrix: Matrix | None) -> tuple[int, bool]:
    """Return the clockwise rotation in degrees (0, 90, 180, 270) and whether the frame is mirrored before it.

    An angle between two quarter turns counts as the nearer one.

    Examples
    --------
    >>> parse_matrix(None), parse_matrix((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30))
    ((0, False), (90, False))
    """
    if matrix is None:
        return 0, False
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    quarter = round(math.degrees(math.atan2(-c, d)) / 90) if (c or d) else 0
    return quarter % 4 * 90, a * d - b * c < 0


def display_matrix(rotation: int, *, mirrored: bool = False, size: tuple[int, int] = (0, 0)) -> Matrix:
    """Return the display matrix of a clockwise rotation after an optional left-right flip.

    ``size`` is the coded width and height; the matrix moves the turned frame back to the origin.

    Examples
    --------
    >>> parse_matrix(display_matrix(270, mirrored=True))
    (270, True)
    """
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[rotation % 360 // 90]
    flip = -1 if mirrored else 1
    a, b, c, d = flip * cos, flip * sin, -sin, cos
    left = min(0, a * size[0]) + min(0, c * size[1])
    top = min(0, b * size[0]) + min(0, d * size[1])
    return (*(number * _ONE for number in (a, b, 0, c, d, 0, -left, -top)), _W)


def orient(image: NDArray[Any], *, rotation: int, mirrored: bool = False) -> NDArray[Any]:
    """Turn a coded image (H, W, ...) into the displayed one, as a contiguous array.

    Examples
    --------
    >>> orient(np.array([[1, 2]]), rotation=90).tolist()
    [[1], [2]]
    """
    flipped = image[:, ::-1] if mirrored else image
    return np.ascontiguousarray(np.rot90(flipped, -rotation // 90 % 4))
