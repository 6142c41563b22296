"""Clips like real footage that costs time: a dense crowd of small faces and things like faces, and a hand-held pan.

Everything moves on a path of its own, at up to a face's width in a tenth of a second, and passes behind others.
Half of what moves in the crowd are the drawn things of `benchmarks.patterns`, which CenterFace doubts.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.clips import SIZES, draw_ground, draw_heads, paste
from benchmarks.patterns import MOTIFS
from redactkit.tables import as_detections

__all__ = ["make_crowd", "make_hand_held"]

RATE = 30
FACE_PIXELS = (22.0, 56.0)
"""Smallest and largest height of a face in the crowd, in a picture of 1080 rows."""

FloatArray = NDArray[np.float64]


def make_crowd(path: Path, *, size: str = "1080p", frames: int = 105, faces: int = 26) -> tuple[Path, pd.DataFrame]:
    """Write a crowd with one keyframe, every other head a drawn thing, and return it with the true boxes."""
    still = np.zeros((frames, 2))
    return _make(path, size, still, _paths(size, frames, count=faces, heights=FACE_PIXELS), things=True)


def make_hand_held(path: Path, *, size: str = "1080p", frames: int = 250) -> tuple[Path, pd.DataFrame]:
    """Write a pan past eight people by a hand that shakes, one keyframe, and return it with the true boxes."""
    random = np.random.default_rng(5)
    shake = cv2.GaussianBlur(random.normal(0, 1, (frames, 2)), (1, 0), sigmaX=1, sigmaY=3)
    steps = np.arange(frames)[:, None] / RATE
    camera = shake * SIZES[size][1] * 0.012 + steps * [SIZES[size][0] * 0.04, 0]
    return _make(path, size, camera, _paths(size, frames, count=8, heights=(60.0, 150.0)), things=False)


def _paths(size: str, frames: int, *, count: int, heights: tuple[float, float]) -> FloatArray:
    """Return the face box of everyone in every frame before the camera moves, shape (count, frames, 4)."""
    random = np.random.default_rng(11)
    width, height = SIZES[size]
    seconds = np.arange(frames) / RATE
    boxes = []
    for _ in range(count):
        side = random.uniform(*heights) * height / 1080
        # An oscillation about a place: people turn round, and pass behind each other.
        reach, period = side * random.uniform(0.5, 4), random.uniform(2, 5)
        x = random.uniform(0.05, 0.95) * width + reach * np.sin(2 * np.pi * seconds / period + random.uniform(0, 6))
        y = random.uniform(0.1, 0.9) * height + 0.1 * side * np.sin(seconds * random.uniform(4, 9))
        boxes.append(np.stack([x - 0.4 * side, y - side / 2, np.full(frames, 0.8 * side), np.full(frames, side)], 1))
    return np.array(boxes)


def _make(path: Path, size: str, camera: FloatArray, boxes: FloatArray, *, things: bool) -> tuple[Path, pd.DataFrame]:
    seen = boxes.copy()
    seen[:, :, :2] -= camera
    width, height = SIZES[size]
    center = seen[..., :2] + seen[..., 2:] / 2
    inside = ((center > 0) & (center < (width, height))).all(axis=2)
    if things:
        inside[1::2] = False
    person, frame = np.nonzero(inside)
    columns = dict(zip(["x", "y", "width", "height"], seen[person, frame].T, strict=True))
    truth = as_detections({"frame": frame, "time": frame / RATE, "face_id": person + 1, **columns})
    if not path.exists():
        _write(path, seen, camera, size=(width, height), things=things)
    return path, truth


def _write(path: Path, boxes: FloatArray, camera: FloatArray, *, size: tuple[int, int], things: bool) -> None:
    width, height = size
    random = np.random.default_rng(3)
    ground, heads = draw_ground(width, height), draw_heads()
    drawn = [MOTIFS[number % len(MOTIFS)](random) for number in range(len(boxes))]
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as output:
        options = {"crf": "23", "preset": "veryfast", "g": "9999", "keyint_min": "9999", "sc_threshold": "0"}
        stream = output.add_stream("libx264", rate=RATE, options={**options, "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame, (left, top) in enumerate(camera):
            move = np.array([[1, 0, -left], [0, 1, -top]], np.float64)
            picture = cv2.warpAffine(ground, move, (width, height), borderMode=cv2.BORDER_REFLECT)
            # Far ones are small, and are drawn first.
            for number in np.argsort(boxes[:, frame, 3], kind="stable"):
                if things and number % 2:
                    _paste_thing(picture, drawn[number], boxes[number, frame])
                else:
                    paste(picture, heads[number // 2 % len(heads)], boxes[number, frame])
            noisy = np.clip(picture + random.normal(0, 2.5, picture.shape[:2])[..., None], 0, 255).astype(np.uint8)
            image = av.VideoFrame.from_ndarray(noisy, format="rgb24").reformat(format="yuv420p")
            image.pts, image.time_base = frame, Fraction(1, RATE)
            output.mux(stream.encode(image))
        output.mux(stream.encode(None))
    part.rename(path)


def _paste_thing(picture: NDArray[np.uint8], thing: Any, box: FloatArray) -> None:
    """Draw a thing, cut out as an ellipse, so that what would be its face fills the box."""
    side = round(1.35 * box[3])
    small = cv2.resize(thing, (side, side), interpolation=cv2.INTER_AREA) / 255
    mask = np.zeros((side, side), np.float32)
    cv2.ellipse(mask, (side // 2, side // 2), (round(side * 0.38), round(side * 0.48)), 0, 0, 360, 1.0, -1)
    head = np.dstack([small * mask[..., None], mask])
    paste(picture, head, np.array([*(box[:2] + box[2:] / 2 - side / 2), side, side]), whole=True)
