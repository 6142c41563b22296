"""Read a video's header and the timestamp of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
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
from redactkit.video.decoding import FAULTS, Clock, DecodeLog, decode_packets
from redactkit.video.encryption import Encryption, find_encryption
from redactkit.video.opening import av_errors, check_size, checked_file, opened, video_stream
from redactkit.video.orientation import parse_matrix, read_matrix
from redactkit.video.packets import PacketTable, doubts, read_packets
from redactkit.video.timing import as_fraction

__all__ = ["frame_step", "probe", "stream_rate"]

_MAX_RATE = 1000
_CHECKED_FRAMES = 100  # if the first so many frames are all damaged, the file is refused as encrypted or broken
_MIN_CHECKED_FRAMES = 4  # of a shorter video that is not concluded


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
        Decode every frame. Otherwise only the packets are read, unless they leave a doubt about the frames
        (see `redactkit.video.packets.doubts`).

    Returns
    -------
    VideoInfo

    Raises
    ------
    VideoError
        If there is no such file, it may not be read, it is no video, its frame size is absurd, its video
        is encrypted, it has no frame that decodes, all its first frames are damaged, or no decoder is known.

    Notes
    -----
    Not counted are frames that no player shows: those that do not decode, that an edit list cuts off, or whose
    reference frames lie before the start of the file. A frame with a missing or repeated timestamp gets the
    last timestamp plus the usual frame duration.

    Examples
    --------
    >>> probe("lobby.mp4").frame_count  # doctest: +SKIP
    500
    """
    file = checked_file(path)
    sealed = find_encryption(file)
    if sealed.video:
        raise VideoError(f"{file}: the video is encrypted ({sealed.video}); decrypt it first")
    with av_errors(file, "read its packets"), opened(file) as container:
        stream = video_stream(container, file)
        table = None if exact else read_packets(stream, container.demux(stream))
        if table is not None and doubts(stream, container.format.name, table) is not None:
            table = None
    with av_errors(file, "decode it"):
        info = None
        with suppress(*FAULTS):
            info = _decoded(file, sealed, table, single_thread=False)
        info = info or _decoded(file, sealed, table, single_thread=True)
    assert info is not None
    return info


def _decoded(file: Path, sealed: Encryption, table: PacketTable | None, *, single_thread: bool) -> VideoInfo | None:
    """Decode the first frame, or all frames if there is no table, and return the header.

    Return None if frames were lost that decoding with a single thread may recover: see `decode_packets`.
    """
    with opened(file) as container:
        stream = video_stream(container, file)
        if single_thread:
            stream.thread_count = 1
        log, sent_pts = DecodeLog(), list[int | None]()
        packets = _recording_pts(container.demux(stream), sent_pts)
        frames = _readable(file, decode_packets(stream, packets, log, strict=not single_thread))
        first = next(frames, None)
        if first is None:
            if not single_thread:
                return None
            fault = f" ({log.errors[0]})" if log.errors else ""
            raise VideoError(f"{file} has no frame that decodes{fault}; it is damaged, was cut off or is encrypted")
        if table is not None and not first.interlaced_frame:
            if first.is_corrupt:
                next((frame for frame in frames if not frame.is_corrupt), None)
            rows = table.presented()
            timeline = _Timeline([pts for pts, _ in rows], [key for _, key in rows])
        else:
            timeline = _timeline(frames, first, step=frame_step(stream))
            lost = sum(pts is None or pts >= (first.pts or 0) for pts in sent_pts) > len(timeline.pts)
            if lost and not single_thread:
                return None
        return _info(file, container, stream, sealed, first=first, timeline=timeline)


def _recording_pts(packets: Iterator[Packet[VideoStream]], sent_pts: list[int | None]) -> Iterator[Packet[VideoStream]]:
    for packet in packets:
        if packet.size and not packet.is_discard:
            sent_pts.append(packet.pts)
        yield packet


def _readable(file: Path, frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Pass frames on; refuse a file in which the first hundred frames, or all, have concealed errors."""
    seen, whole = 0, False
    for frame in frames:
        seen, whole = seen + 1, whole or not frame.is_corrupt
        if seen == _CHECKED_FRAMES and not whole:
            break
        yield frame
    if seen >= _MIN_CHECKED_FRAMES and not whole:
        raise VideoError(
            f"{file}: none of its first {seen} frames decodes without damage; the video is encrypted,"
            " though the file does not say so, or broken; decrypt it or copy it again from its source"
        )


def _timeline(frames: Iterator[av.VideoFrame], first: av.VideoFrame, *, step: int) -> _Timeline:
    clock = Clock(step)
    timeline = _Timeline([clock.stamp(first.pts)], [bool(first.key_frame)])
    for frame in frames:
        timeline.pts.append(clock.stamp(frame.pts))
        timeline.keyframe.append(bool(frame.key_frame))
    return timeline


def frame_step(stream: VideoStream) -> int:
    """Return the usual length of a frame in ticks of the stream's time base, at least 1."""
    return max(1, round(1 / (stream_rate(stream) * (as_fraction(stream.time_base) or Fraction(1, 25)))))


def stream_rate(stream: VideoStream) -> Fraction:
    """Return the frame rate that the stream declares, or 25 where it declares none that can be."""
    rates = map(as_fraction, (stream.average_rate, stream.guessed_rate, stream.base_rate))
    return next((rate for rate in rates if rate is not None and 0 < rate <= _MAX_RATE), Fraction(25))


def _info(
    file: Path,
    container: InputContainer,
    stream: VideoStream,
    sealed: Encryption,
    *,
    first: av.VideoFrame,
    timeline: _Timeline,
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
        audio=tuple(_audio(container, sealed)),
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


def _audio(container: InputContainer, sealed: Encryption) -> list[AudioInfo]:
    return [
        AudioInfo(
            index=stream.index,
            codec=stream.codec_context.codec.canonical_name if stream.codec_context else "unknown",
            sample_rate=stream.codec_context.sample_rate if stream.codec_context else 0,
            channels=stream.codec_context.channels if stream.codec_context else 0,
            start=None if stream.start_time is None else Fraction(stream.start_time * (stream.time_base or 0)),
            encryption=sealed.audio,
        )
        for stream in container.streams.audio
    ]
