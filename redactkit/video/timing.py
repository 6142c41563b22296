"""The output's time: its time base, and the shift that lets every stream start at 0 or later.

Also the one place where PyAV's ratios become fractions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol

import numpy as np

from redactkit.media import VideoInfo

__all__ = ["as_fraction", "durations", "movie_timescale", "output_time_base", "start_shift"]

_INT32 = 2**31 - 1

_MAX_PRIMING_SECONDS = Fraction(1, 5)
"""Audio that starts earlier than this before 0 is no encoder delay: then the whole video is moved."""

_MAX_OFFSET_SECONDS = 60
"""A start later than this is a broadcast clock: the output then starts at 0. Higher keeps more of such clocks."""


class _Ratio(Protocol):
    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...


def as_fraction(ratio: _Ratio | None) -> Fraction | None:
    """Return a rate, aspect or time base of PyAV as a fraction, None where it is not set.

    PyAV 18 gives fractions, and None for what is not set. PyAV 19 gives ratios of 32 bits, 0/1 for what is not set:
    a product of two of them that does not fit is rounded, and they cannot be rounded to an integer.

    Examples
    --------
    >>> as_fraction(Fraction(1, 12800))
    Fraction(1, 12800)
    >>> as_fraction(Fraction(0, 1)) is as_fraction(None) is None
    True
    """
    if ratio is None or not ratio.numerator or not ratio.denominator:
        return None
    return Fraction(ratio.numerator, ratio.denominator)


def output_time_base(info: VideoInfo) -> Fraction:
    """Return a time base that holds every timestamp of ``info`` exactly: its own, or a multiple of it.

    An mp4 stores the duration of a frame in 32 bits (``stts``, ISO/IEC 14496-12, 8.6.1.2). Where that overflows,
    the time base is multiplied by the greatest common divisor of all timestamps.
    """
    if len(info.pts) < 2 or int(np.diff(info.pts).max()) * info.time_base.numerator < _INT32 // 2:
        return info.time_base
    return info.time_base * int(np.gcd.reduce(info.pts))


def start_shift(info: VideoInfo) -> Fraction:
    """Return the seconds by which every stream is moved in the output, usually 0.

    An mp4 plays from 0 on. A stream that starts before 0 moves everything to 0, except audio that starts up to
    0.2 s early: that is the encoder's priming, which players skip. A start of more than a minute is a
    broadcaster's clock, not an offset, and moves to 0 too. A part of a file starts at 0.
    """
    if info.part_times is not None:
        return -info.part_times[0]
    starts = [stream.start for stream in info.audio if stream.start is not None]
    if info.frame_count:
        starts.append(int(info.pts[0]) * info.time_base)
    first = min(starts, default=Fraction(0))
    video = int(info.pts[0]) * info.time_base if info.frame_count else Fraction(0)
    if first < -_MAX_PRIMING_SECONDS or video < 0:
        return -min(first, video)
    return -first if first > _MAX_OFFSET_SECONDS else Fraction(0)


def movie_timescale(rates: Iterable[int]) -> int:
    """Return the movie timescale: ticks a second in which every stream's start is whole, else the first rate."""
    scales = list(rates)
    common = math.lcm(*scales) if scales else 1000
    return common if common <= _INT32 else scales[0]


def durations(info: VideoInfo, last: int) -> dict[int, int]:
    """Return the duration of each frame in ticks, by its timestamp; the last frame gets ``last``."""
    pts = info.pts.tolist()
    return dict(zip(pts, [*np.diff(info.pts).tolist(), last], strict=True)) if pts else {}
