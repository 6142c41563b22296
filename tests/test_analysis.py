"""The first pass: tracks, files, refusals, the sample's ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import redactkit as rk
from redactkit import boxes as bx
from redactkit.analysis import analyze, find_annotations
from redactkit.analysis.thumbnails import crop_face
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError, OutputExistsError, PassCancelled
from redactkit.tables import BOX, DETECTIONS
from tests.sample_clips import cut_sample


def blind(images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
    return [np.zeros((0, 5)) for _ in images]


def test_analyze_finding_nobody_keeps_the_columns(short_clip: Path, tmp_path: Path) -> None:
    annotations = analyze(short_clip, detector=blind, output=tmp_path / "out", progress=False)
    assert len(annotations.detections) == 0
    assert annotations.detections.dtypes.to_dict() == DETECTIONS
    assert rk.read_annotations(tmp_path / "out" / "short_annotations.json") == annotations


def test_analyze_covers_the_true_faces(short_clip: Path, short_truth: Annotations) -> None:
    found = analyze(short_clip, progress=False)
    inside = bx.clip(short_truth.detections[BOX].to_numpy(), width=640, height=360)
    seen = (inside[:, 2] >= 24) & (inside[:, 2] >= 0.5 * short_truth.detections["width"])
    frames = short_truth.detections["frame"].to_numpy()
    for frame in np.unique(frames[seen]):
        here = found.detections[found.detections["frame"] == frame]
        assert (bx.union_cover(inside[seen & (frames == frame)], here[BOX].to_numpy()) >= 0.7).all(), frame


def test_analyze_over_a_hard_cut_writes_nothing_suspicious(tmp_path: Path) -> None:
    clip = cut_sample(tmp_path / "cut.mp4", start=250, stop=300)
    analyze(clip, output=tmp_path, progress=False)
    report = rk.inspect(tmp_path / "cut_annotations.json")
    assert report.findings.empty, str(report)
    assert report.annotations.cuts.tolist() == [25]


def test_analyze_gives_the_same_table_twice_and_reads_back_equal(short_clip: Path, tmp_path: Path) -> None:
    first = analyze(short_clip, output=tmp_path, progress=False)
    again = analyze(short_clip, progress=False)
    assert first.detections.equals(again.detections)
    assert rk.read_annotations(tmp_path / "short_annotations.json").equals(first, tolerance=1e-6)


def test_analyze_numbers_faces_from_one_by_first_appearance(short_clip: Path) -> None:
    tracks = analyze(short_clip, progress=False).tracks
    assert tracks.index.to_list() == list(range(1, len(tracks) + 1))
    assert tracks["first_frame"].is_monotonic_increasing
    assert tracks["redact"].all()


def test_analyze_never_replaces_annotations_unasked(short_clip: Path, tmp_path: Path) -> None:
    old = tmp_path / "short_annotations.json"
    old.write_text("mine")
    with pytest.raises(OutputExistsError):
        analyze(short_clip, detector=blind, output=tmp_path, progress=False)
    assert old.read_text() == "mine"


def test_analyze_cancelled_leaves_no_annotations(short_clip: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done >= 20:
            raise PassCancelled("cancelled")

    with pytest.raises(PassCancelled):
        analyze(short_clip, detector=blind, output=tmp_path / "out", progress=stop)
    assert not list(tmp_path.rglob("*annotations.json"))


def test_analyze_refuses_an_unknown_sensitivity(short_clip: Path) -> None:
    with pytest.raises(OptionError, match="sensitivity"):
        analyze(short_clip, sensitivity="extreme", progress=False)


def test_find_annotations_names_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no such file is there; looked for at .*lobby_analysis"):
        find_annotations(tmp_path / "lobby.mp4")
    (tmp_path / "lobby.mp4").touch()
    with pytest.raises(AnnotationError, match="lobby_analysis"):
        find_annotations(tmp_path / "lobby.mp4")


def test_crop_face_of_a_box_outside_is_still_a_picture() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    assert crop_face(picture, np.array([50.0, 50.0, 5.0, 5.0])).size > 0
