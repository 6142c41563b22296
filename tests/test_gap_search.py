from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from redactkit.analysis.gap_search import refine
from redactkit.analysis.propagation import PropagationOptions
from redactkit.analysis.rescoring import rescore_doubtful
from redactkit.boxes import iou
from redactkit.detectors.crops import CROP_PIXELS, search_crops
from redactkit.media import VideoInfo
from redactkit.tables import BOX, DETECTIONS, as_detections, empty_detections

WIDTH, HEIGHT, RATE = 240, 160, 20
SIZE = 40
RED = (220, 30, 30)


@dataclass
class Picture:
    index: int
    image: np.ndarray

    @property
    def size(self):
        return self.image.shape[1], self.image.shape[0]

    def rgb_part(self, left, top, right, bottom):
        return self.image[top:bottom, left:right]

    def luma(self, *, shrink):
        assert shrink == 1
        return self.image.mean(axis=2).astype(np.uint8)


class Film:
    """A reader of pictures that were made, not decoded."""

    def __init__(self, images):
        self.images = images
        pts = np.arange(len(images))
        self.info = VideoInfo(None, WIDTH, HEIGHT, Fraction(RATE), Fraction(1, RATE), pts)

    def frame_at(self, number):
        return Picture(number, self.images[number])


def texture(seed, height, width):
    """Smooth noise, which can be followed."""
    import cv2

    noise = np.random.default_rng(seed).integers(0, 255, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


GROUND = (texture(0, HEIGHT, WIDTH) // 4).astype(np.uint8)
FACE = (texture(1, SIZE, SIZE) // 2 + 100).astype(np.uint8)
OTHER = (texture(2, 60, 60) // 2 + 100).astype(np.uint8)


def paste(image, patch, x, y):
    """Lay a patch on a picture, as far as it is inside."""
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + patch.shape[1], image.shape[1]), min(y + patch.shape[0], image.shape[0])
    if left < right and top < bottom:
        image[top:bottom, left:right] = patch[top - y : bottom - y, left - x : right - x]


def place(frame):
    return 20 + 3 * frame, 50


def film(count=40, draw=None):
    """A face that walks to the right; ``draw(image, frame)`` adds to it."""
    images = []
    for frame in range(count):
        image = GROUND.copy()
        paste(image, FACE, *place(frame))
        if draw is not None:
            draw(image, frame)
        images.append(image)
    return Film(images)


def rows(frames, face=1, size=SIZE, at=place):
    spots = np.array([at(frame) for frame in frames], float).reshape(-1, 2)
    return {
        "frame": list(frames), "time": np.array(frames) / RATE, "face_id": face, "x": spots[:, 0], "y": spots[:, 1],
        "width": size, "height": size, "confidence": 0.8, "source": "detected",
    }  # fmt: skip


def blind(images):
    return [np.zeros((0, 5)) for _ in images]


def marker(images):
    """A detector of red squares."""
    return [_red_box(image.astype(int)) for image in images]


def _red_box(image):
    y, x = np.nonzero((image[..., 0] > 150) & (image[..., 1] < 90))
    if len(x) < 20:
        return np.zeros((0, 5))
    return np.array([[x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1, 0.3]], float)


def off(found):
    """How far the boxes of a table are from where the face was, in pixels."""
    true = np.array([place(frame) for frame in found["frame"]])
    return np.abs(found[["x", "y"]].to_numpy() - true).max(initial=0)


def test_refine_no_tracks_stays_empty():
    found = refine(film(3), empty_detections(), detector=blind)
    assert found.dtypes.to_dict() == DETECTIONS
    assert found.empty


def test_refine_whole_tracks_are_left_as_they_are():
    table = as_detections(rows(range(40)))
    assert refine(film(), table, detector=blind).equals(table)


def test_refine_follows_pixels_where_the_detector_is_blind():
    found = refine(film(), as_detections(rows([*range(10), *range(18, 40)])), detector=blind)
    added = found[found["source"] == "tracked"]
    assert added["frame"].tolist() == list(range(10, 18))
    assert off(added) < 2
    assert (added["confidence"] < 0.8).all()
    np.testing.assert_allclose(found["time"], found["frame"] / RATE)


def test_refine_propagates_out_of_both_ends_for_half_a_second():
    found = refine(film(), as_detections(rows(range(15, 20))), detector=blind)
    assert found["frame"].tolist() == list(range(5, 30))
    assert off(found) < 3


def test_refine_takes_what_the_closer_look_sees():
    def red(image, frame):
        paste(image, np.full((SIZE, SIZE, 3), RED, np.uint8), *place(frame))

    found = refine(film(draw=red), as_detections(rows([*range(10), *range(30, 40)])), detector=marker)
    added = found[found["frame"].between(10, 29)]
    assert len(added) == 20
    assert set(added["source"]) == {"detected"}
    assert added["confidence"].to_numpy() == pytest.approx(0.3)
    assert off(added) < 3


def test_refine_carries_nothing_across_a_cut():
    found = refine(film(), as_detections(rows(range(15, 20))), detector=blind, cuts=[12, 22])
    assert found["frame"].tolist() == list(range(12, 22))


def test_refine_stops_where_something_comes_before_the_face():
    def cover(image, frame):
        if frame >= 20:
            paste(image, OTHER, 70, 40)

    found = refine(film(draw=cover), as_detections(rows(range(10, 20))), detector=blind)
    assert found["frame"].max() <= 20


def test_refine_leaves_the_boxes_of_other_faces_alone():
    table = as_detections(rows(range(10))).assign(face_id=1)
    other = as_detections(rows(range(12, 40), face=2))
    both = refine(
        film(), sorted_together(table, other), detector=blind, options=PropagationOptions(max_flow_seconds=0.05)
    )
    assert both[both["face_id"] == 1]["frame"].max() <= 11


def test_refine_joins_tracks_that_are_propagated_into_each_other():
    table = sorted_together(as_detections(rows(range(10))), as_detections(rows(range(14, 40), face=2)))
    found = refine(film(), table, detector=blind)
    assert found["face_id"].unique().tolist() == [1]
    assert found["frame"].tolist() == list(range(40))


def test_refine_follows_a_face_out_of_the_frame():
    found = refine(film(80), as_detections(rows(range(58))), detector=blind)
    last = found.iloc[-1]
    assert 62 <= last["frame"] <= 70
    assert last["x"] + last["width"] > WIDTH
    assert off(found) < 4


def test_refine_is_the_same_every_time():
    table = as_detections(rows([*range(5), *range(18, 22)]))
    assert refine(film(), table, detector=blind).equals(refine(film(), table, detector=blind))


def sorted_together(*tables):
    import pandas as pd

    return pd.concat(tables, ignore_index=True).sort_values(["frame", "face_id"], ignore_index=True)


def test_search_crops_no_boxes_gives_nothing():
    assert search_crops(blind, Picture(0, GROUND), np.zeros((0, 4))) == []


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("box", [[100, 60, 20, 30], [-5, -8, 24, 24], [180, 100, 100, 90]])
def test_search_crops_gives_boxes_of_the_frame(box, mirrored):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    paste(image, np.full((box[3], box[2], 3), RED, np.uint8), box[0], box[1])
    (found,) = search_crops(marker, Picture(0, image), np.array([box], float), mirrored=mirrored)
    shown = np.array([[max(box[0], 0), max(box[1], 0), 0, 0]])
    shown[0, 2:] = np.minimum([box[0] + box[2], box[1] + box[3]], [WIDTH, HEIGHT]) - shown[0, :2]
    assert iou(shown, found[:, :4]) > 0.85


def test_search_crops_shows_pictures_of_one_size():
    shapes = []

    def note(images):
        shapes.extend(image.shape for image in images)
        return blind(images)

    search_crops(note, Picture(0, GROUND), np.array([[0, 0, 4, 4], [10, 10, 500, 300]], float))
    assert shapes == [(CROP_PIXELS, CROP_PIXELS, 3)] * 2


def test_rescore_doubtful_of_no_tracks_is_empty():
    assert rescore_doubtful(film(2), empty_detections(), detector=blind).empty


def test_rescore_doubtful_does_not_look_at_sure_tracks():
    def never(images):
        raise AssertionError

    assert rescore_doubtful(film(), as_detections(rows(range(9))), detector=never).to_dict() == {1: 0.8}


def test_rescore_doubtful_weighs_what_the_closer_look_sees():
    def red(image, frame):
        paste(image, np.full((SIZE, SIZE, 3), RED, np.uint8), *place(frame))

    table = as_detections({**rows(range(30)), "confidence": 0.4})
    borne_out = rescore_doubtful(film(draw=red), table, detector=marker)
    alone = rescore_doubtful(film(), table, detector=blind)
    assert borne_out.to_dict() == {1: pytest.approx((0.4 + 2 * 0.3) / 3)}
    assert alone.to_dict() == {1: pytest.approx(0.4 / 3)}


def test_rescore_doubtful_ends_where_it_is_decided():
    def red(image, frame):
        paste(image, np.full((SIZE, SIZE, 3), RED, np.uint8), *place(frame))

    seen = []

    def counting(images):
        seen.extend(images)
        return marker(images)

    table = as_detections({**rows(range(30)), "confidence": 0.4})
    # 20 crops of 0.3 give a score of a third, and the first of them a score of 0.1433.
    for enough, least in ((np.inf, 20), (0.335, 20), (0.325, 20), (0.32, 19), (0.25, 12), (0.13, 0)):
        seen.clear()
        support = rescore_doubtful(film(draw=red), table, detector=counting, enough=enough)[1]
        assert len(seen) == least
        assert (support >= enough) == (enough <= 1 / 3)


def test_rescore_doubtful_needs_few_frames_near_each_other():
    asked = []

    class Counting(Film):
        def frame_at(self, number):
            asked.append(number)
            return super().frame_at(number)

    table = as_detections({**rows(range(200), at=lambda frame: (20, 20)), "confidence": 0.3})
    rescore_doubtful(Counting([GROUND] * 200), table, detector=blind)
    assert len(asked) == 5
    assert max(asked) - min(asked) <= 40


def test_refine_keeps_the_schema():
    found = refine(film(), as_detections(rows([0, 1, 2, 30])), detector=blind)
    assert found.dtypes.to_dict() == DETECTIONS
    assert not found.duplicated(["frame", "face_id"]).any()
    assert found[BOX].notna().all().all()


@pytest.mark.parametrize("cores", [1, 2])
def test_refine_with_several_readers_finds_the_same(cores, monkeypatch):
    monkeypatch.setattr("redactkit.runtime.cores.count_cores", lambda: cores)
    table = as_detections(rows([*range(5), *range(12, 18), *range(45, 50), *range(75, 80)]))
    moving = film(80)
    readers, rests = [], []
    moving.info = replace(moving.info, path=Path("film"))
    moving.another = lambda **how: readers.append((Twin(moving), how)) or readers[-1][0]
    moving.rest = lambda: rests.append(True)
    found = refine(moving, table, detector=Blind(), options=PropagationOptions(max_flow_seconds=0.1))
    assert [how for _, how in readers] == [{"threads": 1, "share": cores}] * (cores if cores > 1 else 0)
    assert len(rests) == (cores > 1), "the frames it keeps are held for nobody"
    assert found.equals(refine(film(80), table, detector=blind, options=PropagationOptions(max_flow_seconds=0.1)))


@pytest.mark.parametrize(("every", "unseen"), [(20, 0.1), (80, 0.25)])
def test_refine_decodes_little_with_several_readers(every, unseen, monkeypatch):
    """What follows a keyframe goes to one reader; where keyframes are few, readers never go back to start anew."""
    monkeypatch.setattr("redactkit.runtime.cores.count_cores", lambda: 2)
    spans = [range(20 * start + first, 20 * start + first + 4) for start in range(8) for first in (3, 10)]
    table = as_detections(rows([frame for span in spans for frame in span], at=lambda frame: (20, 20)))
    still = Film([GROUND] * 160)
    still.info = replace(still.info, path=Path("film"), keyframes=np.arange(0, 160, every))
    readers = []
    still.another = lambda **_: readers.append(Twin(still)) or readers[-1]
    still.rest = lambda: None
    refine(still, table, detector=Blind(), options=PropagationOptions(max_flow_seconds=unseen))
    if every == 20:
        groups = [{frame // 20 for frame in reader.asked if frame % 20 not in (0, 1, 18, 19)} for reader in readers]
        assert sorted([*groups[0], *groups[1]]) == list(range(8)), "none is decoded by both"
    for reader in readers:
        steps = np.diff(reader.asked)
        assert every == 20 or steps.min(initial=0) >= -10, "backwards within a group of propagations only"


class Blind:
    """A detector that finds nothing, and may be called by several threads at once."""

    is_thread_safe = True

    def __call__(self, images):
        return blind(images)


class Twin:
    """Another reader of the same film."""

    def __init__(self, first):
        self.info, self.first, self.asked = first.info, first, []

    def frame_at(self, number):
        self.asked.append(number)
        return self.first.frame_at(number)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass
