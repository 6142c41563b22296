"""Small pieces of HTML by which objects show themselves in a notebook: facts, bars over time, a table. No pictures.

Text takes the colour of the page around it, so that it reads on dark pages too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import NamedTuple

__all__ = ["REDACTED", "VISIBLE", "Lane", "draw_lanes", "short", "show", "show_facts", "show_table"]

REDACTED, VISIBLE = "#0072B2", "#E69F00"

LANE_HEIGHT = 14
NAME_WIDTH = 96
BARS_WIDTH = 560
NAME_LENGTH = 14


def short(text: str, most: int = 60) -> str:
    r"""Return text that was written by others as one short line, without what would turn the text around it.

    Examples
    --------
    >>> short("a\u202eb")
    'a b'
    >>> short("abcdef", most=4)
    'abc…'
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:most])
    return plain if len(text) <= most else f"{plain[:-1]}…"


class Lane(NamedTuple):
    """One line of a timeline: its name, the colour of its bars, and when each begins and ends."""

    name: str
    color: str
    runs: Sequence[tuple[float, float]]


def show(title: str, *parts: str) -> str:
    """Return a title and what is below it as one block."""
    return f"<div><strong>{escape(title)}</strong>{''.join(parts)}</div>"


def show_facts(facts: Mapping[str, object]) -> str:
    """Return facts in one line; those that are empty or None are left out.

    Examples
    --------
    >>> show_facts({"faces": 3, "note": ""})
    '<div>faces: <b>3</b></div>'
    """
    shown = [f"{escape(name)}: <b>{escape(str(value))}</b>" for name, value in facts.items() if value not in (None, "")]
    return f"<div>{' &middot; '.join(shown)}</div>"


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table of text."""
    head = "".join(f"<th style='text-align:left'>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{escape(str(value))}</td>" for value in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def draw_lanes(
    lanes: Sequence[Lane], *, start: float, end: float, unit: str = "s", mark: float | None = None, label: str = ""
) -> str:
    """Return a timeline as SVG, empty where there is nothing to draw.

    Parameters
    ----------
    lanes : sequence of Lane
        From top to bottom; bars closer than half a pixel are drawn as one.
    start, end : float
        What the width stands for.
    unit : str
        Of ``start`` and ``end``, written below.
    mark : float, optional
        Where a line from top to bottom goes.
    label : str
        What the picture shows, for screen readers.
    """
    if not lanes or not end > start:
        return ""
    scale = BARS_WIDTH / (end - start)
    height = LANE_HEIGHT * len(lanes)
    parts = [_draw_lane(lane, LANE_HEIGHT * place, start, scale) for place, lane in enumerate(lanes)]
    if mark is not None and start <= mark <= end:
        across = NAME_WIDTH + (mark - start) * scale
        parts.append(f'<line x1="{across:.1f}" x2="{across:.1f}" y1="0" y2="{height}" stroke="currentColor"/>')
    below = f'y="{height + 12}" font-size="10" fill="currentColor"'
    parts.append(f'<text x="{NAME_WIDTH}" {below}>{start:.4g}</text>')
    parts.append(f'<text x="{NAME_WIDTH + BARS_WIDTH}" {below} text-anchor="end">{end:.5g} {escape(unit)}</text>')
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{NAME_WIDTH + BARS_WIDTH}" height="{height + 16}" '
        f'viewBox="0 0 {NAME_WIDTH + BARS_WIDTH} {height + 16}">{"".join(parts)}</svg>'
    )


def _draw_lane(lane: Lane, top: int, start: float, scale: float) -> str:
    name = short(lane.name, NAME_LENGTH)
    parts = [f'<text x="0" y="{top + 11}" font-size="11" fill="currentColor">{escape(name)}</text>']
    for first, last in _merge(lane.runs, gap=0.5 / scale):
        across, width = NAME_WIDTH + (first - start) * scale, max(1.0, (last - first) * scale)
        place = f'x="{across:.1f}" y="{top + 2}" width="{width:.1f}" height="{LANE_HEIGHT - 4}"'
        parts.append(f'<rect {place} fill="{lane.color}"/>')
    return "".join(parts)


def _merge(runs: Sequence[tuple[float, float]], *, gap: float) -> list[tuple[float, float]]:
    """Join runs that follow one another within ``gap``."""
    merged: list[tuple[float, float]] = []
    for first, last in sorted(runs):
        if merged and first - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged
