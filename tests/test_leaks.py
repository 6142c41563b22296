"""Leaks planted in the picture: weak, partial and mirrored painting, and what only looks like one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.boxes import expand
from redactkit.cli import main
from redactkit.errors import MismatchError, OutputExistsError
from redactkit.passes import redact
from redactkit.redaction import make_plan
from redactkit.redaction.preview import Preview
from redactkit.runtime.files import check_path, report_path
from redactkit.tables import empty_detections
from redactkit.verification import VerificationReport, read_check, save_check, verify
from redactkit.verification.findings import UNLIKE
from redactkit.verification.pairs import pair_frames
from redactkit.video import VideoReader, VideoWriter, WriterOptions, plane_views, probe
from tests.sample_clips import cut_sample, sample_truth

pytestmark = pytest.mark.slow

FRAMES = 24
FACE = 1
Paint = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def mosaic(old: np.ndarray, new: np.ndarray, number: int) -> np.ndarray:
    small = cv2.resize(old, (8, 8), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, old.shape[::-1], interpolation=cv2.INTER_NEAREST))


def half(old: np.ndarray, new: np.ndarray, number: int) -> np.ndarray:
    return np.hstack([old[:, : old.shape[1] // 2], new[:, old.shape[1] // 2 :]])


def eyes(old: np.ndarray, new: np.ndarray, number: int) -> np.ndarray:
    height, width = old.shape
    strip = slice(round(height * 0.36), round(height * 0.52)), slice(round(width * 0.22), round(width * 0.78))
    new[strip] = old[strip]
    return new


def smaller(old: np.ndarray, new: np.ndarray, number: int) -> np.ndarray:
    height, width = (side // 2 for side in old.shape)
    new[height // 2 :][:height, width // 2 :][:, :width] = cv2.resize(old, (width, height))
    return new


PAINTS: dict[str, Paint] = {
    "a mosaic of 8 cells": mosaic,
    "Gaussian": lambda old, new, number: cv2.GaussianBlur(old, (0, 0), max(old.shape) / 24),
    "half bare": half,
    "mirrored": lambda old, new, number: np.ascontiguousarray(old[:, ::-1]),
    "colour left": lambda old, new, number: old if number else new,
    "shines through": lambda old, new, number: cv2.addWeighted(old, 0.5, new, 0.5, 0),
    "bare": lambda old, new, number: old,
    "upside down": lambda old, new, number: np.ascontiguousarray(old[::-1]),
    "shines through faintly": lambda old, new, number: cv2.addWeighted(old, 0.2, new, 0.8, 0),
    "eyes": eyes,
    "a smaller copy": smaller,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut_sample(tmp_path_factory.mktemp("leaks") / "clip.mp4", stop=FRAMES)


@pytest.fixture(scope="module")
def truth(clip: Path) -> Annotations:
    return sample_truth(clip)


def planted(
    clip: Path,
    truth: Annotations,
    path: Path,
    paint: Paint,
    frames: range,
    *,
    kind: str = "Med",
    crf: float | None = None,
) -> Path:
    """Write a good redaction in which one face is painted otherwise in some frames; no report stands beside it."""
    info = truth.video
    plan = make_plan(truth.detections, info, faces=truth.selected_ids)
    rows = truth.detections
    mine = rows[rows["face_id"] == FACE].set_index("frame")
    with VideoReader(clip, info=info) as reader, VideoWriter(path, info, WriterOptions(crf=crf)) as writer:
        preview = Preview(reader, plan, kind=kind)
        for index in range(info.frame_count):
            shown = preview.frame_at(index)
            if index in frames:
                box = expand(mine.loc[[index], ["x", "y", "width", "height"]].to_numpy(), share=0.15)[0]
                source = plane_views(reader.frame_at(index).picture)
                for number, (old, new) in enumerate(zip(source, plane_views(shown.picture), strict=True)):
                    left, top, wide, high = (round(side) >> (number > 0) for side in box.tolist())
                    part = slice(max(0, top), top + high), slice(max(0, left), left + wide)
                    new[part] = paint(old[part].copy(), new[part].copy(), number)
            writer.write(shown.picture, shown.pts)
    return path


def checked(clip: Path, output: Path, truth: Annotations) -> VerificationReport:
    return verify(clip, output, truth, detection_size=320, progress=False)


@pytest.mark.parametrize("name", PAINTS)
def test_painting_that_keeps_something_of_the_face_is_caught(
    clip: Path, truth: Annotations, tmp_path: Path, name: str
) -> None:
    output = planted(clip, truth, tmp_path / "out.mp4", PAINTS[name], range(10, 13))
    report = checked(clip, output, truth)
    assert report.settings["blur"] == "Med"
    found = report.findings
    assert (found["face_id"] == FACE).all()
    assert (found["first_frame"].min(), found["last_frame"].max()) == (10, 12), str(report)
    assert report.verdict == "exposed"


def test_a_box_that_is_hidden_unlike_all_others_is_to_be_looked_at(
    clip: Path, truth: Annotations, tmp_path: Path
) -> None:
    def drawn(old: np.ndarray, new: np.ndarray, number: int) -> np.ndarray:
        return new if number else np.asarray(cv2.Canny(old, 60, 120))

    report = checked(clip, planted(clip, truth, tmp_path / "out.mp4", drawn, range(10, 13)), truth)
    found = report.findings[report.findings["face_id"] == FACE]
    assert found["what"].tolist() == [UNLIKE], str(report)
    assert report.verdict == "to be looked at"
    assert not report.summary()["bare_boxes"] and not report.faces["bare"].any()


def test_one_bare_frame_of_a_video_encoded_elsewhere_is_caught(clip: Path, truth: Annotations, tmp_path: Path) -> None:
    output = planted(clip, truth, tmp_path / "out.mp4", PAINTS["bare"], range(9, 10), kind="Pixelate", crf=30)
    report = checked(clip, output, truth)
    assert report.settings["blur"] == "Pixelate"
    assert report.bare["frame"].tolist() == [9]


@pytest.mark.parametrize("kind", ["High", "Fill", "Black"])
def test_a_good_video_encoded_elsewhere_is_clean(clip: Path, truth: Annotations, tmp_path: Path, kind: str) -> None:
    output = planted(clip, truth, tmp_path / "out.mp4", PAINTS["bare"], range(0), kind=kind, crf=32)
    report = checked(clip, output, truth)
    assert report.verdict == "clean", str(report)
    assert report.settings == report.settings | {"blur": kind, "report": False}


def test_a_cosmetic_kind_is_no_hiding(clip: Path, truth: Annotations, tmp_path: Path) -> None:
    report = redact(clip, truth, output=tmp_path / "out.mp4", blur="Low", check=True, progress=False)
    assert report.check is not None and report.check.verdict == "exposed"
    assert not report.ok


def test_what_is_hidden_by_other_boxes_than_these_is_clean(clip: Path, truth: Annotations, tmp_path: Path) -> None:
    rows = truth.detections
    wider = rows.assign(x=rows["x"] - 3, y=rows["y"] - 2, width=rows["width"] + 6, height=rows["height"] + 5)
    output = redact(clip, truth.replace(detections=wider), output=tmp_path / "out.mp4", progress=False).output
    assert checked(clip, output, truth).verdict == "clean"


def test_a_box_that_covers_half_a_face_is_found_whoever_drew_it(clip: Path, truth: Annotations, tmp_path: Path) -> None:
    rows = truth.detections.copy()
    rows.loc[rows["face_id"] == FACE, "width"] /= 3
    narrow = truth.replace(detections=rows)
    output = redact(clip, narrow, output=tmp_path / "out.mp4", progress=False).output
    report = checked(clip, output, narrow)
    assert report.verdict == "exposed"
    assert report.findings.loc[1, ["what", "face_id"]].tolist() == ["partly bare face", FACE]


def test_bytes_behind_the_video_are_a_finding(clip: Path, truth: Annotations, tmp_path: Path) -> None:
    output = redact(clip, truth, output=tmp_path / "out.mp4", progress=False).output
    output.write_bytes(output.read_bytes() + clip.read_bytes())
    report = checked(clip, output, truth)
    assert report.verdict == "exposed"
    assert report.findings.loc[1, "what"] == "container"


def test_frames_go_together_by_time_where_some_are_missing(clip: Path, tmp_path: Path) -> None:
    info = probe(clip)
    with VideoReader(clip) as reader, VideoWriter(tmp_path / "less.mp4", info, WriterOptions(audio="drop")) as writer:
        for frame in reader.frames():
            if frame.index not in (0, 7, 8):
                writer.write(frame.picture, frame.pts)
    with VideoReader(clip) as reader, VideoReader(tmp_path / "less.mp4") as other:
        pairs = [(pair.index, pair.output.time - pair.source.time) for pair in pair_frames(reader, other)]
    assert [index for index, _ in pairs] == [index for index in range(FRAMES) if index not in (0, 7, 8)]
    assert max(abs(apart) for _, apart in pairs) < 1e-3


def test_redact_and_verify_on_the_command_line(
    clip: Path, truth: Annotations, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = truth.to("azure", tmp_path / "made.json")
    output = tmp_path / "out.mp4"
    shared = ["--annotations", str(made), "--quiet"]
    assert main(["redact", str(clip), "-o", str(output), "--exclude", str(FACE), "--check", *shared]) == 0
    assert "clean" in capsys.readouterr().out
    assert main(["verify", str(clip), str(output), *shared]) == 0
    page, table = tmp_path / "found.html", tmp_path / "found.csv"
    wanted = ["--include", str(FACE), "--page", str(page), "--csv", str(table)]
    assert main(["verify", str(clip), str(output), *wanted, *shared]) == 3
    assert "bare box" in page.read_text() and "bare box" in table.read_text()
    report_path(output).unlink()
    assert main(["verify", str(clip), str(output), *shared]) == 3


def _write_with_gap(truth: Annotations, path: Path) -> Path:
    """Write annotations in which a face has no box for eight frames."""
    rows = truth.detections
    gone = (rows["face_id"] == FACE) & rows["frame"].isin(range(8, 16))
    return truth.replace(detections=rows[~gone].reset_index(drop=True)).to("azure", path)


def test_findings_are_answered_on_the_command_line_and_never_asked_again(
    clip: Path, truth: Annotations, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ["--annotations", str(_write_with_gap(truth, tmp_path / "clip_annotations.json")), "--quiet"]
    output = tmp_path / "out.mp4"
    assert main(["settle", str(clip), "--hide", "1"]) == 1
    assert "run verify first" in capsys.readouterr().err
    assert main(["redact", str(clip), "-o", str(output), "--check", *shared]) == 3
    assert f"redactkit settle {output}" in capsys.readouterr().out
    assert main(["settle", str(output), "--hide", "1,2"]) == 1
    assert "finding must be 1 to 1" in capsys.readouterr().err
    assert main(["settle", str(output)]) == 1
    assert main(["settle", str(output), "--hide", "1", "--leave", "1"]) == 1
    assert "two answers" in capsys.readouterr().err
    assert main(["settle", str(output), "--hide", "1"]) == 0
    assert "0 findings are left" in capsys.readouterr().out
    assert main(["settle", str(output), "--not-a-face", "1"]) == 1
    assert "answered before (hide)" in capsys.readouterr().err
    assert main(["redact", str(clip), "-o", str(output), "--check", "--overwrite", *shared]) == 0
    assert main(["settle", str(output), "--leave", "1"]) == 1
    capsys.readouterr()
    assert main(["purge", str(tmp_path)]) == 0
    assert str(check_path(output)) in capsys.readouterr().out.splitlines()


def test_answers_go_on_from_those_before_and_replace_no_other_annotations(
    clip: Path, truth: Annotations, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = ["--annotations", str(_write_with_gap(truth, tmp_path / "other_name.json")), "--quiet"]
    output = tmp_path / "out.mp4"
    assert main(["redact", str(clip), "-o", str(output), "--check", *shared]) == 3
    saved = tmp_path / f"{clip.stem}_annotations.json"
    saved.write_text("what somebody else decided")
    assert main(["settle", str(output), "--hide", "1"]) == 1
    assert saved.read_text() == "what somebody else decided"
    assert main(["settle", str(output), "--hide", "1", "--overwrite"]) == 0
    assert read_check(output).report.settings["annotations"] == str(saved)
    capsys.readouterr()


def test_a_check_is_kept_for_the_file_that_was_checked(clip: Path, truth: Annotations, tmp_path: Path) -> None:
    output = redact(clip, truth, output=tmp_path / "out.mp4", progress=False).output
    report = checked(clip, output, truth.replace(detections=empty_detections()))
    save_check(report)
    kept = read_check(output).report
    pd.testing.assert_frame_equal(kept.findings, report.findings)
    assert (kept.verdict, kept.frames, kept.searches) == (report.verdict, report.frames, report.searches)
    output.write_bytes(output.read_bytes() + b"more")
    with pytest.raises(MismatchError, match="verify it again"):
        read_check(output)
    check_path(output).write_text("{}")
    with pytest.raises(OutputExistsError):
        save_check(report)


def test_the_files_are_compared_once_where_the_redaction_has_compared_them(
    clip: Path, truth: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["redactkit.verification.verify"]  # the package has a function of that name
    monkeypatch.setattr(module, "compare_files", lambda *_, **__: pytest.fail("compared again"))
    report = redact(clip, truth, output=tmp_path / "out.mp4", check=True, progress=False)
    assert report.check is not None and report.check.fidelity is report.fidelity
