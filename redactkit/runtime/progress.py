"""Progress of long work: a bar, silence, or any callable that may also cancel; none of them can hold the work up.

Work counts; showing the count is somebody else's task. A bar is drawn by a thread of its own (`Drawing`),
a few times a second, so that a terminal that takes no more output stops the bar alone. Whatever fails while it
shows something is left out from then on, with one warning.
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
    "leave_out",
    "open_stderr",
    "shown",
    "track",
]

Report = Callable[[str, int, int], None]
Update = Callable[[int], None]

_EVERY = 0.1
_PATIENCE = 1.0
_QUICK = 0.01
_REST = 19
_log = logging.getLogger(__name__)


def leave_out(what: str, error: BaseException) -> None:
    """Warn that something which shows progress failed and is not asked again; where warnings are errors, log it."""
    text = f"{what} cannot be shown any more ({type(error).__name__}: {error}); the work goes on"
    try:
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    except RuntimeWarning:
        _log.warning("%s", text)
    _log.debug("%s", text, exc_info=error)


class Drawing:
    """Calls a function on a thread of its own whenever there is something new, and never makes anybody wait.

    Parameters
    ----------
    draw : callable
        Shows what is newest; looks it up by itself. If it raises it is not called again.
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
        every: float = _EVERY,
        what: str = "progress",
    ) -> None:
        self._draw, self._finish, self._every, self._what = draw, finish, every, what
        self._asked, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="redactkit-drawing", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as err:  # no room for another thread: the work needs none
            self._closing.set()
            leave_out(what, err)

    def ask(self) -> None:
        """Say that there is something new."""
        self._asked.set()

    def close(self, *, patience: float = _PATIENCE) -> bool:
        """Draw once more and end; return whether that was done within ``patience`` seconds."""
        self._closing.set()
        self._asked.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(patience)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            try:
                while not self._draw_next():
                    self._closing.wait(self._every)
            finally:
                self._finish()
        except Exception as err:
            leave_out(self._what, err)

    def _draw_next(self) -> bool:
        """Wait until asked, draw, and return whether that was the last time."""
        self._asked.wait()
        last = self._closing.is_set()
        self._asked.clear()
        self._draw()
        return last


class Shown:
    """How the progress of a pass is shown, through all its stages; made by `shown`.

    Parameters
    ----------
    progress : bool or callable
    """

    def __init__(self, progress: bool | Report) -> None:
        self._progress = progress
        self._rest_until = 0.0

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Update]:
        """Yield a function that is told how many frames more are done."""
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
        """Call what shows something; what raises, other than to cancel, is left out from now on."""
        if not self._progress:
            return
        started = time.monotonic()
        try:
            function()
        except PassCancelled:
            raise
        except Exception as err:
            self._progress = False
            leave_out(what, err)
        ended = time.monotonic()
        # Who takes long is asked so seldom that the work takes a twentieth longer at most.
        self._rest_until = ended + _REST * (ended - started) if ended - started > _QUICK else 0.0

    def _reporter(self, stage: str, total: int) -> Update:
        done, report = 0, self._progress

        def update(count: int) -> None:
            nonlocal done
            done += count
            if callable(report) and (done >= total or time.monotonic() >= self._rest_until):
                self.call("progress", lambda: report(stage, done, total))

        update(0)
        return update


ProgressLike = bool | Report | Shown


def shown(progress: ProgressLike) -> Shown:
    """Return how progress is shown: what fails in one stage of a pass is then left out of the next ones too."""
    return progress if isinstance(progress, Shown) else Shown(progress)


@contextmanager
def track(progress: ProgressLike, stage: str, *, total: int) -> Iterator[Update]:
    """Yield a function that is told how many frames more are done.

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
        """Note that so many frames more are done."""
        self._done += count
        self._drawing.ask()

    def close(self) -> None:
        """Show the last count, unless the terminal takes no more."""
        self._drawing.close()

    def _draw(self) -> None:
        self._bar = self._bar or TerminalBar(file=self._file, **self._make)
        self._bar.show(self._done)

    def _finish(self) -> None:
        with contextlib.closing(self._file):
            if self._bar is not None:
                self._bar.close()


class TerminalBar(terminal_tqdm):  # type: ignore[misc]
    """A tqdm bar that leaves nothing locked behind when it fails.

    tqdm holds a lock that all bars of the process share, and keeps it if it fails in the middle; bars of
    others, and the end of the process, would wait for it for ever. Its monitor, a thread that the end of the
    process waits for, is not needed: bars are drawn anew a few times a second.
    """

    monitor_interval = 0

    def __init__(self, **options: Any) -> None:
        try:
            super().__init__(dynamic_ncols=_has_width(options.get("file")), **options)
        except Exception:
            self._let_go()
            raise

    def show(self, done: int, text: str | None = None) -> None:
        """Draw the bar with another count, and with another text before it where one is given."""
        try:
            self.n = done
            if text is not None:
                self.set_description(text, refresh=False)
            self.refresh()
        except Exception:
            self._let_go()
            raise

    def close(self) -> None:
        """Leave the bar as it is, or clear it."""
        try:
            super().close()
        except Exception:
            self._let_go()
            raise

    def _let_go(self) -> None:
        self.disable = True
        lock = self.get_lock()
        with contextlib.suppress(RuntimeError, AssertionError):  # so it says that this thread holds it no more
            while True:
                lock.release()


class _Widget:
    """The bar of a notebook, drawn where the work is done: a kernel's output belongs to the thread of its cell."""

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
    """Return whether a terminal says how wide it is; those that say 0 would be shown nothing."""
    try:
        return os.get_terminal_size(file.fileno()).columns > 0
    except (AttributeError, OSError, ValueError):
        return False


def open_stderr() -> Any:
    """Return a file to stderr that shares nothing with ``sys.stderr``.

    A thread that waits for a full pipe or a stopped terminal would keep the lock of the file it writes
    to; the main thread, in want of it, would not even hear signals.
    """
    try:
        sys.stderr.flush()
        raw = io.FileIO(os.dup(sys.stderr.fileno()), "w")
    except (AttributeError, OSError, ValueError):  # stderr is no file, as in tests and notebooks
        return _Borrowed(sys.stderr)
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "replace", line_buffering=True)


class _Borrowed(io.TextIOBase):
    """A stream of somebody else, or none, which is not to be closed."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if self._stream is None else int(self._stream.write(text))

    def flush(self) -> None:
        if self._stream is not None:
            self._stream.flush()
