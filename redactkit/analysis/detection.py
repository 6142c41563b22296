"""Every frame through the detector: decoding, scaling and inference side by side, one raw table at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.cuts import CutFinder
from redactkit.analysis.looks import Image, Look, choose_detection_size, merge, plan_looks
from redactkit.boxes import FloatArray
from redactkit.detectors import Detector, load_detector, run_detector
from redactkit.errors import OptionError
from redactkit.media import VideoInfo
from redactkit.progress import ProgressLike, track
from redactkit.streams import buffered
from redactkit.tables import BOX, as_detections
from redactkit.video import Frame, VideoReader

__all__ = ["FLOORS", "Scan", "choose_detection_size", "detect", "resolve_detector"]

FLOORS = {
    "centerface": {"high": 0.1, "normal": 0.15, "low": 0.3},
    "yunet": {"high": 0.3, "normal": 0.45, "low": 0.6},
}
"""Least confidence of a box that is looked at, by detector and sensitivity. What no track bears out goes later."""

BATCH = 4
AHEAD = 2


@dataclass(frozen=True)
class Scan:
    """What the detector saw.

    Parameters
    ----------
    detections : DataFrame
        One row per box; ``face_id`` only numbers the boxes of a frame, best first.
    cuts : ndarray of int64
        Frames that start a new shot.
    settings : dict
        How it was searched, for the record.
    """

    detections: pd.DataFrame
    cuts: NDArray[np.int64]
    settings: dict[str, Any]


def detect(
    reader: VideoReader,
    *,
    detector: str | Detector = "centerface",
    size: int | None = None,
    sensitivity: str = "normal",
    progress: ProgressLike = True,
) -> Scan:
    """Run a detector over every frame of a video, and find its scene cuts on the way.

    Parameters
    ----------
    reader : VideoReader
    detector : str or Detector
        ``"centerface"``, ``"yunet"``, or any callable from a batch of RGB images to boxes.
    size : int, optional
        Longer side in pixels of the picture searched; by default chosen so that a face of 24 pixels is found.
    sensitivity : {"normal", "high", "low"}
        How doubtful a box may be and still be looked at.
    progress : bool or callable
        See `redactkit.progress.track`.

    Raises
    ------
    OptionError
        For an unknown detector, sensitivity or a size too small to search.
    DetectorError, VideoError
        If the model or the video fails.
    """
    info = reader.info
    search = resolve_detector(detector, sensitivity=sensitivity)
    looks = plan_looks(info.width, info.height, size=size)
    finder = CutFinder()
    found: dict[int, FloatArray] = {}
    with (
        track(progress, "analyze", total=info.frame_count) as update,
        closing(buffered(_prepared(reader, looks, finder), ahead=AHEAD)) as batches,
    ):
        for batch in batches:
            found.update(zip([number for number, _ in batch], _search(search, looks, batch, info), strict=True))
            update(len(batch))
    settings = _settings(search, looks, sensitivity)
    return Scan(_table(found, info), finder.cuts(), settings)


def resolve_detector(detector: str | Detector, *, sensitivity: str = "normal") -> Detector:
    """Load a detector by name with the threshold of a sensitivity; one that is given is used as it is.

    Raises
    ------
    OptionError
        If the name or the sensitivity is unknown.
    """
    if sensitivity not in FLOORS["centerface"]:
        raise OptionError(f"sensitivity must be one of {sorted(FLOORS['centerface'])}, got {sensitivity!r}")
    if not isinstance(detector, str):
        return detector
    return load_detector(detector, threshold=FLOORS.get(detector, FLOORS["centerface"])[sensitivity])


Prepared = tuple[int, list[Image]]


def _prepared(reader: VideoReader, looks: Sequence[Look], finder: CutFinder) -> Iterator[tuple[Prepared, ...]]:
    """Yield batches of frame numbers with the pictures to search in each frame."""
    with closing(buffered(reader.frames(), ahead=AHEAD * BATCH)) as frames:
        prepared = _pictures(frames, looks, finder)
        while batch := tuple(islice(prepared, BATCH)):
            yield batch


def _pictures(frames: Iterable[Frame], looks: Sequence[Look], finder: CutFinder) -> Iterator[Prepared]:
    for frame in frames:
        image = frame.rgb(width=looks[0].width, height=looks[0].height)
        finder.add(image)
        yield frame.index, [look.picture(image) for look in looks]


def _search(
    detector: Detector, looks: Sequence[Look], batch: Sequence[Prepared], info: VideoInfo
) -> Iterator[FloatArray]:
    """Yield the faces of each frame of a batch; pictures of one size go to the detector in a row."""
    pictures = [pictures[k] for k in range(len(looks)) for _, pictures in batch]
    results = run_detector(detector, pictures)
    for place in range(len(batch)):
        found = results[place :: len(batch)]
        yield merge(
            look.faces(faces, width=info.width, height=info.height) for look, faces in zip(looks, found, strict=True)
        )


def _table(found: dict[int, FloatArray], info: VideoInfo) -> pd.DataFrame:
    frames = np.array(sorted(found), np.int64)
    counts = np.array([len(found[number]) for number in frames], np.int64)
    rows = np.vstack([np.zeros((0, 5)), *(found[number] for number in frames)])
    frame = np.repeat(frames, counts)
    rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = {"frame": frame, "time": info.times[frame], "face_id": rank + 1, "confidence": rows[:, 4]}
    return as_detections({**columns, **dict(zip(BOX, rows.T, strict=False)), "source": "detected"})


def _settings(detector: Detector, looks: Sequence[Look], sensitivity: str) -> dict[str, Any]:
    return {
        "detector": getattr(detector, "name", type(detector).__name__),
        "model_sha256": getattr(detector, "digest", None),
        "threshold": getattr(detector, "threshold", None),
        "sensitivity": sensitivity,
        "detection_size": [looks[0].width, looks[0].height],
        "looks": len(looks),
    }
