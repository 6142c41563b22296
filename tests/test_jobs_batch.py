"""Batches on real worker processes: a killed worker, bad files, a second run, two passes, one long video in parts."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest

from redactkit.analysis import analyze
from redactkit.cli import main
from redactkit.errors import OptionError, VideoError
from redactkit.jobs import submit
from redactkit.jobs.inputs import find_videos, source_of
from redactkit.jobs.spec import JOBS_FOLDER, Spec
from redactkit.passes import redact
from redactkit.verification.reproduction import compare_frames
from redactkit.video import compare_files, probe
from tests.clips import Clip, make
from tests.sample_clips import cut_sample
from tests.waiting import stop_at_work, wait_until

PATIENCE = 240


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Twelve clips of four frames, two of them in a folder below."""
    folder = tmp_path_factory.mktemp("clips")
    (folder / "below").mkdir()
    for number in range(12):
        name = f"below/clip{number:02d}.mp4" if number > 9 else f"clip{number:02d}.mp4"
        cut_sample(folder / name, start=30 * number, stop=30 * number + 4, width=192, height=108)
    return folder


def assert_as_serial(out, clips, folder):
    """Hold what a batch left against the plain functions, one clip after the other."""
    found = {path.name: path for path in out.rglob("*_annotations.json")}
    sources = [Path(name) for name, _ in find_videos([clips])]
    assert sorted(found) == sorted(f"{source.stem}_annotations.json" for source in sources)
    for source in sources:
        analyze(source, output=folder, progress=False)
        name = f"{source.stem}_annotations.json"
        assert found[name].read_bytes() == (folder / name).read_bytes(), name
        report = redact(source, folder / name, output=folder / f"{source.stem}.mp4", progress=False)
        made = found[name].with_name(f"{source.stem}_redacted.mp4")
        assert compare_frames(made, report.output) == (4, ()), name


def assert_nothing_unfinished(out):
    left = [path for path in out.rglob("*") if "redactkit-part" in path.name or "checkpoint" in path.name]
    assert left == []
    assert [path.name for path in out.rglob(f"{JOBS_FOLDER}/*") if path.is_dir()] == []


@pytest.mark.slow
def test_a_batch_with_a_killed_worker_is_the_serial_run_and_then_does_only_what_is_missing(clips, tmp_path, capsys):
    out = tmp_path / "out"
    with submit(clips, output=out, workers=2) as jobs:
        wait_until(lambda: jobs.counts()["done"] >= 3, PATIENCE)
        os.kill(wait_until(lambda: stop_at_work(out, process_of), PATIENCE), signal.SIGKILL)
        assert jobs.wait(PATIENCE)
        table = jobs.table()
    assert table["state"].tolist() == ["done"] * 12, table["error"].tolist()
    assert table["note"].str.contains("done again after a worker was lost").sum() == 1
    assert_as_serial(out, clips, tmp_path / "serial")
    assert_nothing_unfinished(out)

    made = sorted(out.rglob("*_redacted.mp4"))
    times = {path: path.stat().st_mtime_ns for path in made}
    command = ["batch", str(clips), "-o", str(out), "--workers", "1", "--quiet"]
    assert main(command) == 0
    assert "12 done (12 before)" in capsys.readouterr().out
    made[3].unlink()
    assert main(command) == 0
    assert "12 done (11 before)" in capsys.readouterr().out
    assert [path for path in made if path.stat().st_mtime_ns != times[path]] == [made[3]]


def process_of(worker):
    return int(worker.rpartition(":")[2])


def test_bad_files_fail_by_themselves(clips, tmp_path, capsys):
    inputs = tmp_path / "in"
    inputs.mkdir()
    good = (clips / "clip00.mp4").read_bytes()
    for name in ("a.mp4", "z.mp4"):
        (inputs / name).write_bytes(good)
    (inputs / "text.mp4").write_text("this is no video")
    (inputs / "half.mp4").write_bytes(good[: len(good) // 2])
    (inputs / "empty.mp4").touch()
    circle = tmp_path / "circle.mp4"
    circle.symlink_to(circle)
    command = ["batch", str(inputs), str(circle), str(tmp_path / "none.mp4"), "-o", str(tmp_path / "out"), "--quiet"]
    assert main([*command, "--workers", "1", "--report", str(tmp_path / "report.csv")]) == 1
    said = capsys.readouterr()
    assert "2 done, 5 failed" in said.out
    assert len(said.err.splitlines()) == 5
    assert "Traceback" not in said.err
    table = pd.read_csv(tmp_path / "report.csv", keep_default_na=False).set_index("video")
    states = {Path(name).name: state for name, state in table["state"].items()}
    assert states == dict.fromkeys(("empty.mp4", "half.mp4", "text.mp4", "circle.mp4", "none.mp4"), "failed") | {
        "a.mp4": "done",
        "z.mp4": "done",
    }
    errors = {Path(name).name: error for name, error in table["error"].items()}
    assert "is empty" in errors["empty.mp4"]
    assert "could not open it as a video" in errors["text.mp4"]
    assert "not there for worker" in errors["none.mp4"]
    assert all(bool(error) == (states[name] == "failed") for name, error in errors.items())
    assert sorted(path.name for path in (tmp_path / "out").glob("*.mp4")) == ["a_redacted.mp4", "z_redacted.mp4"]
    assert not list((tmp_path / "out").rglob("*redactkit-part*"))


def test_outputs_of_others_are_not_replaced(clips, tmp_path):
    (tmp_path / "clip00_redacted.mp4").write_text("mine")
    with submit(clips / "clip00.mp4", output=tmp_path, workers=1) as jobs:
        assert jobs.wait(PATIENCE)
        assert "exists and was not made from this video" in jobs.table().loc[0, "error"]
    assert (tmp_path / "clip00_redacted.mp4").read_text() == "mine"


@pytest.mark.slow
def test_a_long_video_in_chunks_is_the_video_in_one_go(tmp_path):
    """Two workers, one of them killed among the parts: one table, one clock, no seam."""
    options = {"g": "10", "preset": "ultrafast", "sc_threshold": "0"}
    clip = make(tmp_path / "long.mp4", Clip(frames=120, width=256, height=144, audio=("aac",), options=options))
    whole = analyze(clip, output=tmp_path / "whole", progress=False)
    with submit(clip, output=tmp_path / "out", workers=2, chunk_frames=24) as jobs:
        work = jobs._jobs[0].spec.work
        wait_until(lambda: list(work.glob("analyze-*.log")), PATIENCE)
        started = next(iter(work.glob("analyze-*.log"))).read_text()
        os.kill(int(started.split()[1].rpartition(":")[2]), signal.SIGKILL)
        assert jobs.wait(PATIENCE)
        row = jobs.table().loc[0]
    assert row["state"] == "done", row["error"]
    assert "lost" in row["note"]
    out = tmp_path / "out"
    assert (out / "long_annotations.json").read_bytes() == (tmp_path / "whole" / "long_annotations.json").read_bytes()
    assert compare_files(probe(clip), out / "long_redacted.mp4", exact=True)["ok"].all()
    assert len(whole.video.pts) == 120
    assert_nothing_unfinished(out)


@pytest.mark.slow
def test_two_passes_with_an_id_list_between(clips, tmp_path):
    clip = clips / "clip00.mp4"
    with submit(clip, mode="analyze", output=tmp_path, workers=1) as jobs:
        assert jobs.wait(PATIENCE)
    faces = analyze(clip, progress=False).tracks.index.tolist()
    (tmp_path / "clip00_IDList.txt").write_text(f"{faces[0]}\n")
    with submit(clip, mode="redact", output=tmp_path, workers=1) as jobs:
        assert jobs.wait(PATIENCE)
        assert jobs.table().loc[0, "state"] == "done", jobs.table().loc[0, "error"]
    from redactkit.redaction import read_report

    assert read_report(tmp_path / "clip00_redacted.report.json")["settings"]["faces"] == faces[:1]


def test_own_outputs_and_hidden_files_are_no_inputs(tmp_path):
    for name in ("a.mp4", "B.MOV", ".hidden.mp4", "a_redacted.mp4", "notes.txt", "mine_redacted.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "a_redacted.report.json").touch()
    (tmp_path / ".redactkit-jobs").mkdir()
    (tmp_path / ".redactkit-jobs" / "part.mp4").touch()
    found = [name.rpartition("/")[2] for name, _ in find_videos([tmp_path])]
    assert found == ["B.MOV", "a.mp4", "mine_redacted.mp4"]


def test_no_inputs_are_no_videos(tmp_path, capsys):
    assert list(find_videos([tmp_path])) == []
    assert main(["batch", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert "no video found" in capsys.readouterr().err


def test_folders_keep_their_shape_in_the_output(tmp_path):
    (tmp_path / "in" / "monday").mkdir(parents=True)
    (tmp_path / "in" / "monday" / "a.mp4").touch()
    ((_, folder),) = find_videos([tmp_path / "in"], output=tmp_path / "out")
    assert folder == str(tmp_path / "out" / "monday")


def test_addresses_are_fetched_only_when_asked_for(clips, tmp_path):
    address = f"file://{clips / 'clip00.mp4'}"
    with pytest.raises(OptionError, match="nothing is fetched unasked"):
        source_of(Spec(address, str(tmp_path)))
    fetched = source_of(Spec(address, str(tmp_path), fetch=True))
    assert fetched.read_bytes() == (clips / "clip00.mp4").read_bytes()
    with pytest.raises(VideoError, match="could not be fetched"):
        source_of(Spec("file:///nowhere/b.mp4", str(tmp_path), fetch=True))
    with pytest.raises(OptionError, match="cannot be fetched"):
        source_of(Spec("nosuchthing://b.mp4", str(tmp_path), fetch=True))
