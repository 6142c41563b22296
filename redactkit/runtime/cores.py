"""The cores that this process may use, and how many workers and threads get them."""

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


_CGROUP_QUOTA_FILE = Path("/sys/fs/cgroup/cpu.max")
_lock = threading.Lock()
_threads_before: list[int] = []
"""OpenCV's number of threads before, once for each caller inside `opencv_in_one_thread`."""


def count_cores() -> int:
    """Return the cores that this process may use, by its CPU affinity and its container's quota."""
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
        return _CGROUP_QUOTA_FILE.read_text(encoding="utf-8").split()
    except OSError:
        return []


@contextmanager
def opencv_in_one_thread() -> Iterator[None]:
    """Run OpenCV without threads of its own; also a decorator.

    OpenCV's threads spin for a while after every call, on cores that decoder, network and encoder need. On two cores an
    analysis takes a tenth less time without them. The setting is the process's; the last caller to leave restores it.
    """
    import cv2  # costs a tenth of a second to import

    with _lock:
        _threads_before.append(_threads_before[0] if _threads_before else cv2.getNumThreads())
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            before = _threads_before.pop()
            if not _threads_before:
                cv2.setNumThreads(before)
