"""Boxes extended over mixed frames and brief shots, also over shot boundaries."""

from __future__ import annotations

import numpy as np
import pytest

from redactkit.tables import BOX, as_detections, empty_detections
from redactkit.tracking import extend_over_mixed, merge_extensions

TIMES = np.arange(40) / 25


def face(frames, *, face_id=1, x=100.0, speed=0.0):
    frames = np.asarray(frames)
    columns = {"frame": frames, "time": frames / 25, "face_id": face_id, "x": x + speed * frames, "y": 50.0}
    return as_detections(columns | {"width": 40.0, "height": 50.0, "confidence": 0.9, "source": "detected"})


def both(*parts):
    import pandas as pd

    return pd.concat(parts, ignore_index=True)


def test_extension_of_nothing_is_nothing():
    added = extend_over_mixed(empty_detections(), ranges=[[3, 4]], times=TIMES)
    assert added.empty and added.dtypes.equals(empty_detections().dtypes)
    assert extend_over_mixed(face(range(5)), ranges=np.zeros((0, 2)), times=TIMES).empty
    assert merge_extensions(face(range(5)), added, mixed=[]).equals(face(range(5)))


def test_extension_takes_the_boxes_of_both_sides():
    added = extend_over_mixed(both(face(range(10)), face(range(12, 20), face_id=2)), ranges=[[10, 11]], times=TIMES)
    assert added[["frame", "face_id"]].to_numpy().tolist() == [[10, 1], [10, 2], [11, 1], [11, 2]]
    assert set(added["source"]) == {"interpolated"}
    assert added["time"].tolist() == pytest.approx([10 / 25, 10 / 25, 11 / 25, 11 / 25])
    assert added["confidence"].tolist() == pytest.approx([0.72] * 4)


@pytest.mark.parametrize("speed", [-9.0, 0.0, 9.0])
def test_extended_box_covers_where_the_face_was_and_where_it_may_be(speed: float):
    added = extend_over_mixed(face(range(10), speed=speed), ranges=[[10, 12]], times=TIMES)
    for frame, x, width in added[["frame", "x", "width"]].to_numpy():
        for place in (100 + 9 * speed, 100 + frame * speed):
            assert x <= place and x + width >= place + 40
    assert (added["width"] > 40).all() and added["width"].is_monotonic_increasing


def test_extension_leaves_faces_alone_that_are_far_or_have_a_box():
    far, there = face(range(5)), face(range(20), face_id=2)
    assert extend_over_mixed(both(far, there), ranges=[[10, 11]], times=TIMES).empty


def test_extended_box_between_two_of_one_face_covers_both():
    added = extend_over_mixed(both(face([8, 9]), face([11, 12], x=130.0)), ranges=[[10, 10]], times=TIMES)
    x, width = added[["x", "width"]].to_numpy()[0]
    assert x <= 100 and x + width >= 170


def joined(*parts, frames=(10, 10)):
    rows = both(*parts)
    return merge_extensions(rows, extend_over_mixed(rows, ranges=[frames], times=TIMES), mixed=[frames])


def test_what_shows_in_a_mixed_frame_alone_is_the_face_extended_there():
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
