"""Jobs that search or hide only a stretch of time, hold regions, find other things than faces, and have a look."""

import json

import numpy as np
import pytest

from redactkit.cli import main
from redactkit.detectors.objects import ObjectModel
from redactkit.errors import DetectorError, OptionError
from redactkit.formats import read_annotations
from redactkit.jobs import submit
from redactkit.jobs.manifest import done_before
from redactkit.jobs.object_models import load_models
from redactkit.jobs.submit import make_specs
from redactkit.redaction import read_report
from redactkit.video import VideoReader
from tests.red_objects import make_red_clip, red_finder

PATIENCE = 240
BOARD = {"box": [400, 240, 120, 60], "rule": "hide", "start": 0.2, "end": 0.6}


@pytest.fixture(scope="module")
def red_clip(tmp_path_factory):
    return make_red_clip(tmp_path_factory.mktemp("red") / "red.mp4")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return ObjectModel(red_finder(tmp_path_factory.mktemp("model") / "red.xml"), threshold=0.3)


def spec_of(mode, **options):
    (spec,) = make_specs("/videos/a.mp4", mode=mode, **options)
    return spec


def test_the_key_of_a_job_stays_where_nothing_is_asked_for():
    plain = spec_of("analyze")
    assert set(plain.analysis) == {"detector", "detection_size", "sensitivity", "padding", "same_person"}
    assert spec_of("analyze", start=None, end=None, regions=[], detectors={}).settings_key == plain.settings_key


@pytest.mark.parametrize("mode", ["analyze", "combined"])
def test_the_key_of_a_job_changes_with_every_option(mode, model, tmp_path):
    other = red_finder(tmp_path / "red.xml", side=160)
    asked = [
        {},
        {"start": 1},
        {"end": 1},
        {"start": 1, "end": 2},
        {"regions": [BOARD]},
        {"regions": [BOARD | {"rule": "ignore"}]},
        {"detectors": {"plate": model}},
        {"detectors": {"screen": model}},
        {"detectors": {"plate": model.path}},
        {"detectors": {"plate": other}},
    ]
    keys = {spec_of(mode, **options).settings_key for options in asked}
    other.with_suffix(".bin").write_bytes(other.with_suffix(".bin").read_bytes() + b"\0")
    keys.add(spec_of(mode, detectors={"plate": other}).settings_key)
    assert len(keys) == len(asked) + 1


def test_a_stretch_is_searched_in_mode_analyze_and_otherwise_hidden():
    options = {"start": 1, "end": 2, "regions": iter([BOARD])}
    searched = spec_of("analyze", **options).analysis
    assert (searched["start"], searched["end"], searched["regions"][0]["box"]) == (1, 2, BOARD["box"])
    combined = spec_of("combined", start=1, end=2, regions=iter([BOARD]))
    assert not {"start", "end", "regions"} & set(combined.analysis)
    assert combined.hiding["ranges"] == [[1, 2]]
    assert combined.hiding["regions"][0]["box"] == BOARD["box"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"start": 2, "end": 1}, "end"),
        ({"start": -1}, "start"),
        ({"regions": [{"box": [1, 2]}]}, "a region is"),
        ({"detectors": {"plate": print}}, "is a model file or an ObjectModel in a job"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_a_job_starts(options, match):
    with pytest.raises(OptionError, match=match):
        make_specs("/videos/a.mp4", mode="analyze", **options)


def test_a_model_that_is_missing_or_was_exchanged_is_refused(tmp_path):
    with pytest.raises(DetectorError, match="cannot be read"):
        make_specs("/videos/a.mp4", detectors={"plate": tmp_path / "none.onnx"})
    told = spec_of("analyze", detectors={"plate": red_finder(tmp_path / "red.xml")}).analysis["detectors"]
    assert list(load_models(json.loads(json.dumps(told)))) == ["plate"]
    red_finder(tmp_path / "red.xml", side=160)
    with pytest.raises(DetectorError, match="is not the file with which the job was submitted"):
        load_models(told)


@pytest.mark.slow
def test_a_stretch_of_a_long_video_is_searched_with_regions_and_for_plates(model, tmp_path):
    red_clip = make_red_clip(tmp_path / "red.mp4", keyframes=8)  # may be done in chunks
    stretch = {"mode": "analyze", "start": 0.2, "end": 0.6, "regions": [BOARD], "detectors": {"plate": model}}
    with submit(red_clip, output=tmp_path, workers=1, chunk_frames=8, **stretch) as jobs:
        assert jobs.wait(PATIENCE)
        assert jobs.table().loc[0, "state"] == "done", jobs.table().loc[0, "error"]
    found = read_annotations(tmp_path / "red_annotations.json")
    assert sorted(found.tracks["kind"]) == ["other", "plate"]
    assert found.settings["searched"] == pytest.approx([0.2, 0.6])
    assert set(found.detections["frame"]) == set(range(5, 15))


@pytest.mark.slow
def test_a_job_hides_a_plate_and_a_board_with_a_look_in_a_range_alone(red_clip, model, tmp_path, capsys):
    given = [str(red_clip), "-o", str(tmp_path), "--workers", "1", "--quiet", "--detect", f"plate={model.path}"]
    given += [
        "--from",
        "0.2",
        "--to",
        "0.6",
        "--region",
        "hide:400,240,120,60",
        "--blur",
        "Black",
        "--shape",
        "ellipse",
    ]
    assert main(["batch", *given]) == 0, capsys.readouterr().err
    board = BOARD | {"start": None, "end": None}
    options = {"start": 0.2, "end": 0.6, "regions": [board], "detectors": {"plate": model.path}}
    assert done_before(*make_specs(red_clip, output=tmp_path, blur="Black", shape="ellipse", **options))
    assert not done_before(*make_specs(red_clip, output=tmp_path, blur="Black", **options))
    assert read_annotations(tmp_path / "red_annotations.json").detections["frame"].nunique() == 25
    assert read_report(tmp_path / "red_redacted.report.json")["settings"]["ranges"] == [[0.2, 0.6]]
    with VideoReader(red_clip) as before, VideoReader(tmp_path / "red_redacted.mp4") as after:
        for was, now in zip(before.frames(0, 25), after.frames(0, 25), strict=True):
            old, new = was.picture.to_ndarray(format="rgb24"), now.picture.to_ndarray(format="rgb24")
            if not 5 <= was.index < 15:
                assert np.abs(old.astype(int) - new).mean() < 4
                continue
            assert new[160:188, 110 + 6 * was.index : 138 + 6 * was.index].max() < 40
            assert new[245:295, 405:515].max() < 40
            assert np.abs(old[:80].astype(int) - new[:80]).mean() < 4
