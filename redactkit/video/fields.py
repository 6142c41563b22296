"""Which field of an interlaced frame comes first, by what each decoded frame says of itself.

Headers are often wrong about it, or contradict the frames.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from itertools import islice

import av
import av.filter

__all__ = ["FieldMark", "count_orders", "field_order"]

_CHECKED_FRAMES = 12  # frames: some streams begin with a few progressive ones


def field_order(frames: Iterable[av.VideoFrame]) -> str | None:
    """Return the field order, ``"tff"`` or ``"bff"``, of most of the first interlaced frames; None if none is."""
    orders = count_orders(frames)
    interlaced = sorted(order for order in orders if order != "progressive")
    return max(interlaced, key=orders.__getitem__, default=None)


def count_orders(frames: Iterable[av.VideoFrame]) -> Counter[str]:
    """Count which of the first frames are ``"tff"``, ``"bff"`` and ``"progressive"``."""
    return Counter(_order(frame) for frame in islice(frames, _CHECKED_FRAMES))


def _order(frame: av.VideoFrame) -> str:
    if not frame.interlaced_frame:
        return "progressive"
    return "tff" if _top_first(frame) else "bff"


def _top_first(frame: av.VideoFrame) -> bool:
    """Ask a filter: PyAV does not expose the flag."""
    return _Filter(frame, "select", r"eq(interlace_type\,1)").passed(frame) is not None


class FieldMark:
    """Marks frames as interlaced, with one field first, or as progressive: what is painted is a copy without a mark.

    Parameters
    ----------
    mode : {"tff", "bff", "prog"}
    """

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._filter: _Filter | None = None

    def marked(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the frame, its picture the same, with the mark; frames must be of one size and format."""
        self._filter = self._filter or _Filter(frame, "setfield", f"mode={self._mode}")
        marked = self._filter.passed(frame)
        assert marked is not None
        return marked


class _Filter:
    """One filter of FFmpeg for frames of one size and format."""

    def __init__(self, frame: av.VideoFrame, name: str, options: str) -> None:
        graph = av.filter.Graph()
        self._source = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
        )
        between = graph.add(name, options)
        self._sink = graph.add("buffersink")
        self._source.link_to(between)
        between.link_to(self._sink)
        graph.configure()
        self._graph = graph  # who only holds a filter of it does not keep it alive

    def passed(self, frame: av.VideoFrame) -> av.VideoFrame | None:
        """Return what the filter makes of a frame, None where it takes it out."""
        self._source.push(frame)
        try:
            passed = self._sink.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return None
        assert isinstance(passed, av.VideoFrame)
        return passed
