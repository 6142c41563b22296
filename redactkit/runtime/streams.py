"""Iteration ahead of its consumer, of one thing or several at once: work overlaps, and never piles up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from typing import Generic, TypeVar

__all__ = ["buffered", "side_by_side"]

Item = TypeVar("Item")


def buffered(items: Iterable[Item], *, ahead: int = 4) -> Generator[Item, None, None]:
    """Iterate over ``items`` in a thread of its own, at most ``ahead`` items before the one it works on.

    What ``items`` raises is raised here, after the items before it. When the consumer stops, by an error,
    by ``close()`` or by forgetting the generator, the thread ends too, and with it ``items``.

    Examples
    --------
    >>> list(buffered(range(3)))
    [0, 1, 2]
    """
    return side_by_side([items], ahead=ahead)


def side_by_side(sources: Sequence[Iterable[Item]], *, ahead: int = 4) -> Generator[Item, None, None]:
    """Iterate over several iterables, each in a thread of its own; items come as they are ready.

    At most ``ahead`` items wait. What one of them raises ends them all, and is raised here.

    Examples
    --------
    >>> sorted(side_by_side([range(3), range(10, 12)]))
    [0, 1, 2, 10, 11]
    """
    channel: _Channel[Item] = _Channel(ahead, producers=len(sources))
    threads = [
        threading.Thread(target=_produce, args=(items, channel), name="redactkit-buffered", daemon=True)
        for items in sources
    ]
    for thread in threads:
        thread.start()
    try:
        while (item := channel.get()) is not None:
            yield item[0]
    finally:
        channel.close()
        for thread in threads:
            thread.join()
    if channel.error is not None:
        raise channel.error


def _produce(items: Iterable[Item], channel: _Channel[Item]) -> None:
    error: BaseException | None = None
    try:
        for item in items:
            if not channel.put(item):
                break
    except BaseException as err:
        error = err
    channel.end(error, _close(items))


def _close(items: Iterable[Item]) -> BaseException | None:
    """Let a generator put its things away in the thread that ran it; return what it raises."""
    try:
        if isinstance(items, Generator):
            items.close()
    except BaseException as err:
        return err
    return None


class _Channel(Generic[Item]):
    """A bounded queue of some producers and one consumer, which any of them can end."""

    def __init__(self, size: int, *, producers: int) -> None:
        self.error: BaseException | None = None
        self._size, self._waiting, self._producers = size, 0, producers
        self._items: deque[tuple[Item]] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Wait for room and add an item; False when nobody wants it any more."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._size + self._waiting or self._closed)
            if not self._closed:
                self._items.append((item,))
                self._changed.notify_all()
            return not self._closed

    def get(self) -> tuple[Item] | None:
        """Wait for an item; None when there will be none."""
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._items or not self._producers or self.error)
            self._waiting -= 1
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self, *errors: BaseException | None) -> None:
        """Say that no item will follow from one producer, and of what that died, if of anything."""
        with self._changed:
            self._producers -= 1
            self.error = next((err for err in (self.error, *errors) if err is not None), None)
            self._closed = self._closed or self.error is not None
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no item is wanted."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
