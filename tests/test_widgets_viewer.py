"""Tests of the frame viewer, by its traits and by handing it the events that a browser sends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
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
from redactkit.widgets import view as view_module
from redactkit.widgets.actions import ACTIONS, key_name

WIDTH, HEIGHT, FRAMES = 640, 360, 40
PAGE = (320, 180)


def pictured(number: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), number * 6, np.uint8)


@pytest.fixture
def review() -> Review:
    rows = [(f, face, 100.0 * face, 50.0, 60.0, 80.0) for f in range(10) for face in (1, 2)]
    table = pd.DataFrame(rows, columns=["frame", "face_id", "x", "y", "width", "height"])
    table = table.assign(time=table["frame"] / 25, confidence=0.9, source="detected")
    video = VideoInfo(None, WIDTH, HEIGHT, Fraction(25), Fraction(1, 25), np.arange(FRAMES))
    return Review(Annotations(video, sort_detections(as_detections(table))), frames=pictured)


@pytest.fixture
def viewer(review: Review) -> Iterator[FrameViewer]:
    made = FrameViewer(review)
    assert made.wait()
    yield made
    made.close()


def at(x: float, y: float, kind: str, **more: Any) -> dict[str, Any]:
    """An event as ipyevents sends it, at a point of the frame, on a page where the picture is 320 across."""
    place = {"relativeX": round(x / WIDTH * PAGE[0]), "relativeY": round(y / HEIGHT * PAGE[1])}
    size = {"boundingRectWidth": PAGE[0], "boundingRectHeight": PAGE[1]}
    return {"type": kind, "button": 0, "buttons": 1, **place, **size, **more}


def key(name: str, **held: bool) -> dict[str, Any]:
    return {"type": "keydown", "key": name, **held}


def drag(viewer: FrameViewer, start: tuple[float, float], end: tuple[float, float], **more: Any) -> None:
    viewer.pointer.handle(at(*start, "mousedown", **more))
    viewer.pointer.handle(at((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, "mousemove"))
    viewer.pointer.handle(at(*end, "mousemove"))
    viewer.pointer.handle(at(*end, "mouseup", buttons=0))


def shown(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_viewer_of_no_video_and_no_face_shows_grey() -> None:
    video = VideoInfo(None, 64, 48, Fraction(25), Fraction(1, 25), np.zeros(0, np.int64))
    viewer = FrameViewer(Review(Annotations(video, as_detections({}))))
    assert viewer.wait()
    assert shown(viewer.stage.picture.value).mean() == pytest.approx(96, abs=2)
    viewer.play()
    viewer.pause()
    viewer.close()


def test_viewer_refuses_unknown_keyword_arguments(review: Review) -> None:
    with pytest.raises(TypeError, match="hight"):
        FrameViewer(review, hight=300)


def test_viewer_follows_code_and_code_sees_the_viewer(viewer: FrameViewer, review: Review) -> None:
    review.current_frame = 20
    assert viewer.wait()
    assert viewer.shown_frame == viewer.slider.value == viewer.frame_box.value == 20
    assert viewer.time_box.value == "00:00:00.800"
    assert shown(viewer.stage.picture.value).mean() == pytest.approx(120, abs=3)
    viewer.slider.value = 7
    assert review.current_frame == 7
    viewer.time_box.value = "0.4"
    assert review.current_frame == 10
    viewer.frame_box.value = 3
    assert review.current_frame == 3


def test_time_that_is_none_is_told_and_nothing_moves(viewer: FrameViewer, review: Review) -> None:
    viewer.time_box.value = "<b>soon</b>"
    assert review.current_frame == 0
    assert "&lt;b&gt;soon" in viewer.message.value


def test_drag_moves_a_box_by_as_much_as_the_pointer(viewer: FrameViewer, review: Review) -> None:
    before = viewer.stage.picture.value
    drag(viewer, (130, 90), (230, 130))
    assert review.box_of(1, frame=0) == pytest.approx([200, 90, 60, 80], abs=2.1)
    assert review.current_face == 1
    assert viewer.wait()
    assert viewer.stage.picture.value == before


def test_box_moves_on_the_page_before_the_table_changes(viewer: FrameViewer, review: Review) -> None:
    viewer.pointer.handle(at(130, 90, "mousedown"))
    viewer.pointer.handle(at(230, 90, "mousemove"))
    assert 'x="200.00"' in viewer.stage.overlay.value
    assert review.history == ()


def test_handle_resizes_the_current_box(viewer: FrameViewer, review: Review) -> None:
    review.current_face = 1
    drag(viewer, (160, 130), (200, 150))
    assert review.box_of(1, frame=0) == pytest.approx([100, 50, 100, 100], abs=2.1)


def test_drag_on_empty_ground_draws_a_new_face_that_is_redacted(viewer: FrameViewer, review: Review) -> None:
    drag(viewer, (500, 300), (400, 200))
    assert review.box_of(3, frame=0) == pytest.approx([400, 200, 100, 100], abs=2.1)
    assert review.selected_ids == [1, 2, 3]
    assert review.current_face == 3


def test_click_picks_a_face_and_edits_nothing(viewer: FrameViewer, review: Review) -> None:
    drag(viewer, (230, 90), (230, 90))
    assert review.current_face == 2
    drag(viewer, (500, 300), (501, 300))
    assert review.history == ()


def test_shift_click_marks_faces_and_m_merges_them(viewer: FrameViewer, review: Review) -> None:
    for x in (130, 230):
        viewer.pointer.handle(at(x, 90, "mousedown", shiftKey=True))
    assert review.marked == (1, 2)
    viewer.pointer.handle(key("m"))
    assert review.tracks.index.tolist() == [1]
    assert review.marked == ()


@pytest.mark.parametrize("last", ["mouseleave", "late move"])
def test_drag_ends_where_the_button_was_let_go_unseen(viewer: FrameViewer, review: Review, last: str) -> None:
    viewer.pointer.handle(at(130, 90, "mousedown"))
    viewer.pointer.handle(at(180, 90, "mousemove"))
    event = at(600, 90, "mouseleave") if last == "mouseleave" else at(600, 90, "mousemove", buttons=0)
    viewer.pointer.handle(event)
    assert not viewer.pointer.dragging
    assert review.box_of(1, frame=0) == pytest.approx([150, 50, 60, 80], abs=2.1)
    viewer.pointer.handle(at(300, 90, "mousemove"))
    assert len(review.history) == 1


def test_other_mouse_buttons_do_nothing(viewer: FrameViewer, review: Review) -> None:
    drag(viewer, (130, 90), (230, 130), button=2)
    assert (review.history, review.current_face) == ((), None)


@pytest.mark.parametrize(
    ("event", "frame"),
    [
        (key("f"), 6),
        (key("d"), 4),
        (key("v"), 15),
        (key("c"), 0),
        (key("Home"), 0),
        (key("End"), FRAMES - 1),
        (key("]"), 9),
        (key(">", shiftKey=True), 10),
        (key("."), 6),
        (key(","), 4),
    ],
)
def test_keys_go_to_frames(viewer: FrameViewer, review: Review, event: dict[str, Any], frame: int) -> None:
    review.current_face, review.current_frame = 1, 5
    viewer.pointer.handle(event)
    assert review.current_frame == frame


def test_keys_edit_the_current_box_and_are_undone(viewer: FrameViewer, review: Review) -> None:
    start = review.detections
    viewer.pointer.handle(key("2"))
    assert review.current_face == 2
    viewer.pointer.handle(key("Tab"))
    assert review.current_face == 1
    viewer.pointer.handle(key("ArrowRight"))
    viewer.pointer.handle(key("ArrowDown", shiftKey=True))
    assert review.box_of() == [101, 60, 60, 80]
    viewer.pointer.handle(key("+", shiftKey=True))
    assert review.box_of() == pytest.approx([99.5, 58, 63, 84])
    viewer.pointer.handle(key("r"))
    assert review.selected_ids == [2]
    viewer.pointer.handle(key("Delete"))
    assert review.box_of() is None
    for _ in range(5):
        viewer.pointer.handle(key("z", ctrlKey=True))
    pd.testing.assert_frame_equal(review.detections, start)
    viewer.pointer.handle(key("Z", ctrlKey=True, shiftKey=True))
    assert review.history_position == 1


def test_key_that_cannot_act_says_why(viewer: FrameViewer) -> None:
    viewer.guard(viewer.pointer.handle)(key("s"))
    assert viewer.message.layout.display == ""
    viewer.buttons["keyframe"].click()
    assert "no face is current" in viewer.message.value
    viewer.buttons["forward"].click()
    assert viewer.message.layout.display == "none"


def test_every_action_has_a_button_that_does_the_same(viewer: FrameViewer, review: Review) -> None:
    review.current_face, review.current_frame = 1, 5
    viewer.buttons["split"].click()
    assert review.current_face == 3
    viewer.buttons["undo"].click()
    assert review.tracks.index.tolist() == [1, 2]
    assert set(viewer.buttons) == {action.name for action in ACTIONS}


def test_every_key_is_named_by_a_button_in_the_page(viewer: FrameViewer) -> None:
    shown = {part for line in viewer.children for part in getattr(line, "children", ())}
    for action in ACTIONS:
        assert viewer.buttons[action.name] in shown
        for name in map(key_name, action.keys):
            assert name in viewer.buttons[action.name].tooltip


def test_arrows_move_the_box_by_key_and_by_button(viewer: FrameViewer, review: Review) -> None:
    review.current_face = 1
    viewer.pointer.handle(key("ArrowLeft"))
    viewer.pointer.handle(key("ArrowDown", shiftKey=True))
    assert review.box_of(1) == [99, 60, 60, 80]
    for name in ("right", "up"):
        viewer.buttons[name].click()
    assert review.box_of(1) == [100, 59, 60, 80]


def test_play_shows_frames_until_paused(viewer: FrameViewer, review: Review) -> None:
    viewer.speed = 2.0
    viewer.toggle_play()
    assert viewer.buttons["play"].icon == "pause"
    end = time.monotonic() + 10
    while review.current_frame < 5 and time.monotonic() < end:
        time.sleep(0.01)
    viewer.pause()
    assert review.current_frame >= 5
    assert viewer.wait()
    assert viewer.shown_frame == review.current_frame
    assert viewer.buttons["play"].icon == "play"


def test_playing_stops_when_a_box_is_taken(viewer: FrameViewer) -> None:
    viewer.play()
    viewer.pointer.handle(at(500, 300, "mousedown"))
    assert not viewer.player.playing
    viewer.pointer.handle(at(500, 300, "mouseup"))


def test_zoom_shows_the_face_larger_and_maps_the_pointer(viewer: FrameViewer, review: Review) -> None:
    review.current_face = 1
    viewer.zoom = True
    assert viewer.wait()
    region = viewer.region
    assert region.height == pytest.approx(240)
    middle = {"relativeX": 97, "relativeY": 67}
    viewer.pointer.handle(at(0, 0, "mousedown") | middle)
    viewer.pointer.handle(at(0, 0, "mouseup") | middle | {"relativeX": 107})
    assert review.box_of(1, frame=0)[0] == pytest.approx(100 + 10 / 320 * region.width, abs=0.1)


def test_preview_without_a_video_says_so_and_shows_no_face(viewer: FrameViewer) -> None:
    viewer.preview = True
    assert viewer.wait()
    assert "needs the video" in viewer.message.value
    assert shown(viewer.stage.picture.value).shape[1] == 64


def test_label_is_text_in_the_page(viewer: FrameViewer, review: Review) -> None:
    review.decide([1], label='<img src=x onerror="alert(1)">')
    assert viewer.wait()
    assert "<img" not in viewer.stage.overlay.value
    assert "&lt;img" in viewer.stage.overlay.value


def test_closed_viewer_holds_no_picture_and_follows_no_more(review: Review) -> None:
    viewer = FrameViewer(review)
    assert viewer.wait()
    picture = viewer.stage.picture
    viewer.play()
    viewer.close()
    viewer.close()
    assert picture.value == b""
    assert not viewer.player.playing
    review.decide([1], redact=False)
    review.current_frame = 9
    assert picture.value == b""


def test_without_ipyevents_the_buttons_work_and_the_page_says_what_is_off(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[[str], Any] = view_module.find_spec
    monkeypatch.setattr(view_module, "find_spec", lambda name: None if name == "ipyevents" else real(name))
    viewer = FrameViewer(review)
    texts = [child.value for child in viewer.children if "rk-hint" in child._dom_classes]
    assert "Mouse and keys on the picture are off" in texts[0]
    viewer.buttons["forward10"].click()
    assert review.current_frame == 10
    viewer.buttons["new"].click()
    assert review.box_of(3, frame=10) == [275, 135, 90, 90]
    viewer.close()


def test_preview_is_what_redact_makes(short_clip: Path, short_truth: Annotations) -> None:
    review = Review.open(short_clip, short_truth)
    viewer = FrameViewer(review, width=640)
    review.current_frame = 20
    viewer.both = True
    assert viewer.wait()
    bare, hidden = shown(viewer.stage.picture.value), shown(viewer.second.picture.value)
    plan = make_plan(review.detections, review.video, faces=review.selected_ids, margin=review.margin)
    expected = Preview(review.reader, plan, kind="Med").rgb(20)[..., ::-1]
    assert np.abs(hidden.astype(int) - expected).mean() < 3
    assert np.abs(bare.astype(int) - expected).mean() > 2 * np.abs(hidden.astype(int) - expected).mean()
    face = int(review.boxes_at()["face_id"].iloc[0])
    x, y, width, height = (int(value) for value in review.box_of(face))
    inside = (slice(max(y, 0), y + height), slice(max(x, 0), x + width))
    review.decide([face], redact=False)
    assert viewer.wait()
    now = shown(viewer.second.picture.value)
    assert (
        np.abs(now[inside].astype(int) - bare[inside]).mean()
        < np.abs(hidden[inside].astype(int) - bare[inside]).mean() / 3
    )
    viewer.close()
    review.close()
