"""Both passes with a stand-in for the detector, to be run in a process that a test kills."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np

from redactkit.analysis import analyze
from redactkit.redaction import redact
from redactkit.video import VideoReader

PART = 24


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
        analyze(clip, output=folder, detector=Brightest(), part_frames=PART, progress=False)
    annotations = folder / f"{clip.stem}_annotations.json"
    output = folder / f"{clip.stem}_redacted.mp4"
    redact(clip, annotations, output=output, smart_copy=False, overwrite=True, progress=False)


def run_on_a_full_disk(clip: Path, folder: Path, most: int) -> None:
    """Run both passes where no file may grow over ``most`` bytes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    run_passes(clip, folder)


def assert_whole(clip: Path, folder: Path, frames: int) -> None:
    """Fail if a file with a final name is not whole."""
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
            assert path.name == f"{clip.stem}_redacted.report.json"
