"""Which places to check and which pairs an answer could matter for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.identities import as_pairs
from redactkit.media import VideoInfo
from redactkit.review import Review
from redactkit.review.relevance import pairs_matter, places_matter
from redactkit.tables import as_decisions, as_detections, empty_decisions, empty_detections
from redactkit.tracking.review_queue import REASONS, review_queue
from redactkit.verification import review_queue as queue_of

VIDEO = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), range(100))
UNBOXED = {"gap", "track starts inside the frame", "track ends inside the frame"}
BOXED = {"short track", "filled gap", "confidence dip", "touches the edge"}


def face(frames, *, face_id=1, x=300.0, y=150.0, size=60.0) -> pd.DataFrame:
    frames = np.asarray(frames)
    box = {"x": x, "y": y, "width": size, "height": size}
    return as_detections({"frame": frames, "time": frames / 25, "face_id": face_id, **box, "confidence": 0.9})


def queue(*reasons: str, face_id: int = 1) -> pd.DataFrame:
    return pd.DataFrame({"face_id": face_id, "frame": 20, "frames": 5, "reason": list(reasons)})


def matters(reasons, *, redact=True, visible_at="", **tables) -> dict[str, bool]:
    decided = as_decisions({1: {"redact": redact, "visible_at": visible_at}})
    tables = {"detections": face(range(100))} | tables
    return dict(zip(reasons, places_matter(queue(*reasons), decisions=decided, **tables).tolist(), strict=True))


def test_nothing_to_check_matters_nothing() -> None:
    empty = review_queue(empty_detections(), video_size=(640, 360), frame_count=9)
    found = places_matter(empty, detections=empty_detections(), decisions=empty_decisions())
    assert (found.shape, found.dtype) == ((0,), bool)
    assert pairs_matter(as_pairs({}), decisions=empty_decisions()).shape == (0,)


def test_where_a_hidden_face_may_have_no_box_an_answer_matters_and_where_it_has_one_not() -> None:
    found = matters(sorted(UNBOXED | BOXED))
    assert {reason for reason, does in found.items() if does} == UNBOXED


@pytest.mark.parametrize("why", ["brought back", "leak check"])
def test_where_a_glimpse_begins_and_ends_is_not_asked_about(why) -> None:
    reasons = sorted(UNBOXED | BOXED)
    decided = as_decisions({1: {"redact": True, "reason": why}})
    found = places_matter(queue(*reasons), detections=face(range(100)), decisions=decided)
    assert [reason for reason, does in zip(reasons, found, strict=True) if does] == ["gap"]
    decided = as_decisions({1: {"redact": True, "reason": why, "visible_at": "1-2"}})
    found = places_matter(queue(*reasons), detections=face(range(100)), decisions=decided)
    assert dict(zip(reasons, found, strict=True)) == {reason: reason in {*BOXED, "gap"} for reason in reasons}


def test_of_a_face_left_visible_what_may_be_somebody_else_matters() -> None:
    found = matters(sorted(UNBOXED | BOXED), redact=False)
    assert {reason for reason, does in found.items() if does} == BOXED


def test_of_a_face_visible_at_times_everything_matters() -> None:
    assert all(matters(sorted(UNBOXED | BOXED), visible_at="1-2").values())


def test_what_no_rule_is_about_matters() -> None:
    assert all(matters(["leak", "followed in doubt", "somebody's own reason"]).values())
    strange = places_matter(queue(*REASONS, face_id=77), detections=face([0]), decisions=as_decisions({1: {}}))
    assert strange.all()
    assert places_matter(pd.DataFrame({"frame": [3]}), detections=face([0]), decisions=empty_decisions()).all()


@pytest.mark.parametrize(
    ("other", "does"),
    [
        ({"redact": True}, False),
        ({"redact": False}, True),
        ({"redact": True, "look": "blur=Black"}, True),
        ({"redact": True, "label": "Ana"}, True),
        ({"redact": True, "visible_at": "0-2"}, True),
    ],
)
def test_crossing_matters_where_the_other_face_is_decided_otherwise(other, does) -> None:
    rows = pd.concat([face(range(100)), face(range(15, 30), face_id=2, x=330), face(range(100), face_id=3, x=20)])
    decided = as_decisions({1: {"redact": True}, 2: other, 3: {"redact": False}})
    rows = rows.sort_values(["frame", "face_id"], ignore_index=True)
    found = places_matter(queue("crossing"), detections=rows, decisions=decided)
    assert found.tolist() == [does]  # the third, who is left visible, is never met


def test_discarded_track_matters_unless_hidden_boxes_cover_all_of_it() -> None:
    aside = face(range(20, 25), face_id=1, x=310, y=160, size=40)
    assert matters(["discarded track"], discarded=aside) == {"discarded track": False}
    assert matters(["discarded track"], discarded=aside, redact=False) == {"discarded track": True}
    assert matters(["discarded track"], discarded=aside, visible_at="0-1") == {"discarded track": True}
    later = face(range(97, 103), face_id=1, x=310, y=160, size=40)  # in its last frames nobody is hidden
    assert matters(["discarded track"], discarded=later) == {"discarded track": True}
    beside = face(range(20, 25), face_id=1, x=360, size=40)
    assert matters(["discarded track"], discarded=beside) == {"discarded track": True}


def test_pair_matters_where_the_two_are_decided_differently() -> None:
    decided = as_decisions({1: {"redact": True}, 2: {"redact": True}, 3: {"redact": False}, 4: {"label": "Ana"}})
    pairs = pd.DataFrame({"face_id": [1, 1, 2, 1, 1], "other_id": [2, 3, 3, 4, 9]})
    assert pairs_matter(pairs, decisions=decided).tolist() == [False, True, True, True, True]


def test_review_tells_it_anew_after_each_decision_and_lists_everything() -> None:
    rows = pd.concat(
        [face(range(100)), face(range(15, 30), face_id=2, x=330), face([*range(5), *range(40, 100)], face_id=3, x=9)]
    )
    review = Review(Annotations(VIDEO, rows.sort_values(["frame", "face_id"], ignore_index=True)))
    review.pairs = as_pairs({"face_id": [2], "other_id": [3], "similarity": 0.9, "sure": False, "basis": "face"})
    before = review.to_review()
    assert review.to_review() is before
    assert review.suggestions()["matters"].tolist() == [False]
    crossing = before["reason"] == "crossing"
    assert crossing.sum() == 2 and not before.loc[crossing, "matters"].any()
    review.decide([2], redact=False)
    after = review.to_review()
    assert after.loc[crossing, "matters"].all()
    assert after.drop(columns="matters").equals(before.drop(columns="matters"))
    assert after["matters"].tolist() == queue_of(review.annotations)["matters"].tolist()
    assert review.suggestions()["matters"].tolist() == [True]
    review.undo()
    assert review.to_review()["matters"].tolist() == before["matters"].tolist()


def test_list_is_made_anew_when_only_what_is_set_aside_changes() -> None:
    review = Review(Annotations(VIDEO, face(range(100))))
    assert review.to_review().empty
    review.edit("set aside", discarded=face(range(4), face_id=2, x=9))
    assert review.to_review()["reason"].tolist() == ["discarded track"]


def test_queue_of_ones_own_is_told_apart_too_and_q_goes_to_what_matters() -> None:
    review = Review(Annotations(VIDEO, face(range(100))))
    review.queue = pd.DataFrame(
        {"face_id": 1, "frame": [20, 40, 60], "frames": 3, "reason": ["filled gap", "gap", "filled gap"]}
    )
    assert review.to_review()["matters"].tolist() == [False, True, False]
    assert "matters" not in review.queue
    assert (review.seek("queue"), review.current_frame, review.seek("queue")) == (40, 40, None)
