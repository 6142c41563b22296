"""A redaction driven by a file of any format that has boxes hides the same pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import redactkit as rk
from redactkit.cli import main
from redactkit.formats import WRITABLE, read_annotations
from redactkit.redaction.options import RedactionOptions
from redactkit.tables import BOX
from tests.sample_clips import cut_sample, sample_truth

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")

START, STOP = 260, 290


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return cut_sample(tmp_path_factory.mktemp("clip") / "clip.mp4", start=START, stop=STOP, width=320, height=180)


@pytest.fixture(scope="module")
def truth(clip):
    return sample_truth(clip, start=START)


@pytest.fixture(scope="module")
def wanted(clip, truth, tmp_path_factory):
    """The planes of the clip redacted from the truth itself."""
    return redacted_planes(clip, truth, tmp_path_factory.mktemp("wanted"))


def redacted_planes(clip, annotations, folder):
    """Redact in black, which depends on nothing but where the boxes are; return what the encoder is given.

    Not what it makes of it, for that is another's business.
    """
    given = {}
    write = rk.video.VideoWriter.write

    def keep(writer, picture, pts, *rest, **options):
        given[pts] = [plane.copy() for plane in rk.video.plane_views(picture)]
        return write(writer, picture, pts, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rk.video.VideoWriter, "write", keep)
        rk.redact(clip, annotations, output=folder / "redacted.mp4", blur="Black", progress=False)
    assert len(given) == STOP - START
    return [np.stack(planes) for planes in zip(*(given[pts] for pts in sorted(given)), strict=True)]


def equal(first, second):
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def as_rekognition(annotations):
    """Write what Rekognition would: shares of the frame at milliseconds, and no identity."""
    video, faces = annotations.video, []
    for time, x, y, width, height in annotations.detections[["time", *BOX]].to_numpy().tolist():
        box = {"Left": x / video.width, "Top": y / video.height}
        box |= {"Width": width / video.width, "Height": height / video.height}
        faces.append({"Timestamp": round(time * 1000), "Face": {"BoundingBox": box}})
    size = {"FrameRate": 25.0, "FrameWidth": video.width, "FrameHeight": video.height}
    return {"Faces": faces, "JobStatus": "SUCCEEDED", "VideoMetadata": size}


def as_google(annotations):
    """Write what Video Intelligence would: corners as shares, offsets as text, one track a face."""
    width, height = annotations.video.width, annotations.video.height
    tracks = []
    for _, rows in annotations.detections.groupby("face_id"):
        objects = []
        for time, x, y, wide, high in rows[["time", *BOX]].to_numpy().tolist():
            box = {"left": x / width, "top": y / height, "right": (x + wide) / width, "bottom": (y + high) / height}
            objects.append({"normalizedBoundingBox": box, "timeOffset": f"{time:.9f}s"})
        tracks.append({"tracks": [{"timestampedObjects": objects}]})
    return {"annotationResults": [{"faceDetectionAnnotations": tracks}]}


@pytest.mark.parametrize("format", [*WRITABLE, "rekognition", "google"])
def test_every_format_hides_the_same_pixels(clip, truth, wanted, format, tmp_path):
    if format == "parquet":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    path = tmp_path / f"their.{format}"
    if format in WRITABLE:
        truth.to(format, path)
    else:
        path.write_text(json.dumps({"rekognition": as_rekognition, "google": as_google}[format](truth)))
    annotations = read_annotations(path, video=rk.probe(clip))
    assert len(annotations.detections) == len(truth.detections)
    assert equal(redacted_planes(clip, annotations, tmp_path), wanted)


def test_redaction_hides_something_in_every_frame(clip, wanted):
    with rk.video.VideoReader(clip) as reader:
        before = np.stack([rk.video.plane_views(frame.picture)[0] for frame in reader.frames()])
    assert (np.abs(before.astype(int) - wanted[0]).max(axis=(1, 2)) > 30).all()


def test_a_moved_box_is_noticed(clip, truth, wanted, tmp_path):
    moved = truth.replace(detections=truth.detections.assign(x=truth.detections["x"] + 4))
    assert not equal(redacted_planes(clip, moved, tmp_path), wanted)


def test_file_without_boxes_drives_no_redaction(clip, shared_formats, tmp_path):
    """Faces whose places are unknown must not pass for a video with no faces."""
    output = tmp_path / "redacted.mp4"
    for force in (False, True):
        with pytest.raises(rk.RedactkitError):
            rk.redact(clip, shared_formats / "video_indexer_example.json", output=output, force=force, progress=False)
    assert not output.exists()


@pytest.mark.parametrize("format", ["mot", "csv"])
def test_format_without_a_frame_size_can_be_redacted_from(clip, truth, wanted, format, tmp_path):
    path = truth.to(format, tmp_path / "their.file")
    assert equal(redacted_planes(clip, path, tmp_path), wanted)


def test_only_boxes_with_the_label_are_hidden(clip, truth):
    labels = np.where(truth.detections["face_id"] == truth.detections["face_id"].min(), "person", "face")
    given = truth.replace(detections=truth.detections.assign(label=labels.astype(object)))
    every, faces = (rk.redaction.prepare(clip, given, RedactionOptions(labels=chosen)) for chosen in (None, "face"))
    assert set(every.settings["faces"]) - set(faces.settings["faces"]) == {truth.detections["face_id"].min()}
    assert faces.settings["labels"] == ["face"]
    with pytest.raises(rk.errors.OptionError, match="no box has the label 'dog'"):
        rk.redaction.prepare(clip, given, RedactionOptions(labels=["dog"]))


def test_command_takes_labels_video_name_and_first_frame(clip, tmp_path, capsys):
    rows = [
        f"{video},{frame},{label},10,20,60,60" for video in "ab" for label in ("face", "car") for frame in range(1, 31)
    ]
    (tmp_path / "their.csv").write_text("\n".join(["video,frame,label,x,y,w,h", *rows]))
    command = [
        "redact",
        str(clip),
        "--annotations",
        str(tmp_path / "their.csv"),
        "-o",
        str(tmp_path / "out.mp4"),
        "--quiet",
    ]
    assert main([*command, "--label", "face"]) == 1
    assert "speaks of 2 videos (a, b)" in capsys.readouterr().err
    assert main([*command, "--label", "face", "--video-name", "b", "--first-frame", "1"]) == 0
    report = json.loads(next(tmp_path.glob("out*report*.json")).read_text())
    assert len(report["settings"]["faces"]) == 30


def test_report_has_what_is_doubtful_about_the_file(clip, tmp_path):
    table = tmp_path / "their.csv"
    table.write_text("frame,face_id,x,y,width,height\n" + "".join(f"{frame},1,60,40,30,40\n" for frame in range(30)))
    report = rk.redact(clip, table, output=tmp_path / "redacted.mp4", progress=False)
    assert any("no box reaches beyond half of the frame of 320x180" in note for note in report.notes)
