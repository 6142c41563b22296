"""Faces that show only between two sampled frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from redactkit import analyze
from redactkit.analysis import scanner
from redactkit.analysis.brief_changes import find_brief_changes
from redactkit.boxes import iou
from redactkit.formats import read_annotations
from redactkit.runtime.resources import sample_path, sample_truth_path
from redactkit.tables import BOX
from redactkit.video import VideoReader

FRAMES = 40
SHOWN = (8, 9, 10)  # sampled are 6 and 12
OF_SAMPLE = 249
WALL = np.random.default_rng(7).integers(60, 120, (36, 64, 3), np.uint8)


def with_square(left: int, *, light: int = 220) -> np.ndarray:
    picture = WALL.copy()
    picture[10:18, left : left + 8] = light
    return picture


def test_what_comes_and_goes_is_found_where_it_shows_most():
    ((place, boxes),) = find_brief_changes(WALL, [WALL, with_square(30, light=150), with_square(30)], WALL)
    assert place == 2
    ((left, top, width, height),) = boxes
    assert left <= 30 and top <= 10 and left + width >= 38 and top + height >= 18


def test_what_is_hidden_at_both_ends_and_shows_between_is_found():
    assert len(find_brief_changes(with_square(30), [WALL], with_square(30))) == 1


def test_what_shows_one_after_the_other_is_found_in_a_frame_each_the_clearest_first():
    between = [with_square(5, light=160), with_square(40), with_square(22, light=190), with_square(40, light=200), WALL]
    found = find_brief_changes(WALL, between, WALL)
    assert [place for place, _ in found] == [1, 2, 0]
    assert [boxes[:, 0].round(-1).tolist() for _, boxes in found] == [[40], [20], [0]]


def test_small_change_beside_a_large_one_at_another_time_is_found():
    hands = np.full_like(WALL, 255)
    hands[:, 24:] = WALL[:, 24:]
    (first, large), (second, small) = find_brief_changes(WALL, [hands, with_square(40, light=160)], WALL)
    assert (first, second) == (0, 1) and large[0, 2] > 20 and small[0, 2] <= 12


@pytest.mark.parametrize(
    ("first", "between", "last"),
    [
        (WALL, with_square(30), with_square(30)),
        (with_square(28), with_square(30), with_square(32)),
        (WALL, WALL + 5, WALL),
    ],
    ids=["comes to stay", "moves a little", "flickers"],
)
def test_what_an_end_shows_nearby_is_no_change(first, between, last):
    assert not find_brief_changes(first, [between], last)


def write(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "12", "preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    """A frame of the sample, at half its size."""
    with VideoReader(sample_path()) as reader:
        return reader.frame_at(OF_SAMPLE).rgb(width=640, height=360)


@pytest.fixture(scope="module")
def boxes() -> np.ndarray:
    """Where its large faces are that lie wholly inside."""
    rows = read_annotations(sample_truth_path()).detections
    found = rows.loc[rows["frame"] == OF_SAMPLE, BOX].to_numpy(float) / 2
    return found[(found[:, 0] > 20) & (found[:, 1] > 20) & (found[:, 0] + found[:, 2] < 620) & (found[:, 2] > 40)]


def test_faces_that_show_between_two_sampled_frames_are_found_where_they_show(people, boxes, tmp_path):
    wall = np.random.default_rng(1).integers(80, 110, people.shape, np.uint8)
    faces = wall.copy()
    for x, y, width, height in boxes.round().astype(int):
        part = slice(y - height // 4, y + height * 5 // 4), slice(x - width // 4, x + width * 5 // 4)
        faces[part] = people[part]
    clip = write(tmp_path / "brief.mp4", [faces if number in SHOWN else wall for number in range(FRAMES)])
    found = analyze(clip, progress=False, same_person=False).detections
    assert len(boxes) > 1 and set(found["frame"]) == set(SHOWN)
    for frame in SHOWN:
        here = found.loc[found["frame"] == frame, BOX].to_numpy(float)
        assert (iou(boxes, here).max(axis=1) > 0.4).all()


def test_faces_one_after_the_other_between_two_sampled_frames_are_found(people, boxes, tmp_path):
    wall = np.random.default_rng(1).integers(80, 110, people.shape, np.uint8)
    pictures = [wall] * FRAMES
    for number, (x, y, width, height) in zip((7, 9, 11), boxes.round().astype(int), strict=False):
        part = slice(y - height // 4, y + height * 5 // 4), slice(x - width // 4, x + width * 5 // 4)
        pictures[number] = wall.copy()
        pictures[number][part] = people[part]
    found = analyze(write(tmp_path / "turns.mp4", pictures), progress=False, same_person=False).detections
    for number, box in zip((7, 9, 11), boxes, strict=False):
        here = found.loc[found["frame"] == number, BOX].to_numpy(float)
        assert iou(box[None], here).max() > 0.4


def test_still_picture_costs_no_search_beside_the_sampled_frames(people, tmp_path, monkeypatch):
    clip = write(tmp_path / "still.mp4", [people] * FRAMES)
    changes: list[object] = []
    monkeypatch.setattr(scanner.Scanner, "_search_changes", lambda self, found: changes.extend(found) or {})
    found = analyze(clip, progress=False, same_person=False).detections
    assert (len(set(found["frame"])), changes) == (FRAMES, [])
