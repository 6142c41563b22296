"""Decode a video packet by packet, continue after broken packets, and give every frame a timestamp.

FFmpeg reports damage in two ways: a packet that cannot be decoded raises, and a frame with concealed errors is
flagged (``AVFrame.decode_error_flags``, ``AV_FRAME_FLAG_CORRUPT``).
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["FAULTS", "Clock", "DecodeLog", "DecodedFrames", "count_decoded", "decode_packets", "count_decoded_frame"]

FAULTS = (av.error.FFmpegError, ValueError)
"""What decoding raises for a packet that cannot be decoded."""

_MAX_FAULTS = 1000
"""Different faults that are kept in words; more are dropped."""


@dataclass
class DecodedFrames:
    """How many frames decoders have given."""

    count: int = 0


_counters: list[DecodedFrames] = []
_counting = threading.Lock()


@contextmanager
def count_decoded() -> Iterator[DecodedFrames]:
    """Count the frames that the readers of this process decode meanwhile, each as often as it is decoded.

    Examples
    --------
    >>> with count_decoded() as decoded:
    ...     pass
    >>> decoded.count
    0
    """
    counter = DecodedFrames()
    with _counting:
        _counters.append(counter)
    try:
        yield counter
    finally:
        with _counting:
            # By identity: counters of one number are equal.
            _counters[:] = [each for each in _counters if each is not counter]


def count_decoded_frame() -> None:
    """Tell those who count that a decoder has given a frame."""
    with _counting:
        for counter in _counters:
            counter.count += 1


@dataclass
class DecodeLog:
    """What went wrong while decoding: the first thousand different faults, in words."""

    faults: dict[str, None] = field(default_factory=dict)

    @property
    def errors(self) -> list[str]:
        """The faults in the order in which they were met."""
        return list(self.faults)

    def add(self, text: str) -> None:
        """Note a fault; the same one is noted once."""
        if len(self.faults) < _MAX_FAULTS:
            self.faults[text] = None

    def add_frame(self, pts: int | None) -> None:
        """Note that errors in a frame were concealed."""
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
        Records every packet that does not decode and is left out, and every frame with concealed errors.
    strict : bool
        Raise for the first packet that does not decode. Needed with frame threads: such a decoder reports a fault
        late, while later packets are sent or it is flushed, and PyAV drops the frames that would follow. The file
        must then be decoded again with one thread.
    """
    # Without this flag, whether FFmpeg outputs a frame that lacks its references depends on thread timing.
    stream.codec_context.flags |= Flags.output_corrupt
    begun: bool | None = None
    for packet in _until_broken(packets, log, strict=strict):
        for frame in _decoded(stream, packet, log, strict=strict):
            # A stream that starts in the middle has frames before its first keyframe, which no player shows. After the
            # keyframe every frame counts, however damaged.
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
        # EAGAIN: a packet with several frames, the first of which failed, still fills the decoder, which would refuse
        # every later packet. Drain and flush it, then send the packet again.
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
    """Pass packets on; if reading fails, end with None, which drains the decoder."""
    try:
        yield from packets
    except (av.error.FFmpegError, OSError) as err:
        if strict:
            raise
        log.add(f"reading stopped: {err}")
        yield None


@dataclass
class Clock:
    """Gives every decoded frame a timestamp of its own; timestamps rise.

    A frame keeps its timestamp if it has one that is later than the last. Otherwise it gets the last timestamp
    plus ``step``, and ``repaired`` counts it. So no frame is dropped for its time, and no two share one.
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
