"""Read Label Studio exports: tracks of a video, or rectangles of images; the long JSON and JSON_MIN."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, by_frame
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.keyframes import Knot, Track, lay_out
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json
from redactkit.formats.units import from_percent
from redactkit.formats.videos import choose_video

__all__ = ["read_labelstudio"]

_RULE = Numbering("Label Studio counts frames from 1", 1)
_TRACK = "videorectangle"
_BOXES = {"rectanglelabels", "rectangle", "polygonlabels", "polygon", "ellipselabels", "ellipse"}
_LOST = "results of kind {} have no boxes that are read, and are left out"
_TURNED = "turned rectangles, polygons and ellipses became the boxes around them"


class _Key(Struct):
    frame: int
    x: float
    y: float
    width: float
    height: float
    enabled: bool = True
    rotation: float = 0.0


class _Value(Struct, rename="camel"):
    sequence: list[_Key] | None = None
    labels: list[str] | None = None
    rectanglelabels: list[str] | None = None
    frames_count: int | None = None
    duration: float | None = None
    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    rotation: float = 0.0
    points: list[tuple[float, float]] | None = None
    radius_x: float | None = None
    radius_y: float | None = None
    polygonlabels: list[str] | None = None
    ellipselabels: list[str] | None = None


class _Result(Struct):
    type: str = ""
    id: str | None = None
    value: _Value | None = None
    original_width: float | None = None
    original_height: float | None = None
    score: float | None = None


class _Completion(Struct):
    result: list[_Result] | None = None
    was_cancelled: bool = False


class _Task(Struct):
    data: dict[str, Any] = {}
    annotations: list[_Completion] | None = None
    completions: list[_Completion] | None = None
    predictions: list[_Completion] | None = None
    video: str | None = None
    box: list[_Value] | None = None


def read_labelstudio(source: Source) -> Reading:
    """Read tasks of Label Studio: a box holds from keyframe to keyframe in a straight line, until one is not enabled.

    Where several people annotated one task, the boxes of all are read; predictions only where nobody did. Turned
    rectangles arrive as the boxes around them.

    References
    ----------
    Label Studio documentation, "Video Object Tracking", "Export annotations".
    """
    try:
        tasks = decode_json(source.text, list[_Task], path=source.path)
        results = [_results(task) for task in tasks]
        kinds = {item.type for found in results for item in found} - {_TRACK, *_BOXES, "labels", "choices"}
        remarks = [Remark("lost fields", _LOST.format(", ".join(sorted(kinds))[:200]))] if kinds else []
        if any(item.type == _TRACK for found in results for item in found):
            return _read_video(tasks, results, source, remarks)
        return _read_images(tasks, results, source, remarks)
    except AnnotationError as err:
        raise type(err)(str(err) if str(err).startswith(str(source.path)) else f"{source.path}: {err}") from err


def _results(task: _Task) -> list[_Result]:
    """Return what is marked in a task, by whoever marked it."""
    if task.box is not None:  # JSON_MIN
        return [_Result(type=_TRACK, id=str(place + 1), value=value) for place, value in enumerate(task.box)]
    done = [item for item in task.annotations or task.completions or [] if not item.was_cancelled]
    return [result for item in done or task.predictions or [] for result in item.result or []]


def _name(task: _Task) -> str:
    """Return what a task is about: the file at its first field that names one."""
    given = [task.video, *(task.data.get(key) for key in ("video", "video_url", "url", "image", "img"))]
    texts = [value for value in (*given, *task.data.values()) if isinstance(value, str)]
    return texts[0].rpartition("?d=")[2] if texts else ""


def _read_video(tasks: list[_Task], results: list[list[_Result]], source: Source, remarks: list[Remark]) -> Reading:
    with_boxes = [place for place, found in enumerate(results) if any(item.type == _TRACK for item in found)]
    chosen, several = choose_video([(_name(tasks[place]),) for place in with_boxes], source)
    items = [item for item in results[with_boxes[chosen]] if item.type == _TRACK and item.value is not None]
    values = [item.value for item in items if item.value is not None]
    count = max((value.frames_count or 0 for value in values), default=0)
    size = source.find_size(
        next(((item.original_width, item.original_height) for item in items if item.original_width), (None, None))
    )
    tracks = [
        _track(face, value, place, size) for place, (face, value) in enumerate(zip(_faces(items), values, strict=True))
    ]
    last = max((int(track.frames.max(initial=0)) for track in tracks), default=0)
    found = ParsedBoxes()
    lay_out(found, tracks, max(count, last))
    lasting = next((value.duration for value in values if value.duration and value.frames_count), None)
    rate = source.rate_of(None if lasting is None else count / lasting)
    turned = any(key.rotation for value in values for key in value.sequence or [])
    return by_frame(
        found,
        source,
        FileFacts(
            format="labelstudio",
            size=size,
            frame_rate=rate,
            remarks=[*remarks, *several, *([Remark("other shapes", _TURNED)] if turned else [])],
        ),
        numbering=_RULE,
        frame_count=count,
        trusted=True,
    )


def _faces(items: list[_Result]) -> list[int]:
    """Return the numbers of tracks where all have one as their ID, else their places: Label Studio writes letters."""
    ids = [item.id or "" for item in items]
    if all(text.isdecimal() and len(text) < 10 for text in ids) and len(set(ids)) == len(ids):
        return [int(text) for text in ids]
    return list(range(1, len(ids) + 1))


def _track(face: int, value: _Value, place: int, size: tuple[int, int]) -> Track:
    where = f"result {place + 1}"
    knots: list[Knot] = []
    for key in sorted(value.sequence or [], key=lambda key: key.frame):
        corners = from_percent((key.x, key.y, key.width, key.height), size, rotation=key.rotation, where=where)
        if knots and knots[-1].frame == key.frame:
            knots.pop()
        knots.append(Knot(key.frame, corners))
        if not key.enabled:  # it is still there in this frame, and gone after it
            knots.append(Knot(key.frame + 1, corners, outside=True))
    ordered = [
        knot for knot in knots if not (knot.outside and any(k.frame == knot.frame and not k.outside for k in knots))
    ]
    return Track.of(face, (value.labels or [""])[0], ordered, place=where)


def _read_images(tasks: list[_Task], results: list[list[_Result]], source: Source, remarks: list[Remark]) -> Reading:
    images, turned = [], False
    for number, (task, found) in enumerate(zip(tasks, results, strict=True)):
        boxes = [item for item in found if item.type in _BOXES and item.value is not None]
        size = next(((item.original_width, item.original_height) for item in boxes), (None, None))
        image = Image(_name(task), source.find_size(size, otherwise=(0, 0)))
        for place, item in enumerate(boxes):
            value, where = item.value or _Value(), f"$[{number}], result {place + 1}"
            if min(image.size) <= 0:
                raise AnnotationError(f"expected original_width and original_height of the image - at {where}")
            numbers = _upright(value, where)
            turned |= value.points is not None or value.radius_x is not None
            left, top, right, bottom = from_percent(numbers, image.size, rotation=value.rotation, where=where)
            turned |= bool(value.rotation)
            label = (value.rectanglelabels or value.polygonlabels or value.ellipselabels or [""])[0]
            image.add((left, top, right - left, bottom - top), label=label, confidence=item.score, place=where)
        images.append(image)
    notes = [*remarks, *([Remark("other shapes", _TURNED)] if turned else [])]
    return read_images(images, source, format="labelstudio", remarks=notes)


def _upright(value: _Value, place: str) -> tuple[float, float, float, float]:
    """Return the upright box around a shape, before it is turned: x, y, width, height, in percent."""
    if value.points:
        return around(value.points)
    if value.x is not None and value.y is not None:
        if value.radius_x is not None and value.radius_y is not None:
            return value.x - value.radius_x, value.y - value.radius_y, 2 * value.radius_x, 2 * value.radius_y
        if value.width is not None and value.height is not None:
            return value.x, value.y, value.width, value.height
    raise AnnotationError(f"expected x, y, width and height of a rectangle, or another shape's numbers - at {place}")
