"""Which frames need no search, which places of a frame do, and that nothing is lost by it."""

from __future__ import annotations

import numpy as np
import pytest

from redactkit.analysis.crop_regions import inside, plan_crops
from redactkit.analysis.sampling import predicted, predicted_halfway

SEE = 0.3
STANDS = [100.0, 100, 40, 50, 0.9]


def walks(frame: int, *, speed: float = 5.0) -> list[float]:
    return [300 + speed * frame, 100, 40, 50, 0.9]


def faces(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float64).reshape(-1, 5)


def frame(number: int) -> np.ndarray:
    return faces(STANDS, walks(number))


def test_foretold_has_nobody_astray_while_all_go_on_as_before():
    pairs, mismatched = predicted(frame(0), frame(6), frame(12), ratio=1, see=SEE)
    assert pairs.tolist() == [[0, 0], [1, 1]]
    assert not len(mismatched)


@pytest.mark.parametrize(
    ("last", "places"),
    [
        (faces(STANDS), [[330, 100, 40, 50]]),
        (faces(STANDS, walks(12), [500, 300, 40, 50, 0.8]), [[500, 300, 40, 50]]),
        (faces(STANDS, [*walks(12)[:4], 0.5]), [[330, 100, 70, 50]]),
        (faces(STANDS, [330, 100, 40, 50, 0.9]), [[330, 100, 40, 50]]),
        (faces(STANDS, walks(12), [500, 300, 40, 50, 0.1]), []),
    ],
    ids=["went", "came", "dips", "stops", "too weak to count"],
)
def test_foretold_names_the_places_of_faces_that_did_not(last, places):
    _, mismatched = predicted(frame(0), frame(6), last, ratio=1, see=SEE)
    assert mismatched.tolist() == places


def test_foretold_halfway_keeps_to_the_half_in_which_a_face_came():
    (_, early), (pairs, late) = predicted_halfway(faces(STANDS), frame(6), frame(6), share=0.5, see=SEE)
    assert early.tolist() == [[330, 100, 40, 50]]
    assert not len(late) and pairs.tolist() == [[0, 0], [1, 1]]


def test_foretold_halfway_doubts_a_face_that_came_and_moves():
    (_, early), (_, late) = predicted_halfway(faces(STANDS), frame(6), frame(12), share=0.5, see=SEE)
    assert len(early) == len(late) == 1


def test_foretold_halfway_has_nobody_astray_on_a_straight_way():
    (_, early), (_, late) = predicted_halfway(frame(0), frame(6), frame(12), share=0.5, see=SEE)
    assert not len(early) and not len(late)


def test_foretold_halfway_doubts_both_halves_where_the_middle_is_off_the_way():
    bent = faces(STANDS, walks(6, speed=9))
    (_, early), (_, late) = predicted_halfway(frame(0), bent, frame(12), share=0.5, see=SEE)
    assert len(early) == len(late) == 1


def test_places_show_half_a_face_around_and_share_a_square():
    mismatched = np.array([[100.0, 100, 40, 50], [110, 105, 40, 50], [500, 200, 30, 30]])
    cuts = plan_crops(mismatched, scale=1, width=1280, height=736)
    assert cuts is not None and [cut.scaled for cut in cuts] == [160, 160]
    for x, y, width, height in mismatched:
        around = np.array([[x - width / 2, y - height / 2, 2 * width, 2 * height]])
        assert inside(around, cuts).all()


def test_places_are_none_where_the_whole_picture_costs_as_little():
    assert plan_crops(np.array([[0.0, 0, 400, 300]]), scale=1, width=1280, height=736) is None
    many = np.array([[x, 0.0, 20, 20] for x in range(0, 1200, 200)])
    assert plan_crops(many, scale=1, width=640, height=352) is None


def test_a_face_that_a_square_cuts_off_is_not_inside():
    cuts = plan_crops(np.array([[100.0, 100, 40, 40]]), scale=1, width=1280, height=736)
    assert cuts is not None
    left, right = cuts[0].left, cuts[0].left + cuts[0].side
    assert inside(np.array([[left, 100, 30, 30], [right - 29, 100, 30, 30]]), cuts).tolist() == [True, False]
