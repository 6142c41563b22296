"""Tests of the analyst's session, its history and its autosave."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, MismatchError, OptionError, OutputExistsError, TableError
from redactkit.formats import read_annotations
from redactkit.media import VideoInfo
from redactkit.review import Review
from redactkit.review.history import State, difference, patch
from redactkit.review.journal import Journal
from redactkit.review.navigation import STOPS, stops
from redactkit.review.rows import same_column
from redactkit.tables import BOX, as_decisions, as_detections, empty_detections, sort_detections, summarize_tracks
from redactkit.widgets.edits import correct_box

FRAMES = 30


def video(path: Path | None = None) -> VideoInfo:
    return VideoInfo(path, 64, 48, Fraction(25), Fraction(1, 25), np.arange(FRAMES))


def detections(*faces: tuple[int, range]) -> pd.DataFrame:
    rows = [(frame, face, frame, 10.0 * face, 8.0, 6.0, 0.9) for face, frames in faces for frame in frames]
    table = pd.DataFrame(rows, columns=["frame", "face_id", *BOX, "confidence"])
    return sort_detections(as_detections(table.assign(time=table["frame"] / 25, source="detected")))


def review(*faces: tuple[int, range], **options: Any) -> Review:
    return Review(Annotations(video(), detections(*faces)), **options)


@pytest.fixture
def two() -> Review:
    return review((1, range(0, 10)), (2, range(5, 20)))


def test_review_of_no_faces_has_empty_tables_and_a_frame_to_stand_on() -> None:
    empty = Review(Annotations(video(), empty_detections()))
    assert empty.tracks.empty
    assert (empty.ids, empty.selected_ids, empty.history) == ("", [], ())
    empty.undo()
    empty.redo()
    assert empty.seek("face") is None
    assert empty.picture().shape == (48, 64, 3)


def test_all_faces_are_selected_at_the_start(two: Review) -> None:
    assert two.ids == "1\n2\n"
    two.decide([1], redact=False, reason="consented")
    assert two.ids == "2\n"
    assert two.tracks.loc[1, "reason"] == "consented"


def test_every_command_is_undone_and_redone_exactly(two: Review) -> None:
    two.current_face = 2
    commands = [
        lambda: two.set_box([1, 2, 3, 4], frame=7),
        lambda: two.set_keyframe(frame=12),
        lambda: two.interpolate_boxes(),
        lambda: two.shift_boxes([1, 0, 0, 0], start=5, stop=8),
        lambda: two.expand_boxes(share=0.2, faces=[2]),
        lambda: two.copy_box(3, frame=19),
        lambda: two.delete_boxes(faces=[1], start=3, stop=5),
        lambda: two.add_face([1, 1, 5, 5], frame=9),
        lambda: two.split_face(face_id=2, frame=9),
        lambda: two.merge_faces([1, 2]),
        lambda: two.decide([1], redact=False, label="a"),
        lambda: two.delete_face(1),
    ]
    states = [(two.detections, two.decisions)]
    for command in commands:
        command()
        states.append((two.detections, two.decisions))
    assert two.history_position == len(two.history) == len(commands)
    for back, (rows, decided) in enumerate(reversed(states)):
        assert two.history_position == len(commands) - back
        pd.testing.assert_frame_equal(two.detections, rows)
        pd.testing.assert_frame_equal(two.decisions, decided)
        two.undo()
    for rows, decided in states:
        pd.testing.assert_frame_equal(two.detections, rows)
        pd.testing.assert_frame_equal(two.decisions, decided)
        pd.testing.assert_frame_equal(two.tracks, summarize_tracks(rows, decided))
        two.redo()


def test_tracks_of_many_faces_follow_each_edit() -> None:
    session = review(*((face, range(face, face + 5)) for face in range(1, 21)))
    edits = [
        lambda: session.set_box([0, 0, 99, 99], face_id=3, frame=4),
        lambda: session.delete_face(4),
        lambda: session.split_face(face_id=5, frame=7),
        lambda: session.merge_faces([7, 9]),
        session.undo,
    ]
    for edit in edits:
        edit()
        pd.testing.assert_frame_equal(session.tracks, summarize_tracks(session.detections, session.decisions))


def test_new_edit_forgets_what_was_undone(two: Review) -> None:
    two.decide([1], redact=False)
    two.undo()
    two.decide([2], redact=False)
    assert two.history == ("face 2 left visible",)
    two.redo()
    assert two.selected_ids == [1]


def test_observers_see_all_tables_new_at_once(two: Review) -> None:
    seen = []
    two.observe(lambda _: seen.append((set(two.detections["face_id"]), set(two.decisions.index))), "detections")
    two.observe(lambda change: seen.append(change["new"]), "revision")
    two.merge_faces([1, 2])
    assert seen == [({1}, {1}), 2]


def test_assigned_table_is_an_edit_that_is_checked(two: Review) -> None:
    two.detections = two.detections[two.detections["face_id"] == 1]
    assert two.history == ("detections set in code",)
    assert two.decisions.index.tolist() == [1]
    with pytest.raises(TableError, match="second box of one face"):
        two.detections = pd.concat([two.detections, two.detections])
    two.undo()
    assert two.selected_ids == [1, 2]


def test_face_deleted_and_drawn_again_is_redacted(two: Review) -> None:
    two.decide([1], redact=False)
    two.delete_boxes(faces=[1])
    assert two.add_face([0, 0, 5, 5], frame=0, face_id=1) == 1
    assert two.selected_ids == [1, 2]


def test_new_face_takes_no_number_of_a_discarded_one() -> None:
    base = Annotations(video(), detections((1, range(3))), discarded=detections((2, range(3)), (3, range(4))))
    session = Review(base)
    assert session.add_face([0, 0, 5, 5]) == 4
    session.restore_face(3)
    assert session.selected_ids == [1, 3, 4]
    assert session.discarded["face_id"].unique().tolist() == [2]
    session.undo()
    assert len(session.discarded) == 7
    session.restore_faces([2, 3])
    assert (session.history_position, session.selected_ids) == (2, [1, 2, 3, 4])
    session.undo()
    session.restore_faces([3], cover_around=True)
    rows = session.detections[session.detections["face_id"] == 3]
    around = round(0.25 * float(session.video.frame_rate))
    assert rows["frame"].tolist() == list(range(min(4 + around, session.frame_count)))
    session.undo()
    session.confirm_discarded([2])
    assert (session.history[-1], session.discarded["source"].eq("manual").sum()) == ("face 2 said to be none", 3)
    assert 2 not in session.to_review()["face_id"].tolist()


def test_current_frame_is_kept_inside_the_video(two: Review) -> None:
    two.current_frame = 1000
    assert two.current_frame == FRAMES - 1
    two.step(-1000)
    assert two.current_frame == 0


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("face", [0, 1, 2, 6, 7]),
        ("edge", [0, 4, 7, 9]),
        ("empty", [3, *range(10, FRAMES)]),
        ("box", [0, 1, 2, *range(4, 10)]),
        ("keyframe", [6]),
        ("gap", [2, 6]),
    ],
)
def test_seek_stops_at_every_frame_of_a_kind(kind: str, expected: list[int]) -> None:
    session = review((1, range(0, 3)), (2, range(4, 10)))
    for frame in (6, 7):
        session.set_box([1, 1, 1, 1], face_id=1, frame=frame)
    session.set_keyframe(False, face_id=1, frame=7)
    session.current_face = 1
    found = [0] if expected[0] == 0 else []
    while (frame := session.seek(kind)) is not None:
        found.append(frame)
    assert found == expected
    while session.seek(kind, direction=-1) is not None:
        pass
    assert session.current_frame == expected[0]


def test_seek_goes_through_the_review_queue_and_picks_the_face(two: Review) -> None:
    places = two.to_review()
    assert two.to_review() is places
    seen = []
    while (frame := two.seek("queue")) is not None:
        seen.append((frame, two.current_face))
    assert [frame for frame, _ in seen] == sorted(set(places["frame"]) - {0})
    assert all(face in places.loc[places["frame"] == frame, "face_id"].tolist() for frame, face in seen)
    two.queue = pd.DataFrame({"frame": [3]})
    assert two.seek("queue", direction=-1) == 3


def test_stops_refuse_an_unknown_kind() -> None:
    with pytest.raises(OptionError, match=next(iter(STOPS))):
        stops("nothing", empty_detections(), face_id=None, frame_count=1)


def test_commands_name_an_unknown_face_and_a_missing_choice(two: Review) -> None:
    with pytest.raises(OptionError, match="no face is current"):
        two.split_face(frame=3)
    with pytest.raises(OptionError, match="no face has the ID 9"):
        two.decide([9], redact=False)
    with pytest.raises(OptionError, match="frame must be 0 to 29"):
        two.set_box([0, 0, 1, 1], face_id=1, frame=30)
    assert two.history == ()


def test_go_to_face_stands_on_its_first_box(two: Review) -> None:
    two.go_to_face(2)
    assert (two.current_face, two.current_frame) == (2, 5)
    assert two.box_of() == [5, 20, 8, 6]
    assert two.box_of(1, frame=15) is None


def test_picture_comes_from_the_callable_and_is_scaled() -> None:
    session = review((1, range(3)), frames=lambda number: np.full((48, 64, 3), number, np.uint8))
    assert session.picture(7).mean() == 7
    assert session.picture(7, width=32, height=24).shape == (24, 32, 3)
    session.close()
    assert session.picture(7).mean() == 96


def test_edits_from_many_threads_are_all_kept() -> None:
    session = review(*((face, range(5)) for face in range(1, 9)))
    threads = [
        threading.Thread(target=lambda face=face: [session.shift_boxes([1, 0, 0, 0], face_id=face) for _ in range(10)])
        for face in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (session.detections["x"] == session.detections["frame"] + 10).all()
    assert len(session.history) == 80


def test_annotations_tell_the_edits_that_hold(two: Review) -> None:
    assert "edits" not in two.annotations.settings
    two.decide([1], redact=False)
    two.decide([2], label="b")
    two.undo()
    assert [edit["name"] for edit in two.annotations.settings["edits"]] == ["face 1 left visible"]
    assert two.annotations.selected_ids == [2]


def test_load_begins_anew(two: Review) -> None:
    two.decide([1], redact=False)
    two.load(Annotations(video(), detections((7, range(2)))))
    assert (two.selected_ids, two.history, two.tracks.index.tolist()) == ([7], (), [7])


@st.composite
def keyed_tables(draw: st.DrawFn) -> pd.DataFrame:
    keys = draw(st.sets(st.tuples(st.integers(0, 9), st.sampled_from([-(2**62), 1, 2, 3, 2**62])), max_size=12))
    rows = [(frame, face, draw(st.sampled_from([0.0, 1.0, np.nan])), 0.0, 1.0, 1.0) for frame, face in sorted(keys)]
    table = pd.DataFrame(rows, columns=["frame", "face_id", *BOX])
    return sort_detections(as_detections(table))


@pytest.mark.slow
@given(keyed_tables(), keyed_tables())
@settings(deadline=None, max_examples=100)
def test_difference_leads_from_one_table_to_the_other_and_back(before: pd.DataFrame, after: pd.DataFrame) -> None:
    delta = difference(before, after)
    pd.testing.assert_frame_equal(patch(before, delta), after)
    pd.testing.assert_frame_equal(patch(after, delta and delta.inverse), before)
    if delta is not None:  # and it holds no row that both tables have
        rows = [[tuple(map(str, row)) for row in part.itertuples(index=False)] for part in delta]
        assert (rows[0] or rows[1]) and not set(rows[0]) & set(rows[1])


@pytest.mark.skipif(int(pd.__version__.split(".")[0]) < 3, reason="older pandas copies columns that do not change")
def test_correcting_a_box_copies_only_the_columns_that_change() -> None:
    """Of half a million boxes, so that an edit does not cost more the more there are."""
    review = Review(Annotations(video(), detections((1, range(0, 10)), (2, range(5, 20)))))
    before = review.detections
    correct_box(review, face_id=1, frame=3, box=[1, 2, 30, 40])
    shared = {name for name in before if same_column(before, review.detections, name)}
    assert shared >= {"frame", "time", "face_id", "kind", "label", "occluded", "person"}
    assert not shared & {"x", "y", "width", "height", "source", "keyframe"}
    assert review.edits[-1].detections.removed["face_id"].tolist() == [1] * 10


def test_autosave_goes_on_where_the_session_ended(tmp_path: Path) -> None:
    base = Annotations(video(), detections((1, range(0, 10)), (2, range(5, 20))))
    first = Review(base, autosave=tmp_path / "session.jsonl")
    assert not (tmp_path / "session.jsonl").exists()
    first.set_box([1, 2, 3, 4], face_id=1, frame=2)
    first.decide([2], redact=False, label="<b>é</b>")
    first.merge_faces([1, 2])
    first.undo()
    second = Review(base, autosave=tmp_path / "session.jsonl")
    assert (second.history, second.history_position) == (first.history, 2)
    pd.testing.assert_frame_equal(second.detections, first.detections)
    pd.testing.assert_frame_equal(second.decisions, first.decisions)
    second.redo()
    assert second.selected_ids == [1]


def test_autosave_cut_anywhere_loses_at_most_the_last_edit(tmp_path: Path) -> None:
    base = Annotations(video(), detections((1, range(0, 10))))
    path = tmp_path / "session.jsonl"
    first = Review(base, autosave=path)
    for frame in range(3):
        first.set_box([1, 2, 3, 4], face_id=1, frame=frame)
    whole = path.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for cut in range(last, len(whole), 40):
        path.write_bytes(whole[:cut])
        again = Review(base, autosave=path)
        assert len(again.history) == 2
        again.decide([1], redact=False)
        assert len(Review(base, autosave=path).history) == 3


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", '{"journal":1,"base":"x"}\n', "\xff\xfe\n"])
def test_autosave_refuses_a_file_that_is_not_its_own(tmp_path: Path, text: str) -> None:
    path = tmp_path / "session.jsonl"
    path.write_text(text, encoding="latin1")
    with pytest.raises(AnnotationError, match=r"session\.jsonl"):
        review((1, range(3)), autosave=path)
    assert path.read_text(encoding="latin1") == text


@pytest.mark.parametrize(
    "line",
    [
        '{"do":"x","detections":{"removed":{"frame":[99],"face_id":[1]},"added":{}}}',
        '{"do":"x","detections":{"removed":{"frame":[],"face_id":[]},"added":{"frame":["a"],"source":["manual"]}}}',
        '{"do":"x","detections":{"removed":{"frame":[],"face_id":[]},"added":{"frame":[1],"source":["evil"]}}}',
        '{"do":"x","decisions":{"face_id":[1],"redact":["no"],"label":[""],"reason":[""]}}',
        '{"move":1}',
        '{"move":-1}',
        '{"what":1}',
        "nonsense",
    ],
)
def test_autosave_names_the_damaged_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "session.jsonl"
    base = Annotations(video(), detections((1, range(3))))
    Journal(path, State(base.detections, base.decisions)).restart(State(base.detections, base.decisions))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(AnnotationError, match="line 2"):
        Review(base, autosave=path)


def test_save_writes_annotations_and_ids_and_the_autosave_goes_on_from_them(tmp_path: Path) -> None:
    base = Annotations(video(tmp_path / "foo.mp4"), detections((1, range(0, 10)), (2, range(5, 20))))
    session = Review(base, autosave=tmp_path / "session.jsonl")
    session.decide([1], redact=False, label="Ana")
    target = session.save(tmp_path / "out")
    assert target == tmp_path / "out" / "foo_annotations.json"
    assert (tmp_path / "out" / "foo_IDList.txt").read_text() == "2\n"
    session.undo()
    session.merge_faces([1, 2])
    saved = read_annotations(target)
    assert saved.selected_ids == [2]
    again = Review(saved, autosave=tmp_path / "session.jsonl")
    assert again.history == ("undone: face 1 left visible", "faces 1, 2 merged")
    pd.testing.assert_frame_equal(again.decisions, session.decisions)


def test_save_replaces_only_its_own_files(tmp_path: Path) -> None:
    session = Review(Annotations(video(tmp_path / "foo.mp4"), detections((1, range(0, 10)))))
    (tmp_path / "foo_annotations.json").write_text("theirs")
    with pytest.raises(OutputExistsError, match=r"foo_annotations\.json exists"):
        session.save(tmp_path)
    session.save(tmp_path, overwrite=True)
    session.save(tmp_path)


def test_save_writes_no_list_where_every_face_is_visible(tmp_path: Path) -> None:
    session = Review(Annotations(video(tmp_path / "foo.mp4"), detections((1, range(0, 10)))))
    session.save(tmp_path)
    session.decide([1], redact=False)
    session.save(tmp_path)
    assert not (tmp_path / "foo_IDList.txt").exists()
    assert read_annotations(tmp_path / "foo_annotations.json").selected_ids == []


def test_thumbnail_is_shown_only_while_the_face_is_the_one_it_was_made_from(tmp_path: Path) -> None:
    (tmp_path / "foo_thumb000001.jpg").write_bytes(b"")
    session = Review(Annotations(video(), detections((1, range(0, 10))), thumbnails=tmp_path))
    assert session.tracks.loc[1, "thumbnail"] == tmp_path / "foo_thumb000001.jpg"
    best = int(session.tracks.loc[1, "best_frame"])
    session.split_face(face_id=1, frame=max(best, 1) if best else 1)
    assert session.tracks["best_frame"].nunique() == 2
    assert (session.tracks["thumbnail"].notna() == (session.tracks["best_frame"] == best)).loc[1]
    assert session.tracks.loc[2, "thumbnail"] is None


def test_open_reads_a_real_clip_and_refuses_annotations_of_another(shared_media: Path) -> None:
    clip = shared_media / "stage_four_shots.mp4"
    session = Review.open(clip)
    assert session.frame_count == 275
    assert session.picture(100, width=320, height=180).shape == (180, 320, 3)
    session.add_face([10, 10, 50, 50], frame=100)
    theirs = session.annotations
    session.close()
    with pytest.raises(MismatchError, match="size"):
        Review.open(shared_media / "one_face_occluded.mp4", theirs)
    again = Review.open(clip, theirs)
    assert again.selected_ids == [1]
    again.close()


def test_decisions_for_faces_that_are_gone_are_dropped() -> None:
    base = Annotations(video(), detections((1, range(3))), decisions=as_decisions({9: {"redact": False}}))
    assert Review(base).decisions.index.tolist() == [1]


def test_objects_have_kinds_that_edits_keep_and_undo_takes_back():
    session = review((1, range(10)))
    new = session.add_face([10, 10, 30, 10], frame=0, kind=" Plate ")
    session.copy_box(2, face_id=new, frame=0)
    assert session.tracks.loc[new, "kind"] == "plate"
    assert set(session.detections.loc[session.detections["face_id"] == new, "kind"]) == {"plate"}
    session.set_kind([new], "screen")
    assert session.tracks.loc[new, "kind"] == "screen"
    session.undo()
    assert session.tracks.loc[new, "kind"] == "plate"
    kept = session.merge_faces([session.tracks.index[0], new])
    assert session.tracks.loc[kept, "kind"] == "face"
    with pytest.raises(OptionError, match="kind must be a word"):
        session.add_face([0, 0, 1, 1], kind="")
