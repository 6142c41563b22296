"""Read results of Amazon Rekognition that have face boxes, in the spelling of any of its clients, page by page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, by_frame, by_time
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json
from redactkit.formats.units import from_shares
from redactkit.formats.videos import choose_video

__all__ = ["read_rekognition"]

_LOST = "landmarks, pose, quality and emotions have no place in our tables and are left out"
_RULE = "times are the service's, in milliseconds"
_IMAGE = Numbering("this is the result of one image, which is taken for the video's first frame")
_SMALL_KEY = re.compile(rb'"(faces|face_?[dD]etails|face_?[rR]ecords|persons|celebrities|labels|job_?[sS]tatus)"\s*:')


class _Box(Struct, rename="pascal"):
    left: float
    top: float
    width: float
    height: float


class _Face(Struct, rename="pascal"):
    bounding_box: _Box
    confidence: float | None = None


class _Detection(Struct, rename="pascal"):
    """An item of ``Faces``: of a video with time and face, of a collection with a box and the image it is from."""

    timestamp: int | None = None
    face: _Face | None = None
    bounding_box: _Box | None = None
    confidence: float | None = None
    image_id: str | None = None
    external_image_id: str | None = None


class _Record(Struct, rename="pascal"):
    face: _Face


class _Person(Struct, rename="pascal"):
    index: int | None = None
    bounding_box: _Box | None = None
    face: _Face | None = None
    confidence: float | None = None


class _Known(Struct, rename="pascal"):
    external_image_id: str | None = None


class _Match(Struct, rename="pascal"):
    face: _Known | None = None


class _Tracked(Struct, rename="pascal"):
    timestamp: int
    person: _Person
    face_matches: list[_Match] | None = None


class _Celebrity(Struct, rename="pascal"):
    id: str | None = None
    name: str | None = None
    bounding_box: _Box | None = None
    face: _Face | None = None
    confidence: float | None = None


class _Recognized(Struct, rename="pascal"):
    timestamp: int
    celebrity: _Celebrity


class _Instance(Struct, rename="pascal"):
    bounding_box: _Box | None = None
    confidence: float | None = None


class _Label(Struct, rename="pascal"):
    name: str = ""
    instances: list[_Instance] | None = None


class _Labelled(Struct, rename="pascal"):
    label: _Label
    timestamp: int | None = None


class _Object(Struct, rename="pascal"):
    name: str = ""


class _Stored(Struct):
    """Where the video is; ``S3Object`` is also spelled S3object where keys were changed to snake_case and back."""

    s3_object: _Object | None = msgspec.field(default=None, name="S3Object")


class _Metadata(Struct, rename="pascal"):
    frame_rate: float | None = None
    frame_width: float | None = None
    frame_height: float | None = None


class _Page(Struct, rename="pascal"):
    faces: list[_Detection] | None = None
    persons: list[_Tracked] | None = None
    celebrities: list[_Recognized] | None = None
    labels: list[_Labelled] | None = None
    face_details: list[_Face] | None = None
    face_records: list[_Record] | None = None
    job_status: str | None = None
    status_message: str | None = None
    next_token: str | None = None
    video: _Stored | None = None
    video_metadata: _Metadata | list[_Metadata] | None = None


def read_rekognition(source: Source) -> Reading:
    """Read Rekognition pages: a page, a list of pages, or pages one after the other.

    Read are face detection, face search, person tracking, celebrities and labels of videos, and of images
    ``DetectFaces``, ``IndexFaces`` and ``ListFaces``, whose faces are put in the first frame. Where the service does
    not tell which faces are one person, every box is a face of its own. A person without a face box has the label
    ``person``.
    """
    try:
        pages, several = _of_one_video(_pages(source), source)
        failed = [page.status_message or "no reason given" for page in pages if page.job_status == "FAILED"]
        if failed:
            text = (
                f"the result of a Rekognition job that failed ({failed[0][:200]}): it has no faces; run the job again"
            )
            raise AnnotationError(text)
        remarks = [Remark("lost fields", _LOST), *several, *_unfinished(pages)]
        if any(item.timestamp is None for page in pages for item in page.faces or []) or any(map(_of_image, pages)):
            return _read_image(pages, source, remarks)
        found, names = ParsedBoxes(), dict[int | str, dict[str, str]]()
        for number, page in enumerate(pages):
            _add_page(found, page, f"$[{number}]")
            names |= _names(page)
        metadata = next(_metadata(pages), _Metadata())
        return by_time(
            found,
            source,
            FileFacts(
                format="rekognition",
                size=source.find_size((metadata.frame_width, metadata.frame_height)),
                frame_rate=source.rate_of(metadata.frame_rate),
                decisions=names,
                remarks=[*remarks, *_bodies(found)],
            ),
            timescale=1000,
            shares=True,
            rule=_RULE,
        )
    except AnnotationError as err:
        if str(err).startswith(f"{source.path}: "):
            raise
        raise type(err)(f"{source.path}: {err}") from err


def _pages(source: Source) -> list[_Page]:
    """Decode pages; those in camelCase or snake_case are spelled as the service spells them first."""
    text = source.text
    odd = _SMALL_KEY.search(text[:100_000]) is not None
    kind: Any = Any if odd else _Page
    if text.lstrip()[:1] == b"[":
        given = decode_json(text, list[kind], path=source.path)
    else:
        given = [decode_json(page, kind, path=source.path) for page in _split(text)]
    if not odd:
        return given
    return [decode_json(msgspec.json.encode(_pascal(page)), _Page, path=source.path) for page in given]


def _of_one_video(pages: list[_Page], source: Source) -> tuple[list[_Page], list[Remark]]:
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


def _metadata(pages: Sequence[_Page]) -> Iterator[_Metadata]:
    """Yield what pages say of the video; newer operations have a list of it."""
    for page in pages:
        told = page.video_metadata
        yield from told if isinstance(told, list) else [] if told is None else [told]


def _of_image(page: _Page) -> bool:
    return page.face_details is not None or page.face_records is not None


def _percent(confidence: float | None) -> float | None:
    return None if confidence is None else confidence / 100


def _shares(box: _Box) -> list[float]:
    return [box.left, box.top, box.width, box.height]


def _add_page(found: ParsedBoxes, page: _Page, where: str) -> None:
    for place, item in enumerate(page.faces or []):
        at = f"{where}.Faces[{place}]"
        if item.face is None:
            raise AnnotationError(f"object missing required field `Face` - at `{at}`")
        confidence = _percent(item.face.confidence)
        found.add(item.timestamp or 0, None, _shares(item.face.bounding_box), place=at, confidence=confidence)
    for place, tracked in enumerate(page.persons or []):
        person = tracked.person
        _add_either(found, tracked.timestamp, person.index, person, f"{where}.Persons[{place}]")
    for place, recognized in enumerate(page.celebrities or []):
        celebrity = recognized.celebrity
        _add_either(found, recognized.timestamp, celebrity.id, celebrity, f"{where}.Celebrities[{place}]")
    for place, labelled in enumerate(page.labels or []):
        if labelled.timestamp is None:  # the video as a whole, by segments
            continue
        for instance in labelled.label.instances or []:
            if instance.bounding_box is not None:
                box, confidence = _shares(instance.bounding_box), _percent(instance.confidence)
                name, where_label = labelled.label.name, f"{where}.Labels[{place}]"
                found.add(labelled.timestamp, None, box, place=where_label, confidence=confidence, label=name)


def _add_either(found: ParsedBoxes, at: int, face: int | str | None, item: _Person | _Celebrity, place: str) -> None:
    """Add the box of a face, or of the whole person where the face has none, so that nobody is left out."""
    if item.face is not None:
        confidence = _percent(item.face.confidence)
        found.add(at, face, _shares(item.face.bounding_box), place=place, confidence=confidence, label="face")
    elif item.bounding_box is not None:
        confidence = _percent(item.confidence)
        found.add(at, face, _shares(item.bounding_box), place=place, confidence=confidence, label="person")


def _names(page: _Page) -> dict[int | str, dict[str, str]]:
    """Return the names that the service found for faces."""
    names: dict[int | str, dict[str, str]] = {}
    for tracked in page.persons or []:
        known = [match.face.external_image_id for match in tracked.face_matches or [] if match.face is not None]
        if tracked.person.index is not None and known and known[0]:
            names.setdefault(tracked.person.index, {"label": known[0]})
    for item in page.celebrities or []:
        if item.celebrity.id is not None and item.celebrity.name:
            names.setdefault(item.celebrity.id, {"label": item.celebrity.name})
    return names


def _bodies(found: ParsedBoxes) -> list[Remark]:
    whole = found.labels.count("person")
    if set(found.labels) - {"", "face", "person"}:
        text = "the boxes are of whole persons and things, and not of faces; choose with labels= (--label)"
        return [Remark("no face boxes", text)]
    if not whole:
        return []
    text = f"{whole} of {len(found.labels)} boxes are of whole persons, whose face has no box (label person)"
    return [Remark("no face boxes", text)]


def _read_image(pages: Sequence[_Page], source: Source, remarks: list[Remark]) -> Reading:
    """Read results of images: of several images those of the one that is meant."""
    rows: list[tuple[tuple[str, ...], _Box, float | None, str]] = []
    for number, page in enumerate(pages):
        faces = [*(page.face_details or []), *(record.face for record in page.face_records or [])]
        rows += [((), face.bounding_box, face.confidence, f"$[{number}]") for face in faces]
        for place, item in enumerate(page.faces or []):
            at = f"$[{number}].Faces[{place}]"
            box = item.face.bounding_box if item.face is not None else item.bounding_box
            if box is None:
                raise AnnotationError(f"object missing required field `BoundingBox` - at `{at}`")
            image = tuple(name for name in (item.external_image_id, item.image_id) if name)
            rows.append((image, box, item.confidence, at))
    if source.video is not None and source.video.frame_count > 1:
        raise AnnotationError(
            f"the result is of an image, and the video has {source.video.frame_count} frames, so that a face would be "
            "hidden in one of them; run face detection of the stored video (StartFaceDetection)"
        )
    images = list(dict.fromkeys(row[0] for row in rows))
    place, several = choose_video(images, source)
    rows = [row for row in rows if row[0] == images[place]] if images else []
    found, size = ParsedBoxes(), source.find_size()
    for _, box, confidence, at in rows:
        found.add(0, None, _shares(box), place=at, confidence=_percent(confidence))
    shares = np.array(found.boxes, np.float64).reshape(-1, 4)
    pixels, odd = from_shares(shares, size, where=found.places.__getitem__)
    found.boxes = pixels.tolist()
    remarks = [*remarks, *several, *odd]
    return by_frame(
        found,
        source,
        FileFacts(format="rekognition", size=size, remarks=remarks),
        numbering=_IMAGE,
        frame_count=1,
        trusted=True,
    )


def _unfinished(pages: Sequence[_Page]) -> list[Remark]:
    remarks = []
    if pages and pages[-1].next_token:
        text = "the last page names a next one, so faces are missing; join all pages of the job"
        remarks.append(Remark("missing pages", text))
    states = sorted({page.job_status for page in pages if page.job_status} - {"SUCCEEDED"})
    if states:
        remarks.append(Remark("unfinished job", f"the job's status is {', '.join(states)}; faces may be missing"))
    return remarks
