"""The faces and cuts of a whole video, part by part, as one raw table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.appearance import Appearance
from redactkit.analysis.checkpoint import Checkpoint, ChunkResult
from redactkit.analysis.letterbox import choose_detection_size
from redactkit.analysis.mixed_frames import brief_stretches, mixed_stretches
from redactkit.analysis.parallel_search import scan_alone, scan_part
from redactkit.analysis.search import Search, plan_search
from redactkit.detectors import Detector
from redactkit.media import VideoInfo
from redactkit.runtime.progress import ProgressLike, Update, track
from redactkit.tables import BOX, as_detections
from redactkit.video import VideoReader
from redactkit.video.chunks import CHUNK_FRAMES, split_frames

__all__ = [
    "Scan",
    "choose_detection_size",
    "detect",
    "scan",
]

_ERRORS_KEPT = 100


@dataclass(frozen=True)
class Scan:
    """What the detector saw.

    Parameters
    ----------
    detections : DataFrame
        One row per box; ``face_id`` only numbers the boxes of a frame. Source ``interpolated`` marks
        those that were not searched for, since the frames around them tell enough.
    cuts : ndarray of int64
        Frames that start a new shot.
    appearance : ndarray of shape (N, LENGTH), uint8
        What each row's face looks like, see `redactkit.analysis.appearance`; zeros where it was not seen.
    search : Search
        How it was searched.
    errors : tuple of str
        What did not decode.
    mixed, brief : ndarray of shape (K, 2), int64
        First and last frames of mixtures of two shots, and of what shows for a frame or two only.
    """

    detections: pd.DataFrame
    cuts: NDArray[np.int64]
    appearance: Appearance
    search: Search
    errors: tuple[str, ...] = ()
    mixed: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    brief: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    @property
    def settings(self) -> dict[str, Any]:
        """How it was searched, for the record."""
        return self.search.settings


def detect(
    reader: VideoReader,
    *,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    size: int | None = None,
    sensitivity: str = "normal",
    keep: Path | None = None,
    progress: ProgressLike = True,
) -> Scan:
    """Find the faces in every frame of a video, and its scene cuts on the way.

    Frames between two in which all faces moved as predicted are not searched; their boxes lie between.

    Parameters
    ----------
    reader : VideoReader
    detector : str or Detector
        ``"centerface"``, ``"yunet"``, or any callable from a batch of RGB images to boxes.
    model : path, optional
        Model file of a detector given by name; YuNet needs it here or in the variable ``REDACTKIT_YUNET``.
    size : int, optional
        Longer side in pixels of the picture searched; by default chosen so that a face of 24 pixels is found.
    sensitivity : {"normal", "high", "low"}
        How doubtful a box may be and still be looked at.
    keep : path, optional
        Folder in which the parts of a long video are kept as they are done, and looked for first.
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
    return scan(reader, search, keep=keep, progress=progress)


def scan(
    reader: VideoReader,
    search: Search,
    *,
    keep: Path | None = None,
    part_frames: int = CHUNK_FRAMES,
    progress: ProgressLike = True,
) -> Scan:
    """Search every frame of a video; parameters and errors as of `detect`.

    Parameters
    ----------
    part_frames : int
        Frames of a part, of which the outcome does not depend.
    """
    info = reader.info
    spans = split_frames(info, longest=part_frames)
    with track(progress, "analyze", total=info.frame_count) as update:
        parts = _scan_parts(reader, search, spans, Checkpoint.of(keep, info, search.settings), update)
        # Where its parts do not decode by themselves, the video is searched in one go.
        parts = parts or [scan_part(reader, search, (0, info.frame_count), update=update)]
    return _joined(parts, info, search)


def _scan_parts(
    reader: VideoReader, search: Search, spans: list[tuple[int, int]], checkpoint: Checkpoint, update: Update
) -> list[ChunkResult] | None:
    parts: list[ChunkResult] = []
    if len(spans) == 1:
        return None
    for span in spans:
        part = checkpoint.load(*span)
        if part is not None:
            update(part.searched)
        elif (part := scan_alone(reader, search, span, update)) is not None:
            checkpoint.save(part)
        else:
            update(-sum(done.searched for done in parts))
            return None
        parts.append(part)
    return parts


def _joined(parts: list[ChunkResult], info: VideoInfo, search: Search) -> Scan:
    frame = np.concatenate([part.frame for part in parts])
    faces = np.vstack([part.faces for part in parts])
    _, first, counts = np.unique(frame, return_index=True, return_counts=True)
    rank = np.arange(len(frame)) - np.repeat(first, counts)
    columns = {"frame": frame, "time": info.times[frame], "face_id": rank + 1, "confidence": faces[:, 4]}
    source = np.where(np.concatenate([part.seen for part in parts]), "detected", "interpolated")
    table = as_detections({**columns, **dict(zip(BOX, faces.T, strict=False)), "source": source})
    errors = dict.fromkeys(error for part in parts for error in part.errors)
    cuts = np.concatenate([part.cuts for part in parts])
    appearance = np.concatenate([part.appearance for part in parts])
    mixed = mixed_stretches(np.concatenate([part.mixed for part in parts]), frames=info.frame_count)
    brief = brief_stretches(np.concatenate([part.jumps for part in parts]), frames=info.frame_count)
    return Scan(table, cuts, appearance, search, tuple(errors)[:_ERRORS_KEPT], mixed, brief)
