"""Frames kept in a temporary file come back as they were."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from redactkit.video import Frame, VideoReader
from redactkit.video import frame_store as module
from redactkit.video.decoding import count_decoded
from redactkit.video.frame_store import FrameStore
from redactkit.video.planes import plane_views

FRAMES = 20


def made(index: int, form: str = "yuv420p", width: int = 46, height: int = 30) -> Frame:
    rng = np.random.default_rng(index)
    picture = av.VideoFrame(width, height, form)
    for view in module._views(picture):
        view[:] = rng.integers(0, 255, view.shape)
    picture.colorspace, picture.color_range, picture.color_primaries, picture.color_trc = 1, 2, 9, 14
    return Frame(index=index, pts=10 * index, time=index / 25, picture=picture, keyframe=index == 0, rotation=90)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"g": "999", "crf": "10"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            frame = made(number, width=64, height=48).picture
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("form", ["yuv420p", "yuv444p", "yuv422p10le", "gray", "rgb24", "bgra"])
def test_a_frame_comes_back_as_it_was(form: str) -> None:
    store = FrameStore()
    frames = [made(number, form) for number in (3, 1, 8)]
    for frame in frames:
        store.put(frame)
    for frame in frames:
        found = store.get(frame.index)
        assert found is not None
        assert (found.index, found.pts, found.time, found.rotation) == (frame.index, frame.pts, frame.time, 90)
        shown = found.picture
        assert (shown.colorspace, shown.color_range, shown.color_primaries, shown.color_trc) == (1, 2, 9, 14)
        assert all(
            np.array_equal(a, b)
            for a, b in zip(module._views(found.picture), module._views(frame.picture), strict=True)
        )
    assert store.get(2) is None
    store.close()
    assert store.get(3) is None


@pytest.mark.parametrize("form", ["yuyv422", "nv12", "pal8", "rgb565le"])
def test_packed_pictures_other_than_rgb_are_not_kept(form: str) -> None:
    store = FrameStore()
    store.put(made(0, form))
    assert store.get(0) is None


def test_the_oldest_make_place_and_what_was_forgotten_too() -> None:
    store = FrameStore(most=5 * 46 * 30 * 3 // 2)
    for number in range(7):
        store.put(made(number))
    assert [number for number in range(7) if store.get(number)] == [2, 3, 4, 5, 6]
    store.forget(5)
    for number in range(7, 10):
        store.put(made(number))
    kept = {number: store.get(number) for number in range(10)}
    assert [number for number, frame in kept.items() if frame] == [5, 6, 7, 8, 9]
    for number in range(5, 10):
        found = kept[number]
        assert found is not None
        assert np.array_equal(plane_views(found.picture)[0], plane_views(made(number).picture)[0])
    store.close()


def test_without_room_frames_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**options: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    store = FrameStore()
    store.put(made(0))
    assert store.get(0) is None
    small = FrameStore(most=100)
    small.put(made(0))
    assert small.get(0) is None


def test_the_file_has_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "large_folder", lambda: tmp_path)
    store = FrameStore()
    store.put(made(0))
    assert store.get(0) is not None
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_kept_frames_are_not_decoded_again(clip: Path) -> None:
    with VideoReader(clip, cache=1) as reader:
        scaled = []
        with count_decoded() as decoded:
            for frame in reader.frames():
                reader.keep(frame)
                scaled.append(frame.rgb(width=32, height=32))
        assert decoded.count == FRAMES
        with count_decoded() as decoded, reader.another(threads=1, share=1) as other:
            for number in (19, 3, 0, 12):
                kept, again = reader.frame_at(number), other.frame_at(number)
                assert np.array_equal(kept.luma(), again.luma())
                assert np.array_equal(kept.rgb(width=32, height=32), scaled[number])
            assert decoded.count == 0
            reader.drop_kept(before=12)
            shown = other.frame_at(19).luma()
            assert decoded.count == 0
            other.frame_at(3)
            assert decoded.count > 0
        assert np.array_equal(reader.frame_at(19).luma(), shown)


def test_a_kept_frame_is_held_in_memory_only_where_the_file_has_no_room(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with VideoReader(clip, cache=1) as reader:
        frames = list(reader.frames())
        kept = [reader.keep(frame) for frame in frames]
        assert [each.frame for each in kept] == [None] * FRAMES
        assert all(np.array_equal(each.load().luma(), frame.luma()) for each, frame in zip(kept, frames, strict=True))
        # What made place for others meanwhile is decoded again.
        reader.drop_kept(before=10)
        assert np.array_equal(kept[3].load().luma(), frames[3].luma())
    monkeypatch.setattr(module, "MIN_ROOM_FRAMES", 1 << 40)
    with VideoReader(clip, cache=1) as reader:
        held = reader.keep(frames[5])
        reader.drop_kept(before=10)
        with count_decoded() as decoded:
            assert held.load() is frames[5]
        assert decoded.count == 0


def test_frames_cached_on_the_disk_are_not_decoded_again(clip: Path) -> None:
    with VideoReader(clip, cache=2, on_disk=FRAMES) as reader, count_decoded() as decoded:
        shown = [reader.frame_at(number).luma() for number in range(FRAMES)]
        for number in reversed(range(FRAMES)):
            assert np.array_equal(reader.frame_at(number).luma(), shown[number])
        assert decoded.count == FRAMES
        # Another reader has its share of the room: the frames that came last.
        with reader.another(threads=1, share=2) as other:
            for number in range(FRAMES):
                assert np.array_equal(other.frame_at(number).luma(), shown[number])
            assert decoded.count == 2 * FRAMES
            other.frame_at(FRAMES // 2)
            assert decoded.count == 2 * FRAMES
            other.frame_at(FRAMES // 2 - 1)
            assert decoded.count > 2 * FRAMES


def test_where_the_disk_has_less_room_than_memory_frames_are_cached_in_memory(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FREE_SHARE", 0)
    with VideoReader(clip, cache=FRAMES, on_disk=2 * FRAMES) as reader, count_decoded() as decoded:
        for number in (*range(FRAMES), *reversed(range(FRAMES))):
            assert reader.frame_at(number).index == number
        assert decoded.count == FRAMES
