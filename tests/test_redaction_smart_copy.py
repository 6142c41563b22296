from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.formats import write_annotations
from redactkit.redaction import read_report, redact
from redactkit.tables import as_decisions, as_detections
from redactkit.video import VideoReader, plane_views, probe
from tests.clips import Clip, make

FRAMES = range(13, 17)  # of the second of four groups


@pytest.fixture
def source(tmp_path: Path) -> Path:
    clip = Clip(frames=48, audio=["aac"], options={"g": "12", "bf": "2", "x264-params": "scenecut=0"})
    return make(tmp_path / "lobby.mp4", clip)


@pytest.fixture
def annotations(source: Path) -> Annotations:
    info = probe(source)
    rows = {"frame": list(FRAMES), "face_id": 1, "x": 40.0, "y": 40.0, "width": 30.0, "height": 30.0}
    detections = as_detections({**rows, "time": info.times[list(FRAMES)]})
    return Annotations(
        video=info,
        detections=detections,
        decisions=as_decisions({}, faces=[1]),
        discarded=as_detections({}),
        cuts=np.zeros(0, np.int64),
        settings={},
    )


def brightness(path: Path) -> list[np.ndarray]:
    with VideoReader(path) as reader:
        return [plane_views(frame.picture)[0].copy() for frame in reader.frames()]


def test_redact_copies_groups_without_a_hidden_box(source: Path, annotations: Annotations, tmp_path: Path) -> None:
    report = redact(source, annotations, output=tmp_path / "out.mp4", blur="Black", progress=False)
    assert report.ok, report.fidelity
    assert read_report(report.path)["copied_frames"] == [[0, 12], [24, 48]]
    assert "36 of 48 frames copied bit for bit" in report.notes
    before, after = brightness(source), brightness(report.output)
    same = [number for number in range(48) if np.array_equal(before[number], after[number])]
    assert same == [*range(12), *range(24, 48)]
    assert all(after[number][45:65, 45:65].max() < 40 for number in FRAMES)


def test_redact_encodes_everything_when_asked(source: Path, annotations: Annotations, tmp_path: Path) -> None:
    report = redact(source, annotations, output=tmp_path / "out.mp4", smart_copy=False, progress=False)
    assert report.ok and report.record["copied_frames"] == [] and report.settings["smart_copy"] is False
    assert not any(np.array_equal(*pair) for pair in zip(brightness(source), brightness(report.output), strict=True))


def test_redact_by_smart_copy_hides_what_encoding_everything_hides(
    source: Path, annotations: Annotations, tmp_path: Path
) -> None:
    options = {"blur": "Pixelate", "crf": 1, "progress": False}
    smart = redact(source, annotations, output=tmp_path / "smart.mp4", **options)
    whole = redact(source, annotations, output=tmp_path / "whole.mp4", smart_copy=False, **options)
    pairs = zip(brightness(smart.output), brightness(whole.output), strict=True)
    assert max(np.abs(a.astype(int) - b).max() for a, b in pairs) <= 12


def test_command_line_turns_smart_copy_off(source: Path, annotations: Annotations, tmp_path: Path) -> None:
    write_annotations(annotations, tmp_path / "faces.json")
    command = ["redact", str(source), "--annotations", str(tmp_path / "faces.json"), "--quiet"]
    assert main([*command, "-o", str(tmp_path / "smart.mp4")]) == 0
    assert main([*command, "-o", str(tmp_path / "whole.mp4"), "--no-smart-copy"]) == 0
    reports = [read_report(tmp_path / f"{name}.report.json")["copied_frames"] for name in ("smart", "whole")]
    assert reports == [[[0, 12], [24, 48]], []]
