"""What a file says of a face beside its box is kept: whether something hides part of it, and who it is."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationWarning
from redactkit.formats import read_annotations
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_detections, sort_detections
from redactkit.tracking import fill_gaps

lossy = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
ROWS = {
    "frame": [0, 1, 4],
    "face_id": 1,
    "x": [10.0, 12.0, 18.0],
    "y": 20.0,
    "width": 30.0,
    "height": 40.0,
    "occluded": [False, True, False],
    "person": "Grace",
}


def _annotations() -> Annotations:
    video = VideoInfo(None, 320, 240, Fraction(25), Fraction(1, 25), np.arange(6), digest="")
    return Annotations(video, as_detections({**ROWS, "time": video.times[ROWS["frame"]]}))


@lossy
@pytest.mark.parametrize("format", ["azure", "csv", "parquet"])
def test_occlusion_and_person_come_back(format, tmp_path):
    path = _annotations().to(format, tmp_path / "a.file")
    rows = read_annotations(path, frame_size=(320, 240)).detections
    assert rows["occluded"].tolist() == [False, True, False]
    assert rows["person"].tolist() == ["Grace"] * 3


def test_table_may_give_degrees_of_occlusion(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text("frame,id,x,y,w,h,occlusion,identity\n0,1,1,2,30,40,0,Grace\n1,1,1,2,30,40,2,\n2,1,1,2,30,40,,\n")
    rows = read_annotations(path, frame_rate=25).detections
    assert rows["occluded"].tolist() == [False, True, False]
    assert rows["person"].tolist() == ["Grace", "", ""]


def test_boxes_that_are_filled_in_are_of_the_same_person():
    rows = fill_gaps(_annotations().detections, times=np.arange(6) / 25, cuts=[], longest=5)
    assert rows["frame"].tolist() == [0, 1, 2, 3, 4]
    assert set(rows["person"]) == {"Grace"}
    assert rows["occluded"].tolist() == [False, True, False, False, False]


def _decided() -> Annotations:
    """Two faces, one of which is agreed to be seen."""
    first = _annotations()
    rows = pd.concat([first.detections, first.detections.assign(face_id=2, person="", occluded=False)])
    decisions = {1: {"redact": False, "reason": 'agreed, "yes" & <signed>', "label": "a guest"}}
    return first.replace(detections=sort_detections(rows), decisions=decisions)


@lossy
@pytest.mark.parametrize("format", ["cvat", "coco"])
def test_attributes_hold_decisions_persons_and_occlusion(format, tmp_path):
    first = _decided()
    again = read_annotations(first.to(format, tmp_path / "a.file"), frame_rate=25)
    assert again.decisions.equals(first.decisions)
    for name in ("occluded", "person"):
        assert again.detections[name].tolist() == first.detections[name].tolist()


def test_mot_holds_who_stays_visible(tmp_path):
    first = _decided()
    with pytest.warns(
        AnnotationWarning, match="mot has no room for times, .*names of faces, occlusion, persons, reasons;"
    ):
        path = first.to("mot", tmp_path / "a.txt")
    again = read_annotations(path, frame_size=(320, 240), frame_rate=25)
    assert again.decisions["redact"].to_dict() == {1: False, 2: True}


def test_places_in_the_world_of_other_mot_files_decide_nothing(tmp_path):
    path = tmp_path / "theirs.txt"
    path.write_text("1,1,10,20,30,40,0.9,0,0,0\n2,1,10,20,30,40,0.9,0,0,0\n")
    assert read_annotations(path, frame_size=(320, 240), frame_rate=25).decisions["redact"].all()


@lossy
@pytest.mark.parametrize("format", ["cvat", "coco", "mot"])
def test_face_is_redacted_if_one_box_does_not_say_otherwise(format, tmp_path):
    path = _decided().to(format, tmp_path / "a.file")
    text = path.read_text()
    once = {
        "cvat": ('<attribute name="redact">false</attribute>', ""),
        "coco": ('"redact":false', '"redact":true'),
        "mot": (",0,-1,-1\n", ",-1,-1,-1\n"),
    }
    path.write_text(text.replace(*once[format], 1))
    assert path.read_text() != text
    assert read_annotations(path, frame_size=(320, 240), frame_rate=25).decisions["redact"].all()


def test_cvat_has_a_keyframe_where_occlusion_changes(tmp_path):
    rows = as_detections({**ROWS, "frame": range(6), "x": 10.0, "occluded": [0, 0, 1, 1, 0, 0]})
    first = _annotations().replace(detections=rows)
    path = first.to("cvat", tmp_path / "a.xml")
    assert [int(number) for number in re.findall(r'<box frame="(\d)"', path.read_text())] == [0, 2, 4, 5]
    again = read_annotations(path, frame_rate=25).detections
    assert again["occluded"].tolist() == rows["occluded"].tolist()


@lossy
def test_outlines_of_label_studio_become_the_boxes_around_them(tmp_path):
    size = {"original_width": 200, "original_height": 100}
    shapes = [
        ("polygonlabels", {"points": [[10, 20], [30, 60], [20, 10]], "polygonlabels": ["Face"]}),
        ("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 20, "ellipselabels": ["Face"]}),
    ]
    results = [{"type": kind, "value": value, **size} for kind, value in shapes]
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps([{"data": {"image": "frame_000000.png"}, "annotations": [{"result": results}]}]))
    rows = read_annotations(path, frame_rate=25).detections
    assert rows[BOX].to_numpy().tolist() == [[20, 10, 40, 50], [80, 30, 40, 40]]
    assert set(rows["label"]) == {"Face"}
