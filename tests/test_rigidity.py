"""Patterns that the camera passes are told from heads by their pictures, which never change."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from redactkit.analysis.rigidity import MIN_CORRELATION, rigid_faces, rigidity
from redactkit.tables import as_detections
from redactkit.video import VideoReader

FRAMES, SIDE = 30, 40


def make_clip(path: Path, *, pan: float, turn: float, camera: float | None = None) -> Path:
    """Write a clip of a textured thing of 40 pixels that moves by ``pan`` pixels a frame and turns by some degrees.

    The wall behind it moves by ``camera`` pixels, which are as many unless told.
    """
    camera = pan if camera is None else camera
    chance = np.random.default_rng(3)
    wall = cv2.GaussianBlur(chance.integers(0, 255, (160, 480), dtype=np.uint8), (0, 0), 6)
    thing = cv2.GaussianBlur(chance.integers(0, 255, (80, 80), dtype=np.uint8), (0, 0), 3)
    wall, thing = (cv2.normalize(each, None, 20, 235, cv2.NORM_MINMAX) for each in (wall, thing))
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 320, 160, "yuv420p"
        for number in range(FRAMES):
            turned = cv2.warpAffine(thing, cv2.getRotationMatrix2D((40, 40), turn * number, 1), (80, 80))
            picture = wall[:, int(camera * number) : int(camera * number) + 320].copy()
            left = 200 - int(pan * number)
            picture[60 : 60 + SIDE, left : left + SIDE] = turned[20 : 20 + SIDE, 20 : 20 + SIDE]
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, axis=2), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def track(*, pan: float, confidence: float = 0.4) -> pd.DataFrame:
    frames = np.arange(0, FRAMES, 3)
    jitter = np.random.default_rng(1).uniform(-2, 2, len(frames))
    rows = {"frame": frames, "face_id": 1, "x": 200 - pan * frames + jitter, "y": 60 + jitter, "width": SIDE}
    return as_detections({**rows, "height": SIDE, "confidence": confidence, "source": "detected"})


def test_no_track_is_rigid_where_there_is_none(tmp_path: Path) -> None:
    with VideoReader(make_clip(tmp_path / "a.mp4", pan=2, turn=0)) as reader:
        assert rigid_faces(reader, track(pan=2).iloc[:0]) == []


@pytest.mark.parametrize(("pan", "turn", "rigid"), [(2.0, 0.0, True), (2.0, 1.5, False), (0.0, 0.0, False)])
def test_what_never_changes_while_the_camera_moves_is_rigid(
    tmp_path: Path, pan: float, turn: float, rigid: bool
) -> None:
    with VideoReader(make_clip(tmp_path / "a.mp4", pan=pan, turn=turn)) as reader:
        assert rigid_faces(reader, track(pan=pan)) == ([1] if rigid else [])
        assert (rigidity(reader, track(pan=pan)) >= MIN_CORRELATION) == rigid


def test_confident_and_short_tracks_are_left_alone(tmp_path: Path) -> None:
    with VideoReader(make_clip(tmp_path / "a.mp4", pan=2, turn=0)) as reader:
        assert rigid_faces(reader, track(pan=2, confidence=0.8)) == []
        assert rigid_faces(reader, track(pan=2).iloc[:5]) == []


def test_who_walks_past_a_wall_is_left_alone(tmp_path: Path) -> None:
    """The head may keep as still as a picture: what is around it changes."""
    with VideoReader(make_clip(tmp_path / "a.mp4", pan=2, turn=0, camera=0)) as reader:
        assert rigid_faces(reader, track(pan=2)) == []
