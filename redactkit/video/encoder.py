"""Encode frames with the settings that keep a source's time, aspect and colour."""

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
_RATE_LIMIT = 1_000_000
_INTERLACED = (1 << 18) | (1 << 29)  # AV_CODEC_FLAG_INTERLACED_DCT and _ME


class EncodedTrack:
    """The video stream of an mp4 whose every frame is encoded, in one piece or several."""

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
        """Return an encoder for a piece: the stream's own, which is held to the end, for the last one."""
        if last:
            return self._stream.codec_context
        context = open_encoder(
            self._info, self._encoding, time_base=as_fraction(self._stream.time_base) or self._info.time_base
        )
        check_header(context, bytes(self._stream.codec_context.extradata or b""))
        return context

    def before(self, _: int) -> Iterable[Packet[Any]]:
        """Yield nothing: there are no packets but encoded ones."""
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
        """Do not wait for these frames: none is waited for."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


def open_encoder(info: VideoInfo, encoding: Encoding, *, time_base: Fraction) -> av.VideoCodecContext:
    """Open an encoder whose parameter sets stand apart from its packets."""
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
    """Return the frames by which an encoder's decoding runs ahead of presentation; libx265 does not say its two."""
    return 2 if encoding.codec == "hevc" else context.reorder_depth


def configure(context: av.VideoCodecContext, info: VideoInfo, encoding: Encoding, *, time_base: Fraction) -> None:
    """Set an encoder's frame size, clock, aspect, colour tags and fields; its options are set when it is made."""
    context.width, context.height = info.coded_width, info.coded_height
    context.pix_fmt = encoding.pixel_format
    context.time_base = time_base
    context.framerate = min(info.frame_rate, Fraction(_RATE_LIMIT)).limit_denominator(_RATE_LIMIT)
    context.codec_tag = encoding.tag
    context.sample_aspect_ratio = info.sample_aspect_ratio
    context.color_range, context.colorspace = encoding.color.range, encoding.color.space
    context.color_primaries, context.color_trc = encoding.color.primaries, encoding.color.transfer
    if encoding.interlaced:
        context.flags |= _INTERLACED
