"""What a search has found so far: its boxes in the picture, and one card for each face that goes on."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from redactkit import boxes as bx
from redactkit.boxes import FloatArray
from redactkit.review import Review
from redactkit.widgets.cards import CardList
from redactkit.widgets.crops import PictureSource
from redactkit.widgets.markup import timecode
from redactkit.widgets.stage import BoxRows
from redactkit.widgets.view import View

__all__ = ["FoundSoFar"]

_SURE = 0.5
"""Confidence from which a face gets a card. Less shows more of what is no face."""

_SAME = 0.2
"""Overlap with where a face was last seen from which a box is taken to be of it."""

_FORGET_AFTER = 2.0
"""Seconds after which a face that comes back gets a card of its own."""

_MOST = 200


class Sighting(NamedTuple):
    """A face found: where it was first, how large, and where it was last."""

    frame: int
    box: tuple[float, float, float, float]
    last_frame: int
    last_box: FloatArray


class FoundSoFar(View):
    """Faces as a search comes to them, the newest first; they are not tracked yet, and nothing can be decided.

    Parameters
    ----------
    review : Review
        Its video is the one searched.
    """

    def __init__(self, review: Review) -> None:
        super().__init__(review, css="rk-found")
        self._lock = threading.Lock()
        self._boxes: dict[int, FloatArray] = {}
        self._seen: list[Sighting] = []
        self.frame = 0
        self.cards = CardList(
            review, title="Found so far", actions=(), places=self._places, act=lambda _: None, empty="No face yet."
        )
        self._refresh_worker = self.worker(self.refresh, interval=0.7)
        self.show(self.cards)

    def add(self, found: Mapping[int, FloatArray]) -> None:
        """Take what was found in some frames: from a frame's number to its boxes with their confidence."""
        with self._lock:
            for number in sorted(found):
                self._boxes[number] = found[number]
                self._sight(number, found[number])
            self.frame = max(self._boxes, default=0)
        self._refresh_worker.submit()

    def _sight(self, number: int, faces: FloatArray) -> None:
        rate = max(float(self.review.video.frame_rate), 1.0)
        for face in faces[faces[:, 4] >= _SURE]:
            box = face[:4]
            near = [at for at, one in enumerate(self._seen) if number - one.last_frame <= _FORGET_AFTER * rate]
            shares = bx.iou([box], [self._seen[at].last_box for at in near])[0] if near else np.zeros(0)
            if shares.size and shares.max() >= _SAME:
                place = near[int(shares.argmax())]
                self._seen[place] = self._seen[place]._replace(last_frame=number, last_box=box)
            else:
                self._seen.append(Sighting(number, (box[0], box[1], box[2], box[3]), number, box))

    def rows(self, start: int, stop: int) -> BoxRows:
        """Return the boxes of some frames as a stage takes them; all are of no face in particular."""
        with self._lock:
            frames = [number for number in sorted(self._boxes) if start <= number < stop]
            found = [self._boxes[number] for number in frames]
        counts = [len(faces) for faces in found]
        places = np.vstack([np.zeros((0, 5)), *found])[:, :4]
        # Negative IDs are nobody's, so that no box can be picked or named.
        faces = [-1 - number for count in counts for number in range(count)]
        return BoxRows(
            np.repeat(np.array(frames, np.int32), counts),
            np.array(faces, np.int32),
            places.astype(np.float32),
            np.zeros(len(places), np.uint8),
        )

    def _places(self, key: str) -> list[PictureSource]:
        one = self._seen[int(key[1:])]
        return [PictureSource(one.frame, one.box)]

    def refresh(self) -> None:
        """Show what was found by now."""
        with self._lock:
            seen = list(enumerate(self._seen))
        times = self.review.times
        self.cards.items = [
            {
                "key": f"s{place}",
                "title": f"seen at {timecode(float(times[one.frame]))[3:10]}",
                "lines": [f"{float(times[one.last_frame] - times[one.frame]):.1f} s long so far"],
                "state": "plain",
                "actions": [],
            }
            for place, one in reversed(seen[-_MOST:])
        ]
        self.cards.summary = (
            f"{len(seen)} sighting{'s' * (len(seen) > 1)} so far; one person's are put together at the end"
            if seen
            else ""
        )

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._boxes, self._seen, self.frame = {}, [], 0
        self.cards.items, self.cards.summary = [], ""
