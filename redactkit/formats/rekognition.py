"""Read results of Amazon Rekognition that have face boxes, in the spelling of any of its clients, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, by_frame, by_time
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.rekognition_pages import Box, Celebrity, Metadata, Page, Person, decode_pages, of_one_video
from redactkit.formats.source import Source
from redactkit.formats.units import from_shares
from redactkit.formats.videos import choose_video

__all__ = ["read_rekognition"]

_LOST = "landmarks, pose, quality and emotions have no place in our tables and are left out"
_RULE = "times are the service's, in milliseconds"
_IMAGE = Numbering("this is the result of one image, which is taken for the video's first frame")


def read_rekognition(source: Source) -> Reading:
    """Read Rekognition pages: a page, a list of pages, or pages one after the other.

    Read are face detection, face search, person tracking, celebrities and labels of videos. Of images those are
    ``DetectFaces``, ``IndexFaces``, ``ListFaces``, ``CompareFaces`` (the target), ``RecognizeCelebrities`` and
    ``DetectLabels``, whose boxes are put in the first frame. Where the service does not tell which faces are one
    person, every box is a face of its own. A person without a face box has the label ``person``.
    """
    try:
        pages, several = of_one_video(decode_pages(source), source)
        failed = [page.status_message or "no reason given" for page in pages if page.job_status == "FAILED"]
        if failed:
            text = (
                f"the result of a Rekognition job that failed ({failed[0][:200]}): it has no faces; run the job again"
            )
            raise AnnotationError(text)
        remarks = [Remark("lost fields", _LOST), *several, *_unfinished(pages)]
        if any(map(_of_image, pages)):
            return _read_image(pages, source, remarks)
        found, names = ParsedBoxes(), dict[int | str, dict[str, str]]()
        for number, page in enumerate(pages):
            _add_page(found, page, f"$[{number}]")
            names |= _names(page)
        metadata = next(_metadata(pages), Metadata())
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


def _metadata(pages: Sequence[Page]) -> Iterator[Metadata]:
    """Yield what pages say of the video; newer operations have a list of it."""
    for page in pages:
        stated = page.video_metadata
        yield from stated if isinstance(stated, list) else [] if stated is None else [stated]


def _of_image(page: Page) -> bool:
    parts = (page.face_details, page.face_records, page.celebrity_faces, page.unmatched_faces, page.source_image_face)
    labels = page.labels or []
    # A face in a video says when it is; a label of an image has no object for itself.
    return (
        any(item is not None for item in parts)
        or any(item.timestamp is None for item in page.faces or [])
        or any(item.label is None for item in labels)
    )


def _percent(confidence: float | None) -> float | None:
    return None if confidence is None else confidence / 100


def _shares(box: Box) -> list[float]:
    return [box.left, box.top, box.width, box.height]


def _add_page(found: ParsedBoxes, page: Page, where: str) -> None:
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
        if labelled.timestamp is None or labelled.label is None:  # the video as a whole, by segments
            continue
        for instance in labelled.label.instances or []:
            if instance.bounding_box is not None:
                box, confidence = _shares(instance.bounding_box), _percent(instance.confidence)
                name, where_label = labelled.label.name, f"{where}.Labels[{place}]"
                found.add(labelled.timestamp, None, box, place=where_label, confidence=confidence, label=name)


def _add_either(found: ParsedBoxes, at: int, face: int | str | None, item: Person | Celebrity, place: str) -> None:
    """Add the box of a face, or of the whole person where the face has none, so that nobody is left out."""
    if item.face is not None:
        confidence = _percent(item.face.confidence)
        found.add(at, face, _shares(item.face.bounding_box), place=place, confidence=confidence, label="face")
    elif item.bounding_box is not None:
        confidence = _percent(item.confidence)
        found.add(at, face, _shares(item.bounding_box), place=place, confidence=confidence, label="person")


def _names(page: Page) -> dict[int | str, dict[str, str]]:
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


class _Row(NamedTuple):
    """A box in an image: which image, whose face or what it is, and where in the result it stands."""

    image: tuple[str, ...]
    box: Box
    confidence: float | None
    place: str
    label: str = ""
    name: str = ""


def _rows(page: Page, where: str) -> Iterator[_Row]:
    """Yield the boxes of an image's result."""
    faces = [*(page.face_details or []), *(record.face for record in page.face_records or [])]
    faces += page.unrecognized_faces or []
    if page.source_image_face is not None:
        # Those of the target; the source's face is of another image.
        faces += [*(match.face for match in page.face_matches or []), *(page.unmatched_faces or [])]
    yield from (_Row((), face.bounding_box, face.confidence, where) for face in faces)
    for known in page.celebrity_faces or []:
        yield _Row((), known.face.bounding_box, known.face.confidence, where, name=known.name)
    for place, item in enumerate(page.faces or []):
        at = f"{where}.Faces[{place}]"
        box = item.face.bounding_box if item.face is not None else item.bounding_box
        if box is None:
            raise AnnotationError(f"object missing required field `BoundingBox` - at `{at}`")
        image = tuple(name for name in (item.external_image_id, item.image_id) if name)
        yield _Row(image, box, item.confidence, at)
    for place, label in enumerate(page.labels or []):
        for instance in label.instances or []:
            if instance.bounding_box is not None:
                at = f"{where}.Labels[{place}]"
                yield _Row((), instance.bounding_box, instance.confidence, at, label=label.name)


def _read_image(pages: Sequence[Page], source: Source, remarks: list[Remark]) -> Reading:
    """Read results of images: of several images those of the one that is meant."""
    rows = [row for number, page in enumerate(pages) for row in _rows(page, f"$[{number}]")]
    if source.video is not None and source.video.frame_count > 1:
        raise AnnotationError(
            f"the result is of an image, and the video has {source.video.frame_count} frames, so that a face would be "
            "hidden in one of them; run face detection of the stored video (StartFaceDetection)"
        )
    images = list(dict.fromkeys(row.image for row in rows))
    place, several = choose_video(images, source)
    rows = [row for row in rows if row.image == images[place]] if images else []
    found, size = ParsedBoxes(), source.find_size()
    for row in rows:
        face = row.name or None
        found.add(0, face, _shares(row.box), place=row.place, confidence=_percent(row.confidence), label=row.label)
    shares = np.array(found.boxes, np.float64).reshape(-1, 4)
    pixels, odd = from_shares(shares, size, where=found.locations.__getitem__)
    found.boxes = pixels.tolist()
    remarks = [*remarks, *several, *odd, *_bodies(found)]
    return by_frame(
        found,
        source,
        FileFacts(format="rekognition", size=size, remarks=remarks),
        numbering=_IMAGE,
        frame_count=1,
        trusted=True,
    )


def _unfinished(pages: Sequence[Page]) -> list[Remark]:
    remarks = []
    if pages and pages[-1].next_token:
        text = "the last page names a next one, so faces are missing; join all pages of the job"
        remarks.append(Remark("missing pages", text))
    states = sorted({page.job_status for page in pages if page.job_status} - {"SUCCEEDED"})
    if states:
        remarks.append(Remark("unfinished job", f"the job's status is {', '.join(states)}; faces may be missing"))
    return remarks
