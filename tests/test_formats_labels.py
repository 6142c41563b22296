"""Labels: kept with each box, counted by inspect, chosen by name."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import AnnotationError, AnnotationWarning, OptionError
from redactkit.formats import choose_labels, read_annotations
from redactkit.formats.labels import require_face_label
from redactkit.inspection import inspect
from redactkit.tables import SOURCE_DTYPE, empty_detections
from tests.annotation_files import make_annotations

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

IMAGE = (
    '<annotations><image id="0" name="a0.jpg" width="640" height="360">'
    '<box label="Face" xtl="1" ytl="1" xbr="9" ybr="9"/>'
    '<box label="license_plate" xtl="100" ytl="1" xbr="300" ybr="30"/>'
    "</image></annotations>"
)


@pytest.fixture
def cvat_file(tmp_path):
    path = tmp_path / "their.xml"
    path.write_text(IMAGE)
    return path


def labelled(*labels):
    first = make_annotations()
    return first.replace(detections=first.detections.drop(columns="kind").assign(label=list(labels)))


def test_no_boxes_have_no_labels():
    none = Annotations(make_annotations().video, empty_detections())
    assert choose_labels(none, "face").detections.empty
    assert inspect(none).summary["labels"] == {}


def test_labels_are_kept_and_counted(cvat_file):
    assert read_annotations(cvat_file).detections["label"].tolist() == ["Face", "license_plate"]
    report = inspect(cvat_file)
    assert report.summary["labels"] == {"Face": 1, "license_plate": 1}
    assert "labels: Face 1, license_plate 1" in str(report)


def test_labels_are_chosen_in_any_case(cvat_file):
    assert read_annotations(cvat_file, labels="face").detections["x"].tolist() == [1]
    assert read_annotations(cvat_file, labels=["LICENSE_PLATE", "face"]).detections["x"].tolist() == [1, 100]


def test_label_that_no_box_has_is_refused_and_the_others_named(cvat_file):
    with pytest.raises(OptionError, match="no box has the label 'person'; the labels are Face: 1, license_plate: 1"):
        read_annotations(cvat_file, labels="person")
    with pytest.raises(OptionError, match="name at least one"):
        read_annotations(cvat_file, labels=[])


def test_boxes_without_a_label_count_as_faces():
    given = labelled("", "person", "face", "")
    assert choose_labels(given, "face").detections["label"].tolist() == ["", "face", ""]
    with pytest.raises(OptionError, match=r"none \(of the kind face\): 2"):
        choose_labels(given, "dog")


def test_decisions_of_faces_that_go_go_too():
    given = labelled("", "", "person", "")
    assert given.decisions.index.tolist() == [1, 2]
    assert choose_labels(given, "face").decisions.index.tolist() == [1]
    assert not choose_labels(given, "face").decisions.loc[1, "redact"]


@pytest.mark.parametrize("format", ["azure", "cvat", "coco", "csv", "parquet"])
def test_labels_come_back(format, tmp_path):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    first = labelled("face", "face", "person", "face")
    again = read_annotations(first.to(format, tmp_path / "a"))
    assert again.detections["label"].tolist() == ["face", "face", "person", "face"]


def test_tables_of_before_still_name_faces_by_label(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "frame,time,face_id,x,y,width,height,confidence,source,redact,label,reason\n"
        "0,0.0,7,1,2,3,4,0.5,detected,True,anna,\n"
    )
    again = read_annotations(path)
    assert again.detections["label"].tolist() == [""]
    assert again.decisions.loc[7, "label"] == "anna"


def test_commands_take_labels(cvat_file, tmp_path, capsys):
    out = tmp_path / "a.json"
    assert main(["convert", str(cvat_file), str(out), "--to", "coco", "--label", "face"]) == 0
    assert [item["bbox"] for item in json.loads(out.read_text())["annotations"]] == [[1, 1, 8, 8]]
    assert main(["inspect", str(cvat_file), "--label", "face", "--label", "license_plate"]) == 0
    assert "labels: Face 1, license_plate 1" in capsys.readouterr().out
    assert main(["inspect", str(cvat_file), "--label", "dog"]) == 1


def test_label_that_changes_within_a_face_is_told_by_cvat(tmp_path):
    with pytest.warns(AnnotationWarning, match="the labels of 1 faces change"):
        labelled("face", "head", "person", "face").to("cvat", tmp_path / "a.xml")


def kinds_of(annotations):
    return annotations.detections["kind"].tolist()


def test_kind_follows_from_the_label_where_nobody_says_one():
    given = labelled("", "license_plate", "HumanHead", "Car")
    assert kinds_of(given) == ["face", "plate", "face", "car"]
    assert choose_labels(given, "plate").detections["label"].tolist() == ["license_plate"]


@pytest.mark.parametrize("label", ["headlight", "interface", "Surface", "headset"])
def test_what_only_sounds_like_a_face_is_none(label):
    with pytest.raises(AnnotationError, match="no box is labelled as a face"):
        require_face_label(labelled(label, label, label, label))


@pytest.mark.parametrize("format", ["azure", "coco", "csv", "parquet"])
def test_kinds_come_back(format, tmp_path):
    if format == "parquet":
        pytest.importorskip("pyarrow")
    first = labelled("", "", "Car", "person")
    first = first.replace(detections=first.detections.assign(kind=["plate", "tattoo", "car", "screen"]))
    again = read_annotations(first.to(format, tmp_path / "a"))
    assert kinds_of(again) == ["plate", "tattoo", "car", "screen"]
    assert again.detections["label"].tolist() == ["", "", "Car", "person"]


@pytest.mark.parametrize("format", ["cvat", "yolo"])
def test_kinds_are_labels_where_a_format_has_only_those(format, tmp_path):
    first = labelled("", "", "", "")
    plates = np.where(first.detections["face_id"] == 1, "plate", "face")
    first = first.replace(detections=first.detections.assign(kind=plates.astype(object), confidence=0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AnnotationWarning)
        again = read_annotations(first.to(format, tmp_path / "a"), video=first.video)
    assert kinds_of(again) == plates.tolist()


@pytest.mark.parametrize("format", ["azure", "cvat", "coco", "yolo", "csv"])
def test_labels_of_any_letters_come_back(format, tmp_path):
    for place, word in enumerate(["Zoë", 'the "left", <one> & more #2', "C:\\new", "Лицо"]):
        first = labelled(word, word, word, word)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AnnotationWarning)
            again = read_annotations(first.to(format, tmp_path / f"a{place}"), video=first.video)
        assert set(again.detections["label"]) == {word}


def test_kind_of_a_labelled_box_is_told_as_lost_by_cvat(tmp_path):
    first = labelled("car", "car", "car", "car")
    with pytest.warns(AnnotationWarning, match="no room for .*kinds"):
        first.replace(detections=first.detections.assign(kind="plate")).to("cvat", tmp_path / "a.xml")


def test_old_readers_of_azure_files_find_the_same_fields(tmp_path):
    first = labelled("", "", "", "")
    plain, kinds = (tmp_path / name for name in ("a.json", "b.json"))
    first.to("azure", plain)
    first.replace(detections=first.detections.assign(kind="plate")).to("azure", kinds)
    with_kinds = json.loads(kinds.read_text())
    for fragment in with_kinds["fragments"]:
        for event in fragment["events"]:
            for face in event:
                assert face.pop("kind") == "plate"
    assert with_kinds == json.loads(plain.read_text())


def test_a_foreign_file_of_plates_is_refused_and_drawn_plates_are_not():
    first = labelled("plate", "plate", "plate", "plate")
    imported = first.detections.assign(source="imported").astype({"source": SOURCE_DTYPE})
    with pytest.raises(AnnotationError, match="labels= "):
        require_face_label(first.replace(detections=imported))
    with pytest.raises(AnnotationError, match=r"none \(of the kind plate\): 4"):
        require_face_label(first.replace(detections=imported.assign(label="")))
    drawn = first.detections.assign(label="", source="manual").astype({"source": SOURCE_DTYPE})
    require_face_label(first.replace(detections=drawn))
