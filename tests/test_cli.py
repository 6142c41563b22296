"""The command line: verbs, exit codes, one-line reasons."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.formats import read_annotations
from redactkit.tables import BOX


@pytest.fixture
def clip(short_clip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(short_clip, tmp_path / "lobby.mp4"))


def test_no_command_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from redactkit.cli.commands import _parser; _parser().format_help(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"av", "openvino", "pandas", "numpy", "matplotlib", "ipywidgets"} & set(loaded)


def test_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "redactkit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("redactkit ")


@pytest.mark.parametrize("verb", ["analyze", "combined"])
def test_missing_video_gives_one_line_and_code_one(
    verb: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([verb, str(tmp_path / "nowhere.mp4"), "--quiet"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nowhere.mp4" in error
    assert list(tmp_path.iterdir()) == []


def test_analyze_then_redact_one_face(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(clip), "--quiet"]) == 0
    folder = clip.with_name("lobby_analysis")
    assert folder.stat().st_mode & 0o077 == 0
    document = json.loads((folder / "lobby_annotations.json").read_text())
    faces = {face["id"] for fragment in document["fragments"] for event in fragment["events"] for face in event}
    assert {path.name for path in folder.glob("*.jpg")} == {f"lobby_thumb{face:06d}.jpg" for face in faces}
    assert main(["redact", str(clip), "--include", "1", "--quiet"]) == 0
    assert "1 of" in capsys.readouterr().out
    report = json.loads(clip.with_name("lobby_redacted.report.json").read_text())
    assert report["settings"]["faces"] == [1]
    assert report["ok"] is True


def test_redact_refuses_to_replace_without_being_asked(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip.with_name("lobby_redacted.mp4").write_bytes(b"mine")
    assert main(["analyze", str(clip), "--quiet"]) == 0
    assert main(["redact", str(clip), "--quiet"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert clip.with_name("lobby_redacted.mp4").read_bytes() == b"mine"


def test_redact_without_an_analysis_says_where_it_looked(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["redact", str(clip), "--quiet"]) == 1
    assert "lobby_annotations.json" in capsys.readouterr().err


def test_combined_of_several_goes_on_after_a_bad_one(clip: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    assert main(["combined", str(bad), str(clip), "-o", str(tmp_path / "out"), "--quiet"]) == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "lobby_redacted.mp4",
        "lobby_redacted.report.json",
    }


@pytest.mark.parametrize(
    ("options", "made"),
    [
        ({"Mode": "Analyze"}, "lobby_annotations.json"),
        ({"mode": "combined", "blurType": "Black"}, "lobby_redacted.mp4"),
    ],
)
def test_run_follows_a_preset(clip: Path, tmp_path: Path, options: dict[str, str], made: str) -> None:
    preset = tmp_path / "preset.json"
    preset.write_text(json.dumps({"Version": "1.0", "Options": options}))
    assert main(["run", "--config", str(preset), str(clip), "-o", str(tmp_path / "out"), "--quiet"]) == 0
    assert (tmp_path / "out" / made).is_file()


def test_run_redacts_by_preset_from_an_earlier_analysis(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    presets = {mode: tmp_path / f"{mode}.json" for mode in ("analyze", "redact")}
    for mode, path in presets.items():
        path.write_text(json.dumps({"version": "1.0", "options": {"mode": mode}}))
        assert main(["run", "--config", str(path), str(clip), "-o", str(out), "--quiet"]) == 0
    assert (out / "lobby_redacted.mp4").is_file()


def test_verify_ends_with_three_when_a_face_is_bare(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", str(clip), "--quiet"]) == 0
    assert main(["verify", str(clip), str(clip), "--json", "--quiet"]) == 3
    text = capsys.readouterr().out
    assert json.loads(text[text.index("{") :])["verdict"] == "exposed"


def test_convert_and_inspect_take_what_a_file_lacks(
    short_truth: Annotations, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = short_truth.to("azure", tmp_path / "a.json")
    table = str(tmp_path / "a.txt")
    assert main(["convert", str(source), table, "--to", "mot"]) == 0
    known = ["--format", "mot", "--size", "640x360", "--frame-rate", "25"]
    assert main(["inspect", table, *known]) == 0
    assert main(["convert", table, str(tmp_path / "b.json"), "--to", "azure", *known]) == 0
    back = read_annotations(tmp_path / "b.json")
    assert np.allclose(back.detections[BOX], short_truth.detections[BOX], atol=0.01)
    captured = capsys.readouterr()
    assert "206 boxes of 4 faces" in captured.out
    assert "Warning" not in captured.err


@pytest.mark.parametrize("option", [["--frame-rate", "fast"], ["--size", "big"]])
def test_convert_refuses_what_it_cannot_read_as_usage(option: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["convert", "a.json", "b.xml", "--to", "cvat", *option])
    assert stop.value.code == 2


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        main(["analyze", str(tmp_path / "nowhere.mp4"), "--debug"])
