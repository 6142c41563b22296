"""Prefetching iterators: one or several iterables run in threads of their own, a bounded number of items ahead."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from typing import Generic, TypeVar

__all__ = ["buffered", "side_by_side"]

Item = TypeVar("Item")


def buffered(items: Iterable[Item], *, ahead: int = 4) -> Generator[Item, None, None]:
    """Iterate over ``items`` in a thread of its own, at most ``ahead`` items before the consumer.

    An exception of ``items`` is raised here, after the items before it. When the consumer stops, by an error, by
    ``close()`` or by dropping the generator, the thread ends too and ``items`` is closed. A higher ``ahead`` evens out
    items that take long, and holds more of them in memory.

    Examples
    --------
    >>> list(buffered(range(3)))
    [0, 1, 2]
    """
    return side_by_side([items], ahead=ahead)


def side_by_side(sources: Sequence[Iterable[Item]], *, ahead: int = 4) -> Generator[Item, None, None]:
    """Iterate over several iterables, each in a thread of its own; items come in the order in which they are ready.

    At most ``ahead`` items wait. An exception of one ends all, and is raised here.

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
    """Close a generator in the thread that ran it; return what it raises."""
    try:
        if isinstance(items, Generator):
            items.close()
    except BaseException as err:
        return err
    return None


class _Channel(Generic[Item]):
    """A bounded queue of several producers and one consumer; each of them can end it."""

    def __init__(self, size: int, *, producers: int) -> None:
        self.error: BaseException | None = None
        self._size, self._waiting_consumers, self._producers = size, 0, producers
        self._items: deque[tuple[Item]] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Item) -> bool:
        """Wait for room and add an item; return False if the consumer has stopped."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._items) < self._size + self._waiting_consumers or self._closed)
            if not self._closed:
                self._items.append((item,))
                self._changed.notify_all()
            return not self._closed

    def get(self) -> tuple[Item] | None:
        """Wait for an item; return None when no more will come."""
        with self._changed:
            self._waiting_consumers += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._items or not self._producers or self.error)
            self._waiting_consumers -= 1
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self, *errors: BaseException | None) -> None:
        """Announce that one producer has ended, and with what errors."""
        with self._changed:
            self._producers -= 1
            self.error = next((err for err in (self.error, *errors) if err is not None), None)
            self._closed = self._closed or self.error is not None
            self._changed.notify_all()

    def close(self) -> None:
        """Announce that the consumer has stopped."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
