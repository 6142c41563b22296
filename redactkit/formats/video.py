"""A video's header in a file of its own, so that whoever works on a part need not read the whole video first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from redactkit.errors import AnnotationError
from redactkit.formats.header import VideoHeader, as_video, video_of
from redactkit.media import VideoInfo
from redactkit.runtime.files import write_bytes

__all__ = ["read_video_header", "write_video_header"]


class _Document(Struct):
    width: int
    height: int
    pts: list[int]
    video: VideoHeader


def write_video_header(info: VideoInfo, path: str | Path) -> Path:
    """Write a header, whole or not at all, over one that is there."""
    document = _Document(info.width, info.height, info.pts.tolist(), as_video(info))
    return write_bytes(path, msgspec.json.encode(document), overwrite=True)


def read_video_header(path: str | Path, *, video: str | Path) -> VideoInfo:
    """Read a header that `write_video_header` wrote, as the one of the file ``video``.

    Raises
    ------
    AnnotationError
        If it is missing or damaged.
    """
    try:
        document = msgspec.json.decode(Path(path).read_bytes(), type=_Document)
    except (OSError, msgspec.MsgspecError) as err:
        raise AnnotationError(f"{path} is no video header: {err}; delete its folder and start again") from err
    pts = np.array(document.pts, np.int64)
    info = video_of(document.video, width=document.width, height=document.height, pts=pts)
    return replace(info, path=Path(video))
