"""Traits of a source beyond `VideoInfo`: field order, light levels, captions, and streams that are left out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import av
from av.container import InputContainer
from av.stream import Disposition, Stream

from redactkit.media import VideoInfo
from redactkit.video.decoding import DecodeLog, decode_packets
from redactkit.video.fields import field_order
from redactkit.video.opening import av_errors, opened, video_stream
from redactkit.video.sidedata import side_data

__all__ = ["Traits", "read_traits"]

_PROGRESSIVE = {0, 1}  # AVFieldOrder: unknown, and progressive


@dataclass(frozen=True)
class Traits:
    """What a `VideoInfo` does not say of a source.

    Parameters
    ----------
    fields : {"tff", "bff"} or None
        Which field comes first where frames are interlaced, else None.
    mastering, light : str
        Mastering display and content light level as x265 takes them, empty where there is none.
    left_out : tuple of str
        What the source has and an output does not.
    """

    fields: str | None = None
    mastering: str = ""
    light: str = ""
    left_out: tuple[str, ...] = ()


def read_traits(info: VideoInfo) -> Traits:
    """Read the traits of the file of ``info``; default ones if there is no file."""
    if info.path is None:
        return Traits()
    with av_errors(info.path, "read its streams"), opened(info.path) as source:
        left_out = _left_out(source)
        stream = video_stream(source, info.path)
        frames = decode_packets(stream, source.demux(stream), DecodeLog())
        first = next(frames, None)
        fields = None if first is None else _fields(first, frames, stream.codec_context.field_order)
    if first is None:
        return Traits(left_out=tuple(left_out))
    captions = ["closed captions left out"] if side_data(first, "A53_CC") else []
    return Traits(
        fields=fields,
        mastering=_mastering(side_data(first, "MASTERING_DISPLAY_METADATA")),
        light=_light(side_data(first, "CONTENT_LIGHT_LEVEL")),
        left_out=(*left_out, *captions),
    )


def _fields(first: av.VideoFrame, others: Iterator[av.VideoFrame], declared: int) -> str | None:
    """Return which field comes first; one frame is enough where neither it nor the header speaks of fields."""
    if not first.interlaced_frame and declared in _PROGRESSIVE:
        return None
    return field_order(chain([first], others))


def _left_out(source: InputContainer) -> list[str]:
    kinds = [_kind(stream) for stream in source.streams if stream.type != "audio"]
    kinds.remove("video")
    chapters = len(source.chapters())
    notes = [f"{kinds.count(kind)} {kind} stream(s) left out" for kind in sorted(set(kinds))]
    return [*notes, f"{chapters} chapter mark(s) left out"] if chapters else notes


def _kind(stream: Stream) -> str:
    return "cover image" if stream.disposition & Disposition.attached_pic else stream.type


def _mastering(data: bytes) -> str:
    """Read an ``AVMasteringDisplayMetadata``: primaries in 1/50000, luminance in 1/10000 candela per square metre.

    References
    ----------
    SMPTE ST 2086; ITU-T H.265, D.3.28.
    """
    if len(data) < 88:
        return ""
    numbers = struct.unpack("=22i", data[:88])
    if not all(numbers[20:22]) or not all(numbers[1:20:2]):
        return ""
    values = [top / bottom for top, bottom in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
    red, green, blue, white = ([round(value * 50_000) for value in values[at : at + 2]] for at in (0, 2, 4, 6))
    darkest, brightest = (round(value * 10_000) for value in values[8:10])
    points = "".join(f"{name}({x},{y})" for name, (x, y) in zip("GBR", (green, blue, red), strict=True))
    return f"{points}WP({white[0]},{white[1]})L({brightest},{darkest})"


def _light(data: bytes) -> str:
    return "{},{}".format(*struct.unpack("=2I", data[:8])) if len(data) >= 8 else ""
