"""The cores that this process may use, and who gets them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["count_cores", "opencv_in_one_thread"]

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_lock = threading.Lock()
_asked: list[int] = []
"""What OpenCV's number of threads was, once for everyone who wants it to be one now."""


def count_cores() -> int:
    """Return the cores that this process may use, as scheduler and container allow."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    if len(quota) == 2 and quota[0].isdigit() and int(quota[1]):
        allowed = min(allowed, max(1, int(quota[0]) // int(quota[1])))
    return max(1, allowed)


def _quota() -> list[str]:
    try:
        return _QUOTA.read_text(encoding="utf-8").split()
    except OSError:
        return []


@contextmanager
def opencv_in_one_thread() -> Iterator[None]:
    """Keep OpenCV to the thread that calls it; also a decorator.

    Its own threads spin for a while after every call, on the cores that decoder, network and encoder want.
    On two cores an analysis takes a tenth less time without them. The number of threads is the process's; the
    last one out puts it back.
    """
    import cv2  # costs a tenth of a second to import

    with _lock:
        _asked.append(_asked[0] if _asked else cv2.getNumThreads())
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            before = _asked.pop()
            if not _asked:
                cv2.setNumThreads(before)
