"""Boxes chosen by a condition: what plain comparisons choose, and that nothing else runs."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import OptionError
from redactkit.formats import query, read_annotations
from redactkit.media import VideoInfo
from redactkit.tables import as_detections, empty_detections

VIDEO = VideoInfo(None, 320, 240, Fraction(1), Fraction(1), np.arange(10), digest="")


@pytest.fixture
def annotations():
    rows = {
        "frame": [0, 4, 0, 1, 2],
        "face_id": [1, 1, 2, 2, 3],
        "x": [0, 10, 20, 30, 40],
        "y": 5,
        "width": [10, 20, 30, 40, 50],
        "height": 10,
        "label": ["", "", "face", "face", "person"],
        "occluded": [False, True, False, False, False],
    }
    table = as_detections(rows)
    decisions = {1: {"redact": False, "label": "a guest"}}
    return Annotations(VIDEO, table.assign(time=table["frame"].astype(float)), decisions=decisions)


def test_no_boxes_stay_no_boxes():
    empty = Annotations(VIDEO, empty_detections())
    assert query(empty, "duration > 2").detections.empty


@pytest.mark.parametrize(
    ("condition", "faces"),
    [
        ("label == 'face' and duration > 2", [1, 1]),
        ("label == 'face'", [1, 1, 2, 2]),
        ("label in ['face', 'person'] and not (width < 30)", [2, 2, 3]),
        ("1 < frames and x + width >= 30", [1, 2, 2]),
        ("width * height > 200 or redact == False", [1, 1, 2, 2, 3]),
        ("occluded", [1]),
        ("face_label != ''", [1, 1]),
        ("face_id not in (1, 2)", [3]),
        ("source == 'imported' and x > -1", [1, 1, 2, 2, 3]),
    ],
)
def test_boxes_are_chosen_by_their_columns_and_those_of_their_track(annotations, condition, faces):
    chosen = query(annotations, condition)
    assert sorted(chosen.detections["face_id"]) == faces
    assert chosen.decisions.index.tolist() == sorted(set(faces))
    assert annotations.query(condition) == chosen


@pytest.mark.parametrize(
    "condition",
    [
        "@annotations",
        "duration > @x",
        "x.__class__.__mro__ == 1",
        "__import__('os').system('true') == 0",
        "label.str.len() > 2",
        "`face_id` > 1",
        "sin(x) > 0",
        "[face for face in x] == 1",
        "(lambda: 1)() == 1",
        "x = 5",
        "x := 5",
        "f'{x}' == 'a'",
        "label * 100000000 == 'a'",
        "'a' * 100000000 == label",
        "9 ** 9 ** 9 > x",
        "x[0] > 1",
        "x & 1",
        "width",
        "'face'",
        "nobody > 2",
        "label > 2",
        "duration > 1000",
        "",
        "(" * 500,
        "x > 1 or " * 1000 + "x > 1",
        "None == x",
        "x > b'1'",
    ],
)
def test_anything_but_a_comparison_is_refused(annotations, condition):
    with pytest.raises(OptionError):
        query(annotations, condition)


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
def test_convert_takes_a_condition(annotations, tmp_path, capsys):
    path = annotations.to("csv", tmp_path / "a.csv")
    command = ["convert", str(path), str(tmp_path / "b.csv"), "--to", "csv", "--query"]
    assert main([*command, "duration > 2"]) == 0
    assert set(read_annotations(tmp_path / "b.csv").detections["face_id"]) == {1}
    assert main([*command, "x.size > 2", "--overwrite"]) == 1
    assert "no comparison" in capsys.readouterr().err
    again = annotations.to("csv", tmp_path / "c.csv", query="duration > 2")
    assert again.read_bytes() == (tmp_path / "b.csv").read_bytes()
