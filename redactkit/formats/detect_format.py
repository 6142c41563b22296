"""Which format a file has, told by the structure of its content and not by one key or by its name."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection
from typing import Any

import msgspec

from redactkit.errors import AnnotationError
from redactkit.formats.catalogue import READ
from redactkit.formats.mot import is_header
from redactkit.formats.source import Source
from redactkit.formats.strangers import name_binary, name_keys, name_text

__all__ = ["recognize", "refuse_unknown"]

_START = 10_000
_NO_TEXT = "data that is no text"
_LONGEST_LINE = 1 << 20
_NUMBERS = re.compile(r"[-+\d.eEaNif\s,;]+")
_WORDS = re.compile(r"[^,;\t|]*([,;\t|][^,;\t|]*)+")  # the first may be empty: pandas writes its index so
_NAMES = re.compile(r"[a-z_]\w*( +[a-z_]\w*){4,}", re.IGNORECASE)  # of columns, with blanks between
_ROOT = re.compile(rb"<([A-Za-z_][\w.\-]*)")
_KEY = re.compile(rb'"(\w{1,60})"\s*:')
_KITTI = re.compile(r"-?\d+ -?\d+ [A-Za-z_]+( -?[\d.eE+-]+){14,15}|[A-Za-z_]+( -?[\d.eE+-]+){14,15}")
_WIDER = re.compile(r"\S.*\.(jpg|jpeg|png)", re.IGNORECASE)
_OF_XML = {"annotations": "cvat", "annotation": "voc", "dataset": "dlib"}
_YOLO_COLUMNS = range(5, 8)
_VISDRONE_COLUMNS, _VISDRONE_CLASSES = 10, 11
_WHEN = {"frame", "frame_id", "time", "timestamp"}
_SIDE = 2.0  # of a box in shares of the frame, all numbers of which are smaller, or it lies far outside

Keys = dict[str, msgspec.Raw | None]


def recognize(source: Source) -> str:
    """Return the name of the format of a file.

    Raises
    ------
    AnnotationError
        If it is none that is read, or empty; says what it seems to be.
    """
    data = source.data
    if data[:4] == b"PAR1":
        return "parquet"
    stranger = name_binary(data)
    if stranger is not None:
        raise refuse_unknown(source, stranger)
    try:
        start = source.text[:_START].lstrip()
    except AnnotationError:
        if source.data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
            raise
        raise refuse_unknown(source, _NO_TEXT) from None
    if not start:
        raise AnnotationError(f"{source.path}: the file is empty")
    if start[:1] in b"{[":
        return _of_json(source)
    if start[:1] == b"<":
        return _of_xml(start, source)
    return _of_text(source)


def refuse_unknown(source: Source, what: str) -> AnnotationError:
    """Return the error for a file that is no annotation file that is read."""
    return AnnotationError(
        f"{source.path}: no annotation format that is known here: this is {what}; read are {READ}; if it is one of "
        "them, name it with format= (--format)"
    )


def _of_json(source: Source) -> str:
    text = source.text
    value = _first_value(text)
    if _head(text)[:1] == b"[":
        item = _first_item(text)
        if item is None:
            raise refuse_unknown(source, "a JSON list that is empty or broken")
        name = _of_items(item) or (_of_keys(_keys_of(item)) if isinstance(item, dict) else None)
        if name is None:
            raise refuse_unknown(source, name_keys(item) or f"a JSON list of {_kind(item)}")
        return name
    keys = _keys(text, value)
    name = _of_keys(keys)
    if name is None:
        listed = ", ".join(sorted(_own_names(text))[:10]) or "none"
        raise refuse_unknown(
            source, _wrapped(keys, text) or _stranger_of(text, value) or f"JSON with the keys {listed}"
        )
    return name


def _wrapped(keys: Keys, text: bytes) -> str | None:
    """Return what an answer of a service is that has a file of a known format in it, as somebody's program kept it."""
    for key, raw in keys.items():
        if raw is None or _head(raw)[:1] not in (b"{", b"["):
            continue
        item = _first_item(raw)
        name = _of_items(item) if item is not None else _of_keys(_keys(bytes(raw), None))
        if name is not None:
            place = next((own for own in _own_names(text) if _plain(own) == key), key)[:40]
            return f"JSON that has {name} in it, in {place!r}; save what is there as a file of its own"
    return None


def _stranger_of(text: bytes, value: Any) -> str | None:
    if value is None:
        try:
            value = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
    return name_keys(value)


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return f"objects with the keys {', '.join(sorted(map(str, value))[:10]) or 'none'}"
    return {list: "lists", str: "text", bool: "true and false"}.get(type(value), "numbers")


def _own_names(text: bytes) -> list[str]:
    try:
        return list(msgspec.json.decode(text, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return list(dict.fromkeys(key.decode() for key in _KEY.findall(text[:_START])))


def _plain(key: str) -> str:
    return key.lower().replace("_", "")


def _keys_of(value: dict[str, Any]) -> Keys:
    return {_plain(str(key)): msgspec.Raw(msgspec.json.encode(item)) for key, item in value.items()}


def _keys(text: bytes, value: Any) -> Keys:
    """Return the outermost keys, each with its JSON; of broken JSON, what looks like keys before the fault."""
    try:
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        return {_plain(key): item for key, item in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        if isinstance(value, dict):  # values that stand one after the other
            return _keys_of(value)
        return dict.fromkeys(_plain(key.decode()) for key in _KEY.findall(text[:_START]))


def _first_value(text: bytes) -> Any:
    """Return the first of JSON values that stand one after the other; None if the text is one, or broken."""
    start = text[:_LONGEST_LINE].decode("utf-8", "ignore").lstrip()
    if "\n" not in start:
        return None
    try:
        value, _ = json.JSONDecoder().raw_decode(start)
    except (ValueError, RecursionError):
        return None
    return value


def _head(raw: bytes | msgspec.Raw | None, length: int | None = _START) -> bytes:
    """Return the start of JSON, without blanks before it; large files are not copied."""
    return b"" if raw is None else bytes(memoryview(raw)[:length]).lstrip()


def _first_item(raw: bytes | msgspec.Raw | None) -> Any:
    """Return the first item of a JSON list, without reading the rest of it; None if there is none."""
    if _head(raw)[:1] != b"[":
        return None
    for length in (_LONGEST_LINE, None):
        try:
            start = _head(raw, length)[1:].decode("utf-8", "ignore").lstrip()
            return json.JSONDecoder().raw_decode(start)[0]
        except (ValueError, RecursionError):
            continue
    return None


def _has(keys: Keys, name: str, *wanted: Collection[str]) -> bool:
    """Return whether the list ``name`` is there and its first item has one of some sets of keys.

    A list that is empty or broken has them.
    """
    if name not in keys:
        return False
    item = _first_item(keys[name])
    if item is None:
        return keys[name] is None or _head(keys[name])[:1] == b"["
    own = {_plain(str(key)) for key in item} if isinstance(item, dict) else set()
    return any(set(each) <= own for each in wanted)


def _is_empty(keys: Keys, name: str) -> bool:
    return _first_item(keys.get(name)) is None


def _of_keys(keys: Keys) -> str | None:
    """Return the format of a JSON object by its keys, and by what their values have in them."""
    own = set(keys)
    if "fragments" in own or "timescale" in own:
        return "azure"
    if "annotationresults" in own or ("response" in own and b"nnotation" in (_head(keys["response"]) or b"nnotation")):
        return "google"
    if "item" in own and "annotations" in own:
        return "darwin"
    if "items" in own and "categories" in own:
        return "datumaro"
    named = own & {"images", "videos", "categories"}
    if named and _has(keys, "annotations", {"bbox"}, {"imageid"}, {"bboxes"}):
        return "coco"
    return _of_service(keys) or _of_tool(keys)


def _of_service(keys: Keys) -> str | None:
    own = set(keys)
    amazon = bool(own & {"jobstatus", "videometadata", "facemodelversion", "nexttoken", "orientationcorrection"})
    if _has(keys, "faces", {"timestamp", "face"}, {"boundingbox"}) and (amazon or not _is_empty(keys, "faces")):
        return "rekognition"
    if _has(keys, "persons", {"person"}) and (amazon or not _is_empty(keys, "persons")):
        return "rekognition"
    if _has(keys, "celebrities", {"celebrity"}) and (amazon or not _is_empty(keys, "celebrities")):
        return "rekognition"
    if _has(keys, "labels", {"label", "timestamp"}) and amazon:
        return "rekognition"
    if _has(keys, "facedetails", {"boundingbox"}) or _has(keys, "facerecords", {"face"}):
        return "rekognition"
    if own >= {"celebrityfaces", "unrecognizedfaces"} or own >= {"sourceimageface", "unmatchedfaces"}:
        return "rekognition"
    if _has(keys, "labels", {"name", "instances"}) and not _is_empty(keys, "labels"):
        return "rekognition"
    if "jobstatus" in own and not own & {"moderationlabels", "textdetections", "segments"}:
        return "rekognition"
    if own & {"summarizedinsights", "insights"} or (own >= {"videos"} and b'"insights"' in _head(keys["videos"], None)):
        return "videoindexer"
    if _has(keys, "faces", {"instances"}, {"appearances"}) and (
        not _is_empty(keys, "faces") or own & {"transcript", "keywords", "shots", "sourcelanguage", "durationinseconds"}
    ):
        return "videoindexer"
    return None


def _of_tool(keys: Keys) -> str | None:
    own = set(keys)
    if own >= {"shapes", "imagepath"}:
        return "labelme"
    if own & {"viaimgmetadata", "viasettings"} or own >= {"metadata", "view", "file"}:
        return "via"
    if any(_head(raw)[:1] == b"{" and b'"regions"' in _head(raw) for raw in list(keys.values())[:3]):
        return "via"
    if own >= {"size", "objects"} or own >= {"framescount", "frames"}:
        return "supervisely"
    if own >= {"frames"} and _has(keys, "frames", {"labels"}, {"videoname"}, {"name", "frameindex"}):
        return "scalabel"
    return None


def _of_items(item: Any) -> str | None:
    """Return the format of a JSON list by its first item."""
    own = {_plain(str(key)) for key in item} if isinstance(item, dict) else set()
    if own >= {"imageid", "bbox"}:
        return "coco"
    if own >= {"data", "annotations"} or own >= {"video", "box"} or own >= {"data", "predictions"}:
        return "labelstudio"
    if own >= {"name", "labels"} or own >= {"videoname", "labels"} or own >= {"videoname", "url"}:
        return "scalabel"
    return None


def _of_xml(start: bytes, source: Source) -> str:
    found = next((name.decode() for name in _ROOT.findall(start)), "nothing")
    if found in _OF_XML:
        return _OF_XML[found]
    if b"<annotations" in start:
        return "cvat"
    raise refuse_unknown(
        source, "a web page" if found.lower() == "html" else f"XML with the outermost element <{found}>"
    )


def _of_text(source: Source) -> str:
    lines = source.text[:_LONGEST_LINE].decode("utf-8", "replace").splitlines()
    line = next((line.strip() for line in lines if line.strip()), "")
    if _NUMBERS.fullmatch(line):
        name = _of_numbers(line)
        if name is not None:
            return name
    if is_header(line.encode()):
        return "mot"
    if _KITTI.fullmatch(line):
        return "kitti"
    if _WIDER.fullmatch(line) and len(lines) > 1 and re.fullmatch(r"\s*\d+\s*", lines[1]):
        return "wider"
    if line.startswith("#") and ("VGG Image Annotator" in line or "temporal_coordinates" in line):
        return "via"
    uncommented = next((line for line in map(str.strip, lines) if line and not line.startswith("#")), "")
    stranger = name_text(line) or name_text(uncommented)
    if stranger is not None:
        raise refuse_unknown(source, stranger)
    for named in dict.fromkeys((line, uncommented)):
        if _WORDS.fullmatch(named) and named.replace("\t", " ").isprintable():
            return _of_columns(named)
    if _NAMES.fullmatch(uncommented) and _WHEN & set(uncommented.lower().split()):
        return "csv"
    printable = line.replace("\t", " ").isprintable() and "\ufffd" not in line
    raise refuse_unknown(source, f"text that begins with {line[:40]!r}" if printable else _NO_TEXT)


def _of_numbers(line: str) -> str | None:
    words = re.split(r"[,;\s]+", line.strip(" ,;"))
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return None
    by_space = not set(line.strip()) & set(",;")
    if by_space and len(numbers) in _YOLO_COLUMNS and _are_shares(numbers[1:5]):
        return "yolo"
    if by_space and len(numbers) > max(_YOLO_COLUMNS) and _are_shares(numbers[1:]):
        return "yolo"  # polygons, or poses
    if len(numbers) == _VISDRONE_COLUMNS and 1 <= numbers[7] <= _VISDRONE_CLASSES and set(numbers[8:]) <= {0, 1, 2}:
        return "visdrone"
    return "mot" if len(numbers) >= 6 else None


def _are_shares(numbers: list[float]) -> bool:
    """Return whether numbers are shares of an image: small, and not all whole unless all are 0 or 1."""
    if not all(map(math.isfinite, numbers)):
        return False
    if any(number != int(number) for number in numbers):
        return all(abs(number) <= _SIDE for number in numbers)
    return set(numbers) <= {0, 1}


def _of_columns(line: str) -> str:
    separator = max(",;\t|", key=line.count)
    names = {word.strip().strip('"').lower() for word in line.split(separator)}
    if "region_shape_attributes" in names:
        return "via"
    # With one face it writes no face_id.
    if {"success", "confidence", "timestamp"} <= names and not {"x", "facerectx"} & names:
        return "openface"
    if {"success", "face_id"} <= names and not {"x", "facerectx"} & names:
        return "openface"
    if "temporal_coordinates" in names:
        return "via"
    return "csv"
