"""A detector's model file can be named wherever a detector can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from redactkit.analysis import analyze, search
from redactkit.analysis import chunked as parts
from redactkit.analysis.detection import detect
from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import DetectorError, OptionError
from redactkit.jobs import submit
from redactkit.jobs.submit import make_specs
from redactkit.passes import combined, run_preset
from redactkit.review import Review
from redactkit.verification import verify
from redactkit.verification.reproduction import reproduce
from redactkit.video import VideoReader, probe
from redactkit.widgets import AnalyzePanel, RedactPanel
from tests.clips import Clip, make


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clips") / "lobby.mp4", Clip(frames=5))


@pytest.fixture(autouse=True)
def no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDACTKIT_YUNET", raising=False)
    parts.shared_detector.cache_clear()


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is loaded, and from which file; what stands in for it sees no face."""
    seen = []

    def load(name: str, *, model: Any = None, **options: object) -> Any:
        seen.append((name, str(model)))
        return blind

    monkeypatch.setattr(search, "load_detector", load)
    return seen


def blind(images: Any) -> list[Any]:
    return [np.zeros((0, 5)) for _ in images]


def one_face(clip: Path) -> Annotations:
    rows = {"frame": range(5), "face_id": 1, "x": 40, "y": 20, "width": 30, "height": 40}
    return Annotations(probe(clip), pd.DataFrame(rows))


def detected(clip: Path, folder: Path, **how: Any) -> None:
    with VideoReader(clip) as reader:
        detect(reader, progress=False, **how)


def preset(mode: str) -> Any:
    job = {"version": "1.0", "options": {"mode": mode}}
    return lambda clip, folder, **how: run_preset(clip, job, output=folder, progress=False, **how)


PASSES = {
    "analyze": lambda clip, folder, **how: analyze(clip, progress=False, **how),
    "combined": lambda clip, folder, **how: combined(clip, output=folder / "a.mp4", progress=False, **how),
    "detect": detected,
    "preset analyze": preset("analyze"),
    "preset combined": preset("combined"),
    "verify": lambda clip, folder, **how: verify(clip, clip, one_face(clip), progress=False, **how),
    "command analyze": lambda clip, folder, **how: main(["analyze", str(clip), *as_options(how), "--quiet"]),
    "command combined": lambda clip, folder, **how: main(
        ["combined", str(clip), *as_options(how), "-o", str(folder / "a.mp4"), "--quiet"]
    ),
    "command run": lambda clip, folder, **how: main(
        ["run", str(clip), "--config", configuration(folder), *as_options(how), "-o", str(folder), "--quiet"]
    ),
}


def configuration(folder: Path) -> str:
    path = folder / "preset.json"
    path.write_text('{"version": "1.0", "options": {"mode": "combined"}}')
    return str(path)


def as_options(how: dict[str, Any]) -> list[str]:
    return [part for name, value in how.items() for part in (f"--{name}", str(value))]


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_takes_a_model(name, clip, loaded, tmp_path):
    if name.startswith("command analyze"):
        clip = Path(tmp_path / "lobby.mp4")
        make(clip, Clip(frames=5))
    PASSES[name](clip, tmp_path, detector="yunet", model=tmp_path / "faces.onnx")
    assert set(loaded) == {("yunet", str(tmp_path / "faces.onnx"))}


def test_a_check_searches_with_the_model_that_is_named(clip, loaded):
    verify(clip, clip, one_face(clip), detector="yunet", model="b.onnx", progress=False)
    assert set(loaded) == {("yunet", "b.onnx")}


def test_a_missing_model_is_named_by_every_worker(clip, tmp_path):
    nowhere = tmp_path / "nowhere.onnx"
    with submit(clip, detector="yunet", model=nowhere, output=tmp_path / "out", workers=1) as jobs:
        jobs.wait()
        (row,) = jobs.table().itertuples()
    assert row.state == "failed" and str(nowhere) in row.error


def test_a_batch_and_a_job_take_a_model(clip, tmp_path, capsys):
    (spec,) = make_specs(clip, detector="yunet", model=tmp_path / "faces.onnx")
    (other,) = make_specs(clip, detector="yunet")
    assert spec.model == str(tmp_path / "faces.onnx") and spec.settings_key == other.settings_key
    options = ["--detector", "yunet", "--model", str(tmp_path / "nowhere.onnx"), "--quiet"]
    assert main(["batch", str(clip), "-o", str(tmp_path / "out"), *options]) == 1
    assert "nowhere.onnx" in capsys.readouterr().err


def test_reproduce_analyzes_again_with_the_model_it_is_given(clip, tmp_path, monkeypatch):
    report = combined(clip, output=tmp_path / "a.mp4", detector=blind, progress=False)
    report.path.write_text(report.path.read_text().replace('"detector": "function"', '"detector": "yunet"'))
    with pytest.raises(DetectorError, match=r"nowhere\.onnx"):
        reproduce(report.path, model=tmp_path / "nowhere.onnx", progress=False)


def test_a_model_for_a_detector_that_has_its_own_is_refused(clip):
    with pytest.raises(OptionError, match="leave model out"):
        analyze(clip, detector=blind, model="faces.onnx", progress=False)
    with pytest.raises(OptionError, match="leave model out"):
        verify(clip, clip, one_face(clip), detector=blind, model="faces.onnx", progress=False)


@pytest.mark.parametrize("mode", ["analyze", "combined"])
def test_the_panel_takes_a_model(mode, clip, loaded, tmp_path):
    review = Review.open(clip)
    panel = AnalyzePanel(review)
    panel.detector.value, panel.model.value = "yunet", f" {tmp_path / 'faces.onnx'} "
    panel.preset.value = f'{{"version": "1.0", "options": {{"mode": "{mode}"}}}}'
    panel.output.value = str(tmp_path / "out")
    job = panel.run()
    assert job.over.wait(60) and (job.state, job.error) == ("done", "")
    assert loaded == [("yunet", str(tmp_path / "faces.onnx"))]
    panel.close()
    review.close()


def test_the_redact_panel_hides_nothing_only_where_that_is_ticked(clip, tmp_path):
    review = Review.open(clip, one_face(clip))
    review.decide(1, redact=False)
    panel = RedactPanel(review, examples=False)
    panel.output.value, panel.check.value = str(tmp_path / "a.mp4"), False
    refused = panel.run()
    assert refused.over.wait(60) and refused.state == "failed"
    assert "every face is left visible" in refused.error and "'allow nothing' in a panel" in refused.error
    assert not (tmp_path / "a.mp4").exists()
    panel.allow_nothing.value = True
    meant = panel.run()
    assert meant.over.wait(60) and meant.state == "done"
    assert meant.result[0].nothing_hidden and "NOTHING IS HIDDEN" in panel.report.value
    panel.close()
    review.close()


def test_the_analyze_panel_redacts_with_no_face_only_where_that_is_ticked(clip, tmp_path):
    folder = tmp_path / "out"
    analyze(clip, output=folder, detector=blind, progress=False)
    review = Review.open(clip)
    panel = AnalyzePanel(review)
    panel.preset.value = '{"version": "1.0", "options": {"mode": "redact"}}'
    panel.output.value = str(folder)
    refused = panel.run()
    assert refused.over.wait(60) and refused.state == "failed" and "allow nothing" in refused.error
    panel.allow_nothing.value = True
    meant = panel.run()
    assert meant.over.wait(60) and meant.state == "done" and meant.result.nothing_hidden
    panel.close()
    review.close()
