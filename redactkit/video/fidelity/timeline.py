"""Frame times for the fidelity check, independent of the reader that it checks: from packets, or by a plain decode."""

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

__all__ = ["Timeline", "decode_timeline", "part_ticks", "read_timeline", "time_checks", "true_timeline"]

FrameVisitor = Callable[[int, av.VideoFrame], None]
TickRange = tuple[int, int]


@dataclass(frozen=True)
class Timeline:
    """Timestamps of the shown frames in presentation order, in ticks.

    A time is None if the file has none, or one that is not later than the last. ``decoded`` is true if frames were
    decoded, false if packets were read; ``faults`` counts packets that did not decode.
    """

    ticks: tuple[int | None, ...]
    base: Fraction
    decoded: bool = False
    faults: int = 0

    @property
    def whole(self) -> bool:
        """Whether every frame has a time of its own."""
        return None not in self.ticks and len(set(self.ticks)) == len(self.ticks)


def read_timeline(path: Path, *, only: TickRange | None = None) -> Timeline:
    """Read the timestamps of a video's shown packets, sorted; missing ones last; with ``only``, those in there."""
    with av_errors(path, "read its packets"), opened(path) as container:
        stream = video_stream(container, path)
        shown = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
        base = as_fraction(stream.time_base) or Fraction(1, 90_000)
    if only is not None:
        shown = [pts for pts in shown if pts is not None and only[0] <= pts <= only[1]]
    known = sorted(pts for pts in shown if pts is not None)
    return Timeline((*known, *[None] * (len(shown) - len(known))), base)


def decode_timeline(path: Path, *, visit: FrameVisitor | None = None, only: TickRange | None = None) -> Timeline:
    """Decode a video from start to end with one thread, and take the times of its frames.

    Parameters
    ----------
    path : Path
    visit : callable, optional
        Called with the number and the picture of every frame.
    only : (int, int), optional
        First and last timestamp of the frames that count.
    """
    ticks: list[int | None] = []
    last, faults = None, 0
    with av_errors(path, "decode it"), opened(path) as container:
        stream = video_stream(container, path)
        # Frame threads report a fault late, and lose intact frames with it.
        stream.thread_type, stream.thread_count = "NONE", 1
        stream.codec_context.flags |= Flags.output_corrupt  # as FFmpeg's own programs do
        for packet in _packets(container, stream):
            frames, fault = _decode(stream, packet)
            faults += fault
            for frame in frames:
                # A stream that starts in the middle begins with frames whose references are missing.
                if not ticks and frame.is_corrupt and not frame.key_frame:
                    continue
                pts = frame.pts
                if only is not None and (pts is None or not only[0] <= pts <= only[1]):
                    continue
                rises = pts is not None and (last is None or pts > last)
                last = pts if rises else last
                ticks.append(pts if rises else None)
                if visit is not None:
                    visit(len(ticks) - 1, frame)
        return Timeline(tuple(ticks), as_fraction(stream.time_base) or Fraction(1, 90_000), decoded=True, faults=faults)


def _decode(stream: VideoStream, packet: Packet[VideoStream] | None) -> tuple[list[av.VideoFrame], bool]:
    """Return the frames that a decoder gives for a packet, and whether there was a fault."""
    try:
        return stream.decode(packet), False
    except av.error.BlockingIOError:
        held: list[av.VideoFrame] = []
        with suppress(av.error.FFmpegError, ValueError):
            held = stream.decode(None)
        # EAGAIN: the first of several frames in a packet failed; flush the decoder and send the packet again.
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
        yield None  # drains the decoder


def true_timeline(source: VideoInfo, got: Timeline, *, visit: FrameVisitor | None = None) -> Timeline:
    """Return the times that an output must have, on the source's clock.

    If the output has the times of the source's packets, those. If not, a packet may hold no frame, two, or one that
    does not decode: then the source is decoded, and ``visit`` is called with every frame.
    """
    assert source.path is not None
    only = part_ticks(source)
    packets = read_timeline(source.path, only=only)
    if packets.whole and len(packets.ticks) == len(got.ticks):
        half = float(packets.base) / 2
        if _worst_error(packets, got, start_shift(source)) <= half:
            return packets
    return decode_timeline(source.path, visit=visit, only=only)


def part_ticks(source: VideoInfo) -> TickRange | None:
    """Return the first and last timestamp of a part of a file; None where the header is of all of it."""
    return None if source.part is None or not source.frame_count else (int(source.pts[0]), int(source.pts[-1]))


def time_checks(source: VideoInfo, got: VideoInfo, expected: Timeline, have: Timeline) -> Iterator[Row]:
    """Yield the rows ``frames``, ``timestamps`` and ``duration``."""
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
    """Return the largest timestamp error in seconds, exact; to the nearest time if frames are missing."""
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
