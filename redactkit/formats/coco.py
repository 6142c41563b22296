"""Read COCO JSON: images, video (images with ``video_id``, or one track an annotation), and bare results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import ParsedBoxes, by_frame
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json

__all__ = ["read_coco"]

_NUMBER = re.compile(r"(\d+)\D*$")
_FACE = "face"
_MOST_FRAMES = 10_000_000

Box = tuple[float, float, float, float]


class _Image(Struct, gc=False):
    id: int | str
    file_name: str = ""
    width: float | None = None
    height: float | None = None
    frame_id: int | None = None
    time: float | None = None
    video_id: int | str | None = None


class _Video(Struct):
    id: int | str
    width: float | None = None
    height: float | None = None
    fps: float | None = None
    length: int | None = None


class _Category(Struct):
    id: int | str
    name: str = ""


class _Annotation(Struct, gc=False):
    image_id: int | str | None = None
    video_id: int | str | None = None
    category_id: int | str | None = None
    bbox: Box | None = None
    bboxes: list[Box | None] | None = None
    track_id: int | str | None = None
    instance_id: int | str | None = None
    id: int | str | None = None
    score: float | None = None
    label: str = ""
    attributes: dict[str, Any] | None = None
    segmentation: Any = None


class _Document(Struct):
    annotations: list[_Annotation] | None
    images: list[_Image] | None = None
    videos: list[_Video] | None = None
    categories: list[_Category] | None = None


def read_coco(source: Source) -> Reading:
    """Read COCO JSON.

    A frame's number is its image's ``frame_id``, else the last number in the image's file name where all
    have one and no two the same, else the image's place. A face's ID is ``track_id`` or ``instance_id``,
    of the annotation or among its attributes.
    """
    document = _decode(source)
    try:
        video = _one_video(document)
        found = ParsedBoxes()
        if any(item.bboxes is not None for item in document.annotations or []):
            _add_tracks(found, document)
        else:
            _add_boxes(found, document)
        return by_frame(
            found,
            source,
            format="coco",
            size=_size(document, video, source),
            frame_count=_count(document, video),
            frame_rate=None if video is None else source.rate_of(video.fps),
            clock=_clock(document),
            decisions=_labels(document),
            remarks=_remarks(document),
        )
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}") from err


def _decode(source: Source) -> _Document:
    if source.text.lstrip()[:1] == b"[":
        return _Document(annotations=decode_json(source.text, list[_Annotation], path=source.path))
    return decode_json(source.text, _Document, path=source.path)


def _one_video(document: _Document) -> _Video | None:
    videos = document.videos or []
    if len(videos) > 1:
        names = ", ".join(str(video.id) for video in videos[:5])
        raise AnnotationError(f"expected one video, got {len(videos)} (id {names}, ...); split the file by video")
    return videos[0] if videos else None


def _size(document: _Document, video: _Video | None, source: Source) -> tuple[int, int]:
    images = document.images or []
    width = max((image.width or 0 for image in images), default=(video.width if video else 0) or 0)
    height = max((image.height or 0 for image in images), default=(video.height if video else 0) or 0)
    return source.find_size((width, height), otherwise=(0, 0))


def _count(document: _Document, video: _Video | None) -> int:
    numbers = _frame_numbers(document).values()
    return max(len(document.images or []), (video and video.length) or 0, max(numbers, default=-1) + 1)


def _frame_numbers(document: _Document) -> dict[int | str, int]:
    """Return the frame number of every image."""
    images = document.images or []
    if images and all(image.frame_id is not None for image in images):
        return {image.id: image.frame_id or 0 for image in images}
    stems = [_NUMBER.search(PurePosixPath(image.file_name).stem) for image in images]
    numbers = [int(match[1][-18:]) for match in stems if match]
    if images and len(set(numbers)) == len(images) and max(numbers) < _MOST_FRAMES:
        return {image.id: number for image, number in zip(images, numbers, strict=True)}
    return {image.id: place for place, image in enumerate(images)}


def _face(item: _Annotation) -> int | str | None:
    attributes = item.attributes or {}
    for value in (item.track_id, item.instance_id, attributes.get("track_id"), attributes.get("instance_id")):
        if isinstance(value, int | str):
            return value
    return None


def _add_boxes(found: ParsedBoxes, document: _Document) -> None:
    numbers = _frame_numbers(document)
    for place, item in enumerate(document.annotations or []):
        where = f"$.annotations[{place}]"
        frame = _frame_of(item, numbers, where)
        if item.bbox is None:
            raise AnnotationError(f"object missing required field `bbox` - at `{where}`")
        found.add(frame, _face(item), item.bbox, place=where, confidence=item.score)


def _frame_of(item: _Annotation, numbers: dict[int | str, int], where: str) -> int:
    image = item.image_id
    if numbers and image in numbers:
        return numbers[image]
    if numbers or not isinstance(image, int):
        raise AnnotationError(f"no image has the id {image!r} - at `{where}`")
    return image


def _add_tracks(found: ParsedBoxes, document: _Document) -> None:
    """Add annotations that hold one box for every frame of the video, null where the object is not seen."""
    for place, item in enumerate(document.annotations or []):
        face = _face(item) if _face(item) is not None else item.id
        for frame, box in enumerate(item.bboxes or []):
            if box is not None:
                where = f"$.annotations[{place}].bboxes[{frame}]"
                found.add(frame, face, box, place=where, confidence=item.score)


def _clock(document: _Document) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return frame numbers and times where every image has one; `write_coco` gives them."""
    images = document.images or []
    times = [image.time for image in images if image.time is not None]
    if not images or len(times) < len(images):
        return None
    numbers = _frame_numbers(document)
    return np.array([numbers[image.id] for image in images], np.float64), np.array(times, np.float64)


def _labels(document: _Document) -> dict[int | str, dict[str, str]]:
    names = {category.id: category.name for category in document.categories or []}
    labels: dict[int | str, dict[str, str]] = {}
    for item in document.annotations or []:
        face = _face(item) if _face(item) is not None or item.bboxes is None else item.id
        name = item.label or ("" if item.category_id is None else names.get(item.category_id, ""))
        if face is not None and name and name != _FACE:
            labels.setdefault(face, {"label": name})
    return labels


def _remarks(document: _Document) -> list[Remark]:
    annotations: Sequence[_Annotation] = document.annotations or []
    if not any(item.segmentation for item in annotations):
        return []
    return [Remark("lost fields", "segmentations have no place in our tables and are left out; boxes are kept")]
