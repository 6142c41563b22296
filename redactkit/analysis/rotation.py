"""Footage that lies on its side or on its head, with no mark that says so, found from a few frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.letterbox import Image, Letterbox
from redactkit.boxes import FloatArray, iou
from redactkit.detectors import Detector, run_detector
from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.runtime.streams import buffered
from redactkit.video import VideoReader

__all__ = ["ROTATIONS", "find_rotations"]

ROTATIONS = (90, 180, 270)
SAMPLE_LIMITS = (3, 12)
SAMPLE_SECONDS = 2.5
SAMPLE_PIXELS = 480
"""Longer side in pixels of the pictures that are turned."""

BATCH_FRAMES = 4
"""Pictures searched at once, so that all cores have something to do."""

MIN_CONFIDENCE = 0.5
MIN_GAIN = 0.1
MIN_FRAME_SHARE = 0.25


def find_rotations(reader: VideoReader, detector: Detector, look: Letterbox) -> tuple[int, ...]:
    """Tell by which turns faces of the video are seen better than upright.

    Parameters
    ----------
    reader : VideoReader
    detector : Detector
    look : Letterbox
        The upright look at a frame, of which a smaller copy is searched.

    Returns
    -------
    tuple of int
        Degrees clockwise: 90, 180 or 270, or nothing for ordinary footage. A turn counts where, in a quarter
        of the sampled frames and in two at least, a face is found in it that upright is not found, or with
        clearly less confidence; of several turns the one that gains most.
    """
    gains: list[list[float]] = []
    with closing(buffered(_sampled(reader, look))) as images:
        while batch := list(islice(images, BATCH_FRAMES)):
            gains += _gains(detector, batch)
    if not gains:
        return ()
    table = np.array(gains)
    enough = (table > 0).sum(axis=0) >= max(2, MIN_FRAME_SHARE * len(table))
    best = int(np.where(enough, table.sum(axis=0), 0).argmax())
    return (ROTATIONS[best],) if enough[best] else ()


def _sampled(reader: VideoReader, look: Letterbox) -> Iterator[Image]:
    scale = min(1.0, SAMPLE_PIXELS / max(look.width, look.height))
    width, height = round(look.width * scale), round(look.height * scale)
    numbers = _sample_frames(reader.info).tolist()
    with suppress(VideoError):
        for frame in reader.ranges((number, number + 1) for number in numbers):
            yield frame.rgb(width=width, height=height)


def _sample_frames(info: VideoInfo) -> NDArray[np.int64]:
    """Choose frames spread over the video, keyframes where there are enough, since those decode at once."""
    count = min(info.frame_count, int(np.clip(round(info.duration / SAMPLE_SECONDS), *SAMPLE_LIMITS)))
    even = np.linspace(0, info.frame_count - 1, count + 2).round().astype(np.int64)[1:-1]
    if not len(info.keyframes):
        return np.unique(even)
    near = info.keyframes[np.abs(info.keyframes[:, None] - even).argmin(axis=0)]
    return np.unique(near if len(np.unique(near)) >= min(count, SAMPLE_LIMITS[0]) else even)


def _gains(detector: Detector, images: Sequence[Image]) -> list[list[float]]:
    """Return of each picture for each turn how much surer faces are found in it than upright."""
    turned = _faces(detector, images, ROTATIONS)
    gains = [[0.0] * len(ROTATIONS) for _ in images]
    asked = [
        number for number, each in enumerate(turned) if any((faces[:, 4] >= MIN_CONFIDENCE).any() for faces in each)
    ]
    if not asked:
        return gains
    for number, (upright,) in zip(asked, _faces(detector, [images[number] for number in asked], (0,)), strict=True):
        gains[number] = [
            sum(_gain(face, upright) for face in faces if face[4] >= MIN_CONFIDENCE) for faces in turned[number]
        ]
    return gains


def _faces(detector: Detector, images: Sequence[Image], turns: Sequence[int]) -> list[list[FloatArray]]:
    """Return the faces of each picture in each turn, in pixels of the picture."""
    looks = [[Letterbox(image.shape[1], image.shape[0], turn=turn) for turn in turns] for image in images]
    pictures = [look.picture(image) for image, each in zip(images, looks, strict=True) for look in each]
    found = iter(run_detector(detector, pictures))
    return [
        [look.faces(next(found), width=image.shape[1], height=image.shape[0]) for look in each]
        for image, each in zip(images, looks, strict=True)
    ]


def _gain(face: FloatArray, upright: FloatArray) -> float:
    gain = float(face[4]) - _upright_score(face, upright)
    return gain if gain > MIN_GAIN else 0.0


def _upright_score(face: FloatArray, upright: FloatArray) -> float:
    same = iou(face[None, :4], upright[:, :4])[0] > 0.3
    return float(upright[same, 4].max(initial=0.0))
