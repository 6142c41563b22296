"""Suspicious things planted and found, and none found where nothing is wrong."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.formats import read_annotations
from redactkit.inspection import find_gaps, find_suspicious, inspect
from redactkit.inspection.suspicions import FINDINGS
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_detections, empty_detections

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

FRAMES = 100


def make_video(**changes):
    given = {"path": None, "width": 640, "height": 360, "frame_rate": Fraction(25), "time_base": Fraction(1, 25)}
    return VideoInfo(**{**given, "pts": np.arange(FRAMES), "digest": "", **changes})


def walk(face=1, *, frames=range(FRAMES), x=100.0, step=1.0, y=100.0, side=40.0):
    """A face that walks evenly; one row per frame."""
    frames = np.array(list(frames), np.int64)
    table = {"frame": frames, "time": frames / 25, "face_id": face, "x": x + step * frames, "y": y}
    return as_detections({**table, "width": side, "height": side, "confidence": 0.9})


def make_annotations(*tables, video=None, **changes):
    rows = pd.concat(tables, ignore_index=True) if tables else empty_detections()
    return Annotations(video or make_video(), rows, **changes)


def kinds(annotations):
    return find_suspicious(annotations)["kind"].tolist()


def test_nothing_is_suspicious_about_nothing():
    findings = find_suspicious(make_annotations())
    assert findings.empty
    assert findings.dtypes.to_dict() == pd.DataFrame({name: [] for name in FINDINGS}).astype(FINDINGS).dtypes.to_dict()


def test_nothing_is_suspicious_about_faces_that_walk_and_cross():
    assert kinds(make_annotations(walk(1), walk(2, x=300, step=-2))) == []


def test_jump_is_found_where_it_lands():
    rows = walk()
    rows.loc[50:, "x"] += 300
    finding = find_suspicious(make_annotations(rows)).iloc[0]
    assert finding[["kind", "face_id", "frame", "time"]].tolist() == ["jump", 1, 50, 2.0]
    assert finding["detail"] == "moved 301 px, 7.5 sides, since the box before"


def test_jump_over_a_cut_or_a_long_gap_is_none():
    rows = walk()
    rows.loc[50:, "x"] += 300
    assert kinds(make_annotations(rows, cuts=[50])) == []
    assert kinds(make_annotations(rows.drop(index=range(30, 60)))) == []


def test_second_box_of_a_face_is_found():
    findings = find_suspicious(make_annotations(walk(), walk(frames=[7], x=500)))
    assert findings[["kind", "face_id", "frame"]].to_numpy().tolist()[0] == ["two boxes of one face", 1, 7]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"x": -41.0}, "outside"),
        ({"x": 640.0}, "outside"),
        ({"y": 360.5}, "outside"),
        ({"width": 0.5}, "degenerate"),
        ({"height": 0.0}, "degenerate"),
        ({"width": 1000.0, "x": -200.0}, "larger than the frame"),
    ],
)
def test_impossible_box_is_found(change, kind):
    rows = walk(step=0.001)
    rows.loc[20, list(change)] = list(change.values())
    findings = find_suspicious(make_annotations(rows))
    found = findings[findings["kind"] == kind]
    assert found[["face_id", "frame", "time"]].to_numpy().tolist() == [[1, 20, 0.8]]


def test_box_partly_outside_is_none():
    assert kinds(make_annotations(walk(x=-30, step=0.25))) == []


def test_face_of_one_frame_is_found():
    findings = find_suspicious(make_annotations(walk(1), walk(2, frames=[30], x=400)))
    assert findings[["kind", "face_id", "frame"]].to_numpy().tolist() == [["one frame", 2, 30]]


def test_frozen_box_is_found():
    still = walk(step=0.0)
    findings = find_suspicious(make_annotations(still))
    assert findings[["kind", "frame", "detail"]].to_numpy().tolist() == [
        ["frozen", 0, "the same box 100 times, for 4.0 s"]
    ]
    assert kinds(make_annotations(walk(step=0.0, frames=range(40)))) == []


def test_faces_that_lie_on_one_another_are_found():
    findings = find_suspicious(make_annotations(walk(1), walk(2, x=103, frames=range(40, 60))))
    assert findings[["kind", "face_id", "frame", "detail"]].to_numpy().tolist() == [
        ["alike", 1, 40, "lies on face 2 in 20 of the 20 frames they share"]
    ]


def test_time_beside_the_frame_is_found():
    rows = walk()
    rows.loc[10, "time"] += 0.01
    findings = find_suspicious(make_annotations(rows))
    assert findings[["kind", "frame", "detail"]].to_numpy().tolist() == [
        ["off the frame's time", 10, "at 0.4100 s, but the frame is at 0.4000 s"]
    ]


def test_ids_and_confidence_out_of_range_are_found():
    rows = walk(1_000_000)
    rows.loc[3, "confidence"] = 1.5
    assert kinds(make_annotations(rows)) == ["ID beyond 6 digits", "confidence"]


def test_gaps_are_listed():
    gaps = find_gaps(make_annotations(walk(frames=[0, 1, 5, 6]), walk(2, frames=[3])))
    assert gaps.to_numpy().tolist() == [[1, 2, 4, 3, 0.04, 0.2]]


FACE = {"id": 1, "x": 0.25, "y": 0.5, "width": 0.125, "height": 0.25}


def fragment(start, count, *, interval=1001, **more):
    faces = [[{**FACE, "x": 0.25 + (start + place * interval) / 10**7}] for place in range(count)]
    return {"start": start, "duration": interval * count, "interval": interval, "events": faces, **more}


def inspect_fragments(tmp_path, *fragments):
    path = tmp_path / "their.json"
    content = {"timescale": 30000, "framerate": 29.97, "width": 640, "height": 360, "fragments": fragments}
    path.write_text(json.dumps(content))
    return inspect(path)


def test_fragments_that_follow_one_another_are_in_order(tmp_path):
    gap = {"start": 4004, "duration": 2002}
    report = inspect_fragments(tmp_path, fragment(0, 4), gap, fragment(6006, 3))
    assert report.findings.empty
    assert report.gaps["frames"].tolist() == [2]


@pytest.mark.parametrize(
    ("fragments", "kind", "time", "detail"),
    [
        ([fragment(0, 4), fragment(3003, 3)], "fragments overlap", 0.1001, "starts 1001 ticks before"),
        ([fragment(0, 4), fragment(34034, 3)], "hole between fragments", 4004 / 30000, "nothing is said of 1.001 s"),
        ([fragment(0, 4, duration=9009)], "count contradicts duration", 0, "4 entries 1001 ticks apart"),
        ([fragment(0, 4), fragment(4404, 4)], "off the grid", 4404 / 30000, "0.40 of an interval off"),
    ],
)
def test_contradicting_fragments_are_found(tmp_path, fragments, kind, time, detail):
    findings = inspect_fragments(tmp_path, *fragments).findings
    found = findings[findings["kind"] == kind].iloc[0]
    assert found["time"] == pytest.approx(time)
    assert detail in found["detail"]


def test_second_box_in_a_file_is_found(tmp_path):
    twice = {"start": 0, "interval": 1001, "events": [[FACE], [FACE, {**FACE, "x": 0.75}], [FACE]]}
    findings = inspect_fragments(tmp_path, twice).findings
    found = findings[findings["kind"] == "two boxes of one face"].iloc[0]
    assert found[["face_id", "frame"]].tolist() == [1, 1]


def test_examples_that_were_cut_short_are_found_out(shared_formats):
    report = inspect(shared_formats / "face_detector_example.json")
    assert report.summary | {"file": ""} == {
        "file": "", "format": "azure", "width": 1280, "height": 720, "frame_rate": 29.97, "frames": 63,
        "start": 0.0, "end": pytest.approx(62062 / 30000), "faces": 1, "boxes": 3, "labels": {"": 3},
        "first_box": pytest.approx(2.002), "last_box": pytest.approx(62062 / 30000), "gaps": 0,
        "suspicious": {"count contradicts duration": 1}, "notes": [],
            "reach": pytest.approx((0.6062498, 0.336111)),
    }  # fmt: skip
    cut_short = inspect(shared_formats / "redactor_example.json").findings
    assert cut_short["kind"].tolist() == ["count contradicts duration"]


def test_every_example_can_be_inspected(shared_formats):
    formats = {path.name: inspect(path).format for path in sorted(shared_formats.glob("*example*"))}
    assert formats == {
        "cvat_video_example.xml": "cvat",
        "face_detector_example.json": "azure",
        "redactor_example.json": "azure",
        "rekognition_example.json": "rekognition",
        "video_indexer_example.json": "videoindexer",
    }


def test_nothing_is_suspicious_about_the_sample(sample_media):
    truth = sample_media / "sample_truth_annotations.json"
    report = inspect(truth)
    assert report.findings.empty, str(report)
    assert report.notes == []
    assert report.annotations.cuts.tolist() == [275]
    assert len(report.annotations.detections) == 1920
    unaware = inspect(report.annotations.replace(cuts=[]))
    assert unaware.findings[["kind", "frame"]].to_numpy().tolist() == [["jump", 275]]


def test_report_is_text_json_and_html(tmp_path):
    evil = '<script>alert("x")</script>\x1b[2J'
    rows = walk()
    rows.loc[50:, "x"] += 300
    path = make_annotations(rows, decisions={1: {"label": evil}}).to("azure", tmp_path / "<b>a.json")
    report = inspect(path)
    text = str(report)
    assert "azure, 640x360, 25.000 fps, 100 frames, 0:00:00.000 to 0:00:03.960" in text
    assert "1 faces, 100 boxes, 0 gaps, 1 suspicious" in text
    assert "suspicious: jump, 1 times, first face 1 frame 50 at 0:00:02.000: moved 301 px" in text
    assert "\x1b" not in text
    told = json.loads(report.to_json())
    assert told["findings"][0]["kind"] == "jump"
    assert told["tracks"][0]["label"] == evil
    assert told["suspicious"] == {"jump": 1}
    html = report._repr_html_()
    assert "<script" not in html
    assert "<b>" not in html
    assert repr(report).endswith("1 faces, 1 suspicious>")


def test_report_of_annotations_in_memory_names_what_is_unknown():
    rows = walk().assign(time=np.nan)
    report = inspect(make_annotations(rows, video=make_video(width=0, height=0)))
    assert report.summary["start"] is None
    assert "size unknown, frame rate unknown" in str(report)
    assert json.loads(report.to_json())["findings"] == []


def test_faces_without_boxes_are_inspected(shared_formats):
    report = inspect(shared_formats / "video_indexer_example.json")
    assert report.findings.empty
    assert any("not where" in note for note in report.notes)
    assert json.loads(report.to_json())["tracks"][0]["median_width"] is None


def test_unreadable_file_is_refused(tmp_path):
    with pytest.raises(AnnotationError, match="no such file"):
        inspect(tmp_path / "absent.json")


def test_conversion_keeps_findings(tmp_path):
    rows = walk()
    rows.loc[50:, "x"] += 300
    path = make_annotations(rows).to("csv", tmp_path / "a.csv")
    again = inspect(path, frame_size=(640, 360))
    assert again.findings[["kind", "frame"]].to_numpy().tolist() == [["jump", 50]]
    assert read_annotations(path).detections[BOX].equals(rows[BOX])


EMPTY = {
    "their.json": '{"images": [{"id": 1, "file_name": "frame_000000.png", "width": 320, "height": 240}], '
    '"annotations": [], "categories": [{"id": 1, "name": "face"}]}',
    "their.xml": "<annotations><meta><task><size>10</size></task></meta>"
    '<track id="0" label="face"><box frame="0" outside="1" xtl="1" ytl="2" xbr="30" ybr="40"/></track></annotations>',
}


@pytest.mark.parametrize(
    ("name", "note"), [("their.json", "no box is in the file"), ("their.xml", "1 tracks are marked as outside")]
)
def test_file_without_a_box_says_so_and_makes_up_no_rate(tmp_path, name, note):
    path = tmp_path / name
    path.write_text(EMPTY[name])
    report = inspect(path)
    assert "frame rate unknown" in str(report)
    assert any(note in text for text in report.notes)
    assert report.summary["frame_rate"] is report.summary["end"] is None
    assert inspect(path, frame_rate=25).summary["frame_rate"] == 25


def test_file_without_a_box_has_the_rate_of_the_video_beside_it(tmp_path):
    path = tmp_path / "their.xml"
    path.write_text(EMPTY["their.xml"])
    video = VideoInfo(None, 320, 240, Fraction(25), Fraction(1, 25), np.arange(10), digest="")
    report = inspect(path, video=video)
    assert report.summary["frame_rate"] == 25
    assert not any("frame rate" in note for note in report.notes)


@pytest.mark.parametrize(
    ("rows", "reach", "told"),
    [
        ("0,1,0,0,320,180\n1,1,10,0,300,90\n2,1,9,0,300,90\n", (0.5, 0.5), True),
        ("0,1,0,0,330,180\n1,1,10,0,300,90\n2,1,9,0,300,90\n", (0.515625, 0.5), False),
        ("0,1,0,0,32,18\n", (0.05, 0.05), False),
    ],
)
def test_boxes_of_a_smaller_copy_of_the_video_are_told(tmp_path, rows, reach, told):
    path = tmp_path / "proxy.csv"
    path.write_text(f"frame,face_id,x,y,width,height\n{rows}")
    report = inspect(path, frame_size=(640, 360))
    assert report.summary["reach"] == reach
    assert f"boxes reach to {reach[0]:.0%} of the frame's width" in str(report)
    assert any("a smaller copy of the video" in note for note in report.notes) == told
    assert inspect(path).summary["reach"] is None


def test_annotations_with_a_size_of_their_own_are_of_no_smaller_copy():
    assert not any("smaller copy" in note for note in inspect(make_annotations()).notes)
