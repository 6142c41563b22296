"""Write one JPEG per face: a crop of its best frame, named as Azure Media Redactor named it."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.errors import VideoError
from redactkit.formats import thumbnail_name
from redactkit.runtime.files import write_bytes
from redactkit.runtime.marks import mark_jpeg
from redactkit.tables import BOX, best_rows, best_scores
from redactkit.video import Frame, VideoReader, as_jpeg
from redactkit.video.frame_store import large_folder

__all__ = ["KeptCrops", "crop_face", "frames_to_decode", "save_thumbnails"]

_MAX_SIDE_PIXELS = 320
"""Longest side of a thumbnail."""

_MARGIN_SHARE = 0.25
"""Margin shown on each side of the face, in shares of its box."""

_KEPT_MARGIN_SHARE = 0.6
"""The same of what is kept of a frame: boxes still grow a little when they are smoothed."""

_LEAST_MARGIN_SHARE = 0.1
"""The margin that a thumbnail has at least where less was kept, since the box grew. Raising it decodes more frames."""

_KEPT_PER_FACE = 4
"""Boxes of a face around which its frames are kept. Raising it finds the best frame more often, and takes memory."""

MAX_FRAMES_AHEAD = 64
"""Frames that are kept for thumbnails where all are decoded for something else. Raising it takes disk space."""

NEARLY = 0.5
"""Score of a kept box, in shares of the best one's, from which it is good enough for a thumbnail."""


def crop_face(picture: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the part of ``picture``, shape (H, W, 3), that shows the face in ``box`` with a margin."""
    left, top, right, bottom = _corners(box, picture.shape[1], picture.shape[0])
    return picture[top:bottom, left:right]


def _corners(
    box: NDArray[np.float64], width: int, height: int, *, margin: float = _MARGIN_SHARE
) -> tuple[int, int, int, int]:
    """Return the edges of what is shown of a face, in pixels of the frame; never empty."""
    return bx.edges_around(box, width=width, height=height, share=margin)


class KeptCrops:
    """Parts of frames that show faces at their best, kept while these frames need not be decoded for it.

    They lie in a temporary file without a name: those of faces that fill a frame of 1080p have 4 MB each.
    """

    def __init__(self) -> None:
        self._parts: dict[int, list[_Part]] = {}
        self._pixels = _PixelFile()

    def add(self, reader: VideoReader, detections: pd.DataFrame) -> None:
        """Keep the parts around the best box of every face in each part of its time: smoothing may change the best."""
        for frame, rows in best_rows(detections, per_face=_KEPT_PER_FACE).groupby("frame"):
            try:
                shown = reader.frame_at(int(str(frame)))
            except VideoError:
                continue
            self._parts.setdefault(shown.index, []).extend(
                _Part.around(shown, box, self._pixels) for box in rows[BOX].to_numpy(np.float64)
            )

    def best_frame(self, rows: pd.DataFrame) -> int | None:
        """Return the frame of the best box of a face that lies in a kept part, None if that is not nearly the best."""
        score = best_scores(rows)
        kept = np.array(
            [
                any(part.shows(box, margin=_LEAST_MARGIN_SHARE) for part in self._parts.get(int(frame), ()))
                for frame, box in zip(rows["frame"], rows[BOX].to_numpy(), strict=True)
            ],
            bool,
        )
        best = np.where(kept, score, -1.0)
        return int(rows["frame"].to_numpy()[best.argmax()]) if best.max(initial=-1) >= NEARLY * score.max() else None

    @property
    def frames(self) -> list[int]:
        """The frames of which something is kept, ascending."""
        return sorted(self._parts)

    def shows(self, frame: int, box: NDArray[np.float64]) -> bool:
        """Return whether a kept part of a frame shows a box with its margin."""
        return any(part.shows(box) for part in self._parts.get(frame, ()))

    def around(self, frame: int, box: NDArray[np.float64]) -> tuple[NDArray[np.uint8], int, int] | None:
        """Return the part that shows a box of a frame, and its left and top edge in the frame; None if none does."""
        part = next((part for part in self._parts.get(frame, ()) if part.shows(box)), None)
        return None if part is None else (part.pixels, part.left, part.top)

    def crop(self, frame: int, box: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return what `crop_face` cuts out of a frame, as far as it was kept, for a box in a kept part."""
        shown = [part for part in self._parts[frame] if part.shows(box, margin=_LEAST_MARGIN_SHARE)]
        return next((part for part in shown if part.shows(box)), shown[0]).crop(box)


class _PixelFile:
    """Pictures in a temporary file that is gone when nobody refers to this, or when the process ends."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._size = 0

    def put(self, picture: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Keep a picture and return what reads it; it stays in memory where the disk has no room for it."""
        data, start = np.ascontiguousarray(picture), self._size
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0, dir=large_folder())  # noqa: SIM115 - see below
                weakref.finalize(self, self._file.close)
            self._file.seek(start)
            written = self._file.write(data.data)
        except OSError:
            written = 0
        if written < data.nbytes:
            return lambda: data
        self._size += data.nbytes
        shape = data.shape
        return lambda: self._read(start, shape)

    def _read(self, start: int, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        file = cast(FileIO, self._file)
        file.seek(start)
        picture = np.empty(shape, np.uint8)
        file.readinto(picture.data.cast("B"))
        return picture


@dataclass(frozen=True)
class _Part:
    """A rectangle of a frame of ``size``, and its edges there."""

    read: Callable[[], NDArray[np.uint8]]
    left: int
    top: int
    right: int
    bottom: int
    size: tuple[int, int]

    @classmethod
    def around(cls, frame: Frame, box: NDArray[np.float64], file: _PixelFile) -> Self:
        width, height = frame.size
        left, top, right, bottom = _corners(box, width, height, margin=_KEPT_MARGIN_SHARE)
        return cls(file.put(frame.rgb_part(left, top, right, bottom)), left, top, right, bottom, (width, height))

    @property
    def pixels(self) -> NDArray[np.uint8]:
        return self.read()

    def shows(self, box: NDArray[np.float64], *, margin: float = _MARGIN_SHARE) -> bool:
        left, top, right, bottom = _corners(box, *self.size, margin=margin)
        return left >= self.left and top >= self.top and right <= self.right and bottom <= self.bottom

    def crop(self, box: NDArray[np.float64]) -> NDArray[np.uint8]:
        left, top, right, bottom = _corners(box, *self.size)
        rows = slice(max(top - self.top, 0), bottom - self.top)
        return self.pixels[rows, max(left - self.left, 0) : right - self.left]


def save_thumbnails(
    reader: VideoReader,
    detections: pd.DataFrame,
    tracks: pd.DataFrame,
    *,
    folder: Path,
    overwrite: bool = False,
    kept: KeptCrops | None = None,
) -> list[Path]:
    """Save a good crop of every face in ``folder`` and return the files.

    It is of the best frame, or of one nearly as good that was ``kept``.
    """
    stem = reader.info.path.stem if reader.info.path else "video"
    paths = []
    for face, picture in _best_crops(reader, detections, tracks, kept or KeptCrops()):
        target = folder / thumbnail_name(stem, face)
        paths.append(write_bytes(target, mark_jpeg(as_jpeg(_shrunk(picture))), overwrite=overwrite))
    return paths


def frames_to_decode(detections: pd.DataFrame, kept: KeptCrops) -> list[int]:
    """Return the first frames that `save_thumbnails` will decode: those of faces of which nothing good was kept."""
    found = set()
    for _, rows in detections.groupby("face_id"):
        if kept.best_frame(rows) is None:
            found.add(int(rows["frame"].to_numpy()[best_scores(rows).argmax()]))
    return sorted(found)[:MAX_FRAMES_AHEAD]


def _best_crops(
    reader: VideoReader, detections: pd.DataFrame, tracks: pd.DataFrame, kept: KeptCrops
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield faces in the order of their best frames, so that the video is decoded forwards."""
    by_face = dict(list(detections.groupby("face_id")))
    for face, best in tracks["best_frame"].sort_values(kind="stable").items():
        number = int(str(face))
        rows = by_face[number]
        near = kept.best_frame(rows)
        frame = int(best) if near is None else near
        box = rows.loc[rows["frame"] == frame, BOX].to_numpy(np.float64)[0]
        yield number, crop_face(reader.frame_at(frame).rgb(), box) if near is None else kept.crop(frame, box)


def _shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = -(-max(picture.shape[:2]) // _MAX_SIDE_PIXELS)
    return np.ascontiguousarray(picture[::step, ::step])
