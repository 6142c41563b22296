"""Who is where, when, and before what: the two shots of the sample clip."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from people import FACE_HEIGHT, LOOKS, face_aspect
from scipy.interpolate import PchipInterpolator

WIDTH, HEIGHT, RATE, SECONDS = 1280, 720, 25, 20
CUT = 275
FRAMES = RATE * SECONDS


@dataclass(frozen=True)
class Route:
    """One appearance of a person: keys are (second, x, y, width) of the face box's centre and width, in pixels.

    ``depth`` orders the people of a shot: the higher covers the lower.
    """

    person: int
    depth: int
    keys: tuple[tuple[float, float, float, float], ...]

    def place(self, frame: int) -> tuple[float, float, float, float] | None:
        """Return x, y, width and tilt in degrees at a frame, or None outside the keys."""
        second = frame / RATE
        times, x, y, width = np.array(self.keys).T
        if not times[0] <= second < times[-1]:
            return None
        size = math.exp(PchipInterpolator(times, np.log(width))(second))
        step = 2 * math.pi * (0.9 * second + 0.37 * self.person)
        bob = 0.03 * size * math.sin(2 * step)
        across, down = PchipInterpolator(times, x)(second), PchipInterpolator(times, y)(second)
        return float(across), float(down + bob), size, 2.0 * math.sin(step)


SHOTS: tuple[tuple[Route, ...], ...] = (
    (
        Route(3, 0, ((0, 700, 250, 27), (4, 760, 252, 29), (8, 640, 262, 44), (11, 520, 275, 60))),
        Route(4, 1, ((0, 980, 240, 20), (5, 930, 258, 48), (8, 820, 300, 84), (11, 760, 330, 112))),
        Route(2, 2, ((1, 1360, 345, 88), (3, 1060, 345, 92), (5, 560, 345, 98), (7.4, -110, 350, 104))),
        Route(2, 2, ((9.0, -90, 350, 104), (11, 300, 350, 110))),
        Route(1, 3, ((0, 170, 330, 110), (4, 640, 320, 120), (6.5, 1000, 315, 125), (8, 1400, 315, 128))),
        Route(1, 3, ((9.2, 1400, 320, 140), (11, 1060, 325, 150))),
    ),
    (
        Route(3, 0, ((11, 1120, 290, 34), (15, 900, 288, 36), (20, 690, 290, 38))),
        Route(4, 1, ((12, 1350, 280, 70), (14, 1000, 285, 76), (16.5, 840, 280, 66), (20, 980, 275, 48))),
        Route(5, 2, ((11, 930, 300, 106), (13, 680, 310, 112), (15, 540, 310, 114), (18.2, -110, 310, 116))),
        Route(6, 3, ((11, 250, 330, 150), (14, 330, 330, 180), (16, 420, 335, 190), (20, 380, 340, 196))),
        Route(1, 4, ((14.5, 1420, 400, 170), (16.5, 1250, 400, 184), (18, 1130, 395, 190), (20, 1180, 400, 190))),
    ),
)


def shot_of(frame: int) -> int:
    """Return 0 before the hard cut and 1 from it on."""
    return int(frame >= CUT)


def people_at(frame: int) -> list[tuple[int, tuple[float, float, float, float]]]:
    """Return (person, (x, y, width, tilt)) of everyone placed at a frame, the farthest first."""
    routes = sorted(SHOTS[shot_of(frame)], key=lambda route: route.depth)
    placed = [(route.person, route.place(frame)) for route in routes]
    return [(person, place) for person, place in placed if place is not None]


def face_box(person: int, place: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Return x, y, width, height of a face in pixels of the frame; it may reach outside."""
    x, y, width, _ = place
    height = width / face_aspect(LOOKS[person])
    return x - width / 2, y - height / 2, width, height


def sprite_scale(person: int, width: float) -> float:
    """Return the size of a person whose face is ``width`` wide, relative to the full sprite."""
    return width / face_aspect(LOOKS[person]) / FACE_HEIGHT


def _gradient(height: int, width: int, top: tuple[int, ...], bottom: tuple[int, ...]) -> np.ndarray:
    share = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    rows = (np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share) / 255
    return np.broadcast_to(rows, (height, width, 3)).copy()


def _block(picture: np.ndarray, box: tuple[int, int, int, int], color: tuple[int, ...] | np.ndarray) -> None:
    x, y, width, height = box
    picture[max(y, 0) : y + height, max(x, 0) : x + width] = np.asarray(color, np.float32) / 255


def _street() -> tuple[np.ndarray, np.ndarray]:
    """Return a far and a near layer of a square with houses, RGBA, wider than the frame."""
    rng = np.random.default_rng(1)
    far = _gradient(HEIGHT, 1700, (150, 186, 218), (224, 226, 220))
    near = np.zeros((HEIGHT, 1900, 4), np.float32)
    for x in range(0, 1700, 130):
        tall = int(rng.integers(120, 300))
        wall = rng.integers(120, 190) + rng.integers(-14, 14, 3)
        _block(far, (x, 400 - tall, 118, tall), wall)
        for left in range(x + 14, x + 100, 26):
            for top in range(412 - tall, 380, 36):
                _block(far, (left, top, 14, 20), wall - rng.integers(22, 50))
    near[390:, :, :3] = _gradient(HEIGHT - 390, 1900, (158, 152, 142), (108, 104, 100))
    for x in range(-1200, 3200, 170):
        cv2.line(near, (950 + (x - 950) // 3, 390), (x, HEIGHT), (0.36, 0.35, 0.34), 2, cv2.LINE_AA)
    for y in (404, 426, 460, 512, 590, 690):
        cv2.line(near, (0, y), (1900, y), (0.38, 0.37, 0.36), 1 + (y > 500), cv2.LINE_AA)
    near[390:, :, 3] = 1
    return cv2.GaussianBlur(far, (0, 0), 1.6), cv2.GaussianBlur(near, (0, 0), 0.8)


def _hall() -> tuple[np.ndarray, np.ndarray]:
    """Return the wall and the floor of a hall, RGBA for the floor, wider than the frame."""
    wall = _gradient(HEIGHT, 1700, (176, 150, 122), (206, 186, 160))
    for number, x in enumerate(range(40, 1700, 250)):
        _block(wall, (x, 90, 170, 230), (96, 74, 58))
        _block(wall, (x + 12, 102, 146, 206), ((70, 110, 128), (150, 96, 70), (108, 124, 84))[number % 3])
        _block(wall, (x + 12, 220, 146, 88), ((48, 84, 100), (120, 70, 52), (84, 98, 62))[number % 3])
    floor = np.zeros((HEIGHT, 1900, 4), np.float32)
    floor[470:, :, :3] = _gradient(HEIGHT - 470, 1900, (110, 84, 66), (70, 54, 46))
    for x in range(-900, 2900, 120):
        cv2.line(floor, (950 + (x - 950) // 2, 470), (x, HEIGHT), (0.3, 0.23, 0.19), 2, cv2.LINE_AA)
    floor[470:, :, 3] = 1
    return cv2.GaussianBlur(wall, (0, 0), 1.6), cv2.GaussianBlur(floor, (0, 0), 0.8)


class Background:
    """Two layers that pan at different speeds, with slow spots of light; float32 RGB of the frame's size."""

    def __init__(self) -> None:
        self._layers = (_street(), _hall())

    def at(self, frame: int) -> np.ndarray:
        """Return the picture behind the people."""
        second = frame / RATE
        far, near = self._layers[shot_of(frame)]
        picture = _pan(far, 210 + 16 * second)
        front = _pan(near, 100 + 27 * second)
        picture = front[..., :3] * front[..., 3:] + picture * (1 - front[..., 3:])
        return np.clip(picture * _light(second), 0, 1)


def _pan(layer: np.ndarray, left: float) -> np.ndarray:
    move = np.array([[1, 0, -left], [0, 1, 0]], np.float64)
    return cv2.warpAffine(layer, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _light(second: float) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT:16, 0:WIDTH:16].astype(np.float32)
    light = np.full_like(x, 0.92)
    for number in range(3):
        center_x = WIDTH * (0.5 + 0.45 * math.sin(0.5 * second + 2.1 * number))
        center_y = HEIGHT * (0.4 + 0.3 * math.cos(0.4 * second + 1.3 * number))
        light += 0.13 * np.exp(-((x - center_x) ** 2 + (y - center_y) ** 2) / (2 * 190.0**2))
    return cv2.resize(light, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)[..., None]
