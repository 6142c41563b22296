"""Kills, signals, full disks and faults in the middle: no file with a final name unless it is whole."""

import functools
import multiprocessing
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from redactkit.analysis import analyze
from redactkit.errors import VideoError
from redactkit.formats import read_annotations, write_annotations
from redactkit.passes import redact
from redactkit.verification.reproduction import compare_frames
from redactkit.video import VideoReader, probe
from tests.clips import Clip, make
from tests.crashing import Brightest, assert_whole, run_on_a_full_disk, run_passes
from tests.waiting import wait_until

FRAMES = 80
KILLS = 50
SECONDS = 80

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    options = {"g": "10", "preset": "ultrafast", "sc_threshold": "0"}
    return make(tmp_path_factory.mktemp("clips") / "clip.mp4", Clip(frames=FRAMES, options=options))


@pytest.fixture(scope="module")
def uninterrupted(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    run_passes(clip, folder)
    return folder


@pytest.fixture(scope="module")
def context():
    """Processes that start at once, forked from one that has imported everything and runs no threads."""
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload(["tests.crashing", "redactkit.video", "redactkit.formats", "pandas", "cv2"])
    return forking


def partial_files(folder):
    return [path for path in folder.rglob("*") if "redactkit-part" in path.name]


@pytest.mark.slow
def test_fifty_kills_at_random_moments_leave_nothing_half_done(clip, uninterrupted, context, tmp_path):
    """Each process goes on where the one killed before it was; what comes out is the uninterrupted run's."""
    rng, kills, finished, folder = random.Random(8), 0, 0, tmp_path / "0"
    end = time.monotonic() + SECONDS
    while kills < KILLS and time.monotonic() < end:
        folder.mkdir(exist_ok=True)
        process = context.Process(target=run_passes, args=(clip, folder))
        process.start()
        process.join(rng.uniform(0.05, 0.9))
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
        assert process.exitcode in (0, -signal.SIGKILL)
        assert_whole(folder, FRAMES)
        if process.exitcode == 0:
            finished += 1
            assert_same(folder, uninterrupted)
            folder = tmp_path / str(finished)
    folder.mkdir(exist_ok=True)
    run_passes(clip, folder)
    assert_same(folder, uninterrupted)
    assert kills >= (KILLS if end > time.monotonic() else KILLS // 5), f"only {kills} kills in {SECONDS} s"


def assert_same(folder, uninterrupted):
    name = "clip_annotations.json"
    assert (folder / name).read_bytes() == (uninterrupted / name).read_bytes()
    frames, differing = compare_frames(folder / "clip_redacted.mp4", uninterrupted / "clip_redacted.mp4")
    assert frames and not differing
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in uninterrupted.iterdir())


@pytest.mark.parametrize("most", [1, 2000, 20_000])
def test_a_full_disk_leaves_nothing_half_done(clip, context, tmp_path, most):
    process = context.Process(target=run_on_a_full_disk, args=(clip, tmp_path, most))
    process.start()
    process.join(60)
    assert process.exitcode == 1
    assert_whole(tmp_path, FRAMES)
    assert partial_files(tmp_path) == []
    assert not (tmp_path / "clip_redacted.mp4").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_pass_with_one_line_and_no_output(tmp_path, number):
    clip = make(tmp_path / "clip.mp4", Clip(frames=600, width=640, height=360, options={"preset": "ultrafast"}))
    info = probe(clip)
    empty = read_annotations_of(info, tmp_path)
    command = [sys.executable, "-m", "redactkit.cli", "redact", str(clip), "--annotations", str(empty)]
    options = ["--preset", "veryslow", "--no-smart-copy", "--allow-nothing", "--quiet"]
    heed = functools.partial(signal.signal, number, signal.SIG_DFL)  # what runs in the background ignores SIGINT
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    wait_until(lambda: partial_files(tmp_path), 60)
    process.send_signal(number)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 1
    assert said == "redactkit: interrupted; no unfinished output was left\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip_annotations.json"]


def read_annotations_of(info, folder):
    from redactkit.annotations import Annotations
    from redactkit.tables import empty_detections

    path = folder / "clip_annotations.json"
    write_annotations(Annotations(video=info, detections=empty_detections()), path)
    return path


def test_a_decoder_that_fails_in_the_middle_leaves_no_output(clip, uninterrupted, tmp_path, monkeypatch):
    whole = VideoReader.ranges

    def failing(self, ranges):
        for frame in whole(self, ranges):
            if frame.index == 40:
                raise VideoError("the disk was pulled out")
            yield frame

    monkeypatch.setattr(VideoReader, "ranges", failing)
    with pytest.raises(VideoError, match="pulled out"):
        redact(clip, uninterrupted / "clip_annotations.json", output=tmp_path / "out.mp4", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_in_the_middle_leaves_no_output(clip, uninterrupted, tmp_path, monkeypatch):
    from redactkit.video.segments import Segment

    whole, fed = Segment.encode, []

    def failing(self, picture, pts, **times):
        fed.append(pts)
        if len(fed) == 40:
            raise OSError(28, "No space left on device")
        return whole(self, picture, pts, **times)

    monkeypatch.setattr(Segment, "encode", failing)
    options = {"output": tmp_path / "out.mp4", "smart_copy": False, "progress": False}
    with pytest.raises(VideoError, match="No space left"):
        redact(clip, uninterrupted / "clip_annotations.json", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_detector_that_raises_leaves_no_annotations(clip, tmp_path):
    class Failing(Brightest):
        seen = 0

        def __call__(self, images):
            self.seen += len(images)
            if self.seen > 100:
                raise MemoryError
            return super().__call__(images)

    with pytest.raises(MemoryError):
        analyze(clip, output=tmp_path, detector=Failing(), chunk_frames=24, progress=False)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    resumed = analyze(clip, output=tmp_path, detector=Brightest(), chunk_frames=24, progress=False)
    whole = analyze(clip, detector=Brightest(), progress=False)
    assert resumed.detections.equals(whole.detections)
    assert np.array_equal(resumed.cuts, whole.cuts)
    assert read_annotations(tmp_path / "clip_annotations.json").equals(resumed, tolerance=1e-3)
