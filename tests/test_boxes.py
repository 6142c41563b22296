"""Boxes keep their laws: overlap is symmetric, clipping idempotent, turning and unturning gives back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit import boxes
from redactkit.errors import TableError

SIDE = st.integers(-40, 140)
BOX = st.tuples(SIDE, SIDE, st.integers(0, 60), st.integers(0, 60))
BOXES = st.lists(BOX, max_size=5)
TURN = st.sampled_from([0, 90, 180, 270])


def test_every_function_takes_no_boxes():
    nothing = boxes.as_boxes([])
    for made in (boxes.to_corners(nothing), boxes.expand(nothing, share=1), boxes.clip(nothing, width=5, height=5)):
        assert made.shape == (0, 4)
    assert boxes.iou(nothing, [[0, 0, 1, 1]]).shape == (0, 1)
    assert boxes.union_cover(nothing, nothing).shape == (0,)
    assert boxes.union_cover([[0, 0, 1, 1]], nothing).tolist() == [0]


def test_as_boxes_refuses_one_box_without_its_row():
    with pytest.raises(TableError, match=r"got \(4,\); pass box\[None\]"):
        boxes.as_boxes([1, 2, 3, 4])


@given(BOXES, BOXES)
def test_iou_is_symmetric_and_a_share(a, b):
    share = boxes.iou(a, b)
    assert np.array_equal(share, boxes.iou(b, a).T)
    assert ((share >= 0) & (share <= 1)).all()


@given(st.lists(st.tuples(BOX, BOX), max_size=5))
def test_paired_intersections_are_the_diagonal_of_all_of_them(pairs):
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    assert np.array_equal(boxes.paired_intersections(a, b), np.diagonal(boxes.intersections(a, b)))
    assert (boxes.intersections(a, b) <= np.array([box[2] * box[3] for box in a]).reshape(-1, 1)).all()


@given(BOX.filter(lambda box: box[2] * box[3] > 0))
def test_iou_of_a_box_with_itself_is_one(box):
    assert boxes.iou([box], [box])[0, 0] == pytest.approx(1)


@given(BOXES)
def test_clip_is_idempotent_and_stays_inside(given_boxes):
    once = boxes.clip(given_boxes, width=100, height=50)
    assert np.array_equal(once, boxes.clip(once, width=100, height=50))
    corners = boxes.to_corners(once)
    assert (corners >= 0).all()
    assert (corners[:, 0::2] <= 100).all()
    assert (corners[:, 1::2] <= 50).all()


@given(BOXES, TURN, st.booleans())
def test_coded_and_back_gives_the_same_boxes(given_boxes, rotation, mirrored):
    frame = {"width": 100, "height": 60, "rotation": rotation, "mirrored": mirrored}
    there = boxes.to_coded(given_boxes, **frame)
    assert np.allclose(boxes.from_coded(there, **frame), boxes.as_boxes(given_boxes))


@given(BOX, BOXES)
def test_union_cover_counts_covered_pixels(box, covers):
    ground = np.zeros((280, 280), bool)
    for x, y, width, height in covers:
        ground[y + 60 : y + height + 60, x + 60 : x + width + 60] = True
    x, y, width, height = box
    part = ground[y + 60 : y + height + 60, x + 60 : x + width + 60]
    expected = part.mean() if part.size else 1.0
    assert boxes.union_cover([box], covers)[0] == pytest.approx(expected)


@given(BOXES, st.floats(0, 2), st.floats(0, 20))
def test_expand_never_uncovers(given_boxes, share, pixels):
    grown = boxes.expand(given_boxes, share=share, pixels=pixels)
    for before, after in zip(boxes.as_boxes(given_boxes), grown, strict=True):
        assert boxes.union_cover([before], [after + np.array([-1e-9, -1e-9, 2e-9, 2e-9])])[0] == pytest.approx(1)


def test_interpolate_meets_both_ends():
    made = boxes.interpolate([0, 0, 10, 10], [10, 20, 30, 40], [0, 0.5, 1])
    assert made.tolist() == [[0, 0, 10, 10], [5, 10, 20, 25], [10, 20, 30, 40]]
