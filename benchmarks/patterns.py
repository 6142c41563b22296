"""What becomes of things that look like faces: ``python -m benchmarks.patterns``.

The people of the sample walk before a wall of drawn things that CenterFace takes for faces now and then, in every
frame or in some: busts, tufts of hair, balls with spots, and ornaments. Scored as in `benchmarks.evaluate`, beside
plain per-frame detection.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.evaluate import first_pass, per_frame, score

ROOT = Path(__file__).parents[1]
SIDE = 96
FRAMES = 250
WALLS = (("still camera", 0.0, 0), ("slow pan", 0.7, 1), ("fast pan", 4.0, 2))

Picture = NDArray[np.float32]
Motif = Callable[[np.random.Generator], Picture]


def _plain(color: Any) -> Picture:
    return np.full((SIDE, SIDE, 3), color, np.float32)


def bust(random: np.random.Generator) -> Picture:
    """Draw a head of stone, more or less weathered."""
    tone, wear = random.uniform(150, 200), random.uniform(0.55, 1.0)
    picture = _plain(tone * 0.5)
    cv2.ellipse(picture, (48, 48), (26, 36), 0, 0, 360, (tone,) * 3, -1)
    cv2.ellipse(picture, (48, 22), (28, 16), 0, 0, 360, (tone * 0.8,) * 3, -1)
    for x in (38, 58):
        cv2.ellipse(picture, (x, 44), (6, 3), 0, 0, 360, (tone * max(wear, random.uniform(0.55, 0.8)),) * 3, -1)
        cv2.line(picture, (x - 7, 37), (x + 7, 36), (tone * max(wear, 0.7),) * 3, 3)
    cv2.line(picture, (48, 44), (45, 60), (tone * max(wear, 0.75),) * 3, 3)
    cv2.ellipse(picture, (48, 68), (9, 3), 0, 0, 360, (tone * max(wear, random.uniform(0.6, 0.8)),) * 3, -1)
    return _soft(picture, random.uniform(1.5, 3))


def tuft(random: np.random.Generator) -> Picture:
    """Draw the back of a head."""
    color = random.uniform(20, 90, 3)
    picture = _plain(random.uniform(60, 120, 3))
    cv2.ellipse(picture, (48, 50), (30, 38), 0, 0, 360, color, -1)
    for _ in range(60):
        center, sides = (int(random.uniform(22, 74)), 50), (int(random.uniform(3, 12)), 36)
        turn, until, shade = random.uniform(-15, 15), random.uniform(230, 360), color * random.uniform(0.6, 1.8)
        cv2.ellipse(picture, center, sides, turn, 180, until, shade, 1, cv2.LINE_AA)
    return _soft(picture, 0.8)


def ball(random: np.random.Generator) -> Picture:
    """Draw something round, of the colour of skin, with dark spots."""
    color = np.array([190, 150, 125]) * random.uniform(0.7, 1.1)
    picture = _plain(random.uniform(40, 120, 3))
    sides = (int(random.uniform(22, 30)), int(random.uniform(30, 38)))
    cv2.ellipse(picture, (48, 50), sides, random.uniform(-20, 20), 0, 360, color, -1)
    cv2.ellipse(picture, (48, 24), (30, 18), 0, 0, 360, color * 0.35, -1)
    for _ in range(int(random.integers(2, 6))):
        spot = (int(random.uniform(30, 66)), int(random.uniform(35, 75)))
        cv2.circle(picture, spot, int(random.uniform(2, 6)), color * random.uniform(0.4, 0.7), -1)
    return _soft(picture, 2.0)


def ornament(random: np.random.Generator) -> Picture:
    """Draw two spirals over an arc."""
    color = random.uniform(60, 220, 3)
    picture = _plain(random.uniform(60, 150, 3))
    for x in (32, 64):
        for ring in range(3):
            shade = color * (0.5 + 0.2 * ring)
            cv2.ellipse(picture, (x, 40), (6 + 4 * ring, 6 + 4 * ring), 0, 0, 300, shade, 2, cv2.LINE_AA)
    cv2.ellipse(picture, (48, 70), (18, 9), 0, 0, 180, color * 0.6, 3)
    cv2.line(picture, (48, 38), (48, 62), color * 0.7, 3)
    return _soft(picture, 1.0)


MOTIFS: tuple[Motif, ...] = (bust, tuft, ball, ornament)


def _soft(picture: Picture, blur: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.float32)


def wall(width: int, height: int, *, seed: int = 0) -> Picture:
    """Return a wall of motifs of many sizes, RGB from 0 to 1."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 110, np.float32)
    for _ in range(width * height // 14_000):
        side = int(random.uniform(30, 90))
        drawn = cv2.resize(MOTIFS[random.integers(len(MOTIFS))](random), (side, side), interpolation=cv2.INTER_AREA)
        x, y = int(random.integers(0, width - side)), int(random.integers(0, height - side))
        picture[y : y + side, x : x + side] = drawn
    return picture / 255


def make_clip(path: Path, *, pan: float, seed: int = 0) -> dict[str, Any]:
    """Write a clip of the sample's people before a wall that passes at ``pan`` pixels a frame; return its labels."""
    sys.path.insert(0, str(ROOT / "sample_media"))
    from labels import make_labels
    from make_sample import draw_frame, truth_document
    from people import LOOKS, make_sprite
    from scene import HEIGHT, RATE, WIDTH

    ground = wall(WIDTH + round(abs(pan) * FRAMES) + 1, HEIGHT, seed=seed)
    random = np.random.default_rng(seed)
    sprites = {person: make_sprite(look) for person, look in LOOKS.items()}
    truth = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            move = np.array([[1, 0, -pan * number], [0, 1, 0]], np.float64)
            behind = cv2.warpAffine(ground, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
            noisy = behind + random.normal(0, 0.012, behind.shape).astype(np.float32)
            pixels, faces = draw_frame(number, np.clip(noisy, 0, 1), sprites)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(stream.encode(frame))
            truth.append(faces)
        container.mux(stream.encode(None))
    return dict(make_labels(truth_document(truth), clip=path.name))


def main() -> None:
    """Print the scores."""
    argparse.ArgumentParser(prog="python -m benchmarks.patterns", description=__doc__).parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, pan, seed in WALLS:
            clip = Path(folder) / f"{name.replace(' ', '_')}.mp4"
            labels = make_clip(clip, pan=pan, seed=seed)
            for method, run in {"redactkit": first_pass, "per-frame CenterFace": per_frame}.items():
                found = run(clip)
                rows.append({"clip": name, "method": method, **score(found, labels), "boxes": len(found.detections)})
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.4f}"))


if __name__ == "__main__":
    main()
