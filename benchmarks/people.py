"""Faces whose owners are known, for the identity benchmark: real clips, hand labels and public portraits."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.detectors import Detector, load_detector
from redactkit.video import VideoReader

Image = NDArray[np.uint8]

CLIPS = (
    ("one_face_occluded.mp4", 45, 1),
    ("portrait_selfie.mp4", 25, 1),
    ("three_people_walking.gif", 3, 3),
    ("two_people_head_pose.gif", 4, 2),
    ("edge/sample.mp4", 3, 1),
)
"""Clip, frames between samples, people in it: they keep their order from left to right."""

STAGE_PEOPLE = (1, 20, 30, 31, 32, 33, 34)
"""People of the hand-labelled clip whose faces show well enough for a match when clean."""


@dataclass(frozen=True)
class Face:
    """One face in one picture: RGB, the box x, y, width, height, whose it is, and when."""

    picture: Image
    box: FloatArray
    person: str
    time: int


def load_faces(media: Path, labels: Path) -> list[Face]:
    """Return every face of the clips and the portraits, people with fewer than two left out."""
    detector = load_detector("centerface", threshold=0.4)
    faces = [*_stage(media / "stage_four_shots.mp4", labels), *_portraits(detector)]
    for name, step, people in CLIPS:
        faces += _clip(media / name, detector, step=step, people=people)
    return [_close_up(face) for face in faces]


def _close_up(face: Face) -> Face:
    """Return the face with what is around it to its own width and height, from an even pixel on."""
    x, y, width, height = face.box
    left, top = (int(max(0, side)) // 2 * 2 for side in (x - width, y - height))
    picture = face.picture[top : int(y + 2 * height), left : int(x + 2 * width)]
    return replace(face, picture=np.ascontiguousarray(picture), box=face.box - [left, top, 0, 0])


def _stage(clip: Path, labels: Path) -> Iterator[Face]:
    rows = defaultdict(list)
    for row in json.loads(labels.read_text())["labels"]:
        if row["id"] in STAGE_PEOPLE and row["kind"] != "ignore":
            rows[row["frame"]].append(row)
    with VideoReader(clip) as reader:
        for frame in reader.frames():
            for row in rows.get(frame.index, []):
                box = np.array([row[side] for side in "xywh"])
                yield Face(frame.rgb(), box, f"stage {row['id']}", frame.index)


def _clip(clip: Path, detector: Detector, *, step: int, people: int) -> Iterator[Face]:
    with VideoReader(clip) as reader:
        for frame in reader.frames():
            if frame.index % step:
                continue
            picture = frame.rgb()
            found = np.asarray(detector([picture])[0])
            if len(found) == people:
                for number, box in enumerate(found[np.argsort(found[:, 0]), :4]):
                    yield Face(picture, box, f"{clip.stem} {number}", frame.index)


def _portraits(detector: Detector) -> Iterator[Face]:
    """Yield two public-domain portraits, each as four times: near, far, turned a little, dimmed."""
    import skimage.data
    from matplotlib.cbook import get_sample_data

    with get_sample_data("grace_hopper.jpg") as file:
        hopper = cv2.cvtColor(cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    for name, picture in (("hopper", hopper), ("astronaut", skimage.data.astronaut())):
        found = np.asarray(detector([picture])[0])
        best = Face(picture, found[np.argmax(found[:, 4]), :4], name, 0)
        for time in range(8):
            yield replace(other_scene(best, np.random.default_rng(time), background=picture), time=time)


def split_by_time(faces: list[Face], *, most: int) -> tuple[list[Face], list[Face]]:
    """Return gallery and probes: of each person the first and the last third in time, ``most`` of each at most."""
    people = defaultdict(list)
    for face in sorted(faces, key=lambda face: face.time):
        people[face.person].append(face)
    gallery, probes = [], []
    for own in people.values():
        third = max(1, len(own) // 3)
        gallery += _spread(own[:third], most)
        probes += _spread(own[-third:], most)
    return gallery, probes


def _spread(faces: list[Face], most: int) -> list[Face]:
    return [faces[i] for i in np.unique(np.linspace(0, len(faces) - 1, most).round().astype(int))]


def other_scene(face: Face, chance: np.random.Generator, *, background: Image) -> Face:
    """Return the face as in another shot: other light, tint, tilt, size and surroundings."""
    height, width = face.picture.shape[:2]
    x, y, w, h = face.box
    middle = (float(x + w / 2), float(y + h / 2))
    turn = cv2.getRotationMatrix2D(middle, chance.uniform(-6, 6), chance.uniform(0.9, 1.1))
    turned = cv2.warpAffine(face.picture, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
    lit = _relight(turned, chance).astype(np.float32)
    behind = _relight(cv2.resize(background, (width, height), interpolation=cv2.INTER_AREA), chance)
    mask = np.zeros((height, width), np.float32)
    cv2.ellipse(mask, tuple(map(int, middle)), (int(w * 0.6), int(h * 0.65)), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, w / 12))[..., None]
    mixed = lit * mask + behind * (1 - mask)
    shift = chance.uniform(-0.05, 0.05, 4) * [w, h, w, h]
    return replace(face, picture=mixed.round().astype(np.uint8), box=face.box + shift)


def _relight(picture: Image, chance: np.random.Generator) -> Image:
    curve = np.linspace(0, 1, 256) ** chance.uniform(0.7, 1.4)
    tables = [np.clip(curve * 255 * chance.uniform(0.7, 1.3) * tint, 0, 255) for tint in chance.uniform(0.88, 1.12, 3)]
    return cv2.LUT(picture, np.stack(tables, axis=1)[None].round().astype(np.uint8))
