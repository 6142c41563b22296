"""Annotation files as bytes: size limit, character encoding, and JSON whose errors say where the fault is."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from redactkit.errors import AnnotationError

__all__ = ["MAX_BYTES", "decode_json", "load_bytes", "lower_keys", "to_utf8"]

MAX_BYTES = 2**31

T = TypeVar("T")

_MARKS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_BYTE = re.compile(r"\(byte (\d+)\)")


def load_bytes(path: str | Path, *, most: int = MAX_BYTES) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    AnnotationError
        If the file is missing, is no regular file, cannot be read, or is larger than ``most`` bytes.
    """
    file = Path(path)
    try:
        if not file.exists():
            raise AnnotationError(f"{file}: no such file")
        if not file.is_file():
            raise AnnotationError(f"{file}: expected a file, got a directory or a device")
        if file.stat().st_size > most:
            raise AnnotationError(f"{file}: {file.stat().st_size} bytes are more than the {most} this reader takes")
        return file.read_bytes()
    except (OSError, ValueError) as err:
        if isinstance(err, AnnotationError):
            raise
        raise AnnotationError(f"{file}: cannot be read: {err}") from err


def to_utf8(data: bytes, *, path: str | Path) -> bytes:
    """Return text as UTF-8 without a byte order mark; UTF-16 and UTF-32 are known by mark or by their zeros.

    Raises
    ------
    AnnotationError
        If the bytes are no text of the encoding that they claim.

    Examples
    --------
    >>> to_utf8('{"a": 1}'.encode("utf-16"), path="a.json")
    b'{"a": 1}'
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _recode(data[len(mark) :], encoding, path)
    if data[1:2] == b"\0":
        return _recode(data, "utf-16-le", path)
    if data[:1] == b"\0":
        return _recode(data, "utf-16-be", path)
    return data


def _recode(data: bytes, encoding: str, path: str | Path) -> bytes:
    if encoding == "utf-8":
        return data
    try:
        return data.decode(encoding).encode()
    except UnicodeError as err:
        raise AnnotationError(f"{path}: not {encoding.upper()} as its first bytes claim: {err}") from err


def decode_json(data: bytes, kind: type[T], *, path: str | Path, ignore_case: bool = False) -> T:
    """Decode JSON into a typed value; numbers may also be written as strings.

    Parameters
    ----------
    data : bytes
        UTF-8.
    kind : type
        A msgspec Struct, or any type msgspec knows.
    path : path
        Named in errors.
    ignore_case : bool
        Lower every key first; slower.

    Raises
    ------
    AnnotationError
        For anything that is not JSON of that kind: names the JSON path, or the line and byte.
    """
    try:
        if not ignore_case:
            return msgspec.json.decode(data, type=kind, strict=False)
        return msgspec.convert(lower_keys(msgspec.json.decode(data)), kind, strict=False)
    except AnnotationError as err:
        raise AnnotationError(f"{path}: {err}") from err
    except RecursionError as err:
        raise AnnotationError(f"{path}: JSON nested too deeply") from err
    except msgspec.ValidationError as err:
        raise AnnotationError(f"{path}: {_as_clause(str(err))}") from err
    except msgspec.DecodeError as err:
        raise AnnotationError(f"{path}: {_explain(str(err), data)}") from err
    except UnicodeDecodeError as err:
        raise AnnotationError(f"{path}: the text is not UTF-8 ({err.reason})") from err


def lower_keys(value: Any) -> Any:
    """Return a copy of decoded JSON with every key in lower case.

    Raises
    ------
    AnnotationError
        If two keys of one object differ in case only.
    """
    if isinstance(value, list):
        return [lower_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    lowered = {str(key).lower(): lower_keys(item) for key, item in value.items()}
    if len(lowered) < len(value):
        raise AnnotationError(f"an object has keys that differ in case only: {sorted(map(str, value))[:10]}")
    return lowered


def _as_clause(message: str) -> str:
    return message[:1].lower() + message[1:]


def _explain(message: str, data: bytes) -> str:
    """Add the line to a message that names a byte, and name what stands there."""
    found = _BYTE.search(message)
    if found is None:
        lines = data.count(b"\n") + 1
        return f"{_as_clause(message)}: the file ends at byte {len(data)}, line {lines}, before its JSON does"
    byte = int(found[1])
    line = data.count(b"\n", 0, byte) + 1
    rest = data[byte : byte + 20].split(b"\n")[0].decode("utf-8", "replace")
    return f"{message.removesuffix(found[0]).strip()} at byte {byte}, line {line}: {rest!r}"
