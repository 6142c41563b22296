"""Progress of long work: a bar, nothing, or a callable that may also cancel; none of them can block the work.

The work only counts. A bar is drawn on a thread of its own (`Drawing`) a few times a second, so a terminal that blocks
output blocks only the bar. Whatever fails while it shows progress is dropped, with one warning.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from tqdm import tqdm as terminal_tqdm
from tqdm.auto import tqdm

from redactkit.errors import PassCancelled

__all__ = [
    "Bar",
    "Drawing",
    "ProgressLike",
    "Shown",
    "TerminalBar",
    "Update",
    "is_terminal",
    "warn_and_drop",
    "open_stderr",
    "shown",
    "track",
]

Report = Callable[[str, int, int], None]
Update = Callable[[int], None]

_DRAW_INTERVAL_SECONDS = 0.1
"""Time between two drawings. Lower is smoother and takes more time."""

_CLOSE_TIMEOUT_SECONDS = 1.0
"""Time that the last drawing may take before the work goes on without it."""

_QUICK_CALL_SECONDS = 0.01
"""A callable that returns within this time is called at every count."""

_REST_FACTOR = 19
"""A slower callable is called again after so many times its own duration: it takes a twentieth of the time at most."""

_log = logging.getLogger(__name__)


def warn_and_drop(what: str, error: BaseException) -> None:
    """Warn that something that shows progress failed and is dropped; if warnings are errors, log it instead."""
    text = f"{what} cannot be shown any more ({type(error).__name__}: {error}); the work goes on"
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    except RuntimeWarning:
        _log.warning("%s", text)
    _log.debug("%s", text, exc_info=error)


class Drawing:
    """Calls a function on a thread of its own when asked; asking never blocks.

    Parameters
    ----------
    draw : callable
        Shows the current state, which it reads itself. If it raises, it is not called again.
    finish : callable, optional
        Called on the same thread after the last `draw`, also after one that failed.
    every : float
        Seconds between two calls, at least.
    what : str
        What a warning calls it.

    Examples
    --------
    >>> seen = []
    >>> drawing = Drawing(lambda: seen.append("drawn"), what="the example")
    >>> drawing.ask()
    >>> drawing.close()
    True
    >>> seen[-1]
    'drawn'
    """

    def __init__(
        self,
        draw: Callable[[], None],
        *,
        finish: Callable[[], None] = lambda: None,
        every: float = _DRAW_INTERVAL_SECONDS,
        what: str = "progress",
    ) -> None:
        self._draw, self._finish, self._every, self._what = draw, finish, every, what
        self._asked, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="redactkit-drawing", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as err:  # no more threads can be started; the work does not need this one
            self._closing.set()
            warn_and_drop(what, err)

    def ask(self) -> None:
        """Request a drawing."""
        self._asked.set()

    def close(self, *, timeout: float = _CLOSE_TIMEOUT_SECONDS) -> bool:
        """Draw once more and end; return whether that took at most ``timeout`` seconds."""
        self._closing.set()
        self._asked.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            try:
                while not self._draw_next():
                    self._closing.wait(self._every)
            finally:
                self._finish()
        except Exception as err:
            warn_and_drop(self._what, err)

    def _draw_next(self) -> bool:
        """Wait for a request, draw, and return whether it was the last one."""
        self._asked.wait()
        last = self._closing.is_set()
        self._asked.clear()
        self._draw()
        return last


class Shown:
    """The display of a pass's progress through all its stages; made by `shown`.

    Parameters
    ----------
    progress : bool or callable
    """

    def __init__(self, progress: bool | Report) -> None:
        self._progress = progress
        self._silent_until = 0.0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Update]:
        """Yield a function that takes how many more frames are done."""
        if callable(self._progress):
            yield self._reporter(name, total)
        elif self._progress and in_notebook():
            with contextlib.closing(_Widget(self, name, total)) as widget:
                yield widget.update
        elif self._progress and is_terminal(sys.stderr):
            with contextlib.closing(Bar(name, total)) as bar:
                yield bar.update
        else:
            yield lambda count: None

    def call(self, what: str, function: Callable[[], None]) -> None:
        """Call a function that shows progress; if it raises anything but `PassCancelled`, it is dropped."""
        if not self._progress:
            return
        started = time.monotonic()
        try:
            function()
        except PassCancelled:
            raise
        except Exception as err:
            self._progress = False
            warn_and_drop(what, err)
        ended = time.monotonic()
        # A slow callable is called so rarely that the work takes at most a twentieth longer.
        self._silent_until = ended + _REST_FACTOR * (ended - started) if ended - started > _QUICK_CALL_SECONDS else 0.0

    def _reporter(self, stage: str, total: int) -> Update:
        done, report = 0, self._progress

        def update(count: int) -> None:
            nonlocal done
            done += count
            if callable(report) and (done >= total or time.monotonic() >= self._silent_until):
                self.call("progress", lambda: report(stage, done, total))

        update(0)
        return update


ProgressLike = bool | Report | Shown


def shown(progress: ProgressLike) -> Shown:
    """Return the display for a pass: what fails in one stage is dropped for the later ones too."""
    return progress if isinstance(progress, Shown) else Shown(progress)


@contextmanager
def track(progress: ProgressLike, stage: str, *, total: int) -> Iterator[Update]:
    """Yield a function that takes how many more frames are done.

    Parameters
    ----------
    progress : bool or callable
        True shows a tqdm bar where stderr is a terminal, and a widget in a notebook; False nothing. A callable
        gets ``(stage, done, total)`` and cancels the work by raising `redactkit.errors.PassCancelled`; if it
        raises anything else it is not called again. One that takes long is called less often.
    stage : str
        What is being done, in one word.
    total : int
        Frames in all.

    Examples
    --------
    >>> seen = []
    >>> with track(lambda *step: seen.append(step), "analyze", total=2) as update:
    ...     update(1)
    >>> seen
    [('analyze', 0, 2), ('analyze', 1, 2)]
    """
    with shown(progress).stage(stage, total) as update:
        yield update


class Bar:
    """A tqdm bar on the terminal; `update` only counts.

    Parameters
    ----------
    stage : str
    total : int
    """

    def __init__(self, stage: str, total: int) -> None:
        self._done = 0
        self._make = {"desc": stage, "total": total, "unit": "frame"}
        self._bar: TerminalBar | None = None
        self._file = open_stderr()
        self._drawing = Drawing(self._draw, finish=self._finish, what="progress")
        self._drawing.ask()

    def update(self, count: int) -> None:
        """Add frames to the count."""
        self._done += count
        self._drawing.ask()

    def close(self) -> None:
        """Show the last count, unless the terminal blocks."""
        self._drawing.close()

    def _draw(self) -> None:
        self._bar = self._bar or TerminalBar(file=self._file, **self._make)
        self._bar.show(self._done)

    def _finish(self) -> None:
        with contextlib.closing(self._file):
            if self._bar is not None:
                self._bar.close()


class TerminalBar(terminal_tqdm):  # type: ignore[misc]
    """A tqdm bar that releases tqdm's lock when it fails.

    All bars of a process share that lock. tqdm keeps it if writing fails, and other bars, and the exit of the process,
    would wait for it forever. tqdm's monitor thread is off: bars are redrawn a few times a second anyway.
    """

    monitor_interval = 0

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(dynamic_ncols=_has_width(options.get("file")), **options)
        except Exception:
            self._release_lock()
            raise

    def show(self, done: int, text: str | None = None) -> None:
        """Draw the bar with a new count, and with a new text if one is given."""
        try:
            self.n = done
            if text is not None:
                self.set_description(text, refresh=False)
            self.refresh()
        except Exception:
            self._release_lock()
            raise

    def close(self) -> None:
        """Leave the bar as it is, or clear it."""
        try:
            super().close()
        except Exception:
            self._release_lock()
            raise

    def __del__(self) -> None:
        """Do nothing: who made a bar closes it.

        tqdm closes one that is collected, which may be in the middle of another's drawing on the same thread; if that
        fails, the other's lock is released as well.
        """

    def _release_lock(self) -> None:
        self.disable = True
        lock = self.get_lock()
        with contextlib.suppress(RuntimeError, AssertionError):  # raised once this thread holds it no more
            while True:
                lock.release()


class _Widget:
    """The bar of a notebook, drawn on the thread of the work: a kernel's output belongs to the thread of its cell."""

    def __init__(self, how: Shown, stage: str, total: int) -> None:
        self._how = how
        self._bars: list[Any] = []
        how.call("progress", lambda: self._bars.append(tqdm(total=total, desc=stage, unit="frame")))

    def update(self, count: int) -> None:
        for bar in self._bars:
            self._how.call("progress", partial(bar.update, count))

    def close(self) -> None:
        for bar in self._bars:
            self._how.call("progress", bar.close)


def in_notebook() -> bool:
    """Return whether tqdm shows bars as widgets."""
    notebook = sys.modules.get("tqdm.notebook")  # which tqdm.auto imports in a kernel only
    return notebook is not None and issubclass(tqdm, notebook.tqdm)


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; one that is closed or missing is none."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def _has_width(file: Any) -> bool:
    """Return whether a terminal reports its width; in one of width 0 tqdm shows nothing."""
    try:
        return os.get_terminal_size(file.fileno()).columns > 0
    except (AttributeError, OSError, ValueError):
        return False


def open_stderr() -> Any:
    """Return a file to stderr that shares nothing with ``sys.stderr``.

    A thread that waits for a full pipe or a stopped terminal holds the lock of the file it writes to. With a shared
    file the main thread would wait for that lock and not handle signals.
    """
    try:
        sys.stderr.flush()
        raw = io.FileIO(os.dup(sys.stderr.fileno()), "w")
    except (AttributeError, OSError, ValueError):  # stderr is no file, as in tests and notebooks
        return _BorrowedStream(sys.stderr)
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "replace", line_buffering=True)


class _BorrowedStream(io.TextIOBase):
    """A stream that belongs to somebody else and must not be closed, or none."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if self._stream is None else int(self._stream.write(text))

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()
