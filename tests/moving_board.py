"""A small video in which a patterned board moves over a patterned ground, with its exact place."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (192, 128)
SIDES = (44, 32)


def place(frame: int, *, speed: tuple[float, float] = (3.0, 1.0), start: tuple[float, float] = (10.0, 30.0)):
    """Return the board's box in a frame."""
    return np.array([start[0] + speed[0] * frame, start[1] + speed[1] * frame, *SIDES], np.float64)


def draw(box: NDArray[np.float64], *, pillar: tuple[int, int] | None = None, dark: bool = False) -> NDArray[np.uint8]:
    """Return a gray frame with the board in a box, behind a pillar from one column to another where there is one."""
    ground = _pattern(3, (24, 16), SIZE) // 2 + 40
    board = _pattern(5, (11, 8), (88, 64))
    scale = box[2:] / (88, 64)
    shift = box[:2] + scale / 2 - 0.5
    matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
    smooth = cv2.GaussianBlur(board, (0, 0), 0.8)
    image = cv2.warpAffine(smooth, matrix, SIZE, dst=ground.copy(), borderMode=cv2.BORDER_TRANSPARENT)
    if pillar is not None:
        image[:, pillar[0] : pillar[1]] = 70 + 20 * (np.arange(pillar[1] - pillar[0]) // 3 % 2)
    return image // 2 if dark else image


def write(path: Path, frames: list[NDArray[np.uint8]]) -> Path:
    """Write gray frames as a video of 25 frames a second, nearly without loss."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "4", "preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _pattern(seed: int, cells: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, cells[::-1]).astype(np.uint8)
    return np.asarray(cv2.resize(noise, size, interpolation=cv2.INTER_LINEAR), np.uint8)
