"""Two tracks on one face, on tables alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from redactkit.boxes import union_cover
from redactkit.errors import OptionError
from redactkit.tables import BOX, as_detections, check_detections, empty_detections
from redactkit.tracking import merge_doubles


def path(face: int, frames, *, x=100.0, vx=0.0, size=40.0, confidence=0.9) -> pd.DataFrame:
    """One face on a straight path."""
    frames = np.asarray(frames)
    return as_detections(
        {
            "frame": frames,
            "time": frames / 25,
            "face_id": face,
            "x": x + vx * frames,
            "y": 100.0,
            "width": size,
            "height": size * 1.25,
            "confidence": confidence,
            "source": "detected",
        }
    )


def table(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def test_merge_doubles_of_nothing_is_empty():
    assert check_detections(merge_doubles(empty_detections(), least=5)).empty


def test_merge_doubles_makes_a_profile_and_its_correction_one():
    rows = table(path(3, range(30), confidence=0.5), path(7, range(20, 60), x=108))
    merged = check_detections(merge_doubles(rows, least=10))
    assert set(merged["face_id"]) == {3}
    assert merged["frame"].tolist() == list(range(60))
    assert merged["confidence"].tolist() == [0.5] * 20 + [0.9] * 40


def test_merge_doubles_covers_what_both_boxes_covered():
    rows = table(path(1, range(30), vx=1), path(2, range(10, 25), x=106, vx=1, size=44))
    merged = merge_doubles(rows, least=10)
    for frame, boxes in rows.groupby("frame"):
        assert (union_cover(boxes[BOX].to_numpy(), merged.loc[merged["frame"] == frame, BOX].to_numpy()) > 0.999).all()


def test_merge_doubles_chains_three_tracks_of_one_face():
    rows = table(path(1, range(30)), path(2, range(20, 60), x=104), path(3, range(50, 80), x=108))
    assert set(merge_doubles(rows, least=10)["face_id"]) == {1}


@pytest.mark.parametrize(
    "rows",
    [
        table(path(1, range(60), vx=2), path(2, range(60), x=220, vx=-2)),
        table(path(1, range(60)), path(2, range(60), x=130)),
        table(path(1, range(30)), path(2, range(25, 60), x=104)),
        table(path(1, range(40)), path(2, range(40), size=14)),
    ],
    ids=["pass each other", "stand side by side", "share five frames", "of other size"],
)
def test_merge_doubles_leaves_what_may_be_two_faces(rows):
    pd.testing.assert_series_equal(
        merge_doubles(rows, least=10).groupby("face_id").size(), rows.groupby("face_id").size()
    )


def test_merge_doubles_never_joins_faces_that_are_seen_apart():
    """Both lie on a third box, which covers the one first and the other later, but they stand side by side."""
    left, right = path(1, range(60)), path(2, range(20, 60), x=130)
    third = table(path(3, range(5, 20), x=104), path(3, range(60, 75), x=130))
    rows = table(left, right, third, path(2, range(60, 75), x=130))
    merged = merge_doubles(rows, least=10)
    faces = merged.groupby("frame")["face_id"].agg(tuple)
    assert set(faces.loc[20:59]) == {(1, 2)}
    # The third is one of the two, wherever it lies, and not a face of its own, nor both.
    assert set(faces.loc[5:19]) == {(1,)}
    assert set(faces.loc[60:]) == {(1, 2)}
    assert set(merged["face_id"]) == {1, 2}


def test_merge_doubles_refuses_no_frames():
    with pytest.raises(OptionError, match="least must be 1 or more"):
        merge_doubles(empty_detections(), least=0)
