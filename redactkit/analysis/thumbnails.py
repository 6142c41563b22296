"""Write one JPEG per face: a crop of its best frame, named as Azure Media Redactor named it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.formats import thumbnail_name
from redactkit.runtime.files import write_bytes
from redactkit.runtime.marks import mark_jpeg
from redactkit.tables import BOX
from redactkit.video import VideoReader, as_jpeg

__all__ = ["crop_face", "save_thumbnails"]

_MAX_SIDE_PIXELS = 320
"""Longest side of a thumbnail."""

_MARGIN_SHARE = 0.25
"""Margin shown on each side of the face, in shares of its box."""


def crop_face(picture: NDArray[np.uint8], box: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the part of ``picture``, shape (H, W, 3), that shows the face in ``box`` with a margin."""
    height, width = picture.shape[:2]
    grown = bx.clip(bx.expand(box[None], share=_MARGIN_SHARE), width=width, height=height)
    left, top, right, bottom = np.rint(bx.to_corners(grown)[0]).astype(int)
    left, top = min(left, width - 1), min(top, height - 1)
    return picture[top : max(bottom, top + 1), left : max(right, left + 1)]


def save_thumbnails(
    reader: VideoReader, detections: pd.DataFrame, tracks: pd.DataFrame, *, folder: Path, overwrite: bool = False
) -> list[Path]:
    """Save the best crop of every face in ``folder`` and return the files."""
    stem = reader.info.path.stem if reader.info.path else "video"
    paths = []
    for face, picture in _best_crops(reader, detections, tracks):
        target = folder / thumbnail_name(stem, face)
        paths.append(write_bytes(target, mark_jpeg(as_jpeg(_shrunk(picture))), overwrite=overwrite))
    return paths


def _best_crops(
    reader: VideoReader, detections: pd.DataFrame, tracks: pd.DataFrame
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield faces in the order of their best frames, so that the video is decoded forwards."""
    rows = detections.set_index(["frame", "face_id"])[BOX]
    for face, frame in tracks["best_frame"].sort_values(kind="stable").items():
        number, picture = int(str(face)), reader.frame_at(int(frame)).rgb()
        yield number, crop_face(picture, rows.loc[[(int(frame), number)]].to_numpy(np.float64)[0])


def _shrunk(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = -(-max(picture.shape[:2]) // _MAX_SIDE_PIXELS)
    return np.ascontiguousarray(picture[::step, ::step])
