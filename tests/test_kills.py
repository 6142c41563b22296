"""Kills of whole commands and of a saving review: nothing half written, no decision lost, and the next run finishes.

``REDACTKIT_KILLS=50`` kills each of them fifty times.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redactkit.formats import read_annotations, read_ids, write_annotations
from redactkit.formats.ids import id_list_name
from redactkit.review import Review
from redactkit.verification.reproduction import compare_frames
from tests.clips import Clip, make
from tests.crashing import Faces, assert_whole, review_on
from tests.sample_clips import cut_sample
from tests.waiting import is_alive, processes_of, wait_until

KILLS = int(os.environ.get("REDACTKIT_KILLS", "4"))
FRAMES = 24
TOO_LONG = 240

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three: two clips with faces, and a file that is no video."""
    folder = tmp_path_factory.mktemp("clips")
    for name, start in (("a", 0), ("b", 200)):
        cut_sample(folder / f"{name}.mp4", start=start, stop=start + FRAMES, width=320, height=180)
    (folder / "bad.mp4").write_bytes(b"no video at all")
    return folder


def command_of(verb: str, clips: Path, out: Path) -> list[str]:
    given = clips if verb == "batch" else clips / "a.mp4"
    options = ["--workers", "2"] if verb == "batch" else []
    return [sys.executable, "-m", "redactkit.cli", verb, str(given), "-o", f"{out}/", "--quiet", *options]


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "code"), [("batch", 1), ("combined", 0)])
def test_a_killed_command_leaves_nothing_half_done_and_the_next_finishes(
    verb: str, code: int, clips: Path, tmp_path: Path
) -> None:
    rng, whole = random.Random(5), tmp_path / "whole"
    began = time.monotonic()
    assert subprocess.run(command_of(verb, clips, whole), timeout=TOO_LONG, check=False).returncode == code
    longest = time.monotonic() - began
    kills, tries, out = 0, 0, tmp_path / "0"
    while kills < KILLS:
        tries += 1
        assert tries < 5 * KILLS, f"only {kills} kills in {tries} runs"
        process = subprocess.Popen(command_of(verb, clips, out), start_new_session=True, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, longest))
        kills += kill(process, rng.choice(["all", "first", "worker"] if verb == "batch" else ["all"]))
        ended = process.wait(TOO_LONG)
        assert ended in (code, -signal.SIGKILL)
        if out.exists():
            assert_whole(out, FRAMES)
        if ended == code or (verb == "combined" and (out / "a_redacted.mp4").exists()):
            out = tmp_path / str(tries)
    assert subprocess.run(command_of(verb, clips, out), timeout=TOO_LONG, check=False).returncode == code
    assert_same(out, whole)


def kill(process: subprocess.Popen[bytes], which: str) -> bool:
    """Kill a command as a whole, its first process, or one of the others; return whether it was there."""
    if process.poll() is not None:
        return False
    if which == "worker":
        workers = [pid for pid in processes_of(process.pid) if is_worker(pid)]
        if not workers:
            return False
        os.kill(workers[0], signal.SIGKILL)
    elif which == "first":
        workers = processes_of(process.pid)
        process.kill()
        wait_until(lambda: not [pid for pid in workers if is_alive(pid)], 10)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    return True


def is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def assert_same(out: Path, whole: Path) -> None:
    def names(folder: Path) -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))

    assert names(out) == names(whole)
    for path in whole.glob("*_annotations.json"):
        assert (out / path.name).read_bytes() == path.read_bytes()
    for path in whole.glob("*.mp4"):
        assert compare_frames(out / path.name, path) == (FRAMES, ())


def test_a_killed_review_loses_no_decision_and_no_box(tmp_path: Path) -> None:
    """What was decided when the process died is there when the session is opened anew, in file or autosave."""
    clip = make(tmp_path / "clip.mp4", Clip(frames=8))
    target = write_annotations(Faces.of_clip(clip), tmp_path / "clip_annotations.json")
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["tests.crashing", "redactkit.video", "redactkit.formats", "pandas", "cv2"])
    rng, done = random.Random(3), forking.RawArray("q", [-1, -1])
    for _ in range(KILLS):
        before = done[0]
        process = forking.Process(target=review_on, args=(clip, tmp_path, done))
        process.start()
        wait_until(lambda before=before, process=process: done[0] > before or not process.is_alive(), 60)
        process.join(rng.uniform(0.0, 0.3))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert_saved(target, decided=done[0], saved=done[1])
        assert_recovered(clip, target, decided=done[0])
    assert [path.name for path in tmp_path.iterdir() if "redactkit-part" in path.name] == []


def assert_saved(target: Path, *, decided: int, saved: int) -> None:
    """Fail unless annotations and ID list are whole and no older than the last save."""
    newest = Faces.decided(read_annotations(target))
    assert saved <= newest <= decided + 1
    listed = target.with_name(id_list_name("clip"))
    if listed.exists():  # of the annotations that are there, or of those that were about to be saved
        assert read_ids(listed) in [Faces.redacted(number) for number in (newest, decided, decided + 1)]
    else:
        assert newest < 0


def assert_recovered(clip: Path, target: Path, *, decided: int) -> None:
    review = Review.open(clip, target, autosave=target.with_name("review.journal"))
    try:
        newest = Faces.decided(review)
        assert newest in (decided, decided + 1)
        Faces.assert_boxes(review, newest)
    finally:
        review.close()
