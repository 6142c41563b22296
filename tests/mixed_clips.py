"""Small clips whose shots run into each other: blends, dissolves, frames of two fields, flashes, shots of one frame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.formats import read_annotations
from redactkit.runtime.resources import sample_path, sample_truth_path
from redactkit.tables import BOX
from redactkit.video import VideoReader

CUT = 275
"""The frame of the sample with which its second shot starts."""

SIZE = (640, 360)

INTERLACED = (1 << 18) | (1 << 29)
"""FFmpeg's flags for interlaced transforms and motion."""

WHITE, BLACK = -1, -2
FIELDS = -3
"""With two frames of the sample: the first has the upper field, the second the lower one."""

VISIBLE = 0.75
"""Share of a face that is in the frame and behind nobody, from which it must be covered."""

Mix = Mapping[int, float]
"""Frames of the sample, or `WHITE` or `BLACK`, and the share of each in the picture."""


def dissolve(
    shares: Sequence[float], *, last: int = CUT - 1, first: int = CUT, before: int = 12, after: int = 12
) -> list[Mix]:
    """Return a clip of two shots of the sample, between which the second shows by so much in each frame.

    The one ends with frame ``last``, the other begins with ``first``.
    """
    count = before + len(shares) + after
    second = [0.0] * before + list(shares) + [1.0] * after
    plan: list[Mix] = []
    for number, share in enumerate(second):
        mix = {last - count + after + 1 + number: 1 - share, first + max(number - before, 0): share}
        plan.append({frame: part for frame, part in mix.items() if part > 0})
    return plan


def ramp(frames: int) -> list[float]:
    """Return the shares of a dissolve of so many mixed frames."""
    return [(number + 1) / (frames + 1) for number in range(frames)]


def make_mixed(
    path: Path,
    plan: Sequence[Mix],
    *,
    codec: str = "libx264",
    interlaced: bool = False,
    height: int = SIZE[1],
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write a clip of mixed frames, progressive or interlaced with the top field first, and return its path."""
    with av.open(str(path), "w") as output:
        usual = {"crf": "16", "preset": "ultrafast"} if codec == "libx264" else {"qscale": "2"}
        video = output.add_stream(codec, rate=25, options={**usual, **(options or {})})
        video.width, video.height, video.pix_fmt = height * SIZE[0] // SIZE[1], height, "yuv420p"
        if interlaced:
            video.codec_context.flags |= INTERLACED
            video.bit_rate = 8_000_000
        for number, mix in enumerate(plan):
            picture = av.VideoFrame.from_ndarray(mixed(mix, height=height), format="rgb24")
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base, picture.pict_type = number, Fraction(1, 25), 0
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
    return path


def mixed(mix: Mix, *, height: int = SIZE[1]) -> NDArray[np.uint8]:
    """Return the picture of one frame."""
    frames = [frame for frame in mix if frame != FIELDS]
    if FIELDS in mix:
        picture = _picture(frames[0], height).copy()
        picture[1::2] = _picture(frames[1], height)[1::2]
        return picture
    parts = [_picture(frame, height) * np.float32(mix[frame]) for frame in frames]
    return np.asarray(sum(parts).round(), np.uint8)


@lru_cache(maxsize=100)
def _picture(frame: int, height: int) -> NDArray[np.uint8]:
    width = height * SIZE[0] // SIZE[1]
    if frame < 0:
        return np.full((height, width, 3), 255 if frame == WHITE else 0, np.uint8)
    with VideoReader(sample_path()) as reader:
        return reader.frame_at(frame).rgb(width=width, height=height)


def seen_faces(plan: Sequence[Mix], *, least: float = 0.2) -> pd.DataFrame:
    """Return the true boxes of the faces of which most is seen and whose shot shows by so much, with its ``share``."""
    truth = _truth()
    truth = truth[truth["visible"] >= VISIBLE]
    parts = []
    for number, mix in enumerate(plan):
        for frame, share in mix.items():
            share = 0.5 if FIELDS in mix else share
            if share >= least:
                parts.append(truth[truth["frame"] == frame].assign(frame=number, share=share))
    return pd.concat(parts, ignore_index=True)


def true_faces(frame: int) -> pd.DataFrame:
    """Return the true boxes of one frame of the sample, with ``visible``, the share of each face that is seen."""
    truth = _truth()
    return truth[truth["frame"] == frame]


@lru_cache(maxsize=1)
def _truth() -> pd.DataFrame:
    table = json.loads(sample_truth_path().read_text(encoding="utf-8"))
    shown = [event["visible"] for part in table["fragments"] for events in part["events"] for event in events]
    truth = read_annotations(sample_truth_path()).detections.assign(visible=shown)
    truth[BOX] = truth[BOX].to_numpy() * (SIZE[0] / table["width"])
    return truth
