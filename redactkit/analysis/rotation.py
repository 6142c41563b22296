"""Detect rotated footage whose file does not say so, by comparing the detector's confidence in all four rotations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.letterbox import Image, Letterbox
from redactkit.boxes import FloatArray, iou
from redactkit.detectors import Detector, run_detector
from redactkit.errors import VideoError
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.streams import buffered
from redactkit.video import Frame, VideoReader

__all__ = ["ROTATIONS", "RotationSamples", "find_rotations"]

ROTATIONS = (90, 180, 270)
"""Degrees clockwise that are tried besides upright."""

SAMPLE_LIMITS = (3, 12)
"""Least and most frames that are sampled from a video. Raising them takes longer, and is safer."""

SAMPLE_SECONDS = 2.5
"""Seconds of video for each sampled frame, within those limits."""

SAMPLE_PIXELS = 480
"""Longest side in pixels of the sampled frames. Raising it takes longer, and finds smaller faces."""

BATCH_FRAMES = 4
"""Frames searched at once, so that all cores have something to do."""

MIN_CONFIDENCE = 0.5
"""Confidence from which a face in a rotated frame counts. Raising it detects fewer rotations."""

MIN_GAIN = 0.1
"""Gain of confidence over upright above which a face speaks for a rotation. Raising it detects fewer rotations."""

MIN_FRAME_SHARE = 0.25
"""Share of the sampled frames that must speak for a rotation. Raising it detects fewer rotations."""

SAME_FACE_IOU = 0.3
"""IoU above which a box in the rotated frame and one upright are of one face."""


def find_rotations(reader: VideoReader, samples: RotationSamples) -> tuple[int, ...]:
    """Return the rotation in which the detector finds faces that it does not find upright.

    Parameters
    ----------
    reader : VideoReader
    samples : RotationSamples
        Those that it lacks are decoded.

    Returns
    -------
    tuple of int
        Degrees clockwise: 90, 180 or 270, or nothing for ordinary footage. A rotation counts where, in a quarter of
        the sampled frames and in two at least, it shows a face that upright is not found, or with clearly less
        confidence. Of several rotations the one with the largest total gain counts.
    """
    samples.search()
    missing = [FrameRange(number, number + 1) for number in samples.numbers if number not in samples.taken]
    # Sampling stops at the first frame that does not decode; the scan reports it later.
    with suppress(VideoError), closing(buffered(map(samples.prepared, reader.ranges(missing)))) as prepared:
        for number, image in prepared:
            samples.add_image(number, image)
    return samples.rotations()


class RotationSamples:
    """Frames of a video from which the rotation of its footage is told; see `find_rotations`.

    Attributes
    ----------
    numbers : list of int
        The frames, ascending.
    taken : dict of int to list of float
        For each sample searched so far, by how much more confident its faces are in each rotation than upright.
    """

    def __init__(self, info: VideoInfo, detector: Detector, letterbox: Letterbox) -> None:
        scale = min(1.0, SAMPLE_PIXELS / max(letterbox.width, letterbox.height))
        self._size = round(letterbox.width * scale), round(letterbox.height * scale)
        self._detector, self._keyframes = detector, info.keyframes
        self._waiting: list[tuple[int, Image]] = []
        self.taken: dict[int, list[float]] = {}
        self.numbers = _sample_frames(info).tolist()

    @property
    def decoded(self) -> int:
        """How many frames must be decoded to get at the samples alone."""
        before = np.concatenate([[-1], self.numbers[:-1]]).astype(np.int64)
        keyframe = np.searchsorted(self._keyframes, self.numbers, side="right") - 1
        known = self._keyframes[np.maximum(keyframe, 0)] if len(self._keyframes) else np.zeros(len(before), np.int64)
        return int((np.array(self.numbers, np.int64) + 1 - np.maximum(before + 1, known)).sum())

    def prepared(self, frame: Frame) -> tuple[int, Image]:
        """Return the number of a frame and its picture at the size at which it is searched."""
        return frame.index, frame.rgb(width=self._size[0], height=self._size[1])

    def add(self, frame: Frame) -> None:
        """Take one of the samples."""
        self.add_image(*self.prepared(frame))

    def add_image(self, number: int, image: Image) -> None:
        """Take a sample that was prepared."""
        self._waiting.append((number, image))
        if len(self._waiting) == BATCH_FRAMES:
            self.search()

    def search(self) -> None:
        """Search the samples that wait for a batch."""
        if self._waiting:
            numbers, images = zip(*self._waiting, strict=True)
            self.taken |= dict(zip(numbers, _gains(self._detector, images), strict=True))
            self._waiting = []

    def rotations(self) -> tuple[int, ...]:
        """Return what `find_rotations` does, from the samples taken."""
        self.search()
        if not self.taken:
            return ()
        # One row for each frame, one column for each rotation.
        table = np.array([self.taken[number] for number in sorted(self.taken)])
        enough = (table > 0).sum(axis=0) >= max(2, MIN_FRAME_SHARE * len(table))
        best = int(np.where(enough, table.sum(axis=0), 0).argmax())
        return (ROTATIONS[best],) if enough[best] else ()


def _sample_frames(info: VideoInfo) -> NDArray[np.int64]:
    """Choose frames spread over the video: keyframes if there are enough, since they decode without others."""
    count = min(info.frame_count, int(np.clip(round(info.duration / SAMPLE_SECONDS), *SAMPLE_LIMITS)))
    even = np.linspace(0, info.frame_count - 1, count + 2).round().astype(np.int64)[1:-1]
    if not len(info.keyframes):
        return np.unique(even)
    near = info.keyframes[np.abs(info.keyframes[:, None] - even).argmin(axis=0)]
    return np.unique(near if len(np.unique(near)) >= min(count, SAMPLE_LIMITS[0]) else even)


def _gains(detector: Detector, images: Sequence[Image]) -> list[list[float]]:
    """Return for each image and rotation the gain of confidence over upright, summed over its faces."""
    # Images are searched upright only if a rotation shows a face at all.
    rotated = _faces(detector, images, ROTATIONS)
    gains = [[0.0] * len(ROTATIONS) for _ in images]
    candidates = [
        number for number, each in enumerate(rotated) if any((faces[:, 4] >= MIN_CONFIDENCE).any() for faces in each)
    ]
    if not candidates:
        return gains
    for number, (upright,) in zip(
        candidates, _faces(detector, [images[number] for number in candidates], (0,)), strict=True
    ):
        gains[number] = [
            sum(_gain(face, upright) for face in faces if face[4] >= MIN_CONFIDENCE) for faces in rotated[number]
        ]
    return gains


def _faces(detector: Detector, images: Sequence[Image], rotations: Sequence[int]) -> list[list[FloatArray]]:
    """Return the faces of each image in each rotation, in pixels of the image."""
    letterboxes = [
        [Letterbox(image.shape[1], image.shape[0], rotation=angle) for angle in rotations] for image in images
    ]
    pictures = [letterbox.picture(image) for image, each in zip(images, letterboxes, strict=True) for letterbox in each]
    found = iter(run_detector(detector, pictures))
    return [
        [letterbox.faces(next(found), width=image.shape[1], height=image.shape[0]) for letterbox in each]
        for image, each in zip(images, letterboxes, strict=True)
    ]


def _gain(face: FloatArray, upright: FloatArray) -> float:
    """Return how much more confident a face is than upright, 0 where that may be chance."""
    gain = float(face[4]) - _upright_score(face, upright)
    return gain if gain > MIN_GAIN else 0.0


def _upright_score(face: FloatArray, upright: FloatArray) -> float:
    same = iou(face[None, :4], upright[:, :4])[0] > SAME_FACE_IOU
    return float(upright[same, 4].max(initial=0.0))
