"""What a file says of a face beside its box is kept: whether something hides part of it, and who it is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.formats import read_annotations
from redactkit.media import VideoInfo
from redactkit.tables import as_detections
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
