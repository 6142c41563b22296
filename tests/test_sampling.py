"""Which frames need no search, which parts of a frame do, and that nothing is lost by it."""

from __future__ import annotations

import numpy as np
import pytest

from redactkit.analysis.crop_regions import inside_crops, plan_crops
from redactkit.analysis.sampling import match_halfway, match_predicted

SURE = 0.3
STILL = [100.0, 100, 40, 50, 0.9]


def moving(frame: int, *, speed: float = 5.0) -> list[float]:
    return [300 + speed * frame, 100, 40, 50, 0.9]


def faces(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 5)


def frame(number: int) -> np.ndarray:
    return faces(STILL, moving(number))


def test_match_predicted_lists_nobody_while_all_go_on_as_before():
    pairs, mismatched = match_predicted(frame(0), frame(6), frame(12), ratio=1, mismatch_confidence=SURE)
    assert pairs.tolist() == [[0, 0], [1, 1]]
    assert not len(mismatched)


@pytest.mark.parametrize(
    ("last", "boxes"),
    [
        (faces(STILL), [[330, 100, 40, 50]]),
        (faces(STILL, moving(12), [500, 300, 40, 50, 0.8]), [[500, 300, 40, 50]]),
        (faces(STILL, [*moving(12)[:4], 0.5]), [[330, 100, 70, 50]]),
        (faces(STILL, [330, 100, 40, 50, 0.9]), [[330, 100, 40, 50]]),
        (faces(STILL, moving(12), [500, 300, 40, 50, 0.1]), []),
    ],
    ids=["went", "came", "dips", "stops", "too weak to count"],
)
def test_match_predicted_lists_the_boxes_of_faces_that_did_not(last, boxes):
    _, mismatched = match_predicted(frame(0), frame(6), last, ratio=1, mismatch_confidence=SURE)
    assert mismatched.tolist() == boxes


def test_match_halfway_keeps_to_the_half_in_which_a_face_came():
    (_, early), (pairs, late) = match_halfway(faces(STILL), frame(6), frame(6), share=0.5, mismatch_confidence=SURE)
    assert early.tolist() == [[330, 100, 40, 50]]
    assert not len(late) and pairs.tolist() == [[0, 0], [1, 1]]


def test_match_halfway_doubts_a_face_that_came_and_moves():
    (_, early), (_, late) = match_halfway(faces(STILL), frame(6), frame(12), share=0.5, mismatch_confidence=SURE)
    assert len(early) == len(late) == 1


def test_match_halfway_lists_nobody_on_a_straight_path():
    (_, early), (_, late) = match_halfway(frame(0), frame(6), frame(12), share=0.5, mismatch_confidence=SURE)
    assert not len(early) and not len(late)


def test_match_halfway_doubts_both_halves_where_the_middle_is_off_the_path():
    bent = faces(STILL, moving(6, speed=9))
    (_, early), (_, late) = match_halfway(frame(0), bent, frame(12), share=0.5, mismatch_confidence=SURE)
    assert len(early) == len(late) == 1


def test_crops_show_half_a_face_around_and_share_a_square():
    mismatched = np.array([[100.0, 100, 40, 50], [110, 105, 40, 50], [500, 200, 30, 30]])
    crops = plan_crops(mismatched, scale=1, width=1280, height=736)
    assert crops is not None and [crop.scaled for crop in crops] == [160, 160]
    for x, y, width, height in mismatched:
        around = np.array([[x - width / 2, y - height / 2, 2 * width, 2 * height]])
        assert inside_crops(around, crops).all()


def test_crops_are_none_where_the_whole_picture_costs_as_little():
    assert plan_crops(np.array([[0.0, 0, 400, 300]]), scale=1, width=1280, height=736) is None
    many = np.array([[x, 0.0, 20, 20] for x in range(0, 1200, 200)])
    assert plan_crops(many, scale=1, width=640, height=352) is None


def test_a_face_that_a_square_cuts_off_is_not_inside():
    crops = plan_crops(np.array([[100.0, 100, 40, 40]]), scale=1, width=1280, height=736)
    assert crops is not None
    left, right = crops[0].left, crops[0].left + crops[0].side
    assert inside_crops(np.array([[left, 100, 30, 30], [right - 29, 100, 30, 30]]), crops).tolist() == [True, False]
