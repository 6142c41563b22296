"""YOLO labels: folders and archives of text files, shares of the image, classes by number."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction

import numpy as np
import pytest

from redactkit.errors import AnnotationError, AnnotationWarning, MismatchError
from redactkit.formats import read_annotations
from redactkit.inspection import inspect
from redactkit.media import VideoInfo
from redactkit.tables import BOX
from tests.annotation_files import make_annotations

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

SIZE = (640, 360)
YAML = "train: images/train\nnc: 2\nnames:\n  0: face\n  1: 'number plate'  # of cars\n"


@pytest.fixture
def read(tmp_path):
    def write_and_read(files, **options):
        for name, text in files.items():
            path = tmp_path / "labels of" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return read_annotations(tmp_path / "labels of", **{"frame_size": SIZE, **options})

    return write_and_read


def labels(**lines):
    return {f"{name}.txt": line for name, line in lines.items()}


def test_archive_without_a_label_is_empty(read):
    assert read({"data.yaml": YAML}).detections.empty


def test_boxes_are_shares_about_their_middle(read):
    rows = read(
        labels(frame_000000="0 0.5 0.5 0.1 0.2\n", frame_000003="0 0.25 0.5 0.1 0.2\n1 0.5 0.5 1 1\n")
    ).detections
    assert rows["frame"].tolist() == [0, 3, 3]
    assert rows[BOX].to_numpy().tolist() == [[288, 144, 64, 72], [128, 144, 64, 72], [0, 0, 640, 360]]
    assert rows["label"].tolist() == ["class 0", "class 0", "class 1"]


@pytest.mark.parametrize(
    "named",
    [
        {"data.yaml": YAML},
        {"data.yaml": "names: [face, number plate]\n"},
        {"data.yaml": 'names: {0: "face", 1: "number plate"}\n'},
        {"data.yaml": "names:\n- face\n- number plate\nnc: 2\n"},
        {"obj.names": "face\nnumber plate\n"},
        {"classes.txt": "face\nnumber plate\n"},
    ],
)
def test_classes_are_named(read, named):
    rows = read({**named, **labels(f_0="0 0.5 0.5 0.1 0.2\n1 0.5 0.5 0.1 0.2\n")}).detections
    assert rows["label"].tolist() == ["face", "number plate"]


@pytest.mark.parametrize(
    ("line", "face", "confidence"),
    [
        ("0 0.5 0.5 0.1 0.2 0.75", 1, 0.75),
        ("0 0.5 0.5 0.1 0.2 7", 7, None),
        ("0 0.5 0.5 0.1 0.2 0.75 7", 7, 0.75),
    ],
)
def test_further_numbers_are_confidence_and_track(read, line, face, confidence):
    row = read(labels(f_0=line)).detections.iloc[0]
    assert row["face_id"] == face
    assert row["confidence"] == confidence or (confidence is None and row["confidence"] != row["confidence"])


def test_polygons_become_boxes_and_poses_keep_theirs(read):
    assert read(labels(f_0="0 0.1 0.1 0.2 0.1 0.2 0.3 0.1 0.3\n")).detections[BOX].to_numpy()[0] == pytest.approx(
        [64, 36, 64, 72]
    )
    pose = {"data.yaml": "kpt_shape: [2, 2]\nnames: [face]\n", **labels(f_0="0 0.5 0.5 0.1 0.2 0.1 0.1 0.9 0.9\n")}
    assert read(pose).detections[BOX].to_numpy()[0] == pytest.approx([288, 144, 64, 72])


@pytest.mark.parametrize(
    ("names", "frames", "rule"),
    [
        (["clip_1", "clip_12"], [0, 11], "as Ultralytics names the results of a video"),
        (["clip_7", "clip_12"], [6, 11], "pass first_frame=0"),
        (["frame_000000", "frame_000012"], [0, 12], "count from 0"),
        (["frame_000001", "frame_000012"], [0, 11], "as FFmpeg writes them"),
    ],
)
def test_frames_are_numbered_as_the_tool_does(read, tmp_path, names, frames, rule):
    assert read(labels(**dict.fromkeys(names, "0 0.5 0.5 0.1 0.2\n"))).detections["frame"].tolist() == frames
    assert any(rule in note for note in inspect(tmp_path / "labels of", frame_size=SIZE).notes)


def test_folders_of_a_data_set_are_one_video_and_other_videos_are_told_apart(read):
    line, hashed = "0 0.5 0.5 0.1 0.2\n", "{}_mp4-{:04d}_jpg.rf." + "0f" * 16 + ".txt"
    split = {f"train/labels/{hashed.format('a', 0)}": line, f"valid/labels/{hashed.format('a', 1)}": line}
    assert read(split).detections["frame"].tolist() == [0, 1]
    with pytest.raises(AnnotationError, match=r"speaks of 2 videos \(b\.mp4, a\.mp4\)"):
        read({f"test/labels/{hashed.format('b', 1)}": line})


def test_archive_of_cvat_is_read(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("obj.names", "face\n")
        archive.writestr("obj.data", "classes = 1\nnames = data/obj.names\n")
        archive.writestr("train.txt", "data/obj_train_data/frame_000000.jpg\n")
        archive.writestr("obj_train_data/frame_000000.txt", "0 0.5 0.5 0.1 0.2\n")
        archive.writestr("obj_train_data/frame_000001.txt", "")
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    assert read_annotations(tmp_path / "a.zip", frame_size=SIZE).detections["label"].tolist() == ["face"]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (labels(f_0="0 0.5 0.5 0.1 0.2\n", f_1="0 0.5 wide 0.1 0.2\n"), r"expected numbers, .* - at f_1.txt, line 1"),
        (labels(f_0="0 0.5 0.5 0.1 0.2\n0 0.5 0.5\n"), r"a class and at least four numbers, .* - at f_0.txt, line 2"),
        (labels(f_0="0 0.5 0.5 0.1 0.2\n", f_1="0.5 0.5 0.1 0.2 0.3\n"), "a class and at least four numbers"),
        (labels(f_0="0 0.5 0.5 0.1 0.2\n0 320 180 64 72\n"), "1 boxes are shares of the frame and 1 cannot be"),
        (labels(f_0="0 0.5 0.5 0.1 0.2\n", f_1="inf 0.5 0.5 0.1 0.2\n"), "a class and at least four numbers"),
        (labels(f_0="0 0.5 0.5 0.1 0.2\n", f_1="0 nan 0.5 0.1 0.2 nan\n"), "finite numbers"),
    ],
)
def test_what_means_nothing_is_refused_with_its_line(read, files, fault):
    with pytest.raises(AnnotationError, match=fault):
        read(files)


def test_size_is_asked_for(read):
    with pytest.raises(AnnotationError, match="no frame size"):
        read(labels(f_0="0 0.5 0.5 0.1 0.2\n"), frame_size=None)


def test_single_file_is_one_frame(tmp_path):
    (tmp_path / "frame_000004.txt").write_text("0 0.5 0.5 0.1 0.2\n")
    assert read_annotations(tmp_path / "frame_000004.txt", frame_size=SIZE).detections["frame"].tolist() == [4]
    video = VideoInfo(None, *SIZE, Fraction(25), Fraction(1, 25), np.arange(9))
    with pytest.raises(MismatchError, match=r"frame_000004.txt: the frames it lists are 1, .* but the video has 9"):
        read_annotations(tmp_path / "frame_000004.txt", video=video)
    assert read_annotations(tmp_path / "frame_000004.txt", video=video, frame_step=1).detections["frame"].tolist() == [
        4
    ]


def test_same_annotations_are_the_same_bytes_and_confidence_is_lost_where_a_box_has_none(tmp_path):
    first = make_annotations()
    with pytest.warns(AnnotationWarning, match="yolo has no room for .*confidence"):
        one = first.to("yolo", tmp_path / "a.zip")
    assert one.read_bytes() == first.to("yolo", tmp_path / "b.zip").read_bytes()


def test_names_in_quotes_may_hold_commas(read):
    files = {
        "data.yaml": "names: [\"a, b\", driver's face, 'c, d']\n",
        **labels(f_0="0 0.5 0.5 0.1 0.2\n2 0.2 0.5 0.1 0.2\n"),
    }
    assert sorted(read(files).detections["label"]) == ["a, b", "c, d"]
