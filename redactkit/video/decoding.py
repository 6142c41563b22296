"""Decode a video packet by packet, going on after a broken one, with a timestamp for every frame.

The damage that FFmpeg meets reaches us in two ways: a packet that gives no frame raises, and a frame of which parts
were concealed is flagged as corrupt (``AVFrame.decode_error_flags``, ``AV_FRAME_FLAG_CORRUPT``).
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["FAULTS", "Clock", "DecodeLog", "decode_packets"]

FAULTS = (av.error.FFmpegError, ValueError)
"""What decoding raises for a packet that cannot be decoded."""

_KEPT = 1000


@dataclass
class DecodeLog:
    """What went wrong while decoding: the first thousand different faults, in words."""

    faults: dict[str, None] = field(default_factory=dict)

    @property
    def errors(self) -> list[str]:
        """The faults in the order in which they were met."""
        return list(self.faults)

    def add(self, text: str) -> None:
        """Note one fault, once however often it is met."""
        if len(self.faults) < _KEPT:
            self.faults[text] = None

    def add_frame(self, pts: int | None) -> None:
        """Note that parts of a frame were concealed."""
        self.add(f"frame at pts {pts} is damaged: parts of it were lost and concealed")


def decode_packets(
    stream: VideoStream, packets: Iterable[Packet[VideoStream]], log: DecodeLog, *, strict: bool = False
) -> Generator[av.VideoFrame, None, None]:
    """Yield the frames that decode.

    Parameters
    ----------
    stream : VideoStream
    packets : iterable of Packet
    log : DecodeLog
        Gets every packet that does not decode and is left out, and every frame of which parts were concealed.
    strict : bool
        Raise for the first packet that does not decode. For a decoder that has several frames under way at once:
        it tells of a fault only while other packets are sent, or while it is emptied, and PyAV drops the frames
        that would come after it. Such a file must be decoded again with one thread.
    """
    # FFmpeg keeps frames back that lack what they refer to, or not, as its threads happen to meet.
    stream.codec_context.flags |= Flags.output_corrupt
    begun: bool | None = None
    for packet in _until_broken(packets, log, strict=strict):
        for frame in _decoded(stream, packet, log, strict=strict):
            # Before the first keyframe, where a stream starts in the middle, no player shows them; after it they are
            # part of the video, however damaged.
            begun = begun or bool(frame.key_frame) or (begun is None and not frame.is_corrupt)
            if not begun:
                continue
            if frame.is_corrupt or (packet is not None and packet.is_corrupt and packet.pts == frame.pts):
                log.add_frame(frame.pts)
            yield frame


def _decoded(
    stream: VideoStream, packet: Packet[VideoStream] | None, log: DecodeLog, *, strict: bool
) -> list[av.VideoFrame]:
    try:
        return _decoded_or_resent(stream, packet)
    except FAULTS as err:
        if strict:
            raise
        log.add(f"{_place(packet)} did not decode: {getattr(err, 'strerror', None) or err}")
        return []


def _decoded_or_resent(stream: VideoStream, packet: Packet[VideoStream] | None) -> list[av.VideoFrame]:
    try:
        return stream.decode(packet)
    except av.error.BlockingIOError:
        # A packet that holds several frames, the first of which failed, is still in the decoder, which takes no
        # other and would refuse all that follow. It is emptied, and begins anew.
        held: list[av.VideoFrame] = []
        with suppress(*FAULTS):
            held = stream.decode(None)
        stream.codec_context.flush_buffers()
        return [*held, *stream.decode(packet)]


def _place(packet: Packet[VideoStream] | None) -> str:
    if packet is None or not packet.size:
        return "the end of the file"
    return f"packet at pts {packet.pts}, byte {packet.pos}"


def _until_broken(
    packets: Iterable[Packet[VideoStream]], log: DecodeLog, *, strict: bool
) -> Iterator[Packet[VideoStream] | Any]:
    """Pass packets on; where the file cannot be read any further, end with None, which flushes the decoder."""
    try:
        yield from packets
    except (av.error.FFmpegError, OSError) as err:
        if strict:
            raise
        log.add(f"reading stopped: {err}")
        yield None


@dataclass
class Clock:
    """Gives every decoded frame its own, rising timestamp.

    A frame keeps the timestamp it has. Where it has none, or one that is not later than the
    frame before it, it gets the frame before's plus ``step``, and ``repaired`` counts it: no
    frame is ever dropped for its time, and no two share one.
    """

    step: int
    last: int | None = None
    repaired: int = 0

    def stamp(self, pts: int | None) -> int:
        """Return the timestamp for the next frame in presentation order."""
        if pts is None or (self.last is not None and pts <= self.last):
            pts = 0 if self.last is None else self.last + self.step
            self.repaired += 1
        self.last = pts
        return pts
