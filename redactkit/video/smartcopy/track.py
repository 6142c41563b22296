"""The output's video stream under smart copy: copied and encoded groups of pictures in one H.264 stream.

The sample description (``avcC``, ISO/IEC 14496-15) holds two pairs of parameter sets, the source's and the
encoder's, under different IDs. Each slice names its own pair, so decoders switch without a new header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.errors import VideoError
from redactkit.media import FrameRange, VideoInfo
from redactkit.video.encoder import check_header, open_encoder
from redactkit.video.encoding import Encoding
from redactkit.video.mp4file import Mp4File
from redactkit.video.opening import opened, video_stream
from redactkit.video.smartcopy import h264
from redactkit.video.smartcopy.clock import PacketClock
from redactkit.video.smartcopy.plan import CopyPlan
from redactkit.video.timing import as_fraction

__all__ = ["JoinedTrack", "SmartTrack"]


class SmartTrack:
    """Merges copied and encoded packets in decoding order, with one clock and one header.

    Each segment of encoded frames has an encoder of its own: it starts with an IDR picture and refers to
    nothing outside the segment.
    """

    def __init__(self, file: Mp4File, info: VideoInfo, encoding: Encoding, plan: CopyPlan, *, shift: Fraction) -> None:
        assert plan.config is not None and info.path is not None
        self._info, self._plan = info, plan
        self._encoding, self._time_base = encoding.numbered(plan.set_id), file.time_base
        self._shift = round(shift / info.time_base)
        self._clock = PacketClock(info, shift=shift, time_base=file.time_base, delay=plan.delay)
        self._runs = plan.ranges(copied=True)
        self._idle = [open_encoder(info, self._encoding, time_base=self._time_base)]
        self._header = bytes(self._idle[0].extradata or b"")
        self._closing = ExitStack()
        self._source = self._packets(info.path)
        self._stream = self._add_stream(file, info.path)

    def _add_stream(self, file: Mp4File, path: Path) -> VideoStream:
        assert self._plan.config is not None
        units = h264.split_annexb(self._header)
        sps = next(unit for unit in units if unit[0] & 31 == h264.SPS)
        pps = [unit for unit in units if unit[0] & 31 == h264.PPS]
        with opened(path) as source:
            stream = file.container.add_stream_from_template(video_stream(source, path))
        context = stream.codec_context
        context.extradata = self._plan.config.with_sets(sps, pps)
        color = self._encoding.color
        context.color_range, context.colorspace = color.range, color.space
        context.color_primaries, context.color_trc = color.primaries, color.transfer
        context.sample_aspect_ratio = self._info.sample_aspect_ratio
        stream.time_base = file.time_base
        file.begin(stream)
        return stream

    def new_encoder(self, *, last: bool) -> av.VideoCodecContext:
        """Return an encoder for the next segment; its parameter sets must be those in the header."""
        if self._idle:
            return self._idle.pop()
        context = open_encoder(self._info, self._encoding, time_base=self._time_base)
        check_header(context, self._header)
        return context

    def before(self, frame: int) -> Iterator[Packet[Any]]:
        """Yield the copied packets that come before ``frame`` and were not yielded yet."""
        while self._runs and self._runs[0].stop <= frame:
            yield from self._copied(self._runs.pop(0))

    def encoded(self, packet: Packet[Any]) -> Packet[Any]:
        """Turn the encoder's packet into one for the file: length-prefixed NAL units, no SEI, new times."""
        units = (unit for unit in h264.split_annexb(bytes(packet)) if unit[0] & 31 != h264.SEI)
        return self._stamped(packet, h264.prefixed(units), packet.pts, as_fraction(packet.time_base) or self._time_base)

    def leave_out(self, frames: Iterable[int]) -> None:
        """Do not wait for these frames."""
        self._clock.leave_out(frames)

    def finish(self) -> Iterator[Packet[Any]]:
        """Yield the copied packets that are left, and check that none is missing."""
        yield from self.before(self._info.frame_count)
        self._clock.check_whole()
        self._closing.close()

    def _copied(self, frames: FrameRange) -> Iterator[Packet[Any]]:
        """Yield the source's packets of these frames: whole GOPs, contiguous in decoding order."""
        first, last = int(self._info.pts[frames.start]), int(self._info.pts[frames.stop - 1])
        left = frames.length
        for packet in self._source:
            if packet.pts is None or packet.is_discard or not first <= packet.pts <= last:
                continue
            assert self._plan.config is not None
            units = _cleaned(h264.split_prefixed(bytes(packet), self._plan.config.length_size))
            yield self._stamped(packet, h264.prefixed(units), packet.pts + self._shift, self._info.time_base)
            left -= 1
            if not left:
                return
        raise VideoError(f"{self._info.path} changed while it was read; nothing was written")

    def _stamped(self, packet: Packet[Any], data: bytes, pts: int | None, time_base: Fraction) -> Packet[Any]:
        made: Packet[Any] = Packet(data)
        made.time_base, made.pts, made.duration = time_base, pts, packet.duration
        made.is_keyframe = packet.is_keyframe
        self._clock.stamp(made)
        made.stream = self._stream
        return made

    def _packets(self, path: Path) -> Iterator[Packet[VideoStream]]:
        container = self._closing.enter_context(opened(path))
        yield from container.demux(video_stream(container, path))

    def close(self) -> None:
        """Close the source and free the encoder."""
        self._closing.close()
        self._idle.clear()


class JoinedTrack(SmartTrack):
    """A smart copy track whose other frames were already encoded, chunk by chunk, with the same parameter sets.

    Parameters
    ----------
    chunks : sequence of path
        In order; together they hold every frame that is not copied.
    """

    def __init__(
        self,
        file: Mp4File,
        info: VideoInfo,
        encoding: Encoding,
        plan: CopyPlan,
        *,
        chunks: Sequence[Path],
        shift: Fraction,
    ) -> None:
        super().__init__(file, info, encoding, plan, shift=shift)
        self._idle.clear()
        self._made = self._packets_of(chunks)

    def finish(self) -> Iterator[Packet[Any]]:
        """Yield all packets, and check that none is missing."""
        for frames in self._plan.ranges(copied=False):
            yield from self.before(frames.start)
            for packet in islice(self._made, frames.length):
                units = (unit for unit in h264.split_prefixed(bytes(packet), 4) if unit[0] & 31 != h264.SEI)
                yield self._stamped(
                    packet, h264.prefixed(units), packet.pts, as_fraction(packet.time_base) or self._time_base
                )
        yield from super().finish()

    def _packets_of(self, chunks: Sequence[Path]) -> Iterator[Packet[VideoStream]]:
        sets = {unit for unit in h264.split_annexb(self._header) if unit[0] & 31 in (h264.SPS, h264.PPS)}
        for path in chunks:
            with opened(path) as container:
                stream = video_stream(container, path)
                config = h264.AvcConfig.parse(stream.codec_context.extradata or b"")
                if {*config.sps, *config.pps} != sets:
                    raise VideoError(f"{path} was encoded in another way than the video it is for; encode it anew")
                yield from (packet for packet in container.demux(stream) if packet.size)


def _cleaned(units: list[bytes]) -> list[bytes]:
    """Remove parameter sets (the header has them), filler data, and SEI messages that decoding does not need."""
    kept = [h264.clean_sei(unit) if unit[0] & 31 == h264.SEI else unit for unit in units]
    return [unit for unit in kept if unit and unit[0] & 31 not in (h264.SPS, h264.PPS, h264.FILLER)]
