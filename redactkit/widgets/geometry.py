"""From a pointer on the page to a point of the frame, and from a drag to a box. Nothing here knows a widget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Box", "Drag", "Region", "face_at", "handle_at", "region_around"]

Box = tuple[float, float, float, float]
Point = tuple[float, float]


class Region(NamedTuple):
    """The part of the frame that a view shows, in pixels of the frame."""

    x: float
    y: float
    width: float
    height: float

    def point(self, event: Mapping[str, Any]) -> Point:
        """Return where a pointer event is, in pixels of the frame.

        Examples
        --------
        >>> event = {"relativeX": 50, "relativeY": 10, "boundingRectWidth": 100, "boundingRectHeight": 50}
        >>> Region(0, 0, 640, 360).point(event)
        (320.0, 72.0)
        """
        across, down = event["boundingRectWidth"] or 1, event["boundingRectHeight"] or 1
        return self.x + event["relativeX"] / across * self.width, self.y + event["relativeY"] / down * self.height


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


def face_at(boxes: Iterable[tuple[int, Box]], point: Point) -> int | None:
    """Return the face with the smallest box that holds the point, None where no box does.

    Examples
    --------
    >>> face_at([(1, (0, 0, 9, 9)), (2, (2, 2, 3, 3))], (3, 3))
    2
    """
    inside = [(box[2] * box[3], face) for face, box in boxes if _holds(box, point)]
    return min(inside)[1] if inside else None


def _holds(box: Box, point: Point) -> bool:
    return box[0] <= point[0] <= box[0] + box[2] and box[1] <= point[1] <= box[1] + box[3]


def handle_at(box: Box, point: Point, *, reach: float) -> tuple[int, int] | None:
    """Return which handle of a box is near a point.

    Parameters
    ----------
    reach : float
        How near, in pixels of the frame.

    Returns
    -------
    tuple of int or None
        For x and y: -1 the low side, 1 the high side, 0 the middle.
    """
    near = []
    for across in (-1, 0, 1):
        for down in (-1, 0, 1):
            x, y = box[0] + box[2] * (across + 1) / 2, box[1] + box[3] * (down + 1) / 2
            distance = max(abs(point[0] - x), abs(point[1] - y))
            if (across or down) and distance <= reach:
                near.append((distance, -abs(across) - abs(down), (across, down)))
    return min(near)[2] if near else None


@dataclass(frozen=True)
class Drag:
    """A drag under way, from where it began.

    Parameters
    ----------
    start : tuple of float
        Where the button went down.
    box : tuple of float
        The box as it was; of no size where a new one is drawn.
    face_id : int or None
        None for a new box.
    handle : tuple of int or None
        The handle held, None where the whole box moves.
    """

    start: Point
    box: Box
    face_id: int | None = None
    handle: tuple[int, int] | None = None

    def to(self, point: Point) -> Box:
        """Return the box with the pointer at a point.

        Examples
        --------
        >>> Drag((0, 0), (10, 10, 5, 5), face_id=1).to((2, 3))
        (12, 13, 5, 5)
        >>> Drag((8, 8), (8, 8, 0, 0)).to((2, 10))
        (2, 8, 6, 2)
        """
        dx, dy = point[0] - self.start[0], point[1] - self.start[1]
        if self.face_id is not None and self.handle is None:
            return self.box[0] + dx, self.box[1] + dy, self.box[2], self.box[3]
        across, down = self.handle or (1, 1)
        left, width = _stretched(self.box[0], self.box[2], dx, across)
        top, height = _stretched(self.box[1], self.box[3], dy, down)
        return left, top, width, height

    def moved(self, point: Point) -> float:
        """Return how far the pointer is from where the button went down, in pixels of the frame."""
        return max(abs(point[0] - self.start[0]), abs(point[1] - self.start[1]))


def _stretched(low: float, length: float, change: float, side: int) -> tuple[float, float]:
    """Move one end; an end pulled past the other becomes the other."""
    if side == 0:
        return low, length
    high = low + length
    if side < 0:
        low += change
    else:
        high += change
    return min(low, high), abs(high - low)
