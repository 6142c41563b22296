"""The leak check: what it must catch, and what it must let pass."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.effects import HIDING_KINDS
from redactkit.errors import OptionError
from redactkit.formats import read_annotations
from redactkit.passes import redact
from redactkit.review import Review
from redactkit.runtime.files import report_path
from redactkit.tables import as_decisions, empty_detections
from redactkit.verification import VerificationReport, review_queue, verify
from redactkit.verification.detail import detail_score
from redactkit.verification.findings import longest_run
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


def test_detail_of_nothing_is_none() -> None:
    assert detail_score(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8)) == 0
    assert detail_score(np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)) == 0


def test_detail_tells_the_same_from_the_hidden() -> None:
    chance = np.random.default_rng(0)
    source = chance.integers(0, 255, (80, 80)).astype(np.uint8)
    assert detail_score(source, source) > 1
    assert detail_score(source, np.full_like(source, 90)) == 0
    assert detail_score(source, chance.integers(0, 255, (80, 80)).astype(np.uint8)) < 1


def test_longest_run_of_nothing_is_none() -> None:
    assert longest_run(np.array([]), np.array([])) == (0, 0.0)


def test_longest_run_counts_frames_and_seconds() -> None:
    frames = np.array([1, 2, 7, 8, 9, 20])
    assert longest_run(frames, frames / 10) == (3, pytest.approx(0.2))


@pytest.mark.parametrize("kind", HIDING_KINDS)
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


@pytest.mark.parametrize("chosen", [{"ids": [1, 3]}, {"include": pd.Index([1, 3])}])
def test_verify_catches_a_wrong_id_list(
    short_clip: Path, short_truth: Annotations, tmp_path: Path, chosen: dict
) -> None:
    output = redacted(short_clip, short_truth, tmp_path / "out.mp4", include=[3])
    report = checked(short_clip, output, short_truth, **chosen)
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


@pytest.fixture(scope="module")
def careless(short_clip: Path, short_truth: Annotations, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A redaction in which face 1 has no box in three frames."""
    folder = tmp_path_factory.mktemp("careless")
    return redacted(short_clip, without(short_truth, 1, range(30, 33)), folder / "out.mp4")


@pytest.fixture(scope="module")
def leaky(short_clip: Path, short_truth: Annotations, careless: Path) -> VerificationReport:
    return checked(short_clip, careless, short_truth)


@pytest.fixture(scope="module")
def overlooked(
    short_clip: Path, short_truth: Annotations, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Annotations, VerificationReport]:
    """Annotations that lack face 1, and what the check of their redaction finds."""
    blind = without(short_truth, 1, range(60))
    output = redacted(short_clip, blind, tmp_path_factory.mktemp("blind") / "out.mp4")
    return blind, checked(short_clip, output, blind)


def test_a_finding_says_what_where_and_how_long(leaky: VerificationReport) -> None:
    found = leaky.findings
    assert found.loc[1, ["what", "verdict", "face_id"]].tolist() == ["bare box", "exposed", 1]
    assert found.loc[1, ["first_frame", "last_frame", "frames"]].tolist() == [30, 32, 3]
    assert leaky.rows_of(1)["frame"].tolist() == [30, 31, 32]
    assert "bare box of face 1, 3 frames from 30" in str(leaky)


def test_findings_make_a_page_and_a_table(leaky: VerificationReport, tmp_path: Path) -> None:
    page = leaky.save_page(tmp_path / "page.html")
    assert page.read_text().count("data:image/jpeg") == 2 * len(leaky.findings)
    assert page.stat().st_mode & 0o077 == 0
    table = pd.read_csv(leaky.save_csv(tmp_path / "found.csv"))
    assert table["what"].tolist() == leaky.findings["what"].tolist()


def test_a_finding_that_is_hidden_is_a_new_face(
    short_clip: Path, overlooked: tuple[Annotations, VerificationReport], tmp_path: Path
) -> None:
    blind, report = overlooked
    assert report.findings.loc[1, "what"] == "unknown face"
    after = report.settle(blind, 1, "hide")
    new = (set(after.detections["face_id"]) - set(blind.detections["face_id"])).pop()
    assert after.decisions.loc[new, "redact"]
    again = checked(short_clip, redacted(short_clip, after, tmp_path / "out.mp4"), after)
    assert not len(again.leaks), str(again)


def test_what_was_called_no_face_is_never_asked_again(
    short_clip: Path, overlooked: tuple[Annotations, VerificationReport], tmp_path: Path
) -> None:
    blind, report = overlooked
    after = blind
    for number in report.findings.index:
        after = report.settle(after, number, "no face")
    saved = read_annotations(after.to("azure", tmp_path / "said.json"))
    assert checked(short_clip, report.redacted, saved).verdict == "clean"
    assert "discarded track" not in set(review_queue(saved)["reason"])


def test_a_finding_in_a_review_can_be_undone(
    short_clip: Path, overlooked: tuple[Annotations, VerificationReport]
) -> None:
    blind, report = overlooked
    review = Review(blind)
    report.settle(review, 1, "leave visible")
    assert len(review.detections) > len(blind.detections)
    assert not review.decisions["redact"].iloc[-1]
    review.undo()
    assert len(review.detections) == len(blind.detections)


def test_settle_refuses_what_means_nothing(leaky: VerificationReport, short_truth: Annotations) -> None:
    with pytest.raises(OptionError, match="finding must be 1 to"):
        leaky.settle(short_truth, 99, "hide")
    with pytest.raises(OptionError, match="action must be one of"):
        leaky.settle(short_truth, 1, "forget")  # type: ignore[arg-type]


def test_verify_takes_the_selection_from_the_report(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    output = redacted(short_clip, short_truth, tmp_path / "out.mp4", exclude=[1])
    assert checked(short_clip, output, short_truth).verdict == "clean"
    assert checked(short_clip, output, short_truth, exclude=[3]).verdict == "exposed"
    report_path(output).unlink()
    assert checked(short_clip, output, short_truth).verdict == "exposed"
    assert checked(short_clip, output, short_truth, exclude=1).verdict == "clean"


def test_redact_checks_what_it_wrote(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    report = redact(short_clip, short_truth, output=tmp_path / "out.mp4", check=True, progress=False)
    assert report.check is not None and report.check.verdict == "clean"
    assert report.ok
    assert json.loads(report.path.read_text())["verification"]["verdict"] == "clean"
