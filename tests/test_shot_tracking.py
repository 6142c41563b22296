"""Shots are tracked while the scan goes on, as they would be afterwards, and little is decoded twice."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from redactkit.analysis import analyze, shot_tracking, thumbnails
from redactkit.analysis.detection import scan
from redactkit.analysis.mixed_frames import BLEND_DISTANCES_FRAMES, MixFinder
from redactkit.analysis.same_person import find_pairs
from redactkit.analysis.search import Search, plan_search
from redactkit.analysis.shot_tracking import ShotTracker
from redactkit.analysis.thumbnails import KeptCrops, frames_to_decode, save_thumbnails
from redactkit.analysis.track_building import find_tracks
from redactkit.detectors.crops import CROP_PIXELS
from redactkit.errors import PassCancelled
from redactkit.media import FrameRange
from redactkit.tables import BOX, as_detections
from redactkit.video import VideoReader, frame_store
from redactkit.video.decoding import count_decoded

SHOT = 40
FRAMES = 4 * SHOT


class Brightest:
    """A detector that takes the brightest spot for a face, never with much confidence, so that tracks are doubtful."""

    name, digest, is_thread_safe = "brightest", "1", True

    def __call__(self, images: Sequence[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
        return [self._box(image) for image in images]

    def _box(self, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        y, x = np.unravel_index(image[::4, ::4, 0].argmax(), image[::4, ::4, 0].shape)
        side = 60 if image.shape[:2] == (CROP_PIXELS, CROP_PIXELS) else 24
        confidence = 0.48 if image.sum() % 3 else 0.4
        return np.array([[x * 4, y * 4, side, side, confidence]], float)


def make_shots(path: Path, *, keyframes: int) -> Path:
    """Write shots of a bright square that walks over a still picture."""
    import cv2

    options = {"g": str(keyframes), "keyint_min": str(keyframes), "preset": "ultrafast", "bf": "2"}
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={**options, "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(FRAMES):
            shot, at = divmod(number, SHOT)
            noise = np.random.default_rng(shot).integers(0, 160, (8, 10, 3), np.uint8)
            picture = cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC) // 2
            picture[30 + 5 * shot : 50 + 5 * shot, 10 + 2 * at : 30 + 2 * at] = 240
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shots, one keyframe in all."""
    return make_shots(tmp_path_factory.mktemp("clips") / "clip.mp4", keyframes=9999)


@pytest.fixture
def search(clip: Path) -> Search:
    with VideoReader(clip) as reader:
        return plan_search(reader.info, detector=Brightest())


def test_shots_tracked_meanwhile_are_as_tracked_afterwards(clip: Path, search: Search) -> None:
    with VideoReader(clip) as reader:
        tracker = ShotTracker(reader, search)
        found = tracker.search_isolated(scan(reader, search, progress=False, watch=tracker.watch))
        known = len(tracker._done)
        meanwhile = find_tracks(reader, found, tracker=tracker)
        assert known >= len(tracker._done) - 1 >= 2, "only the last shot was left to track"
    with VideoReader(clip) as reader:
        found = ShotTracker(reader, search).search_isolated(scan(reader, search, progress=False))
        afterwards = find_tracks(reader, found)
    assert len(meanwhile[0]) > 100
    for one, other in zip(meanwhile, afterwards, strict=True):
        assert one.equals(other)


def test_an_analysis_decodes_each_frame_about_once(clip: Path, tmp_path: Path) -> None:
    with count_decoded() as decoded:
        whole = analyze(clip, output=tmp_path, detector=Brightest(), progress=False)
    assert decoded.count <= 1.1 * FRAMES
    assert len(list(tmp_path.glob("*_thumb*.jpg"))) == whole.detections["face_id"].nunique() > 2


@pytest.mark.parametrize("mixed", [[37, 39, 42], [36, *range(41, 57, 3)]])
def test_shots_with_mixed_frames_at_their_ends_are_tracked_once(
    clip: Path, monkeypatch: pytest.MonkeyPatch, mixed: list[int]
) -> None:
    known = BLEND_DISTANCES_FRAMES[-1]
    monkeypatch.setattr(MixFinder, "judged", lambda self: np.array([m for m in mixed if m < self._seen - known], int))
    monkeypatch.setattr(MixFinder, "mixed", lambda self: np.array(mixed, int))
    tracked: list[FrameRange] = []
    track = ShotTracker._tracked
    monkeypatch.setattr(ShotTracker, "_tracked", lambda self, shot: (tracked.append(shot.frames), track(self, shot))[1])
    with count_decoded() as decoded:
        whole = analyze(clip, detector=Brightest(), same_person=False, progress=False)
    assert len(whole.cuts) == 3
    assert len(tracked) == len(whole.cuts) + 1
    assert decoded.count <= 1.1 * FRAMES


@pytest.mark.parametrize("least", [SHOT * 160 * 128, SHOT * 160 * 128 + 1])
def test_after_a_long_shot_networks_that_only_tracking_needs_are_dropped(
    clip: Path, monkeypatch: pytest.MonkeyPatch, least: int
) -> None:
    class Compiled(Brightest):
        def __init__(self) -> None:
            self.sizes: list[list[tuple[int, int]]] = []

        def release_others(self, sizes: list[tuple[int, int]]) -> None:
            self.sizes.append(sizes)

    monkeypatch.setattr(shot_tracking, "MIN_RELEASED_PIXELS", least)
    detector = Compiled()
    analyze(clip, detector=detector, same_person=False, progress=False)
    assert len(detector.sizes) == (3 if least == SHOT * 160 * 128 else 0)
    assert all((160, 128) in sizes for sizes in detector.sizes)


def test_frames_of_people_and_of_thumbnails_are_decoded_in_one_go(clip: Path, tmp_path: Path) -> None:
    whole = analyze(clip, detector=Brightest(), same_person=False, progress=False)
    later = frames_to_decode(whole.detections, KeptCrops())
    assert later == sorted(set(whole.tracks["best_frame"]))
    with VideoReader(clip, cache=1) as reader:
        find_pairs(reader, whole, embedder=None, detector=Brightest(), later=later)
        with count_decoded() as decoded:
            paths = save_thumbnails(reader, whole.detections, whole.tracks, folder=tmp_path)
        assert len(paths) == len(whole.tracks) > 2
        assert decoded.count == 0


def test_boxes_that_grew_and_frames_kept_for_others_need_no_frame_decoded(clip: Path, tmp_path: Path) -> None:
    whole = analyze(clip, detector=Brightest(), same_person=False, progress=False)
    with VideoReader(clip) as reader:
        crops = KeptCrops()
        # A face of which the first box was kept alone; of the other frames there are parts that do not show it.
        corner = {"x": 0.0, "y": 0.0, "width": 4.0, "height": 4.0}
        first = whole.detections.groupby("face_id", as_index=False).first()
        crops.add(reader, first)
        crops.add(reader, whole.detections.assign(**corner))
        middle = {"x": first["x"] - first["width"] / 4, "y": first["y"] - first["height"] / 4}
        grown = first.assign(**middle, width=first["width"] * 1.5, height=first["height"] * 1.5)
        assert frames_to_decode(grown, crops) == []
        tracks = whole.tracks.assign(best_frame=first.set_index("face_id")["frame"])
        with VideoReader(clip, cache=1) as other, count_decoded() as decoded:
            paths = save_thumbnails(other, grown, tracks, folder=tmp_path, kept=crops)
            find_pairs(other, whole, embedder=None, detector=Brightest(), crops=crops)
        assert len(paths) == len(first)
        assert decoded.count == 0


def test_pictures_of_faces_are_kept_only_where_they_are_wanted(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    monkeypatch.setattr(KeptCrops, "add", lambda self, reader, rows: kept.append(len(rows)))
    plain = analyze(clip, detector=Brightest(), same_person=False, progress=False)
    assert not kept
    assert analyze(clip, output=tmp_path, detector=Brightest(), same_person=False, progress=False).detections.equals(
        plain.detections
    )
    assert kept


@pytest.mark.parametrize("room", [True, False])
def test_kept_pictures_are_those_of_the_frames(clip: Path, monkeypatch: pytest.MonkeyPatch, room: bool) -> None:
    def full(**_: object) -> None:
        raise OSError("no space left on device")

    if not room:
        monkeypatch.setattr(thumbnails.tempfile, "TemporaryFile", full)
    boxes = {"x": [20.0, 60], "y": [30.0, 50], "width": [20.0, 30], "height": [20.0, 30], "confidence": [0.9, 0.8]}
    rows = as_detections({"frame": [7, 9], "time": [0.28, 0.36], "face_id": [1, 2], "source": "detected", **boxes})
    crops = KeptCrops()
    with VideoReader(clip) as reader:
        crops.add(reader, rows)
        assert crops.frames == [7, 9]
        for frame, box in zip([7, 9], rows[BOX].to_numpy(), strict=True):
            found = crops.around(frame, box)
            assert found is not None
            picture, left, top = found
            height, width = picture.shape[:2]
            part = reader.frame_at(frame).rgb_part(left, top, left + width, top + height)
            np.testing.assert_array_equal(picture, part)
            assert crops.crop(frame, box).size < picture.size


def test_without_room_for_frames_the_outcome_is_the_same(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = analyze(clip, detector=Brightest(), progress=False)
    monkeypatch.setattr(frame_store, "MAX_FREE_SHARE", 0.0)
    with count_decoded() as decoded:
        without = analyze(clip, output=tmp_path, detector=Brightest(), progress=False)
    assert decoded.count > FRAMES
    assert whole.detections.equals(without.detections)
    assert whole.discarded.equals(without.discarded)


def test_an_analysis_that_goes_on_has_the_outcome_of_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_shots(tmp_path / "clip.mp4", keyframes=10)
    whole = analyze(clip, detector=Brightest(), progress=False)

    def stop(stage: str, done: int, total: int) -> None:
        if done >= FRAMES // 2:
            raise PassCancelled("enough")

    with pytest.raises(PassCancelled):
        analyze(clip, output=tmp_path / "out", detector=Brightest(), chunk_frames=40, progress=stop)
    assert list((tmp_path / "out").rglob("*.npz"))
    resumed = analyze(clip, output=tmp_path / "out", detector=Brightest(), chunk_frames=40, progress=False)
    assert whole.detections.equals(resumed.detections)
    assert whole.discarded.equals(resumed.discarded)


class Afar(Brightest):
    """Takes what is bright for a face, but not in the crops of a closer look."""

    def _box(self, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        y, x = np.nonzero(image[..., 0] >= 150)
        if not len(x) or image.shape[:2] == (CROP_PIXELS, CROP_PIXELS):
            return np.zeros((0, 5))
        return np.array([[x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1, 0.4]], float)


@pytest.mark.parametrize(("left", "faces"), [(70, 0), (144, 1)], ids=["whole", "cut off"])
def test_a_face_of_the_last_frame_alone_is_believed_only_where_the_edge_cuts_it_off(tmp_path, left, faces):
    video = tmp_path / "one.mp4"
    with av.open(str(video), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(FRAMES // 4):
            picture = np.full((120, 160, 3), 60, np.uint8)
            if number == FRAMES // 4 - 1:
                picture[50:66, left : left + 16] = 210
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")))
        output.mux(stream.encode(None))
    annotations = analyze(video, detector=Afar(), progress=False, same_person=False)
    assert annotations.detections["face_id"].nunique() == faces
    assert (faces > 0) != bool(len(annotations.discarded))
