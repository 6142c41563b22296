"""Frames of a source and of what was made of it, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redactkit.media import VideoInfo
from redactkit.runtime.streams import buffered
from redactkit.video import Frame, VideoReader
from redactkit.video.timing import start_shift

__all__ = ["Pair", "pair_frames"]

AHEAD = 3
"""Decoded frames of each file that wait."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A frame of the source and the one that is shown in its place."""

    source: Frame
    output: Frame

    @property
    def index(self) -> int:
        """Number of the source's frame."""
        return self.source.index


def pair_frames(source: VideoReader, output: VideoReader) -> Iterator[Pair]:
    """Yield the frames of two videos in step; each file is decoded once, in a thread of its own.

    Frames go together by number where both have as many, else by time. What one has beyond the other is the
    fidelity check's business.
    """
    partner = _partners(source.info, output.info)
    with (
        closing(buffered(source.frames(), ahead=AHEAD)) as before,
        closing(buffered(output.frames(), ahead=AHEAD)) as after,
    ):
        waiting = next(after, None)
        for frame in before:
            wanted = partner(frame.index)
            while waiting is not None and waiting.index < wanted:
                waiting = next(after, None)
            if waiting is None:
                return
            if waiting.index == wanted:
                yield Pair(frame, waiting)


def _partners(source: VideoInfo, output: VideoInfo) -> Callable[[int], int]:
    """Return what tells the number of the output's frame for one of the source's, -1 for none."""
    if source.frame_count == output.frame_count:
        return lambda index: index
    if not output.frame_count:
        return lambda index: -1
    wanted = source.times + float(start_shift(source))
    nearest = np.abs(output.times[:, None] - wanted).argmin(axis=0) if wanted.size < 2 else _nearest(output, wanted)
    apart = np.abs(output.times[nearest] - wanted)
    half = float(np.median(np.diff(source.times))) / 2 if source.frame_count > 1 else np.inf
    numbers = np.where(apart <= half, nearest, -1).tolist()
    return lambda index: numbers[index]


def _nearest(output: VideoInfo, wanted: NDArray[np.float64]) -> NDArray[np.intp]:
    after = np.clip(np.searchsorted(output.times, wanted), 1, max(1, output.frame_count - 1))
    after = np.minimum(after, output.frame_count - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(output.times[before] - wanted) <= np.abs(output.times[after] - wanted)
    return np.where(nearer, before, after)
