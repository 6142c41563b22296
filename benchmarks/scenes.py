"""Generated face boxes whose true identity is known, with the faults that detectors have.

People walk across, stand, come nearer, pass in front of each other, turn away, leave and return, under a still or
a panning camera, with cuts. The detections lack boxes, shake, and hold false ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import iou
from redactkit.tables import BOX, as_detections

__all__ = ["LEVELS", "Level", "Scene", "make_scene"]

FloatArray = NDArray[np.float64]
WIDTH, HEIGHT = 1280, 720


@dataclass(frozen=True)
class Level:
    """How hard a scene is.

    ``dropped`` is the share of boxes missing at random, ``holes`` how many holes of 3 to 12 frames a face has per ten
    seconds (in frames whatever the rate), ``absences`` how many absences of 0.5 to 1.8 s, ``jitter`` the noise of every
    edge as a share of the face, ``false`` false boxes per true one, ``speed`` in face widths per second.
    """

    name: str
    faces: int = 6
    seconds: float = 30.0
    frame_rate: float = 25.0
    dropped: float = 0.15
    holes: float = 3.0
    absences: float = 0.3
    jitter: float = 0.04
    false: float = 0.03
    speed: float = 1.5
    size: tuple[float, float] = (40.0, 110.0)
    pan: float = 0.0
    every: int = 1


ISSUE = Level("as asked")
LEVELS = (
    replace(ISSUE, name="calm", faces=4, dropped=0.02, holes=1.0, absences=0.1, jitter=0.02, false=0.01, speed=0.8),
    ISSUE,
    replace(ISSUE, name="panning", pan=300.0),
    replace(ISSUE, name="fast", speed=4.0),
    replace(ISSUE, name="10 fps", frame_rate=10.0, seconds=60.0),
    replace(ISSUE, name="60 fps", frame_rate=60.0, seconds=15.0),
    replace(ISSUE, name="every 3rd frame", every=3),
    replace(ISSUE, name="crowd", faces=30, size=(20.0, 50.0), seconds=20.0),
    replace(ISSUE, name="rough", faces=10, dropped=0.25, holes=6.0, absences=1.0, jitter=0.06, false=0.08, speed=2.5),
)


@dataclass(frozen=True)
class Scene:
    """True boxes and detected ones; ``face_id`` is the true appearance in both, 0 for a false box."""

    level: Level
    truth: pd.DataFrame
    detections: pd.DataFrame
    cuts: tuple[int, ...]
    frame_count: int


def make_scene(level: Level, *, seed: int = 0) -> Scene:
    """Generate a scene of three shots."""
    random = np.random.default_rng([seed, *level.name.encode()])
    frame_count = round(level.seconds * level.frame_rate)
    cuts = (frame_count * 2 // 5, frame_count * 3 // 4)
    parts, known = [], 0
    for start, stop in zip((0, *cuts), (*cuts, frame_count), strict=True):
        shot = _make_shot(level, random, start, stop)
        shot["face_id"] += known
        known = int(shot["face_id"].max())
        parts.append(shot)
    visible = _hide(pd.concat(parts, ignore_index=True), level, random)
    visible = visible[visible["frame"] % level.every == 0]
    found = as_detections(_detect(visible, level, random)).sort_values("frame", kind="stable", ignore_index=True)
    return Scene(level, as_detections(visible), found, cuts, frame_count)


def _make_shot(level: Level, random: np.random.Generator, start: int, stop: int) -> pd.DataFrame:
    seconds = np.arange(stop - start) / level.frame_rate
    camera = _camera(level, random, seconds)
    people = [_person(level, random, seconds, camera) for _ in range(level.faces)]
    boxes = np.stack(people)
    depth = np.argsort([person[:, 2].mean() for person in people])
    rows, known = [], 0
    for person in range(level.faces):
        seen = _in_frame(boxes[person])
        appearance = _appearances(seen, level.frame_rate) + known
        known = int(appearance.max(initial=known))
        present = np.flatnonzero(seen)
        rows.append(
            pd.DataFrame(boxes[person][present], columns=BOX).assign(
                frame=present + start,
                time=(present + start) / level.frame_rate,
                face_id=appearance,
                person=person,
                depth=float(np.flatnonzero(depth == person)[0]),
                confidence=1.0,
                source="manual",
            )
        )
    return pd.concat(rows, ignore_index=True)


def _camera(level: Level, random: np.random.Generator, seconds: FloatArray) -> FloatArray:
    """Where the camera looks, (F, 2) in pixels: to and fro, starting and stopping smoothly."""
    if not level.pan:
        return np.zeros((len(seconds), 2))
    period = random.uniform(4, 8)
    return np.stack([level.pan * np.sin(2 * np.pi * seconds / period), 0.1 * level.pan * np.sin(seconds)], axis=1)


def _person(level: Level, random: np.random.Generator, seconds: FloatArray, camera: FloatArray) -> FloatArray:
    """Boxes (F, 4) of one person: a walker who turns at will, or one who stays about a place."""
    size = random.uniform(*level.size) * np.exp(random.uniform(-0.25, 0.25) * seconds / max(seconds[-1], 1))
    step = 1 / level.frame_rate
    walker = random.random() < 0.6
    goal = _speeds(level, random, len(seconds)) * size.mean() * (1.0 if walker else 0.1)
    velocity = _eased(goal, 0.35, step)
    place = np.array([random.uniform(0.1, 0.9) * WIDTH, random.uniform(0.25, 0.75) * HEIGHT])
    path = place + np.cumsum(velocity, axis=0) * step
    bob = 0.06 * size[:, None] * np.sin(seconds[:, None] * random.uniform(4, 9, 2) + random.uniform(0, 6, 2))
    center = path + bob - camera
    shape = np.array([1.0, random.uniform(1.15, 1.4)])
    sides = size[:, None] * shape
    return np.hstack([center - sides / 2, sides])


def _speeds(level: Level, random: np.random.Generator, frames: int) -> FloatArray:
    """Speeds that a person wants, (F, 2) in face widths per second, mostly sideways, changed now and then."""
    wanted = np.empty((frames, 2))
    frame = 0
    while frame < frames:
        hold = int(random.uniform(1, 5) * level.frame_rate) + 1
        sideways = random.choice([-1, 1]) * random.uniform(0.3, 1.5) * level.speed
        wanted[frame : frame + hold] = sideways, random.normal(0, 0.15) * level.speed
        frame += hold
    return wanted


def _eased(values: FloatArray, seconds: float, step: float) -> FloatArray:
    """Low-pass, so that nobody changes speed at once."""
    keep = np.exp(-step / seconds)
    eased = np.empty_like(values)
    state = values[0]
    for index, value in enumerate(values):
        state = keep * state + (1 - keep) * value
        eased[index] = state
    return eased


def _in_frame(boxes: FloatArray) -> NDArray[np.bool_]:
    center = boxes[:, :2] + boxes[:, 2:] / 2
    return np.asarray(((center > 0) & (center < (WIDTH, HEIGHT))).all(axis=1))


def _appearances(seen: NDArray[np.bool_], frame_rate: float) -> NDArray[np.int64]:
    """Give numbers to the stays in the frame; an absence of over two seconds starts a new one."""
    present = np.flatnonzero(seen)
    return 1 + np.cumsum(np.diff(present, prepend=present[:1]) > 2 * frame_rate)


def _hide(truth: pd.DataFrame, level: Level, random: np.random.Generator) -> pd.DataFrame:
    """Take out of the truth what nobody could see: faces behind others, and turned away for a while."""
    away = np.zeros(len(truth), bool)
    for _, rows in truth.groupby("face_id"):
        away[rows.index] = _absent(rows["frame"].to_numpy(), level.absences, (0.5, 1.8), level.frame_rate, random)
    behind = np.zeros(len(truth), bool)
    for _, rows in truth.groupby("frame"):
        overlap = iou(rows[BOX].to_numpy(), rows[BOX].to_numpy())
        in_front = rows["depth"].to_numpy()[None] > rows["depth"].to_numpy()[:, None]
        behind[rows.index] = ((overlap > 0.35) & in_front).any(axis=1)
    return truth[~away & ~behind]


def _detect(truth: pd.DataFrame, level: Level, random: np.random.Generator) -> pd.DataFrame:
    """Return what a detector would make of the visible faces."""
    visible = truth.reset_index(drop=True)
    lost = random.random(len(visible)) < level.dropped
    confidence = np.ones(len(visible))
    for _, rows in visible.groupby("face_id"):
        frame = rows["frame"].to_numpy()
        lost[rows.index] |= _absent(
            frame, level.holes, (3 / level.frame_rate, 12 / level.frame_rate), level.frame_rate, random
        )
        confidence[rows.index] = _confidence(len(rows), random)
    found = visible.assign(confidence=confidence, source="detected")[~lost]
    size = np.sqrt(found["width"] * found["height"]).to_numpy()[:, None]
    shaken = found[BOX].to_numpy() + random.normal(0, level.jitter, (len(found), 4)) * size
    found = found.assign(**{name: shaken[:, column] for column, name in enumerate(BOX)})
    return pd.concat([found, _false_boxes(found, level, random)], ignore_index=True)


def _absent(
    frame: NDArray[np.int64], often: float, length: tuple[float, float], frame_rate: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    """Mark random stretches of ``length`` seconds, ``often`` times in ten seconds."""
    absent = np.zeros(len(frame), bool)
    for _ in range(random.poisson(often * len(frame) / frame_rate / 10)):
        start = random.choice(frame)
        absent |= (frame >= start) & (frame < start + round(random.uniform(*length) * frame_rate))
    return absent


def _confidence(count: int, random: np.random.Generator) -> FloatArray:
    """Return confidences of one face, (count,): slow waves and a little noise."""
    slow = np.sin(np.arange(count) * random.uniform(0.02, 0.2) + random.uniform(0, 6))
    return np.clip(random.uniform(0.5, 0.85) + 0.15 * slow + random.normal(0, 0.05, count), 0.21, 0.99)


def _false_boxes(found: pd.DataFrame, level: Level, random: np.random.Generator) -> pd.DataFrame:
    """Return false boxes, a third of them beside a face; each stays for one to three frames."""
    count = round(level.false * len(found) / 1.5)
    model = found.iloc[random.integers(0, len(found), count)]
    boxes = model[BOX].to_numpy() * random.uniform(0.8, 1.25, (count, 1))
    beside = (random.random(count) < 1 / 3)[:, None]
    shift = random.choice([-1, 1], (count, 2)) * random.uniform(0.6, 1.2, (count, 2)) * boxes[:, 2:]
    anywhere = random.uniform(0, 1, (count, 2)) * (WIDTH, HEIGHT)
    boxes[:, :2] = np.where(beside, model[["x", "y"]].to_numpy() + shift, anywhere)
    stay = random.choice([1, 2, 3], count, p=[0.65, 0.2, 0.15])
    which = np.repeat(np.arange(count), stay)
    later = np.arange(len(which)) - np.repeat(np.cumsum(stay) - stay, stay)
    frame = model["frame"].to_numpy()[which] + later * level.every
    boxes = boxes[which] + random.normal(0, level.jitter, (len(which), 4)) * boxes[which, 2:3]
    false = pd.DataFrame(boxes, columns=BOX).assign(
        frame=frame,
        time=frame / level.frame_rate,
        face_id=0,
        confidence=random.uniform(0.2, 0.6, len(which)),
        source="detected",
    )
    return false[false["frame"] <= found["frame"].max()]
