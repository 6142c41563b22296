"""Read the pages of Amazon Rekognition ``GetFaceDetection``, one or several, joined."""

from __future__ import annotations

import json

import msgspec
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import ParsedBoxes, by_time
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json

__all__ = ["read_rekognition"]

_LOST = "landmarks, pose, quality and emotions have no place in our tables and are left out"


class _Box(Struct, rename="pascal"):
    left: float
    top: float
    width: float
    height: float


class _Face(Struct, rename="pascal"):
    bounding_box: _Box
    confidence: float | None = None


class _Detection(Struct, rename="pascal"):
    timestamp: int
    face: _Face


class _Metadata(Struct, rename="pascal"):
    frame_rate: float | None = None
    frame_width: float | None = None
    frame_height: float | None = None


class _Page(Struct, rename="pascal"):
    faces: list[_Detection] | None = None
    job_status: str | None = None
    next_token: str | None = None
    video_metadata: _Metadata | None = None


def read_rekognition(source: Source) -> Reading:
    """Read Rekognition pages: a page, a list of pages, or pages one after the other.

    Rekognition tells faces but not which are one person, so every box is a face of its own.
    """
    pages = _pages(source)
    metadata = next((page.video_metadata for page in pages if page.video_metadata is not None), _Metadata())
    try:
        width, height = source.find_size((metadata.frame_width, metadata.frame_height))
        found = ParsedBoxes()
        for number, page in enumerate(pages):
            _add_page(found, page, number, width, height)
        return by_time(
            found,
            format="rekognition",
            size=(width, height),
            timescale=1000,
            frame_rate=source.rate_of(metadata.frame_rate),
            remarks=[Remark("lost fields", _LOST), *_unfinished(pages)],
        )
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}") from err


def _pages(source: Source) -> list[_Page]:
    text = source.text
    if text.lstrip()[:1] == b"[":
        return decode_json(text, list[_Page], path=source.path)
    return [decode_json(page, _Page, path=source.path) for page in _split(text)]


def _split(text: bytes) -> list[bytes]:
    """Cut JSON values that stand one after the other; text that is one value, or broken, stays whole."""
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
        return [text]
    except (msgspec.DecodeError, RecursionError):
        pass
    pages, decoder, rest = [], json.JSONDecoder(), text.decode("utf-8", "replace").strip()
    while rest:
        try:
            _, end = decoder.raw_decode(rest)
        except (ValueError, RecursionError):
            return [text]
        pages.append(rest[:end].encode())
        rest = rest[end:].lstrip()
    return pages


def _add_page(found: ParsedBoxes, page: _Page, number: int, width: int, height: int) -> None:
    for place, item in enumerate(page.faces or []):
        box = item.face.bounding_box
        pixels = [box.left * width, box.top * height, box.width * width, box.height * height]
        confidence = None if item.face.confidence is None else item.face.confidence / 100
        found.add(item.timestamp, None, pixels, place=f"$[{number}].Faces[{place}]", confidence=confidence)


def _unfinished(pages: list[_Page]) -> list[Remark]:
    remarks = []
    if pages and pages[-1].next_token:
        text = "the last page names a next one, so faces are missing; join all pages of the job"
        remarks.append(Remark("missing pages", text))
    states = sorted({page.job_status for page in pages if page.job_status} - {"SUCCEEDED"})
    if states:
        remarks.append(Remark("unfinished job", f"the job's status is {', '.join(states)}; faces may be missing"))
    return remarks
