"""Read Supervisely annotations: a JSON file of a video, or one for every image."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, by_frame
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json, to_utf8
from redactkit.formats.videos import choose_video

__all__ = ["read_supervisely"]

_RULE = Numbering("Supervisely counts frames from 0")
_PNG, _PNG_HEAD = b"\x89PNG\r\n\x1a\n", 24  # how a PNG starts, and after how many bytes its size is told
_TAGS = "tags have no place in our tables and are left out"


class _Size(Struct):
    height: float = 0
    width: float = 0


class _Points(Struct):
    exterior: list[tuple[float, float]] | None = None


class _Bitmap(Struct):
    data: str
    origin: tuple[float, float]


class _Node(Struct):
    loc: tuple[float, float]


class _Geometry(Struct):
    """Where something is: an outline, a graph's nodes, or a mask."""

    points: _Points | None = None
    nodes: dict[str, _Node] | None = None
    bitmap: _Bitmap | None = None


class _Figure(Struct, rename="camel"):
    object_key: str | None = None
    object_id: int | str | None = None
    geometry_type: str = ""
    geometry: _Geometry | None = None


class _Frame(Struct):
    index: int
    figures: list[_Figure] | None = None


class _Object(_Geometry, rename="camel"):
    key: str | None = None
    id: int | str | None = None
    class_title: str = ""
    geometry_type: str = ""
    tags: list[Any] | None = None


class _Document(Struct, rename="camel"):
    size: _Size = msgspec.field(default_factory=_Size)
    objects: list[_Object] | None = None
    frames: list[_Frame] | None = None
    frames_count: int | None = None
    video_name: str | None = None


def read_supervisely(source: Source) -> Reading:
    """Read figures of a video's frames, or objects of images; other shapes arrive as the boxes around them.

    References
    ----------
    Supervisely documentation, "Video Annotation JSON format" and "Image Annotation JSON format".
    """
    try:
        documents = {
            name: decode_json(to_utf8(data, path=name), _Document, path=name)
            for name, data in sorted(source.members.items())
            if PurePosixPath(name).name not in ("meta.json", "key_id_map.json", "obj_class_to_machine_color.json")
        }
        videos = {name: document for name, document in documents.items() if document.frames is not None}
        if videos:
            return _read_video(videos, source)
        images = [_image(document, name) for name, document in documents.items()]
        return read_images(images, source, format="supervisely", remarks=[Remark("lost fields", _TAGS, quiet=True)])
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _read_video(videos: dict[str, _Document], source: Source) -> Reading:
    names = [(document.video_name or "", PurePosixPath(name).stem) for name, document in videos.items()]
    place, several = choose_video(names, source)
    name, document = list(videos.items())[place]
    objects = {
        key: (item.class_title, item.id if isinstance(item.id, int) else number)
        for number, item in enumerate(document.objects or [], start=1)
        for key in (item.key, item.id)
        if key is not None
    }
    found, kinds = ParsedBoxes(), set[str]()
    for frame in document.frames or []:
        for number, figure in enumerate(frame.figures or []):
            where = f"{name}, frame {frame.index}, figure {number + 1}"
            key = figure.object_id if figure.object_id in objects else figure.object_key
            kinds.add(figure.geometry_type)
            label, face = objects.get(key, ("", key)) if key is not None else ("", None)
            found.add(frame.index, face, _box(figure.geometry, figure.geometry_type, where), place=where, label=label)
    size = source.find_size((document.size.width, document.size.height), otherwise=(0, 0))
    return by_frame(
        found,
        source,
        FileFacts(format="supervisely", size=size, remarks=[*several, *_shapes(kinds)]),
        numbering=_RULE,
        frame_count=document.frames_count or 0,
        trusted=True,
    )


def _shapes(kinds: set[str]) -> list[Remark]:
    others = kinds - {"rectangle", ""}
    text = f"shapes of kind {', '.join(sorted(others))[:200]} became the boxes around them"
    return [Remark("other shapes", text)] if others else []


def _image(document: _Document, name: str) -> Image:
    stem = name.removesuffix(".json")
    size = (document.size.width, document.size.height)
    image = Image(stem, (round(size[0]), round(size[1])) if all(0 < side < 1e6 for side in size) else (0, 0))
    for number, item in enumerate(document.objects or []):
        where = f"{name}, $.objects[{number}]"
        image.add(_box(item, item.geometry_type, where), label=item.class_title, place=where)
    return image


def _box(shape: _Geometry | None, kind: str, place: str) -> Sequence[float]:
    """Return the box around a shape: its outline, the nodes of a graph, or a mask."""
    given = shape or _Geometry()
    if given.bitmap is not None:
        return _around_mask(given.bitmap, place)
    points = given.points.exterior if given.points is not None else None
    points = points or [node.loc for node in (given.nodes or {}).values()]
    if not points:
        raise AnnotationError(f"expected the points of a shape, got a {kind[:40] or 'shape'} without any - at {place}")
    return around(points)


def _around_mask(mask: _Bitmap, place: str) -> Sequence[float]:
    """Return the box of a mask: it is a packed PNG, as large as what it covers, whose corner is at ``origin``."""
    try:
        start = zlib.decompressobj().decompress(base64.b64decode(mask.data), _PNG_HEAD)
    except (ValueError, zlib.error) as err:
        raise AnnotationError(f"the mask cannot be unpacked ({err}) - at {place}") from err
    if len(start) < _PNG_HEAD or not start.startswith(_PNG):
        raise AnnotationError(f"expected a mask that is a packed PNG - at {place}")
    width, height = struct.unpack(">II", start[-8:])
    return mask.origin[0], mask.origin[1], width, height
