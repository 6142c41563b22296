"""Annotation files as bytes: size limit, character encoding, and JSON whose errors say where the fault is."""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from redactkit.errors import AnnotationError
from redactkit.formats.json_paths import byte_at_json_path, json_path_at
from redactkit.media import VideoInfo

__all__ = ["MAX_BYTES", "Source", "decode_json", "line_of", "load_bytes", "lower_keys", "to_utf8"]

LINE_END = b"\n"
MAX_BYTES = 2**29
MOST_PIXELS = 10**6
LEAST_RATE, MOST_RATE = 1e-3, 10**6

T = TypeVar("T")

_MARKS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_BYTE = re.compile(r"\(byte (\d+)\)")
_PATH = re.compile(r"at `(\$[^`]*)`")


@dataclass(frozen=True)
class Source:
    """A file's bytes, and what its reader may need to know beside them.

    Parameters
    ----------
    path : Path
    data : bytes
    video : VideoInfo or None
    frame_size : (int, int) or None
        Width and height in pixels, where the file has none.
    frame_rate : Fraction or None
        Frames per second, where the file has none.
    video_name : str or None
        Which video is meant, where the file speaks of several.
    first_frame : int or None
        The number that the file gives the video's first frame.
    frame_step : int or None
        How many frames of the video the file's numbers are apart.
    units : str or None
        What the numbers of its boxes are, where the file does not say; one of `redactkit.formats.units.UNITS`.
    beside : mapping of str to bytes
        The other text files of the archive or folder that the file comes from.
    members : mapping of str to bytes
        The files by their names, where there is one for every image; ``data`` is then empty or the only one.
    """

    path: Path
    data: bytes
    video: VideoInfo | None = None
    frame_size: tuple[int, int] | None = None
    frame_rate: Fraction | None = None
    video_name: str | None = None
    first_frame: int | None = None
    frame_step: int | None = None
    units: str | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)
    members: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def text(self) -> bytes:
        """The bytes as UTF-8 without a byte order mark."""
        return to_utf8(self.data, path=self.path)

    @property
    def wanted_video(self) -> str | None:
        """The name of the video that is meant, as the caller says it or as its file is called."""
        if self.video_name is not None or self.video is None or self.video.path is None:
            return self.video_name
        return self.video.path.name

    def find_size(
        self, stated: tuple[float | None, float | None] = (None, None), *, otherwise: tuple[int, int] | None = None
    ) -> tuple[int, int]:
        """Return the frame's width and height: as the file states it, or as the caller does, or the video's.

        Where nobody says it is ``otherwise``, if that is given.

        Raises
        ------
        AnnotationError
            If nobody says, or what the file says means nothing.
        """
        width, height = (round(side) if side and math.isfinite(side) else 0 for side in stated)
        if width > 0 and height > 0:
            if max(width, height) > MOST_PIXELS:
                raise AnnotationError(f"expected a frame of at most {MOST_PIXELS} pixels a side, got {width}x{height}")
            return width, height
        if self.frame_size is not None:
            return self.frame_size
        if self.video is not None:
            return self.video.width, self.video.height
        if otherwise is not None:
            return otherwise
        raise AnnotationError(
            "the file has no frame size; pass frame_size=(width, height) (--size WxH) or video (--video)"
        )

    def rate_of(self, stated: float | None) -> Fraction | None:
        """Return frames per second: as the caller says, else as the file does, if that means anything."""
        if self.frame_rate is not None or stated is None or not LEAST_RATE <= stated <= MOST_RATE:
            return self.frame_rate
        return Fraction(str(stated)).limit_denominator(10**6)


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


def decode_json(
    data: bytes,
    kind: type[T],
    *,
    path: str | Path,
    ignore_case: bool = False,
    known: Collection[str] | None = None,
    apart: str | None = None,
) -> T:
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
        Lower keys first; slower.
    known, apart
        As in `lower_keys`.

    Raises
    ------
    AnnotationError
        For anything that is not JSON of that kind: names the JSON path, or the line and byte.
    """
    try:
        if not ignore_case:
            return msgspec.json.decode(data, type=kind, strict=False)
        return msgspec.convert(lower_keys(msgspec.json.decode(data), known=known, apart=apart), kind, strict=False)
    except AnnotationError as err:
        raise AnnotationError(f"{path}: {err}") from err
    except RecursionError as err:
        raise AnnotationError(f"{path}: JSON nested too deeply") from err
    except msgspec.ValidationError as err:
        raise AnnotationError(f"{path}: {_as_clause(str(err))}{line_of(str(err), data)}") from err
    except msgspec.DecodeError as err:
        raise AnnotationError(f"{path}: {_explain(str(err), data)}") from err
    except UnicodeDecodeError as err:
        raise AnnotationError(f"{path}: the text is not UTF-8 ({err.reason})") from err


def lower_keys(value: Any, *, known: Collection[str] | None = None, apart: str | None = None) -> Any:
    """Return a copy of decoded JSON with its keys in lower case.

    Parameters
    ----------
    value : JSON value
    known : collection of str, optional
        Lower only keys that are then one of these.
    apart : str, optional
        The key whose value is left as it is.

    Raises
    ------
    AnnotationError
        If two keys of one object differ in case only.
    """
    if isinstance(value, list):
        return [lower_keys(item, known=known, apart=apart) for item in value]
    if not isinstance(value, dict):
        return value
    lowered = {}
    for key, item in value.items():
        name = str(key).lower() if known is None or str(key).lower() in known else str(key)
        lowered[name] = item if name == apart else lower_keys(item, known=known, apart=apart)
    if len(lowered) < len(value):
        raise AnnotationError(f"an object has keys that differ in case only: {sorted(map(str, value))[:10]}")
    return lowered


def _as_clause(message: str) -> str:
    return message[:1].lower() + message[1:]


def _explain(message: str, data: bytes) -> str:
    """Add the line and the JSON path to a message that names a byte, and name what stands there."""
    found = _BYTE.search(message)
    if found is None:
        line = data.count(LINE_END) + 1
        place = json_path_at(data, len(data))
        return f"{_as_clause(message)}: the file ends at byte {len(data)}, line {line}, inside `{place}`"
    byte = int(found[1])
    line = data.count(LINE_END, 0, byte) + 1
    rest = data[byte : byte + 20].split(LINE_END)[0].decode("utf-8", "replace")
    place = json_path_at(data, byte)
    fault = message.removesuffix(found[0]).strip()
    return f"{fault} at byte {byte}, line {line}: {rest!r}" + (f" - at `{place}`" if place else "")


def line_of(message: str, data: bytes) -> str:
    """Return the line and byte of the JSON path that a message names."""
    found = _PATH.search(message)
    byte = byte_at_json_path(data, found[1]) if found else None
    if byte is None:
        return ""
    return f" (byte {byte}, line {data.count(LINE_END, 0, byte) + 1})"
