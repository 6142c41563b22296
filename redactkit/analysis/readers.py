"""Readers for work on several places of a video at once."""

from __future__ import annotations

from redactkit.detectors import Detector, is_thread_safe
from redactkit.runtime.cores import count_workers
from redactkit.video import VideoReader

__all__ = ["open_readers"]


def open_readers(reader: VideoReader, detector: Detector, *, tasks: int) -> list[VideoReader]:
    """Return readers of the same video for as many threads as its ``tasks`` are best worked on with, to be closed.

    There are none where one thread is enough, or all that the detector bears. Each has a decoder of one thread, and
    they share out the frames that ``reader`` may keep.
    """
    info = reader.info
    if info.path is None or not is_thread_safe(detector):
        return []
    count = count_workers(width=info.width, height=info.height, tasks=tasks)
    return [reader.another(threads=1, share=count) for _ in range(count)] if count > 1 else []
