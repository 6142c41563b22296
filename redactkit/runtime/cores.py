"""The cores that this process may use, and who gets them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["count_cores", "count_frames", "count_workers", "opencv_in_one_thread"]

WORKER_LIMITS = (2, 8)
WORKER_PIXELS = 4 * 1920 * 1080
"""Pixels of one frame of every worker together. Each has a decoder, and some an encoder, which hold some twenty to
thirty more frames: a higher value keeps more cores busy with large frames and takes that much more memory."""


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


def count_frames(pixels: int, *, width: int, height: int, limits: tuple[int, int]) -> int:
    """Return how many frames of a size come to ``pixels`` pixels together, within the limits.

    Examples
    --------
    >>> count_frames(4 * 1920 * 1080, width=3840, height=2160, limits=(2, 8))
    2
    """
    least, most = limits
    return min(max(pixels // max(1, width * height), least), most)


def count_workers(*, width: int, height: int, tasks: int) -> int:
    """Return how many threads, each with a decoder of its own, work best on ``tasks`` parts of a video.

    No more than there are cores, tasks, or room in memory for frames of that size.
    """
    return min(count_cores(), count_frames(WORKER_PIXELS, width=width, height=height, limits=WORKER_LIMITS), tasks)


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
