"""Detectors of plates and other things, from model files: layouts of outputs, and a tiny network end to end."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

import redactkit as rk
from redactkit.cli import main
from redactkit.cli.options import add_object_detectors
from redactkit.detectors.centerface import bundled_weights
from redactkit.detectors.object_outputs import decode_outputs
from redactkit.detectors.objects import ObjectDetector, ObjectModel, as_detectors
from redactkit.errors import DetectorError, OptionError
from tests.red_objects import make_red_clip, red_finder, red_onnx


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
        ("ssd_lists", [CORNERS, np.array([0.9, 0.1]), np.array([1, 1])]),
        ("ssd_lists", [CORNERS[None] / 100, np.array([[1, 1]]), np.array([[0.9, 0.1]])]),
        ("ssd_tensorflow", [CORNERS[None][..., [1, 0, 3, 2]] / 100, np.ones((1, 2)), np.array([[0.9, 0.1]]), [2.0]]),
    ],
)
def test_each_layout_gives_the_same_boxes(output, arrays):
    arrays = [np.asarray(each) for each in arrays]
    found = decode_outputs(arrays, output, size=(100, 100))
    assert np.allclose(found, [[40, 35, 20, 10, 0.9]])
    chosen = decode_outputs(arrays, output, classes=2 if output == "ssd" else 1, size=(100, 100))
    assert np.allclose(chosen, found)
    none = decode_outputs(arrays, output, classes=[7], size=(100, 100))
    assert none.shape == (0, 5)


def test_layouts_are_told_apart_by_their_shapes_or_refused():
    many = {"yolov8": [(1, 6, 300)], "yolov5": [(1, 300, 8)], "ssd": [(1, 300, 4), (1, 300, 2)]}
    for shapes in [*many.values(), [(1, 1, 200, 7)]]:
        decode_outputs([np.zeros(shape) for shape in shapes], size=(100, 100))
    for shapes in ([(1, 300, 6)], [(1, 10)], [(1, 9, 4), (1, 9), (1, 9)], []):
        with pytest.raises(DetectorError, match="do not say how its boxes are laid out"):
            decode_outputs([np.zeros(shape) for shape in shapes], size=(100, 100))


def test_one_class_of_yolov5_is_known_by_its_rows():
    table = np.zeros((1, 25200, 6))
    table[0, 7] = [100, 100, 40, 20, 0.9, 1.0]
    assert np.allclose(decode_outputs([table], size=(640, 640)), [[80, 90, 40, 20, 0.9]])
    with pytest.raises(DetectorError, match="do not say"):
        decode_outputs([table[:, :300]], size=(640, 640))


def test_values_that_are_no_confidences_are_refused():
    with pytest.raises(DetectorError, match="no confidences from 0 to 1"):
        decode_outputs([np.full((1, 5, 50), 7.0)], size=(100, 100))
    with pytest.raises(DetectorError, match="are not those of ssd"):
        decode_outputs([np.zeros((1, 5, 50))], "ssd", size=(100, 100))
    with pytest.raises(DetectorError, match="are not those of ssd_lists"):
        decode_outputs([CORNERS, np.array([0.9, 0.1]), np.array([0.5, 0.5])], "ssd_lists", size=(100, 100))


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


@pytest.mark.parametrize("layout", ["yolov8", "yolov5", "ssd", "ssd_tensorflow"])
def test_onnx_files_of_each_style_are_told_apart_and_find_the_same(tmp_path, layout):
    find = ObjectDetector(ObjectModel(red_onnx(tmp_path / "red.onnx", layout=layout), threshold=0.5))
    found = find([picture_with_red(300, 100)])[0]
    middle = found[0, :2] + found[0, 2:4] / 2
    assert np.abs(middle - [324, 124]).max() < 34


def test_command_finds_and_hides_with_an_onnx_file(red_clip, tmp_path, capsys):
    red_onnx(tmp_path / "red.onnx", layout="yolov5")
    given = ["--detect", f"plate={tmp_path / 'red.onnx'},output=yolov5,classes=0,threshold=0.3", "--quiet"]
    assert main(["combined", str(red_clip), "-o", str(tmp_path / "out.mp4"), "--blur", "Black", *given]) == 0
    assert "1 of 1 objects hidden" in capsys.readouterr().out


def test_what_is_said_about_a_model_on_the_command_line_is_read():
    parser = argparse.ArgumentParser()
    add_object_detectors(parser)
    given = ["--detect", "plate=a,b.onnx", "--detect", "sign=b.onnx,classes=0+2,size=640x384,reverse_channels=yes"]
    plain, told = parser.parse_args(given).detectors
    assert plain == ("plate", "a,b.onnx")
    assert told == ("sign", ObjectModel("b.onnx", classes=[0, 2], size=(640, 384), reverse_channels=True))
    for wrong in ("plate=b.onnx,output=rcnn", "plate=b.onnx,classes=x", "plate=,output=ssd"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--detect", wrong])
