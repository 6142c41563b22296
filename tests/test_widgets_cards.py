"""Tests of the cards: people, pairs and places to check, by the messages that the page sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.review import Review
from redactkit.tables import empty_detections
from redactkit.widgets import CheckView, PeopleView
from redactkit.widgets.thumbnails import level
from tests.test_widgets_findings import report_of


@pytest.fixture
def review(short_clip: Path, short_truth: Annotations) -> Iterator[Review]:
    opened = Review.open(short_clip, short_truth)
    yield opened
    opened.close()


@pytest.fixture
def people(review: Review) -> Iterator[PeopleView]:
    view = PeopleView(review)
    yield view
    view.close()


@pytest.fixture
def check(review: Review) -> Iterator[CheckView]:
    view = CheckView(review)
    yield view
    view.close()


def send(view: Any, **message: Any) -> None:
    view.cards._receive(view.cards, message)
    assert view.wait()


def item(view: Any, key: str) -> dict[str, Any]:
    return next(one for one in view.cards.items if one["key"] == key)


def pictures_of(view: Any, monkeypatch: pytest.MonkeyPatch, **message: Any) -> list[Any]:
    got: list[Any] = []
    monkeypatch.setattr(view.cards, "send", got.append)
    send(view, **message)
    return got


def test_no_face_makes_no_card_and_says_what_to_do(short_truth: Annotations) -> None:
    review = Review(short_truth.replace(detections=empty_detections()))
    people, check = PeopleView(review), CheckView(review)
    assert (people.cards.items, check.cards.items, check.left) == ([], [], 0)
    assert "draw a box" in people.cards.empty
    people.close()
    check.close()


def test_people_are_listed_the_largest_first_and_all_hidden(people: PeopleView, review: Review) -> None:
    tracks = review.tracks
    area = (tracks["median_width"] * tracks["median_height"]).sort_values(ascending=False)
    assert [one["key"] for one in people.cards.items] == [f"f{face}" for face in area.index]
    assert {one["badge"] for one in people.cards.items} == {"hidden"}
    assert people.cards.summary == f"{len(tracks)} of {len(tracks)} hidden"


def test_card_decides_names_and_sets_aside_and_undo_takes_it_back(people: PeopleView, review: Review) -> None:
    send(people, do="visible", key="f1")
    assert 1 not in review.selected_ids
    assert (item(people, "f1")["badge"], item(people, "f1")["state"]) == ("visible", "show")
    send(people, do="name", key="f1", text="<b>Ana")
    assert item(people, "f1")["title"] == "<b>Ana"
    send(people, do="no-face", key="f1")
    assert 1 not in review.decisions.index
    for _ in range(3):
        send(people, do="undo", key=None)
    assert item(people, "f1")["badge"] == "hidden"
    send(people, do="hide", key="f77")
    send(people, do="click", key="f1")
    assert review.history_position == 0


def test_picking_a_card_picks_its_face_and_leaves_the_time(people: PeopleView, review: Review) -> None:
    review.current_frame = 30
    people.cards.current = "f2"
    assert (review.current_face, review.current_frame) == (2, 30)
    review.current_face = 1
    assert people.cards.current == "f1"
    send(people, do="go", key="f1")
    assert review.current_frame == review.tracks.loc[1, "first_frame"]


def test_a_face_that_has_no_card_yet_picks_none(people: PeopleView, review: Review) -> None:
    review.current_face = 1
    new = review.split_face(face_id=1, frame=int(review.tracks.loc[1, "first_frame"]) + 5)
    assert people.wait()
    assert (review.current_face, people.cards.current) == (new, f"f{new}")


def test_suggested_pair_is_accepted_or_refused(people: PeopleView, review: Review) -> None:
    spans = review.tracks[["first_frame", "last_frame"]]
    first = review.split_face(face_id=1, frame=int(spans.loc[1].mean()))
    second = review.split_face(face_id=2, frame=int(spans.loc[2].mean()))
    rows = {"face_id": [1, 2], "other_id": [first, second], "similarity": 0.9, "sure": False, "basis": "face"}
    from redactkit.identities import as_pairs

    review.pairs = as_pairs(rows)
    assert people.wait()
    asked = [one for one in people.cards.items if one["key"].startswith("p")]
    assert asked == []  # all four are hidden: nothing depends on it
    assert item(people, "fold pairs")["title"].startswith("2 pairs")
    review.decide([1], redact=False)
    assert people.wait()
    assert [one["key"] for one in people.cards.items if one["key"].startswith("p")] == [f"p1-{first}"]
    assert "1 pair to answer" in people.cards.summary
    send(people, do="same", key=f"p1-{first}")
    assert f"face 1 and face {first} are one person now, and hidden" in people.message.value
    review.undo()
    review.undo()
    assert people.wait()
    send(people, do="open", key="fold pairs")
    asked = [one for one in people.cards.items if one["key"].startswith("p")]
    assert [one["pictures"] for one in asked] == [2, 2]
    send(people, do="same", key=asked[0]["key"])
    send(people, do="different", key=asked[1]["key"])
    assert not [one for one in people.cards.items if one["key"].startswith(("p", "fold"))]
    assert sorted(map(len, review.people["faces"])).count(2) == 1
    assert people.message.value == ""  # nobody was to be seen before
    person = next(one for one in people.cards.items if "2 tracks" in one["lines"][0])
    send(people, do="visible", key=person["key"])
    assert len(review.decisions) - len(review.selected_ids) == 2
    send(people, do="apart", key=person["key"])
    assert set(map(len, review.people["faces"])) == {1}


def test_pictures_and_strips_are_made_when_asked_for(people: PeopleView, monkeypatch: pytest.MonkeyPatch) -> None:
    got = pictures_of(people, monkeypatch, do="pictures", keys=["f1", "f2"])
    found = {key: uris for one in got for key, uris in one["pictures"].items()}
    assert set(found) == {"f1", "f2"}
    assert all(uri.startswith("data:image/jpeg") for uris in found.values() for uri in uris)
    strip = pictures_of(people, monkeypatch, do="strip", key="f1")
    assert len(strip[0]["strip"]["pictures"]) == 8


def test_dark_pictures_are_levelled_and_light_ones_stay() -> None:
    ramp = np.linspace(0, 1, 64)[:, None, None] * np.ones((1, 64, 3))
    dark, light = (ramp * 40).astype(np.uint8), (ramp * 255).astype(np.uint8)
    assert level(dark).std() > 3 * dark.std()
    assert np.array_equal(level(light), light)
    flat = np.full((8, 8, 3), 7, np.uint8)
    assert np.array_equal(level(flat), flat)


def test_places_to_check_are_counted_and_answered(check: CheckView, review: Review) -> None:
    review.delete_boxes(faces=[1], start=20, stop=30)
    assert check.wait()
    total = check.left
    key = next(one["key"] for one in check.cards.items if one["key"].startswith("gap 1"))
    check.cards.current = key
    assert review.current_face == 1
    assert f"{total} left to check" in check.cards.summary
    send(check, do="fine", key=key)
    assert (check.left, check.answered) == (total - 1, 1)
    assert key not in [one["key"] for one in check.cards.items]
    send(check, do="open", key="fold answered")
    assert item(check, key)["badge"] == "fine"
    send(check, do="undo", key=None)
    assert (check.left, review.history_position) == (total, 1)
    send(check, do="no-face", key=key)
    assert 1 not in review.decisions.index
    send(check, do="undo", key=None)
    assert 1 in review.decisions.index


def test_face_set_aside_is_brought_back_from_its_place(check: CheckView, review: Review) -> None:
    table = review.detections
    mine = (table["face_id"] == 2).to_numpy()
    review.edit("set aside", detections=table[~mine].reset_index(drop=True), discarded=table[mine])
    assert check.wait()
    key = next(one["key"] for one in check.cards.items if one["key"].startswith("discarded"))
    send(check, do="hide", key=key)
    assert 2 in review.selected_ids


def test_findings_of_the_leak_check_stand_first_with_source_and_output(
    check: CheckView, review: Review, short_clip: Path, short_truth: Annotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = report_of(short_clip, short_truth)
    review.decide([1], redact=False)
    check.cards.current = check.cards.items[-1]["key"]
    before = review.current_frame
    check.show_report(report)
    assert check.cards.current == check.cards.items[0]["key"], "Enter is an answer to the first finding"
    assert review.current_frame == before
    leaks = [one for one in check.cards.items if one["key"].startswith("leak")]
    assert [one["key"] for one in check.cards.items[: len(leaks)]] == [one["key"] for one in leaks]
    bare = next(one for one in leaks if one["title"].startswith("Exposed: bare"))
    assert len(pictures_of(check, monkeypatch, do="pictures", keys=[bare["key"]])[0]["pictures"][bare["key"]]) == 2
    send(check, do="hide", key=bare["key"])
    assert 1 in review.selected_ids
    broken = next(one for one in leaks if one["actions"] == ["fine"])
    send(check, do="fine", key=broken["key"])
    check.show_report(None)
    assert not [one for one in check.cards.items if one["key"].startswith("leak")]


def test_gap_is_covered_and_undo_takes_the_answer_back(check: CheckView, review: Review) -> None:
    review.delete_boxes(faces=[1], start=20, stop=26)
    assert check.wait()
    key = next(one["key"] for one in check.cards.items if one["key"].startswith("gap 1"))
    assert item(check, key)["title"] == "Face 1 has no box for 6 frames"
    assert item(check, key)["actions"] == ["fill", "no-face", "fine"]
    send(check, do="fill", key=key)
    assert check.runner.jobs[-1].over.wait(120)
    assert (check.runner.jobs[-1].state, check.runner.jobs[-1].error) == ("done", "")
    assert not review.holes(1)
    assert check.wait()
    assert key not in [one["key"] for one in check.cards.items]
    send(check, do="undo", key=None)
    assert item(check, key)["badge"] == ""


def test_answer_of_a_place_that_stays_goes_with_its_edit(check: CheckView, review: Review) -> None:
    review.decide([1], redact=False)
    review.queue = pd.DataFrame({"face_id": [1], "frame": 9, "time": 0.3, "reason": "filled gap", "frames": 1})
    send(check, do="open", key="fold answered")
    key = "filled gap 1 9"
    send(check, do="hide", key=key)
    assert (item(check, key)["badge"], check.left, review.history_position) == ("hidden", 0, 2)
    send(check, do="undo", key=None)
    assert (item(check, key)["badge"], check.left, review.history_position) == ("", 1, 1)


def test_one_answer_for_all_places_of_a_reason_and_one_undo(check: CheckView, review: Review) -> None:
    review.decide([1, 2], redact=False)
    rows = {"face_id": [1, 2, 1], "frame": [3, 9, 30], "time": [0.1, 0.3, 1.0], "risk": 0.5, "frames": 1}
    review.queue = pd.DataFrame({**rows, "reason": ["confidence dip", "confidence dip", "filled gap"]})
    send(check, do="open", key="fold answered")
    begun = review.history_position
    one, two, other = [card["key"] for card in check.cards.items]
    assert item(check, one)["actions"] == ["hide", "no-face", "fine", "hide-all", "fine-all"]
    assert item(check, other)["actions"] == ["hide", "no-face", "fine"]
    send(check, do="fine-all", key=two)
    assert [card["badge"] for card in check.cards.items] == ["", "", "fine", "fine"]
    assert (check.left, item(check, one)["actions"]) == (1, ["hide", "no-face", "fine"])
    send(check, do="undo", key=None)
    send(check, do="hide-all", key=one)
    assert ({1, 2} <= set(review.selected_ids), review.history_position) == (True, begun + 1)
    assert check.left == 0  # what is hidden now need not be asked about a third time
    send(check, do="undo", key=None)
    assert (check.left, review.history_position) == (3, begun)
    assert not {1, 2} & set(review.selected_ids)


def test_fine_stays_when_an_earlier_edit_is_undone(check: CheckView, review: Review) -> None:
    review.decide([1], label="Ana")
    review.queue = pd.DataFrame({"face_id": [1], "frame": 9, "time": 0.3, "reason": "gap", "frames": 1})
    key = "gap 1 9"
    send(check, do="open", key="fold answered")
    send(check, do="fine", key=key)
    review.undo()
    assert check.wait()
    assert item(check, key)["badge"] == "fine"
    send(check, do="undo", key=None)
    assert item(check, key)["badge"] == ""


def test_all_gaps_of_a_face_are_covered_by_one_job(check: CheckView, review: Review) -> None:
    for start in (20, 40):
        review.delete_boxes(faces=[1], start=start, stop=start + 6)
    assert check.wait()
    key = next(one["key"] for one in check.cards.items if one["key"].startswith("gap 1"))
    send(check, do="cover-all", key=key)
    (job,) = check.runner.jobs
    assert job.over.wait(120)
    assert not review.holes(1)


def put_aside(review: Review, faces: dict[int, int]) -> None:
    """Set parts of the first track aside, each moved to where nobody is hidden."""
    table = review.detections
    rows = table[(table["face_id"] == 1).to_numpy()]
    parts = [rows.iloc[start : start + 4].assign(face_id=face, x=5.0, y=5.0) for face, start in faces.items()]
    review.edit("set aside", discarded=pd.concat(parts, ignore_index=True))


def test_places_that_hidden_boxes_cover_are_folded_away_and_can_be_looked_at(check: CheckView, review: Review) -> None:
    rows = {"face_id": [1, 2, 3], "frame": [3, 9, 30], "time": [0.1, 0.3, 1.0], "frames": 1}
    review.queue = pd.DataFrame({**rows, "reason": ["filled gap", "confidence dip", "filled gap"]})
    assert check.wait()
    assert (check.left, [one["key"] for one in check.cards.items]) == (0, ["nothing left", "fold covered"])
    fold = item(check, "fold covered")
    assert ("3 places" in fold["title"], fold["lines"][1]) == (True, "2 filled gap, 1 confidence dip")
    send(check, do="open", key="fold covered")
    assert [one["key"] for one in check.cards.items[2:]] == ["filled gap 1 3", "confidence dip 2 9", "filled gap 3 30"]
    send(check, do="fine", key="filled gap 1 3")
    assert (check.left, check.answered) == (0, 1)
    review.decide([2], redact=False)
    assert check.wait()
    assert (check.left, check.cards.items[0]["key"]) == (1, "confidence dip 2 9")
    send(check, do="open", key="fold covered")
    assert "confidence dip 2 9" in [one["key"] for one in check.cards.items]
    review.undo()
    assert check.wait()
    assert check.left == 0


def test_many_places_of_one_reason_are_one_sheet_with_one_answer_and_one_undo(
    check: CheckView, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_aside(review, {11: 0, 12: 10, 13: 20, 14: 30})
    assert check.wait()
    (sheet,) = [one for one in check.cards.items if "crops" in one]
    assert (sheet["key"], sheet["title"]) == ("sheet discarded track", "4 tracks were taken for no face")
    assert sheet["actions"] == ["sheet-hide-all", "sheet-no-face-all"]
    keys = [crop["key"] for crop in sheet["crops"]]
    pictures = pictures_of(check, monkeypatch, do="pictures", keys=keys)
    assert {key for one in pictures for key, uris in one["pictures"].items() if len(uris) == 1} == set(keys)
    before, left = review.history_position, check.left
    send(check, do="sheet-hide-all", key=sheet["key"])
    assert ({11, 12, 13, 14} <= set(review.selected_ids), review.history_position) == (True, before + 1)
    assert check.left == left - 4  # and where they begin and end is not asked about
    send(check, do="undo", key=None)
    assert (review.history_position, check.left, check.cards.current) == (before, left, sheet["key"])
    assert len(item(check, sheet["key"])["crops"]) == 4


def test_cards_and_the_current_one_reach_the_page_at_once(
    check: CheckView, people: PeopleView, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pages(view: Any) -> list[tuple[list[str], str | None]]:
        """Return the keys of the cards, and the current one, after each message to the page."""
        seen: list[tuple[list[str], str | None]] = []
        shown = {name: view.cards.get_state([name])[name] for name in ("items", "current")}

        def send_state(key: Any = None) -> None:
            shown.update({name: state for name, state in view.cards.get_state(key).items() if name in shown})
            seen.append(([one["key"] for one in shown["items"]], shown["current"]))

        monkeypatch.setattr(view.cards, "send_state", send_state)
        return seen

    put_aside(review, {11: 0, 12: 10, 13: 20, 14: 30})
    assert check.wait() and people.wait()
    check.begin()
    check.cards.current = "sheet discarded track"
    check_pages, people_pages = pages(check), pages(people)
    crop = item(check, "sheet discarded track")["crops"][0]["key"]
    send(check, do="out", key=crop)
    send(check, do="sheet-no-face-all", key="sheet discarded track")
    send(check, do="undo", key=None)
    review.current_face = 2
    review.decide([1], label="one")
    assert people.wait()
    assert len(check_pages) > 3 and check_pages[-1][1] == "sheet discarded track"
    assert all(current in keys for keys, current in check_pages)
    assert all(current in (None, *keys) for keys, current in people_pages)


def test_crop_taken_out_of_its_sheet_is_answered_afterwards(check: CheckView, review: Review) -> None:
    put_aside(review, {11: 0, 12: 10, 13: 20, 14: 30})
    assert check.wait()
    crops = {int(crop["key"].split()[2]): crop["key"] for crop in item(check, "sheet discarded track")["crops"]}
    send(check, do="out", key=crops[13])
    assert review.current_frame == 20
    send(check, do="out", key=crops[14])
    send(check, do="out", key=crops[14])  # and put back
    assert [crop["key"] for crop in item(check, "sheet discarded track")["crops"] if crop["out"]] == [crops[13]]
    send(check, do="sheet-no-face-all", key="sheet discarded track")
    assert set(review.discarded.loc[review.discarded["source"] == "manual", "face_id"]) == {11, 12, 14}
    assert item(check, crops[13])["actions"] == ["hide", "no-face", "fine"]
    send(check, do="hide", key=crops[13])
    assert 13 in review.selected_ids and not {11, 12, 14} & set(review.selected_ids)
    for _ in range(2):
        send(check, do="undo", key=None)
    assert len(item(check, "sheet discarded track")["crops"]) == 4


def test_long_sheet_holds_no_more_than_can_be_looked_at(
    check: CheckView, review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("redactkit.widgets.places.SHEET", 3)
    put_aside(review, {face: face for face in range(11, 16)})
    assert check.wait()
    sheet = item(check, "sheet discarded track")
    assert (sheet["title"], len(sheet["crops"])) == ("3 of 5 tracks were taken for no face", 3)
    left = check.left
    send(check, do="sheet-no-face-all", key=sheet["key"])
    assert check.left == left - 3


def test_when_nothing_is_left_the_list_says_so_and_leads_on(review: Review) -> None:
    gone = []
    check = CheckView(review, done=lambda: gone.append("on"))
    review.queue = pd.DataFrame({"face_id": [1], "frame": 20, "time": 0.7, "reason": "gap", "frames": 3})
    assert check.wait()
    check.begin()
    assert (check.cards.current, review.current_frame) == ("gap 1 20", 0)  # nobody has picked it
    send(check, do="click", key="gap 1 20")
    assert review.current_frame == 20
    send(check, do="fine", key="gap 1 20")
    assert (check.cards.current, check.cards.summary) == ("nothing left", "")
    send(check, do="export", key="nothing left")
    assert gone == ["on"]
    check.close()


def test_everybody_is_hidden_by_one_press(people: PeopleView, review: Review) -> None:
    assert people.hide_all_button.layout.display == "none"
    send(people, do="visible", key="f1")
    send(people, do="visible", key="f2")
    assert people.hide_all_button.layout.display == ""
    position = review.history_position
    people.hide_all_button.click()
    assert people.wait()
    assert (len(review.selected_ids), review.history_position) == (len(review.decisions), position + 1)
    assert people.hide_all_button.layout.display == "none"
