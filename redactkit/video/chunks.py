"""Where a long video is divided into chunks, which are worked on in any order or in parallel."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from redactkit.effects import HOLD_FRAMES
from redactkit.errors import OptionError
from redactkit.media import FrameRange, VideoInfo

__all__ = ["LEAD_FRAMES", "CHUNK_FRAMES", "SECTION_FRAMES", "find_restarts", "split_frames"]

CHUNK_FRAMES = 3000
"""Frames of a chunk, about a minute's work of one core. Lower divides the work more evenly; higher saves decoding
again at the borders, which is a hundredth of the work at this value."""

LEAD_FRAMES = max(8, HOLD_FRAMES - 1)
"""Frames from a keyframe to the border after it: a chunk can read so many frames before its first one and still
start decoding at that keyframe. Enough for shot boundaries and for what effects hold of earlier frames."""

SECTION_FRAMES = 240
"""Least frames between two restarts where each restart costs accuracy. Lower gives more sections to search in
parallel; higher keeps more frames between predicted ones."""


def find_restarts(info: VideoInfo, *, apart: int = 1) -> NDArray[np.int64]:
    """Return frames at which work can restart: each `LEAD_FRAMES` after a keyframe, at least ``apart`` frames apart."""
    found: list[int] = []
    for border in (info.keyframes + LEAD_FRAMES).tolist():
        if border - (found[-1] if found else 0) >= apart and border < info.frame_count:
            found.append(border)
    return np.array(found, np.int64)


def split_frames(info: VideoInfo, *, longest: int = CHUNK_FRAMES) -> list[FrameRange]:
    """Divide a video's frames into chunks that start a few frames after a keyframe.

    The borders depend on the video alone, never on the number of workers.

    Parameters
    ----------
    info : VideoInfo
    longest : int
        Frames of a chunk. A chunk has at least half as many; it has more where keyframes are farther apart, and
        the last one has up to half as many again.

    Returns
    -------
    list of FrameRange
        The frames of each chunk, in order, without gap or overlap.

    Raises
    ------
    OptionError
        If ``longest`` is less than 1.

    Examples
    --------
    >>> from fractions import Fraction
    >>> rate, pts, keyframes = Fraction(25), np.arange(500), np.arange(0, 500, 50)
    >>> info = VideoInfo(None, 640, 360, rate, 1 / rate, pts, keyframes=keyframes)
    >>> [tuple(chunk) for chunk in split_frames(info, longest=200)]
    [(0, 158), (158, 358), (358, 500)]
    """
    if longest < 1:
        raise OptionError(f"a chunk must have at least 1 frame, got {longest}")
    borders = find_restarts(info, apart=SECTION_FRAMES if longest >= 4 * SECTION_FRAMES else 1)
    starts, last = [0], info.frame_count - longest // 2
    while starts[-1] + longest < last:
        reached = int(np.searchsorted(borders, starts[-1] + longest, side="right"))
        near = borders[max(reached - 1, 0) : reached + 1]
        near = near[(near > starts[-1] + longest // 2) & (near < last)]
        if not len(near):
            break
        starts.append(int(near[0]))
    return [FrameRange(start, stop) for start, stop in pairwise([*starts, info.frame_count])]
