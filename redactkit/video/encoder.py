"""Encode frames with the settings that keep a source's time, aspect and colour."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.media import VideoInfo
from redactkit.video.encoding import Encoding
from redactkit.video.mp4file import Mp4File

__all__ = ["EncodedTrack", "configure"]

_RATE_LIMIT = 1_000_000
_INTERLACED = (1 << 18) | (1 << 29)  # AV_CODEC_FLAG_INTERLACED_DCT and _ME


class EncodedTrack:
    """The video stream of an mp4 whose every frame is encoded."""

    def __init__(self, file: Mp4File, info: VideoInfo, encoding: Encoding) -> None:
        stream = file.container.add_stream(encoding.encoder, options=dict(encoding.options))
        assert isinstance(stream, VideoStream)
        stream.time_base = file.time_base
        configure(stream.codec_context, info, encoding, time_base=file.time_base)
        self._stream = stream
        file.begin(stream)

    def feed(self, frame: av.VideoFrame) -> list[Packet[Any]]:
        """Return the packets that are ready after one more frame."""
        return list(self._stream.encode(frame))

    def finish(self) -> list[Packet[Any]]:
        """Return the packets of the frames still held."""
        return list(self._stream.encode(None))


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
