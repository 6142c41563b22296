"""Who is told when jobs change, each on a thread of its own: one that hangs or fails holds up nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from redactkit.runtime.progress import Drawing

__all__ = ["Listener", "Listeners"]

Listener = Callable[[list[int]], None]


class Listeners:
    """Those who listen.

    Parameters
    ----------
    every : float
        Seconds between two calls of a listener, at least.

    Examples
    --------
    >>> heard = []
    >>> listeners = Listeners(every=0.5)
    >>> forget = listeners.add(heard.append)
    >>> listeners.tell([3, 1])
    >>> listeners.close()
    >>> heard
    [[1, 3]]
    """

    def __init__(self, *, every: float) -> None:
        self._every = every
        self._told: tuple[_Told, ...] = ()

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell one more from now on; return what ends that."""
        told = _Told(listener, every=self._every)
        self._told = (*self._told, told)

        def forget() -> None:
            self._told = tuple(other for other in self._told if other is not told)
            told.close(heed=False)

        return forget

    def tell(self, numbers: Iterable[int]) -> None:
        """Say which jobs have changed, and wait for nobody."""
        news = set(numbers)
        for told in self._told if news else ():
            told.tell(news)

    def close(self) -> None:
        """Let each hear what is left, a moment at most, and end."""
        for told in self._told:
            told.close(heed=True)
        self._told = ()


class _Told:
    """One listener and what it has not heard yet: all of it in one call, however long the last one took."""

    def __init__(self, listener: Listener, *, every: float) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._news: set[int] = set()
        self._heeds = True
        self._drawing = Drawing(self._call, every=every, what="changes of jobs")

    def tell(self, numbers: set[int]) -> None:
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
