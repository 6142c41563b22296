"""Scan a whole video, chunk by chunk, for faces and shot boundaries, and put the faces into one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.appearance import Appearance
from redactkit.analysis.checkpoint import Checkpoint, ChunkResult
from redactkit.analysis.chunk_search import Watch, scan_chunk, scan_separate_chunk
from redactkit.analysis.letterbox import choose_detection_size
from redactkit.analysis.mixed_frames import brief_ranges, mixed_ranges
from redactkit.analysis.search import Search, plan_search
from redactkit.detectors import Detector
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.progress import ProgressLike, Update, track
from redactkit.tables import BOX, as_detections
from redactkit.video import VideoReader
from redactkit.video.chunks import CHUNK_FRAMES, split_frames

__all__ = [
    "Scan",
    "choose_detection_size",
    "detect",
    "join_chunks",
    "scan",
]

_MAX_ERRORS = 100
"""Most messages about frames that did not decode that annotations keep."""


@dataclass(frozen=True)
class Scan:
    """The result of scanning a video.

    Parameters
    ----------
    detections : DataFrame
        One row per box; ``face_id`` only numbers the boxes of a frame. Source ``interpolated`` marks boxes of frames
        that were not searched.
    cuts : ndarray of int64
        Frames that start a new shot.
    appearance : ndarray of shape (N, LENGTH), uint8
        The appearance of each row's face, see `redactkit.analysis.appearance`; zeros for interpolated boxes.
    search : Search
        The settings of the search.
    errors : tuple of str
        Messages about frames that did not decode.
    mixed, brief : ndarray of shape (K, 2), int64
        First and last frame of each range of mixed frames, and of each shot of a frame or two.
    ends : ndarray of int64
        The video's first and last frame.
    """

    detections: pd.DataFrame
    cuts: NDArray[np.int64]
    appearance: Appearance
    search: Search
    errors: tuple[str, ...] = ()
    mixed: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    brief: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    ends: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the search, as annotations keep them."""
        return self.search.settings


def detect(
    reader: VideoReader,
    *,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    size: int | None = None,
    sensitivity: str = "normal",
    chunk_folder: Path | None = None,
    progress: ProgressLike = True,
) -> Scan:
    """Find the faces in every frame of a video, and its shot boundaries.

    Frames between two in which all faces moved as predicted are not searched; their boxes are interpolated.

    Parameters
    ----------
    reader : VideoReader
    detector, model, size, sensitivity
        As in `redactkit.analysis.search.plan_search`.
    chunk_folder : path, optional
        Folder in which finished chunks of a long video are kept, and looked for first.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Raises
    ------
    OptionError
        For an unknown detector, sensitivity or a size too small to search.
    DetectorError, VideoError
        If the model or the video fails.
    """
    search = plan_search(reader.info, detector=detector, model=model, size=size, sensitivity=sensitivity)
    return scan(reader, search, chunk_folder=chunk_folder, progress=progress)


def scan(
    reader: VideoReader,
    search: Search,
    *,
    chunk_folder: Path | None = None,
    chunk_frames: int = CHUNK_FRAMES,
    progress: ProgressLike = True,
    watch: Watch | None = None,
) -> Scan:
    """Search every frame of a video; parameters and errors as of `detect`.

    Parameters
    ----------
    chunk_frames : int
        Frames of a chunk. The outcome does not depend on it.
    watch : callable, optional
        See `redactkit.analysis.chunk_search.Watch`.
    """
    info = reader.info
    ranges = split_frames(info, longest=chunk_frames)
    with track(progress, "analyze", total=info.frame_count) as update:
        checkpoint = Checkpoint.of(chunk_folder, info, search.settings)
        chunks = _scan_chunks(reader, search, ranges, checkpoint, update, watch)
        # Where a chunk does not decode by itself, the video is searched in one go.
        chunks = chunks or [scan_chunk(reader, search, FrameRange(0, info.frame_count), update=update, watch=watch)]
    return join_chunks(chunks, info, search)


def _scan_chunks(
    reader: VideoReader,
    search: Search,
    ranges: list[FrameRange],
    checkpoint: Checkpoint,
    update: Update,
    watch: Watch | None,
) -> list[ChunkResult] | None:
    """Load or scan each chunk; return None for a single one, or if one does not decode by itself."""
    chunks: list[ChunkResult] = []
    if len(ranges) == 1:
        return None
    for frames in ranges:
        chunk = checkpoint.load(frames)
        if chunk is not None:
            update(chunk.frames_done)
        elif (chunk := scan_separate_chunk(reader, search, frames, update, watch=watch)) is not None:
            checkpoint.save(chunk)
        else:
            # Progress goes back to zero, since the caller starts over without chunks.
            update(-sum(done.frames_done for done in chunks))
            return None
        chunks.append(chunk)
    return chunks


def join_chunks(chunks: list[ChunkResult], info: VideoInfo, search: Search) -> Scan:
    """Put the results of all chunks into one table, numbering the boxes of each frame from 1."""
    frame = np.concatenate([chunk.frame for chunk in chunks])
    faces = np.vstack([chunk.faces for chunk in chunks])
    # Faces are best first within a frame; their rank serves as face ID until they are linked.
    _, first, counts = np.unique(frame, return_index=True, return_counts=True)
    rank = np.arange(len(frame)) - np.repeat(first, counts)
    columns = {"frame": frame, "time": info.times[frame], "face_id": rank + 1, "confidence": faces[:, 4]}
    source = np.where(np.concatenate([chunk.detected for chunk in chunks]), "detected", "interpolated")
    table = as_detections({**columns, **dict(zip(BOX, faces.T, strict=False)), "source": source})
    # Neighbouring chunks decode some frames twice, and report their errors twice.
    errors = dict.fromkeys(error for chunk in chunks for error in chunk.errors)
    cuts = np.concatenate([chunk.cuts for chunk in chunks])
    appearance = np.concatenate([chunk.appearance for chunk in chunks])
    mixed = mixed_ranges(np.concatenate([chunk.mixed for chunk in chunks]), frames=info.frame_count)
    brief = brief_ranges(np.concatenate([chunk.jumps for chunk in chunks]), frames=info.frame_count)
    ends = np.unique([0, info.frame_count - 1]) if info.frame_count else np.zeros(0, np.int64)
    return Scan(table, cuts, appearance, search, tuple(errors)[:_MAX_ERRORS], mixed, brief, ends)
