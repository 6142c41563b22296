"""Detect encrypted video and sound from container headers, before anything is decoded.

References
----------
ISO/IEC 23001-7 (common encryption in ISO files); RFC 9559, 5.1.4.1.31 (Matroska); Advanced Systems Format
specification, 3.14 and 3.15; SMPTE ST 429-6 (MXF).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from redactkit.video.scrambling import scrambled_program, scrambled_transport

__all__ = ["Encryption", "find_encryption", "looks_encrypted"]

_MAX_HEADER_BYTES = 64 << 20  # of one header; a longer one is damaged or hostile
_MAX_BOXES = 200_000
_RANDOMNESS_BYTES = 4096


@dataclass(frozen=True)
class Encryption:
    """The encryption of a file's video and sound in words; empty if they are not encrypted."""

    video: str = ""
    audio: str = ""


def find_encryption(path: Path) -> Encryption:
    """Return the encryption that a file's headers declare; none for a damaged file or an unknown container."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
            if start[4:8] in _BOXES_AT_THE_START:
                return _of_iso(file)
            if start[:4] == _EBML:
                return _of_matroska(file)
            if start == _ASF_HEADER:
                return _of_asf(file)
            if start[:4] == b"\x06\x0e\x2b\x34":
                return _of_mxf(file)
            if start[:4] == b"\0\0\1\xba":
                return Encryption(*scrambled_program(file))
            return Encryption(*scrambled_transport(file))
    except (OSError, ValueError, IndexError):
        return Encryption()


def looks_encrypted(path: Path) -> bool:
    """Return whether the first bytes of a file are distributed as evenly as random ones.

    The start of every known container is anything but even. The measure is Pearson's chi-squared of 256
    values, whose mean is 255 and whose standard deviation is 23 for random bytes.
    """
    with path.open("rb") as file:
        data = file.read(_RANDOMNESS_BYTES)
    if len(data) < _RANDOMNESS_BYTES:
        return False
    expected = _RANDOMNESS_BYTES / 256
    return sum((data.count(value) - expected) ** 2 for value in range(256)) / expected < 400


# ISO base media files: mp4, mov and their fragments.

_BOXES_AT_THE_START = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"sidx"}
_CONTAINER_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf"}
_HANDLERS = {b"vide": "video", b"soun": "audio"}
_PROTECTED = {b"encv": "video", b"enca": "audio", b"drmi": "video", b"drms": "audio"}
_SAMPLE_ENTRY_BYTES = {"video": 78, "audio": 28}  # bytes of a sample entry before its boxes
_PIFF_UUID = bytes.fromhex("a2394f525a9b4f14a2446c427c648df4")  # sample encryption before ISO/IEC 23001-7


def _of_iso(file: BinaryIO) -> Encryption:
    kinds: dict[int, str] = {}
    found: dict[str, str] = {}
    sealed: set[int] = set()
    has_keys = False
    for name, start, end in _top_boxes(file):
        if name == b"pssh":
            has_keys = True
        if name not in (b"moov", b"moof") or end - start > _MAX_HEADER_BYTES:
            continue
        file.seek(start)
        data = file.read(end - start)
        has_keys |= any(each == b"pssh" for each, _ in _boxes(data))
        for part, body in _boxes(data):
            if part == b"trak":
                _read_track(body, kinds, found)
            elif part == b"traf" and _has_sample_keys(body):
                sealed.add(_track_id(body, b"tfhd"))
    # Boxes that a decrypting tool left behind do not count: real encryption has both sample keys and key information.
    for track in sealed if has_keys else ():
        found.setdefault(kinds.get(track, "video"), "MPEG-CENC, in fragments")
    return Encryption(found.get("video", ""), found.get("audio", ""))


def _read_track(track: bytes, kinds: dict[int, str], found: dict[str, str]) -> None:
    """Note the type of a track, and its protection scheme if it has one."""
    media = dict(_boxes(dict(_boxes(track)).get(b"mdia", b"")))
    kind = _HANDLERS.get(media.get(b"hdlr", b"")[8:12], "")
    kinds[_track_id(track, b"tkhd")] = kind
    table = dict(_boxes(dict(_boxes(media.get(b"minf", b""))).get(b"stbl", b"")))
    for entry, body in _boxes(table.get(b"stsd", b"")[8:]):
        of = _PROTECTED.get(entry, kind)
        inner = dict(_boxes(body[_SAMPLE_ENTRY_BYTES.get(of, 8) :]))
        if entry in _PROTECTED or b"sinf" in inner:
            found[of] = _scheme(entry, body)


def _scheme(entry: bytes, body: bytes) -> str:
    # Sound entries of QuickTime have more bytes before their boxes, so the box is searched by its name.
    at = body.find(b"schm")
    scheme = body[at + 8 : at + 12] if at >= 0 else b""
    if scheme.isalnum():
        return f"MPEG-CENC, scheme {scheme.decode()}"
    return f"sample entry {entry.decode('latin-1')}"


def _has_sample_keys(fragment: bytes) -> bool:
    return any(
        (name == b"senc" and int.from_bytes(body[4:8], "big") > 0) or (name == b"uuid" and body[:16] == _PIFF_UUID)
        for name, body in _boxes(fragment)
    )


def _track_id(parent: bytes, name: bytes) -> int:
    body = dict(_boxes(parent)).get(name, b"")
    at = 4 if name == b"tfhd" else (20 if body[:1] == b"\1" else 12)
    return int.from_bytes(body[at : at + 4], "big")


def _top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of what every box at the top of a file holds."""
    at, length = 0, file.seek(0, os.SEEK_END)
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, before = _box_size(head, length - at)
        if size < before:
            return
        yield head[4:8], at + before, min(at + size, length)
        at += size


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the boxes that fill ``data``, up to the first that cannot be one."""
    at = 0
    while at + 8 <= len(data):
        size, before = _box_size(data[at : at + 16], len(data) - at)
        if size < before or at + size > len(data):
            return
        yield data[at + 4 : at + 8], data[at + before : at + size]
        at += size


def _box_size(head: bytes, left: int) -> tuple[int, int]:
    """Return the bytes of a box and those of its header; a size of 0 means "to the end"."""
    size = int.from_bytes(head[:4], "big")
    if size == 1:
        return int.from_bytes(head[8:16], "big"), 16
    return (size or left), 8


# Matroska and WebM.

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TRACKS, _CLUSTER, _TRACK, _TYPE = 0x18538067, 0x1654AE6B, 0x1F43B675, 0xAE, 0x83
_ENCODINGS, _ENCODING, _ENCRYPTION, _ALGORITHM = 0x6D80, 0x6240, 0x5035, 0x47E1
_ALGORITHMS = {1: "DES", 2: "3DES", 3: "Twofish", 4: "Blowfish", 5: "AES"}
_TRACK_KINDS = {1: "video", 2: "audio"}


def _of_matroska(file: BinaryIO) -> Encryption:
    found: dict[str, str] = {}
    for track in _matroska_tracks(file):
        fields = dict(_elements(track))
        kind = _TRACK_KINDS.get(int.from_bytes(fields.get(_TYPE, b""), "big"), "")
        for name, encoding in _elements(fields.get(_ENCODINGS, b"")):
            encryption = dict(_elements(encoding)).get(_ENCRYPTION) if name == _ENCODING else None
            if encryption is not None:
                number = int.from_bytes(dict(_elements(encryption)).get(_ALGORITHM, b""), "big")
                found[kind] = f"Matroska ContentEncryption, {_ALGORITHMS.get(number, f'algorithm {number}')}"
    return Encryption(found.get("video", ""), found.get("audio", ""))


def _matroska_tracks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of every track's entry."""
    at, length, entered = 0, file.seek(0, os.SEEK_END), False
    for _ in range(_MAX_BOXES):
        file.seek(at)
        head = file.read(12)
        name, size, before = _element_head(head)
        if not before or at >= length:
            return
        if name == _TRACKS and 0 <= size <= _MAX_HEADER_BYTES:
            file.seek(at + before)
            yield from (body for each, body in _elements(file.read(size)) if each == _TRACK)
        # Descend into segments, also of unknown size. Any other element of unknown size cannot be skipped.
        if name == _SEGMENT and not entered:
            at, entered = at + before, True
        elif size < 0:
            return
        else:
            at += before + size


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        name, size, before = _element_head(data[at : at + 12])
        if not before or size < 0 or at + before + size > len(data):
            return
        yield name, data[at + before : at + before + size]
        at += before + size


def _element_head(head: bytes) -> tuple[int, int, int]:
    """Return an EBML element's ID, its size (-1 if unknown) and the length of its header (0: no element)."""
    wide = 9 - head[0].bit_length() if head and head[0] else 0
    if not 1 <= wide <= 4 or len(head) <= wide or not head[wide]:
        return 0, -1, 0
    long = 9 - head[wide].bit_length()
    size = int.from_bytes(head[wide : wide + long], "big") & ((1 << 7 * long) - 1)
    unknown = size == (1 << 7 * long) - 1
    return int.from_bytes(head[:wide], "big"), -1 if unknown else size, wide + long


# Windows Media and MXF.

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROTECTED = {
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"): "Windows Media DRM",
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"): "Windows Media DRM, extended",
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"): "Windows Media DRM, advanced",
}
_MXF_TRIPLET = bytes.fromhex("060e2b34020401010d010301027e01")


def _of_asf(file: BinaryIO) -> Encryption:
    """Search the ASF header for objects that declare protection of the whole content."""
    file.seek(16)
    size = int.from_bytes(file.read(8), "little")
    file.seek(30)
    data = file.read(min(max(size - 30, 0), _MAX_HEADER_BYTES))
    at = 0
    while at + 24 <= len(data):
        words = _ASF_PROTECTED.get(data[at : at + 16])
        if words:
            return Encryption(words, words)
        size = int.from_bytes(data[at + 16 : at + 24], "little")
        if size < 24:
            break
        at += size
    return Encryption()


def _of_mxf(file: BinaryIO) -> Encryption:
    file.seek(0)
    words = "MXF encrypted triplets" if _MXF_TRIPLET in file.read(4 << 20) else ""
    return Encryption(words, words)
