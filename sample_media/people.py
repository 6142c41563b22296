"""The people of the sample clip: heads cut from public-domain portraits, on drawn bodies.

The portraits are those that matplotlib (``grace_hopper.jpg``) and scikit-image (``astronaut``) install;
both are works of the United States government. Crop, mirror, tint and dress make six people of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import matplotlib.cbook
import numpy as np
import skimage.data

FACE_HEIGHT = 200.0
CANVAS = (900, 1640)
CENTER = (450.0, 330.0)


@dataclass(frozen=True)
class Portrait:
    """A head in a picture: its outline, and the face as CenterFace boxes it (forehead to chin)."""

    name: str
    face: tuple[float, float, float, float]
    outline: tuple[tuple[int, int], ...]
    hat: tuple[tuple[int, int], ...] = ()


HOPPER = Portrait(
    "grace_hopper",
    face=(174, 118, 184, 213),
    outline=(
        *((148, 110), (155, 92), (170, 84), (180, 70), (200, 52), (218, 40), (232, 27), (262, 22), (285, 27)),
        *((302, 40), (325, 52), (345, 68), (352, 85), (362, 88), (370, 110), (371, 150), (372, 180), (376, 195)),
        *((373, 220), (364, 255), (361, 280), (353, 300), (340, 305), (330, 330), (329, 345), (322, 365)),
        *((300, 398), (290, 405), (245, 405), (232, 398), (206, 365), (203, 340), (205, 318), (200, 306)),
        *((185, 295), (172, 280), (168, 265), (160, 255), (155, 225), (152, 195), (157, 175), (158, 155), (150, 140)),
    ),
    hat=(
        *((140, 110), (155, 85), (200, 45), (262, 10), (330, 45), (365, 80), (380, 110), (374, 178), (366, 178)),
        *((352, 150), (325, 134), (262, 129), (200, 134), (172, 148), (152, 166), (143, 150)),
    ),
)

ASTRONAUT = Portrait(
    "astronaut",
    face=(181, 58, 90, 120),
    outline=(
        *((154, 72), (159, 58), (173, 43), (190, 30), (210, 20), (232, 16), (256, 23), (275, 33), (287, 43)),
        *((296, 60), (300, 80), (297, 100), (291, 112), (281, 122), (277, 130), (271, 135), (266, 137), (262, 150)),
        *((256, 163), (254, 172), (254, 184), (238, 188), (215, 185), (194, 179), (188, 174), (187, 160), (184, 148)),
        *((183, 132), (177, 127), (171, 117), (163, 110), (156, 98), (154, 85)),
    ),
)


@dataclass(frozen=True)
class Look:
    """How one person differs from the portrait: ``tint`` and ``gamma`` per RGB channel, ``color`` 0 is grey."""

    portrait: Portrait
    coat: tuple[int, int, int]
    trousers: tuple[int, int, int] = (52, 54, 66)
    mirrored: bool = False
    narrow: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    color: float = 1.0
    hat: tuple[int, int, int] | None = None


LOOKS = {
    1: Look(HOPPER, coat=(38, 48, 92), color=0.85),
    2: Look(ASTRONAUT, coat=(205, 92, 48)),
    3: Look(
        HOPPER, coat=(92, 118, 72), mirrored=True, tint=(0.86, 0.68, 0.55), gamma=1.3, color=0.7, hat=(196, 176, 120)
    ),
    4: Look(ASTRONAUT, coat=(70, 132, 140), mirrored=True, narrow=0.94, tint=(0.82, 0.62, 0.5), gamma=1.35),
    5: Look(ASTRONAUT, coat=(120, 74, 120), narrow=1.06, tint=(1.0, 1.0, 1.04), gamma=0.85, color=0.45),
    6: Look(HOPPER, coat=(150, 132, 112), narrow=0.9, tint=(1.04, 0.97, 0.9), gamma=0.9, color=0.75, hat=(176, 40, 44)),
}


def read_portrait(name: str) -> np.ndarray:
    """Return a portrait that a dependency installs, uint8 RGB."""
    if name == "astronaut":
        return np.asarray(skimage.data.astronaut())
    path = matplotlib.cbook.get_sample_data(f"{name}.jpg", asfileobj=False)
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def _mask(shape: tuple[int, int], outline: tuple[tuple[int, int], ...], blur: float) -> np.ndarray:
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [np.array(outline, np.int32)], 1.0, lineType=cv2.LINE_AA)
    return cv2.GaussianBlur(mask, (0, 0), blur)[..., None]


def _dress_hat(picture: np.ndarray, look: Look) -> np.ndarray:
    if look.hat is None:
        return picture
    light = cv2.GaussianBlur(picture, (0, 0), 6).mean(axis=2, keepdims=True)
    cloth = np.array(look.hat, np.float32) / 255 * (0.7 + 0.35 * light)
    mask = _mask(picture.shape[:2], look.portrait.hat, 1.5)
    return picture * (1 - mask) + cloth * mask


def _tone(picture: np.ndarray, look: Look) -> np.ndarray:
    grey = picture.mean(axis=2, keepdims=True)
    toned = (grey + (picture - grey) * look.color) ** look.gamma * np.array(look.tint, np.float32)
    return np.clip(toned, 0, 1)


def _head(look: Look) -> np.ndarray:
    """Return the head on the canvas: premultiplied RGBA float32, the face's centre at `CENTER`."""
    portrait = look.portrait
    picture = _dress_hat(_tone(read_portrait(portrait.name).astype(np.float32) / 255, look), look)
    alpha = _mask(picture.shape[:2], portrait.outline, 1.0)
    x, y, width, height = portrait.face
    scale = FACE_HEIGHT / height
    across = scale * look.narrow * (-1 if look.mirrored else 1)
    move = np.array(
        [[across, 0, CENTER[0] - across * (x + width / 2)], [0, scale, CENTER[1] - scale * (y + height / 2)]]
    )
    return cv2.warpAffine(np.dstack([picture * alpha, alpha]), move, CANVAS, flags=cv2.INTER_CUBIC).clip(0, 1)


def _shape(canvas: np.ndarray, points: list[tuple[float, float]], color: tuple[int, int, int]) -> None:
    """Draw a polygon, given in face heights from the face's centre, with soft light from the left."""
    corners = np.array([(CENTER[0] + x * FACE_HEIGHT, CENTER[1] + y * FACE_HEIGHT) for x, y in points])
    mask = np.zeros(canvas.shape[:2], np.float32)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1.0, lineType=cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 14)
    mask = np.clip((mask - 0.5) * 12 + 0.5, 0, 1)[..., None]
    across = (np.arange(canvas.shape[1], dtype=np.float32) - CENTER[0]) / FACE_HEIGHT
    light = (1.02 - 0.16 * across - 0.14 * across**2)[None, :, None]
    body = np.clip(np.array(color, np.float32) / 255 * light, 0, 1)
    canvas[:] = canvas * (1 - mask) + np.dstack([np.broadcast_to(body, (*mask.shape[:2], 3)), mask * 0 + 1]) * mask


def _body(look: Look) -> np.ndarray:
    canvas = np.zeros((CANVAS[1], CANVAS[0], 4), np.float32)
    dark = tuple(int(value * 0.86) for value in look.coat)
    shoes = (34, 30, 30)
    for side in (-1, 1):
        _shape(canvas, [(side * a, b) for a, b in ((0.04, 3.2), (0.7, 3.2), (0.52, 6.05), (0.14, 6.05))], look.trousers)
        _shape(canvas, [(side * a, b) for a, b in ((0.1, 5.95), (0.62, 5.95), (0.72, 6.22), (0.1, 6.22))], shoes)
        _shape(canvas, [(side * a, b) for a, b in ((0.7, 0.95), (1.06, 1.0), (1.24, 3.1), (0.96, 3.15))], dark)
    neck = [(-0.38, 0.5), (0.38, 0.5), (0.5, 0.72), (1.02, 0.98), (1.0, 2.0), (0.86, 3.45)]
    _shape(canvas, [*neck, *((-x, y) for x, y in reversed(neck[2:]))], look.coat)
    return canvas


def make_sprite(look: Look) -> list[np.ndarray]:
    """Return a person as premultiplied RGBA float32 pictures, each half the size of the one before."""
    head, body = _head(look), _body(look)
    levels = [head + body * (1 - head[..., 3:])]
    for _ in range(5):
        levels.append(cv2.pyrDown(levels[-1]))
    return levels


def face_aspect(look: Look) -> float:
    """Width of the person's face box over its height."""
    return look.portrait.face[2] / look.portrait.face[3] * look.narrow
