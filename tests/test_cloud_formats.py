"""Files of the cloud services: Video Indexer, Rekognition, Video Intelligence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from redactkit.errors import AnnotationError, AnnotationWarning, TableError
from redactkit.formats import read_annotations
from redactkit.tables import BOX, check_detections

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")


@pytest.fixture
def read(tmp_path):
    def write_and_read(content, **options):
        path = tmp_path / "their.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_annotations(path, **options)

    return write_and_read


def test_videoindexer_example_tells_when_and_not_where(shared_formats):
    with pytest.warns(AnnotationWarning, match="when faces are seen but not where"):
        annotations = read_annotations(shared_formats / "video_indexer_example.json")
    rows = annotations.detections
    assert rows["time"].tolist() == pytest.approx([7.24, 45.678, 623.957, 639.239])
    assert rows[BOX].isna().all(axis=None)
    assert rows["confidence"].tolist() == [0.93844] * 4
    track = annotations.tracks.loc[2002]
    assert (track["start"], track["end"]) == pytest.approx((7.24, 639.239))
    assert track["label"] == "Xam 007"
    assert not annotations.has_boxes
    with pytest.raises(TableError, match="not finite"):
        check_detections(annotations.detections)


@pytest.mark.parametrize(
    "content",
    [
        {"videos": [{"insights": {"faces": [{"id": 5, "instances": [{"start": "0:00:01.5", "end": "0:00:02"}]}]}}]},
        {
            "summarizedInsights": {
                "faces": [{"id": 5, "appearances": [{"startTime": "0:00:01.5", "endTime": "0:00:02"}]}]
            }
        },
        {"insights": {"faces": [{"id": "5", "instances": [{"start": "00:00:01.5000000", "end": "00:00:02.0000000"}]}]}},
    ],
)
def test_videoindexer_is_read_in_each_of_its_shapes(read, content):
    annotations = read(content)
    assert annotations.detections["face_id"].tolist() == [5, 5]
    assert annotations.detections["time"].tolist() == [1.5, 2.0]


def test_videoindexer_days_count(read):
    content = {"faces": [{"id": 1, "instances": [{"start": "1.02:03:04.5", "end": "1.02:03:05"}]}]}
    assert read(content).detections["time"].tolist() == [93784.5, 93785.0]


def test_videoindexer_names_a_bad_time(read):
    content = {"faces": [{"id": 1, "instances": [{"start": "soon", "end": "1:00:00"}]}]}
    with pytest.raises(
        AnnotationError, match=r"a time like 0:00:07.24, got 'soon' - at `\$.faces\[0\].instances\[0\]`"
    ):
        read(content)


def test_videoindexer_without_faces_is_empty(read):
    assert read({"faces": []}).detections.empty


def test_rekognition_example_gives_the_numbers_of_its_page(shared_formats):
    with pytest.warns(AnnotationWarning, match="names a next one, so faces are missing"):
        annotations = read_annotations(shared_formats / "rekognition_example.json")
    rows = annotations.detections
    assert rows["time"].tolist() == [0.467, 0.967]
    assert rows["face_id"].tolist() == [1, 2]
    assert rows["confidence"].tolist() == pytest.approx([0.877622299, 0.9999998474])
    assert rows[BOX].iloc[0].tolist() == pytest.approx(
        [-0.0952017530798912 * 1920, 0.13555361330509186 * 1080, 0.1560753583908081 * 1920, 0.6934483051300049 * 1080]
    )
    assert (annotations.video.width, annotations.video.height) == (1920, 1080)
    assert float(annotations.video.frame_rate) == pytest.approx(29.970617)


def page(timestamps, **more):
    box = {"Left": 0.5, "Top": 0.25, "Width": 0.125, "Height": 0.5}
    faces = [{"Timestamp": time, "Face": {"BoundingBox": box, "Confidence": 90}} for time in timestamps]
    metadata = {"FrameRate": 25, "FrameWidth": 640, "FrameHeight": 360}
    return {"Faces": faces, "JobStatus": "SUCCEEDED", "VideoMetadata": metadata, **more}


def test_rekognition_pages_are_joined(read, tmp_path):
    pages = [page([0, 500], NextToken="x"), page([500, 1000])]
    joined = read(pages)
    assert joined.detections["time"].tolist() == [0, 0.5, 0.5, 1.0]
    assert joined.detections["face_id"].tolist() == [1, 2, 3, 4]
    assert joined.detections[BOX].iloc[3].tolist() == [320, 90, 80, 180]
    assert read("\n".join(map(json.dumps, pages))) == joined
    assert read("".join(json.dumps(item, indent=1) for item in pages)) == joined
    files = [tmp_path / f"page{number}.json" for number in range(2)]
    for file, item in zip(files, pages, strict=True):
        file.write_text(json.dumps(item))
    assert read_annotations(files) == joined


def test_rekognition_lays_out_instants_without_faces(read):
    annotations = read(page([0, 500, 1000, 9000]))
    assert annotations.video.times.tolist() == [number / 2 for number in range(19)]
    assert annotations.detections["frame"].tolist() == [0, 1, 2, 18]


def test_rekognition_job_that_did_not_finish_is_told(read):
    with pytest.warns(AnnotationWarning, match="status is IN_PROGRESS"):
        assert read(page([], JobStatus="IN_PROGRESS")).detections.empty


def test_rekognition_names_the_face_without_a_box(read):
    content = page([0])
    del content["Faces"][0]["Face"]["BoundingBox"]
    with pytest.raises(AnnotationError, match=r"missing required field `BoundingBox` - at `\$.Faces\[0\].Face`"):
        read(content)


TRACK = {
    "segment": {"startTimeOffset": "0s", "endTimeOffset": "0.2s"},
    "confidence": 0.75,
    "timestampedObjects": [
        {"normalizedBoundingBox": {"top": 0.25, "right": 0.125, "bottom": 0.5}, "timeOffset": "0s"},
        {"normalizedBoundingBox": {"left": 0.5, "top": 0.25, "right": 0.75, "bottom": 0.5}, "timeOffset": "0.1s"},
        {
            "normalizedBoundingBox": {"left": 0.5, "top": 0.25, "right": 0.75, "bottom": 0.5},
            "timeOffset": {"seconds": "0", "nanos": 200000000},
        },
    ],
}


def test_google_tracks_are_faces(read):
    result = {"inputUri": "/bucket/a.mp4", "faceDetectionAnnotations": [{"tracks": [TRACK]}, {"tracks": [TRACK]}]}
    annotations = read({"annotationResults": [result]}, frame_size=(640, 360))
    rows = annotations.detections
    assert rows["face_id"].tolist() == [1, 2, 1, 2, 1, 2]
    assert rows["time"].tolist() == pytest.approx([0, 0, 0.1, 0.1, 0.2, 0.2])
    assert rows[BOX].iloc[0].tolist() == [0, 90, 80, 90]
    assert rows[BOX].iloc[2].tolist() == [320, 90, 160, 90]
    assert (rows["confidence"] == 0.75).all()


def test_google_operation_and_snake_case_are_read(read):
    result = {"faceDetectionAnnotations": [{"tracks": [TRACK]}]}
    plain = read({"annotationResults": [result]}, frame_size=(640, 360))
    operation = {"name": "projects/1", "done": True, "response": {"annotationResults": [result]}}
    assert read(operation, frame_size=(640, 360)) == plain
    snake = json.dumps({"annotationResults": [result]})
    for camel, name in {
        "annotationResults": "annotation_results",
        "faceDetectionAnnotations": "face_detection_annotations",
        "timestampedObjects": "timestamped_objects",
        "normalizedBoundingBox": "normalized_bounding_box",
        "timeOffset": "time_offset",
    }.items():
        snake = snake.replace(f'"{camel}"', f'"{name}"')
    assert read(snake, frame_size=(640, 360)) == plain


def test_google_legacy_frames_are_read(read):
    box = {"left": 0.5, "top": 0.5, "right": 1, "bottom": 1}
    frames = [{"normalizedBoundingBoxes": [box], "timeOffset": "1.5s"}]
    rows = read({"annotationResults": [{"faceAnnotations": [{"frames": frames}]}]}, frame_size=(100, 50)).detections
    assert rows[["time", *BOX]].iloc[0].tolist() == [1.5, 50, 25, 50, 25]


def test_google_asks_for_the_frame_size(read):
    with pytest.raises(AnnotationError, match="no frame size; pass frame_size"):
        read({"annotationResults": []})


def test_google_names_a_bad_time(read):
    track = {"timestampedObjects": [{"normalizedBoundingBox": {}, "timeOffset": "1.5"}]}
    content = {"annotationResults": [{"faceDetectionAnnotations": [{"tracks": [track]}]}]}
    with pytest.raises(AnnotationError, match=r"got '1.5' - at `\$.annotationResults\[0\].faceDetectionAnnotations"):
        read(content, frame_size=(10, 10))


def test_times_without_end_are_refused(read):
    content = page([10**18])
    with pytest.raises(AnnotationError, match=r"times must be 0 to 2\^53"):
        read(content)
    assert np.isfinite(read(page([0])).video.times).all()
