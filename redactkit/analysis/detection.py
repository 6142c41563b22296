"""Every frame through the detector: decoding, scaling and inference side by side, one raw table at the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.checkpoint import Checkpoint, Part
from redactkit.analysis.cuts import CutFinder
from redactkit.analysis.looks import Image, Look, choose_detection_size, merge
from redactkit.analysis.search import Search, plan_search
from redactkit.boxes import FloatArray
from redactkit.detectors import Detector, run_detector
from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.progress import ProgressLike, Update, track
from redactkit.streams import buffered
from redactkit.tables import BOX, as_detections
from redactkit.video import Frame, VideoReader
from redactkit.video.parts import LEAD, PART_FRAMES, split_frames

__all__ = [
    "Scan",
    "choose_detection_size",
    "detect",
    "scan",
    "scan_part",
]

BATCH = 4
AHEAD = 2
_ERRORS_KEPT = 100


@dataclass(frozen=True)
class Scan:
    """What the detector saw.

    Parameters
    ----------
    detections : DataFrame
        One row per box; ``face_id`` only numbers the boxes of a frame, best first.
    cuts : ndarray of int64
        Frames that start a new shot.
    search : Search
        How it was searched.
    errors : tuple of str
        What did not decode.
    """

    detections: pd.DataFrame
    cuts: NDArray[np.int64]
    search: Search
    errors: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """How it was searched, for the record."""
        return self.search.settings


def detect(
    reader: VideoReader,
    *,
    detector: str | Detector = "centerface",
    size: int | None = None,
    sensitivity: str = "normal",
    keep: Path | None = None,
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
    keep : path, optional
        Folder in which the parts of a long video are kept as they are done, and looked for first.
    progress : bool or callable
        See `redactkit.progress.track`.

    Raises
    ------
    OptionError
        For an unknown detector, sensitivity or a size too small to search.
    DetectorError, VideoError
        If the model or the video fails.
    """
    search = plan_search(reader.info, detector=detector, size=size, sensitivity=sensitivity)
    return scan(reader, search, keep=keep, progress=progress)


def scan(
    reader: VideoReader,
    search: Search,
    *,
    keep: Path | None = None,
    part_frames: int = PART_FRAMES,
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


def scan_part(reader: VideoReader, search: Search, span: tuple[int, int], *, update: Update) -> Part:
    """Search the frames from ``span[0]`` to ``span[1]``, not included.

    A few frames before and after are decoded too, so that cuts are the ones of the whole video.
    """
    start, stop = span
    finder, numbers = CutFinder(), list[int]()
    found: dict[int, FloatArray] = {}
    known = len(reader.decode_errors)
    frames = reader.frames(max(start - LEAD, 0), stop + LEAD)
    pictures = _pictures(frames, search.looks, finder, span=span, numbers=numbers)
    with closing(buffered(_batches(pictures), ahead=AHEAD)) as batches:
        for batch in batches:
            found.update(zip([number for number, _ in batch], _search(search, batch, reader.info), strict=True))
            update(len(batch))
    cuts = np.array(numbers, np.int64)[finder.cuts()]
    return Part(
        start=start,
        stop=stop,
        searched=len(found),
        frame=np.repeat(np.array(sorted(found), np.int64), [len(found[number]) for number in sorted(found)]),
        faces=np.vstack([np.zeros((0, 5)), *(found[number] for number in sorted(found))]),
        cuts=cuts[(cuts >= start) & (cuts < stop)],
        errors=tuple(reader.decode_errors[known:]),
    )


def _scan_parts(
    reader: VideoReader, search: Search, spans: list[tuple[int, int]], checkpoint: Checkpoint, update: Update
) -> list[Part] | None:
    parts: list[Part] = []
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


def scan_alone(reader: VideoReader, search: Search, span: tuple[int, int], update: Update) -> Part | None:
    """Return a part, None if decoding from its keyframe does not give all its frames."""
    done = 0

    def count(frames: int) -> None:
        nonlocal done
        done += frames
        update(frames)

    try:
        part = scan_part(reader, search, span, update=count)
    except VideoError:
        part = None
    if part is None or part.searched < span[1] - span[0]:
        update(-done)
        return None
    return part


def _joined(parts: list[Part], info: VideoInfo, search: Search) -> Scan:
    frame = np.concatenate([part.frame for part in parts])
    faces = np.vstack([part.faces for part in parts])
    _, first, counts = np.unique(frame, return_index=True, return_counts=True)
    rank = np.arange(len(frame)) - np.repeat(first, counts)
    columns = {"frame": frame, "time": info.times[frame], "face_id": rank + 1, "confidence": faces[:, 4]}
    table = as_detections({**columns, **dict(zip(BOX, faces.T, strict=False)), "source": "detected"})
    errors = dict.fromkeys(error for part in parts for error in part.errors)
    cuts = np.concatenate([part.cuts for part in parts])
    return Scan(table, cuts, search, tuple(errors)[:_ERRORS_KEPT])


Prepared = tuple[int, list[Image]]


def _batches(pictures: Iterator[Prepared]) -> Iterator[tuple[Prepared, ...]]:
    """Yield batches of frame numbers with the pictures to search in each frame."""
    while batch := tuple(islice(pictures, BATCH)):
        yield batch


def _pictures(
    frames: Iterator[Frame], looks: Sequence[Look], finder: CutFinder, *, span: tuple[int, int], numbers: list[int]
) -> Iterator[Prepared]:
    with closing(buffered(frames, ahead=AHEAD * BATCH)) as ahead:
        for frame in ahead:
            image = frame.rgb(width=looks[0].width, height=looks[0].height)
            finder.add(image)
            numbers.append(frame.index)
            if span[0] <= frame.index < span[1]:
                yield frame.index, [look.picture(image) for look in looks]


def _search(search: Search, batch: Sequence[Prepared], info: VideoInfo) -> Iterator[FloatArray]:
    """Yield the faces of each frame of a batch; pictures of one size go to the detector in a row."""
    looks = search.looks
    pictures = [pictures[k] for k in range(len(looks)) for _, pictures in batch]
    results = run_detector(search.detector, pictures)
    for place in range(len(batch)):
        found = results[place :: len(batch)]
        faces = [
            look.faces(faces, width=info.width, height=info.height) for look, faces in zip(looks, found, strict=True)
        ]
        yield merge(faces, floor=search.thresholds.floor)
