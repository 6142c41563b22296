"""A box set by hand is a keyframe, a copy of it is none, and files remember which is which."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import TableError
from redactkit.formats import read_annotations
from redactkit.formats.catalogue import FORMATS
from redactkit.media import VideoInfo
from redactkit.review import Review
from redactkit.tables import as_detections, empty_detections

lossy = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")


def _review(frames: int = 20) -> Review:
    video = VideoInfo(None, 320, 240, Fraction(25), Fraction(1, 25), np.arange(frames), digest="")
    return Review(Annotations(video, empty_detections()))


def _keyframes(rows) -> list[int]:
    return rows.loc[rows["keyframe"], "frame"].tolist()


def test_table_without_the_column_takes_drawn_boxes_for_keyframes():
    columns = {"frame": [0, 1, 2], "face_id": 1, "x": 0, "y": 0, "width": 5, "height": 5}
    sources = ["manual", "detected", "imported"]
    assert as_detections({**columns, "source": sources})["keyframe"].tolist() == [True, False, False]
    given = as_detections({**columns, "source": sources, "keyframe": [False, None, True]})
    assert given["keyframe"].tolist() == [False, False, True]
    assert empty_detections()["keyframe"].dtype == bool


def test_copies_are_no_keyframes():
    review = _review()
    face = review.add_face([10, 10, 30, 30], frame=2)
    review.copy_box(4, face_id=face, frame=2)
    assert _keyframes(review.detections) == [2]
    assert set(review.detections["source"]) == {"manual"}


def test_interpolation_runs_over_copies_from_one_keyframe_to_the_next():
    review = _review()
    face = review.add_face([10, 10, 30, 30], frame=0)
    review.copy_box(3, face_id=face, frame=0)
    with pytest.raises(TableError, match="1 keyframe"):
        review.interpolate_boxes(face_id=face)
    review.set_box([50, 10, 30, 30], face_id=face, frame=4)
    review.interpolate_boxes(face_id=face)
    assert review.detections["x"].tolist() == [10, 20, 30, 40, 50]
    assert _keyframes(review.detections) == [0, 4]


def test_keyframe_can_be_cleared_and_set():
    review = _review()
    face = review.add_face([10, 10, 30, 30], frame=2)
    review.set_keyframe(False, face_id=face, frame=2)
    assert _keyframes(review.detections) == []
    review.set_keyframe(face_id=face, frame=2)
    assert _keyframes(review.detections) == [2]
    review.current_face = face
    assert review.seek("keyframe") == 2


@lossy
@pytest.mark.parametrize("format", ["azure", "csv", "parquet", "cvat"])
def test_keyframes_come_back(format, tmp_path):
    review = _review()
    face = review.add_face([10, 10, 30, 30], frame=2)
    review.copy_box(3, face_id=face, frame=2)
    review.set_box([10, 10, 30, 30], face_id=face, frame=10)
    review.interpolate_boxes(face_id=face)
    read = read_annotations(review.annotations.to(format, tmp_path / "a.file"), frame_size=(320, 240)).detections
    assert _keyframes(read) == [2, 10]
    assert len(read) == 9


def test_keyframes_outlive_a_crash(tmp_path):
    first = _review()
    saved = Review(first.annotations, autosave=tmp_path / "autosave")
    saved.add_face([10, 10, 30, 30], frame=2)
    saved.copy_box(3, face_id=1, frame=2)
    assert _keyframes(Review(first.annotations, autosave=tmp_path / "autosave").detections) == [2]


@pytest.mark.parametrize("format", ["azure", "csv", "parquet", "cvat", "coco", "mot", "yolo"])
def test_keyframes_come_back_from_a_file_or_it_is_said_that_they_do_not(tmp_path, format):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    review = _review(9)
    face = review.add_face([10, 10, 30, 30], frame=0)
    review.set_box([50, 10, 30, 30], face_id=face, frame=4)
    review.set_box([70, 60, 30, 30], face_id=face, frame=8)
    review.interpolate_boxes(face_id=face)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        path = review.annotations.to(format, tmp_path / "a")
    holds = "keyframes" in FORMATS[format].written
    assert holds is (format in ("azure", "csv", "parquet", "cvat"))
    lost = [str(each.message).partition("has no room for")[2] for each in said]
    assert any("keyframes" in text for text in lost) is not holds
    again = read_annotations(path, format=format, frame_rate=25, frame_size=(320, 240)).detections
    assert _keyframes(again) == ([0, 4, 8] if holds else [])
