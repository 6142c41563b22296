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
    assert read({"insights": {"faces": []}}).detections.empty


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


def test_rekognition_names_the_file_once(read):
    with pytest.raises(AnnotationError, match="expected `int") as caught:
        read(page([0.04]))
    assert str(caught.value).count(".json: ") == 1


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


BOUNDS = {"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.1, "Height": 0.2}}
METADATA = {"FrameRate": 25.0, "FrameHeight": 360, "FrameWidth": 640}
PIXELS = [64, 72, 64, 72]


def spelled(value, form):
    if isinstance(value, list):
        return [spelled(item, form) for item in value]
    return {form(key): spelled(item, form) for key, item in value.items()} if isinstance(value, dict) else value


def camel(key):
    return key[:1].lower() + key[1:]


def snake(key):
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key).lstrip("_")


@pytest.mark.parametrize("form", [str, camel, snake])
@pytest.mark.parametrize(
    ("content", "face", "label"),
    [
        ({"Faces": [{"Timestamp": 40, "Face": {**BOUNDS, "Confidence": 99.5}}]}, 1, ""),
        ({"Persons": [{"Timestamp": 40, "Person": {"Index": 4, "Face": BOUNDS}, "FaceMatches": []}]}, 4, "face"),
        ({"Persons": [{"Timestamp": 40, "Person": {"Index": 4, **BOUNDS}}]}, 4, "person"),
        ({"Celebrities": [{"Timestamp": 40, "Celebrity": {"Id": "7", "Name": "A", "Face": BOUNDS}}]}, 7, "face"),
    ],
)
def test_rekognition_is_read_in_each_of_its_results_and_spellings(read, content, face, label, form):
    whole = {"JobStatus": "SUCCEEDED", "VideoMetadata": METADATA, **content}
    rows = read(spelled(whole, form)).detections
    assert rows[["face_id", "label"]].to_numpy().tolist() == [[face, label]]
    assert rows.iloc[0][["x", "y", "width", "height"]].tolist() == pytest.approx(PIXELS)
    assert rows["time"].tolist() == [0.04]


def test_rekognition_person_whose_face_is_found_has_its_face_box(read):
    larger = {"BoundingBox": {"Left": 0, "Top": 0, "Width": 0.9, "Height": 0.9}}
    person = {"Timestamp": 0, "Person": {"Index": 0, **larger, "Face": BOUNDS}}
    rows = read({"Persons": [person], "VideoMetadata": METADATA, "JobStatus": "SUCCEEDED"}).detections
    assert rows.iloc[0][["x", "y", "width", "height"]].tolist() == pytest.approx(PIXELS)


def test_rekognition_job_that_failed_is_said_to_have(read):
    with pytest.raises(AnnotationError, match=r"a Rekognition job that failed \(no such bucket\).*run the job again"):
        read({"JobStatus": "FAILED", "StatusMessage": "no such bucket", "Faces": []})


def test_rekognition_result_of_an_image_is_no_result_of_a_video(read):
    from fractions import Fraction

    from redactkit.media import VideoInfo

    content = {"FaceDetails": [{**BOUNDS, "Confidence": 99}]}
    assert read(content, frame_size=(640, 360)).detections["frame"].tolist() == [0]
    video = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), np.arange(9))
    with pytest.raises(AnnotationError, match="the result is of an image, and the video has 9 frames"):
        read(content, video=video)


@pytest.mark.parametrize("form", [str, camel, snake])
@pytest.mark.parametrize(
    ("content", "label", "name"),
    [
        ({"CelebrityFaces": [{"Face": BOUNDS, "Name": "A"}], "UnrecognizedFaces": []}, "", "A"),
        ({"CelebrityFaces": [], "UnrecognizedFaces": [BOUNDS]}, "", ""),
        ({"Faces": [{"FaceId": "f1", **BOUNDS, "ImageId": "i"}], "FaceModelVersion": "3.0"}, "", ""),
        ({"SourceImageFace": BOUNDS, "FaceMatches": [{"Face": BOUNDS}], "UnmatchedFaces": []}, "", ""),
        ({"SourceImageFace": BOUNDS, "FaceMatches": [], "UnmatchedFaces": [BOUNDS]}, "", ""),
        ({"Labels": [{"Name": "Person", "Instances": [BOUNDS]}, {"Name": "A", "Instances": []}]}, "Person", ""),
    ],
)
def test_rekognition_results_of_images_are_read(read, content, label, name, form):
    annotations = read(spelled(content, form), frame_size=(640, 360))
    rows = annotations.detections
    assert rows[["frame", "label"]].to_numpy().tolist() == [[0, label]]
    assert rows.iloc[0][["x", "y", "width", "height"]].tolist() == pytest.approx(PIXELS)
    assert annotations.decisions["label"].tolist() == [name]


def google_result(**kinds):
    return {"annotationResults": [{"inputUri": "/b/a.mp4", **kinds}]}


GOOGLE_TRACK = {"timestampedObjects": [{"normalizedBoundingBox": {"left": 0.1, "right": 0.2, "bottom": 0.2}}]}


def test_google_persons_are_read_where_there_are_no_faces_and_it_is_said(read):
    with pytest.warns(AnnotationWarning, match="there are no face boxes; the boxes are of whole persons and things"):
        rows = read(
            google_result(personDetectionAnnotations=[{"tracks": [GOOGLE_TRACK]}]), frame_size=(640, 360)
        ).detections
    assert rows["label"].tolist() == ["person"]


def test_google_objects_have_their_names_as_labels(read):
    thing = {"entity": {"description": "car"}, "frames": GOOGLE_TRACK["timestampedObjects"], "confidence": 0.5}
    kinds = {"objectAnnotations": [thing], "personDetectionAnnotations": [{"tracks": [GOOGLE_TRACK]}]}
    rows = read(google_result(**kinds), frame_size=(640, 360)).detections
    assert rows[["face_id", "label"]].to_numpy().tolist() == [[1, "person"], [2, "car"]]
    faces = read(google_result(**kinds, faceDetectionAnnotations=[{"tracks": [GOOGLE_TRACK]}]), frame_size=(640, 360))
    assert len(faces.detections) == 1


@pytest.mark.parametrize("form", [str, camel, snake])
def test_rekognition_labels_with_boxes_are_read(read, form):
    label = {"Name": "Person", "Instances": [{**BOUNDS, "Confidence": 90}], "Parents": []}
    scene = {"Name": "Indoors", "Instances": []}
    found = [{"Timestamp": 40, "Label": label}, {"Timestamp": 40, "Label": scene}]
    page = spelled({"JobStatus": "SUCCEEDED", "VideoMetadata": METADATA, "Labels": found}, form)
    with pytest.warns(AnnotationWarning, match="whole persons and things, and not of faces"):
        rows = read(page).detections
    assert rows[["time", "label", "confidence"]].to_numpy().tolist() == [[0.04, "Person", 0.9]]


@pytest.mark.parametrize(
    ("kinds", "what"),
    [
        (
            {"faceDetectionAnnotations": [{"tracks": [{"segment": {}}]}]},
            "face detection annotations, but no face has a box",
        ),
        ({"shotAnnotations": [{}]}, "shot annotations, but no face has a box; ask the service for FACE_DETECTION"),
    ],
)
def test_google_results_without_boxes_say_what_they_have(read, kinds, what):
    with pytest.raises(AnnotationError, match=what):
        read(google_result(**kinds), frame_size=(640, 360))


def test_google_list_of_the_node_client_is_read(read):
    track = {
        "timestampedObjects": [
            {**GOOGLE_TRACK["timestampedObjects"][0], "timeOffset": {"seconds": "1", "nanos": 500000000}}
        ]
    }
    rows = read([google_result(faceDetectionAnnotations=[{"tracks": [track]}])], frame_size=(640, 360)).detections
    assert rows["time"].tolist() == [1.5]
