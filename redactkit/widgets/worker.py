"""Work in a thread that is asked for more often than it can be done: only the newest request counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["LatestWorker"]

_IDLE = 5.0
_LONGEST_PAUSE = 2.0


class LatestWorker:
    """Calls ``work`` in a thread of its own after each `submit`; requests made meanwhile become one.

    The thread ends by itself when nothing is asked of it for a while, so that a forgotten view costs nothing.

    Parameters
    ----------
    work : callable
        Takes no argument: it reads what is to be done when it starts.
    interval : float
        Least seconds between two calls; where it is given, a call is also followed by a pause as long as it took.
    """

    def __init__(self, work: Callable[[], None], *, interval: float = 0.0) -> None:
        self._work, self._interval = work, interval
        self._condition = threading.Condition()
        self._asked = self._busy = self._stopped = False
        self._thread: threading.Thread | None = None

    def submit(self) -> None:
        """Ask for one more call, and return at once."""
        with self._condition:
            if self._stopped:
                return
            self._asked = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="redactkit-view", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is left to do; return whether that came in time."""
        with self._condition:
            return self._condition.wait_for(lambda: not (self._asked or self._busy), timeout)

    def stop(self) -> None:
        """Take no more requests; a call under way is let end."""
        with self._condition:
            self._stopped, self._asked = True, False
            self._condition.notify_all()

    def _run(self) -> None:
        while self._next():
            begun = time.monotonic()
            try:
                self._work()
            except BaseException:
                self._thread = None
                raise
            finally:
                self._done()
            took = time.monotonic() - begun
            # What takes long, on large tables, is done half of the time at most: edits must not wait for it.
            time.sleep(max(self._interval - took, min(took, _LONGEST_PAUSE)) if self._interval else 0.0)

    def _done(self) -> None:
        with self._condition:
            self._busy = False
            self._condition.notify_all()

    def _next(self) -> bool:
        with self._condition:
            self._condition.wait_for(lambda: self._asked or self._stopped, _IDLE)
            if not self._asked:
                self._thread = None
                return False
            self._asked, self._busy = False, True
            return True
