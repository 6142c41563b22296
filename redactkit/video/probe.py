"""Read a video's header and the timestamp of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.errors import VideoError
from redactkit.media import AudioInfo, ColorTags, VideoInfo
from redactkit.video.decoding import Clock, DecodeLog, decode_packets
from redactkit.video.opening import av_errors, check_size, checked_file, opened, video_stream
from redactkit.video.orientation import parse_matrix, read_matrix
from redactkit.video.packets import PacketTable, doubts, read_packets
from redactkit.video.timing import as_fraction

__all__ = ["frame_step", "probe", "stream_rate"]

_MAX_RATE = 1000


@dataclass
class _Timeline:
    """Timestamps of the shown frames, rising, and which of them are keyframes."""

    pts: list[int]
    keyframe: list[bool]


def probe(path: str | Path, *, exact: bool = False) -> VideoInfo:
    """Read a video's header and the timestamps of all its frames, in presentation order.

    Parameters
    ----------
    path : path
    exact : bool
        Decode every frame. Else only the packets are read, and frames are decoded only where
        packets cannot be believed (see `redactkit.video.packets.doubts`).

    Returns
    -------
    VideoInfo

    Raises
    ------
    VideoError
        If there is no such file, it may not be read, it is no video, its frame size is absurd, it
        has no frame that decodes, or no decoder is known.

    Notes
    -----
    Frames that do not decode, that lie before the start of an edit list, or that cannot be decoded
    because the file starts after the frames they refer to are not counted: no player shows them.
    A frame whose timestamp is missing or repeated gets one a frame's length after the frame before.

    Examples
    --------
    >>> probe("lobby.mp4").frame_count  # doctest: +SKIP
    500
    """
    file = checked_file(path)
    with av_errors(file, "read its packets"), opened(file) as container:
        stream = video_stream(container, file)
        table = None if exact else read_packets(stream, container.demux(stream))
        if table is not None and doubts(stream, container.format.name, table) is not None:
            table = None
    with av_errors(file, "decode it"), opened(file) as container:
        stream = video_stream(container, file)
        first, timeline = _decoded(file, stream, container.demux(stream), table)
        return _info(file, container, stream, first=first, timeline=timeline)


def _decoded(
    file: Path, stream: VideoStream, packets: Iterator[Packet[VideoStream]], table: PacketTable | None
) -> tuple[av.VideoFrame, _Timeline]:
    """Return the first frame and the timeline, decoding all frames if there is no table."""
    log = DecodeLog()
    frames = decode_packets(stream, packets, log)
    first = next(frames, None)
    if first is None:
        fault = f" ({log.errors[0]})" if log.errors else ""
        raise VideoError(f"{file} has no frame that decodes{fault}; it is damaged or was cut off")
    if table is not None and not first.interlaced_frame:
        rows = table.presented()
        return first, _Timeline([pts for pts, _ in rows], [key for _, key in rows])
    clock = Clock(frame_step(stream))
    timeline = _Timeline([clock.stamp(first.pts)], [bool(first.key_frame)])
    for frame in frames:
        timeline.pts.append(clock.stamp(frame.pts))
        timeline.keyframe.append(bool(frame.key_frame))
    return first, timeline


def frame_step(stream: VideoStream) -> int:
    """Return the usual length of a frame in ticks of the stream's time base, at least 1."""
    return max(1, round(1 / (stream_rate(stream) * (as_fraction(stream.time_base) or Fraction(1, 25)))))


def stream_rate(stream: VideoStream) -> Fraction:
    """Return the frame rate that the stream declares, or 25 where it declares none that can be."""
    rates = map(as_fraction, (stream.average_rate, stream.guessed_rate, stream.base_rate))
    return next((rate for rate in rates if rate is not None and 0 < rate <= _MAX_RATE), Fraction(25))


def _info(
    file: Path, container: InputContainer, stream: VideoStream, *, first: av.VideoFrame, timeline: _Timeline
) -> VideoInfo:
    check_size(file, first.width, first.height)
    rotation, mirrored = parse_matrix(read_matrix(first))
    width, height = (first.height, first.width) if rotation % 180 else (first.width, first.height)
    time_base = as_fraction(stream.time_base) or Fraction(1, 90_000)
    return VideoInfo(
        path=file,
        width=width,
        height=height,
        frame_rate=_measured_rate(timeline.pts, time_base) or stream_rate(stream),
        time_base=time_base,
        pts=np.array(timeline.pts, np.int64),
        rotation=rotation,
        mirrored=mirrored,
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        sample_aspect_ratio=_aspect(stream),
        color=_tags(first, stream),
        audio=tuple(_audio(container)),
        container=container.format.name,
        keyframes=np.flatnonzero(timeline.keyframe).astype(np.int64),
    )


def _measured_rate(pts: list[int], time_base: Fraction) -> Fraction | None:
    """Average frames per second from first to last timestamp, None where there is only one."""
    if len(pts) < 2:
        return None
    return Fraction((len(pts) - 1) * time_base.denominator, (pts[-1] - pts[0]) * time_base.numerator)


def _aspect(stream: VideoStream) -> Fraction:
    return (
        as_fraction(stream.sample_aspect_ratio) or as_fraction(stream.codec_context.sample_aspect_ratio) or Fraction(1)
    )


def _tags(picture: av.VideoFrame, stream: VideoStream) -> ColorTags:
    """Colour tags of the decoded frame, else of the stream; the old full-range ``yuvj`` names count as a tag."""
    context = stream.codec_context
    full = 2 if picture.format.name.startswith("yuvj") else 0
    return ColorTags(
        range=int(picture.color_range or context.color_range or full),
        space=_known(picture.colorspace, context.colorspace),
        primaries=_known(picture.color_primaries, context.color_primaries),
        transfer=_known(picture.color_trc, context.color_trc),
    )


def _known(*values: int) -> int:
    return next((int(value) for value in values if value != 2), 2)


def _audio(container: InputContainer) -> list[AudioInfo]:
    return [
        AudioInfo(
            index=stream.index,
            codec=stream.codec_context.codec.canonical_name if stream.codec_context else "unknown",
            sample_rate=stream.codec_context.sample_rate if stream.codec_context else 0,
            channels=stream.codec_context.channels if stream.codec_context else 0,
            start=None if stream.start_time is None else Fraction(stream.start_time * (stream.time_base or 0)),
        )
        for stream in container.streams.audio
    ]
