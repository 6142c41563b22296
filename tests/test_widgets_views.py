"""Tests of the face grid, track table, timeline, box editor and ID list, without a browser."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import pytest

import redactkit
from redactkit.annotations import Annotations
from redactkit.media import VideoInfo
from redactkit.review import Review
from redactkit.tables import as_detections, empty_detections, sort_detections
from redactkit.widgets import BoxEditor, FaceGrid, FrameViewer, IdList, Timeline, TrackTable, Workbench
from redactkit.widgets.faces import SORTS, filter_tracks, order_tracks

FRAMES = 100
EVIL = '"><script>alert(1)</script>'


def detections(*faces: tuple[int, int, int, float]) -> pd.DataFrame:
    rows = [(f, face, 10.0 * face, 8.0, size, size) for face, a, b, size in faces for f in range(a, b)]
    table = pd.DataFrame(rows, columns=["frame", "face_id", "x", "y", "width", "height"])
    table = table.assign(time=table["frame"] / 25, confidence=table["face_id"] / 10, source="detected")
    return sort_detections(as_detections(table))


def make(*faces: tuple[int, int, int, float], **more: Any) -> Review:
    video = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), np.arange(FRAMES))
    base = Annotations(video, detections(*faces) if faces else empty_detections(), **more)
    return Review(base, frames=lambda number: np.full((360, 640, 3), number, np.uint8))


@pytest.fixture
def review() -> Review:
    aside = detections((9, 60, 63, 12.0))
    return make((1, 20, 40, 30.0), (2, 0, 90, 20.0), (3, 50, 52, 80.0), discarded=aside)


@pytest.fixture
def grid(review: Review) -> Iterator[FaceGrid]:
    made = FaceGrid(review)
    yield made
    made.close()


def click(css: str, **held: bool) -> dict[str, Any]:
    return {"type": "click", "target": {"className": css}, **held}


@pytest.mark.parametrize("view", [FrameViewer, FaceGrid, TrackTable, Timeline, BoxEditor, IdList, Workbench])
def test_each_view_works_alone_without_a_face_and_refuses_unknown_options(view: Any) -> None:
    made = view(make())
    assert made.wait()
    made.close()
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        view(make(), colour="red")


def test_all_faces_are_ticked_at_the_start(grid: FaceGrid, review: Review) -> None:
    assert grid.listed == review.selected_ids == [1, 2, 3]
    assert all(f".rk-t{face}::before" in grid._states.value for face in (1, 2, 3))


def test_click_on_a_thumbnail_goes_to_the_first_appearance(grid: FaceGrid, review: Review) -> None:
    grid.on_click(click("rk-cell rk-f3"))
    assert (review.current_face, review.current_frame) == (3, 50)


def test_click_on_a_tick_leaves_the_face_visible_and_back(grid: FaceGrid, review: Review) -> None:
    grid.on_click(click("rk-tick rk-t2"))
    assert review.ids == "1\n3\n"
    assert grid.wait()
    assert ".rk-t2::before" not in grid._states.value
    grid.on_click(click("rk-tick rk-t2"))
    assert review.selected_ids == [1, 2, 3]


def test_click_beside_every_face_does_nothing(grid: FaceGrid, review: Review) -> None:
    for event in (click("rk-cells"), {"type": "click"}, click("rk-fx"), {"type": "click", "target": {"className": {}}}):
        grid.on_click(event)
    assert (review.history, review.current_face) == ((), None)


@pytest.mark.parametrize("held", ["shiftKey", "ctrlKey", "metaKey"])
def test_marked_faces_are_offered_for_a_merge(grid: FaceGrid, review: Review, held: str) -> None:
    assert grid.merge_button.disabled
    for face in (1, 3):
        grid.on_click(click(f"rk-cell rk-f{face}", **{held: True}))
    assert grid.wait()
    assert (grid.merge_button.description, grid.merge_button.disabled) == ("Merge 2", False)
    grid.merge_button.click()
    assert review.tracks.index.tolist() == [1, 2]
    assert review.current_face == 1


def test_all_none_and_invert_act_on_what_the_filter_shows(grid: FaceGrid, review: Review) -> None:
    grid.select_none()
    assert review.ids == ""
    review.decide([2], label="Ana")
    grid.filter = "ana"
    assert grid.wait()
    assert grid.listed == [2]
    grid.select_all()
    assert review.selected_ids == [2]
    grid.filter = ""
    assert grid.wait()
    grid.invert()
    assert review.selected_ids == [1, 3]


def test_faces_set_aside_are_shown_and_brought_back(grid: FaceGrid, review: Review) -> None:
    grid.shown = "set aside"
    assert grid.wait()
    assert grid.listed == [9]
    grid.on_click(click("rk-cell rk-f9"))
    assert review.current_frame == 60
    grid.select_none()
    assert review.selected_ids == [1, 2, 3]
    grid.on_click(click("rk-tick rk-t9"))
    assert review.selected_ids == [1, 2, 3, 9]


@pytest.mark.parametrize(
    ("by", "expected"),
    [("id", [1, 2, 3]), ("time", [2, 1, 3]), ("duration", [2, 1, 3]), ("size", [3, 1, 2]), ("risk", [3, 1, 2])],
)
def test_faces_are_sorted(review: Review, by: str, expected: list[int]) -> None:
    assert by in SORTS.values()
    queue = review.to_review()
    assert set(queue["face_id"]) >= {1, 3}
    assert order_tracks(review.tracks, by, queue=queue).index.tolist() == expected


def test_filter_takes_text_as_it_is(review: Review) -> None:
    review.decide([1], label="A.*")
    assert filter_tracks(review.tracks, ".*").index.tolist() == [1]
    assert filter_tracks(review.tracks, "0003").index.tolist() == [3]
    assert filter_tracks(make().tracks, "x").empty


def test_grid_of_many_faces_is_paged_and_quick() -> None:
    many = make(*((face, face % 90, face % 90 + 3, 20.0) for face in range(1, 501)))
    begun = time.monotonic()
    grid = FaceGrid(many)
    assert time.monotonic() - begun < 2
    assert grid.grid.value.count('class="rk-cell ') == 50
    grid._turn(1)
    assert grid.wait()
    assert "rk-f51" in grid.grid.value
    grid._turn(100)
    assert grid.wait()
    assert "rk-f500" in grid.grid.value
    grid.close()


def test_thumbnails_come_from_the_frames_and_stay_while_ticks_change(grid: FaceGrid, review: Review) -> None:
    assert grid.wait()
    assert grid.wait()
    before = grid.grid.value
    assert before.count("data:image/jpeg;base64,") == 3
    review.decide([1], redact=False)
    assert grid.wait()
    assert grid.grid.value == before


@pytest.fixture
def table(review: Review) -> Iterator[TrackTable]:
    made = TrackTable(review)
    yield made
    made.close()


def test_table_sorts_by_a_heading_and_reverses(table: TrackTable) -> None:
    assert "0001" in table.table.value
    order = [table.table.value.index(f"rk-r{face}") for face in (1, 2, 3)]
    assert order == sorted(order)
    table.on_click(click("rk-h-frames"))
    assert table.wait()
    assert table.table.value.index("rk-r3") < table.table.value.index("rk-r1") < table.table.value.index("rk-r2")
    table.on_click(click("rk-h-frames"))
    assert table.wait()
    assert table.table.value.index("rk-r2") < table.table.value.index("rk-r1")
    table.on_click(click("rk-h-nothing"))
    assert table.sort == "frames"


def test_table_row_goes_to_the_face_and_its_tick_decides(table: TrackTable, review: Review) -> None:
    table.on_click(click("rk-r3 rk-left"))
    assert (review.current_face, review.current_frame) == (3, 50)
    table.on_click(click("rk-t3 rk-r3"))
    assert review.selected_ids == [1, 2]


def test_form_edits_the_current_face_and_follows_it(table: TrackTable, review: Review) -> None:
    assert table.label_box.disabled
    review.current_face = 2
    assert table.wait()
    table.label_box.value = "Ana"
    table.reason_box.value = "consented"
    table.redact_box.value = False
    decision = review.decisions.loc[2]
    assert (decision["redact"], decision["label"], decision["reason"]) == (False, "Ana", "consented")
    table.face_box.value = 3
    assert (review.current_face, review.current_frame) == (3, 50)
    assert table.wait()
    assert (table.label_box.value, table.redact_box.value) == ("", True)
    assert len(review.history) == 3


def test_timeline_shows_every_face_and_a_click_goes_there(review: Review) -> None:
    timeline = Timeline(review)
    size = {"boundingRectWidth": 1000, "boundingRectHeight": 60}
    assert timeline.bars.value.count("rk-bar-hide") == 1
    middle = (timeline._lanes[1] + 0.5) / timeline._high * 60
    timeline.on_mouse({"type": "mousedown", "relativeX": 300, "relativeY": middle, **size})
    assert (review.current_frame, review.current_face) == (30, 1)
    timeline.on_mouse({"type": "mousemove", "buttons": 0, "relativeX": 900, "relativeY": 5, **size})
    assert review.current_frame == 30
    timeline.on_mouse({"type": "mousemove", "buttons": 1, "relativeX": 900, "relativeY": 5, **size})
    assert review.current_frame == 90
    review.decide([2], redact=False)
    assert timeline.wait()
    assert "rk-bar-show" in timeline.bars.value
    timeline.close()


def test_timeline_zooms_to_the_pointer_moves_along_and_follows_the_frame(review: Review) -> None:
    timeline, count = Timeline(review), review.frame_count
    wheel = {"relativeX": 250, "boundingRectWidth": 1000}
    timeline.on_wheel({"deltaY": -400, **wheel})
    first, stop = timeline.window
    assert stop - first < count / 2
    assert first + (stop - first) / 4 == pytest.approx(count / 4)
    timeline.on_wheel({"deltaY": 9000, "shiftKey": True, **wheel})
    assert timeline.window == (count - (stop - first), count)
    assert timeline.wait()
    assert "border:2px" in timeline.whole.value
    review.current_frame = 5
    assert timeline.window[0] == 0
    timeline.on_mouse({**wheel, "type": "mousedown", "relativeX": 900, "relativeY": 2}, part=timeline.whole)
    assert review.current_frame == int(0.9 * count)
    for _ in range(4):
        timeline.on_wheel({"deltaY": 500, **wheel})
    assert timeline.window == (0, count)
    timeline.close()


def test_lane_of_the_current_face_has_its_name_keyframes_gaps_and_doubts(review: Review) -> None:
    timeline = Timeline(review)
    assert "click a face" in timeline.lane.value
    review.decide([1], label="<i>Ana")
    review.current_face = 1
    review.set_keyframe(frame=int(review.tracks.loc[1, "first_frame"]))
    first, last = review.tracks.loc[1, ["first_frame", "last_frame"]]
    assert timeline.wait()
    assert "&lt;i&gt;Ana, hidden" in timeline.lane.value
    assert timeline.lane.value.count("rotate(45deg)") == 1
    assert "90deg,var(--rk-faint)" not in timeline.lane.value
    assert timeline.lane.value.count("90deg,#fff") == 1  # its doubtful stretch
    review.delete_boxes(faces=[1], start=int(first) + 3, stop=int(last) - 3)
    assert timeline.wait()
    assert timeline.lane.value.count("var(--rk-hide)") == 2
    assert timeline.lane.value.count("90deg,var(--rk-faint)") == 1
    timeline.close()


def test_timeline_of_500_faces_is_quick() -> None:
    many = make(*((face, face % 90, face % 90 + 9, 20.0) for face in range(1, 501)))
    timeline = Timeline(many)
    begun = time.monotonic()
    timeline.refresh()
    assert time.monotonic() - begun < 0.5
    assert len(timeline.bars.value) < 200_000
    timeline.close()


@pytest.fixture
def editor(review: Review) -> Iterator[BoxEditor]:
    review.go_to_face(1)
    made = BoxEditor(review)
    yield made
    made.close()


def test_numbers_show_and_change_the_current_box(editor: BoxEditor, review: Review) -> None:
    assert [box.value for box in editor.numbers.values()] == [10, 8, 30, 30]
    editor.numbers["x"].value = 55
    assert review.box_of(1, frame=20) == [55, 8, 30, 30]
    assert review.box_of(1, frame=21) == [10, 8, 30, 30]
    editor.unit.value = "% of frame"
    assert editor.wait()
    assert editor.numbers["x"].value == pytest.approx(8.59)
    editor.numbers["width"].value = 10
    assert review.box_of(1, frame=20) == [55, 8, 64, 30]


def test_change_goes_to_the_frames_of_the_scope(editor: BoxEditor, review: Review) -> None:
    editor.scope.value, editor.start.value, editor.end.value = "frames", 25, 29
    editor.numbers["y"].value = 18
    changed = review.detections.query("face_id == 1 and y == 18")["frame"].tolist()
    assert changed == list(range(25, 30))
    editor.scope.value = "whole track"
    editor.numbers["height"].value = 40
    assert set(review.detections.query("face_id == 1")["height"]) == {40}
    assert len(review.history) == 2


def test_range_that_ends_before_it_starts_is_told(editor: BoxEditor, review: Review) -> None:
    editor.scope.value, editor.start.value, editor.end.value = "frames", 30, 29
    editor.numbers["y"].value = 18
    assert "before it starts" in editor.message.value
    assert review.history == ()


def test_editor_grows_copies_deletes_and_travels(editor: BoxEditor, review: Review) -> None:
    start = review.detections
    editor.grow()
    assert review.box_of(1, frame=20) == [7, 5, 36, 36]
    editor.all_faces.value, editor.scope.value = True, "whole track"
    editor.amount_unit.value, editor.amount.value = "pixels", 1
    editor.grow()
    assert review.box_of(2, frame=0) == [19, 7, 22, 22]
    review.current_frame = 39
    editor._copy()
    assert review.tracks.loc[1, "last_frame"] == 49
    editor.all_faces.value, editor.scope.value = False, "this frame"
    editor.delete()
    assert review.box_of(1, frame=39) is None
    assert editor.wait()
    assert len(editor.history.options) == 5
    editor.history.value = 0
    pd.testing.assert_frame_equal(review.detections, start)
    editor.history.value = 4
    assert review.history_position == 4


def test_editor_interpolates_between_edited_frames(editor: BoxEditor, review: Review) -> None:
    for frame, x in ((20, 0.0), (30, 100.0)):
        review.current_frame = frame
        assert editor.wait()
        editor.numbers["x"].value = x
    editor.interpolate()
    assert review.box_of(1, frame=25)[0] == pytest.approx(50)


def test_id_list_is_the_file_and_follows(review: Review, tmp_path: Path) -> None:
    ids = IdList(review)
    review.decide([2], redact=False)
    assert ids.wait()
    assert ids.text.value == "1\n3\n"
    ids.path.value = str(tmp_path / "list.txt")
    ids.save()
    assert (tmp_path / "list.txt").read_text() == "1\n3\n"
    (tmp_path / "list.txt").write_text("2\r\n")
    ids.load()
    assert review.selected_ids == [2]
    (tmp_path / "list.txt").write_text("7")
    ids.guard(ids.load)()
    assert "7" in ids.message.value
    review.decide([2], redact=False)
    assert ids.wait()
    assert "blank list would mean every face" in ids.note.value
    ids.close()


def all_html(widget: Any) -> Iterator[str]:
    if isinstance(widget, ipywidgets.HTML):
        yield widget.value
    for child in getattr(widget, "children", ()):
        yield from all_html(child)


def test_labels_and_names_are_text_in_every_view(review: Review) -> None:
    room = Workbench(review)
    review.decide([1, 2, 3], label=EVIL, reason=EVIL)
    review.go_to_face(1)
    for _ in range(2):
        for view in (room, room.viewer, room.faces, room.tracks, room.editor, room.ids, room.timeline):
            assert view.wait()
    views = (room, room.faces, room.tracks, room.editor, room.ids)
    pages = "".join(text for view in views for text in all_html(view))
    assert "<script>alert" not in pages
    assert pages.count("&lt;script&gt;alert") >= 6
    room.close()


def test_what_is_drawn_while_a_view_closes_is_blanked(review: Review) -> None:
    faces = FaceGrid(review)
    assert faces.wait() and faces.grid.value
    drawing, closed = threading.Event(), threading.Event()

    def draw() -> None:
        drawing.set()
        assert closed.wait(10)
        faces.grid.value = "a face"

    worker = faces.worker(draw)
    worker.submit()
    assert drawing.wait(10)
    faces.close()
    closed.set()
    assert worker.wait()
    assert faces.grid.value == ""


def test_second_workbench_closes_the_first_and_close_blanks_all(review: Review) -> None:
    first = Workbench(review)
    assert first.viewer.wait() and first.faces.wait()
    grid = first.faces.grid
    second = Workbench(review)
    assert grid.value == ""
    second.close()
    assert not review._trait_notifiers.get("revision", {}).get("change")


def test_view_follows_code_in_another_cell_and_code_sees_the_mouse(review: Review) -> None:
    room = Workbench(review)
    review.merge_faces([1, 2])
    assert room.faces.wait()
    assert room.tracks.wait()
    assert room.faces.listed == [1, 3]
    assert "rk-r2" not in room.tracks.table.value
    room.faces.on_click(click("rk-tick rk-t1"))
    assert review.annotations.selected_ids == [3]
    room.close()


def test_style_of_a_report_in_the_same_page_is_of_no_class_that_a_widget_has() -> None:
    package = Path(redactkit.__file__).parent
    pages = "".join((package / part / "page.py").read_text("utf-8") for part in ("verification", "inspection"))
    theirs = set(re.findall(r"\.(rk-[a-z-]+)", pages))
    assert theirs
    files = [*(package / "widgets").glob("*.py"), *(package / "widgets" / "static").iterdir()]
    ours = {name for file in files for name in re.findall(r"rk-[a-z-]+", file.read_text("utf-8"))}
    assert theirs & ours == set()
