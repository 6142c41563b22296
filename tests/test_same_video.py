"""Are these annotations of this video? One answer, wherever they are opened."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import AnnotationError, AnnotationWarning, MismatchError, RedactkitError
from redactkit.formats import check_same_video, read_annotations, write_annotations
from redactkit.jobs import submit
from redactkit.media import VideoInfo
from redactkit.redaction import RedactionOptions, prepare
from redactkit.review import Review
from redactkit.tables import BOX, as_detections, empty_detections
from redactkit.verification import verify
from redactkit.video import probe
from tests.clips import Clip, make

ROWS = {"frame": range(12), "face_id": 1, "x": 40.0, "y": 20.0, "width": 30.0, "height": 40.0}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 160x96."""
    return make(tmp_path_factory.mktemp("clips") / "lobby.mp4", Clip(frames=12))


@pytest.fixture(scope="module")
def info(clip: Path) -> VideoInfo:
    return probe(clip)


def of_other(info: VideoInfo, **changes: object) -> Annotations:
    """Annotations of a video like this one but for some of its header; the file itself is not at hand."""
    video = replace(info, **{"path": None, "digest": "", "codec": "", "name": "", **changes})  # type: ignore[arg-type]
    return Annotations(video, pd.DataFrame(ROWS).assign(time=video.times[: len(ROWS["frame"])]))


OTHERS = {
    "SHA-256": {"digest": "0" * 64},
    "size 160x96 instead of 320x192": {"width": 320, "height": 192},
    "12 frames instead of 30": {"codec": "h264", "pts": np.arange(30) * 512},
    "the annotations at 11.600 s": {"pts": np.arange(30) * 512 * 10},
}


def test_no_face_is_of_any_video(info):
    empty = of_other(info).replace(detections=empty_detections())
    assert check_same_video(info, empty).detections.empty


@pytest.mark.parametrize("difference", OTHERS)
def test_redact_review_verify_and_jobs_refuse_alike(clip, info, difference, tmp_path):
    other = of_other(info, **OTHERS[difference])
    with pytest.raises(MismatchError, match=difference) as refused:
        check_same_video(info, other)
    for refuse in (lambda: prepare(clip, other), lambda: Review.open(clip, other), lambda: verify(clip, clip, other)):
        with pytest.raises(MismatchError) as again:
            refuse()
        assert str(again.value) == str(refused.value)
    table = write_annotations(other, tmp_path / "a.json")
    with submit(clip, mode="redact", annotations=table, output=tmp_path / "out", workers=1) as jobs:
        jobs.wait()
        (row,) = jobs.table().itertuples()
    assert row.state == "failed" and difference in row.error


def test_with_force_boxes_of_another_size_are_scaled_everywhere(clip, info):
    other = of_other(info, width=320, height=192)
    expected = [20.0, 10.0, 15.0, 20.0]
    assert check_same_video(info, other, force=True).detections[BOX].iloc[0].tolist() == expected
    with closing(Review.open(clip, other, force=True)) as review:
        assert review.detections[BOX].iloc[0].tolist() == expected
        assert review.annotations.video.width == 160
        plan = prepare(clip, review.annotations, RedactionOptions(margin=0)).plan
    assert plan.boxes[0].tolist() == expected


def test_with_force_boxes_of_the_stored_frame_are_turned(tmp_path):
    clip = make(tmp_path / "turned.mp4", Clip(frames=12, rotation=90))
    info = probe(clip)
    assert (info.width, info.height) == (96, 160)
    stored = of_other(info, width=160, height=96)
    with pytest.raises(MismatchError, match="as stored, not as displayed"):
        check_same_video(info, stored)
    (box,) = check_same_video(info, stored, force=True).detections[BOX].iloc[:1].to_numpy()
    assert sorted(box[2:].tolist()) == [30.0, 40.0] and box[2] == 40.0
    assert (box[:2] + box[2:] <= [96, 160]).all()


def test_a_digest_that_is_right_decides_it(clip, info):
    """Who has drawn boxes outside the frame of this very video has meant them."""
    rows = pd.DataFrame(ROWS).assign(x=500.0)
    assert len(check_same_video(info, Annotations(info, rows)).detections) == 12


def test_the_same_video_under_another_path_is_the_same(clip, info, tmp_path):
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clip.read_bytes())
    assert check_same_video(probe(copy), Annotations(info, pd.DataFrame(ROWS))).video.path == copy


def test_another_name_is_told_and_no_reason_to_refuse(info):
    with pytest.warns(AnnotationWarning, match=r"called attic\.mp4, this one is called lobby\.mp4"):
        check_same_video(info, of_other(info, name="attic.mp4"))


def test_faces_without_places_are_of_no_video(info):
    with pytest.raises(AnnotationError, match="not where"):
        check_same_video(info, of_other(info).replace(detections=as_detections({**ROWS, "x": np.nan})))


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"x": 0.25, "y": 0.2, "width": 0.2, "height": 0.4}, "shares of the frame taken for pixels"),
        ({"x": 40 * 160.0, "y": 20 * 96.0}, "pixels taken for shares"),
        ({"x": 400.0}, "12 of 12 boxes lie outside"),
        ({"x": [400.0] * 3 + [40.0] * 9}, "3 of 12 boxes lie outside"),
    ],
)
def test_places_that_no_face_can_have_are_refused(info, columns, reason):
    other = of_other(info)
    with pytest.raises(MismatchError, match=reason):
        check_same_video(info, other.replace(detections=other.detections.assign(**columns)))


def test_a_box_or_two_outside_are_no_reason(info):
    other = of_other(info)
    x = [400.0] * 2 + [40.0] * 10
    assert len(check_same_video(info, other.replace(detections=other.detections.assign(x=x))).detections) == 12


@pytest.fixture
def bare_mot(tmp_path: Path) -> Path:
    """A table of frame numbers and pixels, with neither size nor rate."""
    path = tmp_path / "faces.txt"
    path.write_text("".join(f"{frame + 1},1,41,21,30,40,1,-1,-1,-1\n" for frame in range(12)))
    return path


@pytest.mark.parametrize("given", ["path", "text", "header"])
def test_read_annotations_takes_the_video_as_path_too(clip, info, bare_mot, given):
    video = {"path": clip, "text": str(clip), "header": info}[given]
    annotations = read_annotations(bare_mot, video=video)
    assert (annotations.video.width, annotations.video.frame_rate) == (160, 25)
    assert annotations.detections["time"].tolist() == info.times.tolist()


def test_read_annotations_says_that_the_video_cannot_be_read(bare_mot, tmp_path):
    with pytest.raises((RedactkitError, OSError), match="nowhere"):
        read_annotations(bare_mot, video=tmp_path / "nowhere.mp4")


def rekognition(path: Path) -> Path:
    """Shares at milliseconds, with nothing about the video."""
    box = {"Left": 0.25, "Top": 0.25, "Width": 0.25, "Height": 0.5}
    faces = [{"Timestamp": 40 * frame, "Face": {"BoundingBox": box}} for frame in range(12)]
    path.write_text(json.dumps({"Faces": faces, "JobStatus": "SUCCEEDED"}))
    return path


def google(path: Path) -> Path:
    box = {"left": 0.25, "top": 0.25, "right": 0.5, "bottom": 0.75}
    times = [{"normalizedBoundingBox": box, "timeOffset": f"{frame / 25:g}s"} for frame in range(12)]
    faces = [{"tracks": [{"timestampedObjects": times}]}]
    path.write_text(json.dumps({"annotationResults": [{"faceDetectionAnnotations": faces}]}))
    return path


def csv(path: Path) -> Path:
    path.write_text("frame,face_id,x,y,width,height\n" + "".join(f"{n},1,40,24,40,48\n" for n in range(12)))
    return path


def mot(path: Path) -> Path:
    path.write_text("".join(f"{n + 1},1,41,25,40,48,1,-1,-1,-1\n" for n in range(12)))
    return path


def cvat(path: Path) -> Path:
    shape = '<box frame="{}" outside="0" occluded="0" keyframe="1" xtl="40" ytl="24" xbr="80" ybr="72"></box>'
    boxes = "".join(shape.format(frame) for frame in range(12))
    track = f'<track id="1" label="face">{boxes}</track>'
    path.write_text(f"<annotations><version>1.1</version>{track}</annotations>")
    return path


@pytest.mark.parametrize("write", [rekognition, google, csv, mot, cvat])
@pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
def test_a_video_lends_size_rate_and_times_to_every_format(clip, info, write, tmp_path, capsys):
    table = str(write(tmp_path / "their.txt"))
    assert main(["inspect", table, "--video", str(clip)]) == 0
    told = capsys.readouterr().out
    assert "160x96" in told and "25.000 fps" in told and "0:00:00.000 to 0:00:00.440" in told
    converted = tmp_path / "ours.json"
    assert main(["convert", table, str(converted), "--to", "azure", "--video", str(clip)]) == 0
    back = read_annotations(converted)
    assert (back.video.width, back.video.height, back.video.frame_rate) == (160, 96, Fraction(25))
    assert np.allclose(back.detections["time"], info.times)
    assert np.allclose(back.detections[BOX], [40, 24, 40, 48])
    assert main(["redact", str(clip), "--annotations", table, "-o", str(tmp_path / "out.mp4"), "--quiet"]) == 0


def test_a_file_of_another_rate_is_laid_on_by_time(clip, info, tmp_path):
    """Numbers count the video's frames only where the rates are one."""
    table = tmp_path / "a.csv"
    table.write_text(
        "frame,time,face_id,x,y,width,height\n0,0,1,10,24,40,48\n1,0.2,1,60,24,40,48\n2,0.4,1,110,24,40,48\n"
    )
    rows = read_annotations(table, video=clip).detections
    assert rows["frame"].tolist() == list(range(12))
    assert rows.loc[rows["frame"].isin([0, 5, 10]), "x"].tolist() == [10, 60, 110]
