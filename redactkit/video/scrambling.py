"""Detect scrambled MPEG transport and program streams by the scrambling control bits of their packets.

References
----------
ISO/IEC 13818-1, 2.4.3.3 (transport_scrambling_control), 2.4.3.7 (PES_scrambling_control), 2.4.4 (PAT and PMT).
Apple, MPEG-2 Stream Encryption Format for HTTP Live Streaming (stream types of SAMPLE-AES).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["scrambled_program", "scrambled_transport"]

_PACKET_SIZES_BYTES = (188, 192, 204)
_SYNC_BYTE = 0x47
_BLOCK_BYTES = 1 << 20
_MAX_BLOCKS = 128  # read of a long file, evenly spaced
_MIN_SCRAMBLED_SHARE = 0.05  # of a stream's packets; damage sets control bits in a few
_MIN_SCRAMBLED_PACKETS = 4

_VIDEO_STREAM_TYPES = {0x01, 0x02, 0x10, 0x1B, 0x20, 0x24, 0x33, 0x42, 0xD1, 0xEA}
_AUDIO_STREAM_TYPES = {0x03, 0x04, 0x0F, 0x11, 0x1C, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87}
_SAMPLE_AES_VIDEO, _SAMPLE_AES_AUDIO = {0xDB}, {0xCF, 0xC1, 0xC2}


def scrambled_transport(file: BinaryIO) -> tuple[str, str]:
    """Return how video and sound of a transport stream are scrambled, empty if they are not."""
    counts, scrambled = np.zeros(1 << 13, np.int64), np.zeros(1 << 13, np.int64)
    types: dict[int, int] = {}
    programs: set[int] = set()
    for packets in _transport_packets(file):
        pid = (packets[:, 1].astype(int) & 31) << 8 | packets[:, 2]
        counts += np.bincount(pid, minlength=1 << 13)
        scrambled += np.bincount(pid[packets[:, 3] >> 6 > 0], minlength=1 << 13)
        if not types:
            programs |= {each for row in packets[pid == 0] for each in _programs(row.tobytes())}
            for row in packets[np.isin(pid, list(programs))]:
                types |= _stream_types(row.tobytes())
    hidden = (scrambled >= _MIN_SCRAMBLED_PACKETS) & (scrambled >= _MIN_SCRAMBLED_SHARE * counts)
    if not types and hidden.any():
        # Without a table of streams, the one with the most packets is the video.
        types = {int(np.argmax(counts[: (1 << 13) - 1])): 0x1B}
    video = _words(types, hidden, _VIDEO_STREAM_TYPES, _SAMPLE_AES_VIDEO)
    return video, _words(types, hidden, _AUDIO_STREAM_TYPES, _SAMPLE_AES_AUDIO)


def _words(types: dict[int, int], hidden: NDArray[np.bool_], plain: set[int], sample_aes: set[int]) -> str:
    if any(kind in sample_aes for kind in types.values()):
        return "HLS SAMPLE-AES"
    if any(hidden[pid] and kind in plain for pid, kind in types.items()):
        return "scrambled MPEG transport stream"
    return ""


def _transport_packets(file: BinaryIO) -> Iterator[NDArray[np.uint8]]:
    """Yield packets of 188 bytes, some thousands at a time, sampled over the whole file."""
    length = file.seek(0, os.SEEK_END)
    starts = np.unique(
        np.linspace(0, max(length - _BLOCK_BYTES, 0), min(_MAX_BLOCKS, length // _BLOCK_BYTES + 1)).astype(int)
    )
    for start in starts.tolist():
        file.seek(start)
        data = np.frombuffer(file.read(_BLOCK_BYTES), np.uint8)
        place = _find_sync(data)
        if place is None:
            if start == 0:
                return
            continue
        at, size = place
        whole = (len(data) - at - 188) // size + 1
        rows = np.lib.stride_tricks.sliding_window_view(data[at:], 188)[::size][:whole]
        yield rows[rows[:, 0] == _SYNC_BYTE]


def _find_sync(data: NDArray[np.uint8]) -> tuple[int, int] | None:
    """Return offset and spacing of the packets, found by eight sync bytes in a row."""
    for size in _PACKET_SIZES_BYTES:
        for at in range(min(size, len(data))):
            row = data[at::size][:8]
            if len(row) >= min(8, len(data) // size) > 2 and (row == _SYNC_BYTE).all():
                return at, size
    return None


def _section(packet: bytes, table: int) -> bytes:
    """Return the table that starts in a packet, without its checksum; empty if it is another one."""
    if not packet[1] & 0x40 or packet[3] & 0xD0 != 0x10:
        return b""
    at = 5 + packet[4] if packet[3] & 0x20 else 4
    body = packet[at + 1 + packet[at] :] if at < len(packet) else b""
    if len(body) < 8 or body[0] != table:
        return b""
    return body[: 3 + ((body[1] & 15) << 8 | body[2]) - 4]


def _programs(packet: bytes) -> list[int]:
    rows = _section(packet, 0)[8:]
    return [(rows[at + 2] & 31) << 8 | rows[at + 3] for at in range(0, len(rows) - 3, 4) if rows[at] or rows[at + 1]]


def _stream_types(packet: bytes) -> dict[int, int]:
    body = _section(packet, 2)
    types: dict[int, int] = {}
    at = 12 + ((body[10] & 15) << 8 | body[11]) if len(body) >= 12 else len(body)
    while at + 5 <= len(body):
        types[(body[at + 1] & 31) << 8 | body[at + 2]] = body[at]
        at += 5 + ((body[at + 3] & 15) << 8 | body[at + 4])
    return types


def scrambled_program(file: BinaryIO) -> tuple[str, str]:
    """Return how video and sound of a program stream (such as a DVD's) are scrambled, empty if they are not."""
    length = file.seek(0, os.SEEK_END)
    seen: dict[str, list[bool]] = {"video": [], "audio": []}
    for start in np.unique(np.linspace(0, max(length - _BLOCK_BYTES, 0), 16).astype(int)).tolist():
        file.seek(start)
        data = file.read(_BLOCK_BYTES)
        at = data.find(b"\0\0\1")
        while 0 <= at < len(data) - 6:
            kind = "video" if data[at + 3] & 0xF0 == 0xE0 else "audio" if data[at + 3] in _PES_AUDIO else ""
            if kind and data[at + 6] >> 6 == 2:
                seen[kind].append(bool(data[at + 6] & 0x30))
            at = data.find(b"\0\0\1", at + 3)
    words = ["scrambled MPEG program stream" if _are_many(seen[kind]) else "" for kind in ("video", "audio")]
    return words[0], words[1]


_PES_AUDIO = {*range(0xC0, 0xE0), 0xBD}


def _are_many(flags: list[bool]) -> bool:
    return sum(flags) >= _MIN_SCRAMBLED_PACKETS and sum(flags) >= _MIN_SCRAMBLED_SHARE * len(flags)
