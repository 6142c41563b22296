"""Both passes with a stand-in for the detector, to be run in a process that a test kills."""

from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np

from redactkit.analysis import analyze
from redactkit.annotations import Annotations
from redactkit.passes import redact
from redactkit.review import Review
from redactkit.tables import as_detections
from redactkit.video import VideoReader, probe

CHUNK = 24


class Brightest:
    """A detector that finds a box where the picture is brightest."""

    name, digest = "brightest", "0" * 64

    def __call__(self, images):
        return [self._box(image) for image in images]

    def _box(self, image):
        small = image[::4, ::4, 0]
        y, x = np.unravel_index(small.argmax(), small.shape)
        return np.array([[x * 4, y * 4, 24, 24, 0.5 + image.mean() / 1000]], float)


def run_passes(clip: Path, folder: Path) -> None:
    """Analyze where no annotations are, then redact, over what an earlier run may have left."""
    if not (folder / f"{clip.stem}_annotations.json").exists():
        analyze(clip, output=folder, detector=Brightest(), chunk_frames=CHUNK, progress=False)
    annotations = folder / f"{clip.stem}_annotations.json"
    output = folder / f"{clip.stem}_redacted.mp4"
    redact(clip, annotations, output=output, smart_copy=False, overwrite=True, progress=False)


def run_on_a_full_disk(clip: Path, folder: Path, most: int) -> None:
    """Run both passes where no file may grow over ``most`` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    run_passes(clip, folder)


def assert_whole(folder: Path, frames: int) -> None:
    """Fail if a file with a final name is not whole; every video is of so many frames."""
    from redactkit.formats import read_annotations

    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.suffix == ".json" and path.name.endswith("_annotations.json"):
            assert read_annotations(path).frame_count == frames
        elif path.suffix == ".jpg":
            assert path.read_bytes()[-2:] == b"\xff\xd9"
        elif path.suffix == ".mp4":
            with VideoReader(path) as reader:
                assert sum(1 for _ in reader.frames()) == frames
        else:
            assert path.name.endswith("_redacted.report.json")
            assert json.loads(path.read_bytes()).keys() >= {"source", "output", "settings"}


class Faces:
    """What a review that is killed is to have: of each face the number of its last decision and of its last box.

    Edit ``n`` is of face ``n % FACES``: first a decision, whose reason is ``n``, then a box with its left side at
    ``x_of(n)``; after each fourth one the session is saved.
    """

    COUNT, EVERY, FRAME = 5, 4, 3

    @classmethod
    def of_clip(cls, clip: Path) -> Annotations:
        """Return annotations with a box of every face in every frame."""
        info = probe(clip)
        frames, faces = (grid.ravel() for grid in np.mgrid[: info.frame_count, : cls.COUNT])
        place = {"x": 8.0 * faces, "y": 8.0, "width": 16.0, "height": 16.0, "confidence": 0.9}
        seen = {"frame": frames, "time": info.times[frames], "face_id": faces, "source": "detected"}
        return Annotations(video=info, detections=as_detections(seen | place))

    @staticmethod
    def x_of(number: int) -> float:
        return float(number % 64)

    @classmethod
    def redacts(cls, number: int) -> bool:
        return number % 3 > 0

    @classmethod
    def last(cls, face: int, number: int) -> int:
        """Return the last of the edits up to ``number`` that is of a face, -1 if none is."""
        return number - (number - face) % cls.COUNT if number >= face else -1

    @classmethod
    def redacted(cls, number: int) -> list[int]:
        """Return the faces to redact after the decision of edit ``number``."""
        lasts = [cls.last(face, number) for face in range(cls.COUNT)]
        return [face for face, last in enumerate(lasts) if last < 0 or cls.redacts(last)]

    @classmethod
    def decided(cls, annotations: Any) -> int:
        """Return the number of the last decision; fail if any before it is missing."""
        table = annotations.decisions
        numbers = [int(reason or -1) for reason in table["reason"]]
        newest = max(numbers)
        assert numbers == [cls.last(face, newest) for face in table.index]
        assert table.index[table["redact"]].tolist() == cls.redacted(newest)
        return newest

    @classmethod
    def assert_boxes(cls, annotations: Any, number: int) -> None:
        """Fail unless the boxes are as after that of edit ``number``, or as before it."""
        table = annotations.detections
        rows = table[table["frame"] == cls.FRAME].set_index("face_id")["x"]
        for face in range(cls.COUNT):
            may = {cls.last(face, number), cls.last(face, number - 1)}
            places = [8.0 * face if one < 0 else cls.x_of(one) for one in may]
            assert any(abs(rows[face] - x) < 0.5 for x in places), (face, number)


def review_on(clip: Path, folder: Path, done: Any) -> None:
    """Decide about faces, move their boxes and save, for ever; ``done`` is told what is decided, and what saved."""
    review = Review.open(clip, folder / f"{clip.stem}_annotations.json", autosave=folder / "review.journal")
    number = Faces.decided(review)
    if number >= 0:
        _move(review, number)
    while True:
        number += 1
        review.decide([number % Faces.COUNT], redact=Faces.redacts(number), reason=str(number))
        done[0] = number
        _move(review, number)
        if number % Faces.EVERY == 0:
            review.save()
            done[1] = number


def _move(review: Review, number: int) -> None:
    box = (Faces.x_of(number), 8.0, 16.0, 16.0)
    review.set_box(box, face_id=number % Faces.COUNT, frame=Faces.FRAME)
