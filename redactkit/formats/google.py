"""Read face annotations of Google Video Intelligence."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import ParsedBoxes, by_time
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json

__all__ = ["read_google"]

_LOST = "landmarks, attributes, thumbnails and all results but faces are left out"
_TICKS = 10**9
_SECONDS = re.compile(r"(\d+)(?:\.(\d{1,9}))?s")
_SNAKE = re.compile(r"_([a-z])")


class _Duration(Struct):
    seconds: int = 0
    nanos: int = 0


class _Box(Struct):
    """Shares of the frame; protocol buffers leave zeros out."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0


class _Object(Struct, rename="camel"):
    normalized_bounding_box: _Box
    time_offset: str | _Duration | None = None


class _Track(Struct, rename="camel"):
    timestamped_objects: list[_Object] | None = None
    confidence: float | None = None


class _Detected(Struct, rename="camel"):
    tracks: list[_Track] | None = None


class _Frame(Struct, rename="camel"):
    normalized_bounding_boxes: list[_Box] | None = None
    time_offset: str | _Duration | None = None


class _Legacy(Struct, rename="camel"):
    frames: list[_Frame] | None = None


class _Result(Struct, rename="camel"):
    face_detection_annotations: list[_Detected] | None = None
    face_annotations: list[_Legacy] | None = None


class _Response(Struct, rename="camel"):
    annotation_results: list[_Result] | None = None


class _Operation(Struct, rename="camel"):
    annotation_results: list[_Result] | None = None
    response: _Response | None = None


def read_google(source: Source) -> Reading:
    """Read a Video Intelligence response or operation: every track is a face, numbered from 1 in the file's order."""
    operation = _decode(source)
    results = operation.annotation_results or (operation.response and operation.response.annotation_results) or []
    try:
        size = source.find_size()
        found = ParsedBoxes()
        for place, result in enumerate(results):
            _add_result(found, result, f"$.annotationResults[{place}]", size)
        return by_time(
            found,
            format="google",
            size=size,
            timescale=_TICKS,
            frame_rate=source.frame_rate,
            remarks=[Remark("lost fields", _LOST)],
        )
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}") from err


def _decode(source: Source) -> _Operation:
    """Decode camelCase, or the snake_case of the Python client."""
    if b'"annotation_results"' not in source.text:
        return decode_json(source.text, _Operation, path=source.path)
    generic = decode_json(source.text, dict[str, Any], path=source.path)
    return decode_json(msgspec.json.encode(_camel(generic)), _Operation, path=source.path)


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_SNAKE.sub(lambda match: match[1].upper(), key): _camel(item) for key, item in value.items()}


def _add_result(found: ParsedBoxes, result: _Result, where: str, size: tuple[int, int]) -> None:
    face = max((number for number in found.faces if isinstance(number, int)), default=0)
    for annotation, detected in enumerate(result.face_detection_annotations or []):
        for number, track in enumerate(detected.tracks or []):
            face += 1
            place = f"{where}.faceDetectionAnnotations[{annotation}].tracks[{number}]"
            for item in track.timestamped_objects or []:
                at = _as_ticks(item.time_offset, place)
                box = _as_pixels(item.normalized_bounding_box, size)
                found.add(at, face, box, place=place, confidence=track.confidence)
    for annotation, legacy in enumerate(result.face_annotations or []):
        place = f"{where}.faceAnnotations[{annotation}]"
        for frame in legacy.frames or []:
            for share in frame.normalized_bounding_boxes or []:
                at = _as_ticks(frame.time_offset, place)
                found.add(at, face + 1 + annotation, _as_pixels(share, size), place=place)


def _as_pixels(box: _Box, size: tuple[int, int]) -> list[float]:
    width, height = size
    left, top = box.left * width, box.top * height
    return [left, top, box.right * width - left, box.bottom * height - top]


def _as_ticks(offset: str | _Duration | None, where: str) -> int:
    """Read ``"1.459s"`` or seconds and nanos; a zero is left out."""
    if offset is None:
        return 0
    if isinstance(offset, _Duration):
        return offset.seconds * _TICKS + offset.nanos
    match = _SECONDS.fullmatch(offset)
    if match is None:
        raise AnnotationError(f"expected a time like 1.5s, got {offset[:40]!r} - at `{where}`")
    return int(match[1]) * _TICKS + int((match[2] or "").ljust(9, "0"))
