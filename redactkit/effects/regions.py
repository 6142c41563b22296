"""Boxes as whole pixels, rounded outward to the grid that luma and chroma share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import FloatArray, as_boxes
from redactkit.effects.layout import PixelLayout
from redactkit.effects.look import Look, ellipse_mask
from redactkit.errors import TableError

__all__ = ["Region", "find_regions"]

_USUAL = Look()


@dataclass(frozen=True)
class Region:
    """The pixels of one box.

    ``key`` is the face and a count, so that two boxes of one face in one frame stay apart. ``box``
    is the box as given; ``left, top, right, bottom`` are the luma pixels that it covers inside the
    frame, rounded outward to whole chroma samples. ``look`` says how it is painted.
    """

    key: tuple[int, int]
    box: tuple[float, float, float, float]
    left: int
    top: int
    right: int
    bottom: int
    look: Look = _USUAL

    @property
    def visible(self) -> tuple[float, float, float, float]:
        """The covered pixels as x, y, width, height."""
        return float(self.left), float(self.top), float(self.right - self.left), float(self.bottom - self.top)

    @property
    def area(self) -> int:
        """Luma pixels covered."""
        return (self.right - self.left) * (self.bottom - self.top)

    @property
    def face(self) -> int:
        """The face that the box belongs to."""
        return self.key[0]

    def edges(self, shift_x: int, shift_y: int) -> tuple[int, int, int, int]:
        """Return rows and columns as (first, stop, first, stop), in a plane that is subsampled by ``2 ** shift``."""
        return self.top >> shift_y, -(-self.bottom >> shift_y), self.left >> shift_x, -(-self.right >> shift_x)

    def mask(self, shift_x: int, shift_y: int) -> NDArray[np.bool_] | None:
        """Return which samples of a plane the region's shape holds, None for all: those of the region's `slices`."""
        if self.look.shape == "rectangle":
            return None
        rows, columns = self.slices(shift_x, shift_y)
        return ellipse_mask(self.box, rows, columns, step=(1 << shift_x, 1 << shift_y))

    def slices(self, shift_x: int, shift_y: int) -> tuple[slice, slice]:
        """Return rows and columns in a plane that is subsampled by ``2 ** shift``."""
        top, bottom, left, right = self.edges(shift_x, shift_y)
        return slice(top, bottom), slice(left, right)


def find_regions(
    boxes: ArrayLike,
    faces: ArrayLike,
    *,
    layout: PixelLayout,
    size: tuple[int, int],
    frame: int,
    looks: Sequence[Look] | None = None,
) -> list[Region]:
    """Return the region of every box that covers at least one pixel of the frame, smallest first.

    ``size`` is the frame's height and width; ``looks`` has one for each box.

    Smallest first is the painting order. Where boxes overlap, the largest with its coarse cells ends on top, so a
    small box with fine cells never shows a part of a large face.

    Raises
    ------
    TableError
        If boxes and faces differ in number, or a box is not finite or has a negative side.
    """
    array, numbers = as_boxes(boxes), np.atleast_1d(np.asarray(faces, dtype=np.int64))
    if numbers.shape != (len(array),):
        raise TableError(f"faces must have shape ({len(array)},) like the boxes, got {numbers.shape} at frame {frame}")
    if not np.isfinite(array).all() or (array[:, 2:] < 0).any():
        raise TableError(f"boxes must be finite with sides of 0 or more, got {array.tolist()} at frame {frame}")
    edges = _whole_pixels(array, layout=layout, height=size[0], width=size[1])
    looks = [_USUAL] * len(array) if looks is None else looks
    given = zip(numbers, _occurrence(numbers), array.tolist(), edges.tolist(), looks, strict=True)
    found = [
        Region((int(face), count), (x, y, wide, high), left, top, right, bottom, look)
        for face, count, (x, y, wide, high), (left, top, right, bottom), look in given
        if right > left and bottom > top
    ]
    return sorted(found, key=lambda region: (region.area, region.key))


def _whole_pixels(array: FloatArray, *, layout: PixelLayout, height: int, width: int) -> NDArray[np.int64]:
    """Return left, top, right, bottom in luma pixels, rounded outward to chroma samples, then clipped."""
    step = np.array([1 << layout.chroma_x, 1 << layout.chroma_y], dtype=np.float64)
    limit = np.array([width, height], dtype=np.float64)
    first = np.floor(array[:, :2] / step) * step
    last = np.ceil((array[:, :2] + array[:, 2:]) / step) * step
    return np.hstack([np.clip(first, 0, limit), np.clip(last, 0, limit)]).astype(np.int64)


def _occurrence(numbers: NDArray[np.int64]) -> list[int]:
    """Count, for each face number, how often it came before."""
    seen: dict[int, int] = {}
    counts = []
    for number in numbers.tolist():
        counts.append(seen.get(number, 0))
        seen[number] = counts[-1] + 1
    return counts
