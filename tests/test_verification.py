"""The leak check: what it must catch, and what it must let pass."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.redaction import redact
from redactkit.tables import as_decisions, empty_detections
from redactkit.verification import VerificationReport, review_queue, verify
from redactkit.verification.coverage import shared_detail
from redactkit.verification.report import longest_run
from redactkit.video import VideoReader, VideoWriter, probe

pytestmark = pytest.mark.slow


def redacted(clip: Path, annotations: Annotations, output: Path, **options: object) -> Path:
    return redact(clip, annotations, output=output, progress=False, **options).output  # type: ignore[arg-type]


def checked(clip: Path, output: Path, annotations: Annotations, **options: object) -> VerificationReport:
    return verify(clip, output, annotations, detection_size=320, progress=False, **options)  # type: ignore[arg-type]


def without(annotations: Annotations, face: int, frames: range) -> Annotations:
    rows = annotations.detections
    gone = (rows["face_id"] == face) & rows["frame"].isin(list(frames))
    return annotations.replace(detections=rows[~gone].reset_index(drop=True))


def test_shared_detail_of_no_box_is_empty() -> None:
    picture = np.zeros((40, 40), np.uint8)
    assert shared_detail(picture, picture, np.zeros((0, 4))).shape == (0,)


def test_shared_detail_tells_the_same_from_the_hidden() -> None:
    chance = np.random.default_rng(0)
    source = chance.integers(0, 255, (80, 80)).astype(np.uint8)
    hidden = np.full_like(source, 90)
    box = np.array([[10.0, 10.0, 60.0, 60.0]])
    assert shared_detail(source, source, box)[0] > 0.99
    assert shared_detail(source, hidden, box)[0] < 0.1


def test_longest_run_of_nothing_is_none() -> None:
    assert longest_run(np.array([]), np.array([])) == (0, 0.0)


def test_longest_run_counts_frames_and_seconds() -> None:
    frames = np.array([1, 2, 7, 8, 9, 20])
    assert longest_run(frames, frames / 10) == (3, pytest.approx(0.2))


@pytest.mark.parametrize("kind", ["Med", "High", "Pixelate", "Fill", "Black"])
def test_verify_passes_a_good_one(short_clip: Path, short_truth: Annotations, tmp_path: Path, kind: str) -> None:
    output = redacted(short_clip, short_truth, tmp_path / "out.mp4", blur=kind)
    report = checked(short_clip, output, short_truth)
    assert report.verdict == "clean", str(report)
    assert report.frames == 60


def test_verify_catches_a_box_that_is_missing_for_three_frames(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    output = redacted(short_clip, without(short_truth, 1, range(30, 33)), tmp_path / "out.mp4")
    report = checked(short_clip, output, short_truth.replace(video=probe(short_clip)))
    assert report.verdict == "exposed"
    assert report.bare["frame"].tolist() == [30, 31, 32]
    assert report.faces.loc[1, "longest"] == 3
    assert report.longest_exposure[0] == 3


def test_verify_catches_a_wrong_id_list(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    output = redacted(short_clip, short_truth, tmp_path / "out.mp4", include=[3])
    report = checked(short_clip, output, short_truth, ids=[1, 3])
    assert report.verdict == "exposed"
    assert report.faces.loc[1, "bare"] > 50
    assert report.faces.loc[3, "bare"] == 0


def test_verify_leaves_a_visible_face_in_peace(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    decided = short_truth.replace(decisions=as_decisions({1: {"redact": False}}))
    output = redacted(short_clip, decided, tmp_path / "out.mp4")
    report = checked(short_clip, output, decided)
    assert report.verdict == "clean", str(report)
    assert 1 not in report.faces.index


def test_verify_catches_a_shifted_timestamp(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    output = redacted(short_clip, short_truth, tmp_path / "out.mp4")
    info = probe(output)
    with VideoReader(output) as reader, VideoWriter(tmp_path / "late.mp4", info) as writer:
        for frame in reader.frames():
            writer.write(frame.picture, frame.pts + (200 if frame.index == 30 else 0))
    report = checked(short_clip, tmp_path / "late.mp4", short_truth)
    assert report.verdict == "broken"
    assert not report.fidelity.set_index("check").loc["timestamps", "ok"]


def test_verify_catches_a_face_the_analysis_never_found(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    blind = without(short_truth, 1, range(60))
    output = redacted(short_clip, blind, tmp_path / "out.mp4")
    report = checked(short_clip, output, blind)
    assert report.verdict == "exposed"
    assert report.leaks.loc[report.leaks["sure"], "frame"].nunique() > 50


def test_verify_never_calls_an_empty_analysis_a_success(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    empty = short_truth.replace(detections=empty_detections(), decisions=as_decisions({}))
    blank = redacted(short_clip, short_truth, tmp_path / "out.mp4", blur="Black")
    report = checked(short_clip, blank, empty)
    assert report.verdict in ("unproven", "exposed")
    assert not report.ok


def test_review_queue_puts_what_is_bare_first(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    assert "leak" not in set(review_queue(short_truth)["reason"])
    output = redacted(short_clip, without(short_truth, 1, range(30, 33)), tmp_path / "out.mp4")
    first = review_queue(short_truth, check=checked(short_clip, output, short_truth)).iloc[0]
    assert (first["reason"], first["face_id"], first["frame"], first["frames"]) == ("leak", 1, 30, 3)


def test_attach_puts_the_verdict_into_the_redaction_report(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    output = redacted(short_clip, short_truth, tmp_path / "out.mp4", blur="Black")
    path = checked(short_clip, output, short_truth).attach()
    assert path is not None
    saved = json.loads(path.read_text())
    assert saved["verification"]["verdict"] == "clean"
    assert saved["ok"] is True
    output.write_bytes(output.read_bytes() + b"changed")
    assert checked(short_clip, output, short_truth).attach() is None


def test_report_shows_itself(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    output = redacted(short_clip, without(short_truth, 1, range(30, 33)), tmp_path / "out<b>.mp4")
    report = checked(short_clip, output, short_truth)
    assert json.loads(report.to_json())["verdict"] == "exposed"
    assert "out<b>" not in report._repr_html_()
    assert len(report.contact_sheet(count=3).axes) == 4
