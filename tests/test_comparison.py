"""Two sets of annotations held against each other, with numbers worked out by hand."""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, MismatchError, OptionError
from redactkit.inspection.comparison import compare
from redactkit.media import VideoInfo
from redactkit.tables import as_detections, empty_detections


def make_video(frames=10, *, rate=25, start=0.0, **changes):
    ticks = np.round((np.arange(frames) / rate + start) * 90000).astype(np.int64)
    given = {"path": None, "width": 640, "height": 360, "frame_rate": Fraction(rate), "time_base": Fraction(1, 90000)}
    return VideoInfo(**{**given, "pts": ticks, "digest": "", **changes})


def make_annotations(rows, video=None):
    """Rows are (frame, face, x); every box is 10 x 10 at y = 0."""
    video = video or make_video()
    frames = np.array([row[0] for row in rows], np.int64)
    table = {
        "frame": frames,
        "time": video.times[frames] if len(frames) else [],
        "face_id": [row[1] for row in rows],
        "x": np.array([row[2] for row in rows], float),
        "y": 0.0,
        "width": 10.0,
        "height": 10.0,
    }
    return Annotations(video, as_detections(table) if rows else empty_detections())


WALK = [(frame, 1, frame) for frame in range(10)]


def test_nothing_against_nothing_is_nothing():
    comparison = compare(make_annotations([]), make_annotations([]))
    assert comparison.matches.empty
    assert comparison.worst_frames.empty
    assert comparison.ids.empty
    assert comparison.summary["mean_iou"] is None
    assert str(comparison).startswith("10 frames compared: 0 boxes against 0")


def test_equal_sets_match_wholly():
    comparison = compare(make_annotations(WALK), make_annotations(WALK))
    assert len(comparison.matches) == 10
    assert (comparison.matches["iou"] == 1).all()
    assert comparison.missed.empty
    assert comparison.extra.empty
    assert comparison.worst_frames.empty
    assert comparison.notes == []


def test_missed_and_extra_boxes_are_told_with_their_frames():
    other = [(frame, 5, frame) for frame in range(8)] + [(3, 9, 400)]
    comparison = compare(make_annotations(WALK), make_annotations(other))
    assert comparison.missed["frame"].tolist() == [8, 9]
    assert comparison.extra[["frame", "face_id"]].to_numpy().tolist() == [[3, 9]]
    assert comparison.worst_frames.to_numpy().tolist() == [
        [3, 0.12, 0, 1, 1.0],
        [8, 0.32, 1, 0, pytest.approx(np.nan, nan_ok=True)],
        [9, 0.36, 1, 0, pytest.approx(np.nan, nan_ok=True)],
    ]
    assert comparison.ids.to_numpy().tolist() == [[1, 5, 8, 0.8, 1.0]]


def test_agreement_measures_boxes():
    """A box 10 wide moved by 2 shares 8 of 12."""
    other = [(frame, 1, frame + 2) for frame in range(10)]
    comparison = compare(make_annotations(WALK), make_annotations(other))
    assert comparison.matches["iou"].tolist() == pytest.approx([8 / 12] * 10)
    assert comparison.agreement.loc["mean", ["shift_x", "shift_y", "area_ratio"]].tolist() == [2, 0, 1]
    assert comparison.worst_frames["lowest_iou"].tolist() == pytest.approx([8 / 12] * 10)


def test_pairs_have_the_largest_overlap_in_all_and_not_one_by_one():
    """Greedy would pair 0 with 1 (IoU 9/11) and leave nothing for the others."""
    first = make_annotations([(0, 1, 0), (0, 2, 4)])
    second = make_annotations([(0, 7, 1), (0, 8, -3)])
    matches = compare(first, second, iou=0.5).matches
    assert matches[["face_a", "face_b"]].to_numpy().tolist() == [[1, 8], [2, 7]]
    assert matches["iou"].tolist() == pytest.approx([7 / 13, 7 / 13])


def test_boxes_below_the_threshold_do_not_match():
    other = [(frame, 1, frame + 4) for frame in range(10)]
    assert len(compare(make_annotations(WALK), make_annotations(other), iou=0.4).matches) == 10
    assert compare(make_annotations(WALK), make_annotations(other), iou=0.5).matches.empty
    with pytest.raises(OptionError, match="iou must be above 0"):
        compare(make_annotations(WALK), make_annotations(other), iou=0)


def test_frames_are_paired_by_time():
    half = [(frame, 4, 2 * frame) for frame in range(5)]
    comparison = compare(make_annotations(WALK), make_annotations(half, make_video(5, rate=12.5)))
    assert comparison.frames.tolist() == [0, 2, 4, 6, 8]
    assert comparison.missed.empty
    assert comparison.notes == ["5 instants are in both, of 10 in a and 5 in b"]


def test_instants_beside_one_another_are_told():
    comparison = compare(make_annotations(WALK), make_annotations(WALK, make_video(start=0.01)))
    assert len(comparison.matches) == 10
    assert comparison.notes == ["paired instants lie up to 10.0 ms apart"]


def test_unknown_times_go_by_number():
    other = make_annotations(WALK)
    timeless = other.replace(detections=other.detections.assign(time=np.nan))
    comparison = compare(make_annotations(WALK), timeless)
    assert len(comparison.matches) == 10
    assert comparison.notes == ["times are unknown, so frames are paired by number"]


def test_other_frame_size_is_scaled_and_told():
    other = make_annotations(WALK, make_video(width=320, height=180))
    small = as_detections(other.detections.assign(x=lambda rows: rows["x"] / 2, width=5.0, height=5.0))
    comparison = compare(make_annotations(WALK), other.replace(detections=small))
    assert (comparison.matches["iou"] == 1).all()
    assert comparison.notes == ["boxes of b were scaled from 320x180 to 640x360"]


def test_other_videos_are_refused():
    with pytest.raises(MismatchError, match="no instant is in both"):
        compare(make_annotations(WALK), make_annotations(WALK, make_video(start=60)))


def test_faces_without_boxes_are_refused():
    other = make_annotations(WALK)
    with pytest.raises(AnnotationError, match="when faces are seen but not where"):
        compare(other, other.replace(detections=other.detections.assign(x=np.nan)))


def test_scores_by_hand():
    """Ten true boxes; face 1 is found as 5 in frames 0 to 5, as 6 in 6 and 7, missed in 8 and 9; one box is false.

    MOTA = 1 - (2 missed + 1 false + 1 switch) / 10; IDF1 = 2 x 6 / (10 + 9).
    """
    pytest.importorskip("trackeval", reason="needs the extra compare")
    other = [(frame, 5 if frame < 6 else 6, frame) for frame in range(8)] + [(3, 9, 400)]
    scores = compare(make_annotations(WALK), make_annotations(other)).scores
    assert scores["MOTA"] == pytest.approx(1 - 4 / 10)
    assert scores["IDSW"] == 1
    assert scores["IDF1"] == pytest.approx(12 / 19)
    assert scores["MOTP"] == 1
    assert scores["DetA"] == pytest.approx(8 / 11)
    association = (6 * 6 / 10 + 2 * 2 / 10) / 8
    assert scores["AssA"] == pytest.approx(association)
    assert scores["HOTA"] == pytest.approx(np.sqrt(8 / 11 * association))


def test_scores_of_equal_sets_are_one():
    pytest.importorskip("trackeval", reason="needs the extra compare")
    scores = compare(make_annotations(WALK), make_annotations(WALK)).scores
    assert {name: scores[name] for name in ("HOTA", "MOTA", "IDF1")} == {"HOTA": 1, "MOTA": 1, "IDF1": 1}


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "trackeval", None)
    monkeypatch.setitem(sys.modules, "trackeval.metrics", None)
    comparison = compare(make_annotations(WALK), make_annotations(WALK))
    assert len(comparison.matches) == 10
    with pytest.raises(OptionError, match=r"pip install 'redactkit\[compare\]'"):
        _ = comparison.scores


def test_comparison_is_text_json_and_html(tmp_path):
    pytest.importorskip("trackeval", reason="needs the extra compare")
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    make_annotations(WALK).to("azure", first)
    make_annotations(WALK[:8]).to("azure", second)
    comparison = compare(first, second)
    assert "8 matched at IoU 0.5 and above, mean IoU 1.000; 2 missed, 0 extra" in str(comparison)
    assert "face 1 is face 1 in 8 frames" in str(comparison)
    told = json.loads(comparison.to_json())
    assert told["missed"] == 2
    assert told["scores"]["IDF1"] == pytest.approx(16 / 18)
    assert [row["frame"] for row in told["worst_frames"]] == [8, 9]
    assert "<td>8</td>" in comparison._repr_html_()
    assert "face_a" in comparison._repr_html_()
    assert repr(comparison) == "<Comparison: 8 matched, 2 missed, 0 extra>"


ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 4), st.integers(0, 30)), max_size=25, unique_by=lambda r: r[:2]
)


@settings(max_examples=40, deadline=None)
@given(first=ROWS, second=ROWS)
def test_comparison_is_symmetric_and_loses_no_box(first, second):
    a, b = make_annotations(first), make_annotations(second)
    there, back = compare(a, b), compare(b, a)
    assert len(there.matches) + len(there.missed) == len(first)
    assert len(there.matches) + len(there.extra) == len(second)
    assert there.matches["iou"].sum() == pytest.approx(back.matches["iou"].sum())
    assert not there.matches.duplicated(["frame", "face_a"]).any()
    assert not there.matches.duplicated(["frame", "face_b"]).any()
    assert isinstance(there.worst_frames, pd.DataFrame)
