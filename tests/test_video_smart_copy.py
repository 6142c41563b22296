from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.errors import OptionError, VideoError
from redactkit.video import VideoReader, VideoWriter, compare_files, plane_views, probe
from redactkit.video.smartcopy import h264
from redactkit.video.smartcopy.h264 import AvcConfig, clean_sei, parse_sps, split_annexb, split_prefixed
from redactkit.video.smartcopy.plan import CopyPlan, plan_copy
from tests.clips import Clip, make

CLIP = Clip(frames=60, options={"g": "12", "bf": "2", "x264-params": "scenecut=0"})
HIDDEN = [14, 30, 50]  # in the second, third and fifth of five groups


def hidden_in(count: int, frames: list[int]) -> np.ndarray:
    return np.isin(np.arange(count), frames)


def smart_copy(source: Path, target: Path, *, hidden: list[int], grey: bool = False) -> VideoWriter:
    info = probe(source)
    redacted = hidden_in(info.frame_count, hidden)
    with VideoReader(source, info=info) as reader, VideoWriter(target, info, smart_copy=redacted) as writer:
        for frame in reader.ranges(writer.wanted):
            picture = writer.prepare(frame.picture, frame.pts)
            if grey:
                plane_views(picture)[0][:] = 90
            writer.write(picture, frame.pts)
    return writer


SMART = {
    "bframes": CLIP,
    "baseline": CLIP.but(options={"g": "12", "profile": "baseline", "x264-params": "scenecut=0"}),
    "irregular": CLIP.but(time_base=Fraction(1, 1000), pts=[40 * i + i % 7 for i in range(60)], audio=["aac"]),
    "late": CLIP.but(time_base=Fraction(1, 1000), pts=[852 + 40 * i for i in range(60)], audio=["aac"]),
    "turned": CLIP.but(rotation=90, aspect=Fraction(4, 3)),
    "full": CLIP.but(color=(2, 1, 1, 1)),
    "slices": CLIP.but(options={"g": "12", "bf": "3", "x264-params": "scenecut=0:slices=4:aud=1"}),
    "repeated": CLIP.but(options={"g": "12", "x264-params": "scenecut=0:repeat-headers=1"}),
    "number": CLIP.but(options={"g": "12", "x264-params": "scenecut=0:sps-id=1"}),
    "cropped": CLIP.but(width=150, height=90),
    "fragments": CLIP.but(container_options={"movflags": "frag_keyframe+empty_moov"}),
}


@pytest.mark.parametrize("name", sorted(SMART))
def test_smart_copy_is_true_to_its_source_and_copies_bit_for_bit(tmp_path: Path, name: str) -> None:
    source, target = make(tmp_path / "a.mp4", SMART[name]), tmp_path / "b.mp4"
    writer = smart_copy(source, target, hidden=HIDDEN, grey=True)
    copied = set(np.flatnonzero(writer.copied).tolist())
    # Whole groups, and of the groups after them what no later picture is decoded before.
    assert copied >= {*range(13), *range(36, 49)}
    assert copied <= {*range(14), *range(36, 50)}
    table = compare_files(probe(source), target, exact=True)
    assert table["ok"].all(), table[~table["ok"]]
    with VideoReader(source) as before, VideoReader(target) as after:
        for old, new in zip(before.frames(), after.frames(), strict=True):
            planes = zip(plane_views(old.picture), plane_views(new.picture), strict=True)
            same = all(np.array_equal(first, second) for first, second in planes)
            assert same == writer.copied[old.index], f"frame {old.index}"
            if not writer.copied[old.index]:
                assert np.abs(plane_views(new.picture)[0].astype(int) - 90).max() < 12, "a redacted frame shows through"


def test_smart_copy_takes_packets_of_matroska_too(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", CLIP)
    assert smart_copy(source, tmp_path / "b.mp4", hidden=HIDDEN).copied.sum() in (26, 28)
    assert compare_files(probe(source), tmp_path / "b.mp4", exact=True)["ok"].all()


@pytest.mark.parametrize("hidden", [[], list(range(60)), [0], [59]])
def test_smart_copy_of_none_all_first_and_last(tmp_path: Path, hidden: list[int]) -> None:
    source = make(tmp_path / "a.mp4", CLIP.but(options={"g": "12", "profile": "baseline", "x264-params": "scenecut=0"}))
    writer = smart_copy(source, tmp_path / "b.mp4", hidden=hidden)
    first = hidden[0] if hidden else None
    assert writer.copied.sum() == {None: 60, 0: 48 if len(hidden) == 1 else 0, 59: 59}[first]
    assert compare_files(probe(source), tmp_path / "b.mp4", exact=True)["ok"].all()


OPEN_GROUPS = CLIP.but(options={"x264-params": "open-gop=1:keyint=12:bframes=3:scenecut=0"})
ONE_KEYFRAME = CLIP.but(options={"g": "250", "bf": "3", "x264-params": "scenecut=0:b-pyramid=normal"})
UNEVEN = ONE_KEYFRAME.but(time_base=Fraction(1, 1000), pts=[100 * i + 3 * (i % 3) for i in range(60)])


@pytest.mark.parametrize("clip", [OPEN_GROUPS, ONE_KEYFRAME, UNEVEN], ids=["open groups", "one keyframe", "uneven"])
@pytest.mark.parametrize("first", [1, 17, 30, 59])
def test_smart_copy_takes_what_comes_before_the_first_redacted_frame(tmp_path: Path, clip: Clip, first: int) -> None:
    source, target = make(tmp_path / "a.mp4", clip), tmp_path / "b.mp4"
    smart_copy(source, tmp_path / "same.mp4", hidden=[first])
    assert compare_files(probe(source), tmp_path / "same.mp4", exact=True)["ok"].all()
    with av.open(str(tmp_path / "same.mp4")) as container:
        (stream,) = container.streams.video
        # A track that ends where its last frame begins loses that frame in players.
        assert float(stream.duration * stream.time_base) == pytest.approx(probe(source).duration, abs=0.005)
    writer = smart_copy(source, target, hidden=[first], grey=True)
    stop = int(writer.copied.sum())
    assert writer.copied[:stop].all() and first - 4 <= stop <= first
    with VideoReader(source) as before, VideoReader(target) as after:
        for old, new in zip(before.frames(), after.frames(), strict=True):
            planes = zip(plane_views(old.picture), plane_views(new.picture), strict=True)
            assert all(np.array_equal(a, b) for a, b in planes) == (old.index < stop), f"frame {old.index}"
            if old.index >= stop:
                assert np.abs(plane_views(new.picture)[0].astype(int) - 90).max() < 12, "a redacted frame shows through"


def test_plan_opens_no_encoder_for_a_few_frames(tmp_path: Path) -> None:
    clip = CLIP.but(options={"g": "20", "profile": "baseline", "x264-params": "scenecut=0"})
    info = probe(make(tmp_path / "a.mp4", clip))
    # The second group is encoded from its beginning; of the third, 15 frames are too few and 16 are enough.
    for last, copied in [(55, []), (56, [*range(40, 56)])]:
        plan = plan_copy(info, hidden_in(info.frame_count, [0, 20, last]))
        assert np.flatnonzero(plan.copied).tolist() == copied


DOUBTFUL = {
    "interlaced": ("a.mp4", CLIP.but(flags=(1 << 18) | (1 << 29)), "interlaced"),
    "start codes": ("a.ts", CLIP, "no avcC"),
    "another codec": ("a.mp4", CLIP.but(codec="mpeg4"), "only h264"),
    "4:2:2": ("a.mp4", CLIP.but(pixel_format="yuv422p"), "only 8-bit 4:2:0"),
    "10 bit": ("a.mp4", CLIP.but(pixel_format="yuv420p10le"), "only h264"),
}


@pytest.mark.parametrize("name", sorted(DOUBTFUL))
def test_smart_copy_encodes_whatever_is_in_doubt_and_says_why(tmp_path: Path, name: str) -> None:
    file, clip, reason = DOUBTFUL[name]
    source = make(tmp_path / file, clip)
    writer = smart_copy(source, tmp_path / "b.mp4", hidden=HIDDEN)
    assert not writer.copied.any() and writer.wanted == [(0, 60)]
    assert any(reason in note for note in writer.notes), writer.notes
    assert compare_files(probe(source), tmp_path / "b.mp4", exact=True)["ok"].all()


def test_plan_encodes_a_group_that_hides_frames_from_players(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", CLIP.but(time_base=Fraction(1, 1000), pts=[40 * i - 600 for i in range(60)]))
    info = probe(source)
    plan = plan_copy(info, np.zeros(info.frame_count, bool))
    first = int(np.argmax(plan.copied))
    assert 0 < first < 12 and plan.copied[first:].all()


def test_plan_refuses_several_and_changing_parameter_sets(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4", CLIP))
    redacted = hidden_in(info.frame_count, HIDDEN)
    smart_copy(info.path, tmp_path / "b.mp4", hidden=HIDDEN)
    again = plan_copy(probe(tmp_path / "b.mp4"), redacted)
    assert not again.copied.any() and again.reason == "it has several parameter sets"
    changed = _with_unit(info.path, tmp_path / "c.mp4", bytes([0x67, 0x64, 0, 0x0B, 0xAC]))
    plan = plan_copy(probe(changed), redacted)
    assert not plan.copied.any() and plan.reason == "it has parameter sets within the stream"


def _with_unit(source: Path, target: Path, unit: bytes) -> Path:
    """Copy a file, one NAL unit put before every packet."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.size:
                made = av.Packet(h264.prefixed([unit]) + bytes(packet))
                made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
                made.is_keyframe, made.stream = packet.is_keyframe, stream
                new.mux(made)
    return target


def test_smart_copy_leaves_out_private_messages(tmp_path: Path) -> None:
    gps = b"GPS 54.1843 -2.7189 and a serial number"
    message = bytes([5, 16 + len(gps)]) + bytes(16) + gps
    source = _with_unit(make(tmp_path / "a.mp4", CLIP), tmp_path / "b.mp4", b"\x06" + h264.escape(message + b"\x80"))
    writer = smart_copy(source, tmp_path / "c.mp4", hidden=HIDDEN)
    assert writer.copied.sum() == 26
    assert b"54.1843" in source.read_bytes() and b"54.1843" not in (tmp_path / "c.mp4").read_bytes()


def test_smart_copy_makes_ffmpeg_say_nothing(tmp_path: Path) -> None:
    smart_copy(make(tmp_path / "a.mp4", CLIP.but(audio=["aac"])), tmp_path / "b.mp4", hidden=HIDDEN)
    code = (
        "import av, sys; av.logging.restore_default_callback(); av.logging.set_libav_level(av.logging.WARNING)\n"
        "with av.open(sys.argv[1]) as file: print(sum(1 for packet in file.demux() for frame in packet.decode()))"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path / "b.mp4")], capture_output=True, check=True)
    assert int(run.stdout) > 60 and run.stderr == b""


def test_smart_copy_refuses_a_frame_that_was_to_be_copied(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4", CLIP))
    with (
        pytest.raises(VideoError, match="was to be copied"),
        VideoReader(info.path, info=info) as reader,
        VideoWriter(tmp_path / "b.mp4", info, smart_copy=hidden_in(60, HIDDEN)) as writer,
    ):
        for frame in reader.frames():
            writer.write(frame.picture, frame.pts)
    assert not (tmp_path / "b.mp4").exists()


def test_smart_copy_refuses_to_end_with_a_frame_missing(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4", CLIP))
    with (
        pytest.raises(VideoError, match="lack 1 of 60 frames"),
        VideoReader(info.path, info=info) as reader,
        VideoWriter(tmp_path / "b.mp4", info, smart_copy=hidden_in(60, HIDDEN)) as writer,
    ):
        for frame in reader.ranges(writer.wanted):
            if frame.index != 30:
                writer.write(frame.picture, frame.pts)
    assert not (tmp_path / "b.mp4").exists()


def test_plan_refuses_a_mask_of_another_length(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"shape \(60,\), got \(3,\)"):
        plan_copy(probe(make(tmp_path / "a.mp4", CLIP)), [True] * 3)


@given(st.lists(st.booleans(), max_size=40))
def test_runs_of_a_plan_cover_every_frame_once(mask: list[bool]) -> None:
    plan = CopyPlan(np.array(mask, bool))
    assert [copied for frames, copied in plan.runs for _ in range(*frames)] == mask
    assert all(first[0].stop == second[0].start and first[1] != second[1] for first, second in pairwise(plan.runs))


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=6))
def test_nal_units_join_and_split(units: list[bytes]) -> None:
    assert split_prefixed(h264.prefixed(units), 4) == units


@given(st.binary(max_size=60))
def test_escaping_hides_start_codes_and_undoes(payload: bytes) -> None:
    escaped = h264.escape(payload)
    assert h264.unescape(escaped + b"\x80")[:-1] == payload
    assert not any(escaped[at : at + 3] in (b"\0\0\0", b"\0\0\1", b"\0\0\2") for at in range(len(escaped)))


def test_split_prefixed_refuses_lengths_that_do_not_fit() -> None:
    for data in (b"\0\0\0\5abc", b"\0\0\0\0", b"\0\0"):
        with pytest.raises(ValueError, match="do not fill"):
            split_prefixed(data, 4)


def test_clean_sei_keeps_only_what_a_picture_needs() -> None:
    recovery, private = bytes([6, 1, 0x84]), bytes([5, 17]) + bytes(16) + b"x"
    unit = b"\x06" + h264.escape(recovery + private + b"\x80")
    assert clean_sei(unit) == b"\x06" + recovery + b"\x80"
    assert clean_sei(b"\x06" + h264.escape(private + b"\x80")) == b""
    assert clean_sei(b"\x06" + recovery + b"\x80") == b"\x06" + recovery + b"\x80"
    with pytest.raises(ValueError, match="ends early"):
        clean_sei(b"\x06\x05\x40\x00\x80")


def test_parse_sps_reads_size_cropping_and_reordering(tmp_path: Path) -> None:
    with av.open(str(make(tmp_path / "a.mp4", CLIP.but(width=150, height=90)))) as container:
        config = AvcConfig.parse(container.streams.video[0].codec_context.extradata)
    sps = parse_sps(config.sps[0])
    assert (sps.width, sps.height, sps.hidden, sps.progressive, sps.chroma) == (150, 90, 10, True, 1)
    assert sps.reordered in (1, 2)
    for cut in range(1, len(config.sps[0]) - 8):
        with pytest.raises(ValueError, match="ends early"):
            parse_sps(config.sps[0][:cut])


def test_split_annexb_takes_both_start_codes() -> None:
    assert split_annexb(b"\0\0\0\1ab\0\0\1cd\0\0\0\1e") == [b"ab", b"cd", b"e"]
