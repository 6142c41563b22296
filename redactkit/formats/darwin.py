"""Read Darwin JSON (V7), version 2: a file of a video, or one for every image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, by_frame
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.keyframes import Knot, Track, lay_out
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json, to_utf8
from redactkit.formats.videos import choose_video

__all__ = ["read_darwin"]

_RULE = Numbering("Darwin counts frames from 0")


class _Box(Struct):
    x: float
    y: float
    w: float
    h: float


class _Point(Struct):
    x: float
    y: float


class _Polygon(Struct):
    paths: list[list[_Point]] | None = None
    path: list[_Point] | None = None


class _Radius(Struct):
    x: float
    y: float


class _Ellipse(Struct):
    center: _Point
    radius: _Radius
    angle: float = 0


class _Skeleton(Struct):
    nodes: list[_Point]


class _Shape(Struct):
    """Where something is, in one of the ways there are."""

    bounding_box: _Box | None = None
    polygon: _Polygon | None = None
    ellipse: _Ellipse | None = None
    skeleton: _Skeleton | None = None


class _Instance(Struct):
    value: int | str | None = None


class _Annotation(_Shape):
    name: str = ""
    id: str | None = None
    frames: dict[str, _Shape] | None = None
    ranges: list[tuple[int, int]] | None = None
    segments: list[tuple[int, int | None]] | None = None
    instance_id: _Instance | None = None


class _Slot(Struct):
    type: str = ""
    width: float | None = None
    height: float | None = None
    fps: float | None = None
    frame_count: int | None = None


class _Item(Struct):
    name: str = ""
    path: str = ""
    slots: list[_Slot] | None = None


class _Document(Struct):
    item: _Item
    annotations: list[_Annotation] | None = None


def read_darwin(source: Source) -> Reading:
    """Read boxes, and the boxes around polygons, ellipses and skeletons.

    In a video a box moves in a straight line between its keyframes, within its ranges.

    References
    ----------
    V7 documentation, "Darwin JSON v2".
    """
    try:
        documents = {
            name: decode_json(to_utf8(data, path=name), _Document, path=name)
            for name, data in sorted(source.members.items())
        }
        videos = {name: document for name, document in documents.items() if _is_video(document)}
        if videos:
            return _read_video(videos, source)
        images = [_image(document, name) for name, document in documents.items()]
        return read_images(images, source, format="darwin", remarks=_lost(documents.values()))
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _is_video(document: _Document) -> bool:
    typed = any(slot.type == "video" for slot in document.item.slots or [])
    return typed or any(item.frames is not None for item in document.annotations or [])


def _read_video(videos: Mapping[str, _Document], source: Source) -> Reading:
    names = [(document.item.name, PurePosixPath(name).stem) for name, document in videos.items()]
    place, several = choose_video(names, source)
    name, document = list(videos.items())[place]
    slot = next(iter(document.item.slots or []), _Slot())
    tracks = [
        track
        for number, item in enumerate(document.annotations or [])
        for track in _tracks(item, number + 1, f"{name}, $.annotations[{number}]")
    ]
    last = max((track.last for track in tracks), default=-1)
    found = ParsedBoxes()
    lay_out(found, tracks, max((slot.frame_count or 0) - 1, last))
    return by_frame(
        found,
        source,
        FileFacts(
            format="darwin",
            size=source.find_size((slot.width, slot.height), otherwise=(0, 0)),
            frame_rate=source.rate_of(slot.fps),
            remarks=[*several, *_lost([document])],
        ),
        numbering=_RULE,
        frame_count=slot.frame_count or 0,
        trusted=True,
    )


def _tracks(item: _Annotation, number: int, place: str) -> list[Track]:
    """Return a track for each range in which the object is there, which ends before the range's second number."""
    shapes = {_whole(key, place): shape for key, shape in (item.frames or {}).items()}
    keys = [(frame, _around(shape, place)) for frame, shape in sorted(shapes.items()) if _has_box(shape)]
    if not keys:
        return []
    instance = item.instance_id.value if item.instance_id is not None else None
    face = number if instance is None else instance
    ranges: Sequence[tuple[int, int | None]] = item.ranges or item.segments or [(keys[0][0], None)]
    tracks = []
    for start, stop in sorted(ranges, key=lambda span: span[0]):
        before = [box for frame, box in keys if frame <= start]
        inside = [(frame, box) for frame, box in keys if frame >= start and (stop is None or frame < stop)]
        knots = [Knot(frame, box) for frame, box in inside]
        if not knots or knots[0].frame > start:
            knots.insert(0, Knot(start, before[-1] if before else keys[0][1]))
        if stop is not None and stop > knots[-1].frame:
            # The box stays where the last keyframe has it until the range ends.
            knots.append(Knot(stop, knots[-1].box, outside=True))
        tracks.append(Track.of(face, item.name, knots, place=place))
    return tracks


def _whole(text: str, place: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise AnnotationError(f"expected a frame number, got {text[:40]!r} - at {place}.frames")
    return int(text)


def _has_box(shape: _Shape) -> bool:
    return any(kind is not None for kind in (shape.bounding_box, shape.polygon, shape.ellipse, shape.skeleton))


def _around(shape: _Shape, place: str) -> tuple[float, float, float, float]:
    """Return left, top, right, bottom."""
    if shape.bounding_box is not None:
        box = shape.bounding_box
        return box.x, box.y, box.x + box.w, box.y + box.h
    if shape.ellipse is not None:
        return _around_ellipse(shape.ellipse)
    points = _points(shape)
    if not points:
        raise AnnotationError(f"expected a polygon or a skeleton with points - at {place}")
    x, y, width, height = around(points)
    return x, y, x + width, y + height


def _points(shape: _Shape) -> list[tuple[float, float]]:
    if shape.polygon is not None:
        paths = [*(shape.polygon.paths or []), *([shape.polygon.path] if shape.polygon.path else [])]
        return [(point.x, point.y) for path in paths for point in path]
    return [(node.x, node.y) for node in shape.skeleton.nodes] if shape.skeleton is not None else []


def _around_ellipse(ellipse: _Ellipse) -> tuple[float, float, float, float]:
    """Return the upright box around an ellipse that is turned by ``angle`` radians."""
    cos, sin = math.cos(ellipse.angle), math.sin(ellipse.angle)
    across = math.hypot(ellipse.radius.x * cos, ellipse.radius.y * sin)
    down = math.hypot(ellipse.radius.x * sin, ellipse.radius.y * cos)
    x, y = ellipse.center.x, ellipse.center.y
    return x - across, y - down, x + across, y + down


def _lost(documents: Iterable[_Document]) -> list[Remark]:
    """Return what is to be said of annotations that have no place: tags, points, lines and masks."""
    items = [item for document in documents for item in document.annotations or []]
    lost = sum(not _has_box(item) and not any(map(_has_box, (item.frames or {}).values())) for item in items)
    text = f"{lost} annotations (tags, points, lines or masks) have no box and are left out"
    return [Remark("lost fields", text)] if lost else []


def _image(document: _Document, name: str) -> Image:
    slot = next(iter(document.item.slots or []), _Slot())
    sides = slot.width or 0, slot.height or 0
    size = (round(sides[0]), round(sides[1])) if all(0 < side < 1e6 for side in sides) else (0, 0)
    image = Image(document.item.name or name, size)
    for number, item in enumerate(document.annotations or []):
        place = f"{name}, $.annotations[{number}]"
        if not _has_box(item):
            continue
        left, top, right, bottom = _around(item, place)
        face = item.instance_id.value if item.instance_id is not None else None
        image.add((left, top, right - left, bottom - top), face=face, label=item.name, place=place)
    return image
