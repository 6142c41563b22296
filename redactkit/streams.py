"""Iteration ahead of its consumer: decode, scale and search overlap, and never pile up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

__all__ = ["buffered"]

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
    channel: _Channel[Item] = _Channel(ahead)
    producer = threading.Thread(target=_produce, args=(items, channel), name="redactkit-buffered", daemon=True)
    producer.start()
    try:
        while (item := channel.get()) is not None:
            yield item[0]
    finally:
        channel.close()
        producer.join()
    if channel.error is not None:
        raise channel.error


def _produce(items: Iterable[Item], channel: _Channel[Item]) -> None:
    try:
        for item in items:
            if not channel.put(item):
                break
    except BaseException as err:
        channel.error = err
    finally:
        _close(items, channel)
        channel.end()


def _close(items: Iterable[Item], channel: _Channel[Item]) -> None:
    """Let a generator put its things away in the thread that ran it."""
    if isinstance(items, Generator):
        try:
            items.close()
        except BaseException as err:
            channel.error = channel.error or err


class _Channel(Generic[Item]):
    """A bounded queue of one producer and one consumer, which either can end."""

    def __init__(self, size: int) -> None:
        self.error: BaseException | None = None
        self._size, self._waiting = size, 0
        self._items: deque[tuple[Item]] = deque()
        self._ended = self._closed = False
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
            self._changed.wait_for(lambda: self._items or self._ended)
            self._waiting -= 1
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """Say that no item will follow."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no item is wanted."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()
