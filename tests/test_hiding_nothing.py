"""Ways to hide nothing, or the wrong place: none ends well with a bare face."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import RedactkitError
from redactkit.formats import write_annotations
from redactkit.passes import combined, redact
from redactkit.redaction import select_faces
from redactkit.tables import BOX, as_detections, as_face_ids, empty_detections
from redactkit.video import probe
from tests.clips import Clip, make

Changed = Callable[[Annotations], Annotations]


def boxes(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Changed:
    return lambda given: given.replace(detections=change(given.detections.copy()))


def scaled(factor: float) -> Changed:
    return boxes(lambda rows: rows.assign(**{name: rows[name] * factor for name in BOX}))


def moved(x: float, y: float) -> Changed:
    return boxes(lambda rows: rows.assign(x=rows["x"] + x, y=rows["y"] + y))


def no_size(given: Annotations) -> Annotations:
    """As a file of another tool, which knows neither digest nor frame size."""
    return given.replace(video=replace(given.video, path=None, digest=None, width=0, height=0))


WAYS: dict[str, tuple[Changed, str]] = {
    "no face": (lambda given: given.replace(detections=empty_detections()), "have no face"),
    "everybody left visible": (
        lambda given: given.replace(decisions=given.decisions.assign(redact=False)),
        "every face is left visible",
    ),
    "shares taken for pixels": (scaled(1 / 1280), "shares of the frame"),
    "pixels taken for shares": (scaled(1280), "lie outside the frame"),
    "all to the right of the frame": (moved(5000, 0), "lie outside the frame"),
    "all above the frame": (moved(0, -5000), "lie outside the frame"),
    "boxes of no size": (boxes(lambda rows: rows.assign(width=0.0, height=0.0)), ""),
    "boxes of negative size": (boxes(lambda rows: rows.assign(width=-5.0)), ""),
    "boxes not known": (boxes(lambda rows: rows.assign(x=np.nan, y=np.nan, width=np.nan, height=np.nan)), ""),
    "another video": (lambda given: given.replace(video=replace(given.video, digest="0" * 64)), "not made from"),
    "a file that says faces are missing": (
        lambda given: given.replace(settings={"incomplete": ["the last page names a next one"]}),
        "not whole: the last page names a next one",
    ),
    "frames beyond the end": (boxes(lambda rows: rows.assign(frame=rows["frame"] + 10_000)), ""),
}


@pytest.mark.parametrize("way", WAYS)
def test_redact_refuses_and_writes_nothing(
    way: str, short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    change, reason = WAYS[way]
    output = tmp_path / "out.mp4"
    with pytest.raises(RedactkitError, match=reason or None):
        redact(short_clip, change(short_truth), output=output, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_milliseconds_are_told_from_seconds(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    table = tmp_path / "faces.csv"
    late = no_size(boxes(lambda rows: rows.assign(time=rows["time"] * 1000))(short_truth))
    late.detections.drop(columns="frame").to_csv(table, index=False)
    assert main(["redact", str(short_clip), "--annotations", str(table), "-o", str(tmp_path / "a.mp4"), "--quiet"]) == 0
    faces = json.loads((tmp_path / "a.report.json").read_text())["faces"]
    assert sum(face["painted"] for face in faces) == sum(face["boxes"] for face in faces) >= len(late.detections)


@pytest.mark.parametrize(
    "choice", [["--exclude", "1,2,3,4,5,6,7,8,9,10"], ["--include", "99"], ["--exclude", "99"], ["--blur", "gaussian"]]
)
def test_a_choice_that_hides_nobody_fails_on_the_command_line(
    choice: list[str], short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    every = sorted(short_truth.detections["face_id"].unique())
    choice = ["--exclude", ",".join(map(str, every))] if choice[1].startswith("1,2") else choice
    table = write_annotations(short_truth, tmp_path / "a.json")
    output = tmp_path / "out.mp4"
    command = [sys.executable, "-m", "redactkit.cli", "redact", str(short_clip), "--annotations", str(table)]
    ended = subprocess.run([*command, "-o", str(output), *choice], capture_output=True, text=True, check=False)
    assert ended.returncode == (2 if "--blur" in choice else 1), ended.stderr
    assert not output.exists()


def test_who_means_it_gets_an_output_that_says_so(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    visible = short_truth.replace(decisions=short_truth.decisions.assign(redact=False))
    report = redact(short_clip, visible, output=tmp_path / "out.mp4", allow_nothing=True, progress=False)
    assert report.nothing_hidden and report.ok
    assert "NOTHING IS HIDDEN" in str(report)
    assert json.loads(report.path.read_text())["nothing_hidden"] is True


def test_combined_says_first_that_no_face_was_found(tmp_path: Path) -> None:
    clip = make(tmp_path / "empty.mp4", Clip(frames=5, width=320, height=180))
    report = combined(clip, detector=lambda images: [np.zeros((0, 5))] * len(images), progress=False)
    assert report.nothing_hidden
    assert "NO FACE WAS FOUND AND NOTHING IS HIDDEN" in str(report)


def test_boxes_of_another_tool_that_end_early_are_told(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    early = short_truth.detections.assign(source="imported").query("frame < 20")
    given = short_truth.replace(detections=as_detections(early))
    report = redact(short_clip, given, output=tmp_path / "out.mp4", progress=False)
    assert any("boxes in frames 0 to 19 only, of 0 to 59" in note for note in report.notes)


def test_outlines_are_never_called_hidden(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    report = redact(short_clip, short_truth, output=tmp_path / "out.mp4", blur="Box", progress=False)
    assert report.nothing_hidden
    assert "ONLY OUTLINES" in str(report) and "faces hidden" not in str(report)


def test_a_face_with_no_box_inside_the_frame_is_told_and_breaks_the_verdict(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    rows = short_truth.detections
    away = rows[rows["face_id"] == rows["face_id"].iloc[0]].assign(face_id=77, x=9000.0)
    both = short_truth.replace(detections=pd.concat([rows, away], ignore_index=True))
    report = redact(short_clip, both, output=tmp_path / "out.mp4", progress=False)
    assert report.bare_faces == [77] and not report.ok
    assert "FACES NOT HIDDEN" in str(report)


@pytest.mark.parametrize(
    "given", [2, [2], (2,), {2}, np.array([2]), np.int64(2), pd.Series([2]), pd.Index([2]), iter([2])]
)
def test_faces_are_named_by_any_iterable_of_whole_numbers(given: object, short_truth: Annotations) -> None:
    table = short_truth.detections.iloc[:2].assign(face_id=[0, 2])
    annotations = Annotations(video=short_truth.video, detections=table)
    assert select_faces(annotations, include=given) == [2]  # type: ignore[arg-type]


def test_an_array_of_zero_is_not_empty(short_truth: Annotations) -> None:
    table = short_truth.detections.iloc[:2].assign(face_id=[0, 2])
    annotations = Annotations(video=short_truth.video, detections=table)
    assert select_faces(annotations, include=np.array([0])) == [0]
    assert select_faces(annotations, exclude=np.array([0])) == [2]


@pytest.mark.parametrize("wrong", [[True], [1.0], ["1"], "1", 1.5, None])
def test_what_is_no_whole_number_is_no_face(wrong: object) -> None:
    with pytest.raises(RedactkitError, match="whole numbers"):
        as_face_ids(wrong)


def test_the_sample_still_hides(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    source = Path(shutil.copy(short_clip, tmp_path / "a.mp4"))
    report = redact(source, short_truth, progress=False)
    assert report.ok and not report.nothing_hidden and probe(report.output).frame_count == short_truth.frame_count
