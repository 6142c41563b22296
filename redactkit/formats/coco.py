"""Read COCO JSON: images, video (images with ``video_id``, or one track an annotation), and bare results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw, Struct
from msgspec.structs import asdict
from numpy.typing import NDArray

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, RowLocations, by_frame
from redactkit.formats.attributes import decision_of, is_no, person_of
from redactkit.formats.columns import read_kind
from redactkit.formats.imagenames import number_names, videos_by_name
from redactkit.formats.images import around
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.sizes import fit_images
from redactkit.formats.source import Source, decode_json
from redactkit.formats.videos import choose_video
from redactkit.runtime.marks import COCO_CONTRIBUTOR

__all__ = ["read_coco"]

Box = tuple[float, float, float, float]
Key = int | str
FrameSize = tuple[int, int]


class _Image(Struct, gc=False):
    id: Key
    file_name: str = ""
    width: float | None = None
    height: float | None = None
    frame_id: int | None = None
    frame_index: int | None = None
    prev_image_id: int | None = None
    time: float | None = None
    video_id: Key | None = None


class _Video(Struct):
    id: Key
    name: str | None = None
    file_name: str | None = None
    width: float | None = None
    height: float | None = None
    fps: float | None = None
    length: int | None = None


class _Category(Struct):
    id: Key
    name: Key = ""
    label: Key | None = None
    kind: str = ""


class _Attributes(Struct, gc=False):
    track_id: Any = None
    instance_id: Any = None
    person_id: Any = None
    occluded: Any = None
    redact: Any = None
    face_label: Any = None
    reason: Any = None
    visible_at: Any = None
    look: Any = None
    person: Any = None
    person_name: Any = None
    identity: Any = None


class _Annotation(Struct, gc=False):
    image_id: Key | None = None
    video_id: Key | None = None
    category_id: Key | None = None
    bbox: Box | None = None
    bboxes: list[Box | None] | None = None
    track_id: Key | None = None
    instance_id: Key | None = None
    id: Key | None = None
    score: float | None = None
    label: str = ""
    attributes: _Attributes | None = None
    segmentation: Raw = Raw()


class _Info(Struct):
    contributor: Any = None


class _Document(Struct):
    annotations: list[_Annotation] | None
    images: list[_Image] | None = None
    videos: list[_Video] | None = None
    categories: list[_Category] | None = None
    info: _Info | None = None


@dataclass(frozen=True)
class _Part:
    """What a document says of one video."""

    images: list[_Image]
    annotations: list[_Annotation]
    rows: Sequence[int]
    video: _Video | None
    labels: dict[Key, str]
    kinds: dict[Key, str]
    ours: bool
    remarks: list[Remark]


class _Locations(RowLocations):
    """Where in the file annotations stand, spelled only when asked for."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__(len(rows))
        self.of_row = rows

    def __getitem__(self, row: Any) -> Any:
        return f"$.annotations[{self.of_row[row]}]"


def read_coco(source: Source) -> Reading:
    """Read COCO JSON.

    A frame's number is its image's ``frame_index`` (TAO), else its ``frame_id`` (COCO-VID, ByteTrack), else the
    number in the image's file name where all have one and no two the same, else the image's place. A face's ID is
    ``track_id`` or ``instance_id``, of the annotation or among its attributes; a box's label is the name of its
    category.
    """
    document = _decode(source)
    try:
        _require_boxes(document.annotations or [])
        part = _of_one_video(document, source)
        numbering, numbers = _number(part)
        found, sizes = ParsedBoxes(), list[FrameSize]()
        if any(item.bboxes is not None for item in part.annotations):
            numbering = Numbering("a track has a box for every frame, from the video's first on")
            _add_tracks(found, part)
        else:
            sizes = _add_boxes(found, part, numbers)
        of_video = (part.video.width, part.video.height) if part.video else (None, None)
        stated = map(_size_of, part.images)
        size, remarks = fit_images(found, sizes, source, stated=stated, otherwise=of_video)
        return by_frame(
            found,
            source,
            FileFacts(
                format="coco",
                size=size,
                frame_rate=None if part.video is None else source.rate_of(part.video.fps),
                decisions=_decisions(part),
                remarks=[*part.remarks, *remarks, *_lost(part)],
            ),
            numbering=numbering,
            frame_count=_count(part, numbering),
            clock=_clock(part, numbers),
            trusted=part.ours,
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _decode(source: Source) -> _Document:
    if source.text.lstrip()[:1] == b"[":
        return _Document(annotations=decode_json(source.text, list[_Annotation], path=source.path))
    return decode_json(source.text, _Document, path=source.path)


def _of_one_video(document: _Document, source: Source) -> _Part:
    """Return the images and annotations of the one video that is meant."""
    images, items = document.images or [], document.annotations or []
    rows: Sequence[int] = range(len(items))
    categories = document.categories or []
    labels = {item.id: str(item.name if item.label is None else item.label) for item in categories}
    kinds = {item.id: read_kind(item.kind) for item in categories if item.kind}
    ours = document.info is not None and document.info.contributor == COCO_CONTRIBUTOR
    of_image: dict[Key, Any] = {image.id: image.video_id for image in images}
    videos = {video.id: video for video in document.videos or []}
    spoken = {key for key in of_image.values() if key is not None}
    spoken |= {item.video_id for item in items if item.video_id is not None}
    keys: list[Any] = [*videos, *sorted(spoken - videos.keys(), key=str)]
    names = [_video_names(key, videos.get(key), images) for key in keys]
    by_name = [] if keys else videos_by_name([image.file_name for image in images])
    if by_name:
        of_image = {image.id: name for image, name in zip(images, by_name, strict=True)}
        keys = list(dict.fromkeys(by_name))
        names = [(key, *PurePosixPath(key).parts) for key in keys]
    place, remarks = choose_video(names, source)
    video = videos.get(keys[place]) if keys else None
    if len(keys) > 1:
        wanted = keys[place]
        images = [image for image in images if of_image[image.id] == wanted]
        rows = [row for row in rows if _video_of(items[row], of_image) == wanted]
        items = [items[row] for row in rows]
    return _Part(images, items, rows, video, labels, kinds, ours, remarks)


def _video_of(item: _Annotation, of_image: dict[Key, Any]) -> Any:
    if item.image_id is not None and item.image_id in of_image:
        return of_image[item.image_id]
    return item.video_id


def _video_names(key: Key, video: _Video | None, images: Sequence[_Image]) -> tuple[str, ...]:
    names = () if video is None else (video.file_name or "", video.name or "")
    return (*(name for name in names if name), str(key))


def _number(part: _Part) -> tuple[Numbering, dict[Key, int]]:
    """Return how the images are numbered, and the number of each."""
    images = part.images
    if images and all(image.frame_index is not None for image in images):
        given, rule = [image.frame_index or 0 for image in images], Numbering("frame_index counts from 0, as in TAO")
    elif images and all(image.frame_id is not None for image in images):
        given = [image.frame_id or 0 for image in images]
        rule = _rule_of_frame_id(given, images, part)
    else:
        rule, given = number_names([image.file_name for image in images])
    numbering = Numbering(rule.rule, rule.first, given, rule.doubt) if images else Numbering("image_id counts from 0")
    return numbering, {image.id: number for image, number in zip(images, given, strict=True)}


def _rule_of_frame_id(given: Sequence[int], images: Sequence[_Image], part: _Part) -> Numbering:
    """COCO-VID counts ``frame_id`` from 0; CenterTrack and ByteTrack, which also link images, from 1."""
    lowest = min(given)
    linked = any(image.prev_image_id is not None for image in images)
    if lowest == 1 or (lowest > 1 and linked):
        return Numbering("frame_id counts from 1, as ByteTrack writes it", 1)
    doubt = "pass first_frame (--first-frame) if it counts from another number" if lowest > 1 and not part.ours else ""
    return Numbering("frame_id counts from 0, as in COCO-VID", doubt=doubt)


def _count(part: _Part, numbering: Numbering) -> int:
    last = max(numbering.listed_frames or [], default=numbering.first - 1) - numbering.first
    return max(len(part.images), (part.video and part.video.length) or 0, last + 1)


def _face(item: _Annotation) -> Key | None:
    inner = item.attributes or _Attributes()
    for value in (item.track_id, item.instance_id, inner.track_id, inner.instance_id):
        if isinstance(value, int | str):
            return value
    return None


def _class(item: _Annotation, part: _Part) -> dict[str, Any]:
    """Return label and kind of an annotation; only `write_coco` gives a kind."""
    if item.category_id is None:
        return {}
    return {"label": part.labels.get(item.category_id, ""), "kind": part.kinds.get(item.category_id, "")}


def _size_of(image: _Image) -> FrameSize:
    sides = image.width or 0, image.height or 0
    return (round(sides[0]), round(sides[1])) if all(map(math.isfinite, sides)) else (0, 0)


def _add_boxes(found: ParsedBoxes, part: _Part, numbers: dict[Key, int]) -> list[FrameSize]:
    """Add annotations that hold one box of one image, and return the size of the image of each."""
    of_image = {image.id: _size_of(image) for image in part.images}
    sizes = []
    locations = _Locations(part.rows)
    for place, item in enumerate(part.annotations):
        box = item.bbox if item.bbox is not None else _around_polygons(item)
        if box is None:
            raise AnnotationError(f"object missing required field `bbox` - at `{locations[place]}`")
        frame = _frame_of(item, numbers, locations, place)
        said = _class(item, part) | _said(item)
        found.add(frame, _face(item), box, place="", confidence=item.score, **said)
        sizes.append(of_image.get(item.image_id, (0, 0)) if item.image_id is not None else (0, 0))
    found.locations = locations
    return sizes


def _around_polygons(item: _Annotation) -> Box | None:
    """Return the box around an annotation's polygons; None where it has none, or a mask."""
    try:
        polygons = msgspec.json.decode(item.segmentation, type=list[list[float]])
    except msgspec.DecodeError:
        return None
    points = [point for polygon in polygons for point in zip(polygon[::2], polygon[1::2], strict=False)]
    return around(points) if points else None


def _require_boxes(items: Sequence[_Annotation]) -> None:
    """Refuse annotations none of which says where something is: captions, classes, or masks in other files."""
    if items and all(item.bbox is None and item.bboxes is None and not _around_polygons(item) for item in items):
        raise AnnotationError(
            "its annotations have no boxes, as in COCO's captions, labels and panoptic segmentation; "
            "name the file of instances or of keypoints"
        )


def _frame_of(item: _Annotation, numbers: dict[Key, int], locations: Sequence[str], row: int) -> int:
    image = item.image_id
    if numbers and image in numbers:
        return numbers[image]
    if numbers or not isinstance(image, int):
        raise AnnotationError(f"no image has the id {repr(image)[:42]} - at `{locations[row]}`")
    return image


def _add_tracks(found: ParsedBoxes, part: _Part) -> None:
    """Add annotations that hold one box for every frame of the video, null where the object is not seen."""
    for place, item in zip(part.rows, part.annotations, strict=True):
        face = _face(item) if _face(item) is not None else item.id
        for frame, box in enumerate(item.bboxes or []):
            if box is not None:
                where = f"$.annotations[{place}].bboxes[{frame}]"
                said = _class(item, part) | _said(item)
                found.add(frame, face, box, place=where, confidence=item.score, **said)


def _clock(part: _Part, numbers: dict[Key, int]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return frame numbers and times where every image has one; `write_coco` gives them."""
    times = [image.time for image in part.images if image.time is not None]
    if not part.images or len(times) < len(part.images):
        return None
    return np.array([numbers[image.id] for image in part.images], np.float64), np.array(times, np.float64)


def _said(item: _Annotation) -> dict[str, Any]:
    """Return what the attributes say of one box."""
    stated = item.attributes
    if stated is None:
        return {}
    occluded = stated.occluded not in (None, "") and not is_no(stated.occluded)
    return {"occluded": occluded, "person": person_of(asdict(stated))}


def _decisions(part: _Part) -> dict[Key, dict[str, Any]]:
    """Return what was decided about a face by the attributes of its boxes; files of ours once had its name apart.

    In files of others the attribute ``person_id`` may be anything, and who is joined by it shares decisions.
    """
    by_face: dict[Key, list[dict[str, Any]]] = {}
    if not any(_decides(item) for item in part.annotations):
        return {}
    for item in part.annotations:
        face = _face(item)
        if face is not None:
            of_box = {} if item.attributes is None else asdict(item.attributes)
            if not part.ours:
                of_box.pop("person_id", None)
            by_face.setdefault(face, []).append(of_box | ({"face_label": item.label} if item.label else {}))
    return {face: decision_of(boxes) for face, boxes in by_face.items()}


def _decides(item: _Annotation) -> bool:
    stated = item.attributes
    if stated is None:
        return bool(item.label)
    said = (stated.redact, stated.face_label, stated.reason, stated.person_id, stated.visible_at, stated.look)
    return bool(item.label) or any(value is not None for value in said)


def _lost(part: _Part) -> list[Remark]:
    if all(bytes(item.segmentation) in (b"", b"[]", b"null") for item in part.annotations):
        return []
    return [Remark("lost fields", "segmentations have no place in our tables and are left out; boxes are kept")]
