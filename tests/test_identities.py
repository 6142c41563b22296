"""Which tracks are one person: the tables, and what an analyst says about them in a session."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redactkit import read_annotations
from redactkit.annotations import Annotations
from redactkit.errors import OptionError, TableError
from redactkit.identities import as_pairs, empty_pairs, frames_seen, summarize_people
from redactkit.media import VideoInfo
from redactkit.review import Review
from redactkit.tables import as_decisions, as_detections, empty_detections, summarize_tracks

VIDEO = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), np.arange(200))
SPANS = {1: (0, 40), 2: (50, 90), 3: (20, 60), 4: (100, 140), 5: (150, 190)}


def make_annotations(**changes: object) -> Annotations:
    """Five tracks; only 3 is seen at once with others, with 1 and 2."""
    rows = [(frame, face, face * 50.0, 10.0, 20.0, 20.0, 0.9) for face, span in SPANS.items() for frame in range(*span)]
    names = ["frame", "face_id", "x", "y", "width", "height", "confidence"]
    table = as_detections(
        pd.DataFrame(rows, columns=names).assign(source="detected", time=lambda table: table["frame"] / 25)
    )
    pairs = {"face_id": [1, 2, 1, 4], "other_id": [2, 4, 3, 5], "similarity": [0.9, 0.8, 0.7, 0.6]}
    given = {"pairs": as_pairs({**pairs, "sure": [True, True, False, False], "basis": "face"}), **changes}
    return Annotations(VIDEO, table, **given)  # type: ignore[arg-type]


def listed(pairs: pd.DataFrame) -> list[tuple[int, int]]:
    return list(pairs[["face_id", "other_id"]].itertuples(index=False, name=None))


def test_pairs_of_nothing_have_their_columns() -> None:
    assert empty_pairs()["sure"].dtype.kind == "b"
    review = Review(Annotations(VIDEO, empty_detections()))
    assert len(review.people) == len(review.suggestions()) == 0
    assert list(review.people) == list(make_annotations().people)


def test_pairs_keep_the_answer_of_two_rows_about_one_pair() -> None:
    table = as_pairs(
        {"face_id": [2, 1, 3], "other_id": [1, 2, 3], "similarity": [0.9, 0.2, 1], "answer": ["", "same", ""]}
    )
    assert table[["face_id", "other_id", "answer"]].to_numpy().tolist() == [[1, 2, "same"]]
    with pytest.raises(TableError, match="must be one of"):
        as_pairs({"face_id": [1], "other_id": [2], "answer": ["perhaps"]})


def test_every_track_is_a_person_of_its_own_until_joined() -> None:
    people = make_annotations().people
    assert people["faces"].tolist() == [(1,), (2,), (3,), (4,), (5,)]
    assert people["seconds"].tolist() == [1.6] * 5
    assert people["decision"].tolist() == ["redact"] * 5


def test_people_are_called_by_the_lowest_of_their_faces() -> None:
    decisions = as_decisions({4: {"person_id": "b"}, 2: {"person_id": "b"}, 3: {}, 9: {"person_id": 3}})
    assert decisions["person_id"].to_dict() == {2: 2, 3: 3, 4: 2, 9: 9}


def test_suggestions_leave_out_who_is_seen_at_once() -> None:
    review = Review(make_annotations())
    assert listed(review.suggestions()) == [(1, 2), (2, 4), (4, 5)]
    assert listed(review.suggestions(sure=True)) == [(1, 2), (2, 4)]


def test_accepting_joins_tracks_and_is_undone_as_one_edit() -> None:
    review = Review(make_annotations())
    assert review.accept_suggestion(2, 1) == 1
    assert review.people.loc[1, "faces"] == (1, 2)
    assert listed(review.suggestions()) == [(2, 4), (4, 5)]
    review.accept_suggestion(2, 4)
    assert review.people.loc[1, ["tracks", "seconds"]].tolist() == [3, 4.8]
    review.undo()
    review.undo()
    assert len(review.people) == 5
    assert listed(review.suggestions()) == [(1, 2), (2, 4), (4, 5)]
    review.redo()
    assert review.people.loc[1, "faces"] == (1, 2)


def test_a_rejected_pair_is_never_suggested_again_nor_others_of_the_two_people() -> None:
    more = as_pairs({"face_id": [1, 1, 2], "other_id": [2, 4, 4], "similarity": [0.9, 0.8, 0.7]})
    review = Review(make_annotations(pairs=more))
    review.accept_suggestion(1, 2)
    review.reject_suggestion(1, 4)
    assert listed(review.suggestions()) == []
    review.undo()
    assert listed(review.suggestions()) == [(1, 4)]


def test_who_is_seen_at_once_is_refused_also_by_way_of_a_third() -> None:
    review = Review(make_annotations())
    review.join_people([2, 4])
    with pytest.raises(OptionError, match=r"faces 2, 4 and 3 are seen at once"):
        review.join_people([4, 3])
    assert review.people.loc[2, "faces"] == (2, 4)


def test_a_shot_boundary_and_boxes_filled_in_do_not_show_two_at_once() -> None:
    rows = make_annotations().detections
    filled = rows.assign(source=rows["source"].mask((rows["face_id"] == 3) & (rows["frame"] >= 50), "interpolated"))
    seen = frames_seen(filled, cuts=np.array([44]), faces=[2, 3])
    assert seen[3].tolist() == [*range(20, 38)]
    assert seen[2].tolist() == [*range(51, 90)]


def test_a_decision_about_a_person_is_one_about_all_its_tracks() -> None:
    review = Review(make_annotations())
    review.join_people([1, 2, 5])
    review.decide_people([1], redact=False, label="Ana", reason="consented")
    assert review.selected_ids == [3, 4]
    assert review.people.loc[1, ["decision", "label"]].tolist() == ["visible", "Ana"]
    with pytest.raises(OptionError, match="no face has the ID 2"):
        review.decide_people([2], redact=False)


def test_joining_a_visible_and_a_redacted_track_redacts_both() -> None:
    review = Review(make_annotations())
    review.decide([1], redact=False, label="Ana", reason="consented")
    review.accept_suggestion(1, 2)
    assert review.selected_ids == [1, 2, 3, 4, 5]
    assert review.people.loc[1, "label"] == "Ana"


def test_joining_two_visible_tracks_leaves_both_visible() -> None:
    review = Review(make_annotations())
    review.decide([1, 2], redact=False)
    review.accept_suggestion(1, 2)
    assert review.selected_ids == [3, 4, 5]


def test_parting_takes_tracks_out_and_is_not_suggested_again() -> None:
    review = Review(make_annotations())
    review.join_people([1, 2, 4])
    review.part_people([1])
    assert review.people["faces"].tolist() == [(1,), (2, 4), (3,), (5,)]
    assert listed(review.suggestions()) == [(4, 5)]


def test_merge_split_and_deletion_keep_people_and_pairs_in_order() -> None:
    review = Review(make_annotations())
    review.join_people([1, 2, 4])
    review.delete_face(1)
    assert review.people["faces"].tolist() == [(2, 4), (3,), (5,)]
    review.merge_faces([4, 5])
    assert review.people["faces"].tolist() == [(2, 4), (3,)]
    new = review.split_face(face_id=4, frame=120)
    assert review.people["faces"].tolist() == [(2,), (3,), (4,), (new,)]
    assert not (review.pairs[["face_id", "other_id"]] == 4).any(axis=None)


def test_autosave_brings_people_and_answers_back(tmp_path: Path) -> None:
    autosave = tmp_path / "autosave.json"
    review = Review(make_annotations(), autosave=autosave)
    review.accept_suggestion(1, 2)
    review.reject_suggestion(4, 5)
    again = Review(make_annotations(), autosave=autosave)
    assert again.people.equals(review.people)
    assert listed(again.suggestions()) == [(2, 4)]
    again.undo()
    assert listed(again.suggestions()) == [(2, 4), (4, 5)]


@pytest.mark.parametrize("name", ["azure", "parquet"])
def test_people_and_suggestions_survive_a_file(tmp_path: Path, name: str) -> None:
    review = Review(make_annotations())
    review.accept_suggestion(1, 2)
    review.reject_suggestion(4, 5)
    saved = review.annotations
    back = read_annotations(saved.to(name, tmp_path / f"a.{name}"))
    assert back.pairs.equals(saved.pairs)
    assert back.decisions.equals(saved.decisions)
    assert listed(Review(back).suggestions()) == [(2, 4)]


@pytest.mark.parametrize("name", ["cvat", "coco", "csv"])
@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
def test_people_survive_files_of_other_tools(tmp_path: Path, name: str) -> None:
    review = Review(make_annotations())
    review.join_people([4, 2])
    back = read_annotations(review.annotations.to(name, tmp_path / f"a.{name}"))
    assert back.people["faces"].tolist() == [(1,), (2, 4), (3,), (5,)]


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
def test_a_column_person_id_of_another_tool_joins_nobody(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("frame,face_id,x,y,width,height,person_id\n0,1,1,1,9,9,1\n1,2,1,1,9,9,1\n")
    assert read_annotations(path).people["faces"].tolist() == [(1,), (2,)]


def test_people_sum_up_tracks_whose_decisions_differ() -> None:
    tracks = summarize_tracks(
        make_annotations().detections, as_decisions({4: {"person_id": 4}, 5: {"person_id": 4, "redact": False}})
    )
    row = summarize_people(tracks, frame_rate=25.0).loc[4]
    assert (row["decision"], row["first_frame"], row["last_frame"], row["tracks"]) == ("mixed", 100, 189, 2)
