"""The part of a frame that is shown. Nothing here knows a widget."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Box", "Region", "region_around"]

Box = tuple[float, float, float, float]


class Region(NamedTuple):
    """The part of the frame that a view shows, in pixels of the frame."""

    x: float
    y: float
    width: float
    height: float


def region_around(box: Box, *, width: float, height: float, times: float = 3.0) -> Region:
    """Return a part of the frame about a box, with the frame's own shape, and inside it.

    Parameters
    ----------
    box : tuple of 4 floats
    width, height : float
        Size of the frame in pixels.
    times : float
        Sides of the region, in sides of the box.
    """
    scale = min(1.0, max(box[2] * times / width, box[3] * times / height, 0.05))
    shown = (width * scale, height * scale)
    left = min(max(box[0] + box[2] / 2 - shown[0] / 2, 0), width - shown[0])
    top = min(max(box[1] + box[3] / 2 - shown[1] / 2, 0), height - shown[1])
    return Region(left, top, *shown)
