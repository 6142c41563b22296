"""Read Scalabel JSON, the format of BDD100K: frames with boxes, of one video or of several."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import Numbering
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json

__all__ = ["read_scalabel"]

_RULE = Numbering("frameIndex counts from 0, as in Scalabel")


class _Box(Struct):
    x1: float
    y1: float
    x2: float
    y2: float


class _Polygon(Struct):
    vertices: list[tuple[float, float]]


class _Label(Struct):
    id: int | str | None = None
    category: str | None = None
    score: float | None = None
    box2d: _Box | None = None
    poly2d: list[_Polygon] | None = None


class _Size(Struct):
    width: float = 0
    height: float = 0


class _Frame(Struct, rename="camel"):
    name: str = ""
    video_name: str | None = None
    frame_index: int | None = None
    size: _Size | None = None
    labels: list[_Label] | None = None


class _Config(Struct, rename="camel"):
    image_size: _Size | None = None


class _Document(Struct):
    frames: list[_Frame]
    config: _Config | None = None


def read_scalabel(source: Source) -> Reading:
    """Read frames of Scalabel; a frame's number is its ``frameIndex``, else that of its name.

    References
    ----------
    Scalabel documentation, "Scalabel format"; Yu et al., "BDD100K", CVPR 2020.
    """
    try:
        kind: Any = list[_Frame] if source.text.lstrip()[:1] == b"[" else _Document
        given = decode_json(source.text, kind, path=source.path)
        document = _Document(given) if isinstance(given, list) else given
        shared = document.config.image_size if document.config is not None else None
        numbered = all(frame.frame_index is not None for frame in document.frames)
        images, lost = [], 0
        for place, frame in enumerate(document.frames):
            image = Image(frame.name, _size(frame.size or shared), frame.frame_index if numbered else None)
            image.video = frame.video_name or ""
            for number, label in enumerate(frame.labels or []):
                box = _box(label)
                if box is None:
                    lost += 1
                else:
                    where = f"$[{place}].labels[{number}]"
                    named = label.category or ""
                    image.add(box, face=label.id, label=named, confidence=label.score, place=where)
            images.append(image)
        remarks = [Remark("lost fields", f"{lost} labels have no box and are left out")] if lost else []
        rule = _RULE if numbered and images else None
        return read_images(images, source, format="scalabel", numbering=rule, remarks=remarks)
    except AnnotationError as err:
        raise type(err)(str(err) if str(err).startswith(str(source.path)) else f"{source.path}: {err}") from err


def _size(size: _Size | None) -> tuple[int, int]:
    if size is None or not (0 < size.width < 1e6 and 0 < size.height < 1e6):
        return 0, 0
    return round(size.width), round(size.height)


def _box(label: _Label) -> tuple[float, float, float, float] | None:
    if label.box2d is not None:
        box = label.box2d
        return box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1
    points = [point for polygon in label.poly2d or [] for point in polygon.vertices]
    return around(points) if points else None
