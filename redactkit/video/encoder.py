"""Set up libx264 or libx265 through PyAV, so that time, aspect, colour and fields stay the source's."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.video.encoding import Encoding
from redactkit.video.mp4file import Mp4File
from redactkit.video.smartcopy.clock import RisingClock
from redactkit.video.timing import as_fraction

__all__ = ["EncodedTrack", "check_header", "open_encoder"]

GLOBAL_HEADER = 1 << 22  # AV_CODEC_FLAG_GLOBAL_HEADER: parameter sets apart from the packets
_MAX_RATE = 1_000_000  # numerator and denominator of the declared frame rate fit an encoder's 32 bits
_FLAGS_INTERLACED = (1 << 18) | (1 << 29)  # AV_CODEC_FLAG_INTERLACED_DCT and _ME


class EncodedTrack:
    """The video stream of an mp4 whose every frame is encoded, in one or several segments."""

    def __init__(self, file: Mp4File, info: VideoInfo, encoding: Encoding) -> None:
        stream = file.container.add_stream(encoding.encoder, options=dict(encoding.options))
        assert isinstance(stream, VideoStream)
        stream.time_base = file.time_base
        configure(stream.codec_context, info, encoding, time_base=file.time_base)
        stream.codec_context.flags |= GLOBAL_HEADER
        stream.codec_context.open()
        file.begin(stream)
        self._stream, self._info, self._encoding = stream, info, encoding
        self._clock = RisingClock(reordering(stream.codec_context, encoding))

    def new_encoder(self, *, last: bool) -> av.VideoCodecContext:
        """Return an encoder for a segment: the stream's own for the last one, as that one must stay open to the end."""
        if last:
            return self._stream.codec_context
        context = open_encoder(
            self._info, self._encoding, time_base=as_fraction(self._stream.time_base) or self._info.time_base
        )
        check_header(context, bytes(self._stream.codec_context.extradata or b""))
        return context

    def before(self, _: int) -> Iterable[Packet[Any]]:
        """Yield nothing: no packets are copied."""
        return ()

    def encoded(self, packet: Packet[Any]) -> Packet[Any]:
        """Return the next packet as it is written."""
        self._clock.stamp(packet)
        packet.stream = self._stream
        return packet

    def finish(self) -> Iterable[Packet[Any]]:
        """Yield nothing more."""
        return ()

    def leave_out(self, frames: Iterable[int]) -> None:
        """Do nothing: this track does not expect frames."""

    def close(self) -> None:
        """Do nothing: nothing is open."""


def open_encoder(info: VideoInfo, encoding: Encoding, *, time_base: Fraction) -> av.VideoCodecContext:
    """Open an encoder whose parameter sets are in its extradata, not in its packets (global header)."""
    context = av.CodecContext.create(encoding.encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.options = dict(encoding.options)
    configure(context, info, encoding, time_base=time_base)
    context.flags |= GLOBAL_HEADER
    context.open()
    return context


def check_header(context: av.VideoCodecContext, header: bytes) -> None:
    """Raise `VideoError` if an encoder's parameter sets are not those of the stream."""
    if bytes(context.extradata or b"") != header:
        raise VideoError("the encoder changed its parameter sets midway")


def reordering(context: av.VideoCodecContext, encoding: Encoding) -> int:
    """Return the reorder delay of an encoder in frames; libx265 does not report its two."""
    return 2 if encoding.codec == "hevc" else context.reorder_depth


def configure(context: av.VideoCodecContext, info: VideoInfo, encoding: Encoding, *, time_base: Fraction) -> None:
    """Set an encoder's frame size, clock, aspect, colour tags and fields; its options are set when it is made."""
    context.width, context.height = info.coded_width, info.coded_height
    context.pix_fmt = encoding.pixel_format
    context.time_base = time_base
    context.framerate = min(info.frame_rate, Fraction(_MAX_RATE)).limit_denominator(_MAX_RATE)
    context.codec_tag = encoding.tag
    context.sample_aspect_ratio = info.sample_aspect_ratio
    context.color_range, context.colorspace = encoding.color.range, encoding.color.space
    context.color_primaries, context.color_trc = encoding.color.primaries, encoding.color.transfer
    if encoding.interlaced:
        context.flags |= _FLAGS_INTERLACED
