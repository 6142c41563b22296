"""Open several readers of one video, for threads that work on different frame ranges."""

from __future__ import annotations

from redactkit.detectors import Detector, is_thread_safe
from redactkit.runtime.cores import count_workers
from redactkit.video import VideoReader

__all__ = ["open_readers"]


def open_readers(reader: VideoReader, detector: Detector, *, tasks: int) -> list[VideoReader]:
    """Return one reader of the same video for each thread to start; the caller closes them.

    There are as many as cores, tasks and memory allow, and none where that is one or the detector is not thread safe.
    Each decodes in one thread and caches its share of the frames that ``reader`` may cache.
    """
    info = reader.info
    if info.path is None or not is_thread_safe(detector):
        return []
    count = count_workers(width=info.width, height=info.height, tasks=tasks)
    return [reader.another(threads=1, share=count) for _ in range(count)] if count > 1 else []
