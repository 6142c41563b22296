"""Read the XML of dlib's imglab: images with boxes."""

from __future__ import annotations

from redactkit.errors import AnnotationError
from redactkit.formats.images import Image, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source
from redactkit.formats.xmlfile import Element, finite_number, parse_xml

__all__ = ["read_dlib"]

_SIDES = ("left", "top", "width", "height")
_LOST = "parts have no place in our tables and are left out"


def read_dlib(source: Source) -> Reading:
    """Read ``<dataset>``: the ``box`` elements of every ``image``; boxes marked ``ignore`` are kept.

    References
    ----------
    dlib, "tools/imglab".
    """
    try:
        images = [_image(element) for element in parse_xml(source.text, ends={"image"})]
        return read_images(images, source, format="dlib", remarks=[Remark("lost fields", _LOST, quiet=True)])
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _image(element: Element) -> Image:
    given = element.attributes
    size = [int(given[name]) if given.get(name, "").isdecimal() and len(given[name]) < 7 else 0 for name in _SIDES[2:]]
    image = Image(given.get("file", ""), (size[0], size[1]))
    for box in element.children:
        if box.name == "box":
            label = next((child.text for child in box.children if child.name == "label"), "")
            place = f"line {box.line}"
            sides = [finite_number(box.attributes.get(name, ""), f"{name} of <box>", place=place) for name in _SIDES]
            image.add(sides, label=label, place=place)
    return image
