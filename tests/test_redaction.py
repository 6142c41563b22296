"""The second pass: selection, plan, pixels, report."""

from __future__ import annotations

import json
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.effects import HIDING_KINDS
from redactkit.errors import MismatchError, OptionError, OutputExistsError, PassCancelled, VideoError
from redactkit.media import VideoInfo
from redactkit.passes import redact
from redactkit.redaction import Preview, check_same_video, make_plan, select_faces
from redactkit.tables import BOX, as_detections, empty_detections
from redactkit.video import VideoReader, plane_views, probe


def header(**changes: object) -> VideoInfo:
    fields = {"path": None, "width": 100, "height": 50, "frame_rate": Fraction(25), "time_base": Fraction(1, 25)}
    return VideoInfo(**{**fields, "pts": np.arange(10), **changes})  # type: ignore[arg-type]


def faces(*ids: int) -> Annotations:
    rows = {"frame": range(len(ids)), "face_id": ids, "x": 10, "y": 10, "width": 20, "height": 10}
    return Annotations(video=header(), detections=as_detections(rows))


def test_select_faces_of_none_is_empty() -> None:
    assert select_faces(Annotations(video=header(), detections=empty_detections())) == []


def test_select_faces_takes_everyone_nobody_decided_about() -> None:
    assert select_faces(faces(1, 2, 3)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [({"ids": []}, [1, 2, 3]), ({"ids": [2]}, [2]), ({"include": [3, 1]}, [1, 3]), ({"exclude": [2]}, [1, 3])],
)
def test_select_faces_follows_the_choice(choice: dict[str, list[int]], expected: list[int]) -> None:
    assert select_faces(faces(1, 2, 3), **choice) == expected


@pytest.mark.parametrize("choice", [{"ids": [9]}, {"include": [9]}, {"exclude": [9]}])
def test_select_faces_names_an_unknown_id(choice: dict[str, list[int]]) -> None:
    with pytest.raises(OptionError, match="no face has the ID 9; the faces are 1, 2"):
        select_faces(faces(1, 2), **choice)


def test_select_faces_refuses_two_choices_and_an_empty_include() -> None:
    with pytest.raises(OptionError, match="ids and exclude"):
        select_faces(faces(1), ids=[1], exclude=[1])
    with pytest.raises(OptionError, match="include names no face"):
        select_faces(faces(1), include=[])


def test_select_faces_reads_an_id_list(tmp_path: Path) -> None:
    listed = tmp_path / "foo_IDList.txt"
    listed.write_text("2\n")
    assert select_faces(faces(1, 2), ids=listed) == [2]


def test_make_plan_of_nothing_hides_nothing() -> None:
    plan = make_plan(empty_detections(), header(), faces=[])
    assert not plan.touched.any()
    assert plan.at(3)[0].shape == (0, 4)


def test_make_plan_widens_by_the_margin() -> None:
    plan = make_plan(faces(1).detections, header(), faces=[1], margin=0.5)
    assert plan.at(0)[0].tolist() == [[0.0, 5.0, 40.0, 20.0]]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_make_plan_turns_boxes_to_the_stored_frame(rotation: int, mirrored: bool) -> None:
    info = header(rotation=rotation, mirrored=mirrored)
    plan = make_plan(faces(1).detections, info, faces=[1], margin=0)
    back = bx.from_coded(plan.boxes, width=100, height=50, rotation=rotation, mirrored=mirrored)
    assert back.tolist() == [[10.0, 10.0, 20.0, 10.0]]


def test_make_plan_refuses_a_frame_the_video_lacks() -> None:
    rows = as_detections({"frame": [10], "face_id": 1, "x": 0, "y": 0, "width": 5, "height": 5})
    with pytest.raises(MismatchError, match="frame 10 has a box"):
        make_plan(rows, header(), faces=[1])


@pytest.mark.parametrize("margin", [-0.1, 2.5, float("nan")])
def test_make_plan_refuses_a_margin_out_of_range(margin: float) -> None:
    with pytest.raises(OptionError, match="margin must be a share from 0 to 2"):
        make_plan(empty_detections(), header(), faces=[], margin=margin)


def test_check_same_video_names_what_differs(short_clip: Path, short_truth: Annotations) -> None:
    info = probe(short_clip)
    other = short_truth.replace(video=header(width=320, height=180, digest="0" * 64))
    with pytest.raises(MismatchError, match=r"SHA-256 .*size 640x360 instead of 320x180; 60 frames instead of 10"):
        check_same_video(info, other)


def test_check_same_video_scales_when_forced(short_clip: Path, short_truth: Annotations) -> None:
    info = probe(short_clip)
    half = short_truth.detections.copy()
    half[BOX] /= 2
    other = short_truth.replace(video=header(width=320, height=180, pts=info.pts, time_base=info.time_base))
    scaled = check_same_video(info, other.replace(detections=half), force=True)
    assert np.allclose(scaled.detections[BOX], short_truth.detections[BOX])


def test_redact_keeps_time_size_and_sound(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    report = redact(short_clip, short_truth, output=tmp_path / "out.mp4", progress=False)
    assert report.ok, report.fidelity[~report.fidelity["ok"]]
    source, output = probe(short_clip), probe(report.output)
    assert np.allclose(source.times, output.times, atol=float(source.time_base) / 2)
    assert {path.name for path in tmp_path.iterdir()} == {"out.mp4", "out.report.json"}


def test_redact_reports_what_it_did(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    report = redact(short_clip, short_truth, output=tmp_path / "out.mp4", exclude=[3], blur="black", progress=False)
    saved = json.loads(report.path.read_text())
    assert saved["source_sha256"] == probe(short_clip).sha256
    assert saved["settings"]["blur"] == "Black"
    assert 3 not in saved["settings"]["faces"]
    assert len(saved["annotations_sha256"]) == 64
    by_face = {row["face_id"]: row for row in saved["faces"]}
    assert by_face[3]["frames"] == 0
    assert by_face[1]["frames"] == int((short_truth.detections["face_id"] == 1).sum())


def test_redact_calls_a_cosmetic_blur_cosmetic(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    report = redact(short_clip, short_truth, output=tmp_path / "out.mp4", blur="Low", progress=False)
    assert "Low is cosmetic" in report.notes[0]


def test_redact_with_one_id_leaves_other_faces_as_decoded(short_clip: Path, short_truth: Annotations) -> None:
    plan = make_plan(short_truth.detections, short_truth.video, faces=[1], margin=0.15)
    with VideoReader(short_clip) as reader:
        hidden = Preview(reader, plan, kind="Black").frame_at(30)
        before = plane_views(reader.frame_at(30).picture)[0]
        after = plane_views(hidden.picture)[0]
    box, _ = plan.at(30)
    left, top, right, bottom = np.rint(bx.to_corners(box)[0]).astype(int)
    changed = before != after
    assert (after[top + 1 : bottom - 1, left + 1 : right - 1] == 16).all()
    changed[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = False
    assert not changed.any()


@pytest.mark.parametrize("kind", HIDING_KINDS)
def test_preview_shows_the_same_as_the_pass(
    short_clip: Path, short_truth: Annotations, tmp_path: Path, kind: str
) -> None:
    report = redact(short_clip, short_truth, output=tmp_path / "out.mp4", blur=kind, crf=0, progress=False)
    plan = make_plan(short_truth.detections, short_truth.video, faces=short_truth.selected_ids)
    with VideoReader(short_clip) as reader, VideoReader(report.output) as output:
        preview = Preview(reader, plan, kind=kind).frame_at(29)
        assert np.array_equal(plane_views(preview.picture)[0], plane_views(output.frame_at(29).picture)[0])


def test_redact_never_replaces_an_output_or_the_source(short_clip: Path, short_truth: Annotations) -> None:
    with pytest.raises(OutputExistsError, match="never written to"):
        redact(short_clip, short_truth, output=short_clip, overwrite=True, progress=False)


def test_redact_cancelled_leaves_nothing(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if done == 20:
            raise PassCancelled("cancelled")

    before = threading.active_count()
    with pytest.raises(PassCancelled) as held:
        redact(short_clip, short_truth, output=tmp_path / "out.mp4", progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert threading.active_count() == before, f"somebody still writes while {held} is on its way"


def test_redact_refuses_an_unknown_blur_before_work(short_truth: Annotations) -> None:
    with pytest.raises(OptionError, match="Med"):
        redact("nowhere.mp4", short_truth, blur="Smudge")


def test_redact_names_a_missing_video(short_truth: Annotations) -> None:
    with pytest.raises(VideoError, match=r"nowhere\.mp4"):
        redact("nowhere.mp4", short_truth, progress=False)
