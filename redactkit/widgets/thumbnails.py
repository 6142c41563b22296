"""Small pictures of faces, made in the background and kept."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import expand
from redactkit.errors import RedactkitError
from redactkit.people.portraits import crop_face, sharpness_of
from redactkit.review import Review
from redactkit.tables import BOX, best_rows
from redactkit.video import VideoReader
from redactkit.widgets.geometry import Box, Region
from redactkit.widgets.pictures import cut, jpeg
from redactkit.widgets.worker import LatestWorker

__all__ = ["Frames", "Thumbnails", "candidates", "clearest", "data_uri", "level", "small_picture"]

Picture = NDArray[np.uint8]
_MARGIN = 0.25
_QUALITY = 80
_NOTIFY_AFTER = 12

_PER_FACE, _COMPARED = 4, 8
"""Boxes of a face, and of all, that are compared for the clearest. More of them find a better one, and take longer."""

_FLAT = 110
"""Levels between dark and light up to which a picture is stretched. More stretches more of them."""


class Place(NamedTuple):
    """Where a face is seen."""

    face_id: int
    frame: int
    box: Box


def candidates(detections: pd.DataFrame, *, width: int, height: int) -> list[Place]:
    """Return places that promise a good picture of a face: large, confident, spread over time, inside the picture.

    Parameters
    ----------
    detections : DataFrame
        Of the faces that come into question.
    width, height : int
        Of the frame in pixels.
    """
    rows = detections[detections["x"].notna()]
    right, low = rows["x"] + rows["width"], rows["y"] + rows["height"]
    inside = (rows["x"] >= 0) & (rows["y"] >= 0) & (right <= width) & (low <= height)
    best = best_rows(rows[inside] if inside.any() else rows, per_face=_PER_FACE).iloc[:_COMPARED]
    columns = (best[name].tolist() for name in ("face_id", "frame", *BOX))
    return [Place(face, frame, (x, y, w, h)) for face, frame, x, y, w, h in zip(*columns, strict=True)]


def clearest(frames: Frames, places: Sequence[Place]) -> Place | None:
    """Return the place whose picture is the sharpest with every face scaled to one size; None where there is no place.

    A dark face has little contrast, and one that was scaled up is soft, so that large and bright faces win as well.
    """
    sharpness = {}
    for place in sorted(places, key=lambda one: one.frame):
        try:
            sharpness[place] = sharpness_of(crop_face(frames.at(place.frame), np.array(place.box, np.float64))[0])
        except RedactkitError:
            continue
    return max(sharpness, key=lambda one: sharpness[one], default=None)


class Thumbnails:
    """Pictures of faces as data URIs.

    A face's picture comes from the file that the first pass wrote, while that still shows the face, else
    from the video at its best frame.

    Parameters
    ----------
    review : Review
    changed : callable
        Called, in the background, when pictures asked for earlier are there.
    size : int
        Sides in pixels.
    """

    def __init__(self, review: Review, *, changed: Callable[[], None], size: int = 96) -> None:
        self._review, self._changed, self._size = review, changed, size
        self._made: dict[tuple[int, int], str] = {}
        self._wanted: list[tuple[int, int, str | None, list[float]]] = []
        self.worker = LatestWorker(self._make_wanted)

    def get(self, tracks: pd.DataFrame, detections: pd.DataFrame) -> list[str]:
        """Return a data URI for each track, empty where it is still to be made; making it begins.

        Parameters
        ----------
        tracks : DataFrame
            Rows of a tracks table.
        detections : DataFrame
            The table they summarise.
        """
        keys = list(zip(tracks.index.tolist(), tracks["best_frame"].tolist(), strict=True))
        missing = [key for key in keys if key not in self._made]
        if missing:
            paths = tracks["thumbnail"].to_dict()
            boxes = _boxes(detections, missing)
            self._wanted = [(*key, paths[key[0]], boxes[key]) for key in missing]
            self.worker.submit()
        return [self._made.get(key, "") for key in keys]

    def _make_wanted(self) -> None:
        wanted = sorted(self._wanted, key=lambda one: one[1])
        reader = Frames(self._review)
        try:
            for number, (face, frame, path, box) in enumerate(wanted, start=1):
                self._made[face, frame] = self._make(reader, frame, path, box)
                if number % _NOTIFY_AFTER == 0:
                    self._changed()
        finally:
            reader.close()
        self._changed()

    def _make(self, frames: Frames, frame: int, path: Any, box: list[float]) -> str:
        place = (box[0], box[1], box[2], box[3])
        return data_uri(small_picture(frames, frame, place, file=path or None, side=self._size))


class Frames:
    """A reader of its own, opened when first needed, so that the viewer's keeps its place."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._reader: VideoReader | None = None

    def at(self, frame: int) -> Picture:
        """Return a frame as RGB."""
        review = self._review
        if review.reader is None or review.video.path is None:
            return review.picture(frame)
        if self._reader is None:
            self._reader = VideoReader(review.video.path, info=review.reader.info, threads=1, cache=2)
        return self._reader.frame_at(frame).rgb()

    def close(self) -> None:
        """Close the reader, where one was opened."""
        if self._reader is not None:
            self._reader.close()


def small_picture(
    frames: Frames,
    frame: int,
    box: Box,
    *,
    file: str | Path | None = None,
    pixels: Picture | None = None,
    side: int = 96,
) -> Picture:
    """Return a square picture of a place, levelled so that dark ones can be told apart; grey where none can be made.

    Parameters
    ----------
    frames : Frames
    frame : int
    box : tuple of 4 floats
    file : path, optional
        A picture of the place that is there already; where it cannot be read, the frame is.
    pixels : ndarray, optional
        The same, as RGB.
    side : int
        In pixels.
    """
    picture = pixels if pixels is not None else _read(file) if file else None
    if picture is None:
        try:
            picture = cut(frames.at(frame), _square(list(box)))
        except RedactkitError:
            picture = np.full((8, 8, 3), 96, np.uint8)
    return level(np.asarray(cv2.resize(_cropped(picture), (side, side), interpolation=cv2.INTER_AREA), np.uint8))


def level(picture: Picture) -> Picture:
    """Stretch a dark or flat picture over the range of brightness; others stay as they are.

    Examples
    --------
    >>> dark = np.tile(np.arange(40, dtype=np.uint8)[:, None, None], (1, 40, 3))
    >>> int(level(dark).max()) > 200
    True
    """
    low, high = np.percentile(picture, [2, 98])
    if high - low > _FLAT or high <= low:
        return picture
    # Not beyond sixfold: what is left of a black picture is noise.
    factor = min(235 / (high - low), 6.0)
    return np.asarray(np.clip((picture.astype(np.float32) - low) * factor + 10, 0, 255), np.uint8)


def data_uri(picture: Picture) -> str:
    """Return a picture as a JPEG that a page shows."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture, quality=_QUALITY)).decode()


def _boxes(detections: pd.DataFrame, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[float]]:
    """Return the box of each face in its best frame."""
    first = np.searchsorted(detections["frame"].to_numpy(), [frame for _, frame in keys])
    faces, boxes = detections["face_id"].to_numpy(), detections[BOX].to_numpy()
    found = {}
    for (face, frame), start in zip(keys, first, strict=True):
        row = start + int(np.argmax(faces[start:] == face))
        found[face, frame] = np.nan_to_num(boxes[row]).tolist()
    return found


def _read(path: str | Path) -> Picture | None:
    try:
        data = np.frombuffer(Path(path).read_bytes(), np.uint8)
    except OSError:
        return None
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if picture is None else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _cropped(picture: Picture) -> Picture:
    """Crop to the middle square."""
    height, width = picture.shape[:2]
    side = min(height, width)
    return cut(picture, Region((width - side) / 2, (height - side) / 2, side, side))


def _square(box: list[float]) -> Region:
    x, y, width, height = expand([box], share=_MARGIN)[0]
    side = max(width, height, 1.0)
    return Region(x + width / 2 - side / 2, y + height / 2 - side / 2, side, side)
