"""Read KITTI labels: tracking, a file of a sequence; objects, a file for every image."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, by_frame
from redactkit.formats.images import Image, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source
from redactkit.formats.videos import choose_video

__all__ = ["read_kitti"]

_RULE = Numbering("KITTI counts frames from 0")
_TYPE = 2  # the place of the class in tracking files, after frame and track
_FEWEST, _SCORE = 14, 15  # columns from the class on
_NOWHERE = "DontCare"
_LOST = "truncation, occlusion and the place in the world are left out"


def read_kitti(source: Source) -> Reading:
    """Read left, top, right, bottom of every object; regions called ``DontCare`` are left out, and it is said.

    References
    ----------
    Geiger et al., "Are we ready for autonomous driving? The KITTI Vision Benchmark Suite", CVPR 2012; its devkits.
    """
    try:
        files = {name: _lines(data) for name, data in sorted(source.members.items())}
        first = next((words for lines in files.values() for _, words in lines), [])
        tracked = bool(first) and _is_number(first[0])
        passed = sum(_NOWHERE in words[: _TYPE + 1] for lines in files.values() for _, words in lines)
        remarks = [Remark("lost fields", _LOST, quiet=True)]
        if passed:
            remarks.append(Remark("no boxes", f"{passed} regions are called {_NOWHERE} and are left out"))
        if not tracked:
            images = [_image(name, lines) for name, lines in files.items()]
            return read_images(images, source, format="kitti", remarks=remarks)
        place, several = choose_video([(PurePosixPath(name).stem, name) for name in files], source)
        name = list(files)[place]
        found = ParsedBoxes()
        for number, words in files[name]:
            where = f"{name}, line {number}"
            if len(words) <= _TYPE or not all(map(_is_number, words[:_TYPE])):
                raise AnnotationError(f"expected frame, track and class, got {' '.join(words)[:40]!r} - at {where}")
            item = _object(words[_TYPE:], where)
            if item is not None:
                face = int(words[1])
                found.add(int(words[0]), None if face < 0 else face, **item)
        size = source.find_size(otherwise=(0, 0))
        return by_frame(
            found,
            source,
            FileFacts(format="kitti", size=size, remarks=[*remarks, *several]),
            numbering=_RULE,
            trusted=True,
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _is_number(word: str) -> bool:
    return word.removeprefix("-").isdecimal() and len(word) < 10


def _lines(data: bytes) -> list[tuple[int, list[str]]]:
    text = data.decode("utf-8-sig", "replace")
    return [(number, line.split()) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _image(name: str, lines: list[tuple[int, list[str]]]) -> Image:
    image = Image(name.rpartition(".")[0])
    for number, words in lines:
        item = _object(words, f"{name}, line {number}")
        if item is not None:
            image.add(**item)
    return image


def _object(words: list[str], place: str) -> dict[str, Any] | None:
    """Return the box of a line from its class on; None for a region that holds no object."""
    if words[0] == _NOWHERE:
        return None
    try:
        left, top, right, bottom = (float(word) for word in words[4:8])
        score = float(words[_SCORE]) if len(words) > _SCORE else None
    except ValueError:
        left = top = right = bottom = score = None  # type: ignore[assignment]
    if left is None or len(words) < _FEWEST:
        raise AnnotationError(f"expected a class and 14 numbers, got {' '.join(words)[:60]!r} - at {place}")
    confidence = score if score is not None and 0 <= score <= 1 else None
    box = (left, top, right - left, bottom - top)
    return {"box": box, "place": place, "label": words[0], "confidence": confidence}
