"""Time ranges in which an object stays visible on purpose, each with its reason: as values, and as a table's text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

from redactkit.errors import OptionError
from redactkit.runtime.timecode import check_ranges, parse_range

__all__ = ["VisibleRange", "as_visible", "format_visible", "parse_visible"]

_ENTRY = re.compile(r"\s*([\d:.,]+\s*-\s*[\d:.,]+)\s*(.*?)\s*", re.DOTALL)
_LONGEST = 1e9


class VisibleRange(NamedTuple):
    """Seconds from ``start`` to ``end``, and why an object may be seen there; "" where its decision's reason holds."""

    start: float
    end: float
    reason: str = ""


def as_visible(ranges: Iterable[Iterable[Any]]) -> tuple[VisibleRange, ...]:
    """Return ranges in order.

    Parameters
    ----------
    ranges : iterable of (float, float) or (float, float, str)
        Start and end in seconds as in the column ``time``, and a reason.

    Raises
    ------
    OptionError
        If a range is none, or two overlap.

    Examples
    --------
    >>> as_visible([(12, 13.5, "consent"), (5, 8)])
    (VisibleRange(start=5.0, end=8.0, reason=''), VisibleRange(start=12.0, end=13.5, reason='consent'))
    """
    if isinstance(ranges, str):
        return parse_visible(ranges)
    found = []
    for given in _listed(ranges):
        start, end, *said = given
        pair = check_ranges([(start, end)], end=_LONGEST)[0]
        found.append(VisibleRange(*pair, " ".join(str(said[0]).replace(";", ",").split()) if said else ""))
    found.sort()
    for one, after in pairwise(found):
        if after.start < one.end:
            raise OptionError(
                f"the visible ranges {one.start:g}-{one.end:g} and {after.start:g}-{after.end:g} overlap; join them"
            )
    return tuple(found)


def _listed(ranges: Iterable[Iterable[Any]]) -> list[tuple[Any, ...]]:
    try:
        given = [tuple(each) for each in ranges]
    except TypeError:
        raise OptionError(
            f"visible ranges are a list such as [(5, 8), (12, 13.5, 'why')], got {ranges!r:.80}"
        ) from None
    wrong = next((each for each in given if len(each) not in (2, 3)), None)
    if wrong is not None:
        raise OptionError(f"a visible range is (start, end) or (start, end, reason), got {wrong!r:.80}")
    return given


def format_visible(ranges: Iterable[Iterable[Any]]) -> str:
    """Return ranges as the text that tables and files hold.

    Examples
    --------
    >>> format_visible([(5, 8), (12, 13.5, "consent")])
    '5-8; 12-13.5 consent'
    """
    return "; ".join(f"{_number(each.start)}-{_number(each.end)} {each.reason}".rstrip() for each in as_visible(ranges))


def _number(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def parse_visible(text: str) -> tuple[VisibleRange, ...]:
    """Read ranges from text, separated by semicolons; none from a blank one.

    Raises
    ------
    OptionError
        If it is no such text.

    Examples
    --------
    >>> parse_visible("0:05-0:08; 12-13.5 consent")[1].reason, parse_visible(" ")
    ('consent', ())
    """
    found = []
    for part in filter(None, map(str.strip, text.split(";"))):
        entry = _ENTRY.fullmatch(part)
        if entry is None:
            raise OptionError(f"visible ranges are text such as '5-8; 12-13.5 consent' in seconds, got {text!r:.80}")
        found.append((*parse_range(entry[1]), entry[2]))
    return as_visible(found)
