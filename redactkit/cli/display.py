"""How many jobs are shown: bars on a terminal, a line for each that has ended elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

from redactkit.runtime.progress import Drawing, TerminalBar, is_terminal, open_stderr

__all__ = ["Display"]

_BARS = 8
_EVERY = 0.5
_NAME = 24


class Display:
    """Shows jobs on stderr, from a thread of its own, so that no job waits for a terminal or a pipe; a context manager.

    Parameters
    ----------
    bars : bool
        Show bars where stderr is a terminal. Elsewhere, and without it, there is one line for each job that has
        ended; without it the line says why a job failed, for nobody else will.
    """

    def __init__(self, *, bars: bool) -> None:
        self._jobs: Any = None
        self._forget: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._news: set[int] = set()
        self._file = open_stderr()
        form = _Bars if bars and is_terminal(sys.stderr) else partial(_Lines, reasons=not bars)
        self._form: _Bars | _Lines = form(self._file)
        self._drawing = Drawing(self._draw, finish=self._finish, every=_EVERY)

    def follow(self, jobs: Any) -> None:
        """Show these jobs from now on; not a second time."""
        if self._jobs is None:
            self._jobs = jobs
            self._forget = jobs.on_change(self._hear)
            self._hear(range(len(jobs)))

    def _hear(self, numbers: Any) -> None:
        with self._lock:
            self._news.update(numbers)
        self._drawing.ask()

    def _draw(self) -> None:
        with self._lock:
            news, self._news = sorted(self._news), set()
        if self._jobs is not None:
            self._form.show(self._jobs.counts(), self._jobs.table(news))

    def _finish(self) -> None:
        with contextlib.closing(self._file):
            self._form.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *what: object) -> None:
        self._forget()
        if self._jobs is not None:
            self._hear(range(len(self._jobs)))  # of the last to end nobody may have been told yet
        self._drawing.close()


class _Lines:
    """A line for each job that has ended."""

    def __init__(self, file: Any, *, reasons: bool) -> None:
        self._file, self._reasons = file, reasons
        self._printed: set[int] = set()

    def show(self, counts: dict[str, int], news: Any) -> None:
        ended = news[news["state"].isin(["done", "failed", "cancelled"])]
        self._printed -= set(news.index) - set(ended.index)  # those that were submitted anew
        for row in ended[~ended.index.isin(self._printed)].itertuples():
            self._printed.add(row.Index)
            why = f" ({row.error})" if self._reasons and row.error else ""
            self._file.write(f"{row.video}: {row.state}{why}\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing is left to do."""


class _Bars:
    """A bar for all jobs and one for each that runs, the first few of them."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._bars: list[TerminalBar] = []
        self._running: dict[int, Any] = {}

    def show(self, counts: dict[str, int], news: Any) -> None:
        for row in news.itertuples():
            self._running.pop(row.Index, None)
            if row.state == "running":
                self._running[row.Index] = row
        rows = [row for _, row in sorted(self._running.items())][:_BARS]
        while len(self._bars) <= len(rows):
            self._bars.append(self._make_bar(len(self._bars)))
        every, *bars = self._bars
        every.total = sum(counts.values())
        every.show(counts["done"] + counts["failed"] + counts["cancelled"], "all")
        for bar, row in zip(bars, rows, strict=False):
            bar.show(round(100 * row.progress), f"{Path(row.video).name[:_NAME]} {row.stage}")
        for bar in bars[len(rows) :]:
            bar.show(0, "")

    def _make_bar(self, place: int) -> TerminalBar:
        unit, form = ("%", "{l_bar}{bar}| {elapsed}") if place else ("video", None)
        options = {"unit": unit, "bar_format": form, "leave": not place, "position": place}
        return TerminalBar(total=100, file=self._file, **options)

    def close(self) -> None:
        for bar in reversed(self._bars):
            bar.close()
