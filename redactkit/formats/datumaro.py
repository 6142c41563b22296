"""Read the JSON of Datumaro, one file of many images."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import Numbering
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json

__all__ = ["read_datumaro"]

_RULE = Numbering("the attribute frame counts from 0")
_BOX = 4


class _Label(Struct):
    name: str = ""


class _Labels(Struct):
    labels: list[_Label] = []


class _Categories(Struct):
    label: _Labels = msgspec.field(default_factory=_Labels)


class _Media(Struct):
    path: str = ""
    size: tuple[float, float] | None = None


class _Annotation(Struct):
    type: str = ""
    label_id: int | None = None
    bbox: list[float] | None = None
    points: list[float] | None = None
    attributes: dict[str, Any] = {}


class _Item(Struct):
    id: str
    attr: dict[str, Any] = {}
    image: _Media | None = None
    annotations: list[_Annotation] = []


class _Document(Struct):
    items: list[_Item]
    categories: _Categories = msgspec.field(default_factory=_Categories)


def read_datumaro(source: Source) -> Reading:
    """Read boxes, and other shapes as the boxes around them; ``track_id`` is the face's ID.

    References
    ----------
    Datumaro documentation, "Datumaro format".
    """
    try:
        document = decode_json(source.text, _Document, path=source.path)
        names = [label.name for label in document.categories.label.labels]
        images, kinds = [], set[str]()
        numbered = all(isinstance(item.attr.get("frame"), int) for item in document.items)
        for place, item in enumerate(document.items):
            image = Image(item.id, _size(item.image), item.attr["frame"] if numbered else None)
            for number, annotation in enumerate(item.annotations):
                where = f"$.items[{place}].annotations[{number}]"
                box = _box(annotation, where)
                if box is None:
                    kinds.add(annotation.type)
                    continue
                number_of = -1 if annotation.label_id is None else annotation.label_id
                label = names[number_of] if 0 <= number_of < len(names) else ""
                track = annotation.attributes.get("track_id")
                face = track if isinstance(track, int | str) else None
                image.add(box, face=face, label=label, place=where)
            images.append(image)
        text = f"annotations of kind {', '.join(sorted(kinds))[:200]} have no boxes and are left out"
        remarks = [Remark("lost fields", text)] if kinds else []
        rule = _RULE if numbered and images else None
        return read_images(images, source, format="datumaro", numbering=rule, remarks=remarks)
    except AnnotationError as err:
        raise type(err)(str(err) if str(err).startswith(str(source.path)) else f"{source.path}: {err}") from err


def _size(media: _Media | None) -> tuple[int, int]:
    """Return width and height, which stand the other way round."""
    if media is None or media.size is None or not all(0 < side < 1e6 for side in media.size):
        return 0, 0
    return round(media.size[1]), round(media.size[0])


def _box(annotation: _Annotation, place: str) -> tuple[float, float, float, float] | None:
    if annotation.bbox is not None:
        if len(annotation.bbox) != _BOX:
            raise AnnotationError(f"expected x, y, width, height, got {len(annotation.bbox)} numbers - at `{place}`")
        x, y, width, height = annotation.bbox
        return x, y, width, height
    points = annotation.points
    if not points:
        return None
    if len(points) % 2:
        raise AnnotationError(f"expected pairs of x and y, got {len(points)} numbers - at `{place}`")
    return around(list(zip(points[::2], points[1::2], strict=True)))
