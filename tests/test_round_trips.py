"""From every format that is written to every other: what both hold arrives, and only what the table names is lost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from redactkit.annotations import Annotations
from redactkit.formats import WRITABLE, read_annotations
from redactkit.formats.catalogue import FORMATS
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_detections
from tests.annotation_tools import SIZE, TOOLS, Row, zipped

NEAR = 1e-6
"""Pixels and seconds by which a box and its time may be off after two files: all write more digits than that."""

OF_BOXES = {
    "labels": ("label", None),
    "confidence": ("confidence", np.nan),
    "occlusion": ("occluded", False),
    "persons": ("person", ""),
    "source": ("source", "imported"),
}
"""What a file says of a box: its column, and the value where a format on the way does not hold it. A box without a
label may come back as a face, which it is."""

OF_FACES = {"decisions": ("redact", True), "names of faces": ("label", ""), "reasons": ("reason", "")}
"""What a file says of a face: likewise, in the decisions."""


@pytest.fixture(scope="module")
def truth(sample_media):
    return read_annotations(sample_media / "sample_truth_annotations.json")


@st.composite
def parts(draw):
    """Where to begin in the sample's truth, which of its faces to take, and what is said of them."""
    text = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=8)
    faces = draw(st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True))
    said = {
        face: {
            "redact": draw(st.booleans()),
            "label": draw(st.just("") | text),
            "reason": draw(st.just("") | text),
        }
        for face in faces
    }
    classes = {face: draw(st.sampled_from(["face", "person"])) for face in faces}
    persons = {face: draw(st.just("") | text) for face in faces}
    return draw(st.integers(0, 470)), said, classes, persons, draw(st.integers(1, 9))


def _part(truth: Annotations, drawn: tuple) -> Annotations:
    start, said, classes, persons, step = drawn
    rows = truth.detections
    rows = rows[rows["frame"].between(start, start + 12) & rows["face_id"].isin(list(said))].reset_index(drop=True)
    video = replace(truth.video, pts=truth.video.pts[:30], keyframes=truth.video.keyframes[:0])
    frames = rows["frame"].to_numpy() - start + 5  # frames without faces lie on both sides
    rows = rows.assign(
        frame=frames,
        time=video.times[frames],
        confidence=np.where(rows["frame"] % 2, 0.25, 0.875),
        source="detected",
        label=rows["face_id"].map(classes).astype(object),
        kind="",
        keyframe=False,
        occluded=(rows["frame"] // step) % 2 == 1,
        person=rows["face_id"].map(persons).astype(object),
    )
    present = {face: what for face, what in said.items() if face in set(rows["face_id"])}
    return truth.replace(
        video=video, cuts=[], detections=as_detections(rows), decisions=pd.DataFrame.from_dict(present, orient="index")
    )


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
@pytest.mark.parametrize("there", WRITABLE)
@settings(max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(drawn=parts())
def test_what_both_formats_hold_arrives_and_only_the_named_is_lost(there, drawn, truth, tmp_path_factory):
    pytest.importorskip("pyarrow")
    first = _part(truth, drawn)
    if first.detections.empty:
        return
    folder = Path(tmp_path_factory.mktemp("pair"))
    middle = read_annotations(first.to(there, folder / "a"), format=there, video=first.video)
    for back in WRITABLE:
        last = read_annotations(middle.to(back, folder / back), format=back, video=first.video)
        held = FORMATS[there].written & FORMATS[there].read & FORMATS[back].written & FORMATS[back].read
        _compare(first, last, held, back)


def _compare(first: Annotations, last: Annotations, held: set[str], back: str) -> None:
    before, after = first.detections, last.detections
    assert after[["frame", "face_id"]].equals(before[["frame", "face_id"]]), back
    assert np.abs(after[BOX].to_numpy() - before[BOX].to_numpy()).max() < NEAR, back
    assert np.abs(after["time"] - before["time"]).max() < NEAR, back
    for name, (column, lost) in OF_BOXES.items():
        if name in held:
            assert after[column].astype(object).equals(before[column].astype(object)), (back, name)
        elif lost is None:
            assert set(after[column]) <= {"", "face"}, (back, name)
        else:
            assert (after[column].isna() if lost != lost else after[column] == lost).all(), (back, name)
    for name, (column, lost) in OF_FACES.items():
        wanted = first.decisions[column] if name in held else [lost] * len(first.decisions)
        assert last.decisions[column].tolist() == list(wanted), (back, name)


@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
@pytest.mark.parametrize("make", [make for makers in TOOLS.values() for make in makers], ids=lambda make: make.__name__)
def test_what_other_tools_wrote_arrives_by_every_writer(make, tmp_path):
    pytest.importorskip("pyarrow")
    video = VideoInfo(None, *SIZE, Fraction(25), Fraction(1, 25), np.arange(6), digest="")
    rows = [Row(0, 1, 10, 20, 30, 40, "face"), Row(1, 1, 12, 20, 30, 40, "face"), Row(1, 2, 200, 9, 60, 80, "person")]
    files = make(rows, 6)
    (tmp_path / "their.zip").write_bytes(zipped(files))
    first = read_annotations(tmp_path / "their.zip", video=video)
    assert len(first.detections) >= len(rows)  # a box that is known by its time may be held for a frame more
    for back in WRITABLE:
        last = read_annotations(first.to(back, tmp_path / back), format=back, video=video)
        assert last.detections[["frame", "face_id"]].equals(first.detections[["frame", "face_id"]]), back
        assert np.abs(last.detections[BOX].to_numpy() - first.detections[BOX].to_numpy()).max() < NEAR, back
        if "labels" in FORMATS[back].written:
            wanted = first.detections["label"]
            # A box without a label may come back as a face, which it is.
            assert ((last.detections["label"] == wanted) | (wanted == "")).all(), back
