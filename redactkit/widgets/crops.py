"""Small pictures of places in a video, made in the background in the order of their frames."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redactkit.review import Review
from redactkit.widgets.geometry import Box
from redactkit.widgets.thumbnails import Frames, data_uri, small_picture
from redactkit.widgets.worker import LatestWorker

__all__ = ["Crops", "PictureSource"]


class PictureSource(NamedTuple):
    """Where a small picture comes from: a box in a frame, a file that shows it, or pixels that are there already."""

    frame: int = 0
    box: Box = (0.0, 0.0, 1.0, 1.0)
    file: str | Path | None = None
    pixels: NDArray[np.uint8] | None = None


class Crops:
    """Makes pictures and hands each card's over as data URIs.

    Parameters
    ----------
    review : Review
    found : callable
        Takes a key and its pictures, in the background.
    """

    def __init__(self, review: Review, *, found: Callable[[str, list[str]], None]) -> None:
        self._review, self._found = review, found
        self._lock = threading.Lock()
        self._wanted: dict[str, list[PictureSource]] = {}
        self.worker = LatestWorker(self._make_wanted)

    def ask(self, places: Mapping[str, list[PictureSource]], *, alone: bool = False) -> None:
        """Ask for pictures; ``alone`` forgets what was asked before."""
        with self._lock:
            self._wanted = {**({} if alone else self._wanted), **places}
        self.worker.submit()

    def _next(self) -> tuple[str, list[PictureSource]] | None:
        with self._lock:
            if not self._wanted:
                return None
            key = min(self._wanted, key=lambda one: [place.frame for place in self._wanted[one]])
            return key, self._wanted.pop(key)

    def _make_wanted(self) -> None:
        frames = Frames(self._review)
        try:
            while (wanted := self._next()) is not None:
                key, places = wanted
                made = [small_picture(frames, one.frame, one.box, file=one.file, pixels=one.pixels) for one in places]
                self._found(key, [data_uri(picture) for picture in made])
        finally:
            frames.close()
