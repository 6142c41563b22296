"""COCO JSON: images, video in both its forms, bare results."""

from __future__ import annotations

import json

import pytest

from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.formats import read_annotations
from redactkit.tables import BOX

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

CATEGORIES = [{"id": 1, "name": "face"}, {"id": 2, "name": "person"}]


def image(number, **more):
    return {"id": number, "file_name": f"img{number}.jpg", "width": 640, "height": 360, **more}


def item(image_id, left=10.0, **more):
    return {"id": 1, "image_id": image_id, "category_id": 1, "bbox": [left, 20, 30, 40], **more}


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, **options):
        path = tmp_path / "their.json"
        path.write_text(json.dumps(content))
        return read_annotations(path, **options)

    return write_and_read


def test_no_annotations_is_empty(read):
    annotations = read({"images": [image(1), image(2)], "annotations": [], "categories": CATEGORIES})
    assert annotations.detections.empty
    assert annotations.frame_count == 2
    assert (annotations.video.width, annotations.video.height) == (640, 360)


def test_video_images_with_frame_ids_are_frames(read):
    images = [image(5, video_id=1, frame_id=0), image(6, video_id=1, frame_id=1)]
    content = {
        "videos": [{"id": 1, "width": 640, "height": 360, "fps": 12.5}],
        "images": images,
        "annotations": [item(6, instance_id=4, score=0.5), item(5, track_id=3)],
        "categories": CATEGORIES,
    }
    annotations = read(content)
    assert annotations.detections[["frame", "time", "face_id", *BOX]].to_numpy().tolist() == [
        [0, 0, 3, 10, 20, 30, 40],
        [1, 0.08, 4, 10, 20, 30, 40],
    ]
    assert annotations.detections["confidence"].tolist()[1] == 0.5
    assert annotations.frame_count == 2


def test_frame_numbers_come_from_file_names(read):
    images = [image(9, file_name="dir7/frame_000012.png"), image(3, file_name="frame_000002.png")]
    rows = read({"images": images, "annotations": [item(9, track_id=1), item(3, track_id=1)]}).detections
    assert rows["frame"].tolist() == [2, 12]


def test_names_without_numbers_go_by_place(read):
    images = [image(9, file_name="b.png"), image(3, file_name="a1.png")]
    rows = read({"images": images, "annotations": [item(9, track_id=1), item(3, track_id=1)]}).detections
    assert rows["frame"].tolist() == [0, 1]


def test_identity_may_stand_among_attributes(read):
    annotation = item(1, attributes={"occluded": False, "track_id": 8})
    assert read({"images": [image(1)], "annotations": [annotation]}).detections["face_id"].tolist() == [8]


def test_boxes_without_identity_are_faces_of_their_own(read):
    with pytest.warns(AnnotationWarning, match="2 boxes have no face ID"):
        rows = read({"images": [image(1)], "annotations": [item(1), item(1, left=90)]}).detections
    assert rows["face_id"].tolist() == [1, 2]


def test_tracks_with_a_box_per_frame_are_read(read):
    content = {
        "videos": [{"id": 1, "width": 640, "height": 360, "length": 4}],
        "annotations": [
            {"id": 7, "video_id": 1, "category_id": 2, "bboxes": [[1, 2, 3, 4], None, [5, 6, 7, 8], None]},
        ],
        "categories": CATEGORIES,
    }
    annotations = read(content)
    assert annotations.detections[["frame", "face_id", *BOX]].to_numpy().tolist() == [
        [0, 7, 1, 2, 3, 4],
        [2, 7, 5, 6, 7, 8],
    ]
    assert annotations.frame_count == 4
    assert annotations.detections["label"].tolist() == ["person"] * 2


def test_bare_results_are_read(read):
    rows = read([item(0, score=0.25), item(2, score=0.5)]).detections
    assert rows["frame"].tolist() == [0, 2]
    assert rows["confidence"].tolist() == [0.25, 0.5]


def test_segmentations_are_named_as_lost(read):
    with pytest.warns(AnnotationWarning, match="segmentations have no place"):
        read({"images": [image(1)], "annotations": [item(1, track_id=1, segmentation=[[1, 2, 3, 4, 5, 6]])]})


def test_annotation_with_polygons_alone_has_the_box_around_them(read):
    whole = {**item(1), "segmentation": [[1, 2, 9, 2, 5, 8], [20, 3, 21, 4, 22, 5]]}
    del whole["bbox"]
    rows = read({"images": [image(1)], "annotations": [whole], "categories": [{"id": 1, "name": 7}]}).detections
    assert rows[[*BOX, "label"]].to_numpy().tolist() == [[1, 2, 21, 6, "7"]]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"images": [image(1)], "annotations": [item(2)]}, r"no image has the id 2 - at `\$.annotations\[0\]`"),
        (
            {"images": [image(1)], "annotations": [item(1), {"image_id": 1}]},
            r"missing required field `bbox` - at `\$.annotations\[1\]`",
        ),
        ({"images": [image(1)], "annotations": [{"image_id": 1, "caption": "a"}]}, "its annotations have no boxes"),
        ({"images": [image(1)], "annotations": [item("x" * 999)]}, "no image has the id '[x]{41} - at"),
        ({"images": [image(1)], "annotations": [item(1, left=None)]}, r"got `null` - at `\$.annotations\[0\].bbox"),
        (
            {"images": [image(1)], "annotations": [{**item(1), "bbox": [1, 2, 3]}]},
            r"of length 4 - at `\$.annotations\[0\].bbox",
        ),
        ({"images": [image(1)], "annotations": [{**item(1), "bbox": [1, 2, -3, 4]}]}, "sides of 0 or more"),
        ({"videos": [{"id": 1}, {"id": 2}], "annotations": []}, "speaks of 2 videos"),
        ({"images": {}, "annotations": []}, r"expected `array \| null`, got `object` - at `\$.images`"),
    ],
)
def test_what_means_nothing_is_refused_with_its_place(read, content, fault):
    with pytest.raises(AnnotationError, match=f"their.json: .*{fault}"):
        read(content)
