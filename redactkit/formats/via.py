"""Read VGG Image Annotator: projects, annotations and tables of images (version 2) and of videos (version 3)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, ParsedBoxes, by_time
from redactkit.formats.images import Image, around, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json
from redactkit.formats.videos import choose_video

__all__ = ["read_via"]

_TICKS = 1000
_RULE = "times are VIA's, in seconds"
_IDS = ("track_id", "track", "id", "identity", "person_id", "face_id")
_LABELS = ("label", "class", "name", "type", "category", "object")
# What the first number of a shape in version 3 means.
_POINT, _RECT, _CIRCLE, _ELLIPSE, _EXTREME_RECT, _EXTREME_CIRCLE = 1, 2, 3, 4, 8, 9

_COLUMNS3 = 6
_ATTRIBUTES = re.compile(r"# ATTRIBUTES? = (\{.*\})")

Numbers = Sequence[float]
T = TypeVar("T")


class _Region(Struct):
    shape_attributes: dict[str, Any]
    region_attributes: dict[str, Any] | None = None


class _Image(Struct):
    filename: str
    regions: list[_Region] | dict[str, _Region] | None = None


class _Project(Struct):
    images: dict[str, _Image] = msgspec.field(name="_via_img_metadata")


class _File(Struct):
    fname: str = ""
    src: str = ""


class _View(Struct):
    fid_list: list[int | str] = []


class _Mark(Struct):
    vid: int | str
    z: list[float]
    xy: list[float]
    av: dict[str, Any] = {}


class _Attribute(Struct):
    aname: str = ""
    options: dict[str, str] | None = None


class _Project3(Struct):
    file: dict[str, _File]
    view: dict[str, _View]
    metadata: dict[str, _Mark]
    attribute: dict[str, _Attribute] = {}


def read_via(source: Source) -> Reading:
    """Read VIA; shapes arrive as the boxes around them.

    A face's ID is the attribute ``track_id``, ``track`` or ``id``, a box's label ``label``, ``class``, ``name`` or
    ``type``.

    References
    ----------
    Dutta and Zisserman, "The VIA Annotation Software for Images, Audio and Video", ACM Multimedia 2019.
    """
    try:
        start = source.text.lstrip()[:1]
        # The table of version 1 has the names of its columns behind a #, that of version 3 comments.
        if start == b"#" and not source.text.lstrip().startswith(b"#filename"):
            return _read_videos(_from_table3(source), source)
        if start != b"{":
            return _read_images(_from_table(source.text), source)
        keys = decode_json(source.text, dict[str, msgspec.Raw], path=source.path)
        if {"file", "view", "metadata"} <= keys.keys():
            return _read_videos(decode_json(source.text, _Project3, path=source.path), source)
        if "_via_img_metadata" in keys:
            images = decode_json(source.text, _Project, path=source.path).images
        else:
            images = decode_json(source.text, dict[str, _Image], path=source.path)
        return _read_images(images, source)
    except AnnotationError as err:
        raise type(err)(str(err) if str(err).startswith(str(source.path)) else f"{source.path}: {err}") from err


def _from_table(text: bytes) -> dict[str, _Image]:
    """Return images from the CSV export, which has a region a row."""
    images: dict[str, _Image] = {}
    lines = io.StringIO(text.decode("utf-8-sig", "replace"))
    try:
        for number, row in enumerate(csv.DictReader(lines, skipinitialspace=True), start=1):
            name = row.get("filename") or row.get("#filename") or ""
            if not name or row.get("region_shape_attributes") is None:
                raise AnnotationError(f"expected filename and region_shape_attributes - at `row {number}`")
            image = images.setdefault(name, _Image(name, []))
            shape, more = (
                _attributes(row.get(key), number) for key in ("region_shape_attributes", "region_attributes")
            )
            if shape and isinstance(image.regions, list):
                image.regions.append(_Region(shape, more))
    except csv.Error as err:
        raise AnnotationError(f"not a CSV table: {err}") from err
    return images


def _from_table3(source: Source) -> _Project3:
    """Return a project of videos from the CSV export of version 3, which has its attributes in comments above a table.

    A row names its files, not a view of them: rows of the same files are of one.
    """
    lines = source.text.decode("utf-8-sig", "replace").splitlines()
    listed = next((match[1] for line in lines if (match := _ATTRIBUTES.match(line))), "{}")
    attributes = decode_json(listed.encode(), dict[str, _Attribute], path=source.path)
    files: dict[str, _File] = {}
    views: dict[str, _View] = {}
    marks: dict[str, _Mark] = {}
    try:
        rows = [row for row in csv.reader(line for line in lines if not line.startswith("#")) if row]
    except csv.Error as err:
        raise AnnotationError(f"not a CSV table: {err}") from err
    for number, row in enumerate(rows, start=1):
        if len(row) < _COLUMNS3:
            raise AnnotationError(f"expected {_COLUMNS3} columns, got {len(row)} - at `row {number}`")
        key, named, _, times, shape, values = row[:_COLUMNS3]
        names = _decode_cell(named, list[str], number)
        files |= {name: _File(fname=name) for name in names}
        views.setdefault(named, _View(fid_list=list[int | str](names)))
        z, xy = (_decode_cell(cell, list[float], number) for cell in (times, shape))
        marks[f"{key} (row {number})"] = _Mark(named, z, xy, _decode_cell(values, dict[str, Any], number))
    return _Project3(files, views, marks, attributes)


def _decode_cell(text: str, kind: type[T], row: int) -> T:
    try:
        return msgspec.json.decode(text, type=kind, strict=False)
    except (msgspec.MsgspecError, RecursionError) as err:
        raise AnnotationError(f"expected JSON, got {text[:40]!r} ({err}) - at `row {row}`") from err


def _attributes(text: str | None, row: int) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise AnnotationError(f"expected a JSON object, got {str(text)[:40]!r} - at `row {row}`")
    return value


def _read_images(described: Mapping[str, _Image], source: Source) -> Reading:
    images, kinds = [], set[str]()
    for item in described.values():
        image = Image(item.filename)
        regions = item.regions.values() if isinstance(item.regions, dict) else item.regions or []
        for place, region in enumerate(regions):
            where = f"{item.filename}, region {place + 1}"
            more = region.region_attributes or {}
            image.add(_box(region.shape_attributes, where), face=_face(more), label=_label(more), place=where)
            kinds.add(str(region.shape_attributes.get("name")))
        images.append(image)
    return read_images(images, source, format="via", remarks=_shapes(kinds - {"rect"}))


def _shapes(kinds: set[str]) -> list[Remark]:
    text = f"shapes of kind {', '.join(sorted(kinds))[:200]} became the boxes around them"
    return [Remark("other shapes", text)] if kinds else []


def _face(attributes: Mapping[str, Any]) -> int | str | None:
    stated = (attributes.get(name) for name in _IDS)
    return next((value for value in stated if isinstance(value, int | str) and value != ""), None)


def _label(attributes: Mapping[str, Any]) -> str:
    for name in _LABELS:
        value = attributes.get(name)
        if isinstance(value, dict):  # of check boxes those that are checked
            value = next((key for key, checked in value.items() if checked), None)
        if isinstance(value, str) and value:
            return value
    return ""


def _box(shape: Mapping[str, Any], place: str) -> tuple[float, float, float, float]:
    kind = shape.get("name")
    if kind == "rect":
        return _number(shape, "x", place), _number(shape, "y", place), *_numbers(shape, ("width", "height"), place)
    if kind in ("circle", "ellipse"):
        x, y = _numbers(shape, ("cx", "cy"), place)
        across, down = _numbers(shape, ("r", "r") if kind == "circle" else ("rx", "ry"), place)
        if kind == "ellipse" and shape.get("theta"):
            across = down = max(across, down)
        return x - across, y - down, 2 * across, 2 * down
    if kind == "point":
        return (*_numbers(shape, ("cx", "cy"), place), 0.0, 0.0)
    xs, ys = shape.get("all_points_x"), shape.get("all_points_y")
    if not isinstance(xs, list) or not isinstance(ys, list) or not xs or len(xs) != len(ys):
        raise AnnotationError(f"expected a shape with points, got {str(kind)[:40]!r} - at {place}")
    points = {str(n): value for n, value in enumerate([*xs, *ys])}
    values = [_number(points, name, place) for name in points]
    return around(list(zip(values[: len(xs)], values[len(xs) :], strict=True)))


def _numbers(shape: Mapping[str, Any], names: tuple[str, str], place: str) -> tuple[float, float]:
    return _number(shape, names[0], place), _number(shape, names[1], place)


def _number(shape: Mapping[str, Any], name: str, place: str) -> float:
    value = shape.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AnnotationError(f"expected a number as {name}, got {str(value)[:40]!r} - at {place}")
    try:
        return float(value)
    except OverflowError:
        raise AnnotationError(f"expected a number as {name}, got one too large - at {place}") from None


def _read_videos(project: _Project3, source: Source) -> Reading:
    """Read version 3: a shape at a time of a video; only an attribute says which shapes are of one face."""
    marks = {key: mark for key, mark in project.metadata.items() if mark.xy}
    spans = len(project.metadata) - len(marks)
    lost = [Remark("lost fields", f"{spans} stretches of time have no box and are left out")] if spans else []
    views = list(dict.fromkeys(str(mark.vid) for mark in marks.values()))
    place, several = choose_video([_names(project, view) for view in views], source)
    found = ParsedBoxes()
    for key, mark in marks.items():
        if str(mark.vid) != views[place]:
            continue
        if not mark.z:
            raise AnnotationError(f"expected a time in z; shapes of images in version 3 are not read - at `{key}`")
        named = {
            project.attribute[n].aname: _option(project.attribute[n], v)
            for n, v in mark.av.items()
            if n in project.attribute
        }
        at = _as_ticks(mark.z[0], key)
        found.add(at, _face(named), _box3(mark.xy, key), place=key, label=_label(named))
    return by_time(
        found,
        source,
        FileFacts(
            format="via",
            size=source.find_size(otherwise=(0, 0)),
            frame_rate=source.frame_rate,
            remarks=[*several, *lost],
        ),
        timescale=_TICKS,
        rule=_RULE,
    )


def _names(project: _Project3, view: str) -> tuple[str, ...]:
    files = [
        project.file[str(number)] for number in project.view.get(view, _View()).fid_list if str(number) in project.file
    ]
    return (*(name for file in files for name in (file.fname, file.src) if name), view)


def _option(attribute: _Attribute, value: Any) -> Any:
    return (attribute.options or {}).get(str(value), value)


def _as_ticks(seconds: float, place: str) -> int:
    if not 0 <= seconds < 1e9:
        raise AnnotationError(f"expected a time in seconds, got {seconds} - at `{place}`")
    return round(seconds * _TICKS)


def _box3(xy: Numbers, place: str) -> tuple[float, float, float, float]:
    kind, values = int(xy[0]) if abs(xy[0]) < 100 else 0, list(xy[1:])
    if kind == _RECT and len(values) == 4:
        return values[0], values[1], values[2], values[3]
    if kind == _POINT and len(values) == 2:
        return values[0], values[1], 0.0, 0.0
    if kind == _CIRCLE and len(values) == 3:
        x, y, radius = values
        return x - radius, y - radius, 2 * radius, 2 * radius
    if kind == _ELLIPSE and len(values) >= 4:
        x, y, across, down = values[:4]
        return x - across, y - down, 2 * across, 2 * down
    if kind not in (_RECT, _CIRCLE, _ELLIPSE, _EXTREME_CIRCLE) and len(values) >= 2 and len(values) % 2 == 0:
        return around(list(zip(values[::2], values[1::2], strict=True)))
    raise AnnotationError(f"expected a shape like [2, x, y, width, height], got {list(xy)[:6]} - at `{place}`")
