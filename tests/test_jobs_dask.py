"""Jobs on a real Dask scheduler with real worker processes, started as docs/scaling.md says."""

import os
import signal
from pathlib import Path

import pytest

from redactkit.analysis import analyze
from redactkit.errors import OptionError
from redactkit.jobs import submit
from redactkit.jobs.executors import open_engine
from redactkit.passes import redact
from redactkit.verification.reproduction import compare_frames
from tests.dask_cluster import connect, open_cluster
from tests.sample_clips import cut_sample
from tests.waiting import stop_at_work, wait_until

pytest.importorskip("distributed")
PATIENCE = 240
CLIPS = 12


@pytest.fixture
def cluster(tmp_path):
    with open_cluster(tmp_path) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_that_loses_a_worker_does_what_the_serial_run_does(cluster, tmp_path):
    address, add_worker = cluster
    clips = tmp_path / "clips"
    clips.mkdir()
    for number in range(CLIPS):
        cut_sample(clips / f"clip{number:02d}.mp4", start=30 * number, stop=30 * number + 4, width=192, height=108)
    for _ in range(2):
        add_worker()
    out = tmp_path / "out"
    client = connect(address)
    try:
        client.wait_for_workers(2, timeout=240)
        processes = client.run(os.getpid)
        with submit(clips, output=out, executor=client) as jobs:
            wait_until(lambda: jobs.counts()["done"] >= 3, PATIENCE)
            os.kill(wait_until(lambda: stop_at_work(out, processes.get), PATIENCE), signal.SIGKILL)
            add_worker()
            assert jobs.wait(PATIENCE)
            table = jobs.table()
    finally:
        client.close()
    assert table["state"].tolist() == ["done"] * CLIPS, table["error"].tolist()
    assert table["worker"].str.startswith("tcp://").all()
    assert table["note"].str.contains("done again after a worker was lost").sum() == 1
    for clip in sorted(clips.iterdir()):
        analyze(clip, output=tmp_path / "serial", progress=False)
        name = f"{clip.stem}_annotations.json"
        assert (out / name).read_bytes() == (tmp_path / "serial" / name).read_bytes(), name
        report = redact(clip, tmp_path / "serial" / name, output=tmp_path / "serial" / clip.name, progress=False)
        assert compare_frames(out / f"{clip.stem}_redacted.mp4", report.output) == (4, ()), name


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_is_not_there_is_named():
    with pytest.raises(OptionError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1 "):
        open_engine("tcp://127.0.0.1:1")


def test_scaling_page_names_the_commands_used_here():
    page = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text()
    assert "dask scheduler" in page
    assert "dask worker tcp://" in page
    assert "--nthreads 1" in page
