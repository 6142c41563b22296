"""The shapes of CVAT XML: the upright box around each, one by one, or all boxes of a track at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter

import numpy as np

from redactkit.errors import AnnotationError
from redactkit.formats.keyframes import Track
from redactkit.formats.xmlfile import Element

__all__ = ["BEYOND", "COMPUTED", "box_around", "computed", "integer", "is_keyframe", "is_outside", "plain_track"]

BEYOND = 2**53
COMPUTED = "computed"
"""The attribute of a box that nobody set: it stands there since CVAT's straight line would not give it."""
_COLUMN_NAMES = ("frame", "xtl", "ytl", "xbr", "ybr")
_COLUMNS = itemgetter(*_COLUMN_NAMES)
_ROUNDED = 0.51


def plain_track(face: int, label: str, shapes: Sequence[Element], *, place: str, person: str) -> Track | None:
    """Return the track of boxes that are as CVAT writes nearly all; None where one is not, so that each is looked at.

    Whole columns at once take less time than one box after the other, of which large files have a million.
    """
    given = [shape.attributes for shape in shapes]
    if not given or any("rotation" in item for item in given) or any(shape.name != "box" for shape in shapes):
        return None
    try:
        columns = list(zip(*map(_COLUMNS, given), strict=True))
        frames = np.array(list(map(int, columns[0])), np.int64)
        corners = np.array([list(map(float, column)) for column in columns[1:]], np.float64).T
    except (KeyError, ValueError, OverflowError):
        return None
    upright = np.isfinite(corners).all() and (corners[:, :2] <= corners[:, 2:]).all()
    if not upright or (np.diff(frames) <= 0).any() or not -(2**31) < frames[0] <= frames[-1] < 2**31:
        return None
    return Track(
        face,
        label,
        frames,
        corners,
        outside=np.array([item.get("outside") == "1" for item in given], bool),
        occluded=np.array([item.get("occluded") == "1" for item in given], bool),
        keyframes=np.array(list(map(is_keyframe, shapes)), bool),
        place=place,
        person=person,
    )


def computed(frame: int, corners: Sequence[float]) -> str:
    """Return the value of the attribute `COMPUTED`.

    It names frame and box, since CVAT gives a new keyframe the attributes of the one before it: where somebody moved
    the box, or made it a keyframe of another frame, it no longer fits.
    """
    return " ".join(map(str, [frame, *(round(side) for side in corners)]))


def is_keyframe(shape: Element) -> bool:
    """Return whether somebody set a box: not where the tool, or we, computed it."""
    if shape.attributes.get("keyframe") == "0":
        return False
    texts = [item.text for item in shape.children if item.attributes.get("name") == COMPUTED]
    if not texts or shape.name != "box":
        return True
    try:
        said = list(map(int, texts[0].split()))
        given = [float(shape.attributes[name]) for name in _COLUMN_NAMES]
    except (KeyError, ValueError):
        return True
    # Tools round to hundredths of a pixel.
    fits = len(said) == len(given) and all(abs(a - b) <= _ROUNDED for a, b in zip(said, given, strict=True))
    return not (fits and said[0] == given[0])


def is_outside(shape: Element) -> bool:
    """Return whether an object is gone from a shape's frame on: a skeleton, where all its points are."""
    if shape.name == "skeleton" and "outside" not in shape.attributes:
        return bool(shape.children) and all(item.attributes.get("outside") == "1" for item in shape.children)
    return shape.attributes.get("outside") == "1"


def integer(element: Element, name: str, attributes: Mapping[str, str]) -> int:
    """Return an attribute that is a whole number.

    Raises
    ------
    AnnotationError
        If it is none, or beyond any video; names the line.
    """
    try:
        value = int(attributes[name])
    except (KeyError, ValueError):
        raise AnnotationError(
            f"expected a whole number as {name} of <{element.name}>, got {attributes.get(name, 'none')[:40]!r} "
            f"- at line {element.line}"
        ) from None
    if not -(2**31) < value < BEYOND:
        raise AnnotationError(f"{name} {value} of <{element.name}> is beyond any video - at line {element.line}")
    return value


def _number(element: Element, name: str) -> float:
    try:
        return float(element.attributes[name])
    except (KeyError, ValueError):
        given = element.attributes.get(name, "none")[:40]
        raise AnnotationError(
            f"expected a number as {name} of <{element.name}>, got {given!r} - at line {element.line}"
        ) from None


def box_around(shape: Element) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of the upright box around a shape."""
    given = shape.attributes
    if shape.name == "box" and "rotation" not in given:
        try:  # nearly every shape of a large file
            left, top, right, bottom = (
                float(given["xtl"]),
                float(given["ytl"]),
                float(given["xbr"]),
                float(given["ybr"]),
            )
        except (KeyError, ValueError):
            left, top, right, bottom = (_number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
        if left <= right < math.inf and top <= bottom < math.inf and left + top > -math.inf:
            return left, top, right, bottom
    points = _points(shape)
    angle = _number(shape, "rotation") if "rotation" in given else 0.0
    if angle % 360:
        points = _turn(points, angle)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if not all(map(math.isfinite, (*xs, *ys))):
        raise AnnotationError(f"expected finite coordinates in <{shape.name}> - at line {shape.line}")
    return min(xs), min(ys), max(xs), max(ys)


def _points(shape: Element) -> list[tuple[float, float]]:
    if shape.name == "skeleton":
        seen = [item for item in shape.children if item.attributes.get("outside") != "1"]
        points = [point for item in seen or shape.children if item.name == "points" for point in _listed_points(item)]
        if not points:
            raise AnnotationError(f"expected points in <skeleton> - at line {shape.line}")
        return points
    if shape.name == "box":
        left, top, right, bottom = (_number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
        if left > right or top > bottom:
            raise AnnotationError(
                f"expected a box of sides of 0 or more, got xtl {left:g}, ytl {top:g}, xbr {right:g}, ybr {bottom:g} "
                f"- at line {shape.line}; if corners were swapped, put the smaller number first"
            )
    elif shape.name == "ellipse":
        x, y, across, down = (_number(shape, name) for name in ("cx", "cy", "rx", "ry"))
        left, top, right, bottom = x - across, y - down, x + across, y + down
    elif shape.name == "mask":
        left, top, wide, high = (_number(shape, name) for name in ("left", "top", "width", "height"))
        right, bottom = left + wide, top + high
    elif shape.name == "cuboid":
        ends = [side + edge for side in ("tl", "bl", "tr", "br") for edge in ("1", "2")]
        return [(_number(shape, f"x{end}"), _number(shape, f"y{end}")) for end in ends]
    else:
        return _listed_points(shape)
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _listed_points(shape: Element) -> list[tuple[float, float]]:
    try:
        pairs = [pair.split(",") for pair in shape.attributes["points"].split(";")]
        return [(float(x), float(y)) for x, y in pairs]
    except (KeyError, ValueError):
        raise AnnotationError(f"expected points as x,y;x,y in <{shape.name}> - at line {shape.line}") from None


def _turn(points: Sequence[tuple[float, float]], degrees: float) -> list[tuple[float, float]]:
    """Turn clockwise about the middle."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x0, y0 = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x0 + (x - x0) * cos - (y - y0) * sin, y0 + (x - x0) * sin + (y - y0) * cos) for x, y in points]
