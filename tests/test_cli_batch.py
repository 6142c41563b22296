"""``batch`` and ``watch`` as a user starts them: in a process, to a pipe and to a terminal, and stopped by signals."""

from __future__ import annotations

import argparse
import functools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from redactkit.cli.jobs import add_batch, describe_ranges
from tests.clips import Clip, make
from tests.dask_cluster import connect, open_cluster
from tests.sample_clips import cut_sample
from tests.waiting import is_alive, processes_of, wait_until

pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

TOO_LONG = 180
SOON = 10
LONGER = ["watch", "batch on dask"]
COMMAND = [sys.executable, "-m", "redactkit.cli"]
DONE = ["blank_redacted.mp4", "clip_redacted.mp4"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three: a clip with faces, one without, and a file that is no video."""
    folder = tmp_path_factory.mktemp("clips")
    cut_sample(folder / "clip.mp4", stop=4, width=192, height=108)
    make(folder / "blank.mp4", Clip(frames=4))
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two clips that take some seconds each."""
    folder = tmp_path_factory.mktemp("long")
    cut_sample(folder / "first.mp4", stop=300, width=320, height=180)
    (folder / "second.mp4").write_bytes((folder / "first.mp4").read_bytes())
    return folder


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Dask cluster of one worker."""
    pytest.importorskip("distributed")
    with open_cluster(tmp_path_factory.mktemp("cluster")) as (address, add_worker):
        connect(address).close()
        add_worker()
        yield address


def assert_two_done_and_one_failed(code: int, text: str, out: Path) -> None:
    assert code == 1, text
    assert "bad.mp4: could not open it as a video" in text
    assert "2 done, 1 failed" in text
    assert "blank_redacted.mp4: NO FACE WAS FOUND AND NOTHING IS HIDDEN" in text
    assert "clip_redacted.mp4: NO FACE" not in text
    assert sorted(path.name for path in out.glob("*.mp4")) == DONE
    assert_nothing_unfinished(out)


def assert_nothing_unfinished(out: Path) -> None:
    assert [path for path in out.rglob("*") if "redactkit-part" in path.name] == []


@pytest.mark.parametrize("executor", ["processes", pytest.param("dask", marks=pytest.mark.slow)])
def test_a_batch_ends_in_a_pipe_and_says_one_line_a_file(
    clips: Path, tmp_path: Path, executor: str, request: pytest.FixtureRequest
) -> None:
    where = ["--scheduler", request.getfixturevalue("scheduler")] if executor == "dask" else []
    command = [*COMMAND, "batch", str(clips), "-o", str(tmp_path), *where]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TOO_LONG, check=False)
    assert_two_done_and_one_failed(ended.returncode, ended.stdout + ended.stderr, tmp_path)
    assert "\r" not in ended.stderr
    told = sorted(line for line in ended.stderr.splitlines() if not line.startswith("redactkit: "))
    ends = {"bad": "failed", "blank": "done", "clip": "done"}
    assert told == [f"{clips / name}.mp4: {end}" for name, end in ends.items()]


def test_a_batch_ends_in_a_terminal_and_shows_bars(clips: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    termios.tcsetwinsize(leader, (24, 100))
    command = [*COMMAND, "batch", str(clips), "-o", str(tmp_path)]
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, close_fds=True)
    os.close(follower)
    text = read_all(leader)
    assert_two_done_and_one_failed(process.wait(SOON), text, tmp_path)
    assert "all: 100%" in text
    assert "3/3" in text


def read_all(leader: int) -> str:
    """Read a terminal until its other side is closed."""
    text, end = b"", time.monotonic() + TOO_LONG
    while time.monotonic() < end:
        if not select.select([leader], [], [], 1)[0]:
            continue
        try:
            text += os.read(leader, 65_536)
        except OSError:  # Linux says so when nobody holds the other side any more
            break
    os.close(leader)
    return text.decode(errors="replace")


@pytest.mark.slow
def test_a_terminal_that_takes_no_more_holds_no_video_up(clips: Path, tmp_path: Path) -> None:
    """What is left to say waits for the terminal, as with every program; a signal ends that too."""
    leader, follower = pty.openpty()
    fill(follower)
    command = [*COMMAND, "batch", str(clips), "-o", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, close_fds=True)
    try:
        wait_until(lambda: len(list(tmp_path.glob(".redactkit-jobs/*.json"))) == 2, TOO_LONG)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 1
    finally:
        process.kill()
        process.communicate()
        os.close(follower)
        os.close(leader)
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == DONE
    assert_nothing_unfinished(tmp_path)


def fill(terminal: int) -> None:
    os.set_blocking(terminal, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(terminal, b"x" * 1000)
    os.set_blocking(terminal, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
@pytest.mark.parametrize("verb", ["batch", *(pytest.param(verb, marks=pytest.mark.slow) for verb in LONGER)])
def test_a_signal_ends_it_soon_and_leaves_nothing_unfinished(
    verb: str, number: signal.Signals, long_clips: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    more = ["--unchanged", "0.1"] if verb == "watch" else []
    if verb == "batch on dask":
        more = ["--scheduler", request.getfixturevalue("scheduler")]
    command = [*COMMAND, verb.partition(" ")[0], str(long_clips), "-o", str(tmp_path), *more]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=functools.partial(signal.signal, number, signal.SIG_DFL),  # in the background SIGINT is ignored
    )
    wait_until(lambda: list(tmp_path.rglob("start.json")), TOO_LONG)
    workers = processes_of(process.pid)
    assert workers or "dask" in verb
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=SOON)
    assert time.monotonic() - began < SOON
    assert process.returncode == 1
    assert said.splitlines()[-1] == "redactkit: interrupted; no unfinished output was left"
    assert list(tmp_path.glob("*.mp4")) == []
    wait_until(lambda: not [pid for pid in workers if is_alive(pid)], 2)
    if "dask" in verb:  # whose worker goes on until it has seen that it is to stop
        wait_until(lambda: not [path for path in tmp_path.rglob("*") if "redactkit-part" in path.name], SOON)
    assert_nothing_unfinished(tmp_path)


@pytest.mark.slow
def test_a_batch_that_was_stopped_is_finished_by_the_next(long_clips: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "batch", str(long_clips / "first.mp4"), "-o", str(tmp_path), "--quiet"]
    process = subprocess.Popen(command)
    wait_until(lambda: list(tmp_path.rglob("start.json")), TOO_LONG)
    process.terminate()
    assert process.wait(SOON) == 1
    assert subprocess.run(command, timeout=TOO_LONG, check=False).returncode == 0
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["first_redacted.mp4"]
    assert_nothing_unfinished(tmp_path)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], ""),
        (["--from", "0.4", "--to", "0.8"], "ONLY 00:00:00.400 to 00:00:00.800 IS REDACTED"),
        (["--range", "1-2", "--from", "5"], "ONLY 00:00:01.000 to 00:00:02.000, 00:00:05.000 to the end IS REDACTED"),
        (["--to", "2", "--mode", "analyze"], "only 00:00:00.000 to 00:00:02.000 is searched"),
        (["--to", "2", "--trim"], "cut down to 00:00:00.000 to 00:00:02.000"),
    ],
)
def test_passes_over_time_ranges_say_so(given: list[str], told: str) -> None:
    parser = argparse.ArgumentParser()
    add_batch(parser.add_subparsers())
    said = describe_ranges(parser.parse_args(["batch", "clips", "--quiet", *given]))
    assert said.startswith(told) and bool(said) is bool(told)
