"""Where a long video may be divided, so that its parts can be worked on one by one or all at once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from redactkit.effects import HOLD_FRAMES
from redactkit.errors import OptionError
from redactkit.media import VideoInfo

__all__ = ["LEAD_FRAMES", "CHUNK_FRAMES", "SECTION_FRAMES", "find_restarts", "split_frames"]

CHUNK_FRAMES = 3000
"""Frames of a part: about a minute's work of one core, of which decoding again at the borders is a hundredth."""

LEAD_FRAMES = max(8, HOLD_FRAMES - 1)
"""Frames from a keyframe to the border after it: a part may look back so far and still start decoding there.

Enough for where a shot changes, and for what effects hold of the frames before.
"""


SECTION_FRAMES = 240
"""Least frames from one restart to the next where something is lost with each."""


def find_restarts(info: VideoInfo, *, apart: int = 1) -> NDArray[np.int64]:
    """Return frames at which work may start anew, a few after a keyframe each, ``apart`` from 0 and each other."""
    found: list[int] = []
    for border in (info.keyframes + LEAD_FRAMES).tolist():
        if border - (found[-1] if found else 0) >= apart and border < info.frame_count:
            found.append(border)
    return np.array(found, np.int64)


def split_frames(info: VideoInfo, *, longest: int = CHUNK_FRAMES) -> list[tuple[int, int]]:
    """Divide a video's frames into parts that start a few frames after a keyframe.

    Where a part starts depends on the video alone, never on who works on it.

    Parameters
    ----------
    info : VideoInfo
    longest : int
        Frames of a part, at least half as many; more where keyframes are farther apart, and up to half
        as many again at the end.

    Returns
    -------
    list of (int, int)
        First frame and the frame after the last one of each part, in order, without gap or overlap.

    Raises
    ------
    OptionError
        If ``longest`` is less than 1.

    Examples
    --------
    >>> from fractions import Fraction
    >>> rate, pts, keyframes = Fraction(25), np.arange(500), np.arange(0, 500, 50)
    >>> split_frames(VideoInfo(None, 640, 360, rate, 1 / rate, pts, keyframes=keyframes), longest=200)
    [(0, 158), (158, 358), (358, 500)]
    """
    if longest < 1:
        raise OptionError(f"a part must have at least 1 frame, got {longest}")
    borders = find_restarts(info, apart=SECTION_FRAMES if longest >= 4 * SECTION_FRAMES else 1)
    starts, last = [0], info.frame_count - longest // 2
    while starts[-1] + longest < last:
        reached = int(np.searchsorted(borders, starts[-1] + longest, side="right"))
        near = borders[max(reached - 1, 0) : reached + 1]
        near = near[(near > starts[-1] + longest // 2) & (near < last)]
        if not len(near):
            break
        starts.append(int(near[0]))
    return list(pairwise([*starts, info.frame_count]))
