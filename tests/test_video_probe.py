from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from redactkit.errors import VideoError
from redactkit.video import VideoReader, probe
from redactkit.video.decoding import Clock
from redactkit.video.opening import MAX_SIDE_PIXELS, check_size
from redactkit.video.packets import doubts, read_packets
from tests.clips import Clip, make, number_of

REAL = ["stage_four_shots.mp4", "one_face_occluded.mp4", "three_people_walking.gif"]
VFR = (0, 7, 9, 30, 31, 32, 80, 200, 201, 333, 334, 400)


def edge_files(shared_media: Path) -> list[Path]:
    return [*(shared_media / name for name in REAL), *sorted((shared_media / "edge").iterdir())]


def test_probe_by_packets_equals_probe_by_decoding(shared_media: Path) -> None:
    for path in edge_files(shared_media):
        quick, exact = probe(path), probe(path, exact=True)
        np.testing.assert_array_equal(quick.pts, exact.pts, err_msg=path.name)
        np.testing.assert_array_equal(quick.keyframes, exact.keyframes, err_msg=path.name)


def test_probe_of_packets_believes_ordinary_files_and_doubts_a_broken_one(shared_media: Path) -> None:
    reasons = {}
    for name in ("sample.mp4", "sample.mkv", "fragmented.mp4", "odd_size_vp9.webm", "corrupted.mp4"):
        from redactkit.video.opening import opened, video_stream

        path = shared_media / "edge" / name
        with opened(path) as container:
            stream = video_stream(container, path)
            table = read_packets(stream, container.demux(stream))
            reasons[name] = doubts(stream, container.format.name, table)
    assert "damaged" in (reasons.pop("corrupted.mp4") or "")
    assert set(reasons.values()) == {None}


@pytest.mark.parametrize(
    ("name", "rotation"), [("rotation_0", 0), ("rotation_90", 90), ("rotation_180", 180), ("rotation_270", 270)]
)
def test_probe_reads_rotation_and_displayed_size(shared_media: Path, name: str, rotation: int) -> None:
    info = probe(shared_media / "edge" / f"{name}.mov")
    assert info.rotation == rotation and not info.mirrored
    assert (info.width, info.height) == ((320, 568) if rotation % 180 else (568, 320))
    assert (info.coded_width, info.coded_height) == (568, 320)


def test_probe_measures_the_rate_that_a_file_misstates(shared_media: Path) -> None:
    assert float(probe(shared_media / "edge" / "wrong_rate_rotated.mp4").frame_rate) == pytest.approx(10.53, abs=0.01)


def test_probe_keeps_start_offsets(shared_media: Path) -> None:
    info = probe(shared_media / "stage_four_shots.mp4")
    assert info.frame_count == 275 and info.times[0] == pytest.approx(0.852, abs=5e-4)
    assert float(info.audio[0].start or 0) == pytest.approx(0.008, abs=5e-4)


def test_probe_reads_irregular_times_to_the_tick(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "vfr.mkv", Clip(time_base=Fraction(1, 1000), pts=VFR, options={"bf": "2"})))
    assert info.pts.tolist() == list(VFR)
    assert info.frame_rate == Fraction(11 * 1000, 400)


def test_probe_counts_only_frames_after_the_start_of_an_edit_list(tmp_path: Path) -> None:
    path = make(tmp_path / "edit.mp4", Clip(time_base=Fraction(1, 1000), pts=[at - 100 for at in VFR]))
    info = probe(path)
    shown = [number for number, at in enumerate(VFR) if at >= 100]
    with VideoReader(path, info=info) as reader:
        assert [number_of(frame.rgb()) for frame in reader.frames()] == shown
    np.testing.assert_allclose(np.diff(info.times), np.diff(VFR)[shown[0] :] / 1000)


def test_probe_reads_one_frame(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "one.mp4", Clip(frames=1)))
    assert info.frame_count == 1 and info.frame_rate == 25 and info.duration == pytest.approx(0.04)


def test_probe_reads_colour_aspect_and_depth(tmp_path: Path) -> None:
    clip = Clip(pixel_format="yuv420p10le", color=(2, 9, 9, 16), aspect=Fraction(4, 3))
    info = probe(make(tmp_path / "hdr.mov", clip))
    assert (info.color.range, info.color.space, info.color.primaries, info.color.transfer) == (2, 9, 9, 16)
    assert info.bit_depth == 10 and info.sample_aspect_ratio == Fraction(4, 3)


def test_probe_doubts_open_groups_that_the_file_starts_with(tmp_path: Path) -> None:
    whole = make(tmp_path / "ts.ts", Clip(frames=60, options={"g": "12", "bf": "2"}))
    data = whole.read_bytes()
    cut = tmp_path / "cut.ts"
    cut.write_bytes(data[188 * (len(data) // 188 // 3) :])
    info = probe(cut)
    with VideoReader(cut, info=info) as reader:
        assert [frame.index for frame in reader.frames()] == list(range(info.frame_count))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.mp4", b"", "empty"),
        ("text.mp4", b"this is no video\n" * 100, "could not open it as a video"),
        ("notes.txt", b"plain words, which FFmpeg would draw as a terminal\n" * 50, "could not open it as a video"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n", "could not open it as a video"),
        ("list.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "could not open it as a video"),
    ],
)
def test_probe_refuses_what_is_no_video(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(VideoError, match=f"{name}.*{message}"):
        probe(path)


def test_probe_refuses_a_folder_a_missing_file_and_an_impossible_name(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="is a folder"):
        probe(tmp_path)
    with pytest.raises(VideoError, match="does not exist"):
        probe(tmp_path / "absent.mp4")
    with pytest.raises(VideoError, match="name"):
        probe("nul\0byte.mp4")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_probe_refuses_an_unreadable_file(tmp_path: Path) -> None:
    path = make(tmp_path / "secret.mp4", Clip(frames=1))
    path.chmod(0)
    with pytest.raises(VideoError, match="may not be read"):
        probe(path)


def test_probe_gives_fractions_and_not_the_ratios_of_the_decoding_library(tmp_path: Path) -> None:
    one_frame = Clip(frames=1, audio=["aac"], aspect=Fraction(4, 3))
    for clip in (one_frame, one_frame.but(frames=3, aspect=Fraction(1))):
        info = probe(make(tmp_path / "a.mp4", clip))
        ratios = (info.frame_rate, info.time_base, info.sample_aspect_ratio, info.audio[0].start)
        assert {type(ratio) for ratio in ratios} == {Fraction}
        assert (info.frame_rate, info.sample_aspect_ratio) == (25, clip.aspect)


def test_probe_refuses_sound_alone(tmp_path: Path) -> None:
    path = _sound_only(tmp_path / "sound.mp4")
    with pytest.raises(VideoError, match="no video stream, only sound;"):
        probe(path)


def _sound_only(path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize(
    "size", [(0, 10), (100_000, 100_000), (MAX_SIDE_PIXELS + 1, 2), (MAX_SIDE_PIXELS, MAX_SIDE_PIXELS + 1)]
)
def test_check_size_refuses_absurd_frames(size: tuple[int, int]) -> None:
    with pytest.raises(VideoError, match=f"{size[0]}x{size[1]}"):
        check_size(Path("huge.mp4"), *size)


def test_probe_refuses_frames_of_65535_pixels_a_side(tmp_path: Path) -> None:
    data = bytearray(make(tmp_path / "ok.gif", Clip(frames=2, codec="gif", pixel_format="rgb8")).read_bytes())
    data[6:10] = b"\xff" * 4
    path = tmp_path / "huge.gif"
    path.write_bytes(bytes(data))
    with pytest.raises(VideoError, match=r"huge\.gif"):
        probe(path)


@pytest.mark.parametrize("tenth", range(10))
def test_probe_of_a_truncated_file_gives_whole_frames_or_one_error(
    shared_media: Path, tmp_path: Path, tenth: int
) -> None:
    for name in ("sample.mkv", "fragmented.mp4", "odd_size_vp9.webm", "hevc_10bit.mp4"):
        data = (shared_media / "edge" / name).read_bytes()
        path = tmp_path / name
        path.write_bytes(data[: len(data) * tenth // 10])
        try:
            info = probe(path)
        except VideoError as err:
            assert name in str(err)
            continue
        with VideoReader(path, info=info) as reader:
            assert sum(1 for _ in reader.frames()) == info.frame_count


def test_clock_keeps_times_that_rise_and_repairs_the_others() -> None:
    clock = Clock(step=10)
    assert [clock.stamp(pts) for pts in (None, 7, 7, None, 40, 12)] == [0, 7, 17, 27, 40, 50]
    assert clock.repaired == 4
