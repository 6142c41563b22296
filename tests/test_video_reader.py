from __future__ import annotations

import random
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type

from redactkit.errors import OptionError, VideoError
from redactkit.video import Frame, VideoReader, pixel_layout, plane_views, probe
from redactkit.video.cursor import Cursor
from redactkit.video.decoding import count_decoded
from redactkit.video.orientation import display_matrix, orient, parse_matrix
from redactkit.video.sidedata import side_data
from tests.clips import Clip, make, number_of, picture

CLIP = Clip(frames=50, options={"g": "12", "bf": "2"})
SOURCES = {
    "h264.mp4": CLIP,
    "open.mp4": CLIP.but(options={"bf": "3", "x264-params": "open-gop=1:keyint=12:scenecut=0"}),
    "hevc.mp4": CLIP.but(codec="libx265", options={"x265-params": "log-level=none:keyint=12"}),
    "vp9.webm": CLIP.but(codec="libvpx-vp9", options={"g": "12", "cpu-used": "8"}),
    "packed.avi": CLIP.but(codec="mpeg4"),
    "stream.ts": CLIP,
    "raw.h264": CLIP,
    "picture.gif": CLIP.but(codec="gif", pixel_format="rgb8"),
}


@pytest.fixture(scope="module", params=sorted(SOURCES))
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clips") / request.param, SOURCES[request.param])


def test_frames_come_in_order_and_are_the_right_ones(source: Path) -> None:
    with VideoReader(source) as reader:
        seen = [(frame.index, number_of(frame.rgb())) for frame in reader.frames()]
        assert seen == [(number, number) for number in range(50)]


def test_frame_at_any_number_is_that_frame(source: Path) -> None:
    order = random.Random(7).sample(range(50), 50)
    with VideoReader(source, cache=3) as reader:
        assert [number_of(reader.frame_at(index).rgb()) for index in order] == order


@pytest.mark.parametrize("stride", [4, 5, 6, 13, 31, 40])
def test_frames_some_way_ahead_and_those_before_them_are_the_right_ones(stride: int, source: Path) -> None:
    with VideoReader(source) as reader:
        order = [index - back for index in range(0, reader.info.frame_count, stride) for back in range(min(index, 7))]
        assert [number_of(reader.frame_at(index).rgb()) for index in order] == order


def test_frames_of_a_range_start_and_stop_there(source: Path) -> None:
    with VideoReader(source) as reader:
        for start, stop in ((0, 1), (7, 9), (13, 40), (49, 60), (30, 30), (60, 70)):
            numbers = [number_of(frame.rgb()) for frame in reader.frames(start, stop)]
            assert numbers == list(range(start, min(stop, 50)))


def test_sought_frames_are_bit_identical_to_those_in_order(shared_media: Path) -> None:
    with VideoReader(shared_media / "stage_four_shots.mp4") as reader:
        in_order = {frame.index: plane_views(frame.picture)[0].copy() for frame in reader.frames(0, 120)}
        for index in random.Random(1).sample(range(120), 25):
            np.testing.assert_array_equal(plane_views(reader.frame_at(index).picture)[0], in_order[index])


def test_frame_at_keeps_neighbours_at_hand(tmp_path: Path) -> None:
    with VideoReader(make(tmp_path / "a.mp4", CLIP)) as reader:
        sought = reader.frame_at(30)
        assert reader.frame_at(30) is sought
        assert reader._cache.get(29) is not None, "one step back must not decode again"


def test_stepping_back_seeks_ever_less_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make(tmp_path / "a.mp4", Clip(frames=200, options={"g": "250", "bf": "0"}))
    sought = []
    with VideoReader(clip) as reader:
        monkeypatch.setattr(Cursor, "go_to", lambda *place, go=Cursor.go_to: (sought.append(place[1]), go(*place)))
        for index in range(199, 99, -1):
            assert number_of(reader.frame_at(index).rgb()) == index
    assert len(sought) <= 6, f"frames 199 to 100 were sought at {sought}"


def test_frames_here_are_the_right_ones_forwards_and_back(source: Path) -> None:
    with VideoReader(source) as reader:
        wanted = [frame.rgb() for frame in reader.frames()]
        for start, stop in [(3, 9), (12, 20), (5, 8), (0, 4), (len(wanted) - 2, len(wanted) + 5)]:
            frames = list(reader.frames_here(start, stop))
            assert [frame.index for frame in frames] == [*range(start, min(stop, len(wanted)))]
            for frame in frames:
                np.testing.assert_array_equal(frame.rgb(), wanted[frame.index])
        np.testing.assert_array_equal(reader.frame_at(6).rgb(), wanted[6])


def test_a_reader_that_rested_goes_on(tmp_path: Path) -> None:
    with VideoReader(make(tmp_path / "clip.mp4", Clip(frames=20))) as reader:
        before = reader.frame_at(7).rgb()
        reader.rest()
        np.testing.assert_array_equal(reader.frame_at(7).rgb(), before)
        with reader.another(threads=1, share=2) as other:
            np.testing.assert_array_equal(other.frame_at(7).rgb(), before)


def test_frame_at_refuses_numbers_that_are_no_frame(tmp_path: Path) -> None:
    with VideoReader(make(tmp_path / "a.mp4", Clip(frames=2))) as reader:
        for index in (-1, 2):
            with pytest.raises(OptionError, match="frame must be 0 to 1"):
                reader.frame_at(index)


def test_closed_reader_says_so(tmp_path: Path) -> None:
    reader = VideoReader(make(tmp_path / "a.mp4", Clip(frames=2)))
    reader.close()
    reader.close()
    with pytest.raises(VideoError, match="closed"):
        reader.frame_at(0)


def test_reader_serves_several_threads_at_once(tmp_path: Path) -> None:
    wrong: list[int] = []

    def look(seed: int) -> None:
        chosen = random.Random(seed).choices(range(50), k=15)
        wrong.extend(index for index in chosen if number_of(reader.frame_at(index).rgb()) != index)

    with VideoReader(make(tmp_path / "a.mp4", CLIP), cache=4) as reader:
        threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        assert [number_of(frame.rgb()) for frame in reader.frames()] == list(range(50))
        for thread in threads:
            thread.join()
    assert not wrong


def test_reader_goes_on_after_a_broken_packet_and_names_it(shared_media: Path) -> None:
    with VideoReader(shared_media / "edge" / "corrupted.mp4") as reader:
        assert [frame.index for frame in reader.frames()] == list(range(49))
        lost, concealed = reader.decode_errors
        assert "packet at pts" in lost and "is damaged" in concealed
        assert reader.frame_at(48).index == 48


def test_reader_names_frames_that_its_header_lacks(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", Clip(frames=4))
    info = probe(make(tmp_path / "b.mp4", Clip(time_base=Fraction(1, 1000), pts=[0, 5, 6, 7])))
    with (
        pytest.raises(VideoError, match="header does not have; probe it with exact=True"),
        VideoReader(path, info=info) as reader,
    ):
        list(reader.frames())


def test_reader_refuses_a_size_that_changes_midway(tmp_path: Path) -> None:
    small, large = (make(tmp_path / f"{w}.ts", Clip(frames=5, width=w, height=w)) for w in (64, 96))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(VideoError, match="size changes"), VideoReader(joined) as reader:
        list(reader.frames())


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_rgb_is_turned_as_displayed(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    path = make(tmp_path / "a.mp4", Clip(frames=1, rotation=rotation, mirrored=mirrored, options={"crf": "5"}))
    coded = picture(0, width=160, height=96)
    flipped = coded[:, ::-1] if mirrored else coded
    expected = np.rot90(flipped, -rotation // 90)
    with VideoReader(path) as reader:
        image = reader.frame_at(0).rgb()
        assert (reader.info.rotation, reader.info.mirrored) == (rotation, mirrored)
        assert (reader.info.width, reader.info.height) == (expected.shape[1], expected.shape[0])
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 4


def test_rgb_scales_to_the_displayed_size_asked_for(tmp_path: Path) -> None:
    with VideoReader(make(tmp_path / "a.mp4", Clip(frames=1, rotation=90))) as reader:
        frame = reader.frame_at(0)
        assert frame.rgb().shape == (160, 96, 3)
        assert frame.rgb(width=24, height=40).shape == (40, 24, 3)
        assert frame.gray(width=24, height=40).shape == (40, 24)
        assert np.abs(frame.gray().astype(int) - frame.rgb().mean(axis=2)).mean() < 2


@pytest.mark.parametrize(
    "form", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray", "nv12", "rgb24", "yuva420p", "gbrp"]
)
@pytest.mark.parametrize(("rotation", "mirrored"), [(0, False), (90, True), (270, False)])
def test_rgb_part_is_that_part_of_the_whole(form: str, rotation: int, mirrored: bool) -> None:
    image = av.VideoFrame.from_ndarray(picture(3, width=158, height=90), format="rgb24").reformat(format=form)
    frame = Frame(0, 0, 0.0, image, rotation=rotation, mirrored=mirrored)
    whole = frame.rgb()
    for left, top, right, bottom in ((0, 0, *frame.size), (13, 7, 48, 62), (frame.size[0] - 9, 1, frame.size[0], 4)):
        away = frame.rgb_part(left, top, right, bottom).astype(int) - whole[top:bottom, left:right]
        assert np.abs(away).max() <= 8 and np.abs(away).mean() <= 2, "more than rounding, which depends on the place"
        away = frame.gray_part(left, top, right, bottom).astype(int) - frame.gray()[top:bottom, left:right]
        assert np.abs(away).max() <= 8 and np.abs(away).mean() <= 2, "the same of gray"


@pytest.mark.parametrize("form", ["yuv420p", "yuvj444p", "gray", "yuv420p10le", "nv12", "rgb24", "gbrp"])
@pytest.mark.parametrize(("rotation", "mirrored"), [(0, False), (90, True)])
def test_luma_is_gray_but_for_its_range(form: str, rotation: int, mirrored: bool) -> None:
    image = av.VideoFrame.from_ndarray(picture(3, width=158, height=90), format="rgb24").reformat(format=form)
    frame = Frame(0, 0, 0.0, image, rotation=rotation, mirrored=mirrored)
    whole = frame.luma().astype(float)
    assert whole.shape == frame.size[::-1]
    assert np.corrcoef(whole.ravel(), frame.gray().ravel())[0, 1] > 0.99
    for shrink in (2, 4):
        width, height = (side // shrink for side in frame.size)
        means = whole[: height * shrink, : width * shrink].reshape(height, shrink, width, shrink).mean(axis=(1, 3))
        luma = frame.luma(shrink=shrink)
        assert luma.shape == (height, width) and luma.dtype == np.uint8
        assert np.corrcoef(luma.ravel(), means.ravel())[0, 1] > 0.95


def test_rgb_of_full_and_limited_range_agree(tmp_path: Path) -> None:
    images = []
    for name, color in (("full", (2, 1, 1, 1)), ("limited", (1, 1, 1, 1))):
        with VideoReader(make(tmp_path / f"{name}.mp4", Clip(frames=1, color=color, options={"crf": "5"}))) as reader:
            images.append(reader.frame_at(0).rgb().astype(int))
    assert np.abs(images[0] - images[1]).mean() < 3


def test_display_matrix_reads_back() -> None:
    for rotation in (0, 90, 180, 270):
        for mirrored in (False, True):
            assert parse_matrix(display_matrix(rotation, mirrored=mirrored, size=(8, 6))) == (rotation, mirrored)


def test_parse_matrix_takes_the_nearest_quarter_turn_and_survives_zeros() -> None:
    assert parse_matrix((65531, 800, 0, -800, 65531, 0, 0, 0, 1 << 30)) == (0, False)
    assert parse_matrix((0,) * 9) == (0, False)


def test_orient_keeps_what_needs_no_turning_contiguous() -> None:
    assert orient(np.zeros((2, 3, 3), np.uint8), rotation=270).flags.c_contiguous


@pytest.mark.parametrize(
    ("name", "shapes", "dtype"),
    [
        ("yuv420p", [(5, 7), (3, 4), (3, 4)], np.uint8),
        ("yuv444p10le", [(5, 7)] * 3, np.uint16),
        ("gray", [(5, 7)], np.uint8),
    ],
)
def test_plane_views_write_through(name: str, shapes: list[tuple[int, int]], dtype: type) -> None:
    frame = av.VideoFrame(7, 5, name)
    for plane in plane_views(frame):
        plane[:] = 99
    again = plane_views(frame)
    assert [plane.shape for plane in again] == shapes and {plane.dtype for plane in again} == {np.dtype(dtype)}
    assert all((plane == 99).all() for plane in again)


def test_pixel_layout_tells_chroma_depth_and_range() -> None:
    layout = pixel_layout("yuvj422p")
    assert (layout.chroma_x, layout.chroma_y, layout.bit_depth, layout.full_range) == (1, 0, 8, True)
    layout = pixel_layout("yuv444p10le")
    assert (layout.chroma_x, layout.chroma_y, layout.bit_depth, layout.full_range) == (0, 0, 10, False)


def test_frame_size_is_as_displayed() -> None:
    assert Frame(0, 0, 0.0, av.VideoFrame(7, 5, "yuv420p"), rotation=90).size == (5, 7)


def test_side_data_that_pyav_has_no_name_for_is_passed_over() -> None:
    class Picture:
        """A frame whose side data PyAV refuses until it is taught the kind."""

        @property
        def side_data(self) -> dict[str, object]:
            return {Type(9999).name: None}

    assert side_data(Picture(), "DISPLAYMATRIX") == b""  # type: ignore[arg-type]


def test_a_reader_that_keeps_one_frame_decodes_few_before_it(tmp_path: Path) -> None:
    video = make(tmp_path / "a.mp4", Clip(frames=50, options={"g": "50", "bf": "3"}))
    counts: list[int] = []
    for cache in (1, 8):
        with VideoReader(video, cache=cache) as reader, count_decoded() as decoded:
            for number in range(7, 50, 7):
                assert number_of(reader.frame_at(number).rgb()) == number
        counts.append(decoded.count)
    assert counts[0] < counts[1]
