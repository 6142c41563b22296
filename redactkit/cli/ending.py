"""How commands that run for long end when they are told to: soon, whatever they are in the middle of."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from redactkit.cli.options import FAILED

__all__ = ["INTERRUPTED", "ending_soon"]

INTERRUPTED = "redactkit: interrupted; no unfinished output was left"
_LATEST = 9.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_soon(*, latest: float = _LATEST) -> Iterator[None]:
    """Raise KeyboardInterrupt at the first SIGINT or SIGTERM; end the process after ``latest`` seconds if it goes on.

    Python runs handlers of signals in the main thread, between two of its steps: while that waits for a lock, or
    for a terminal that takes no more, they never run. So a thread hears of signals too, by the file descriptor that
    the interpreter itself writes them to. Further signals are not needed then, and would only disturb the tidying up.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        yield  # where there are no such descriptors, and where signals do not come
        return
    with _watching(latest), _interrupting():
        yield


@contextmanager
def _interrupting() -> Iterator[None]:
    heard: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        if len(heard) == 1:
            raise KeyboardInterrupt

    before: dict[int, Callable[..., Any] | int | None] = {}
    for each in _SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:  # as in what a shell runs in the background
            before[each] = signal.signal(each, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items() if not heard else ():
            signal.signal(number, handler)


@contextmanager
def _watching(latest: float) -> Iterator[None]:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    watch = threading.Thread(target=_watch, args=(reading, latest), name="redactkit-ending", daemon=True)
    watch.start()
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writing)  # the thread ends if it has heard of nothing


def _watch(reading: int, latest: float) -> None:
    """Wait for a signal, and let the main thread have its time."""
    with open(reading, "rb", buffering=0) as pipe:
        while (byte := pipe.read(1)) and byte[0] not in _SIGNALS:
            pass
        if not byte:
            return
        time.sleep(latest)
    # Workers end with this process. What they leave unfinished is swept by the next run.
    with contextlib.suppress(OSError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(FAILED)
