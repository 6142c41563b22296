"""Ways to hide nothing by mistake, as met on the command line: none ends with 0 over a bare face."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.formats import write_annotations, write_ids
from redactkit.tables import BOX, empty_detections
from redactkit.video import VideoReader, plane_views, probe
from tests.clips import Clip, damaged
from tests.sample_clips import cut_sample, sample_truth

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")


@dataclass(frozen=True)
class Scene:
    """A clip with faces, where they are, and a folder for files about it."""

    clip: Path
    truth: Annotations
    folder: Path

    def write(self, name: str, content: object) -> str:
        """Write a file of another tool and return its path."""
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return str(path)

    def saved(self, annotations: Annotations | None = None, name: str = "a.json", format: str = "azure") -> str:
        """Write annotations as redactkit does and return the file's path."""
        given = self.truth if annotations is None else annotations
        return str(write_annotations(given, self.folder / name, format=format))

    @property
    def foreign(self) -> Annotations:
        """The truth as another tool knows it, which has never seen the file's SHA-256."""
        return self.truth.replace(video=replace(self.truth.video, path=None, digest="", codec="", name=""))

    def moved(self, change: Callable[[pd.DataFrame], Mapping[str, Any]]) -> str:
        """Write a CSV table of the truth with some columns changed; frame numbers only if they are among those."""
        rows = self.truth.detections
        table = rows.drop(columns="frame").assign(**change(rows))
        path = self.folder / "faces.csv"
        table.to_csv(path, index=False)
        return str(path)


WAYS: dict[str, Callable[[Scene], list[str]]] = {}
"""What follows ``redactkit redact CLIP --blur Black``, by what went wrong."""


def way(name: str) -> Callable[[Callable[[Scene], list[str]]], Callable[[Scene], list[str]]]:
    def keep(function: Callable[[Scene], list[str]]) -> Callable[[Scene], list[str]]:
        WAYS[name] = function
        return function

    return keep


def annotated(file: str, *more: str) -> list[str]:
    return ["--annotations", file, *more]


def table(name: str, change: Callable[[pd.DataFrame], Mapping[str, Any]]) -> None:
    WAYS[name] = lambda scene: annotated(scene.moved(change))


WAYS["no face"] = lambda s: annotated(s.saved(s.truth.replace(detections=empty_detections())))
WAYS["no annotations"] = lambda s: annotated(str(s.folder / "none.json"))
WAYS["an empty file"] = lambda s: annotated(s.write("a.json", ""))
WAYS["an empty object"] = lambda s: annotated(s.write("a.json", {}))
WAYS["a table with a header and no row"] = lambda s: annotated(s.write("a.csv", "time,face_id,x,y,width,height\n"))
WAYS["everybody left visible by the analyst"] = lambda s: annotated(
    s.saved(s.truth.replace(decisions=s.truth.decisions.assign(redact=False)))
)
WAYS["everybody excluded"] = lambda s: annotated(s.saved(), "--exclude", ",".join(map(str, s.truth.tracks.index)))
WAYS["nobody included"] = lambda s: annotated(s.saved(), "--include", "")
WAYS["somebody else included"] = lambda s: annotated(s.saved(), "--include", "99")
WAYS["outlines"] = lambda s: annotated(s.saved(), "--blur", "Box")
WAYS["a blur that does not exist"] = lambda s: annotated(s.saved(), "--blur", "gaussian")
WAYS["negative size"] = lambda s: annotated(s.moved(lambda rows: {"width": -rows["width"]}))

SIDES = {"x": 320, "y": 180, "width": 320, "height": 180}
table("shares taken for pixels", lambda rows: {name: rows[name] / side for name, side in SIDES.items()})
table("pixels taken for shares, and scaled", lambda rows: {name: rows[name] * 320 for name in BOX})
table("all to the right of the frame", lambda rows: {"x": rows["x"] + 5000})
table("all above the frame", lambda rows: {"y": rows["y"] - 5000})
table("no size", lambda rows: {"width": 0.0, "height": 0.0})
table("no place", lambda rows: dict.fromkeys(BOX, np.nan))
table("milliseconds for seconds", lambda rows: {"time": rows["time"] * 1000})
table("hours before the video", lambda rows: {"time": rows["time"] - 7200})
table("an hour after the video", lambda rows: {"time": rows["time"] + 3600})
table("frames beyond the end", lambda rows: {"frame": rows["frame"] + 10_000, "time": np.nan})


@way("a list that names other faces")
def _(scene: Scene) -> list[str]:
    return annotated(scene.saved(), "--ids", scene.write("a_IDList.txt", "77\n78\n"))


@way("a list of older annotations")
def _(scene: Scene) -> list[str]:
    """The numbers are there still, and mean somebody else now."""
    first = int(scene.truth.tracks.index[0])
    aside = scene.truth.replace(detections=scene.truth.detections.assign(x=0.0, y=0.0, width=6.0, height=6.0))
    listed = write_ids(scene.folder / "a_IDList.txt", first, annotations=scene.truth)
    return annotated(scene.saved(aside), "--ids", str(listed))


@way("annotations of another video, known by its SHA-256")
def _(scene: Scene) -> list[str]:
    return annotated(scene.saved(scene.truth.replace(video=replace(scene.truth.video, path=None, digest="0" * 64))))


@way("annotations of another video, known by its size")
def _(scene: Scene) -> list[str]:
    given = scene.foreign
    return annotated(scene.saved(given.replace(video=replace(given.video, width=1920, height=1080))))


@way("annotations of a longer video")
def _(scene: Scene) -> list[str]:
    given = scene.foreign
    pts = np.arange(1000) * 512
    late = given.detections.assign(frame=given.detections["frame"] + 900)
    long = replace(given.video, pts=pts, time_base=1 / (given.video.frame_rate * 512), keyframes=())
    return annotated(scene.saved(given.replace(video=long, detections=late.assign(time=long.times[late["frame"]]))))


@way("seconds for milliseconds")
def _(scene: Scene) -> list[str]:
    """Rekognition's Timestamp counts milliseconds: all faces crowd on the first frame."""
    faces = []
    for time, x, y, width, height in scene.truth.detections[["time", *BOX]].to_numpy().tolist():
        box = {"Left": x / 320, "Top": y / 180, "Width": width / 320, "Height": height / 180}
        faces.append({"Timestamp": round(time * 10), "Face": {"BoundingBox": box}})
    size = {"FrameRate": 25.0, "FrameWidth": 320, "FrameHeight": 180}
    return annotated(scene.write("a.json", {"Faces": faces, "JobStatus": "SUCCEEDED", "VideoMetadata": size}))


@way("pixels where a format has shares")
def _(scene: Scene) -> list[str]:
    rows = scene.truth.detections
    events = [
        [
            {"index": 0, "id": int(face), "x": x, "y": y, "width": w, "height": h}
            for face, x, y, w, h in rows.loc[rows["frame"] == frame, ["face_id", *BOX]].to_numpy().tolist()
        ]
        for frame in range(30)
    ]
    head = {"version": 1, "timescale": 25, "offset": 0, "framerate": 25.0, "width": 320, "height": 180}
    piece = {"start": 0, "duration": len(events), "interval": 1, "events": events}
    return annotated(scene.write("a.json", head | {"fragments": [piece]}))


@way("labels of something else: persons")
def _(scene: Scene) -> list[str]:
    box = {"left": 0.1, "top": 0.1, "right": 0.4, "bottom": 0.9}
    track = {"tracks": [{"timestampedObjects": [{"normalizedBoundingBox": box, "timeOffset": "0s"}]}]}
    return annotated(scene.write("a.json", {"annotationResults": [{"personDetectionAnnotations": [track]}]}))


@way("labels without boxes: tags")
def _(scene: Scene) -> list[str]:
    image = '<image id="0" name="frame_000000.png" width="320" height="180"><tag label="face"></tag></image>'
    return annotated(scene.write("a.xml", f"<annotations><version>1.1</version>{image}</annotations>"))


@way("faces without places")
def _(scene: Scene) -> list[str]:
    face = {"id": 1, "name": "Unknown #1", "instances": [{"start": "0:00:00", "end": "0:00:01"}]}
    return annotated(scene.write("a.json", {"faces": [face]}))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut_sample(tmp_path_factory.mktemp("clip") / "lobby.mp4", start=260, stop=290, width=320, height=180)


@pytest.fixture
def scene(clip: Path, tmp_path: Path) -> Scene:
    return Scene(clip, sample_truth(clip, start=260), tmp_path)


def bare(scene: Scene, output: Path) -> bool:
    """Return whether in some frame a true face is as it was in the source, but for the encoder."""
    rows = scene.truth.detections
    with VideoReader(scene.clip) as before, VideoReader(output) as after:
        for source, written in zip(before.frames(), after.frames(), strict=True):
            first, second = (plane_views(frame.picture)[0].astype(int) for frame in (source, written))
            for x, y, width, height in rows.loc[rows["frame"] == source.index, BOX].to_numpy().round().astype(int):
                place = np.s_[max(y, 0) : y + height, max(x, 0) : x + width]
                if np.abs(first[place] - second[place]).mean() < 15:
                    return True
    return False


def run(scene: Scene, options: list[str]) -> tuple[int, Path]:
    output = scene.folder / "out" / "out.mp4"
    try:
        code = main(["redact", str(scene.clip), "--blur", "Black", *options, "-o", str(output), "--quiet"])
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, output


def test_the_scene_is_hidden_where_nothing_went_wrong(scene: Scene) -> None:
    """Or the tests below could not fail for the right reason."""
    code, output = run(scene, annotated(scene.saved()))
    assert code == 0 and not bare(scene, output)
    assert bare(scene, scene.clip)


@pytest.mark.parametrize("name", WAYS)
def test_no_way_to_hide_nothing_ends_with_0(scene: Scene, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, output = run(scene, WAYS[name](scene))
    told = capsys.readouterr()
    if code == 0:  # read for what it means, which is right too, if the faces are hidden
        assert not bare(scene, output), told
    elif code == 3:
        assert told.out.split(": ", 1)[1].startswith(("ONLY OUTLINES", "NOTHING IS HIDDEN", "FACES NOT")), told
    else:
        assert code in (1, 2) and told.err.strip() and "Traceback" not in told.err, told
        assert not output.exists()


def test_there_are_twenty_ways() -> None:
    assert len(WAYS) >= 20


@pytest.mark.parametrize("command", ["redact", "combined", "batch"])
def test_an_encrypted_video_does_not_end_with_0(scene: Scene, command: str, tmp_path: Path) -> None:
    """Bytes of each sample are scrambled and the sample's entry says so, as MPEG-CENC does."""
    data = scene.clip.read_bytes().replace(b"avc1", b"encv")
    video = tmp_path / "in" / "lobby.mp4"
    video.parent.mkdir()
    video.write_bytes(data)
    given = [str(video)] if command != "redact" else [str(video), *annotated(scene.saved(scene.foreign))]
    assert main([command, *given, "-o", str(tmp_path / "out" / ""), "--quiet"]) == 1
    assert not list(tmp_path.glob("**/*redacted.mp4"))


def test_a_picture_that_is_mostly_concealed_does_not_end_with_0(tmp_path: Path) -> None:
    source = damaged(tmp_path / "a.mp4", Clip(frames=60, width=320, height=240))
    info = probe(source)
    rows = {"frame": range(info.frame_count), "face_id": 1, "x": 40, "y": 40, "width": 60, "height": 60}
    given = write_annotations(Annotations(info, pd.DataFrame(rows)), tmp_path / "a.json")
    code = main(["redact", str(source), "--annotations", str(given), "-o", str(tmp_path / "b.mp4"), "--quiet"])
    assert code == 3


def test_a_batch_with_annotations_of_no_face_does_not_end_with_0(scene: Scene, tmp_path: Path) -> None:
    empty = scene.saved(scene.truth.replace(detections=empty_detections()))
    out = str(tmp_path / "out")
    assert main(["batch", str(scene.clip), "--mode", "redact", "--annotations", empty, "-o", out, "--quiet"]) == 1
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_a_preset_with_annotations_of_no_face_does_not_end_with_0(scene: Scene, tmp_path: Path) -> None:
    empty = scene.saved(scene.truth.replace(detections=empty_detections()))
    preset = scene.write("preset.json", {"version": "1.0", "options": {"mode": "redact"}})
    given = ["--config", preset, "--annotations", empty, "-o", str(tmp_path / "out"), "--quiet"]
    assert main(["run", str(scene.clip), *given]) == 1
    assert not list((tmp_path / "out").glob("*.mp4"))
    assert main(["run", str(scene.clip), *given, "--allow-nothing"]) == 0
