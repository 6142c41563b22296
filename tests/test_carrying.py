"""Boxes carried over cuts, into stretches in which two shots show."""

from __future__ import annotations

import numpy as np
import pytest

from redactkit.tables import BOX, as_detections, empty_detections
from redactkit.tracking import carry, join_carried

TIMES = np.arange(40) / 25


def face(frames, *, face_id=1, x=100.0, speed=0.0):
    frames = np.asarray(frames)
    columns = {"frame": frames, "time": frames / 25, "face_id": face_id, "x": x + speed * frames, "y": 50.0}
    return as_detections(columns | {"width": 40.0, "height": 50.0, "confidence": 0.9, "source": "detected"})


def both(*parts):
    import pandas as pd

    return pd.concat(parts, ignore_index=True)


def test_carry_of_nothing_is_nothing():
    added = carry(empty_detections(), stretches=[[3, 4]], times=TIMES)
    assert added.empty and added.dtypes.equals(empty_detections().dtypes)
    assert carry(face(range(5)), stretches=np.zeros((0, 2)), times=TIMES).empty
    assert join_carried(face(range(5)), added, mixed=[]).equals(face(range(5)))


def test_carry_takes_the_boxes_of_both_sides():
    added = carry(both(face(range(10)), face(range(12, 20), face_id=2)), stretches=[[10, 11]], times=TIMES)
    assert added[["frame", "face_id"]].to_numpy().tolist() == [[10, 1], [10, 2], [11, 1], [11, 2]]
    assert set(added["source"]) == {"interpolated"}
    assert added["time"].tolist() == pytest.approx([10 / 25, 10 / 25, 11 / 25, 11 / 25])
    assert added["confidence"].tolist() == pytest.approx([0.72] * 4)


@pytest.mark.parametrize("speed", [-9.0, 0.0, 9.0])
def test_carried_box_covers_where_the_face_was_and_where_it_may_be(speed: float):
    added = carry(face(range(10), speed=speed), stretches=[[10, 12]], times=TIMES)
    for frame, x, width in added[["frame", "x", "width"]].to_numpy():
        for place in (100 + 9 * speed, 100 + frame * speed):
            assert x <= place and x + width >= place + 40
    assert (added["width"] > 40).all() and added["width"].is_monotonic_increasing


def test_carry_leaves_faces_alone_that_are_far_or_have_a_box():
    far, there = face(range(5)), face(range(20), face_id=2)
    assert carry(both(far, there), stretches=[[10, 11]], times=TIMES).empty


def test_carried_box_between_two_of_one_face_covers_both():
    added = carry(both(face([8, 9]), face([11, 12], x=130.0)), stretches=[[10, 10]], times=TIMES)
    x, width = added[["x", "width"]].to_numpy()[0]
    assert x <= 100 and x + width >= 170


def joined(*parts, stretch=(10, 10)):
    rows = both(*parts)
    return join_carried(rows, carry(rows, stretches=[stretch], times=TIMES), mixed=[stretch])


def test_what_shows_in_a_mixed_frame_alone_is_the_face_carried_there():
    table = joined(face(range(10)), face([10], face_id=2, x=105.0))
    assert set(table["face_id"]) == {1}
    row = table[table["frame"] == 10].iloc[0]
    assert row["source"] == "detected" and row["x"] <= 100 and row["x"] + row["width"] >= 145


def test_what_may_be_either_of_two_faces_is_neither():
    table = joined(face(range(10)), face([10], face_id=2), face(range(11, 20), face_id=3))
    assert sorted(table.loc[table["frame"] == 10, "face_id"]) == [1, 2, 3]


def test_boxes_in_mixed_frames_cover_those_on_both_sides():
    rows = both(face(range(10)), face([10], x=115.0), face(range(11, 20), x=130.0))
    x, _, width, _ = joined(rows).query("frame == 10")[BOX].to_numpy()[0]
    assert x <= 100 and x + width >= 170
