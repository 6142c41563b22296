"""Decode a video packet by packet, going on after a broken one, with a timestamp for every frame."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

import av
from av.packet import Packet
from av.video.stream import VideoStream

__all__ = ["Clock", "DecodeLog", "decode_packets"]

_KEPT = 100


@dataclass
class DecodeLog:
    """What went wrong while decoding: the first hundred faults in words, and how many there were."""

    errors: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, text: str) -> None:
        """Note one fault."""
        self.count += 1
        if self.count <= _KEPT:
            self.errors.append(text)


def decode_packets(
    stream: VideoStream, packets: Iterable[Packet[VideoStream]], log: DecodeLog
) -> Generator[av.VideoFrame, None, None]:
    """Yield the frames that decode; a packet that does not is noted in ``log`` and left out."""
    for packet in _until_broken(packets, log):
        try:
            yield from stream.decode(packet)
        except (av.error.FFmpegError, ValueError) as err:
            log.add(f"{_place(packet)}: {err}")


def _place(packet: Packet[VideoStream] | None) -> str:
    return "the last packets" if packet is None else f"packet at pts {packet.pts}, byte {packet.pos}"


def _until_broken(packets: Iterable[Packet[VideoStream]], log: DecodeLog) -> Iterator[Packet[VideoStream] | None]:
    """Pass packets on; where the file cannot be read any further, end with None, which flushes the decoder."""
    try:
        yield from packets
    except (av.error.FFmpegError, OSError) as err:
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
