"""Time of the output: its time base, and by how much its clock is moved where a player could not follow.

Also the one place where the ratios of PyAV become fractions.
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
_PRIMING = Fraction(1, 5)
_CLOCK = 60


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
