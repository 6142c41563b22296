"""Read CVAT XML 1.1: tracks of a video, or boxes of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import MAX_ROWS, ParsedBoxes, by_frame
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source
from redactkit.formats.xmlfile import Element, parse_xml

__all__ = ["read_cvat"]

_SHAPES = {"box", "polygon", "polyline", "points", "ellipse", "cuboid", "mask"}
_FACE = "face"


@dataclass(frozen=True)
class _Knot:
    """A shape of a track: where the object is in one frame, or that it is gone from it on."""

    frame: int
    box: tuple[float, float, float, float]
    outside: bool


@dataclass
class _Collected:
    found: ParsedBoxes = field(default_factory=ParsedBoxes)
    tracks: list[tuple[int, str, list[_Knot], int]] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    sizes: set[tuple[int, int]] = field(default_factory=set)
    labels: dict[int | str, str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    boxed: set[str] = field(default_factory=set)
    images: int = 0


def read_cvat(source: Source) -> Reading:
    """Read CVAT XML, as CVAT itself would show it.

    A box holds from its frame to the next box of its track, moving in a straight line, and the last one
    to the end of the task; a box marked ``outside`` ends what comes before it. Other shapes arrive as the
    boxes around them.
    """
    collected = _Collected()
    try:
        recoded = "utf-8" if source.text is not source.data else None
        for element in parse_xml(source.text, ends={"track", "image", "meta"}, encoding=recoded):
            _take(collected, element)
        size = _find_size(collected, source)
        _lay_out(collected)
        return by_frame(
            collected.found,
            source,
            format="cvat",
            size=size,
            frame_count=_stop(collected) + 1,
            decisions={face: {"label": label} for face, label in collected.labels.items() if label != _FACE},
            remarks=_remarks(collected),
        )
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}") from err


def _take(collected: _Collected, element: Element) -> None:
    if element.name == "track":
        _take_track(collected, element)
    elif element.name == "image":
        _take_image(collected, element)
    else:
        collected.meta |= {item.name: item.text for item in element.walk() if item.text}


def _take_track(collected: _Collected, element: Element) -> None:
    face = _integer(element, "id", element.attributes)
    knots = {}
    for shape in _shapes(collected, element):
        frame = _integer(shape, "frame", shape.attributes)
        knots[frame] = _Knot(frame, _box(shape), shape.attributes.get("outside") == "1")
    label = element.attributes.get("label", "")
    collected.tracks.append((face, label, [knots[frame] for frame in sorted(knots)], element.line))
    collected.labels.setdefault(face, label)


def _take_image(collected: _Collected, element: Element) -> None:
    frame = _integer(element, "id", element.attributes)
    collected.images += 1
    if {"width", "height"} <= element.attributes.keys():
        size = (_integer(element, "width", element.attributes), _integer(element, "height", element.attributes))
        collected.sizes.add(size)
    for shape in _shapes(collected, element):
        name = next((item.text for item in shape.children if item.attributes.get("name") == "track_id"), None)
        left, top, right, bottom = _box(shape)
        box = [left, top, right - left, bottom - top]
        collected.found.add(frame, name, box, place=f"line {shape.line}")


def _shapes(collected: _Collected, element: Element) -> list[Element]:
    shapes = [item for item in element.walk() if item.name in _SHAPES]
    collected.boxed |= {item.name for item in shapes if item.name != "box"}
    named = {item.attributes.get("name", "") for shape in shapes for item in shape.children if item.name == "attribute"}
    collected.lost |= named - {"track_id"}
    return shapes


def _integer(element: Element, name: str, attributes: Mapping[str, str]) -> int:
    try:
        value = int(attributes[name])
    except (KeyError, ValueError):
        raise AnnotationError(
            f"expected a whole number as {name} of <{element.name}>, got {attributes.get(name, 'none')[:40]!r} "
            f"- at line {element.line}"
        ) from None
    if not -(2**31) < value < 2**53:
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


def _box(shape: Element) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom of the upright box around a shape."""
    if shape.name == "box" and "rotation" not in shape.attributes:
        left, top, right, bottom = (_number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
        if left <= right < math.inf and top <= bottom < math.inf and left + top > -math.inf:
            return left, top, right, bottom
    points = _points(shape)
    angle = _number(shape, "rotation") if "rotation" in shape.attributes else 0.0
    if angle % 360:
        points = _turn(points, angle)
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if not all(map(math.isfinite, (*xs, *ys))):
        raise AnnotationError(f"expected finite coordinates in <{shape.name}> - at line {shape.line}")
    return min(xs), min(ys), max(xs), max(ys)


def _points(shape: Element) -> list[tuple[float, float]]:
    if shape.name == "box":
        left, top, right, bottom = (_number(shape, name) for name in ("xtl", "ytl", "xbr", "ybr"))
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


def _find_size(collected: _Collected, source: Source) -> tuple[int, int]:
    if collected.sizes:
        return max(size[0] for size in collected.sizes), max(size[1] for size in collected.sizes)
    try:
        stated = (float(collected.meta.get("width", 0)), float(collected.meta.get("height", 0)))
    except ValueError:
        stated = (0.0, 0.0)
    return source.find_size(stated, otherwise=(0, 0))


def _stop(collected: _Collected) -> int:
    """Return the task's last frame: as the file states it, or the last frame that it speaks of."""
    try:
        stated = int(collected.meta.get("stop_frame") or int(collected.meta.get("size", 0)) - 1)
    except ValueError:
        stated = -1
    spoken = [knots[-1].frame - knots[-1].outside for _, _, knots, _ in collected.tracks if knots]
    return max([stated, *spoken, *collected.found.at])


def _lay_out(collected: _Collected) -> None:
    """Write out the box of every frame in which a track is visible."""
    stop = _stop(collected)
    visible = [
        (face, knot, after, stop + 1 if after is None else after.frame, f"line {line}")
        for face, _, knots, line in collected.tracks
        for knot, after in pairwise([*knots, None])
        if knot is not None and not knot.outside
    ]
    rows = sum(until - knot.frame for _, knot, _, until, _ in visible)
    if rows > MAX_ROWS:
        raise AnnotationError(f"the tracks span {rows} boxes, more than the {MAX_ROWS} this reader takes")
    for face, knot, after, until, place in visible:
        _lay_between(collected.found, face, knot, after, until, place)


def _lay_between(found: ParsedBoxes, face: int, knot: _Knot, after: _Knot | None, until: int, place: str) -> None:
    if until == knot.frame + 1:
        left, top, right, bottom = knot.box
        found.add(knot.frame, face, (left, top, right - left, bottom - top), place=place)
        return
    for frame in range(knot.frame, until):
        share = 0.0 if after is None else (frame - knot.frame) / (after.frame - knot.frame)
        end = knot.box if after is None else after.box
        left, top, right, bottom = (a + (b - a) * share for a, b in zip(knot.box, end, strict=True))
        found.add(frame, face, (left, top, right - left, bottom - top), place=place)


def _remarks(collected: _Collected) -> list[Remark]:
    remarks = []
    if collected.boxed:
        text = f"shapes of kind {', '.join(sorted(collected.boxed))} became the boxes around them"
        remarks.append(Remark("other shapes", text))
    if collected.lost:
        text = f"the attributes {', '.join(sorted(collected.lost))[:200]} have no place in our tables and are left out"
        remarks.append(Remark("lost fields", text))
    if len(collected.sizes) > 1:
        text = f"images have {len(collected.sizes)} sizes; the largest width and height stand for all"
        remarks.append(Remark("several sizes", text))
    return remarks
