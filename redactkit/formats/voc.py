"""Read Pascal VOC annotations, an XML file for every image; LabelMe's older XML too."""

from __future__ import annotations

from collections.abc import Mapping

from redactkit.errors import AnnotationError
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source
from redactkit.formats.xmlfile import Element, finite_number, parse_xml

__all__ = ["read_voc"]

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_IDS = ("track_id", "id", "object_id")


def read_voc(source: Source) -> Reading:
    """Read ``<annotation>`` files: ``bndbox`` of every ``object``, in pixels; polygons become the boxes around them.

    References
    ----------
    Everingham et al., "The PASCAL Visual Object Classes Challenge 2012 Development Kit".
    """
    try:
        images = [_image(data, name) for name, data in sorted(source.members.items())]
        parts = "pose, truncated, difficult and parts have no place in our tables and are left out"
        return read_images(images, source, format="voc", remarks=[Remark("lost fields", parts, quiet=True)])
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _image(data: bytes, name: str) -> Image:
    try:
        root = next(parse_xml(data, ends={"annotation"}), None)
    except AnnotationError as err:
        raise AnnotationError(f"{name}: {err}") from err
    if root is None:
        raise AnnotationError(f"{name}: expected an element <annotation>")
    texts = {child.name: child for child in root.children}
    size = {item.name: item.text for item in texts["size"].children} if "size" in texts else {}
    if "imagesize" in texts:  # LabelMe
        size = {{"nrows": "height", "ncols": "width"}.get(i.name, i.name): i.text for i in texts["imagesize"].children}
    stem = name.rpartition(".")[0]
    image = Image(stem, (_whole(size, "width"), _whole(size, "height")))
    for item in root.children:
        if item.name == "object":
            _add(image, item, f"{name}, line {item.line}")
    return image


def _whole(texts: Mapping[str, str], name: str) -> int:
    try:
        return round(float(texts.get(name, 0) or 0))
    except (ValueError, OverflowError):
        return 0


def _add(image: Image, item: Element, place: str) -> None:
    children = {child.name: child for child in item.children}
    if children.get("deleted", Element("", {}, 0)).text == "1":
        return
    label = children["name"].text if "name" in children else ""
    face = next((children[name].text for name in _IDS if name in children and children[name].text), None)
    face = face if face is not None else _attribute(item)
    # LabelMe has a box around a mask.
    box = children.get("bndbox") or next((child for child in item.walk() if child.name == "box"), None)
    if box is not None:
        texts = {child.name: child.text for child in box.children}
        left, top, right, bottom = (finite_number(texts.get(side, ""), side, place=place) for side in _SIDES)
        image.add((left, top, right - left, bottom - top), face=face, label=label, place=place)
        return
    points = [point for child in item.walk() if child.name == "pt" for point in [_point(child, place)]]
    if not points:
        raise AnnotationError(f"expected <bndbox> or <polygon> in <object> - at {place}")
    image.add(around(points), face=face, label=label, place=place)


def _attribute(item: Element) -> str | None:
    """Return the identity that CVAT writes among an object's attributes."""
    for child in item.walk():
        texts = {inner.name: inner.text for inner in child.children}
        if child.name == "attribute" and texts.get("name") == "track_id":
            return texts.get("value") or None
    return None


def _point(element: Element, place: str) -> tuple[float, float]:
    texts = {child.name: child.text for child in element.children}
    return finite_number(texts.get("x", ""), "x", place=place), finite_number(texts.get("y", ""), "y", place=place)
