"""Parse, format and check times and time ranges."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from redactkit.errors import OptionError

__all__ = ["CLOCK_SLACK_SECONDS", "Ranges", "check_ranges", "parse_range", "parse_ranges", "parse_timecode", "timecode"]

Ranges = tuple[tuple[float, float], ...]

_TIMECODE = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:[.,]\d*)?)")
_MAX_SHOWN = 60  # characters of a wrong text that an error quotes
CLOCK_SLACK_SECONDS = 0.1
"""People, and headers of files, round where a video starts and ends."""


def timecode(seconds: float) -> str:
    """Write a time as HH:MM:SS.mmm.

    Examples
    --------
    >>> timecode(3723.0405)
    '01:02:03.040'
    """
    milliseconds = round(abs(seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    sign = "-" if seconds < 0 and milliseconds else ""
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def parse_timecode(text: str) -> float:
    """Read HH:MM:SS.mmm, MM:SS or seconds.

    Raises
    ------
    OptionError
        If it is none of these.

    Examples
    --------
    >>> parse_timecode("1:02:03.5"), parse_timecode("2:03"), parse_timecode("7.25")
    (3723.5, 123.0, 7.25)
    """
    found = _TIMECODE.fullmatch(text.strip())
    if found is None:
        raise OptionError(f"a time is HH:MM:SS.mmm or seconds, got {text[:40]!r}")
    hours, minutes, seconds = found.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds.replace(",", "."))


def parse_range(text: str) -> tuple[float, float]:
    """Read a time range as start and end with a hyphen between, each as of `parse_timecode`.

    Raises
    ------
    OptionError
        If it is none.

    Examples
    --------
    >>> parse_range("00:00:05.0-00:00:07.5"), parse_range("5 - 7.5")
    ((5.0, 7.5), (5.0, 7.5))
    """
    times = text.split("-")
    if len(times) != 2:
        raise OptionError(
            f"a time range is START-END, such as 00:00:05.0-00:00:07.5 or 5-7.5, got {text[:_MAX_SHOWN]!r}"
        )
    return parse_timecode(times[0]), parse_timecode(times[1])


def parse_ranges(text: str) -> Ranges:
    """Read time ranges with semicolons or ends of line between; none from a blank text.

    Examples
    --------
    >>> parse_ranges("5-7.5; 1:00-1:02"), parse_ranges(" ")
    (((5.0, 7.5), (60.0, 62.0)), ())
    """
    return tuple(parse_range(part) for part in re.split(r"[;\n]", text) if part.strip())


def check_ranges(ranges: Iterable[Iterable[float]], *, end: float, start: float = 0.0) -> Ranges:
    """Return time ranges sorted, with overlapping and touching ones merged.

    Parameters
    ----------
    ranges : iterable of (float, float)
        Start and end of each, in seconds.
    end : float
        Latest end in seconds; a tenth of a second more is accepted.
    start : float
        Earliest start; a tenth of a second less is accepted. Where a file's clock begins later than at 0, somebody who
        counts from what a player shows means other moments, so that such a range is refused.

    Raises
    ------
    OptionError
        If a range is no pair of finite numbers, starts before 0 or ``start``, does not end after its start, or ends
        after ``end``.

    Examples
    --------
    >>> check_ranges([(4, 6), (1, 2), (5, 7)], end=10)
    ((1.0, 2.0), (4.0, 7.0))
    """
    merged: list[tuple[float, float]] = []
    for first, last in sorted(_pair(given, start, end) for given in _listed(ranges)):
        if merged and first <= merged[-1][1]:
            first, last = merged[-1][0], max(last, merged.pop()[1])
        merged.append((first, last))
    return tuple(merged)


def _listed(ranges: Iterable[Iterable[float]] | str) -> list[Iterable[float]]:
    if isinstance(ranges, str):
        raise OptionError(f"time ranges are pairs of seconds such as [(5, 7.5)], got the text {ranges[:_MAX_SHOWN]!r}")
    try:
        return list(ranges)
    except TypeError as err:
        raise OptionError(f"time ranges are pairs of seconds such as [(5, 7.5)], got {ranges!r:.60}") from err


def _pair(given: Iterable[float], earliest: float, end: float) -> tuple[float, float]:
    try:
        start, stop = (float(value) for value in given)
    except (TypeError, ValueError, OverflowError) as err:
        raise OptionError(f"a time range is a pair of seconds such as (5, 7.5), got {given!r:.60}") from err
    fault = _fault(start, stop, earliest, end)
    if fault:
        raise OptionError(f"the time range {start:g} to {stop:g} s {fault}; give start and end in seconds")
    return start, stop


def _fault(start: float, stop: float, earliest: float, end: float) -> str:
    if not (math.isfinite(start) and math.isfinite(stop)):
        return "is not of finite numbers"
    if start < 0:
        return "starts before 0"
    if start > end + CLOCK_SLACK_SECONDS:
        return f"starts after the end at {end:.3f} s"
    if stop <= start:
        return "does not end after its start"
    if start < earliest - CLOCK_SLACK_SECONDS:
        return f"starts before the file's clock, which begins at {earliest:.3f} s, where players show 0"
    return f"ends after the end at {end:.3f} s" if stop > end + CLOCK_SLACK_SECONDS else ""
