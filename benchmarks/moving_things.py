"""Generated videos of flat things that move, with their exact place: plates, screens, papers and patterned boards.

Everything is drawn by rule from random numbers; no picture of anything is used. A thing moves, comes nearer, turns in
the picture and out of it, passes behind a pillar or its like, leaves, or is gone for good; the camera stands still,
shakes, or pans over a structured background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SCENES", "MovingThing", "Truth", "render"]

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

FRAMES = 121


@dataclass(frozen=True)
class MovingThing:
    """One scene.

    ``side`` is the longer side in pixels, ``path`` how far the thing goes in 121 frames, in shares of the frame's size,
    ``growth`` the factor by which it grows, ``turn`` and ``tilt`` degrees in and out of the picture's plane, ``pan``
    the camera's way in pixels, ``pillar`` the width in shares of the thing of what it passes behind, ``noise`` the
    standard deviation in gray levels, ``blur`` that of a Gaussian in pixels, ``light`` the share by which it gets
    darker, ``shake`` the camera's in pixels. ``twin`` puts a thing of the same kind in its way, which passes before it
    in the other direction; ``gone`` takes it away after so many frames from the middle, to either side.
    """

    name: str
    texture: str
    side: float
    path: tuple[float, float] = (0.3, 0.1)
    growth: float = 1.0
    turn: float = 0.0
    tilt: float = 0.0
    pan: float = 0.0
    pillar: float = 0.0
    noise: float = 3.0
    blur: float = 0.6
    light: float = 0.0
    shake: float = 0.0
    twin: bool = False
    gone: int = 0
    size: tuple[int, int] = (640, 360)


@dataclass(frozen=True)
class Truth:
    """Where the thing is in every frame.

    Parameters
    ----------
    boxes : ndarray of shape (F, 4)
        The upright box around it, whether or not it is seen.
    shown : ndarray of shape (F,)
        Share of it that the frame shows.
    """

    boxes: FloatArray
    shown: FloatArray


_LARGE = (1280, 720)
SCENES = (
    MovingThing("plate 20, still camera", "plate", 20, blur=0.4),
    MovingThing("plate 20, pan and noise", "plate", 20, pan=160, noise=8, blur=0.4),
    MovingThing("plate 32, comes nearer", "plate", 32, growth=4.0),
    MovingThing("plate 48, pan, tilts", "plate", 48, pan=240, tilt=35),
    MovingThing("plate 64, behind a pillar", "plate", 64, path=(0.55, 0.05), pillar=0.5),
    MovingThing("plate 64, behind a wide pillar", "plate", 64, path=(0.6, 0.0), pillar=1.4),
    MovingThing("plate 90, leaves", "plate", 90, path=(1.6, 0.1)),
    MovingThing("plate 120, shaking camera", "plate", 120, shake=9.0, growth=1.5),
    MovingThing("screen 40, pan", "screen", 40, pan=-200, path=(0.4, 0.2)),
    MovingThing("screen 80, turns", "screen", 80, turn=70),
    MovingThing("screen 80, behind a pillar, pan", "screen", 80, pan=150, path=(0.5, 0.1), pillar=0.6),
    MovingThing("screen 150, tilts, noise", "screen", 150, tilt=50, noise=12),
    MovingThing("screen 150, gets dark", "screen", 150, light=0.6, growth=0.6),
    MovingThing("screen 220, leaves, turns", "screen", 220, path=(1.8, 0.2), turn=30),
    MovingThing("paper 60, blurred", "paper", 60, blur=2.0, path=(0.5, 0.2)),
    MovingThing("paper 100, turns and tilts", "paper", 100, turn=-50, tilt=30, growth=1.6),
    MovingThing("paper 130, fast, shaking", "paper", 130, path=(0.7, 0.4), shake=14.0),
    MovingThing("paper 400, comes nearer, tilts", "paper", 220, growth=1.8, tilt=25, size=_LARGE),
    MovingThing("board 24, pan", "board", 24, pan=180, path=(0.5, 0.1)),
    MovingThing("board 50, goes away", "board", 100, growth=0.3),
    MovingThing("board 80, behind two pillars' width", "board", 80, path=(0.7, 0.0), pillar=2.0),
    MovingThing("board 200, tilts, pan", "board", 200, tilt=-45, pan=300, size=_LARGE),
    MovingThing("board 400, turns", "board", 400, turn=40, path=(0.2, 0.1), size=_LARGE),
    MovingThing("faint board 90, noise", "faint", 90, noise=6, pan=100),
    MovingThing("plate 70, its like passes before it", "plate", 70, path=(0.5, 0.0), twin=True),
    MovingThing("screen 90, its like passes before it, pan", "screen", 90, path=(0.4, 0.0), twin=True, pan=120),
    MovingThing("paper 90, gone for good", "paper", 90, gone=25),
    MovingThing("plate 60, gone for good, pan", "plate", 60, gone=30, pan=150),
)

FEW = ("plate 20, still camera", "plate 64, behind a pillar", "screen 80, turns", "paper 90, gone for good")
"""Names of scenes that show most in little time."""


def render(scene: MovingThing, *, seed: int = 0) -> tuple[list[Image], Truth]:
    """Draw a scene; return its frames, gray, (H, W) uint8, and the truth."""
    random = np.random.default_rng([seed, *scene.name.encode()])
    texture, aspect = _TEXTURES[scene.texture](random)
    other, _ = _TEXTURES[scene.texture](random)
    ground = _ground(random, scene)
    poses = list(_poses(scene, random, texture.shape, aspect))
    camera = _camera(scene, random)
    frames, boxes, shown = [], [], []
    for number, pose in enumerate(poses):
        image, box, share = _draw(scene, number, (texture, other), pose, ground, camera[number])
        frames.append(_degraded(scene, image, number, random))
        boxes.append(box)
        shown.append(share)
    return frames, Truth(np.array(boxes), np.array(shown))


def _camera(scene: MovingThing, random: np.random.Generator) -> FloatArray:
    """Return the camera's place in every frame, (F, 2): a pan, and the shake of a hand."""
    share = np.linspace(0, 1, FRAMES)
    pan = np.stack([scene.pan * share, 0.15 * scene.pan * np.sin(3 * share)], axis=1)
    shake = random.normal(0, 1, (FRAMES, 2))
    kernel = np.array([0.25, 0.5, 0.25])
    smooth = np.stack([np.convolve(shake[:, k], kernel, mode="same") for k in (0, 1)], axis=1)
    return np.asarray(pan + scene.shake * smooth)


def _poses(
    scene: MovingThing, random: np.random.Generator, shape: tuple[int, ...], aspect: float
) -> Iterator[FloatArray]:
    """Yield the homography from the texture's pixels to the picture, before the camera moves."""
    width, height = scene.size
    high, wide = shape[:2]
    way = np.array(scene.path) * scene.size
    start = np.array([width / 2, height * 0.52]) - way / 2
    phase = random.uniform(0, 2 * np.pi)
    for number in range(FRAMES):
        share = number / (FRAMES - 1)
        side = scene.side * scene.growth**share
        x, y = start + way * share + [0, 0.03 * height * np.sin(phase + 6 * share)]
        # The drawn box is in the middle of the video, where turn and tilt are nought.
        turn = np.deg2rad(scene.turn * (share - 0.5) * 2)
        tilt = np.deg2rad(scene.tilt * np.sin(np.pi * (share - 0.5)))
        flat = np.array([[-1, -aspect], [1, -aspect], [1, aspect], [-1, aspect]]) * side / 2
        turned = flat @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        # Perspective of a camera four sides away.
        depth = 1 + turned[:, 0] * np.sin(tilt) / (4 * side)
        corners = np.stack([turned[:, 0] * np.cos(tilt) / depth, turned[:, 1] / depth], axis=1) + np.array([x, y])
        source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
        yield np.asarray(cv2.getPerspectiveTransform(source, corners.astype(np.float32)), np.float64)


def _draw(
    scene: MovingThing, number: int, textures: tuple[Image, Image], pose: FloatArray, ground: Image, camera: FloatArray
) -> tuple[Image, FloatArray, float]:
    """Return a frame, the box of the thing in it, and the share of it that shows."""
    width, height = scene.size
    texture, other = textures
    margin = (np.array(ground.shape[::-1]) - scene.size) / 2
    where = np.array([[1, 0, margin[0] + camera[0]], [0, 1, margin[1] + camera[1]]])
    image = cv2.warpAffine(ground, where, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    # A camera that pans keeps the thing half in view: it moves against the pan by half of it.
    moved = np.array([[1, 0, -0.5 * camera[0]], [0, 1, -0.5 * camera[1]], [0, 0, 1]]) @ pose
    high, wide = texture.shape
    there = not scene.gone or abs(number - FRAMES // 2) < scene.gone
    image, seen = _put(image, texture, moved) if there else (image, np.zeros(image.shape, bool))
    corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float64)
    placed = cv2.perspectiveTransform(corners[None], moved)[0]
    area = abs(cv2.contourArea(placed.astype(np.float32)))
    if scene.twin:
        # It comes from the other side at the same height, and is in front.
        away = 1.9 * scene.path[0] * width * (0.8 - number / (FRAMES - 1))
        image, before = _put(image, other, np.array([[1, 0, away], [0, 1, 4], [0, 0, 1]]) @ moved)
        seen &= ~before
    if scene.pillar:
        image, seen = _pillar(scene, image, seen, camera)
    low, top = placed.min(axis=0), placed.max(axis=0)
    return np.asarray(image, np.uint8), np.concatenate([low, top - low]), float(seen.sum() / max(area, 1))


def _put(image: Image, texture: Image, pose: FloatArray) -> tuple[Image, NDArray[np.bool_]]:
    """Return the picture with a texture in it, and which pixels show that."""
    size = image.shape[::-1]
    shrink = np.sqrt(abs(np.linalg.det(pose[:2, :2])))
    smooth = cv2.GaussianBlur(texture, (0, 0), 0.5 / shrink) if shrink < 0.8 else texture
    thing = cv2.warpPerspective(smooth, pose, size, flags=cv2.INTER_LINEAR)
    mask = cv2.warpPerspective(np.full_like(texture, 255), pose, size, flags=cv2.INTER_LINEAR)
    mixed = image + (thing - image.astype(np.float32)) * (mask.astype(np.float32) / 255)
    return np.asarray(mixed, np.uint8), mask > 127


def _pillar(
    scene: MovingThing, image: FloatArray, seen: NDArray[np.bool_], camera: FloatArray
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Put a striped pillar into the picture, off its middle, so that the drawn box is free of it."""
    wide = scene.pillar * scene.side
    left = scene.size[0] * 0.5 + max(0.12 * scene.size[0], scene.side * 0.8) - camera[0]
    columns = np.arange(scene.size[0])
    inside = (columns >= left) & (columns < left + wide)
    rows = np.arange(scene.size[1])[:, None]
    stripes = 90 + 40 * np.sin((columns - left)[None, :] / 5) + 25 * np.sin(rows / 9 + columns[None, :] / 17)
    return np.where(inside[None, :], stripes, image), seen & ~inside[None, :]


def _degraded(scene: MovingThing, image: Image, number: int, random: np.random.Generator) -> Image:
    """Return the picture as a camera would give it: blurred, darker, noisy."""
    blurred = cv2.GaussianBlur(image, (0, 0), scene.blur).astype(np.float32)
    light = 1 - scene.light * number / (FRAMES - 1)
    noisy = blurred * light + random.standard_normal(image.shape, np.float32) * scene.noise
    return np.asarray(np.clip(noisy, 0, 255), np.uint8)


def _ground(random: np.random.Generator, scene: MovingThing) -> Image:
    """Return a background larger than the frame, with structure at many scales and hard edges."""
    width, height = scene.size[0] + 2 * round(abs(scene.pan)) + 120, scene.size[1] + round(abs(scene.pan)) + 120
    picture = np.full((height, width), 60.0, np.float32)
    for cells in (6, 20, 70, 200):
        noise = random.uniform(0, 1, (cells, 2 * cells)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * 80 / np.sqrt(cells / 6)
    for _ in range(40):
        x, y = random.integers(0, width), random.integers(0, height)
        wide, high = random.integers(10, 120, 2)
        cv2.rectangle(picture, (int(x), int(y)), (int(x + wide), int(y + high)), float(random.uniform(20, 220)), -1)
    return np.clip(picture, 0, 255).astype(np.uint8)


def _plate(random: np.random.Generator) -> tuple[Image, float]:
    picture = np.full((100, 400), 225, np.uint8)
    cv2.rectangle(picture, (4, 4), (395, 95), 30, 4)
    text = "".join(random.choice(list("ABCDEFGHKLMNPRSTUVWXYZ0123456789"), 7))
    cv2.putText(picture, text, (22, 76), cv2.FONT_HERSHEY_SIMPLEX, 2.3, 20, 8, cv2.LINE_AA)
    return picture, 0.25


def _screen(random: np.random.Generator) -> tuple[Image, float]:
    picture = np.full((250, 400), 30, np.uint8)
    cv2.rectangle(picture, (8, 8), (391, 241), 90, -1)
    for row in range(9):
        left = int(random.integers(16, 60))
        cv2.rectangle(picture, (left, 20 + 22 * row), (left + int(random.integers(40, 200)), 34 + 22 * row), 215, -1)
    for _ in range(3):
        x, y = int(random.integers(250, 350)), int(random.integers(20, 190))
        cv2.rectangle(picture, (x, y), (x + 40, y + 36), int(random.integers(0, 255)), -1)
    return picture, 0.625


def _paper(random: np.random.Generator) -> tuple[Image, float]:
    picture = np.full((400, 300), 235, np.uint8)
    for row in range(16):
        x = 24
        while x < 260 - int(random.integers(0, 90)):
            wide = int(random.integers(8, 40))
            cv2.rectangle(picture, (x, 26 + 22 * row), (min(x + wide, 276), 36 + 22 * row), 50, -1)
            x += wide + 8
    return picture, 4 / 3


def _board(random: np.random.Generator) -> tuple[Image, float]:
    noise = random.uniform(0, 255, (14, 18)).astype(np.float32)
    return np.clip(cv2.resize(noise, (400, 300), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8), 0.75


def _faint(random: np.random.Generator) -> tuple[Image, float]:
    board, aspect = _board(random)
    return np.asarray(120 + (board.astype(np.float32) - 128) * 0.2, np.uint8), aspect


_TEXTURES = {"plate": _plate, "screen": _screen, "paper": _paper, "board": _board, "faint": _faint}
