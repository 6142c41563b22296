"""Following pixels, on pictures whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from redactkit.boxes import iou
from redactkit.errors import OptionError, TableError
from redactkit.tracking.optical_flow import follow, window

BOX = [120.0, 80.0, 60.0, 75.0]


def texture(seed: int = 0, shape=(240, 320)) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)


def warped(image: np.ndarray, *, scale=1.0, dx=0.0, dy=0.0, about=(150.0, 117.5)) -> np.ndarray:
    affine = np.array([[scale, 0, about[0] * (1 - scale) + dx], [0, scale, about[1] * (1 - scale) + dy]])
    return cv2.warpAffine(image, affine, image.shape[::-1], borderMode=cv2.BORDER_REFLECT)


def test_follow_of_no_boxes_is_empty():
    boxes, ok = follow(texture(), texture(), [])
    assert boxes.shape == (0, 4) and ok.shape == (0,)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3.5, -2), (14, 9), (-30, 20)])
def test_follow_finds_a_shifted_face(dx, dy):
    boxes, ok = follow(texture(), warped(texture(), dx=dx, dy=dy), [BOX])
    assert ok.all()
    np.testing.assert_allclose(boxes[0], np.add(BOX, [dx, dy, 0, 0]), atol=0.5)


@pytest.mark.parametrize("scale", [0.9, 0.96, 1.05, 1.15])
def test_follow_finds_a_face_that_comes_nearer_or_goes(scale):
    boxes, ok = follow(texture(), warped(texture(), scale=scale, dx=4), [BOX])
    assert ok.all()
    np.testing.assert_allclose(boxes[0, 2:], np.multiply(BOX[2:], scale), rtol=0.02)


def test_follow_moves_each_box_by_itself():
    first = texture()
    second = first.copy()
    second[:, :160] = warped(first, dx=5)[:, :160]
    second[:, 160:] = warped(first, dy=-6)[:, 160:]
    boxes, ok = follow(first, second, [[40, 80, 50, 60], [220, 80, 50, 60]])
    assert ok.all()
    np.testing.assert_allclose(boxes, [[45, 80, 50, 60], [220, 74, 50, 60]], atol=0.5)


def test_follow_gives_up_when_the_face_is_gone():
    boxes, ok = follow(texture(0), texture(1), [BOX])
    assert not ok.any()
    np.testing.assert_array_equal(boxes, [BOX])


def test_follow_gives_up_when_something_covers_the_face():
    covered = texture().copy()
    covered[80:155, 120:180] = texture(5)[80:155, 120:180]
    assert not follow(texture(), covered, [BOX])[1].any()


def test_follow_gives_up_on_a_plain_wall():
    plain = np.full((240, 320), 90, np.uint8)
    assert not follow(plain, plain, [BOX])[1].any()


def test_follow_keeps_a_face_that_is_partly_outside():
    edge = [-15.0, 80.0, 60.0, 75.0]
    boxes, ok = follow(texture(), warped(texture(), dx=4), [edge])
    assert ok.all()
    assert iou(boxes, [np.add(edge, [4, 0, 0, 0])])[0, 0] > 0.9


def test_follow_bears_a_change_of_light_and_noise():
    noise = np.random.default_rng(3).normal(0, 6, (240, 320))
    lit = np.clip(warped(texture(), dx=3) * 0.8 + 20 + noise, 0, 255).astype(np.uint8)
    boxes, ok = follow(texture(), lit, [BOX])
    assert ok.all()
    np.testing.assert_allclose(boxes[0, :2], [123, 80], atol=1)


def test_follow_refuses_colour_and_other_sizes():
    with pytest.raises(OptionError, match=r"must be grey"):
        follow(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9), np.uint8), [BOX])
    with pytest.raises(OptionError, match="one size"):
        follow(texture(), texture(shape=(90, 90)), [BOX])
    with pytest.raises(TableError, match=r"\(N, 4\)"):
        follow(texture(), texture(), BOX)


@pytest.mark.parametrize(
    "box", [[10, 20, 30, 40], [-50, -50, 20, 20], [310, 230, 60, 60], [500, 20, 9, 9], [5, 5, 0, 0]]
)
def test_window_shows_what_is_around_a_box_and_is_never_empty(box):
    image = np.arange(240 * 320, dtype=np.int64).reshape(240, 320)
    part, left, top = window(image, np.array([box], float), reach=7)
    assert part.size and part[0, 0] == image[top, left]
    columns, rows = (np.arange(size) for size in (320, 240))
    near = [(box[k] - 7 <= place) & (place < box[k] + box[k + 2] + 7) for k, place in enumerate((columns, rows))]
    wanted = image[np.ix_(near[1], near[0])]
    assert np.isin(wanted, part).all()


def test_follow_finds_in_a_window_what_it_finds_in_the_whole(monkeypatch):
    image = texture(3, (540, 960))
    boxes = [[100.0, 80, 60, 75], [700.0, 300, 80, 90], [930.0, 500, 60, 70]]
    later = warped(image, scale=1.03, dx=21, dy=-8, about=(480, 270))
    found = follow(image, later, boxes)
    monkeypatch.setattr("redactkit.tracking.optical_flow.window", lambda picture, boxes, reach: (picture, 0, 0))
    whole = follow(image, later, boxes)
    np.testing.assert_allclose(found[0], whole[0], atol=0.3)
    assert found[1].tolist() == whole[1].tolist()
