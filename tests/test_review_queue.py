"""The review queue: what is listed, what is not, and in which order."""

from __future__ import annotations

import importlib

import numpy as np
import pandas as pd
import pytest

from redactkit.boxes import paired_intersections
from redactkit.tables import BOX, as_detections, empty_detections
from redactkit.tracking import review_queue
from redactkit.tracking.review_queue import REASONS

queue = importlib.import_module("redactkit.tracking.review_queue")  # the package has a function of this name
CLIP = {"video_size": (640, 360), "frame_count": 100}


def face(frames, *, face_id=1, x=300.0, y=150.0, size=60.0, confidence=0.9, source="detected") -> pd.DataFrame:
    frames = np.asarray(frames)
    columns = {"frame": frames, "time": frames / 25, "face_id": face_id, "x": x, "y": y, "width": size, "height": size}
    return as_detections(columns | {"confidence": confidence, "source": source})


def reasons(*parts: pd.DataFrame, **options) -> list[tuple[int, int, str]]:
    queue = review_queue(pd.concat(parts, ignore_index=True), **CLIP | options)
    return list(queue[["face_id", "frame", "reason"]].itertuples(index=False, name=None))


def test_review_queue_of_nothing_is_empty_with_its_columns():
    queue = review_queue(empty_detections(), **CLIP, discarded=empty_detections())
    assert list(queue.columns) == ["face_id", "frame", "time", "risk", "reason", "frames"]
    assert queue.empty and queue["frame"].dtype == "int64" and queue["risk"].dtype == "float64"


def test_review_queue_has_nothing_on_a_face_that_is_there_throughout():
    assert reasons(face(range(100))) == []


def test_review_queue_lists_a_track_that_starts_and_ends_inside_the_frame():
    assert reasons(face(range(10, 50))) == [
        (1, 49, "track ends inside the frame"),
        (1, 10, "track starts inside the frame"),
    ]


def test_review_queue_lets_a_track_end_at_a_cut():
    assert reasons(face(range(10, 50)), cuts=[10, 50]) == []


def test_review_queue_lets_a_track_end_where_it_was_carried_over_a_cut():
    parts = [face([9], source="interpolated"), face(range(10, 50)), face([50], source="interpolated")]
    assert reasons(*parts, cuts=[10, 50]) == []
    assert reasons(face(range(9, 51)), cuts=[10, 50]) == [
        (1, 50, "track ends inside the frame"),
        (1, 9, "track starts inside the frame"),
    ]


def test_review_queue_lets_a_track_leave_through_the_edge():
    found = reasons(face(range(10, 50), x=-1.0))
    assert found == [(1, 10, "touches the edge")]


def test_review_queue_lists_gaps_at_their_first_missing_frame():
    queue = review_queue(face([*range(40), *range(60, 100)]), **CLIP)
    assert queue[["frame", "reason", "frames"]].to_numpy().tolist() == [[40, "gap", 20]]
    assert queue["time"].tolist() == pytest.approx([40 / 25])


def test_review_queue_lists_no_gap_over_a_cut():
    assert reasons(face([*range(40), *range(60, 100)]), cuts=[40, 60]) == []


def test_review_queue_lists_a_filled_gap_once():
    parts = face(range(40)), face(range(40, 50), source="interpolated"), face(range(50, 100))
    assert reasons(*parts) == [(1, 40, "filled gap")]


def test_review_queue_lists_a_confidence_dip():
    parts = face(range(40)), face(range(40, 45), confidence=0.25), face(range(45, 100))
    assert reasons(*parts) == [(1, 40, "confidence dip")]


def test_review_queue_lists_a_crossing_for_both_faces():
    walker = face(range(100), face_id=2).assign(x=lambda rows: 100.0 + 5 * rows["frame"])
    found = [row for row in reasons(face(range(100)), walker) if row[2] == "crossing"]
    assert {row[0] for row in found} == {1, 2} and len(found) == 2


def test_review_queue_lists_short_and_discarded_tracks():
    found = reasons(face(range(100)), face(range(3), face_id=2, x=40), discarded=face([7], face_id=9, x=500))
    assert (2, 0, "short track") in found and (9, 7, "discarded track") in found


def test_review_queue_is_ranked_and_larger_faces_come_first():
    parts = face(range(10, 50), size=20), face(range(10, 50), face_id=2, x=20, size=90)
    queue = review_queue(pd.concat(parts), **CLIP)
    assert queue["risk"].is_monotonic_decreasing
    assert queue["face_id"].tolist() == [2, 2, 1, 1]
    assert queue["risk"].between(0, 1).all() and set(queue["reason"]) <= set(REASONS)


def test_boxes_followed_in_doubt_are_listed() -> None:
    columns = {"frame": range(30), "face_id": 1, "x": 50, "y": 50, "width": 60, "height": 60}
    confidence = [0.9] * 10 + [0.3] * 4 + [0.9] * 16
    followed = as_detections({**columns, "confidence": confidence, "source": "tracked"})
    drawn = followed.assign(keyframe=[True] + [False] * 29)
    queue = review_queue(drawn, video_size=(200, 200), frame_count=30)
    assert queue[["frame", "reason", "frames"]].to_numpy().tolist() == [[10, "followed in doubt", 4]]
    # What no person drew is the analysis' own: its confidences fall by rule.
    assert review_queue(followed, video_size=(200, 200), frame_count=30).empty


def test_crossings_are_those_of_all_pairs_of_a_frame(monkeypatch):
    monkeypatch.setattr(queue, "_PAIRS", 50)
    random = np.random.default_rng(1)
    frames, faces = np.divmod(np.arange(240), 30)
    places = {"x": random.uniform(-50, 400, 240), "y": random.uniform(0, 200, 240)}
    sides = {"width": random.uniform(0, 90, 240), "height": random.uniform(0, 90, 240)}
    sides["width"][::17] *= 1e12
    rows = as_detections({"frame": frames, "face_id": faces, **places, **sides})
    rows.loc[::11, BOX] = np.nan
    rows = rows.sort_values(["face_id", "frame"], ignore_index=True)
    boxes = rows[BOX].to_numpy()
    expected = [
        any(
            paired_intersections(boxes[[one]], boxes[[other]])[0]
            > queue.MIN_CROSSING_SHARE * min(boxes[one, 2:].prod(), boxes[other, 2:].prod())
            for other in np.flatnonzero((rows["frame"] == rows["frame"][one]) & (rows.index != one))
        )
        for one in range(len(rows))
    ]
    assert 50 < sum(expected) < 200
    assert queue._crossings(rows).tolist() == expected
