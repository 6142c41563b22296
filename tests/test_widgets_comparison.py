"""Tests of the comparison's viewer, by its traits and by handing it the events that a browser sends."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import MismatchError, OptionError
from redactkit.formats import read_annotations
from redactkit.inspection.comparison import compare
from redactkit.media import VideoInfo
from redactkit.tables import as_detections
from redactkit.widgets import CompareViewer
from redactkit.widgets import view as view_module
from redactkit.widgets.comparison import BOX_MARKS, boxes_between

WIDTH, HEIGHT, FRAMES = 640, 360, 40


def make_annotations(*rows, width=WIDTH, height=HEIGHT, start=0.0):
    """Rows are (frame, face, x); every box is 60 x 80 at y = 50."""
    ticks = np.round((np.arange(FRAMES) / 25 + start) * 12800).astype(np.int64)
    video = VideoInfo(None, width, height, Fraction(25), Fraction(1, 12800), ticks)
    frames = np.array([row[0] for row in rows], np.int64)
    table = {
        "frame": frames,
        "time": video.times[frames],
        "face_id": [row[1] for row in rows],
        "x": np.array([row[2] for row in rows], np.float64),
    }
    sides = {name: np.full(len(rows), value) for name, value in (("y", 50.0), ("width", 60.0), ("height", 80.0))}
    return Annotations(video, as_detections(table | sides))


@pytest.fixture
def truth():
    return make_annotations(*((frame, 1, 100.0) for frame in range(10)), (20, 2, 300.0))


@pytest.fixture
def found():
    return make_annotations(*((frame, 7, 104.0) for frame in range(10)), (5, 8, 500.0), (20, 9, 30.0))


@pytest.fixture
def viewer(truth, found):
    made = CompareViewer(truth, found)
    assert made.wait()
    yield made
    made.close()


def ground(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)


def test_viewer_of_nothing_and_nothing_shows_grey_in_the_frames_size():
    viewer = CompareViewer(make_annotations(), make_annotations())
    assert viewer.wait()
    picture = ground(viewer.picture("original", 0, None, width=WIDTH))
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert picture.mean() == pytest.approx(96, abs=2)
    assert "no frame differs" in viewer.table.value
    for name in ("differ-on", "differ-back", "worse", "milder"):
        viewer.buttons[name].click()
        assert "no frame differs" in viewer.stage.note["text"]
    viewer.close()


def test_boxes_are_matched_missed_and_extra(truth, found):
    comparison = compare(truth, found)
    kinds = {}
    for frame in (0, 5, 20, 30):
        rows = boxes_between(comparison, frame, frame + 1)
        kinds[frame] = [(BOX_MARKS[mark], face) for mark, face in zip(rows.marks, rows.faces.tolist(), strict=True)]
    assert kinds == {
        0: [("a", 1), ("b", 7)],
        5: [("a", 1), ("b", 7), ("extra", 8)],
        20: [("missed", 2), ("extra", 9)],
        30: [],
    }


def test_boxes_of_a_stretch_are_sorted_by_frame_and_the_frame_shown_is_counted(viewer):
    rows = viewer.rows(0, 40)
    assert rows.frames.tolist() == sorted(rows.frames.tolist())
    assert rows.places.shape == (len(rows.frames), 4)
    assert (len(rows.frames), rows.places[0].tolist()) == (23, [100, 50, 60, 80])
    viewer.go_to(20)
    assert viewer.wait()
    assert "matched 0, missed 1, extra 1" in viewer.here.value


def test_legend_says_names_and_counts_as_text(truth, found):
    viewer = CompareViewer(truth, found, names=("<b>truth", "ours"))
    for told in ("&lt;b&gt;truth, 11 boxes", "ours, 12 boxes", "missed: only in &lt;b&gt;truth, 1", "10 matched"):
        assert told in viewer.legend.value
    viewer.close()


def test_files_are_called_by_their_names(truth, found, tmp_path):
    paths = [one.to("azure", tmp_path / f"{name}.json") for one, name in ((truth, "before"), (found, "after"))]
    viewer = CompareViewer(*paths)
    assert viewer.names == ("before", "after")
    viewer.close()


def test_buttons_and_keys_go_to_frames_that_differ(viewer):
    for expected in (5, 20):
        viewer.buttons["differ-on"].click()
        assert viewer.review.current_frame == expected
    viewer.buttons["differ-on"].click()
    assert "no frame differs after this one" in viewer.stage.note["text"]
    viewer.stage._receive(viewer.stage, {"do": "act", "name": "differ-back", "frame": 20})
    assert viewer.review.current_frame == 5
    assert viewer.stage.note == {}


def test_without_missed_or_extra_boxes_moved_ones_differ(truth):
    moved = make_annotations(*((frame, 1, 100.0 + 10 * (frame == 4)) for frame in range(10)), (20, 2, 300.0))
    viewer = CompareViewer(truth, moved)
    viewer.differ()
    assert viewer.review.current_frame == 4
    viewer.close()


def test_table_of_worst_frames_is_walked_by_click_and_by_button(viewer):
    assert viewer.comparison.worst_frames["frame"].tolist()[:3] == [20, 5, 0]
    viewer.buttons["milder"].click()
    assert viewer.review.current_frame == 20
    viewer.on_click({"target": {"className": "rk-w0"}})
    assert viewer.review.current_frame == 0
    viewer.buttons["worse"].click()
    assert viewer.review.current_frame == 5
    viewer.on_click({"target": {"className": "elsewhere"}})
    assert viewer.review.current_frame == 5


def test_frames_of_a_comparison_are_shown_by_their_time(sample_media):
    truth = read_annotations(sample_media / "sample_truth_annotations.json")
    viewer = CompareViewer(compare(truth, truth), video=sample_media / "sample.mp4")
    viewer.go_to(300)
    assert viewer.wait()
    shown = viewer.review.picture(300)
    assert np.array_equal(shown, viewer.review.reader.frame_at(300).rgb())
    viewer.close()
    assert viewer.review.reader is None


def test_video_of_another_time_is_refused(sample_media):
    late = make_annotations((3, 1, 100.0), start=500.0)
    with pytest.raises(MismatchError):
        CompareViewer(late, late, video=sample_media / "sample.mp4")


def test_size_that_no_file_tells_is_that_of_the_boxes(truth, found):
    unsized = [one.replace(video=make_annotations(width=0, height=0).video) for one in (truth, found)]
    viewer = CompareViewer(*unsized)
    assert (viewer.stage.video["width"], viewer.stage.video["height"]) == (560, 130)
    viewer.close()


@pytest.mark.parametrize("given", [("comparison", "found"), ("truth",)])
def test_what_is_not_two_sets_is_refused(truth, found, given):
    sets = {"truth": truth, "found": found, "comparison": compare(truth, found)}
    with pytest.raises(OptionError, match="comparison"):
        CompareViewer(*(sets[name] for name in given))


def test_without_ipyevents_the_buttons_do_it_all(monkeypatch, truth, found):
    monkeypatch.setattr(view_module, "find_spec", lambda name: None)
    viewer = CompareViewer(truth, found)
    viewer.buttons["differ-on"].click()
    assert viewer.review.current_frame == 5
    viewer.close()


def test_each_action_of_the_kernel_has_a_button_that_names_its_keys(viewer):
    for action in viewer.actions:
        if action.act is not None:
            for key in action.keys:
                assert key in viewer.buttons[action.name].tooltip
