"""The pages of Amazon Rekognition's results, in the spelling of any of its clients."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from msgspec import Struct

from redactkit.formats.normalize import Remark
from redactkit.formats.source import Source, decode_json
from redactkit.formats.videos import choose_video

__all__ = ["Box", "Celebrity", "Metadata", "Page", "Person", "decode_pages", "of_one_video"]

_SMALL_KEY = re.compile(
    rb'"(faces|face_?[dD]etails|face_?[rR]ecords|persons|celebrities|labels|job_?[sS]tatus|celebrity_?[fF]aces'
    rb'|unrecognized_?[fF]aces|unmatched_?[fF]aces)"\s*:'
)


class Box(Struct, rename="pascal"):
    """Shares of the frame."""

    left: float
    top: float
    width: float
    height: float


class _Face(Struct, rename="pascal"):
    bounding_box: Box
    confidence: float | None = None


class _Detection(Struct, rename="pascal"):
    """An item of ``Faces``: of a video with time and face, of a collection with a box and the image it is from."""

    timestamp: int | None = None
    face: _Face | None = None
    bounding_box: Box | None = None
    confidence: float | None = None
    image_id: str | None = None
    external_image_id: str | None = None


class _Record(Struct, rename="pascal"):
    """A face that was put into a collection, or that is like that of another image."""

    face: _Face


class _CelebrityFace(Struct, rename="pascal"):
    """A face of an image, with the name of whose it is."""

    face: _Face
    name: str = ""


class Person(Struct, rename="pascal"):
    """Somebody in a video: the whole person, the face, or both."""

    index: int | None = None
    bounding_box: Box | None = None
    face: _Face | None = None
    confidence: float | None = None


class _Known(Struct, rename="pascal"):
    external_image_id: str | None = None


class _Match(Struct, rename="pascal"):
    face: _Known | None = None


class _Tracked(Struct, rename="pascal"):
    timestamp: int
    person: Person
    face_matches: list[_Match] | None = None


class Celebrity(Struct, rename="pascal"):
    """Somebody known in a video."""

    id: str | None = None
    name: str | None = None
    bounding_box: Box | None = None
    face: _Face | None = None
    confidence: float | None = None


class _Recognized(Struct, rename="pascal"):
    timestamp: int
    celebrity: Celebrity


class _Instance(Struct, rename="pascal"):
    bounding_box: Box | None = None
    confidence: float | None = None


class _Label(Struct, rename="pascal"):
    name: str = ""
    instances: list[_Instance] | None = None


class _Labelled(Struct, rename="pascal"):
    """A label of a video, or of an image: then it is all that there is."""

    label: _Label | None = None
    timestamp: int | None = None
    name: str = ""
    instances: list[_Instance] | None = None


class _Object(Struct, rename="pascal"):
    name: str = ""


class _Stored(Struct):
    """Where the video is; ``S3Object`` is also spelled S3object where keys were changed to snake_case and back."""

    s3_object: _Object | None = msgspec.field(default=None, name="S3Object")


class Metadata(Struct, rename="pascal"):
    """What the service says of the video."""

    frame_rate: float | None = None
    frame_width: float | None = None
    frame_height: float | None = None


class Page(Struct, rename="pascal"):
    """A page: what any operation with boxes answers, of a video or of an image."""

    faces: list[_Detection] | None = None
    persons: list[_Tracked] | None = None
    celebrities: list[_Recognized] | None = None
    labels: list[_Labelled] | None = None
    face_details: list[_Face] | None = None
    face_records: list[_Record] | None = None
    celebrity_faces: list[_CelebrityFace] | None = None
    unrecognized_faces: list[_Face] | None = None
    source_image_face: _Face | None = None
    face_matches: list[_Record] | None = None
    unmatched_faces: list[_Face] | None = None
    job_status: str | None = None
    status_message: str | None = None
    next_token: str | None = None
    video: _Stored | None = None
    video_metadata: Metadata | list[Metadata] | None = None


def decode_pages(source: Source) -> list[Page]:
    """Decode pages; those in camelCase or snake_case are spelled as the service spells them first."""
    text = source.text
    odd = _SMALL_KEY.search(text[:100_000]) is not None
    kind: Any = Any if odd else Page
    if text.lstrip()[:1] == b"[":
        given = decode_json(text, list[kind], path=source.path)
    else:
        given = [decode_json(page, kind, path=source.path) for page in _split(text)]
    if not odd:
        return given
    return [decode_json(msgspec.json.encode(_pascal(page)), Page, path=source.path) for page in given]


def of_one_video(pages: list[Page], source: Source) -> tuple[list[Page], list[Remark]]:
    """Return the pages of the one video that is meant; a page that does not say which goes with the one before."""
    names: list[str] = []
    for page in pages:
        stored = page.video.s3_object if page.video is not None else None
        names.append(stored.name if stored is not None else names[-1] if names else "")
    known = list(dict.fromkeys(names))
    place, remarks = choose_video([(name,) for name in known], source)
    return [page for page, name in zip(pages, names, strict=True) if name == known[place]], remarks


def _pascal(value: Any) -> Any:
    if isinstance(value, list):
        return [_pascal(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {"".join(word[:1].upper() + word[1:] for word in key.split("_")): _pascal(of) for key, of in value.items()}


def _split(text: bytes) -> list[bytes]:
    """Split JSON values that stand one after the other; text that is one value, or broken, stays whole."""
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
