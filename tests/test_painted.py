"""What counts as hidden is what the painter painted: in one go, side by side, copied in between, and in chunks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from redactkit import effects
from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.effects import effect
from redactkit.errors import VideoError
from redactkit.formats import write_annotations
from redactkit.media import FrameRange
from redactkit.passes import redact
from redactkit.redaction import RedactionOptions, prepare, read_report
from redactkit.redaction.chunked import chunk_files, join_chunks, prepare_chunks, write_chunk
from redactkit.tables import as_detections
from redactkit.video import probe
from tests.clips import Clip, make

CHUNKS = [FrameRange(0, 20), FrameRange(20, 48)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty-eight frames, a keyframe every twelve."""
    made = Clip(frames=48, options={"g": "12", "bf": "2", "preset": "ultrafast", "x264-params": "scenecut=0"})
    return make(tmp_path_factory.mktemp("clips") / "lobby.mp4", made)


@pytest.fixture(scope="module")
def two_faces(clip: Path) -> Annotations:
    """Face 1 in frames 13 to 16, face 2 in frames 13 to 40, but twice in frame 15."""
    numbers = [*range(13, 17), *range(13, 41), 15]
    rows = {"frame": numbers, "face_id": [1] * 4 + [2] * 29, "x": [20.0] * 4 + [80.0] * 28 + [110.0]}
    return Annotations(probe(clip), as_detections({**rows, "y": 30.0, "width": 24.0, "height": 30.0}))


@pytest.fixture
def skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A painter that misses face 2 in frame 30, as a fault in it would."""
    whole = effect.find_regions

    def missing(boxes: object, faces: object, *, frame: int, **where: object) -> list[object]:
        found = whole(boxes, faces, frame=frame, **where)  # type: ignore[arg-type]
        return [region for region in found if frame != 30 or region.face != 2]

    monkeypatch.setattr(effect, "find_regions", missing)


def by_chunks(clip: Path, annotations: Annotations, folder: Path):
    prepare_chunks(prepare(clip, annotations, RedactionOptions(smart_copy=False)), folder / "work")
    for chunk in CHUNKS:
        write_chunk(clip, folder / "work", chunk)
    return join_chunks(clip, annotations, folder / "work", chunks=CHUNKS, output=folder / "out.mp4")


def counts(report) -> dict[int, tuple[int, int, int]]:
    table = report.faces[["boxes", "painted", "frames"]]
    return {int(face): tuple(row) for face, *row in table.itertuples(name=None)}


def test_no_box_is_painted_where_there_is_none(clip, two_faces, tmp_path):
    left = two_faces.replace(decisions=two_faces.decisions.assign(redact=False))
    report = redact(clip, left, output=tmp_path / "out.mp4", allow_nothing=True, progress=False)
    assert counts(report) == {1: (0, 0, 0), 2: (0, 0, 0)}


@pytest.mark.parametrize("smart_copy", [True, False])
@pytest.mark.parametrize("cores", [1, 3])
def test_every_box_painted_is_counted_once(clip, two_faces, smart_copy, cores, tmp_path, monkeypatch):
    monkeypatch.setattr("redactkit.runtime.cores.count_cores", lambda: cores)
    report = redact(clip, two_faces, output=tmp_path / "out.mp4", smart_copy=smart_copy, progress=False)
    assert counts(report) == {1: (4, 4, 4), 2: (29, 29, 28)}
    assert report.ok and "2 of 2 faces hidden, 33 boxes" in str(report)
    assert {row["face_id"]: row["painted"] for row in read_report(report.path)["faces"]} == {1: 4, 2: 29}


def test_chunks_count_what_was_painted_in_each(clip, two_faces, tmp_path):
    assert counts(by_chunks(clip, two_faces, tmp_path)) == {1: (4, 4, 4), 2: (29, 29, 28)}


def test_a_face_left_visible_has_no_box_to_paint(clip, two_faces, tmp_path):
    report = redact(clip, two_faces, output=tmp_path / "out.mp4", exclude=2, progress=False)
    assert counts(report) == {1: (4, 4, 4), 2: (0, 0, 0)} and report.ok


@pytest.mark.parametrize("in_chunks", [False, True])
def test_a_box_that_was_not_painted_breaks_the_verdict(clip, two_faces, in_chunks, tmp_path, skipped):
    if in_chunks:
        report = by_chunks(clip, two_faces, tmp_path)
    else:
        report = redact(clip, two_faces, output=tmp_path / "out.mp4", progress=False)
    assert counts(report) == {1: (4, 4, 4), 2: (29, 28, 27)}
    assert report.fidelity["ok"].all() and not report.ok and report.bare_faces == [2]
    assert "FACES NOT WHOLLY HIDDEN, 28 of 29 boxes painted: 2" in str(report)


def test_the_command_line_ends_with_3_where_a_box_was_not_painted(clip, two_faces, tmp_path, skipped, capsys):
    once = two_faces.replace(detections=two_faces.detections.drop_duplicates(["frame", "face_id"]))
    table = write_annotations(once, tmp_path / "a.json")
    target = ["-o", str(tmp_path / "out.mp4"), "--quiet"]
    assert main(["redact", str(clip), "--annotations", str(table), *target]) == 3
    assert "FACES NOT WHOLLY HIDDEN" in capsys.readouterr().out


def test_a_chunk_without_a_record_of_what_was_painted_is_not_joined(clip, two_faces, tmp_path):
    prepare_chunks(prepare(clip, two_faces, RedactionOptions(smart_copy=False)), tmp_path / "work")
    for chunk in CHUNKS:
        write_chunk(clip, tmp_path / "work", chunk)
    part = next(iter(chunk_files(tmp_path / "work", CHUNKS[1]).values()))
    part.with_suffix(".json").write_text(json.dumps(["a note, as an earlier version wrote it"]))
    with pytest.raises(VideoError, match="no record of what was painted"):
        join_chunks(clip, two_faces, tmp_path / "work", chunks=CHUNKS, output=tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_an_effect_returns_the_faces_it_painted_and_none_that_it_only_saw():
    luma = np.full((96, 160), 200, np.uint8)
    boxes = [[20, 30, 24, 30], [500, 500, 24, 30]]
    black = effects.Effect("Black", effects.PixelLayout())
    assert black.apply([luma], boxes, faces=[1, 2], frame=0) == [1]
    assert black.apply([luma], boxes, faces=[1, 2], frame=1, paint=False) == []
