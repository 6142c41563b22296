"""Read the text of WIDER FACE: the name of an image, how many faces it has, and a line for each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from redactkit.errors import AnnotationError
from redactkit.formats.images import Image, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source

__all__ = ["read_wider"]

_IMAGE = re.compile(r".*\.(jpg|jpeg|png|bmp|webp)", re.IGNORECASE)
_SIDES = 4
_WITH_SCORE = 5
_LOST = "blur, expression, illumination, occlusion and pose have no place in our tables and are left out"


def read_wider(source: Source) -> Reading:
    """Read WIDER FACE, and results in its form, which have a confidence after the box.

    An image without a face has the count 0, and in the data set's own files a line of zeros, which is none.

    References
    ----------
    Yang et al., "WIDER FACE: A Face Detection Benchmark", CVPR 2016.
    """
    try:
        lines = enumerate(source.text.decode("utf-8", "replace").splitlines(), start=1)
        images = list(_images((number, line.strip()) for number, line in lines if line.strip()))
        return read_images(images, source, format="wider", remarks=[Remark("lost fields", _LOST, quiet=True)])
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _images(lines: Iterator[tuple[int, str]]) -> Iterator[Image]:
    image: Image | None = None
    left = 0
    for number, line in lines:
        if _IMAGE.fullmatch(line):
            if left:
                raise AnnotationError(f"line {number}: expected {left} more faces, got the image {line[:40]!r}")
            if image is not None:
                yield image
            image, left = Image(line), -1
        elif image is None:
            raise AnnotationError(f"line {number}: expected the name of an image, got {line[:40]!r}")
        elif left < 0:
            if not line.isdecimal() or len(line) > 7:
                raise AnnotationError(f"line {number}: expected the number of faces, got {line[:40]!r}")
            left = int(line)
        else:
            _add(image, line, number, nothing=left == 0)
            left -= left > 0
    if image is not None:
        if left > 0:
            raise AnnotationError(f"expected {left} more faces of {image.name[:80]}, got the end of the file")
        yield image


def _add(image: Image, line: str, number: int, *, nothing: bool) -> None:
    try:
        values = [float(word) for word in line.split()]
    except ValueError:
        values = []
    if len(values) < _SIDES:
        raise AnnotationError(f"line {number}: expected x, y, width, height, got {line[:40]!r}")
    if nothing:
        if any(values):
            raise AnnotationError(f"line {number}: a face more than the image is said to have")
        return
    scored = len(values) == _WITH_SCORE and 0 <= values[_SIDES] <= 1
    confidence = values[_SIDES] if scored else None
    image.add(values[:_SIDES], label="face", confidence=confidence, place=f"line {number}")
