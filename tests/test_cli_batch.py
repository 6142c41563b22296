"""``batch`` and ``watch`` as a user starts them: in a process, to a pipe and to a terminal, and stopped by signals."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.sample_clips import cut_sample
from tests.waiting import wait_until

TOO_LONG = 180
COMMAND = [sys.executable, "-m", "redactkit.cli"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two clips and a file that is none."""
    folder = tmp_path_factory.mktemp("clips")
    for number in range(2):
        cut_sample(folder / f"clip{number}.mp4", start=30 * number, stop=30 * number + 4, width=192, height=108)
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


def assert_two_done_and_one_failed(code: int, text: str, out: Path) -> None:
    assert code == 1
    assert "bad.mp4" in text and "2 done, 1 failed" in text
    assert sorted(path.name for path in out.glob("*.mp4")) == ["clip0_redacted.mp4", "clip1_redacted.mp4"]
    assert [path for path in out.rglob("*") if "redactkit-part" in path.name] == []


def test_a_batch_ends_in_a_pipe_and_says_one_line_a_file(clips: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "batch", str(clips), "-o", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TOO_LONG, check=False)
    assert_two_done_and_one_failed(ended.returncode, ended.stdout + ended.stderr, tmp_path)
    assert "\r" not in ended.stderr
    told = [line for line in ended.stderr.splitlines() if line.endswith((": done", ": failed"))]
    assert len(told) == 3


def test_a_batch_ends_in_a_terminal_and_shows_bars(clips: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    termios.tcsetwinsize(leader, (24, 100))
    command = [*COMMAND, "batch", str(clips), "-o", str(tmp_path)]
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, close_fds=True)
    os.close(follower)
    text = _read_all(leader)
    assert_two_done_and_one_failed(process.wait(10), text, tmp_path)
    assert "all" in text and "/3" in text


def _read_all(leader: int) -> str:
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("verb", ["batch", "watch"])
def test_a_signal_ends_it_within_ten_seconds_and_leaves_nothing_unfinished(
    verb: str, number: int, tmp_path: Path
) -> None:
    source, out = tmp_path / "clips", tmp_path / "out"
    source.mkdir()
    cut_sample(source / "long.mp4", start=0, stop=200)
    settle = ["--settle", "0.1"] if verb == "watch" else []
    process = subprocess.Popen(
        [*COMMAND, verb, str(source), "-o", str(out), *settle],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: list(out.rglob("start.log")), TOO_LONG)
    workers = _processes_of(process.pid)
    process.send_signal(number)
    text, _ = process.communicate(timeout=10)
    assert process.returncode in (0, 1) if verb == "watch" else process.returncode == 1, text
    assert list(out.glob("*.mp4")) == []
    wait_until(lambda: not [pid for pid in workers if _is_alive(pid)], 10)


def _processes_of(group: int) -> list[int]:
    """Return every process of a session but the one that began it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == group and int(folder.name) != group:
            found.append(int(folder.name))
    return found


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
