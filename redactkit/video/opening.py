"""Open a video file for reading: checks, limits, and one type of error for whatever FFmpeg raises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from redactkit.errors import RedactkitError, VideoError
from redactkit.video.encryption import looks_encrypted

__all__ = [
    "MAX_FRAME_PIXELS",
    "MAX_SIDE_PIXELS",
    "METADATA",
    "av_errors",
    "check_size",
    "checked_file",
    "opened",
    "video_stream",
]

MAX_SIDE_PIXELS = 16_384
"""Longest side of a frame that is opened."""

MAX_FRAME_PIXELS = 1 << 28
"""Most pixels of a frame. Higher opens larger frames; each takes several bytes a pixel, many times over."""

_FLAG_UNALIGNED = 1 << 0  # AV_CODEC_FLAG_UNALIGNED

# FFmpeg's demuxers for video. Playlists (HLS, DASH, concat) are not among them: they name other files and addresses.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,flv,live_flv,gif,apng,asf,ogg,"
    "h264,hevc,h263,m4v,vc1,vc1test,ivf,obu,av1,mxf,gxf,nut,dv,wtv,rm,mjpeg,yuv4mpegpipe,dhav,webp_pipe,webp_anim"
)
_OPEN_OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": _DEMUXERS,
    "max_pixels": str(MAX_FRAME_PIXELS),
}

# A file's tags are text in an unknown encoding. PyAV 19 keeps bytes that are not UTF-8 as lone surrogates and writes
# them back unchanged; PyAV 18 refuses the file unless this option is set.
METADATA: dict[str, Any] = {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}


@contextmanager
def av_errors(path: Path | None, doing: str) -> Iterator[None]:
    """Turn whatever the codec library raises into one `VideoError` that names the file and the step."""
    try:
        yield
    except RedactkitError:
        raise
    except (av.error.FFmpegError, ValueError, TypeError, OverflowError, MemoryError, AssertionError, OSError) as err:
        raise VideoError(f"{path}: could not {doing}: {_reason(err)}") from err


def _reason(err: Exception) -> str:
    text = getattr(err, "strerror", None) or str(err) or type(err).__name__
    return str(text).rstrip(".")


def checked_file(path: str | Path) -> Path:
    """Return ``path`` if it is a file that can be read and is not empty.

    Raises
    ------
    VideoError
        If it is missing, a folder, empty, or may not be read.
    """
    file = Path(path)
    try:
        if file.is_dir():
            raise VideoError(f"{file} is a folder; name a video file in it")
        if not file.exists():
            raise VideoError(f"{file} does not exist; check the name")
        if not file.is_file():
            raise VideoError(f"{file} is not an ordinary file; name a video file")
        if not os.access(file, os.R_OK):
            raise VideoError(f"{file} may not be read; check its permissions")
        if not file.stat().st_size:
            raise VideoError(f"{file} is empty (0 bytes); copy it again from its source")
    except (OSError, ValueError) as err:
        if isinstance(err, RedactkitError):
            raise
        raise VideoError(f"{str(path)!r} is not a name that a file can have: {_reason(err)}") from err
    return file


@contextmanager
def opened(path: Path) -> Iterator[InputContainer]:
    """Open a video that `checked_file` accepted; closed at the end of the block."""
    container = open_container(path)
    try:
        yield container
    finally:
        container.close()


def open_container(path: Path) -> InputContainer:
    """Open a video file; the caller closes it.

    Bytes of its tags that are not UTF-8 become lone surrogates, FC for one U+DCFC, with PyAV 18 and 19 alike
    (`METADATA`). Tags that are copied keep their bytes; tags that are shown must be escaped.
    """
    # Some encrypted files have no header, such as an HLS segment under AES-128; their bytes look random.
    sealed = ", or is it encrypted" if looks_encrypted(path) else ""
    # An absolute path cannot be taken for an address or for another protocol of FFmpeg.
    with av_errors(path, f"open it as a video (is it one, and is it whole{sealed}?)"):
        container: InputContainer = av.open(str(path.absolute()), "r", options=dict(_OPEN_OPTIONS), **METADATA)
    return container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """Return the stream of moving pictures that players show, ready for threaded decoding.

    Raises
    ------
    VideoError
        If there is none (a cover image does not count), or its codec or its declared size cannot be taken.
    """
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not moving:
        raise VideoError(f"{path} has no video stream, only {_kinds(container)}; give a file with moving pictures")
    best = container.streams.best("video")
    stream = next((s for s in moving if best is not None and s.index == best.index), moving[0])
    if stream.codec_context is None:
        raise VideoError(f"{path}: no decoder for its video codec; convert it to h264 first")
    check_size(path, stream.codec_context.width, stream.codec_context.height)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    stream.thread_type = "AUTO"
    # Without this flag FFmpeg rounds cropping at the left to what keeps lines aligned in memory.
    stream.codec_context.flags |= _FLAG_UNALIGNED
    return stream


def _kinds(container: InputContainer) -> str:
    """Return in words what a file without moving pictures has."""
    words = {"audio": "sound", "video": "a cover image", "subtitle": "subtitles", "attachment": "attached files"}
    kinds = [words.get(kind, kind) for kind in sorted({stream.type for stream in container.streams})]
    return " and ".join(filter(None, (", ".join(kinds[:-1]), *kinds[-1:]))) or "nothing"


def check_size(path: Path | None, width: int, height: int) -> None:
    """Refuse a frame size that is empty or too large to allocate.

    Raises
    ------
    VideoError
        If a side is 0, over `MAX_SIDE_PIXELS`, or the frame has over `MAX_FRAME_PIXELS` pixels.
    """
    if width < 1 or height < 1:
        raise VideoError(f"{path} declares no frame size ({width}x{height}); it is damaged or no video")
    if max(width, height) > MAX_SIDE_PIXELS or width * height > MAX_FRAME_PIXELS:
        raise VideoError(
            f"{path} declares frames of {width}x{height} pixels; at most {MAX_SIDE_PIXELS} a side and"
            f" {MAX_FRAME_PIXELS} pixels are taken; scale it down first if it is real"
        )
