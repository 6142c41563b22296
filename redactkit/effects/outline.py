"""Outlines of boxes, for checking: one colour per face, lines scaled to the frame."""

from __future__ import annotations

from collections.abc import Sequence

from redactkit.effects.layout import PixelLayout, Plane
from redactkit.effects.regions import Region

__all__ = ["draw_outline", "line_width", "to_yuv"]

_COLORS = ((255, 214, 10), (50, 215, 75), (10, 200, 255), (255, 69, 58), (255, 100, 220), (255, 255, 255))


def line_width(height: int, width: int) -> int:
    """Return the width of lines in luma pixels, always even: 2 up to 360p, 6 at 1080p.

    Examples
    --------
    >>> line_width(1080, 1920)
    6
    """
    return 2 * max(1, round(min(height, width) / 360))


def to_yuv(color: tuple[int, int, int], layout: PixelLayout) -> tuple[int, int, int]:
    """Return an 8-bit RGB colour as Y, U and V of ``layout`` (BT.601 matrix).

    Examples
    --------
    >>> to_yuv((255, 255, 255), PixelLayout())
    (235, 128, 128)
    """
    red, green, blue = (value / 255 for value in color)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    reach = (1 if layout.full_range else 224 / 255) * ((1 << layout.bit_depth) - 1)
    top = (1 << layout.bit_depth) - 1
    blueness = min(round(layout.neutral + (blue - luma) / 1.772 * reach), top)
    redness = min(round(layout.neutral + (red - luma) / 1.402 * reach), top)
    return round(layout.black + luma * (layout.white - layout.black)), blueness, redness


def draw_outline(planes: Sequence[Plane], region: Region, layout: PixelLayout) -> None:
    """Draw the inner rim of ``region`` in its face's colour, in place."""
    thick = line_width(*planes[0].shape)
    color = to_yuv(_COLORS[region.face % len(_COLORS)], layout)
    if len(planes) < 3:
        color = (layout.white, *color[1:])
    for number, plane in enumerate(planes[:3]):
        shift_x, shift_y = layout.shift(number)
        patch = plane[region.slices(shift_x, shift_y)]
        across, down = max(1, thick >> shift_x), max(1, thick >> shift_y)
        patch[:down] = patch[-down:] = color[number]
        patch[:, :across] = patch[:, -across:] = color[number]
