"""Tell an encrypted video by the structure of its file, before anything is decoded.

Decoders are handed ciphertext without a word: they conceal all of it or give a grey picture, in which no face is found.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from redactkit.errors import VideoError

__all__ = ["refuse_encrypted"]

_BOXES_READ = 20_000
_ENTRY_HEADER = {b"encv": 78, b"enca": 28}
_MP4_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"sinf", b"schi"}
_MP4_STARTS = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"sidx"}
_MP4_SIGNS = {b"pssh", b"senc", b"tenc"}

_EBML = b"\x1a\x45\xdf\xa3"
_MATROSKA_PARENTS = {0x18538067: "Segment", 0x1654AE6B: "Tracks", 0xAE: "TrackEntry", 0x6D80: "ContentEncodings"}
_CONTENT_ENCODING, _CONTENT_ENCRYPTION, _CLUSTER = 0x6240, 0x5035, 0x1F43B675

_TS_PACKET, _TS_SYNC, _TS_FILLER, _TS_PACKETS_READ = 188, 0x47, 0x1FFF, 5_000


def refuse_encrypted(path: Path) -> None:
    """Refuse a file whose video or sound is encrypted.

    Read are the boxes of mp4 (Common Encryption in the sample entries, in ``moov`` and in fragments), the track
    headers of Matroska (``ContentEncryption``), and the scrambling bits of the first packets of a transport stream.

    Raises
    ------
    VideoError
        With the kind of encryption.

    References
    ----------
    ISO/IEC 23001-7 (Common Encryption); ISO/IEC 14496-12, 8.12; RFC 9559, 5.1.4.1.31; ISO/IEC 13818-1, 2.4.3.3.
    """
    with path.open("rb") as file:
        start = file.read(3 * _TS_PACKET)
        size = os.fstat(file.fileno()).st_size
        if start[4:8] in _MP4_STARTS:
            found = _in_mp4(file, size)
        elif start[:4] == _EBML:
            found = _in_matroska(file, size)
        else:
            found = _in_transport_stream(file, start)
    if found:
        raise VideoError(f"{path} is encrypted ({found}), so nobody can see a face in it; decrypt it first")


def _boxes(file: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield type, start of the content and end of each box from ``start`` to ``stop``; a broken one ends it."""
    while start + 8 <= stop:
        file.seek(start)
        head = file.read(16)
        length, content = int.from_bytes(head[:4], "big"), start + 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), start + 16
        end = stop if length == 0 else start + length
        if not content <= end <= stop:
            return
        yield head[4:8], content, end
        start = end


def _in_mp4(file: BinaryIO, size: int) -> str:
    waiting, seen, found = [(0, size)], 0, ""
    while waiting and seen < _BOXES_READ:
        for kind, content, end in _boxes(file, *waiting.pop()):
            seen += 1
            if kind in _MP4_PARENTS:
                waiting.append((content, end))
            elif kind == b"stsd":
                waiting.append((content + 8, end))
            elif kind in _ENTRY_HEADER:
                found = found or "MPEG Common Encryption"
                waiting.append((content + _ENTRY_HEADER[kind], end))
            elif kind == b"schm":
                file.seek(content + 4)
                return f"MPEG Common Encryption, scheme {file.read(4).decode('latin-1')}"
            elif kind in _MP4_SIGNS:
                found = found or "MPEG Common Encryption"
    return found


def _number(file: BinaryIO, *, keep_marker: bool) -> int | None:
    """Read one variable-length number of EBML; None at the end, or where the length is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    rest = file.read(length - 1)
    value = first[0] if keep_marker else first[0] & ((1 << (8 - length)) - 1)
    for byte in rest:
        value = value << 8 | byte
    unknown = not keep_marker and value == (1 << (7 * length)) - 1
    return None if unknown or len(rest) < length - 1 else value


def _in_matroska(file: BinaryIO, size: int) -> str:
    waiting, seen = [(0, size)], 0
    while waiting and seen < _BOXES_READ:
        at, stop = waiting.pop()
        while at < stop and seen < _BOXES_READ:
            seen += 1
            file.seek(at)
            element, length = _number(file, keep_marker=True), _number(file, keep_marker=False)
            content = file.tell()
            if element is None or element == _CLUSTER:
                break
            end = stop if length is None else min(content + length, stop)
            if element == _CONTENT_ENCRYPTION:
                return "Matroska ContentEncryption"
            if element in _MATROSKA_PARENTS or element == _CONTENT_ENCODING:
                waiting.append((content, end))
            at = end
    return ""


def _in_transport_stream(file: BinaryIO, start: bytes) -> str:
    if len(start) < 2 * _TS_PACKET or start[0] != _TS_SYNC or start[_TS_PACKET] != _TS_SYNC:
        return ""
    file.seek(0)
    data = file.read(_TS_PACKET * _TS_PACKETS_READ)
    packets, scrambled = Counter[int](), Counter[int]()
    for at in range(0, len(data) - 3, _TS_PACKET):
        stream = (data[at + 1] & 0x1F) << 8 | data[at + 2]
        if data[at] == _TS_SYNC and stream != _TS_FILLER:
            packets[stream] += 1
            scrambled[stream] += bool(data[at + 3] & 0xC0)
    # One flipped bit is damage; a stream that is scrambled is so in most of its packets.
    return "scrambled transport stream" if any(2 * scrambled[each] > packets[each] for each in packets) else ""
