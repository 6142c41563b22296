"""The frame table from packets alone, and whether it can be trusted without decoding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import av
from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["PacketTable", "doubts", "read_packets"]

_CONTAINERS = {"mov", "mp4", "matroska", "webm"}


@dataclass
class PacketTable:
    """Columns of a stream's packets in decoding order.

    ``whole`` is true for packets with exactly one shown frame, ``changes`` if the decoder's extradata changes
    midway, ``broken`` if the file could not be read to its end.
    """

    pts: list[int | None] = field(default_factory=list)
    keyframe: list[bool] = field(default_factory=list)
    discard: list[bool] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    changes: bool = False
    broken: bool = False

    def presented(self) -> list[tuple[int, bool]]:
        """Return pts and keyframe flag of the packets that are shown, in presentation order."""
        rows = zip(self.pts, self.keyframe, self.discard, strict=True)
        return sorted((pts, key) for pts, key, discard in rows if pts is not None and not discard)


def read_packets(stream: VideoStream, packets: Iterable[Packet[VideoStream]]) -> PacketTable:
    """Read every packet of ``stream`` once, decoding none."""
    table, is_whole = PacketTable(), _frame_check(stream)
    try:
        for packet in packets:
            if not packet.size:
                continue
            table.pts.append(packet.pts)
            table.keyframe.append(packet.is_keyframe)
            table.discard.append(packet.is_discard)
            table.whole.append(not packet.is_corrupt and is_whole(memoryview(packet)))
            table.changes |= packet.has_sidedata("new_extradata") or packet.has_sidedata("param_change")
    except (av.error.FFmpegError, OSError):
        table.broken = True
    return table


def doubts(stream: VideoStream, container: str, table: PacketTable) -> str | None:
    """Return why frames must be counted by decoding, or None if the packets can be trusted.

    Trusted are h264, hevc, vp9, vp8, av1, mjpeg and prores in mp4, mov, mkv and webm if every packet has its own
    timestamp and holds exactly one shown frame, the stream starts with a keyframe and no frame is shown before
    it, and the coding is progressive.
    """
    codec = stream.codec_context.name
    pts = [time for time, hidden in zip(table.pts, table.discard, strict=True) if not hidden]
    if table.broken:
        return "the file cannot be read to its end"
    if not _CONTAINERS & set(container.split(",")):
        return f"container {container} does not give every frame its time"
    if codec not in _CHECKS:
        return f"codec {codec} may have packets without a frame of their own"
    if not pts or not table.keyframe[0]:
        return "the stream does not start with a keyframe"
    if any(time is None for time in pts) or len(set(pts)) != len(pts):
        return "timestamps are missing or repeated"
    if not all(table.whole):
        return "a packet is damaged or holds not exactly one shown frame"
    if min(_known(table.pts)) < (table.pts[0] or 0):
        return "frames are shown before the first keyframe"
    if table.changes:
        return "the decoder's settings change midway"
    return "the coding is interlaced" if stream.codec_context.field_order > 1 else None


def _known(values: list[int | None]) -> list[int]:
    return [value for value in values if value is not None]


def _frame_check(stream: VideoStream) -> Callable[[memoryview], bool]:
    """Return the test that a packet of this codec holds exactly one shown frame, whole."""
    make = _CHECKS.get(stream.codec_context.name)
    return make(stream.codec_context.extradata or b"") if make else lambda data: True


def _h264(extradata: bytes) -> Callable[[memoryview], bool]:
    if len(extradata) < 7 or extradata[0] != 1:
        return lambda data: False
    size = (extradata[4] & 3) + 1
    return lambda data: _one_picture(data, size, header=1, is_slice=lambda byte: byte & 31 in (1, 2, 5))


def _hevc(extradata: bytes) -> Callable[[memoryview], bool]:
    if len(extradata) < 23 or extradata[0] != 1:
        return lambda data: False
    size = (extradata[21] & 3) + 1
    return lambda data: _one_picture(data, size, header=2, is_slice=lambda byte: byte >> 1 & 63 < 32)


def _one_picture(data: memoryview, size: int, *, header: int, is_slice: Callable[[int], bool]) -> bool:
    """Whether length-prefixed NAL units fill ``data`` exactly and start one picture.

    The first bit after the NAL unit header is 1 in the first slice of a picture only (ISO/IEC 14496-10, 7.3.3:
    first_mb_in_slice is 0, coded as one bit; ISO/IEC 23008-2, 7.3.6.1: first_slice_segment_in_pic_flag).
    """
    at, pictures, end = 0, 0, len(data)
    while at + size + header < end:
        length = int.from_bytes(data[at : at + size], "big")
        at += size
        if is_slice(data[at]) and at + header < end:
            pictures += data[at + header] >> 7
        at += length
    return at == end and pictures == 1


def _vp9(extradata: bytes) -> Callable[[memoryview], bool]:
    return _shows_vp9


def _shows_vp9(data: memoryview) -> bool:
    """Whether a VP9 packet shows a frame: a superframe does, another by its header (VP9 specification, 6.2)."""
    first, last = data[0], data[-1]
    if first >> 6 != 2:
        return False
    if last & 0xE0 == 0xC0:
        return True
    profile3 = first & 0x30 == 0x30
    shows_existing, shows = (first >> 2 & 1, first & 1) if profile3 else (first >> 3 & 1, first >> 1 & 1)
    return bool(shows_existing or shows)


def _vp8(extradata: bytes) -> Callable[[memoryview], bool]:
    return lambda data: bool(data[0] >> 4 & 1)


def _any(extradata: bytes) -> Callable[[memoryview], bool]:
    return lambda data: True


_CHECKS: dict[str, Callable[[bytes], Callable[[memoryview], bool]]] = {
    "h264": _h264,
    "hevc": _hevc,
    "vp9": _vp9,
    "vp8": _vp8,
    "av1": _any,
    "libdav1d": _any,
    "mjpeg": _any,
    "prores": _any,
}
