"""Read face annotations of Google Video Intelligence."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, ParsedBoxes, by_time
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source, decode_json
from redactkit.formats.videos import choose_video

__all__ = ["read_google"]

_LOST = "landmarks, attributes, thumbnails and all results but faces are left out"
_RULE = "times are those of the service, in seconds"
_ASK = "ask the service for FACE_DETECTION with includeBoundingBoxes"
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


class _Entity(Struct):
    description: str = ""


class _Thing(Struct):
    """An object, tracked in frames."""

    entity: _Entity | None = None
    confidence: float | None = None
    frames: list[_Object] | None = None


class _Result(Struct, rename="camel"):
    input_uri: str | None = None
    face_detection_annotations: list[_Detected] | None = None
    face_annotations: list[_Legacy] | None = None
    person_detection_annotations: list[_Detected] | None = None
    object_annotations: list[_Thing] | None = None
    segment_label_annotations: list[Any] | None = None
    shot_label_annotations: list[Any] | None = None
    frame_label_annotations: list[Any] | None = None
    shot_annotations: list[Any] | None = None
    text_annotations: list[Any] | None = None
    logo_recognition_annotations: list[Any] | None = None
    speech_transcriptions: list[Any] | None = None
    explicit_annotation: Any = None


class _Response(Struct, rename="camel"):
    annotation_results: list[_Result] | None = None


class _Operation(Struct, rename="camel"):
    annotation_results: list[_Result] | None = None
    response: _Response | None = None


def read_google(source: Source) -> Reading:
    """Read a Video Intelligence response or operation: every track is a face, numbered from 1 in the file's order.

    Where there are none of faces, the tracks of persons and objects are read, with ``person`` and the objects' names
    as labels.
    """
    results = [
        result
        for operation in _decode(source)
        for result in operation.annotation_results
        or (operation.response and operation.response.annotation_results)
        or []
    ]
    try:
        results, remarks = _of_one_video(results, source)
        found = ParsedBoxes()
        for place, result in enumerate(results):
            _add_result(found, result, f"$.annotationResults[{place}]")
        persons = not found.at
        if persons:
            for place, result in enumerate(results):
                _add_persons(found, result, f"$.annotationResults[{place}]")
                _add_things(found, result, f"$.annotationResults[{place}]")
        _check_faces(found, results)
        if persons and found.at:
            text = f"there are no face boxes; the boxes are of whole persons and things, as their labels say; {_ASK}"
            remarks.append(Remark("no face boxes", text))
        return by_time(
            found,
            source,
            FileFacts(
                format="google",
                size=source.find_size(),
                frame_rate=source.frame_rate,
                remarks=[Remark("lost fields", _LOST), *remarks],
            ),
            timescale=_TICKS,
            shares=True,
            rule=_RULE,
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _decode(source: Source) -> list[_Operation]:
    """Decode camelCase, or the snake_case of the Python client; the Node client gives a list of responses."""
    listed = source.text.lstrip()[:1] == b"["
    if b'"annotation_results"' not in source.text:
        kind: Any = list[_Operation] if listed else _Operation
        decoded = decode_json(source.text, kind, path=source.path)
        return decoded if listed else [decoded]
    generic: Any = decode_json(source.text, list[Any] if listed else dict[str, Any], path=source.path)
    text = msgspec.json.encode(_camel(generic if listed else [generic]))
    return decode_json(text, list[_Operation], path=source.path)


def _of_one_video(results: list[_Result], source: Source) -> tuple[list[_Result], list[Remark]]:
    """Return the results of the one video that is meant; a video may have a result for each kind of request."""
    uris = list(dict.fromkeys(result.input_uri or "" for result in results))
    place, remarks = choose_video([(uri,) for uri in uris], source)
    return [result for result in results if (result.input_uri or "") == uris[place]], remarks


def _check_faces(found: ParsedBoxes, results: list[_Result]) -> None:
    """Refuse results without a box of a face or a person that do have something else, and say what."""
    if found.at:
        return
    names = {name for result in results for name in result.__struct_fields__ if getattr(result, name)} - {"input_uri"}
    if names:
        listed = ", ".join(sorted(names)).replace("_", " ")
        raise AnnotationError(f"the results have {listed}, but no face has a box; {_ASK}")


def _camel(value: Any) -> Any:
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {_SNAKE.sub(lambda match: match[1].upper(), key): _camel(item) for key, item in value.items()}


def _add_persons(found: ParsedBoxes, result: _Result, where: str) -> None:
    for annotation, detected in enumerate(result.person_detection_annotations or []):
        for number, track in enumerate(detected.tracks or []):
            face = len(set(found.faces)) + 1
            place = f"{where}.personDetectionAnnotations[{annotation}].tracks[{number}]"
            _add_track(found, track, face, place, label="person")


def _add_things(found: ParsedBoxes, result: _Result, where: str) -> None:
    for number, thing in enumerate(result.object_annotations or []):
        face = len(set(found.faces)) + 1
        label = thing.entity.description if thing.entity is not None else ""
        track = _Track(thing.frames, thing.confidence)
        _add_track(found, track, face, f"{where}.objectAnnotations[{number}]", label=label)


def _add_track(found: ParsedBoxes, track: _Track, face: int, place: str, *, label: str = "") -> None:
    for item in track.timestamped_objects or []:
        at = _as_ticks(item.time_offset, place)
        box = _as_shares(item.normalized_bounding_box)
        found.add(at, face, box, place=place, confidence=track.confidence, label=label)


def _add_result(found: ParsedBoxes, result: _Result, where: str) -> None:
    face = max((number for number in found.faces if isinstance(number, int)), default=0)
    for annotation, detected in enumerate(result.face_detection_annotations or []):
        for number, track in enumerate(detected.tracks or []):
            face += 1
            place = f"{where}.faceDetectionAnnotations[{annotation}].tracks[{number}]"
            _add_track(found, track, face, place)
    for annotation, legacy in enumerate(result.face_annotations or []):
        place = f"{where}.faceAnnotations[{annotation}]"
        for frame in legacy.frames or []:
            for share in frame.normalized_bounding_boxes or []:
                at = _as_ticks(frame.time_offset, place)
                found.add(at, face + 1 + annotation, _as_shares(share), place=place)


def _as_shares(box: _Box) -> list[float]:
    """Return x, y, width, height."""
    return [box.left, box.top, box.right - box.left, box.bottom - box.top]


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
