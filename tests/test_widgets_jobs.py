"""The panel of many videos, without a browser: real jobs in a thread, and jobs that a test ends as it likes."""

from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from redactkit.annotations import Annotations
from redactkit.errors import OptionError, VideoError
from redactkit.jobs import Jobs
from redactkit.jobs.tasks import Outcome
from redactkit.widgets import JobsPanel, Workbench
from redactkit.widgets.jobs_panel import describe_job
from tests.test_jobs import Engine, specs
from tests.waiting import wait_until


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def jobs(engine: Engine, tmp_path: Path) -> Any:
    opened = Jobs(specs(tmp_path, 3), engine)
    yield opened
    engine.room = 0
    engine.stop()
    opened.close()


def row(panel: JobsPanel, number: int) -> tuple[str, bool, bool, bool]:
    """Return what a line says, and which of its buttons can be pressed: cancel, again, open."""
    panel.refresh()
    line = panel._lines[number]
    return line.text.value, *(not each.disabled for each in (line.cancel, line.again, line.open))


def test_panel_without_jobs_offers_nothing_to_cancel() -> None:
    panel = JobsPanel()
    assert panel.cancel_button.disabled and panel.again_button.disabled and panel.list.children == ()
    panel.run_button.click()
    assert "name a video" in panel.message.value
    panel.close()


def test_panel_of_a_folder_without_videos_says_so(tmp_path: Path) -> None:
    panel = JobsPanel(videos=tmp_path)
    with pytest.raises(OptionError, match="no video in"):
        panel.start()
    assert panel.jobs is None
    panel.close()


def test_lines_follow_their_jobs(jobs: Jobs, engine: Engine) -> None:
    panel = JobsPanel(jobs)
    engine.wait_for(2)
    assert row(panel, 2)[1:] == (True, False, False)
    assert "queued" in row(panel, 2)[0]
    engine.futures[0].set_result(Outcome(frames=100, faces=2))
    engine.futures[1].set_exception(VideoError("no <b>such</b> codec"))
    wait_until(lambda: jobs.counts()["failed"] == 1 and jobs.counts()["done"] == 1)
    assert row(panel, 0)[1:] == (False, True, True)
    assert "written, 2 faces, not checked for leaks" in row(panel, 0)[0] and "rk-good" not in row(panel, 0)[0]
    assert row(panel, 1)[1:] == (False, True, False)
    assert "failed: no &lt;b&gt;such" in row(panel, 1)[0]
    assert panel.text.value.startswith("1 running, 1 done, 1 failed")
    panel._lines[1].again.click()
    wait_until(lambda: jobs.counts()["failed"] == 0)
    panel.close()
    assert jobs.counts()["running"] + jobs.counts()["queued"] == 2, "jobs of others go on"


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(frames=9, faces=0, nothing_hidden=True), "no face was found and nothing is hidden"),
        (Outcome(frames=9, faces=2, nothing_hidden=True), "nothing is hidden"),
        (Outcome(frames=9, faces=2, ok=False), "not as it should be"),
    ],
)
def test_what_is_done_and_hides_nothing_is_no_success(
    jobs: Jobs, engine: Engine, outcome: Outcome, expected: str
) -> None:
    panel = JobsPanel(jobs)
    engine.wait_for(1)
    engine.futures[0].set_result(outcome)
    wait_until(lambda: jobs.counts()["done"] == 1)
    text, *_ = row(panel, 0)
    assert expected in text and "rk-bad" in text and "rk-good" not in text
    assert panel._lines[0].bar.bar_style == "danger"
    panel.close()


def test_of_many_jobs_those_under_way_and_failed_ones_are_listed(tmp_path: Path) -> None:
    engine = Engine(slots=1)
    with Jobs(specs(tmp_path, 9), engine) as jobs:
        panel = JobsPanel(jobs, most=3)
        for number in range(4):
            engine.wait_for(number + 1)
            end = VideoError("bad") if number == 1 else None
            engine.futures[number].set_exception(end) if end else engine.futures[number].set_result(Outcome(frames=1))
        engine.wait_for(5)
        panel.refresh()
        assert set(panel._lines) == {1, 4, 5}
        engine.room = 0
        engine.stop()
        panel.close()


def test_videos_are_redacted_shown_and_opened(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    video = Path(shutil.copy(short_clip, tmp_path / "lobby.mp4"))
    short_truth.to("azure", tmp_path / "lobby_annotations.json")
    with ThreadPoolExecutor(1) as executor:
        panel = JobsPanel(videos=video, output=tmp_path / "out", executor=executor)
        panel.mode.value = "redact"
        with pytest.raises(OptionError, match="job 0 is"):
            gate = threading.Event()
            executor.submit(gate.wait, 10)  # holds the only thread, so that the job is not done yet
            panel.start()
            panel.open_result(0)
        gate.set()
        assert panel.jobs is not None and panel.jobs.wait(60)
        panel.refresh()
        assert (tmp_path / "out" / "lobby_redacted.mp4").is_file()
        panel._lines[0].open.click()
        assert panel.message.value == ""
        player, room = panel.room.children
        assert isinstance(room, Workbench) and len(room.review.decisions) == len(short_truth.decisions)
        assert bytes(player.value)
        panel.close()
    assert bytes(player.value) == b"", "no picture of a person is left in the page"


def test_running_job_tells_its_stage_and_the_time_left() -> None:
    listed = {"state": "running", "stage": "analyze", "frames": 100, "progress": 0.25, "left": 75.0, "note": ""}
    assert describe_job(listed) == "analyze: 25%, 00:01:15 left"
    assert describe_job(listed | {"stage": "", "progress": 0.0, "left": float("nan")}) == "starting: 0%"
