"""Tests of the frame viewer, by its traits and by handing it the messages that the page sends."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.media import VideoInfo
from redactkit.redaction import Preview, make_plan
from redactkit.review import Review
from redactkit.tables import as_detections, sort_detections
from redactkit.widgets import FrameViewer
from redactkit.widgets.actions import ACTIONS
from redactkit.widgets.edits import correct_box, set_aside
from redactkit.widgets.geometry import Region

WIDTH, HEIGHT, FRAMES = 640, 360, 40


def pictured(number: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), number * 6, np.uint8)


@pytest.fixture
def review() -> Review:
    rows = [(f, face, 100.0 * face, 50.0, 60.0, 80.0) for f in range(10) for face in (1, 2)]
    table = pd.DataFrame(rows, columns=["frame", "face_id", "x", "y", "width", "height"])
    table = table.assign(time=table["frame"] / 25, confidence=0.9, source="detected")
    video = VideoInfo(None, WIDTH, HEIGHT, Fraction(25), Fraction(1, 25), np.arange(FRAMES))
    return Review(Annotations(video, sort_detections(as_detections(table))), frames=pictured)


class Page:
    """What the browser would get, and a way to say what it would send."""

    def __init__(self, viewer: FrameViewer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.viewer, self.got = viewer, []
        monkeypatch.setattr(viewer.stage, "send", lambda told, buffers=(): self.got.append((told, list(buffers))))

    def send(self, **message: Any) -> None:
        self.viewer.stage._receive(self.viewer.stage, message)
        assert self.viewer.wait()

    def act(self, name: str, **more: Any) -> None:
        self.send(do="act", name=name, **{"frame": self.viewer.review.current_frame, **more})

    def last(self, what: str) -> tuple[dict[str, Any], list[bytes]]:
        assert self.viewer.wait()
        return [one for one in self.got if one[0]["what"] == what][-1]

    @property
    def note(self) -> str:
        return str(self.viewer.stage.note.get("text", ""))


@pytest.fixture
def viewer(review: Review) -> Iterator[FrameViewer]:
    made = FrameViewer(review)
    yield made
    made.close()


@pytest.fixture
def page(viewer: FrameViewer, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(viewer, monkeypatch)


def shown(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_viewer_of_no_video_and_no_face_shows_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    video = VideoInfo(None, 64, 48, Fraction(25), Fraction(1, 25), np.zeros(0, np.int64))
    viewer = FrameViewer(Review(Annotations(video, as_detections({}))))
    page = Page(viewer, monkeypatch)
    page.send(do="want", frames=[["original", 0]], width=64)
    told, buffers = page.last("picture")
    assert told["frame"] == 0
    assert shown(buffers[0]).mean() == pytest.approx(96, abs=2)
    page.send(do="boxes", frame=0)
    assert page.last("boxes")[1] == [b""] * 4
    viewer.play()
    viewer.pause()
    viewer.close()
    viewer.close()


def test_viewer_refuses_unknown_keyword_arguments(review: Review) -> None:
    with pytest.raises(TypeError, match="hight"):
        FrameViewer(review, hight=300)


def test_viewer_follows_code_and_code_sees_the_page(viewer: FrameViewer, review: Review) -> None:
    review.current_frame, review.current_face = 20, 2
    assert (viewer.stage.frame, viewer.stage.current) == (20, 2)
    viewer.stage.frame, viewer.stage.current = 7, 1
    assert (review.current_frame, review.current_face) == (7, 1)
    viewer.stage.current = None
    assert review.current_face is None


@pytest.mark.parametrize(("text", "frame"), [("0.4", 10), ("12", 12), ("00:00:00.800", 20), ("99", FRAMES - 1)])
def test_place_typed_goes_to_a_time_or_a_frame(page: Page, review: Review, text: str, frame: int) -> None:
    page.act("place", text=text)
    assert review.current_frame == frame


def test_time_that_is_none_is_told_and_nothing_moves(page: Page, review: Review) -> None:
    page.act("place", text="<b>soon</b>")
    assert review.current_frame == 0
    assert "<b>soon" in page.note


def test_pictures_asked_for_come_in_that_order_and_the_newest_request_counts(page: Page) -> None:
    page.send(do="want", frames=[["original", 5], ["original", 6]], width=320)
    pictures = [one for one in page.got if one[0]["what"] == "picture"]
    assert [told["frame"] for told, _ in pictures] == [5, 6]
    assert shown(pictures[0][1][0]).shape == (180, 320, 3)
    assert shown(pictures[0][1][0]).mean() == pytest.approx(30, abs=3)
    page.send(do="detail", look="original", frame=6, region=[0, 0, 64, 36], width=64)
    assert page.last("picture")[0]["region"] == Region(0, 0, 64, 36)


def test_picture_on_its_way_is_not_sent_again_unless_it_changed(page: Page, review: Review) -> None:
    for _ in range(2):
        page.send(do="want", frames=[["original", 5]], width=320)
    assert len([one for one in page.got if one[0]["what"] == "picture"]) == 1
    page.send(do="want", frames=[["original", 5]], width=640)
    assert len([one for one in page.got if one[0]["what"] == "picture"]) == 2


def test_boxes_around_the_frame_are_sent_as_numbers(page: Page, review: Review) -> None:
    review.set_keyframe(face_id=2, frame=9)
    told, (frames, faces, places, marks) = page.last("boxes")
    assert (told["start"], told["stop"]) == (0, FRAMES)
    assert np.frombuffer(frames, np.int32).tolist() == [frame for frame in range(10) for _ in (1, 2)]
    assert np.frombuffer(faces, np.int32).tolist() == [1, 2] * 10
    assert np.frombuffer(places, np.float32).reshape(-1, 4)[1].tolist() == [200, 50, 60, 80]
    assert np.frombuffer(marks, np.uint8).tolist() == [0] * 19 + [1]


def test_rows_that_do_not_say_where_the_face_is_are_not_sent(viewer: FrameViewer, review: Review) -> None:
    table = review.detections.copy()
    table.loc[0, "x"] = np.nan
    review.detections = table
    assert viewer.rows(0, 1).faces.tolist() == [2]


def test_drag_puts_the_box_and_its_neighbours_right_and_says_which(page: Page, review: Review) -> None:
    page.send(do="edit", frame=4, face=1, box=[120, 60, 60, 80], edit=3)
    assert [review.box_of(1, frame=frame) for frame in (0, 4, 9)] == [[120, 60, 60, 80]] * 3
    assert page.note == "applied to frames 0 to 9"
    assert page.last("boxes")[0]["edit"] == 3
    assert review.history == ("box of face 1 in frames 0 to 9",)
    page.act("only")
    assert [review.box_of(1, frame=frame)[0] for frame in (3, 4, 5)] == [100, 120, 100]
    assert review.history == ("box of face 1 in frame 4",)
    page.act("only")
    assert "no drag to take back" in page.note


def test_drag_fades_out_towards_keyframes(review: Review) -> None:
    review.set_keyframe(face_id=1, frame=0)
    correct_box(review, face_id=1, frame=4, box=[140, 50, 60, 80])
    assert [review.box_of(1, frame=frame)[0] for frame in range(6)] == pytest.approx([100, 110, 120, 130, 140, 140])
    applied = correct_box(review, face_id=2, frame=9, box=[200, 50, 120, 160])
    assert (applied.first, applied.last) == (0, 9)
    assert review.box_of(2, frame=0) == pytest.approx([200, 50, 120, 160])
    outside = correct_box(review, face_id=2, frame=20, box=[1, 1, 5, 5])
    assert (outside.first, outside.last) == (20, 20)


def test_impossible_box_is_told_and_changes_nothing(page: Page, review: Review) -> None:
    page.send(do="edit", frame=4, face=1, box=[float("nan"), 0, 5, 5], edit=1)
    assert review.history == ()
    assert page.note
    assert page.last("boxes")[0]["edit"] == 1


def test_drawn_box_is_a_new_face_that_is_redacted(page: Page, review: Review) -> None:
    page.send(do="edit", frame=4, face=0, box=[400, 200, 100, 100], edit=1)
    assert review.box_of(3, frame=4) == [400, 200, 100, 100]
    assert (review.selected_ids, review.current_face, page.viewer.stage.current) == ([1, 2, 3], 3, 3)


def test_bar_hides_names_splits_sets_aside_and_deletes(page: Page, review: Review) -> None:
    page.act("visible", face=1)
    assert review.selected_ids == [2]
    page.act("name", face=1, text=" Ana ")
    assert review.decisions.loc[1, "label"] == "Ana"
    page.act("split", face=1, frame=5)
    assert review.tracks.loc[3, "first_frame"] == 5
    page.act("delete", face=3, frame=9)
    assert review.box_of(3, frame=9) is None
    page.act("no-face", face=2)
    assert review.tracks.index.tolist() == [1, 3]
    assert set(review.discarded["face_id"]) == {2}
    for _ in range(5):
        page.act("undo")
    assert review.selected_ids == [1, 2]
    assert page.viewer.stage.history[0] == ""
    page.act("redo")
    assert page.viewer.stage.history[0] == "face 1 left visible"


def test_range_is_deleted_from_where_it_began_to_where_it_ends(page: Page, review: Review) -> None:
    page.act("delete-range", face=1, frame=6)
    assert "from frame 6 on" in page.note
    page.act("delete-range", face=1, frame=3)
    assert [review.box_of(1, frame=frame) is None for frame in range(2, 8)] == [False, True, True, True, True, False]
    assert page.note == "boxes deleted in frames 3 to 6"
    page.act("undo")
    assert review.box_of(1, frame=3) is not None


def test_range_is_forgotten_with_another_face_or_edit_or_by_cancel(page: Page, review: Review) -> None:
    page.act("delete-range", face=1, frame=3)
    page.act("delete-range", face=2, frame=6)
    page.act("visible", face=2)
    page.act("delete-range", face=2, frame=7)
    page.act("no-range", face=2)
    page.act("delete-range", face=2, frame=8)
    assert "from frame 8 on" in page.note
    assert review.history == ("face 2 left visible",)


def test_marked_faces_are_merged_with_the_chosen_one(page: Page, review: Review) -> None:
    page.act("merge", face=1)
    assert "needs two" in page.note
    page.act("mark", face=2)
    assert page.viewer.stage.marked == [2]
    page.act("merge", face=1)
    assert review.tracks.index.tolist() == [1]
    assert review.marked == ()


def test_faces_set_aside_again_replace_those_before(review: Review) -> None:
    set_aside(review, [1])
    review.restore_face(1)
    set_aside(review, [1])
    set_aside(review, [2])
    assert review.discarded.groupby("face_id").size().to_dict() == {1: 10, 2: 10}


@pytest.mark.parametrize(
    ("name", "frame"), [("edge-on", 9), ("edge-back", 0), ("empty-on", 10), ("face-on", 6), ("face-back", 4)]
)
def test_keys_go_to_frames(page: Page, review: Review, name: str, frame: int) -> None:
    review.current_face, review.current_frame = 1, 5
    page.act(name, face=1)
    assert review.current_frame == frame


def test_seeking_past_the_last_place_says_so(page: Page, review: Review) -> None:
    page.act("face-on", face=1, frame=30)
    assert page.note == "there is no such frame after this one"


def test_what_cannot_be_done_is_said(page: Page) -> None:
    for name in ("split", "keyframe", "visible", "no-face", "delete", "delete-range"):
        page.act(name, face=None)
        assert "no face is chosen" in page.note or "no face is current" in page.note
    page.act("split", face=77)
    assert "no face is chosen" in page.note
    page.act("new")
    assert page.note == ""


def test_page_is_told_of_every_action_and_of_labels_as_data(viewer: FrameViewer, review: Review) -> None:
    assert [one["name"] for one in viewer.stage.actions] == [action.name for action in ACTIONS]
    review.decide([1], redact=False, label='<img src=x onerror="alert(1)">')
    assert viewer.wait()
    assert viewer.stage.faces["1"] == {
        "redact": False,
        "label": '<img src=x onerror="alert(1)">',
        "kind": "face",
    }


def test_preview_and_both_are_looks_of_the_stage(viewer: FrameViewer) -> None:
    viewer.preview = True
    assert viewer.stage.look == "redacted"
    viewer.both = True
    assert (viewer.stage.look, viewer.preview) == ("both", False)
    viewer.stage.look = "original"
    assert (viewer.preview, viewer.both) == (False, False)
    viewer.zoom = True
    assert viewer.stage.zoom


def test_preview_without_a_video_says_so_and_shows_no_face(page: Page) -> None:
    page.send(do="want", frames=[["redacted", 0]], width=320)
    assert "needs the video" in page.note
    assert not [one for one in page.got if one[0]["what"] == "picture"]


def test_closed_viewer_is_told_to_blank_and_follows_no_more(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = FrameViewer(review)
    page = Page(viewer, monkeypatch)
    viewer.close()
    assert page.got[-1][0] == {"what": "blank"}
    review.decide([1], redact=False)
    review.current_frame = 9
    assert viewer.stage.frame == 0


def test_saved_state_of_the_widget_holds_no_picture(viewer: FrameViewer) -> None:
    state = viewer.stage.get_state()
    assert not any(isinstance(value, bytes) and len(value) for name, value in state.items())


def test_times_are_sent_only_where_the_rate_varies() -> None:
    ticks = np.cumsum([0] + [1, 3] * 10)
    for pts, sent in ((ticks, 21 * 8), (np.arange(21) + 5, 0)):
        video = VideoInfo(None, 64, 48, Fraction(25), Fraction(1, 25), pts)
        viewer = FrameViewer(Review(Annotations(video, as_detections({}))))
        assert len(viewer.stage.times) == sent
        assert viewer.stage.video["first"] == pytest.approx(pts[0] / 25)
        viewer.close()


def test_drawn_box_is_followed_at_once_and_what_was_done_is_said(short_clip: Path) -> None:
    review = Review.open(short_clip)
    viewer = FrameViewer(review)
    viewer.stage._receive(viewer.stage, {"do": "edit", "frame": 4, "face": 0, "box": [100, 60, 90, 110], "edit": 1})
    (job,) = viewer.runner.jobs
    assert job.over.wait(120)
    assert (job.state, job.error) == ("done", "")
    assert "followed in frames" in viewer.stage.note["text"] and "in doubt" in viewer.stage.note["text"]
    assert review.history[0] == "face 1 added in frame 4"
    review.delete_boxes(start=59)
    viewer.stage._receive(viewer.stage, {"do": "act", "name": "follow", "frame": 59, "face": 1})
    assert "no box to follow" in viewer.stage.note["text"]
    viewer.close()
    review.close()


def test_preview_is_what_redact_makes(
    short_clip: Path, short_truth: Annotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = Review.open(short_clip, short_truth)
    viewer = FrameViewer(review, width=640)
    page = Page(viewer, monkeypatch)

    def look_at(look: str) -> np.ndarray:
        page.send(do="want", frames=[[look, 20]], width=640)
        return shown(page.last("picture")[1][0]).astype(int)

    bare, hidden = look_at("original"), look_at("redacted")
    plan = make_plan(review.detections, review.video, faces=review.selected_ids, margin=review.margin)
    expected = Preview(review.reader, plan, kind="Med").rgb(20)[..., ::-1]
    assert np.abs(hidden - expected).mean() < 3
    assert np.abs(bare - expected).mean() > 2 * np.abs(hidden - expected).mean()
    review.current_frame = 20
    face = int(review.boxes_at()["face_id"].iloc[0])
    x, y, width, height = (int(value) for value in review.box_of(face))
    inside = (slice(max(y, 0), y + height), slice(max(x, 0), x + width))
    review.decide([face], redact=False)
    now = look_at("redacted")
    assert np.abs(now[inside] - bare[inside]).mean() < np.abs(hidden[inside] - bare[inside]).mean() / 3
    viewer.close()
    review.close()
