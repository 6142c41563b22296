"""Detectors of plates and other things, from model files: layouts of outputs, and a tiny network end to end."""

from __future__ import annotations

import numpy as np
import pytest

import redactkit as rk
from redactkit.cli import main
from redactkit.detectors.centerface import bundled_weights
from redactkit.detectors.objects import ObjectDetector, ObjectModel, as_detectors, decode_objects
from redactkit.errors import DetectorError, OptionError
from tests.red_objects import make_red_clip, red_finder


def picture_with_red(x, y, *, width=640, height=360, side=48):
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[y : y + side, x : x + side] = (250, 10, 10)
    return picture


def test_no_object_is_an_empty_table(tmp_path):
    find = ObjectDetector(red_finder(tmp_path / "red.xml"))
    assert find([np.full((90, 160, 3), 90, np.uint8)])[0].shape == (0, 5)
    assert find([]) == []


def test_objects_are_found_where_they_are_in_a_picture_of_another_shape(tmp_path):
    find = ObjectDetector(ObjectModel(red_finder(tmp_path / "red.xml"), threshold=0.5))
    for x, y in [(0, 0), (300, 100), (590, 310)]:
        found = find([picture_with_red(x, y)])[0]
        middle = found[0, :2] + found[0, 2:4] / 2
        assert np.abs(middle - [x + 24, y + 24]).max() < 34
        assert len(find.digest) == 64


YOLO = np.array([[50, 40, 20, 10], [80, 20, 10, 10]], float)
CORNERS = np.array([[40, 35, 60, 45], [75, 15, 85, 25]], float)


@pytest.mark.parametrize(
    ("output", "arrays"),
    [
        ("yolov8", [np.hstack([YOLO, [[0.1, 0.9], [0.1, 0.05]]]).T[None]]),
        ("yolov5", [np.hstack([YOLO, [[0.9, 0.1, 1.0], [0.2, 0.1, 0.3]]])[None]]),
        ("yolo_end_to_end", [np.hstack([CORNERS, [[0.9, 1], [0.05, 0]]])[None]]),
        ("ssd", [CORNERS[None] / 100, np.array([[[0.0, 0.1, 0.9], [0.9, 0.05, 0.1]]])]),
        ("ssd_detections", [np.hstack([[[0, 1, 0.9], [0, 1, 0.1]], CORNERS / 100])[None, None]]),
    ],
)
def test_each_layout_gives_the_same_boxes(output, arrays):
    model = ObjectModel("a.onnx", output=output)
    found = decode_objects(arrays, model, size=(100, 100))
    assert np.allclose(found, [[40, 35, 20, 10, 0.9]])
    number = 2 if output == "ssd" else 1
    chosen = decode_objects(arrays, ObjectModel("a.onnx", output=output, classes=number), size=(100, 100))
    assert np.allclose(chosen, found)
    none = decode_objects(arrays, ObjectModel("a.onnx", output=output, classes=[7]), size=(100, 100))
    assert none.shape == (0, 5)


def test_layouts_are_told_apart_by_their_shapes_or_refused():
    many = {"yolov8": [(1, 6, 300)], "yolov5": [(1, 300, 8)], "ssd": [(1, 300, 4), (1, 300, 2)]}
    for shapes in [*many.values(), [(1, 1, 200, 7)]]:
        decode_objects([np.zeros(shape) for shape in shapes], ObjectModel("a"), size=(100, 100))
    for shapes in ([(1, 300, 6)], [(1, 10)], []):
        with pytest.raises(DetectorError, match="do not say how its boxes are laid out"):
            decode_objects([np.zeros(shape) for shape in shapes], ObjectModel("a"), size=(100, 100))


def test_values_that_are_no_confidences_are_refused():
    with pytest.raises(DetectorError, match="no confidences from 0 to 1"):
        decode_objects([np.full((1, 5, 50), 7.0)], ObjectModel("a"), size=(100, 100))
    with pytest.raises(DetectorError, match="are not those of ssd"):
        decode_objects([np.zeros((1, 5, 50))], ObjectModel("a", output="ssd"), size=(100, 100))


def test_files_that_are_no_such_model_are_refused(tmp_path):
    with pytest.raises(DetectorError, match="cannot be read"):
        ObjectDetector(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(DetectorError, match="is no model that can be read"):
        ObjectDetector(tmp_path / "text.onnx")
    with pytest.raises(OptionError, match="must be a model file"):
        as_detectors({"plate": 3})
    with pytest.raises(OptionError, match="output must be one of"):
        ObjectModel("a.onnx", output="rcnn")


def test_an_onnx_file_is_read_and_what_it_finds_is_no_box(tmp_path):
    (tmp_path / "face.onnx").write_bytes(bundled_weights())
    find = ObjectDetector(ObjectModel(tmp_path / "face.onnx", size=(64, 64)))
    with pytest.raises(DetectorError, match=r"face\.onnx do not say how its boxes"):
        find([np.zeros((64, 64, 3), np.uint8)])


@pytest.fixture(scope="module")
def red_clip(tmp_path_factory):
    """A second of a red square that moves, as a plate would."""
    return make_red_clip(tmp_path_factory.mktemp("red") / "red.mp4")


def test_plates_are_found_tracked_hidden_and_checked(red_clip, tmp_path):
    model = ObjectModel(red_finder(tmp_path / "red.xml"), threshold=0.3)
    found = rk.analyze(red_clip, detectors={"Plate": model}, same_person=False, progress=False)
    assert found.tracks["kind"].tolist() == ["plate"]
    rows = found.detections
    assert rows["frame"].nunique() == 25
    middle = rows["x"] + rows["width"] / 2
    assert np.abs(middle - (124 + 6 * rows["frame"])).max() < 34
    assert len(found.settings["object_detectors"]["plate"]["sha256"]) == 64
    again = rk.read_annotations(found.to("azure", tmp_path / "a.json"))
    assert again.tracks["kind"].tolist() == ["plate"]
    report = rk.redact(red_clip, found, blur="Black", output=tmp_path / "out.mp4", progress=False)
    assert report.ok
    assert "1 of 1 objects hidden" in str(report)


def test_command_takes_a_detector_for_a_kind(red_clip, tmp_path, capsys):
    red_finder(tmp_path / "red.xml")
    given = ["--detect", f"plate={tmp_path / 'red.xml'}", "--no-same-person", "--quiet"]
    assert main(["analyze", str(red_clip), "-o", str(tmp_path / "out"), *given]) == 0
    assert "1 objects" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["analyze", str(red_clip), "--detect", "plates.onnx"])
