"""Readers for work on several places of a video at once."""

from __future__ import annotations

import numpy as np

from redactkit.cores import count_cores
from redactkit.detectors import Detector, bears_threads
from redactkit.video import VideoReader

__all__ = ["more_readers"]

AT_ONCE = (2, 8)
PIXELS = 4 * 1920 * 1080
"""Of the frames of all readers: each has a decoder and holds some twenty frames."""


def more_readers(reader: VideoReader, detector: Detector, *, tasks: int) -> list[VideoReader]:
    """Return readers of the same video for as many threads as its ``tasks`` are best worked on with, to be closed.

    There are none where one thread is enough, or all that the detector bears. Each has a decoder of one thread, and
    they share out the frames that ``reader`` may keep.
    """
    info = reader.info
    if info.path is None or not bears_threads(detector):
        return []
    room = int(np.clip(PIXELS // max(1, info.width * info.height), *AT_ONCE))
    count = min(count_cores(), room, tasks)
    return [reader.another(threads=1, share=count) for _ in range(count)] if count > 1 else []
