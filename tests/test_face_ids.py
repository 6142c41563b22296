"""Faces are named in any form wherever they are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.formats import read_ids, write_ids
from redactkit.passes import redact, run_preset
from redactkit.review import Review
from redactkit.tables import as_detections
from redactkit.verification import verify
from redactkit.video import probe
from tests.clips import Clip, make

FORMS = {
    "one": lambda: 2,
    "one of NumPy": lambda: np.int64(2),
    "list": lambda: [2],
    "tuple": lambda: (2,),
    "set": lambda: {2},
    "keys": lambda: {2: "a"}.keys(),
    "generator": lambda: (face for face in [2]),
    "array": lambda: np.array([2], np.int32),
    "Series": lambda: pd.Series([2]),
    "Index": lambda: pd.Index([2]),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clips") / "lobby.mp4", Clip(frames=5))


@pytest.fixture(scope="module")
def two_faces(clip: Path) -> Annotations:
    """Faces 0 and 2 in each of five frames."""
    rows = {"frame": [*range(5)] * 2, "face_id": [0] * 5 + [2] * 5, "x": [10.0] * 5 + [90.0] * 5}
    return Annotations(probe(clip), as_detections({**rows, "y": 20.0, "width": 30.0, "height": 40.0}))


def blind(images: Any) -> list[Any]:
    return [np.zeros((0, 5)) for _ in images]


@pytest.mark.parametrize("form", FORMS)
def test_a_review_takes_faces_in_any_form(two_faces, form):
    give = FORMS[form]
    review = Review(two_faces)
    review.select(give())
    assert review.selected_ids == [2]
    review.decide(give(), redact=False)
    assert review.selected_ids == []
    review.expand_boxes(pixels=2, faces=give())
    assert review.box_of(2) == [88.0, 18.0, 34.0, 44.0] and review.box_of(0) == [10.0, 20.0, 30.0, 40.0]
    review.delete_boxes(faces=give(), start=0, stop=5)
    assert review.detections["face_id"].unique().tolist() == [0]


@pytest.mark.parametrize("form", FORMS)
def test_faces_marked_for_a_merge_come_in_any_form(two_faces, form):
    review = Review(two_faces)
    review.marked = FORMS[form]()
    assert review.marked == (2,)
    review.current_face = two_faces.tracks.index[1]
    assert review.current_face == 2


def test_an_array_of_zero_names_face_0(two_faces, tmp_path):
    review = Review(two_faces)
    review.select(np.array([0]))
    assert review.selected_ids == [0]
    assert two_faces.select(np.array([0])).selected_ids == [0]
    assert read_ids(write_ids(tmp_path / "a_IDList.txt", np.array([0]))) == [0]


@pytest.mark.parametrize("wrong", ["2", 2.0, [2.0], True, None, np.array([True, False])])
def test_what_names_no_face_is_refused_by_review_and_redact(clip, two_faces, wrong, tmp_path):
    with pytest.raises(OptionError, match="whole numbers"):
        Review(two_faces).decide(wrong, redact=False)
    if wrong is not None:
        with pytest.raises(OptionError, match="whole numbers"):
            redact(clip, two_faces, output=tmp_path / "a.mp4", exclude=wrong, progress=False)


@pytest.mark.parametrize("form", ["one", "array", "Index"])
def test_every_pass_takes_faces_in_any_form(clip, two_faces, form, tmp_path):
    give = FORMS[form]
    for name, hidden in (("ids", [2]), ("include", [2]), ("exclude", [0])):
        output = tmp_path / f"{name}.mp4"
        report = redact(clip, two_faces, output=output, progress=False, **{name: give()})
        assert report.faces.index[report.faces["redact"]].tolist() == hidden
        checked = verify(clip, output, two_faces, detector=blind, progress=False, **{name: give()})
        assert checked.settings["faces"] == hidden


def test_a_preset_takes_faces_as_numbers_too(clip, two_faces, tmp_path):
    file = two_faces.to("azure", tmp_path / "a.json")
    job = {"version": "1.0", "options": {"mode": "redact"}}
    report = run_preset(clip, job, output=tmp_path / "out", annotations=file, ids=np.array([0]), progress=False)
    assert report.faces.index[report.faces["redact"]].tolist() == [0]
