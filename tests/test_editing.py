"""Tests of the analyst's edits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redactkit import boxes
from redactkit.errors import OptionError, TableError
from redactkit.review import editing, keyframes
from redactkit.review.discarded import confirm_discarded, restore_faces
from redactkit.tables import (
    BOX,
    as_decisions,
    as_detections,
    check_detections,
    empty_decisions,
    empty_detections,
    selected_ids,
    sort_detections,
)

TIMES = np.arange(40) / 25

SAID = ["redact", "label", "reason", "person_id"]


def table(rows: list[tuple[int, int, float, float, float, float]]) -> pd.DataFrame:
    columns = ["frame", "face_id", *BOX]
    data = pd.DataFrame(rows, columns=columns)
    return sort_detections(as_detections(data.assign(time=TIMES[data["frame"]], confidence=0.9, source="detected")))


def walk(face_id: int, frames: range, x: float = 0.0) -> list[tuple[int, int, float, float, float, float]]:
    return [(frame, face_id, x + frame, 5.0, 10.0, 20.0) for frame in frames]


def box_at(detections: pd.DataFrame, face_id: int, frame: int) -> list[float]:
    row = detections[(detections["face_id"] == face_id) & (detections["frame"] == frame)]
    return row[BOX].to_numpy()[0].tolist()


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    keys = draw(st.sets(st.tuples(st.integers(0, 39), st.integers(1, 5)), max_size=40))
    number = st.floats(-50, 2000)
    side = st.floats(0, 500)
    return table([(frame, face, draw(number), draw(number), draw(side), draw(side)) for frame, face in sorted(keys)])


def test_edits_of_an_empty_table_name_the_missing_face() -> None:
    for edit in (
        lambda: editing.shift_boxes(empty_detections(), face_id=1, change=(1, 0, 0, 0)),
        lambda: editing.delete_boxes(empty_detections(), faces=[1]),
        lambda: editing.merge_faces(empty_detections(), empty_decisions(), faces=[1, 2]),
        lambda: restore_faces(empty_detections(), empty_decisions(), empty_detections(), faces=[1]),
    ):
        with pytest.raises(OptionError, match="no face has the ID 1"):
            edit()


def test_expand_boxes_of_an_empty_table_is_empty() -> None:
    check_detections(editing.expand_boxes(empty_detections(), share=0.1))


def test_set_box_changes_one_row_and_marks_it_manual() -> None:
    before = table(walk(1, range(3)))
    after = editing.set_box(before, face_id=1, frame=1, box=(7, 8, 9, 10), time=TIMES[1])
    assert box_at(after, 1, 1) == [7, 8, 9, 10]
    assert after["source"].tolist() == ["detected", "manual", "detected"]
    assert np.isnan(after["confidence"].iloc[1])
    assert before["source"].tolist() == ["detected"] * 3


def test_set_box_adds_a_row_where_the_face_had_none() -> None:
    after = editing.set_box(table(walk(1, range(2))), face_id=1, frame=9, box=(1, 1, 1, 1), time=TIMES[9])
    assert after["frame"].tolist() == [0, 1, 9]
    assert after["time"].iloc[2] == TIMES[9]


@pytest.mark.parametrize("box", [(1, 2, 3), (1, 2, -1, 4), (1, 2, np.nan, 4), (np.inf, 0, 1, 1)])
def test_set_box_refuses_what_is_no_box(box: tuple[float, ...]) -> None:
    with pytest.raises(TableError, match="a box is four finite numbers"):
        editing.set_box(empty_detections(), face_id=1, frame=0, box=box, time=0.0)


def test_shift_boxes_stays_in_the_range_and_never_turns_a_side_negative() -> None:
    after = editing.shift_boxes(table(walk(1, range(4))), face_id=1, change=(2, 0, -50, 0), start=1, stop=3)
    assert after["width"].tolist() == [10, 0, 0, 10]
    assert after["x"].tolist() == [0, 3, 4, 3]


@given(tables(), st.floats(0, 1), st.floats(0, 50))
@settings(deadline=None, max_examples=50)
def test_expand_boxes_holds_the_boxes_it_grew(before: pd.DataFrame, share: float, pixels: float) -> None:
    after = editing.expand_boxes(before, share=share, pixels=pixels)
    old, new = boxes.to_corners(before[BOX]), boxes.to_corners(after[BOX])
    assert (new[:, :2] <= old[:, :2] + 1e-6).all()
    assert (new[:, 2:] >= old[:, 2:] - 1e-6).all()


def test_expand_boxes_touches_only_the_faces_named() -> None:
    after = editing.expand_boxes(table(walk(1, range(2)) + walk(2, range(2))), pixels=1, faces=[2])
    assert after["width"].tolist() == [10, 12, 10, 12]


def test_copy_box_stops_at_the_end_of_the_video() -> None:
    after = keyframes.copy_box(table(walk(1, range(38))), face_id=1, frame=37, count=10, times=TIMES)
    assert after["frame"].max() == 39
    assert box_at(after, 1, 39) == box_at(after, 1, 37)


def test_interpolate_boxes_fills_between_keyframes() -> None:
    after = table(walk(1, range(10)))
    after = editing.delete_boxes(after, faces=[1], start=3, stop=6)
    for frame, x in ((2, 100.0), (6, 140.0)):
        after = editing.set_box(after, face_id=1, frame=frame, box=(x, 0, 10, 10), time=TIMES[frame])
    after = keyframes.interpolate_boxes(after, face_id=1, times=TIMES)
    assert [box_at(after, 1, frame)[0] for frame in range(2, 7)] == pytest.approx([100, 110, 120, 130, 140])
    assert after.loc[after["frame"] == 4, "source"].tolist() == ["interpolated"]
    assert box_at(after, 1, 7) == [7, 5, 10, 20]


def test_interpolate_boxes_needs_two_keyframes() -> None:
    with pytest.raises(TableError, match="set its box in two frames"):
        keyframes.interpolate_boxes(table(walk(1, range(10))), face_id=1, times=TIMES)


def test_keyframe_can_be_set_and_taken_back() -> None:
    on = keyframes.set_keyframe(table(walk(1, range(2))), face_id=1, frame=1)
    assert on["source"].tolist() == ["detected", "manual"]
    assert keyframes.set_keyframe(on, face_id=1, frame=1, on=False)["source"].tolist() == ["detected", "interpolated"]


def test_new_face_is_redacted_even_under_an_old_number() -> None:
    decisions = as_decisions({7: {"redact": False, "label": "a"}})
    after = editing.add_face(empty_detections(), decisions, frame=3, box=(1, 1, 5, 5), time=TIMES[3], face_id=7)
    assert after.decisions.loc[7, "redact"]
    assert editing.add_face(*after, frame=3, box=(1, 1, 5, 5), time=TIMES[3]).detections["face_id"].tolist() == [7, 8]
    with pytest.raises(TableError, match="is there already"):
        editing.add_face(*after, frame=3, box=(1, 1, 5, 5), time=TIMES[3], face_id=7)


def test_merge_covers_every_pixel_of_both_boxes_and_is_redacted() -> None:
    rows = [(0, 1, 0.0, 0.0, 10.0, 10.0), (0, 2, 30.0, 5.0, 10.0, 10.0), (1, 2, 1.0, 1.0, 1.0, 1.0)]
    decisions = as_decisions({1: {"redact": False, "reason": "staff"}, 2: {"redact": False, "label": "Ana"}})
    after = editing.merge_faces(table(rows), decisions, faces=[2, 1])
    assert box_at(after.detections, 1, 0) == [0, 0, 40, 15]
    assert after.decisions[SAID].to_dict("index") == {1: {"redact": True, "label": "Ana", "reason": "", "person_id": 1}}
    assert selected_ids(*after) == [1]


@given(tables())
@settings(deadline=None, max_examples=100)
def test_merge_never_uncovers_and_keeps_the_frames(before: pd.DataFrame) -> None:
    ids = before["face_id"].unique()
    if len(ids) < 2:
        return
    after = check_detections(editing.merge_faces(before, empty_decisions(), faces=ids).detections)
    assert set(after["frame"]) == set(before["frame"])
    joined = before.merge(after, on="frame", suffixes=("", "_new"))
    for side, length in (("x", "width"), ("y", "height")):
        assert (joined[f"{side}_new"] <= joined[side]).all()
        end = joined[f"{side}_new"] + joined[f"{length}_new"]
        assert (end >= joined[side] + joined[length]).all()


@given(tables(), st.integers(1, 39))
@settings(deadline=None, max_examples=100)
def test_merge_after_split_gives_back_and_split_after_merge_too(before: pd.DataFrame, frame: int) -> None:
    for face_id in before["face_id"].unique():
        rows = before[before["face_id"] == face_id]["frame"]
        if not ((rows < frame).any() and (rows >= frame).any()):
            continue
        split = editing.split_face(before, empty_decisions(), face_id=face_id, frame=frame, new_id=99)
        assert len(split.detections) == len(before)
        assert split.decisions["redact"].all()
        merged = editing.merge_faces(*split, faces=[face_id, 99])
        pd.testing.assert_frame_equal(merged.detections, before)
        again = editing.split_face(*merged, face_id=face_id, frame=frame, new_id=99)
        pd.testing.assert_frame_equal(again.detections, split.detections)


def test_split_redacts_both_parts_though_the_face_was_visible() -> None:
    decisions = as_decisions({1: {"redact": False, "label": "Ana", "reason": "consented"}})
    after = editing.split_face(table(walk(1, range(4))), decisions, face_id=1, frame=2)
    assert after.decisions[SAID].to_dict("index") == {
        1: {"redact": True, "label": "Ana", "reason": "", "person_id": 1},
        2: {"redact": True, "label": "", "reason": "", "person_id": 2},
    }


def test_merge_and_split_keep_how_and_why_a_face_is_hidden() -> None:
    black = "blur=Black margin=0.5"
    decisions = as_decisions(
        {
            1: {"redact": False, "reason": "staff"},
            2: {"redact": True, "reason": "b6", "look": black},
            3: {"redact": True, "reason": "b7c"},
        }
    )
    rows = table([*walk(1, range(4)), *walk(2, range(4)), *walk(3, range(4))])
    merged = editing.merge_faces(rows, decisions, faces=[1, 2, 3]).decisions.loc[1]
    assert merged[["redact", "reason", "look"]].tolist() == [True, "b6; b7c", black]
    split = editing.split_face(rows, decisions, face_id=2, frame=2, new_id=9).decisions
    assert split.loc[[2, 9], ["reason", "look"]].values.tolist() == [["b6", black]] * 2


@pytest.mark.parametrize("frame", [0, 4])
def test_split_needs_boxes_on_both_sides(frame: int) -> None:
    with pytest.raises(TableError, match=f"cannot be split at frame {frame}"):
        editing.split_face(table(walk(1, range(4))), empty_decisions(), face_id=1, frame=frame)


def test_delete_face_forgets_its_decision() -> None:
    decisions = as_decisions({1: {"redact": False}}, faces=[2])
    after = editing.delete_face(table(walk(1, range(4)) + walk(2, range(2))), decisions, face_id=1)
    assert after.detections["face_id"].unique().tolist() == [2]
    assert after.decisions.index.tolist() == [2]


def test_discarded_face_comes_back_redacted_under_a_free_number() -> None:
    discarded = table(walk(1, range(5, 8)) + walk(3, range(2)))
    faces, left = restore_faces(table(walk(1, range(4))), empty_decisions(), discarded, faces=[1])
    assert faces.detections["face_id"].unique().tolist() == [1, 4]
    assert faces.decisions["redact"].tolist() == [True]
    assert left["face_id"].unique().tolist() == [3]


def test_several_come_back_at_once_each_under_a_number_of_its_own() -> None:
    discarded = table(walk(1, range(5, 8)) + walk(2, range(2)) + walk(5, range(3)))
    faces, left = restore_faces(
        table(walk(1, range(4)) + walk(2, range(9))), empty_decisions(), discarded, faces=[1, 2, 5]
    )
    assert faces.detections.groupby("face_id").size().to_dict() == {1: 4, 2: 9, 5: 3, 6: 3, 7: 2}
    assert faces.decisions.index.tolist() == [5, 6, 7] and faces.decisions["redact"].all() and left.empty


def test_what_a_person_calls_no_face_is_so_by_his_word_and_stays_set_aside() -> None:
    discarded = table(walk(1, range(5, 8)) + walk(3, range(2)))
    said = confirm_discarded(discarded, faces=[3])
    assert said.loc[said["face_id"] == 3, "source"].eq("manual").all()
    assert said[said["face_id"] == 1].equals(discarded[discarded["face_id"] == 1])
    with pytest.raises(OptionError, match="9"):
        confirm_discarded(discarded, faces=[9])


def test_decision_leaves_unnamed_columns_alone() -> None:
    decisions = editing.set_decision(as_decisions({1: {"label": "a"}}), faces=[1, 2], redact=False)
    assert decisions["label"].tolist() == ["a", ""]
    assert not decisions["redact"].any()
