from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.formats import write_annotations
from redactkit.passes import redact
from redactkit.redaction import read_report
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
    # The keyframe of the group with hidden boxes is decoded before anything of it that is hidden.
    assert read_report(report.path)["copied_frames"] == [[0, 13], [24, 48]]
    assert "37 of 48 frames copied bit for bit" in report.notes
    before, after = brightness(source), brightness(report.output)
    same = [number for number in range(48) if np.array_equal(before[number], after[number])]
    assert same == [*range(13), *range(24, 48)]
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
    assert reports == [[[0, 13], [24, 48]], []]


def damaged(source: Path, target: Path, *, packet: int) -> Path:
    """Copy a video with the slice header of one packet overwritten: its bytes still look whole."""
    with av.open(str(source)) as container:
        place = [packet.pos for packet in container.demux(video=0) if packet.size][packet]
    data = bytearray(source.read_bytes())
    data[place + 5 : place + 9] = b"\xff\x00\xff\x13"
    target.write_bytes(data)
    return target


def test_redact_leaves_out_a_frame_that_does_not_decode_and_says_so(
    source: Path, annotations: Annotations, tmp_path: Path
) -> None:
    broken = damaged(source, tmp_path / "broken.mp4", packet=20)
    info = probe(broken)
    lost = info.frame_count - probe(broken, exact=True).frame_count
    assert lost >= 1, "the damage must cost a frame that its packets still announce"
    laid = annotations.replace(video=info)
    report = redact(broken, laid, output=tmp_path / "out.mp4", progress=False)
    frames = report.fidelity.set_index("check").loc["frames"]
    assert report.ok and frames["expected"] == 48 - lost
    assert frames["note"] == "1 packet(s) of the source do not decode"
    assert f"{lost} frame(s) that do not decode are not in the output" in "; ".join(report.notes)
    assert probe(report.output, exact=True).frame_count == 48 - lost
    seen = redact(broken, laid.replace(settings={"decode_errors": ["x"]}), output=tmp_path / "seen.mp4", progress=False)
    assert seen.record["copied_frames"] == [], "packets that nobody could look into were copied"
