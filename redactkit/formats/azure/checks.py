"""What is odd about the fragments of an Azure file: overlaps, holes, counts, starts beside the grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from redactkit.formats.azure.time_grid import BRIDGED_SECONDS, FragmentSpan
from redactkit.formats.normalize import Remark

__all__ = ["check_fragments"]

_OFF_GRID = Fraction(1, 20)


def check_fragments(spans: Sequence[FragmentSpan], *, timescale: Fraction, spacing: int) -> list[Remark]:
    """Return a remark for every fragment that contradicts itself or its neighbours.

    A fragment is off the grid if it starts beside a whole number of usual intervals after the end of the
    one before it; one that begins where the last one ends never is, whatever its interval.
    """
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    return [*_counts(ordered, timescale), *_borders(ordered, timescale, spacing)]


def _seconds(ticks: int, timescale: Fraction) -> float:
    return float(ticks / timescale)


def _counts(spans: Sequence[FragmentSpan], timescale: Fraction) -> Iterator[Remark]:
    for span in spans:
        if span.count and span.duration and abs(span.duration - span.interval * span.count) > 1:
            text = (
                f"the fragment at tick {span.start} has {span.count} entries {span.interval} ticks apart, "
                f"but a duration of {span.duration}"
            )
            yield Remark("count contradicts duration", text, time=_seconds(span.start, timescale), quiet=True)


def _borders(spans: Sequence[FragmentSpan], timescale: Fraction, spacing: int) -> Iterator[Remark]:
    last: FragmentSpan | None = None
    for span in spans:
        if last is not None:
            yield from _border(last, span, timescale, spacing)
        if last is None or span.end >= last.end:
            last = span


def _border(last: FragmentSpan, span: FragmentSpan, timescale: Fraction, spacing: int) -> Iterator[Remark]:
    gap = span.start - last.end
    time = _seconds(span.start, timescale)
    if gap < 0:
        text = f"the fragment at tick {span.start} starts {-gap} ticks before the one before it ends"
        yield Remark("fragments overlap", text, time=time, quiet=True)
    elif gap * 2 > spacing:
        long = gap > BRIDGED_SECONDS * timescale
        text = f"nothing is said of {_seconds(gap, timescale):.3f} s before the fragment at tick {span.start}"
        yield Remark("hole between fragments", text, time=_seconds(last.end, timescale), quiet=not long)
    beside = abs(Fraction(gap, spacing) - round(Fraction(gap, spacing)))
    if beside > _OFF_GRID:
        text = f"the fragment at tick {span.start} starts {float(beside):.2f} of an interval off the grid"
        yield Remark("off the grid", text, time=time, quiet=True)
