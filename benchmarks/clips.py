"""Clips for the benchmarks, made from the sample's people: any size, length and number of faces."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.tables import BOX, as_detections

RATE = 25
KEYFRAMES = 50
SIZES = {"360p": (640, 360), "720p": (1280, 720), "1080p": (1920, 1080), "2160p": (3840, 2160)}
_FACE = 200
_SAMPLE = Path(__file__).parents[1] / "sample_media"


def draw_heads() -> list[NDArray[np.float32]]:
    """Return six people's heads as premultiplied RGBA, `_FACE` pixels of face height."""
    sys.path.insert(0, str(_SAMPLE))
    try:
        from people import CENTER, FACE_HEIGHT, LOOKS, make_sprite
    finally:
        sys.path.remove(str(_SAMPLE))
    reach = round(FACE_HEIGHT)
    x, y = (round(value) for value in CENTER)
    return [make_sprite(look)[0][max(0, y - reach) : y + reach, x - reach : x + reach] for look in LOOKS.values()]


def draw_ground(width: int, height: int) -> NDArray[np.uint8]:
    """Return a background twice as wide as the frame, with structure at many scales, like a street."""
    chance = np.random.default_rng(7)
    picture = np.zeros((height, 2 * width, 3), np.float32)
    for cells in (6, 24, 96, 384):
        noise = chance.uniform(0, 1, (cells, 2 * cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (2 * width, height), interpolation=cv2.INTER_CUBIC) * 60 / np.sqrt(cells / 6)
    return np.clip(picture + 40, 0, 255).astype(np.uint8)


def _box(number: int, faces: int, frame: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the face box of person ``number``: everybody walks on a path of his own and stays in the frame."""
    width, height = size
    side = height * (0.22 if faces == 1 else 0.16 if faces <= 5 else 0.09) * (0.8 + 0.4 * ((number * 37) % 10) / 10)
    phase = 2 * np.pi * (number / max(faces, 1) + frame / RATE / (9 + number % 5))
    x = width * (0.5 + 0.4 * np.sin(phase))
    y = height * (0.25 + 0.5 * ((number * 61) % 100) / 100 + 0.03 * np.sin(3 * phase))
    return x - side * 0.4, y - side / 2, side * 0.8, side


def make_clip(
    path: Path, *, size: str, seconds: int, faces: int, share: float = 1.0, keyframes: int = KEYFRAMES
) -> tuple[Path, pd.DataFrame]:
    """Write a clip and return it with its true boxes; nothing is done where the clip is there.

    ``share`` is the part of the clip, from its start, in which the faces are to be seen; ``keyframes`` the frames
    from one keyframe to the next.
    """
    width, height = SIZES[size]
    frames = seconds * RATE
    seen = round(frames * share)
    rows = [
        (frame, frame / RATE, number + 1, *_box(number, faces, frame, (width, height)))
        for frame in range(seen)
        for number in range(faces)
    ]
    names = ["frame", "time", "face_id", "x", "y", "width", "height"]
    truth = as_detections(pd.DataFrame(rows, columns=names))
    if not path.exists():
        _write(path, truth, width=width, height=height, frames=frames, keyframes=keyframes)
    return path, truth


def _write(path: Path, truth: pd.DataFrame, *, width: int, height: int, frames: int, keyframes: int) -> None:
    ground, heads = draw_ground(width, height), draw_heads()
    by_frame = dict(list(truth.groupby("frame")))
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as output:
        options = {"crf": "23", "preset": "veryfast", "g": str(keyframes), "keyint_min": str(keyframes)}
        stream = output.add_stream("libx264", rate=RATE, options={**options, "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in range(frames):
            left = round((frame / RATE * width / 20) % width)
            picture = ground[:, left : left + width].copy()
            if frame in by_frame:
                here = by_frame[frame]
                for face, box in zip(here["face_id"], here[BOX].to_numpy(), strict=True):
                    paste(picture, heads[(face - 1) % len(heads)], box)
            image = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            image.pts, image.time_base = frame, Fraction(1, RATE)
            output.mux(stream.encode(image))
        output.mux(stream.encode(None))
    part.rename(path)


def repeat_clip(source: Path, target: Path, *, times: int) -> Path:
    """Write a clip several times over, its packets as they are; nothing is done where the result is there."""
    if target.exists():
        return target
    part = target.with_suffix(".part.mp4")
    with av.open(str(part), "w") as output, av.open(str(source)) as first:
        stream = output.add_stream_from_template(first.streams.video[0])
        lasts = first.streams.video[0].duration
        for number in range(times):
            with av.open(str(source)) as again:
                for packet in again.demux(video=0):
                    if packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + number * lasts, packet.dts + number * lasts
                        packet.stream = stream
                        output.mux(packet)
    part.rename(target)
    return target


def paste(
    picture: NDArray[np.uint8], head: NDArray[np.float32], box: NDArray[np.float64], *, whole: bool = False
) -> None:
    """Blend a head over the picture so that its face, or ``whole`` of it, fills a box x, y, width, height."""
    x, y, wide, high = box
    side = round(high if whole else high * head.shape[0] / _FACE)
    small = cv2.resize(head, (side, side), interpolation=cv2.INTER_AREA)
    left, top = round(x + wide / 2 - side / 2), round(y + high / 2 - side / 2)
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
    if x0 >= x1 or y0 >= y1:
        return
    part = small[y0 - top : y1 - top, x0 - left : x1 - left]
    under = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = (part[..., :3] * 255 + under * (1 - part[..., 3:])).clip(0, 255)
