"""Time: cells are held over windows, come back on replay, and averaging over frames recovers nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from redactkit.effects import BLUR_KINDS, HIDING_KINDS, Effect, PixelLayout

LAYOUT = PixelLayout()
SIZE = 120
HELD = [kind for kind in HIDING_KINDS if BLUR_KINDS[kind].cells]


def make_face() -> np.ndarray:
    """Return a face-like texture, shape (SIZE, SIZE): structure at every scale down to a few pixels."""
    chance = np.random.default_rng(3)
    layers = [ndimage.gaussian_filter(chance.normal(size=(SIZE, SIZE)), sigma) * sigma for sigma in (2, 4, 8, 16)]
    texture = sum(layer / layer.std() for layer in layers)
    return 120 + 30 * texture / texture.std()


def make_path(frames: int) -> np.ndarray:
    """Return where the face's top left corner is in each frame: a drift by parts of a pixel and a sway."""
    steps = np.arange(frames)
    return np.stack([40 + 0.37 * steps, 30 + 9 * np.sin(steps / 11) + 0.13 * steps], axis=1)


def make_frame(face: np.ndarray, place: np.ndarray) -> np.ndarray:
    frame = np.full((240, 300), 90.0)
    frame[60 : 60 + SIZE, 60 : 60 + SIZE] = face
    return np.clip(ndimage.shift(frame, place[::-1] - 60, order=1, cval=90.0), 0, 255).astype(np.uint8)


def make_box(place: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Return a detector's box of the face: 3 % off in place and size, and grown by the margin."""
    box = np.array([*place, SIZE, SIZE]) + chance.normal(0, 0.03 * SIZE, 4)
    return box + np.array([-0.15, -0.15, 0.3, 0.3]) * SIZE


def naive_mosaic(luma: np.ndarray, box: np.ndarray, _: int) -> None:
    """Average over 30-pixel blocks that stand still in the frame: what the attack must be able to undo."""
    left, top, right, bottom = (max(0, int(side)) for side in (*box[:2], *(box[:2] + box[2:])))
    rows, columns = np.indices(luma.shape) // 30
    block = rows * (columns.max() + 1) + columns
    means = ndimage.mean(luma, block, index=np.arange(block.max() + 1))
    luma[top:bottom, left:right] = means[block][top:bottom, left:right]


def likenesses(hide: Callable[[np.ndarray, np.ndarray, int], None], *, frames: int = 160) -> tuple[float, float]:
    """Return how much detail of the face shows in single frames, on average, and in the mean of all frames.

    The attacker knows the face's true motion and aligns the frames by it.
    """
    face, chance = make_face(), np.random.default_rng(8)
    aligned = []
    for number, place in enumerate(make_path(frames)):
        luma = make_frame(face, place)
        hide(luma, make_box(place, chance), number)
        aligned.append(ndimage.shift(luma.astype(float), 60 - place[::-1], order=1)[60 : 60 + SIZE, 60 : 60 + SIZE])
    return float(np.mean([likeness(one, face) for one in aligned[::8]])), likeness(np.mean(aligned, axis=0), face)


def likeness(recovered: np.ndarray, face: np.ndarray) -> float:
    """Return the correlation of two pictures in what is finer than the cells: 2.5 to 4 periods across the face."""
    return float(np.corrcoef(_detail(recovered).ravel(), _detail(face).ravel())[0, 1])


def _detail(picture: np.ndarray) -> np.ndarray:
    window = np.hanning(SIZE)
    spectrum = np.fft.fft2((picture - picture.mean()) * np.outer(window, window))
    periods = np.hypot(*np.meshgrid(*[np.fft.fftfreq(SIZE) * SIZE] * 2))
    return np.fft.ifft2(np.where((periods >= 2.5) & (periods <= 4), spectrum, 0)).real


def with_effect(kind: str) -> Callable[[np.ndarray, np.ndarray, int], None]:
    effect = Effect(kind, LAYOUT)
    return lambda luma, box, frame: effect.apply([luma], box[None], faces=[1], frame=frame)


def test_averaging_a_naive_mosaic_recovers_detail():
    single, mean = likenesses(naive_mosaic)
    assert mean > single + 0.3


@pytest.mark.parametrize("kind", HELD)
def test_averaging_over_time_recovers_no_more_than_one_frame(kind):
    single, mean = likenesses(with_effect(kind))
    assert mean < abs(single) + 0.1


def hidden_run(kind: str, frames: range, *, replay: bool = False) -> list[np.ndarray]:
    """Return the last of some frames, each noise of its own, after a run over them."""
    effect = Effect(kind, LAYOUT, hold=8)
    first = effect.window_start(frames[-1]) if replay else frames[0]
    for number in range(first, frames[-1] + 1):
        chance = np.random.default_rng(number)
        planes = [chance.integers(30, 220, shape, dtype=np.uint8) for shape in ((120, 160), (60, 80), (60, 80))]
        planes[0] //= number % 8 + 1
        effect.apply(planes, [[20 + number, 20, 60, 70]], faces=[4], frame=number, paint=number == frames[-1])
    return planes


@pytest.mark.parametrize("kind", BLUR_KINDS)
def test_replay_from_the_window_start_gives_what_a_run_from_the_start_gives(kind):
    for first, second in zip(hidden_run(kind, range(30)), hidden_run(kind, range(30), replay=True), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", HELD)
def test_cells_are_held_in_a_window_and_taken_anew_in_the_next(kind):
    effect = Effect(kind, LAYOUT, hold=4)
    centers = []
    for frame in range(8):
        luma = np.full((100, 100), 40 + 20 * frame, np.uint8)
        effect.apply([luma], [[20, 20, 60, 60]], faces=[1], frame=frame)
        centers.append(int(luma[50, 50]))
    assert len(set(centers[:4])) == 1
    assert len(set(centers[4:])) == 1
    assert centers[3] < centers[4]


def test_painting_follows_the_moving_box_while_values_stand():
    effect = Effect("Pixelate", LAYOUT)
    face = np.random.default_rng(1).integers(0, 255, (100, 200), dtype=np.uint8)
    still, moved = face.copy(), face.copy()
    effect.apply([still], [[10, 10, 60, 60]], faces=[1], frame=0)
    effect.apply([moved], [[110, 30, 60, 60]], faces=[1], frame=1)
    np.testing.assert_array_equal(still[10:70, 10:70], moved[30:90, 110:170])


def test_going_back_in_time_takes_the_cells_anew():
    effect = Effect("Pixelate", LAYOUT)
    for frame, value in ((5, 40), (3, 200)):
        luma = np.full((100, 100), value, np.uint8)
        effect.apply([luma], [[20, 20, 60, 60]], faces=[1], frame=frame)
    assert luma[20:80, 20:80].mean() > 150


def test_without_painting_nothing_changes():
    luma = np.random.default_rng(1).integers(0, 255, (100, 100), dtype=np.uint8)
    before = luma.copy()
    Effect("Med", LAYOUT).apply([luma], [[20, 20, 60, 60]], faces=[1], frame=0, paint=False)
    np.testing.assert_array_equal(luma, before)
