import importlib
import threading
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from redactkit.analysis import analyze, detection, sampling, scanning
from redactkit.analysis.appearance import DESCRIPTOR_LENGTH
from redactkit.analysis.checkpoint import Checkpoint, ChunkResult, checkpoint_folder
from redactkit.analysis.detection import detect
from redactkit.analysis.sampling import section_edges
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.search import plan_search
from redactkit.analysis.shot_boundaries import ShotBoundaryFinder
from redactkit.errors import DetectorError, OptionError, PassCancelled, VideoError
from redactkit.media import FrameRange, VideoInfo
from redactkit.video import VideoReader, probe
from redactkit.video.chunks import LEAD_FRAMES, SECTION_FRAMES, split_frames
from tests.clips import Clip, make

CHUNK = 24


class Brightest:
    """A detector that finds a box where the picture is brightest, and counts the pictures it was shown."""

    name, digest = "brightest", "0" * 64

    def __init__(self):
        self.seen = 0

    def __call__(self, images):
        self.seen += len(images)
        return [self._box(image) for image in images]

    def _box(self, image):
        y, x = np.unravel_index(image[::4, ::4, 0].argmax(), image[::4, ::4, 0].shape)
        return np.array([[x * 4, y * 4, 24, 24, 0.5 + image.mean() / 1000]], float)


class Failing(Brightest):
    """The same for several threads, until it has seen so many pictures."""

    is_thread_safe = True

    def __init__(self, last=10**9):
        super().__init__()
        self.last = last

    def __call__(self, images):
        if self.seen > self.last:
            raise DetectorError("no more")
        return super().__call__(images)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Eight short shots of moving pictures, a keyframe every ten frames."""
    options = {"g": "10", "preset": "ultrafast", "sc_threshold": "0", "bf": "2"}
    return make(tmp_path_factory.mktemp("clips") / "clip.mp4", Clip(frames=120, options=options))


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(detection, "split_frames", lambda info, longest: split_frames(info, longest=CHUNK))
    monkeypatch.setattr(sampling, "SECTION_FRAMES", CHUNK)


def empty_chunk():
    nothing = np.zeros(0, np.int64)
    return ChunkResult(
        FrameRange(0, 1),
        1,
        nothing,
        np.zeros((0, 5)),
        np.zeros(0, bool),
        np.zeros((0, DESCRIPTOR_LENGTH), np.uint8),
        nothing,
    )


def header(frames, keyframes):
    from fractions import Fraction

    pts = np.arange(frames)
    return VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), pts, keyframes=np.array(keyframes, np.int64))


def stop_after(frames):
    def progress(stage, done, total):
        if done >= frames:
            raise PassCancelled("enough")

    return progress


def equal(first, second):
    assert first.detections.equals(second.detections)
    assert first.cuts.tolist() == second.cuts.tolist()
    assert first.settings == second.settings
    assert first.errors == second.errors


def test_split_of_no_frames_is_one_empty_chunk():
    assert split_frames(header(0, [])) == [(0, 0)]


def test_split_of_a_short_video_is_one_chunk():
    assert split_frames(header(4000, range(0, 4000, 250))) == [(0, 4000)]


@pytest.mark.parametrize("every", [1, 7, 50, 250, 1999])
def test_split_chunks_follow_each_other_and_start_after_a_keyframe(every):
    info = header(10_000, range(0, 10_000, every))
    chunks = split_frames(info, longest=1000)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == 10_000
    assert all(before[1] == after[0] for before, after in pairwise(chunks))
    assert all(start - LEAD_FRAMES in info.keyframes for start, _ in chunks[1:])
    assert all(stop - start >= 500 for start, stop in chunks)


@pytest.mark.parametrize("every", [7, 50, 250])
def test_split_long_chunks_start_where_sampling_does(every):
    info = header(10_000, range(0, 10_000, every))
    edges = section_edges(info)
    assert all(later - sooner >= SECTION_FRAMES for sooner, later in pairwise(edges[:-1]))
    assert {start for start, _ in split_frames(info)} <= {*edges.tolist()}


def test_split_without_keyframes_is_one_chunk():
    assert split_frames(header(10_000, [0])) == [(0, 10_000)]


def test_split_refuses_empty_chunks():
    with pytest.raises(OptionError, match="at least 1 frame"):
        split_frames(header(10, [0]), longest=0)


def test_cuts_of_a_chunk_are_the_cuts_of_the_whole():
    rng = np.random.default_rng(3)
    shots = rng.integers(0, 255, (6, 36, 64, 3), np.uint8)
    frames = [shots[number] for number in rng.integers(0, 6, 160).repeat(rng.integers(1, 5, 160))[:160]]
    whole = ShotBoundaryFinder()
    for frame in frames:
        whole.add(frame)
    for start in range(LEAD_FRAMES, 120, 5):
        chunk, stop = ShotBoundaryFinder(), start + 30
        for frame in frames[start - LEAD_FRAMES : stop + LEAD_FRAMES]:
            chunk.add(frame)
        found = chunk.cuts() + start - LEAD_FRAMES
        assert found[(found >= start) & (found < stop)].tolist() == [
            cut for cut in whole.cuts().tolist() if start <= cut < stop
        ]
    assert len(whole.cuts()) > 5


def test_checkpoint_of_no_folder_keeps_nothing(tmp_path):
    Checkpoint(None).save(empty_chunk())
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_gives_back_what_was_kept(tmp_path):
    rng = np.random.default_rng(0)
    chunk = ChunkResult(
        FrameRange(3, 9),
        6,
        np.array([3, 3, 8]),
        rng.random((3, 5)),
        np.array([1, 1, 0], bool),
        rng.integers(0, 255, (3, DESCRIPTOR_LENGTH), np.uint8),
        np.array([5]),
        ("packet at pts 3: ärger",),
        mixed=np.array([4]),
        jumps=np.array([4, 5]),
    )
    Checkpoint(tmp_path / "keep" / "key").save(chunk)
    loaded = Checkpoint(tmp_path / "keep" / "key").load(FrameRange(3, 9))
    assert (loaded.frames, loaded.frames_done, loaded.errors) == ((3, 9), 6, chunk.errors)
    assert all(
        np.array_equal(getattr(loaded, name), getattr(chunk, name))
        for name in ("frame", "faces", "detected", "appearance", "cuts", "mixed", "jumps")
    )
    assert (tmp_path / "keep").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no zip", b"text"])
def test_checkpoint_takes_a_damaged_chunk_for_none(tmp_path, damage):
    checkpoint = Checkpoint(tmp_path)
    checkpoint.save(empty_chunk())
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    assert checkpoint.load(FrameRange(0, 1)) is None


def test_checkpoint_belongs_to_one_video_and_one_search(tmp_path, clip):
    info = probe(clip)
    settings = {"model_sha256": "1", "threshold": 0.2}
    folders = {Checkpoint.of(tmp_path, info, settings | change).folder for change in ({}, {}, {"threshold": 0.3})}
    assert len(folders) == 2
    assert Checkpoint.of(tmp_path, info, {"model_sha256": None}).folder is None


@pytest.mark.parametrize("segment", [CHUNK, 240])
def test_detect_by_chunks_gives_the_table_of_one_go(clip, tmp_path, monkeypatch, segment):
    monkeypatch.setattr(sampling, "SECTION_FRAMES", segment)
    with VideoReader(clip) as reader:
        whole = detect(reader, detector=Brightest(), progress=False)
        monkeypatch.setattr(detection, "split_frames", lambda info, longest: split_frames(info, longest=CHUNK))
        equal(detect(reader, detector=Brightest(), chunk_folder=tmp_path, progress=False), whole)
        equal(detect(reader, detector=Brightest(), progress=False), whole)
    assert len(list(tmp_path.glob("*/*.npz"))) > 3


def test_detect_goes_on_where_it_was_stopped(clip, tmp_path, short_chunks):
    with VideoReader(clip) as reader:
        untouched = Brightest()
        whole = detect(reader, detector=untouched, progress=False)
        with pytest.raises(PassCancelled):
            detect(reader, detector=Brightest(), chunk_folder=tmp_path, progress=stop_after(60))
        detector = Brightest()
        equal(detect(reader, detector=detector, chunk_folder=tmp_path, progress=False), whole)
    assert 0 < detector.seen < untouched.seen


def test_detect_in_one_go_where_a_chunk_does_not_decode_by_itself(clip, tmp_path, short_chunks):
    with VideoReader(clip) as reader:
        whole = detect(reader, detector=Brightest(), progress=False)

        class Unseekable:
            info = reader.info
            decode_errors = ()
            keep, drop_kept = reader.keep, reader.drop_kept

            def frames(self, start, stop):
                if start:
                    raise VideoError("no such place")
                return reader.frames(start, stop)

        steps = []
        scan = detect(
            Unseekable(), detector=Brightest(), chunk_folder=tmp_path, progress=lambda *step: steps.append(step)
        )
    equal(scan, whole)
    assert steps[-1] == ("analyze", 120, 120)


@pytest.mark.parametrize("length", [40, 50])
def test_batches_of_a_section_are_those_of_the_whole(clip, monkeypatch, length):
    """Which frames are searched lightly depends on their neighbours in a batch."""
    monkeypatch.setattr(sampling, "SECTION_FRAMES", length)
    with VideoReader(clip) as reader:
        search = replace(plan_search(reader.info, detector=Brightest()), sample_seconds=0.12)
        edges = section_edges(reader.info)

        def batches(start, stop):
            frames = reader.frames(max(start - LEAD_FRAMES, 0), stop + LEAD_FRAMES)
            scanned = scanning._scanned_frames(
                frames,
                reader.info,
                search,
                ScanResult(),
                wanted=FrameRange(start, stop),
                edges=edges,
                keep=reader.keep,
            )
            return [[item.frame.index for item in batch] for batch in scanning._batches(scanned, reader.info)]

        whole = batches(0, reader.info.frame_count)
        sections = [batch for start, stop in pairwise(edges.tolist()) for batch in batches(start, stop)]
    assert len(edges) > 3
    assert sections == whole


def test_detect_can_be_cancelled_and_fails_with_the_detector(clip):
    with VideoReader(clip) as reader:
        with pytest.raises(PassCancelled):
            detect(reader, detector=Failing(), progress=stop_after(30))
        with pytest.raises(DetectorError, match="no more"):
            detect(reader, detector=Failing(last=20), progress=False)
    assert not [thread for thread in threading.enumerate() if thread.name == "redactkit-buffered"]


def test_detect_names_each_decoding_fault_once(clip, short_chunks):
    with VideoReader(clip) as reader:

        class Faulty:
            info = reader.info
            decode_errors = ()
            keep, drop_kept = reader.keep, reader.drop_kept

            def frames(self, start, stop):
                self.decode_errors = (*self.decode_errors, "packet at pts 1: bad")
                return reader.frames(start, stop)

        assert detect(Faulty(), detector=Brightest(), progress=False).errors == ("packet at pts 1: bad",)


def test_analyze_drops_its_checkpoint_when_done(clip, tmp_path, short_chunks):
    with pytest.raises(PassCancelled):
        analyze(clip, output=tmp_path, detector=Brightest(), progress=stop_after(60))
    assert list(checkpoint_folder(tmp_path, "clip").glob("*/*.npz"))
    resumed = analyze(clip, output=tmp_path, detector=Brightest(), progress=False)
    assert not checkpoint_folder(tmp_path, "clip").exists()
    assert resumed.detections.equals(analyze(clip, detector=Brightest(), progress=False).detections)


def test_analyze_replaces_thumbnails_that_a_stopped_run_left(clip, tmp_path, monkeypatch):
    module = importlib.import_module("redactkit.analysis.analyze")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(module, "write_annotations", _full)
        analyze(clip, output=tmp_path, detector=Brightest(), progress=False)
    assert list(tmp_path.glob("*_thumb*.jpg"))
    analyze(clip, output=tmp_path, detector=Brightest(), progress=False)
    assert (tmp_path / "clip_annotations.json").exists()


def _full(*args, **options):
    raise OSError("disk full")
