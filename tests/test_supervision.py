"""Annotations go to supervision's Detections and back, and no box is lost on the way."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError
from redactkit.formats import from_supervision, to_supervision
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_decisions, as_detections, empty_detections

VIDEO = VideoInfo(None, 200, 100, Fraction(25), Fraction(1, 25), range(6), name="lobby.mp4")


def _annotations() -> Annotations:
    rows = {"frame": [0, 0, 2, 5], "face_id": [1, 4, 4, 1], "x": [10, 90, 92, 12.5], "y": 5, "width": 20, "height": 25}
    table = as_detections({**rows, "confidence": [0.9, 0.5, np.nan, 0.7], "source": "detected"})
    return Annotations(VIDEO, table, as_decisions({4: {"redact": False, "label": "guard"}}))


def test_empty_annotations_give_an_empty_one_for_each_frame():
    pytest.importorskip("supervision")
    held = Annotations(VIDEO, empty_detections()).to_supervision()
    assert [len(one) for one in held] == [0] * 6
    assert from_supervision(held, video=VIDEO).detections.empty


def test_a_frame_has_corners_ids_confidence_and_decisions():
    sv = pytest.importorskip("supervision")
    held = to_supervision(_annotations(), frame=0)
    assert isinstance(held, sv.Detections)
    assert held.xyxy.tolist() == [[10, 5, 30, 30], [90, 5, 110, 30]]
    assert held.tracker_id.tolist() == [1, 4]
    assert held.confidence.tolist() == [0.9, 0.5]
    assert held.data["redact"].tolist() == [True, False]
    assert held[held.data["redact"]].tracker_id.tolist() == [1]


def test_all_frames_come_back_with_boxes_ids_and_decisions():
    pytest.importorskip("supervision")
    given = _annotations()
    back = from_supervision(given.to_supervision(), video=VIDEO)
    columns = ["frame", "face_id", *BOX, "confidence"]
    np.testing.assert_array_equal(back.detections[columns].to_numpy(), given.detections[columns].to_numpy())
    assert back.detections["time"].tolist() == [0, 0, 2 / 25, 5 / 25]
    assert back.selected_ids == [1]


def test_labels_are_class_names_and_numbered_with_faces_first():
    pytest.importorskip("supervision")
    given = _annotations()
    labelled = given.replace(detections=given.detections.assign(label=["", "car", "car", "face"]))
    held = labelled.to_supervision()
    assert held[0].data["class_name"].tolist() == ["face", "car"]
    assert held[0].class_id.tolist() == [0, 1]
    assert held[5].class_id.tolist() == [0]
    assert from_supervision(held, video=VIDEO).detections["label"].tolist() == ["face", "car", "car", "face"]


def test_detections_can_be_drawn_by_supervision():
    sv = pytest.importorskip("supervision")
    picture = np.zeros((100, 200, 3), np.uint8)
    drawn = sv.BoxAnnotator().annotate(picture.copy(), _annotations().to_supervision(frame=0))
    assert drawn.any()


def test_boxes_that_no_tracker_follows_are_linked_and_redacted():
    sv = pytest.importorskip("supervision")
    frames = [
        sv.Detections(xyxy=np.array([[10, 5, 30, 30], [90 + step, 5, 110 + step, 30]]), tracker_id=np.array([3, -1]))
        for step in range(4)
    ]
    back = from_supervision(frames, video=VIDEO)
    assert back.detections["face_id"].tolist() == [3, 4] * 4
    assert back.selected_ids == [3, 4]
    nameless = [sv.Detections(xyxy=one.xyxy) for one in frames]
    assert from_supervision(nameless, video=VIDEO).detections["face_id"].tolist() == [1, 2] * 4


def test_frames_may_be_named_by_number():
    sv = pytest.importorskip("supervision")
    one = sv.Detections(xyxy=np.array([[10, 5, 30, 30]]), tracker_id=np.array([7]))
    assert from_supervision({4: one}, video=VIDEO).detections["frame"].tolist() == [4]


@pytest.mark.parametrize(
    ("frame", "corners", "says"),
    [
        (6, [[1, 1, 2, 2]], "frame 6, but lobby.mp4 has frames 0 to 5"),
        (0, [[1, 1, np.nan, 2]], "not finite or has a negative side"),
        (0, [[9, 1, 2, 2]], "not finite or has a negative side"),
        (0, [[1, 1, 2, 2], [5, 5, 9, 9]], "two boxes of one face"),
    ],
)
def test_what_is_no_box_of_the_video_is_refused(frame, corners, says):
    sv = pytest.importorskip("supervision")
    held = sv.Detections(xyxy=np.ones((len(corners), 4)), tracker_id=np.full(len(corners), 2))
    held.xyxy[:] = corners  # afterwards, as the package itself takes no NaN
    with pytest.raises(AnnotationError, match=says):
        from_supervision({frame: held}, video=VIDEO)


def test_a_frame_that_is_not_there_is_refused():
    pytest.importorskip("supervision")
    with pytest.raises(OptionError, match="frame must be 0 to 5, got 6"):
        to_supervision(_annotations(), frame=6)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(OptionError, match=r"install redactkit\[supervision\]"):
        to_supervision(_annotations())
