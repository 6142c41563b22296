"""Notify listeners when jobs change, each on its own thread: one that hangs or fails blocks no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from redactkit.runtime.progress import Drawing

__all__ = ["Listener", "Listeners"]

Listener = Callable[[list[int]], None]


class Listeners:
    """The listeners of a set of jobs.

    Parameters
    ----------
    every : float
        Seconds between two calls of a listener, at least.

    Examples
    --------
    >>> heard = []
    >>> listeners = Listeners(every=0.5)
    >>> forget = listeners.add(heard.append)
    >>> listeners.notify([3, 1])
    >>> listeners.close()
    >>> heard
    [[1, 3]]
    """

    def __init__(self, *, every: float) -> None:
        self._every = every
        self._subscribers: tuple[_Subscriber, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Add a listener; return a function that removes it."""
        subscriber = _Subscriber(listener, every=self._every)
        self._subscribers = (*self._subscribers, subscriber)

        def forget() -> None:
            self._subscribers = tuple(other for other in self._subscribers if other is not subscriber)
            subscriber.close(heed=False)

        return forget

    def notify(self, numbers: Iterable[int]) -> None:
        """Announce the jobs that have changed; return at once."""
        news = set(numbers)
        for subscriber in self._subscribers if news else ():
            subscriber.notify(news)

    def close(self) -> None:
        """Deliver what is left, within a moment, and end."""
        for subscriber in self._subscribers:
            subscriber.close(heed=True)
        self._subscribers = ()


class _Subscriber:
    """One listener with its pending changes, which it gets in one call, however long the last one took."""

    def __init__(self, listener: Listener, *, every: float) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._news: set[int] = set()
        self._heeds = True
        self._drawing = Drawing(self._call, every=every, what="changes of jobs")

    def notify(self, numbers: set[int]) -> None:
        with self._lock:
            self._news |= numbers
        self._drawing.ask()

    def close(self, *, heed: bool) -> None:
        self._heeds = heed
        self._drawing.close()

    def _call(self) -> None:
        with self._lock:
            news, self._news = sorted(self._news), set()
        if news and self._heeds:
            self._listener(news)
