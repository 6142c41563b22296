"""Time of the output: its time base, and by how much its clock is moved where a player could not follow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from redactkit.media import VideoInfo

__all__ = ["durations", "movie_timescale", "output_time_base", "start_shift"]

_INT32 = 2**31 - 1
_PRIMING = Fraction(1, 5)
_CLOCK = 60


def output_time_base(info: VideoInfo) -> Fraction:
    """Return a time base that holds every timestamp of ``info`` exactly: its own, or a multiple of it.

    A multiple is taken where the gaps between frames are too many ticks for an mp4's 32 bits.
    """
    if len(info.pts) < 2 or int(np.diff(info.pts).max()) * info.time_base.numerator < _INT32 // 2:
        return info.time_base
    return info.time_base * int(np.gcd.reduce(info.pts))


def start_shift(info: VideoInfo) -> Fraction:
    """Return the seconds by which every stream is moved in the output, usually 0.

    An mp4 plays from 0 on, so what starts before is moved to it; and a start over a minute is a
    broadcaster's clock and no offset, so it too is moved to 0. Audio that starts up to 0.2 s early
    is the encoder's priming and moves nothing.
    """
    starts = [stream.start for stream in info.audio if stream.start is not None]
    if info.frame_count:
        starts.append(int(info.pts[0]) * info.time_base)
    first = min(starts, default=Fraction(0))
    video = int(info.pts[0]) * info.time_base if info.frame_count else Fraction(0)
    if first < -_PRIMING or video < 0:
        return -min(first, video)
    return -first if first > _CLOCK else Fraction(0)


def movie_timescale(rates: Iterable[int]) -> int:
    """Return the ticks a second in which every stream's start is whole, or the first rate where none fits."""
    scales = list(rates)
    common = math.lcm(*scales) if scales else 1000
    return common if common <= _INT32 else scales[0]


def durations(info: VideoInfo, last: int) -> dict[int, int]:
    """Return each timestamp's distance to the next, in ticks; ``last`` is used for the last frame."""
    pts = info.pts.tolist()
    return dict(zip(pts, [*np.diff(info.pts).tolist(), last], strict=True)) if pts else {}
