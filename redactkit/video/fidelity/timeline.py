"""When frames are shown, read without the reader that is checked: from the packets, or by a decoder of its own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.media import VideoInfo
from redactkit.video.fidelity.rows import Row, equal
from redactkit.video.opening import av_errors, opened, video_stream
from redactkit.video.timing import as_fraction, start_shift

__all__ = ["Timeline", "decode_timeline", "read_timeline", "time_checks", "true_timeline"]

FrameVisitor = Callable[[int, av.VideoFrame], None]


@dataclass(frozen=True)
class Timeline:
    """Timestamps of the frames that are shown, in ticks and in their order.

    A time is None where the file does not say it, or says one that is not after the frame before. ``decoded`` tells
    whether frames were counted or packets; ``faults`` how many packets did not decode.
    """

    ticks: tuple[int | None, ...]
    base: Fraction
    decoded: bool = False
    faults: int = 0

    @property
    def whole(self) -> bool:
        """Whether every frame has a time of its own."""
        return None not in self.ticks and len(set(self.ticks)) == len(self.ticks)


def read_timeline(path: Path) -> Timeline:
    """Read the times of a video's packets that players show, sorted; unknown ones last."""
    with av_errors(path, "read its packets"), opened(path) as container:
        stream = video_stream(container, path)
        shown = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
        base = as_fraction(stream.time_base) or Fraction(1, 90_000)
    known = sorted(pts for pts in shown if pts is not None)
    return Timeline((*known, *[None] * (len(shown) - len(known))), base)


def decode_timeline(path: Path, *, look: FrameVisitor | None = None) -> Timeline:
    """Decode a video from start to end, in one thread, and take the times of its frames.

    Parameters
    ----------
    path : Path
    look : callable, optional
        Called with the number and the picture of every frame.
    """
    ticks: list[int | None] = []
    last, faults = None, 0
    with av_errors(path, "decode it"), opened(path) as container:
        stream = video_stream(container, path)
        # Threads that work ahead report a fault late, and with it lose frames that are whole.
        stream.thread_type, stream.thread_count = "NONE", 1
        stream.codec_context.flags |= Flags.output_corrupt  # as FFmpeg's own programs do
        for packet in _packets(container, stream):
            frames, fault = _decode(stream, packet)
            faults += fault
            for frame in frames:
                # A stream that starts in the middle starts with frames that refer to what is not there.
                if not ticks and frame.is_corrupt and not frame.key_frame:
                    continue
                pts = frame.pts
                rises = pts is not None and (last is None or pts > last)
                last = pts if rises else last
                ticks.append(pts if rises else None)
                if look is not None:
                    look(len(ticks) - 1, frame)
        return Timeline(tuple(ticks), as_fraction(stream.time_base) or Fraction(1, 90_000), decoded=True, faults=faults)


def _decode(stream: VideoStream, packet: Packet[VideoStream] | None) -> tuple[list[av.VideoFrame], bool]:
    """Return the frames that a decoder gives for a packet, and whether there was a fault."""
    try:
        return stream.decode(packet), False
    except av.error.BlockingIOError:
        held: list[av.VideoFrame] = []
        with suppress(av.error.FFmpegError, ValueError):
            held = stream.decode(None)
        # Of several frames in one packet the first failed, and the packet stays where the next should go.
        stream.codec_context.flush_buffers()
        with suppress(av.error.FFmpegError, ValueError):
            held += stream.decode(packet)
        return held, True
    except (av.error.FFmpegError, ValueError):
        return [], True


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
    try:
        yield from container.demux(stream)
    except (av.error.FFmpegError, OSError):
        yield None  # gives the frames that the decoder still holds


def true_timeline(source: VideoInfo, got: Timeline, *, look: FrameVisitor | None = None) -> Timeline:
    """Return the times that an output must have, on the source's clock.

    They are those of the source's packets where the output has just these. Where it has not, a packet may hold no
    frame, two, or one that does not decode: then the source is decoded, and ``look`` sees every frame.
    """
    assert source.path is not None
    packets = read_timeline(source.path)
    if packets.whole and len(packets.ticks) == len(got.ticks):
        half = float(packets.base) / 2
        if _worst_error(packets, got, start_shift(source)) <= half:
            return packets
    return decode_timeline(source.path, look=look)


def time_checks(source: VideoInfo, got: VideoInfo, expected: Timeline, have: Timeline) -> Iterator[Row]:
    """Yield whether the output has every frame, each at its time."""
    shift = start_shift(source)
    half = float(expected.base) / 2
    lost = f"{expected.faults} packet(s) of the source do not decode" if expected.faults else ""
    yield equal("frames", len(expected.ticks), len(have.ticks), lost)
    worst = _worst_error(expected, have, shift)
    moved = f"moved by {float(shift):+.6f} s" if shift else ""
    yield "timestamps", f"within {half:.9f} s", f"{worst:.9f} s", worst <= half, moved
    length = _duration(expected, source)
    yield "duration", length, got.duration, abs(length - got.duration) <= half + float(got.time_base) / 2, ""


def _duration(expected: Timeline, source: VideoInfo) -> float:
    if not expected.whole or len(expected.ticks) < 2:
        return source.duration
    first, last = expected.ticks[0] or 0, expected.ticks[-1] or 0
    length = float((last - first) * expected.base)
    return length + length / (len(expected.ticks) - 1)


def _worst_error(expected: Timeline, have: Timeline, shift: Fraction) -> float:
    """Largest difference of a timestamp in seconds, exactly; of any frame to the nearest if not all are there."""
    common = Fraction(1, int(np.lcm.reduce([b.denominator for b in (expected.base, have.base, shift)])))
    per_source, per_got, offset = (int(b / common) for b in (expected.base, have.base, shift))
    wanted = [None if ticks is None else ticks * per_source + offset for ticks in expected.ticks]
    there = [None if ticks is None else ticks * per_got for ticks in have.ticks]
    if len(wanted) == len(there):
        pairs = [(a, b) for a, b in zip(wanted, there, strict=True) if a is not None and b is not None]
        return float(max((abs(a - b) for a, b in pairs), default=0) * common)
    known = [time for time in wanted if time is not None]
    return float(max((_nearest(known, time) for time in there if time is not None), default=0) * common)


def _nearest(rising: list[int], value: int) -> int:
    at = bisect_left(rising, value)
    return min((abs(other - value) for other in rising[max(at - 1, 0) : at + 1]), default=0)
