"""Which format a file has, told by its content."""

from __future__ import annotations

import re

import msgspec

from redactkit.errors import AnnotationError
from redactkit.formats.source import Source

__all__ = ["recognize"]

_START = 10_000
_NUMBERS = re.compile(r"[-+\d.eE\s,]+")
_WORDS = re.compile(r'[\w"\s.\-]+([,;\t][\w"\s.\-]+)+')


def recognize(source: Source) -> str:
    """Return the name of the format of a file.

    Raises
    ------
    AnnotationError
        If it is none that redactkit reads, or empty.
    """
    if source.data[:4] == b"PAR1":
        return "parquet"
    if source.data[:2] == b"PK":
        raise AnnotationError(f"{source.path}: a ZIP archive; unpack it and name the annotation file inside")
    start = source.text[:_START].lstrip()
    if not start:
        raise AnnotationError(f"{source.path}: the file is empty")
    if start[:1] == b"{":
        return _of_keys(_keys(source), source)
    if start[:1] == b"[":
        return _of_list(start, source)
    if start[:1] == b"<":
        return _of_xml(start, source)
    return _of_text(start, source)


def _keys(source: Source) -> set[str]:
    """Return the keys of the outermost object; of broken JSON, those before the fault that look like keys."""
    try:
        return set(msgspec.json.decode(source.text, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = re.findall(rb'"(\w{1,60})"\s*:', source.text[:_START])
        return {key.decode() for key in found}


def _of_keys(keys: set[str], source: Source) -> str:
    lowered = {key.lower().replace("_", "") for key in keys}
    if "fragments" in lowered or "timescale" in lowered:
        return "azure"
    if {"annotationresults"} & lowered or ("response" in lowered and b"nnotation" in source.text[:_START]):
        return "google"
    if "annotations" in lowered and ({"images", "videos", "categories"} & lowered):
        return "coco"
    if {"Faces", "VideoMetadata"} <= keys or {"Faces", "JobStatus"} <= keys:
        return "rekognition"
    if {"faces", "insights", "summarizedinsights"} & lowered or ("videos" in lowered and b'"insights"' in source.text):
        return "videoindexer"
    raise _unknown(source, f"JSON with the keys {', '.join(sorted(keys)[:10]) or 'none'}")


def _of_list(start: bytes, source: Source) -> str:
    if b'"image_id"' in start and b'"bbox"' in start:
        return "coco"
    if b'"Faces"' in start:
        return "rekognition"
    raise _unknown(source, "a JSON list of neither COCO results nor Rekognition pages")


def _of_xml(start: bytes, source: Source) -> str:
    if b"<annotations" in start:
        return "cvat"
    raise _unknown(source, "XML without <annotations>")


def _of_text(start: bytes, source: Source) -> str:
    line = next((line for line in start.decode("utf-8", "replace").splitlines() if line.strip()), "")
    if _NUMBERS.fullmatch(line) and len(re.split(r"[,\s]+", line.strip(" ,"))) >= 6:
        return "mot"
    if _WORDS.fullmatch(line.strip()):
        return "csv"
    raise _unknown(source, f"text that begins with {line[:40]!r}")


def _unknown(source: Source, what: str) -> AnnotationError:
    return AnnotationError(
        f"{source.path}: no annotation format that is known here: {what}; name it with format= if it is one"
    )
