"""A file about several videos: one is read, and never all as one."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from redactkit.errors import AnnotationError
from redactkit.formats import read_annotations
from redactkit.inspection import inspect
from redactkit.media import VideoInfo

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

VIDEO = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), np.arange(1))
TASK = "<task><id>{0}</id><name>{1}</name><size>1</size><source>{1}.mp4</source></task>"
META = f"<meta><project>{TASK.format(11, 'a')}{TASK.format(12, 'b')}</project></meta>"
BOX = '<box frame="0" outside="0" xtl="{0}" ytl="1" xbr="{1}" ybr="9"/>'
TRACK = '<track id="0" label="face" task_id="{0}">{1}</track>'
IMAGE = '<image id="0" name="f0.jpg" width="640" height="360" task_id="{0}">{1}</image>'


def google(uri, left):
    box = {"left": left, "top": 0.1, "right": left + 0.2, "bottom": 0.4}
    objects = [{"normalizedBoundingBox": box, "timeOffset": "0s"}]
    return {"inputUri": uri, "faceDetectionAnnotations": [{"tracks": [{"timestampedObjects": objects}]}]}


def coco(**names):
    images = [
        {"id": place, "width": 640, "height": 360, **{name: value[place] for name, value in names.items()}}
        for place in (0, 1)
    ]
    boxes = [{"image_id": place, "category_id": 1, "bbox": [64 + 320 * place, 36, 20, 20]} for place in (0, 1)]
    return {"images": images, "annotations": boxes, "categories": []}


FILES = {
    "cvat tracks": "<annotations>" + META + "".join(
        TRACK.format(11 + place, BOX.format(64 + 320 * place, 90 + 320 * place)) for place in (0, 1)
    ) + "</annotations>",
    "cvat images": "<annotations>" + META + "".join(
        IMAGE.format(11 + place, BOX.format(64 + 320 * place, 90 + 320 * place)) for place in (0, 1)
    ) + "</annotations>",
    "google": {"annotationResults": [google("/bucket/a.mp4", 0.1), google("/bucket/b.mp4", 0.6)]},
    "csv": "video,frame,track_id,x,y,w,h\na.mp4,0,1,64,36,30,40\nb.mp4,0,1,384,36,30,40\n",
    "coco videos": {**coco(video_id=[1, 2]), "videos": [{"id": 1, "name": "a"}, {"id": 2, "file_name": "v/b.mp4"}]},
    "coco names": coco(file_name=["a/0000.jpg", "b/0000.jpg"]),
    "coco roboflow": coco(file_name=[f"{name}_mp4-0000_jpg.rf.{'0f' * 16}.jpg" for name in "ab"]),
}  # fmt: skip


@pytest.fixture(params=FILES)
def several(request, tmp_path):
    content = FILES[request.param]
    path = tmp_path / "their.file"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_several_videos_are_refused_by_name(several):
    with pytest.raises(AnnotationError, match=r"speaks of 2 videos \(.*a.*, .*b.*\); say which one .*--video-name"):
        read_annotations(several, frame_size=(640, 360))


def test_name_that_fits_none_is_refused(several):
    with pytest.raises(AnnotationError, match=r"'c\.mp4' is the name of none of them"):
        read_annotations(several, frame_size=(640, 360), video_name="c.mp4")


@pytest.mark.parametrize(("name", "left"), [("a", 64), ("b.mp4", 384)])
def test_video_that_is_named_is_read_alone(several, name, left):
    annotations = read_annotations(several, frame_size=(640, 360), video_name=name)
    assert annotations.detections["x"].unique().tolist() == pytest.approx([left])
    assert any("speaks of 2 videos" in note for note in inspect(several, frame_size=(640, 360), video_name=name).notes)


def test_video_that_is_given_is_known_by_its_file_name(several):
    rows = read_annotations(several, video=replace(VIDEO, path=Path("/videos/b.mp4"))).detections
    assert rows["x"].iloc[0] == pytest.approx(384)


@pytest.mark.parametrize(("name", "told"), [("other.mp4", True), ("a.mp4", False), ("1234-a.MOV", False), ("a", False)])
def test_file_about_a_video_of_another_name_is_told(tmp_path, name, told):
    path = tmp_path / "their.csv"
    path.write_text(f"video,frame,id,x,y,w,h\n{name},0,1,10,20,30,40\n")
    notes = inspect(path, video=replace(VIDEO, path=Path("/videos/a.mkv"))).notes
    text = f"the file is about a video called {name}, and this one is called a.mkv"
    assert (text in notes) == told


def test_rows_that_name_images_are_numbered_by_their_names(tmp_path):
    path = tmp_path / "their.csv"
    head, rows = "filename,width,height,class,xmin,ymin,xmax,ymax\n", "{}_0003.jpg,320,180,face,10,20,40,60\n"
    path.write_text(head + rows.format("a") + "a_0004.jpg,320,180,person,1,2,3,4\n")
    annotations = read_annotations(path)
    assert annotations.detections[["frame", "label", "x", "width"]].to_numpy().tolist() == [
        [3, "face", 10, 30],
        [4, "person", 1, 2],
    ]
    assert (annotations.video.width, annotations.video.height) == (320, 180)
    path.write_text(head + rows.format("a") + rows.format("b"))
    with pytest.raises(AnnotationError, match=r"speaks of 2 videos \(a, b\)"):
        read_annotations(path)


def test_images_of_two_videos_in_one_task_of_cvat_are_told_apart(tmp_path):
    path = tmp_path / "their.xml"
    image = '<image id="{}" name="{}/f_{:04d}.jpg" width="640" height="360">{}</image>'
    box = '<box label="face" xtl="{}" ytl="1" xbr="300" ybr="9"/>'
    names = ["a", "a", "b", "b"]
    images = (image.format(place, name, place % 2, box.format(place)) for place, name in enumerate(names))
    path.write_text(f"<annotations>{''.join(images)}</annotations>")
    with pytest.raises(AnnotationError, match=r"speaks of 2 videos \(a/f, b/f\)"):
        read_annotations(path)
    rows = read_annotations(path, video_name="b").detections
    assert rows[["frame", "x"]].to_numpy().tolist() == [[0, 2], [1, 3]]


def test_rekognition_pages_of_two_videos_are_told_apart(tmp_path):
    face = {"Timestamp": 0, "Face": {"BoundingBox": {"Left": 0.1, "Top": 0.1, "Width": 0.1, "Height": 0.1}}}
    pages = [
        {
            "JobStatus": "SUCCEEDED",
            "Video": {"S3Object": {"Bucket": "x", "Name": f"{name}.mp4"}},
            "Faces": [face] * count,
        }
        for name, count in (("a", 1), ("b", 2))
    ]
    path = tmp_path / "their.json"
    path.write_text(json.dumps(pages))
    with pytest.raises(AnnotationError, match=r"speaks of 2 videos \(a\.mp4, b\.mp4\)"):
        read_annotations(path, frame_size=(640, 360))
    assert len(read_annotations(path, frame_size=(640, 360), video_name="a.mp4").detections) == 1
