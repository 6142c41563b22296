"""The time grid of a file: which instants it speaks of, and which frame number each gets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import AnnotationError

__all__ = ["FragmentSpan", "build_grid", "usual_spacing"]

MAX_FRAMES = 10_000_000
BRIDGED_SECONDS = 2.0

Ticks = NDArray[np.int64]


@dataclass(frozen=True)
class FragmentSpan:
    """A fragment in ticks: ``count`` entries from ``start`` on, ``interval`` apart; no entries for a stated gap."""

    start: int
    interval: int
    count: int
    duration: int

    @property
    def ticks(self) -> Ticks:
        """Time of every entry, shape (count,)."""
        return self.start + self.interval * np.arange(self.count, dtype=np.int64)

    @property
    def end(self) -> int:
        """First tick after the fragment."""
        return self.start + (self.interval * self.count if self.count else self.duration)


def usual_spacing(spans: Sequence[FragmentSpan], *, otherwise: int) -> int:
    """Return the interval that most entries have, in ticks; ``otherwise`` where no fragment has two entries."""
    weights: dict[int, int] = {}
    for span in spans:
        if span.count and span.interval > 0:
            weights[span.interval] = weights.get(span.interval, 0) + span.count
    return max(weights, key=lambda interval: (weights[interval], -interval)) if weights else otherwise


def build_grid(spans: Sequence[FragmentSpan], *, spacing: int, timescale: float) -> Ticks:
    """Return every instant of the file in ticks, ascending.

    Gaps that the file states, the time before its first fragment, and holes of more than 2 s are laid
    out with instants of ``spacing``, so that frame numbers count from the video's start. A shorter hole
    is left open: what stands on both sides of it is then held across it.

    Raises
    ------
    AnnotationError
        If the file spans more than 10 million frames.
    """
    stated_spans = sorted((span for span in spans if span.count), key=lambda span: span.start)
    stated = sorted((span for span in spans if not span.count), key=lambda span: span.start)
    meets = _stated_in(stated)
    bridged = BRIDGED_SECONDS * timescale
    edges = _uncovered(stated_spans, until=max((span.end for span in stated), default=0))
    holes = [hole for hole in edges if hole[0] <= 0 or hole[1] - hole[0] > bridged or meets(hole)]
    total = sum(span.count for span in stated_spans) + sum((stop - start) // spacing for start, stop in holes)
    if total > MAX_FRAMES:
        raise AnnotationError(f"the fragments span {total} frames, more than the {MAX_FRAMES} this reader takes")
    fills = [
        _fill(start, stop, spacing, forward=not stated_spans or start >= stated_spans[-1].end) for start, stop in holes
    ]
    ticks = [span.ticks for span in stated_spans] + fills
    return np.unique(np.concatenate(ticks)) if ticks else np.zeros(0, np.int64)


def _uncovered(stated_spans: Sequence[FragmentSpan], *, until: int) -> list[tuple[int, int]]:
    holes, end = [], 0
    for span in stated_spans:
        if span.start > end:
            holes.append((end, span.start))
        end = max(end, span.end)
    return [*holes, (end, until)] if until > end else holes


def _stated_in(stated: Sequence[FragmentSpan]) -> Callable[[tuple[int, int]], bool]:
    """Return a test of whether a hole has a stated gap in it."""
    starts = [span.start for span in stated]
    ends = list(accumulate((span.end for span in stated), max))

    def meets(hole: tuple[int, int]) -> bool:
        before = bisect_left(starts, hole[1])
        return before > 0 and ends[before - 1] > hole[0]

    return meets


def _fill(start: int, stop: int, spacing: int, *, forward: bool) -> Ticks:
    count = (stop - start + spacing // 2) // spacing
    steps = np.arange(count, dtype=np.int64)
    ticks = start + steps * spacing if forward else stop - (count - steps) * spacing
    inside: Ticks = ticks[(ticks >= start) & (ticks < stop)]
    return inside
