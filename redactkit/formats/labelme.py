"""Read LabelMe annotations, a JSON file for every image."""

from __future__ import annotations

import math
from typing import Any

from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json, to_utf8

__all__ = ["read_labelme"]

Point = tuple[float, float]


class _Shape(Struct):
    points: list[Point]
    label: str = ""
    group_id: int | str | None = None
    shape_type: str | None = None


class _Document(Struct, rename="camel"):
    shapes: list[_Shape]
    image_path: str | None = None
    image_width: float | None = None
    image_height: float | None = None
    flags: dict[str, Any] | None = None


def read_labelme(source: Source) -> Reading:
    """Read the shapes of LabelMe; all arrive as the boxes around them, and ``group_id`` as the face's ID.

    References
    ----------
    LabelMe, github.com/wkentaro/labelme, "label_file.py".
    """
    try:
        images, kinds = [], set[str]()
        for name, data in sorted(source.members.items()):
            document = decode_json(to_utf8(data, path=name), _Document, path=name)
            sides = document.image_width or 0, document.image_height or 0
            size = (round(sides[0]), round(sides[1])) if all(map(math.isfinite, sides)) else (0, 0)
            image = Image(name.rpartition(".")[0], size)
            for number, shape in enumerate(document.shapes):
                _add(image, shape, f"{name}, $.shapes[{number}]")
                kinds.add(shape.shape_type or "polygon")
            images.append(image)
        others = kinds - {"rectangle"}
        text = f"shapes of kind {', '.join(sorted(others))[:200]} became the boxes around them"
        return read_images(images, source, format="labelme", remarks=[Remark("other shapes", text)] if others else [])
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _add(image: Image, shape: _Shape, place: str) -> None:
    points = shape.points
    if not points or (shape.shape_type == "circle" and len(points) != 2):
        raise AnnotationError(f"expected the points of a {shape.shape_type or 'shape'}, got {len(points)} - at {place}")
    if shape.shape_type == "circle":  # its middle, and a point on it
        (x, y), (x1, y1) = points
        radius = math.hypot(x1 - x, y1 - y)
        points = [(x - radius, y - radius), (x + radius, y + radius)]
    image.add(around(points), face=shape.group_id, label=shape.label, place=place)
