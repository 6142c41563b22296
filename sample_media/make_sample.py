"""Make ``sample.mp4`` and its exact ground truth: ``python sample_media/make_sample.py [FOLDER]``.

20 seconds, 1280x720, 25 frames a second. People walk, come nearer, cross, cover one another, leave through the
frame's edges and come back, with one hard cut at frame 275. A click sounds at each whole second, and in the
same frame the lamp at the top right lights up. The frame's number is written at the bottom left.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from people import CANVAS, CENTER, LOOKS, make_sprite
from scene import CUT, FRAMES, HEIGHT, RATE, SECONDS, WIDTH, Background, face_box, people_at, sprite_scale

SAMPLE_RATE = 48_000
TICKS = 12_800


def place_sprite(levels: list[np.ndarray], scale: float, place: tuple[float, ...]) -> np.ndarray:
    """Draw one person alone: premultiplied RGBA of the frame's size."""
    level = min(max(int(math.log2(1 / scale)), 0), len(levels) - 1) if scale < 1 else 0
    sprite = levels[level]
    factor = scale * CANVAS[0] / sprite.shape[1]
    center = (CENTER[0] * sprite.shape[1] / CANVAS[0], CENTER[1] * sprite.shape[0] / CANVAS[1])
    move = cv2.getRotationMatrix2D(center, place[3], factor)
    move[:, 2] += (place[0] - center[0], place[1] - center[1])
    return cv2.warpAffine(sprite, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)


def visible_share(box: tuple[float, ...], open_share: np.ndarray) -> float:
    """Return the share of a box's area that is inside the frame and that nobody covers."""
    x, y, width, height = box
    left, right = np.clip([round(x), round(x + width)], 0, WIDTH)
    top, bottom = np.clip([round(y), round(y + height)], 0, HEIGHT)
    seen = float(open_share[top:bottom, left:right].sum())
    return min(1.0, seen / (round(x + width) - round(x)) / (round(y + height) - round(y)))


def draw_frame(frame: int, background: np.ndarray, sprites: dict[int, list[np.ndarray]]) -> tuple[np.ndarray, list]:
    """Return the picture, uint8 RGB, and the faces in it: person, box and visible share."""
    placed = people_at(frame)
    layers = [place_sprite(sprites[person], sprite_scale(person, place[2]), place) for person, place in placed]
    open_share, faces = np.ones((HEIGHT, WIDTH), np.float32), []
    for (person, place), layer in zip(reversed(placed), reversed(layers), strict=True):
        box = face_box(person, place)
        if box[0] < WIDTH and box[0] + box[2] > 0:
            faces.append((person, box, visible_share(box, open_share)))
        open_share = open_share * (1 - layer[..., 3])
    picture = background
    for layer in layers:
        picture = layer[..., :3] + picture * (1 - layer[..., 3:])
    return draw_marks((np.clip(picture, 0, 1) * 255).round().astype(np.uint8), frame), sorted(faces)


def draw_marks(picture: np.ndarray, frame: int) -> np.ndarray:
    """Write the frame's number and light the lamp in the first frame of each second."""
    color = (255, 240, 120) if frame % RATE == 0 else (60, 60, 56)
    cv2.rectangle(picture, (1232, 24), (1256, 48), color, -1)
    cv2.putText(picture, f"{frame:04d}", (20, 702), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (240, 240, 240), 1, cv2.LINE_AA)
    return picture


def draw_frames() -> Iterator[tuple[np.ndarray, list]]:
    """Yield picture and faces of every frame."""
    background = Background()
    sprites = {person: make_sprite(look) for person, look in LOOKS.items()}
    for frame in range(FRAMES):
        yield draw_frame(frame, background.at(frame), sprites)


def make_sound() -> np.ndarray:
    """Return mono float32 samples: a quiet chord, and a click that starts at each whole second."""
    time = np.arange(SAMPLE_RATE * SECONDS) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (110.0, 164.81, 220.0, 277.18))
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * time / 8)
    past = time % 1.0
    click = np.sin(2 * np.pi * 2000 * past) * np.exp(-past / 0.004)
    return (0.012 * swell * chord + 0.7 * click).astype(np.float32)


def _add_video(container: Any) -> Any:
    stream = container.add_stream("libx264", rate=RATE, options={"crf": "25", "preset": "slow", "threads": "1"})
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.codec_context.gop_size = 50
    context = stream.codec_context
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = 1, 1, 1, 1
    return stream


def _encode_sound(container: Any, stream: Any) -> None:
    samples = make_sound()
    for start in range(0, len(samples), 1024):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def write_clip(path: Path) -> list[list]:
    """Write the clip and return the faces of every frame."""
    truth = []
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        video = _add_video(container)
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=96_000)
        for number, (pixels, faces) in enumerate(draw_frames()):
            picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            container.mux(video.encode(picture))
            truth.append(faces)
        container.mux(video.encode(None))
        _encode_sound(container, sound)
    return truth


def _event(frame: int, person: int, box: tuple[float, ...], visible: float) -> dict[str, Any]:
    sides = (WIDTH, HEIGHT, WIDTH, HEIGHT)
    shares = {
        key: round(value / side, 6) for key, value, side in zip(("x", "y", "width", "height"), box, sides, strict=True)
    }
    return {"index": frame, "id": person, **shares, "visible": round(visible, 3)}


def truth_document(truth: list[list]) -> dict[str, Any]:
    """Return the ground truth as redactkit writes annotations, with each face's visible share beside its box."""
    interval = TICKS // RATE
    events = [[_event(frame, *face) for face in faces] for frame, faces in enumerate(truth)]
    fragment = {"start": 0, "duration": interval * len(truth), "interval": interval, "events": events}
    head = {"version": 1, "timescale": TICKS, "offset": 0, "framerate": RATE, "width": WIDTH, "height": HEIGHT}
    video = {"time_base": [1, TICKS], "frame_rate": [RATE, 1], "frame_count": len(truth)}
    return {**head, "redactkit": {"schema": 1, "video": video, "cuts": [CUT]}, "fragments": [fragment]}


def main() -> None:
    """Write the clip and its ground truth."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    truth = write_clip(folder / "sample.mp4")
    text = json.dumps(truth_document(truth), separators=(",", ":")).replace(",[", ",\n[")
    (folder / "sample_truth_annotations.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
