"""Readers for work on several places of a video at once."""

from __future__ import annotations

import numpy as np

from redactkit.detectors import Detector, is_thread_safe
from redactkit.runtime.cores import count_cores
from redactkit.video import VideoReader

__all__ = ["open_readers"]

READER_LIMITS = (2, 8)
READER_CACHE_PIXELS = 4 * 1920 * 1080
"""Of the frames of all readers: each has a decoder and holds some twenty frames."""


def open_readers(reader: VideoReader, detector: Detector, *, tasks: int) -> list[VideoReader]:
    """Return readers of the same video for as many threads as its ``tasks`` are best worked on with, to be closed.

    There are none where one thread is enough, or all that the detector bears. Each has a decoder of one thread, and
    they share out the frames that ``reader`` may keep.
    """
    info = reader.info
    if info.path is None or not is_thread_safe(detector):
        return []
    room = int(np.clip(READER_CACHE_PIXELS // max(1, info.width * info.height), *READER_LIMITS))
    count = min(count_cores(), room, tasks)
    return [reader.another(threads=1, share=count) for _ in range(count)] if count > 1 else []
