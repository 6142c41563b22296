from __future__ import annotations

import re
import resource
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.rational import AVRational
from hypothesis import given
from hypothesis import strategies as st

from redactkit.errors import OptionError, OutputExistsError, VideoError
from redactkit.media import AudioInfo, FrameRange, VideoInfo
from redactkit.video import VideoReader, VideoWriter, WriterOptions, compare_files, plane_views, probe
from redactkit.video.encoding import choose_encoding
from redactkit.video.fields import count_orders
from redactkit.video.opening import opened
from redactkit.video.segments import MAX_SEGMENT_FRAMES, split_segments
from redactkit.video.stream_traits import read_traits
from redactkit.video.timing import as_fraction, movie_timescale, output_time_base, start_shift
from tests.clips import Clip, make, number_of
from tests.sample_clips import cut_sample


def copy_video(source: Path, target: Path, *, overwrite: bool = False, **options: Any) -> VideoWriter:
    how = WriterOptions(**options)
    with VideoReader(source) as reader, VideoWriter(target, reader.info, how, overwrite=overwrite) as writer:
        for frame in reader.frames():
            writer.write(frame.picture, frame.pts)
    return writer


def failed(source: Path, target: Path, **options: Any) -> list[str]:
    table = compare_files(probe(source), target, exact=True, **options)
    return table.loc[~table["ok"], "check"].tolist()


def test_written_real_files_are_true_to_their_source(shared_media: Path, tmp_path: Path) -> None:
    names = ["sample.mp4", "sample.mkv", "fragmented.mp4", "rotation_90.mov", "hevc_10bit.mp4", "odd_size_vp9.webm"]
    paths = [shared_media / "stage_four_shots.mp4", *(shared_media / "edge" / name for name in names)]
    for path in paths:
        target = tmp_path / f"{path.stem}.mp4"
        copy_video(path, target, overwrite=True)
        assert failed(path, target) == [], path.name


def test_writer_keeps_irregular_times_to_the_tick(tmp_path: Path) -> None:
    ticks = [852, 859, 861, 1500, 1501, 90_000]
    source = make(tmp_path / "a.mkv", Clip(time_base=Fraction(1, 1000), pts=ticks))
    copy_video(source, tmp_path / "b.mp4")
    written = probe(tmp_path / "b.mp4")
    assert (written.time_base, written.pts.tolist()) == (Fraction(1, 1000), ticks)


def test_writer_puts_the_index_first_and_leaves_no_partial_file(tmp_path: Path) -> None:
    copy_video(make(tmp_path / "a.mp4", Clip()), tmp_path / "b.mp4")
    data = (tmp_path / "b.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_writer_keeps_frames_recognisable(tmp_path: Path) -> None:
    copy_video(make(tmp_path / "a.mp4", Clip(frames=30)), tmp_path / "b.mp4")
    with VideoReader(tmp_path / "b.mp4") as reader:
        assert [number_of(frame.rgb()) for frame in reader.frames()] == list(range(30))


def test_writer_writes_the_same_bytes_every_time(tmp_path: Path) -> None:
    source = cut_sample(tmp_path / "a.mp4", start=0, stop=50, width=160, height=90)
    first, *others = (tmp_path / f"{run}.mp4" for run in range(16))
    copy_video(source, first)
    for other in others:
        copy_video(source, other)
        assert other.read_bytes() == first.read_bytes(), other.name


def test_prepare_gives_a_copy_that_the_decoder_never_sees(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=12, options={"bf": "0", "g": "12"}))
    with VideoReader(source) as reader, VideoWriter(tmp_path / "b.mp4", reader.info) as writer:
        for frame in reader.frames():
            picture = writer.prepare(frame.picture, frame.pts)
            assert all((a == b).all() for a, b in zip(plane_views(picture), plane_views(frame.picture), strict=True))
            for plane in plane_views(picture):
                plane[:] = 128
            assert number_of(frame.rgb()) == frame.index, "painting reached the decoder's own picture"
            writer.write(picture, frame.pts)
    with VideoReader(tmp_path / "b.mp4") as reader:
        assert all(np.ptp(frame.gray()) < 6 for frame in reader.frames())


@given(st.lists(st.integers(1, 900), max_size=8), st.lists(st.integers(1, 900), min_size=8, max_size=8))
def test_segments_hold_every_frame_of_their_runs_once(lengths: list[int], gaps: list[int]) -> None:
    runs = []
    for length, gap in zip(lengths, gaps, strict=False):
        start = (runs[-1].stop if runs else 0) + gap
        runs.append(FrameRange(start, start + length))
    segments = split_segments(runs)
    assert [frame for segment in segments for frame in range(*segment)] == [
        frame for run in runs for frame in range(*run)
    ]
    assert all(0 < stop - start <= MAX_SEGMENT_FRAMES + 8 for start, stop in segments)
    starts = {start for start, _ in runs}
    assert all(start in starts or start % 8 == 0 for start, _ in segments)


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_segments_may_be_written_in_any_order_and_at_once(codec: str, tmp_path: Path) -> None:
    ticks = [40 * number + 11 * (number % 3) for number in range(150)]
    source = make(tmp_path / "a.mkv", Clip(time_base=Fraction(1, 1000), pts=ticks, options={"g": "30"}))
    copy_video(source, tmp_path / "b.mp4", codec=codec)
    with (
        VideoReader(source) as reader,
        VideoWriter(tmp_path / "c.mp4", reader.info, WriterOptions(codec=codec)) as writer,
    ):
        assert len(writer.segments) >= 2
        for segment in reversed(writer.segments):
            for frame in reader.frames(*segment):
                writer.write(frame.picture, frame.pts)
    with (
        VideoReader(source) as reader,
        VideoWriter(tmp_path / "d.mp4", reader.info, WriterOptions(codec=codec)) as writer,
    ):
        alternating = [list(reader.frames(*segment)) for segment in writer.segments]
        for number in range(max(map(len, alternating))):
            for frame in (frames[number] for frames in alternating if number < len(frames)):
                writer.write(frame.picture, frame.pts)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "c.mp4").read_bytes() == (tmp_path / "d.mp4").read_bytes()
    assert failed(source, tmp_path / "b.mp4") == []
    with av.open(str(tmp_path / "b.mp4")) as file:
        packets = [packet for packet in file.demux(video=0) if packet.size]
    dts = [packet.dts for packet in packets]
    assert dts == sorted(set(dts)) and all(packet.dts <= packet.pts for packet in packets)
    assert [packet.pts for packet in packets if packet.is_keyframe] == [ticks[start] for start, _ in writer.segments]


@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_prepared_pictures_take_the_places_of_encoded_ones_and_each_is_written_as_it_was(
    codec: str, tmp_path: Path
) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=60))
    places = set()
    with (
        VideoReader(source) as reader,
        VideoWriter(tmp_path / "b.mp4", reader.info, WriterOptions(codec=codec)) as writer,
    ):
        for frame in reader.frames():
            picture = writer.prepare(frame.picture, frame.pts)
            places.add(plane_views(picture)[0].ctypes.data)
            for plane in plane_views(picture):
                plane[:] = 128
            plane_views(picture)[0][:] = 20 + 3 * frame.index
            writer.write(picture, frame.pts)
    assert len(places) < 12
    with VideoReader(tmp_path / "b.mp4") as reader:
        levels = [np.median(plane_views(frame.picture)[0]) for frame in reader.frames()]
    assert np.abs(np.array(levels) - (20 + 3 * np.arange(60))).max() <= 2


@pytest.mark.parametrize(
    ("clip", "stored", "notes"),
    [
        (Clip(pixel_format="yuv422p"), "yuv422p", ""),
        (Clip(pixel_format="yuvj420p", color=(2, 1, 1, 1)), "yuvj420p", ""),
        (Clip(codec="ffv1", pixel_format="gray"), "yuv420p", ""),
        (Clip(codec="ffv1", width=161, height=121), "yuv444p", "odd side: chroma stored as 4:4:4"),
        (Clip(codec="ffv1", width=160, height=121), "yuv422p", "odd side: chroma stored as 4:2:2"),
        (Clip(codec="ffv1", pixel_format="bgra"), "yuv420p", "transparency dropped; bgra converted to YUV 4:2:0"),
        (Clip(codec="ffv1", pixel_format="yuv411p"), "yuv422p", ""),
        (Clip(codec="ffv1", pixel_format="yuv420p10le"), "yuv420p10le", ""),
        (Clip(codec="ffv1", pixel_format="yuv422p12le"), "yuv420p10le", "stored as 4:2:0.*12 bits"),
        (Clip(codec="ffv1", pixel_format="yuv420p10le", width=12, height=10), "yuv420p10le", "too small for HEVC"),
        (Clip(codec="ffv1", width=1, height=1), "yuv444p", "odd side"),
    ],
    ids=lambda value: f"{value.pixel_format}-{value.width}x{value.height}" if isinstance(value, Clip) else "",
)
def test_writer_stores_every_kind_of_pixel_and_says_what_changed(
    tmp_path: Path, clip: Clip, stored: str, notes: str
) -> None:
    source = make(tmp_path / "a.mkv", clip.but(frames=4))
    writer = copy_video(source, tmp_path / "b.mp4")
    assert probe(tmp_path / "b.mp4").pixel_format == stored
    assert failed(source, tmp_path / "b.mp4") == []
    assert bool(writer.notes) == bool(notes)
    assert re.search(notes, "; ".join(writer.notes))


def test_writer_keeps_brightness_of_odd_sizes_exactly_before_encoding(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Clip(codec="ffv1", width=161, height=121, frames=1))
    with VideoReader(source) as reader, VideoWriter(tmp_path / "b.mp4", reader.info) as writer:
        frame = reader.frame_at(0)
        picture = writer.prepare(frame.picture, frame.pts)
        np.testing.assert_array_equal(plane_views(picture)[0], plane_views(frame.picture)[0])
        writer.write(picture, frame.pts)


INTERLACED = (1 << 18) | (1 << 29)


@pytest.mark.parametrize("order", ["tff", "bff"])
@pytest.mark.parametrize("declared", ["tff", "bff"])
def test_writer_keeps_the_field_order_of_the_frames_whatever_the_header_says(
    tmp_path: Path, order: str, declared: str
) -> None:
    clip = Clip(flags=INTERLACED, fields=order, options={"x264-params": f"{declared}=1"})
    source = make(tmp_path / "a.mp4", clip)
    assert read_traits(probe(source)).fields == order
    with VideoReader(source) as reader, VideoWriter(tmp_path / "b.mp4", reader.info) as writer:
        for frame in reader.frames():
            painted = frame.index % 2
            writer.write(writer.prepare(frame.picture, frame.pts) if painted else frame.picture, frame.pts)
    with av.open(str(tmp_path / "b.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.field_order == {"tff": 2, "bff": 3}[order]
        assert count_orders(container.decode(stream)) == {order: 12}
    assert failed(source, tmp_path / "b.mp4") == []


def test_fields_that_are_woven_are_not_marked_as_fields(tmp_path: Path) -> None:
    source = make(tmp_path / "a.ts", Clip(codec="mpeg2video", height=90, flags=INTERLACED, fields="tff"))
    writer = copy_video(source, tmp_path / "b.mp4")
    assert "interlaced frames stored as progressive ones, fields woven" in writer.notes
    assert failed(source, tmp_path / "b.mp4") == []
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert count_orders(container.decode(video=0)) == {"progressive": 12}


def test_writer_keeps_hdr_tags_and_light_levels(tmp_path: Path) -> None:
    display = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):max-cll=1000,400"
    clip = Clip(codec="libx265", pixel_format="yuv420p10le", color=(1, 9, 9, 16), frames=4)
    source = make(tmp_path / "a.mp4", clip.but(options={"x265-params": f"log-level=none:{display}"}))
    copy_video(source, tmp_path / "b.mp4")
    assert failed(source, tmp_path / "b.mp4") == []
    assert read_traits(probe(tmp_path / "b.mp4")) == read_traits(probe(source))
    assert read_traits(probe(source)).light == "1000,400"


def test_writer_turns_and_stretches_as_the_source_does(tmp_path: Path) -> None:
    for rotation, mirrored in ((90, False), (180, True), (270, True), (0, True)):
        source = make(
            tmp_path / f"{rotation}.mp4", Clip(frames=2, rotation=rotation, mirrored=mirrored, aspect=Fraction(4, 3))
        )
        copy_video(source, tmp_path / f"{rotation}_out.mp4")
        written = probe(tmp_path / f"{rotation}_out.mp4")
        assert (written.rotation, written.mirrored, written.sample_aspect_ratio) == (rotation, mirrored, Fraction(4, 3))


def test_writer_copies_audio_it_can_and_transcodes_the_rest(tmp_path: Path) -> None:
    clip = Clip(frames=20, audio=["libopus", "flac", "ac3", "alac", "pcm_s16le", "vorbis"], audio_start=0.3)
    source = make(tmp_path / "a.mkv", clip)
    writer = copy_video(source, tmp_path / "b.mp4")
    assert failed(source, tmp_path / "b.mp4") == []
    assert [stream.codec for stream in probe(tmp_path / "b.mp4").audio] == ["opus", "flac", "ac3", "alac", "aac", "aac"]
    assert [note.split(",")[0] for note in writer.notes] == [
        "audio track 5 transcoded from pcm_s16le to aac",
        "audio track 6 transcoded from vorbis to aac",
    ]


def test_transcoded_audio_stays_in_step_with_the_picture(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Clip(frames=20, audio=["pcm_s16le"], audio_start=0.4))
    copy_video(source, tmp_path / "b.mp4")
    before, after = (_first_sound(path) for path in (source, tmp_path / "b.mp4"))
    assert abs(before - after) < 0.005


def _first_sound(path: Path) -> float:
    """Seconds at which the first loud sample is heard."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.abs(frame.to_ndarray().astype(float)).max(axis=0)
            loud = loud / (32768 if loud.max() > 1.5 else 1)
            if (loud > 0.1).any():
                return float(frame.time) + int(np.argmax(loud > 0.1)) / len(loud) * frame.samples / frame.sample_rate
    raise AssertionError("silent")


@pytest.mark.parametrize("length", [0.1, 3.0])
def test_writer_keeps_audio_shorter_and_longer_than_the_picture(tmp_path: Path, length: float) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=25, audio=["aac", "libmp3lame"], audio_length=length))
    copy_video(source, tmp_path / "b.mp4")
    assert failed(source, tmp_path / "b.mp4") == []


def test_writer_drops_audio_when_asked(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(audio=["aac"]))
    writer = copy_video(source, tmp_path / "b.mp4", audio="drop")
    assert failed(source, tmp_path / "b.mp4", audio="drop") == []
    assert failed(source, tmp_path / "b.mp4") == ["audio tracks", "streams"]
    assert writer.notes == ["1 audio track(s) dropped, as asked"]


def test_writer_strips_private_metadata_unless_told_otherwise(tmp_path: Path) -> None:
    planted = {"title": "Planted-Title", "location": "+54.1843-002.7189/", "comment": "Planted-Device"}
    source = make(tmp_path / "a.mov", Clip(metadata=planted))
    copy_video(source, tmp_path / "bare.mp4")
    copy_video(source, tmp_path / "full.mp4", keep_metadata=True)
    needles = (b"Planted", b"54.1843", b"Lavf")
    bare, full = ((tmp_path / name).read_bytes() for name in ("bare.mp4", "full.mp4"))
    assert all(needle in source.read_bytes() for needle in needles)
    assert not any(needle in bare for needle in needles)
    assert b"Planted-Title" in full and b"Planted-Device" in full


@pytest.mark.parametrize("extension", ["mkv", "mov"])
def test_tags_that_are_not_utf8_are_read_and_kept_byte_for_byte(tmp_path: Path, extension: str) -> None:
    source = make(tmp_path / f"a.{extension}", Clip(frames=3, metadata={"title": "Mxller", "comment": "xxxx"}))
    source.write_bytes(source.read_bytes().replace(b"Mxller", b"M\xfcller").replace(b"xxxx", b"\xff\xfe\x80x"))
    with opened(source) as container:
        tags = {name.lower(): value for name, value in container.metadata.items()}
        assert (tags["title"], tags["comment"]) == ("M\udcfcller", "\udcff\udcfe\udc80x")
    copy_video(source, tmp_path / "b.mp4", keep_metadata=True)
    copied = (tmp_path / "b.mp4").read_bytes()
    assert b"M\xfcller" in copied and b"\xff\xfe\x80x" in copied
    assert failed(source, tmp_path / "b.mp4") == []


@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_sound_that_an_edit_list_hides_is_not_in_the_output(tmp_path: Path, codec: str) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=60, audio=[codec], audio_start=-1.0, audio_length=3))
    copy_video(source, tmp_path / "b.mp4")
    assert failed(source, tmp_path / "b.mp4") == []
    assert _earliest(source) <= -0.9
    assert _earliest(tmp_path / "b.mp4") >= -0.13
    heard, kept = (_decoded(path) for path in (source, tmp_path / "b.mp4"))
    assert len(heard) == len(kept)
    apart = np.abs(heard - kept)
    assert apart.max() < 0.02, "a decoder that starts later goes its own way for some hundredths of a second"
    assert apart[9600:].max() < 1e-3


def _earliest(path: Path) -> float:
    with av.open(str(path)) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux(audio=0) if packet.pts is not None]
        return min(times)


def _decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def test_writer_leaves_out_subtitles_and_chapters_and_says_so(tmp_path: Path) -> None:
    source = with_subtitles(tmp_path / "a.mkv")
    writer = copy_video(source, tmp_path / "b.mp4")
    assert writer.notes == ["1 subtitle stream(s) left out", "1 chapter mark(s) left out"]
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"] and not container.chapters()


def with_subtitles(path: Path) -> Path:
    clip = make(path.with_name("plain.mkv"), Clip(frames=5))
    with av.open(str(clip)) as source, av.open(str(path), "w") as container:
        video = container.add_stream_from_template(source.streams.video[0])
        text = container.add_mux_stream("subrip", time_base=Fraction(1, 1000))
        container.set_chapters([{"id": 1, "start": 0, "end": 100, "time_base": Fraction(1, 1000), "metadata": {}}])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = video
                container.mux(packet)
        line = av.Packet(b"where he lives")
        line.pts = line.dts = 0
        line.duration, line.time_base, line.stream = 100, Fraction(1, 1000), text
        container.mux(line)
    return path


def test_writer_refuses_to_replace_what_is_there_and_ever_the_source(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=2))
    before = source.read_bytes()
    (tmp_path / "b.mp4").write_bytes(b"old")
    with pytest.raises(OutputExistsError, match="exists"):
        VideoWriter(tmp_path / "b.mp4", probe(source))
    with pytest.raises(OutputExistsError, match="source itself"):
        VideoWriter(source, probe(source), overwrite=True)
    copy_video(source, tmp_path / "b.mp4", overwrite=True)
    assert source.read_bytes() == before and probe(tmp_path / "b.mp4").frame_count == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "mpeg2"}, "codec must be one of h264, hevc"),
        ({"crf": 60}, "crf must be 0 to 51"),
        ({"preset": "warp"}, "preset must be one of"),
        ({"audio": "loud"}, "audio must be"),
    ],
)
def test_writer_refuses_options_that_mean_nothing(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    info = probe(make(tmp_path / "a.mp4", Clip(frames=1)))
    with pytest.raises(OptionError, match=message):
        VideoWriter(tmp_path / "b.mp4", info, WriterOptions(**options))
    assert not (tmp_path / "b.mp4").exists()


def test_writer_leaves_nothing_when_the_block_fails(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=30, audio=["aac"]))
    (tmp_path / "b.mp4").write_bytes(b"old")
    for fault in (KeyboardInterrupt, ValueError):
        with (
            pytest.raises(fault),
            VideoReader(source) as reader,
            VideoWriter(tmp_path / "b.mp4", reader.info, overwrite=True) as writer,
        ):
            for frame in reader.frames():
                writer.write(frame.picture, frame.pts)
                if frame.index == 20:
                    raise fault
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]
    assert (tmp_path / "b.mp4").read_bytes() == b"old"


def test_writer_leaves_nothing_when_no_frame_came(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4", Clip(frames=1)))
    with pytest.raises(VideoError, match="no frame was written"), VideoWriter(tmp_path / "b.mp4", info):
        pass
    assert not (tmp_path / "b.mp4").exists()


def test_writer_refuses_frames_that_do_not_belong(tmp_path: Path) -> None:
    info = probe(make(tmp_path / "a.mp4", Clip(frames=2)))
    with (
        pytest.raises(VideoError, match="64x64 pixels as stored, expected 160x96"),
        VideoWriter(tmp_path / "b.mp4", info) as writer,
    ):
        writer.write(av.VideoFrame(64, 64, "yuv420p"), 0)
    with pytest.raises(VideoError, match="does not come after"), VideoWriter(tmp_path / "b.mp4", info) as writer:
        writer.write(av.VideoFrame(160, 96, "yuv420p"), 5)
        writer.write(av.VideoFrame(160, 96, "yuv420p"), 5)
    assert not (tmp_path / "b.mp4").exists()


def test_writer_reports_an_encoder_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=30))

    def fail(*_: Any, **__: Any) -> None:
        raise av.error.ExternalError(1, "boom")

    monkeypatch.setattr("redactkit.video.segments.Segment.encode", fail)
    with pytest.raises(VideoError, match="could not encode it"):
        copy_video(source, tmp_path / "b.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_writer_makes_a_folder_that_is_not_there(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=3))
    copy_video(source, tmp_path / "new" / "folder" / "b.mp4")
    assert failed(source, tmp_path / "new" / "folder" / "b.mp4") == []


def test_writer_reports_a_full_disk(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=120, width=320, height=240))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
    try:
        with pytest.raises(VideoError, match=r"b\.mp4"):
            copy_video(source, tmp_path / "b.mp4", crf=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def _info(pts: list[int], base: Fraction, *starts: Fraction | None) -> VideoInfo:
    audio = tuple(AudioInfo(number, "aac", 48_000, 2, start) for number, start in enumerate(starts, 1))
    return VideoInfo(None, 4, 4, Fraction(25), base, np.array(pts), audio=audio, pixel_format="yuv420p")


def test_as_fraction_is_exact_and_none_where_nothing_is_set() -> None:
    assert [as_fraction(unset) for unset in (None, AVRational(0, 1), AVRational(1, 0))] == [None] * 3
    for ratio in (AVRational(1, 90_000), Fraction(1, 90_000)):
        assert as_fraction(ratio) == Fraction(1, 90_000) and type(as_fraction(ratio)) is Fraction
    # Two of FFmpeg's ratios are rounded to 32 bits when multiplied.
    rate, base = (as_fraction(AVRational(*ratio)) for ratio in ((2**31 - 1, 1001), (1, 2**30 - 1)))
    assert rate is not None and base is not None and rate * base == Fraction(2**31 - 1, 1001 * (2**30 - 1))


def test_start_shift_moves_only_what_players_cannot_follow() -> None:
    base = Fraction(1, 1000)
    assert start_shift(_info([852], base, Fraction(8, 1000))) == 0
    assert start_shift(_info([0], base, Fraction(-21, 1000))) == 0
    assert start_shift(_info([-500], base, Fraction(0))) == Fraction(1, 2)
    assert start_shift(_info([0], base, Fraction(-3))) == 3
    assert start_shift(_info([7_200_000], base, Fraction(7201))) == -7200
    assert start_shift(_info([], base)) == 0


def test_output_time_base_is_the_sources_unless_gaps_overflow() -> None:
    assert output_time_base(_info([0, 3003], Fraction(1, 90_000))) == Fraction(1, 90_000)
    wide = _info([0, 40 * 10**9, 41 * 10**9], Fraction(1, 10**9))
    base = output_time_base(wide)
    assert base == 1 and (wide.pts * wide.time_base.numerator % base.numerator == 0).all()


def test_movie_timescale_holds_every_start() -> None:
    assert movie_timescale([11988, 44100]) % 11988 == 0 == movie_timescale([11988, 44100]) % 44100
    assert movie_timescale([10**9, 44100]) == 10**9


def test_choose_encoding_of_a_named_codec_keeps_depth() -> None:
    deep = VideoInfo(None, 64, 64, Fraction(25), Fraction(1, 25), np.arange(2), pixel_format="yuv420p10le")
    assert choose_encoding(deep).codec == "hevc"
    assert choose_encoding(deep, codec="h264").pixel_format == "yuv420p10le"
    with pytest.raises(VideoError, match="pixel format 'xyz'"):
        choose_encoding(VideoInfo(None, 4, 4, Fraction(25), Fraction(1, 25), np.arange(2), pixel_format="xyz"))


def test_compare_files_finds_every_kind_of_break(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=10, audio=["aac"]))
    broken = {
        "frames": Clip(frames=9, audio=["aac"]),
        "timestamps": Clip(pts=[0, 1, 2, 3, 4, 6, 7, 8, 9, 10], audio=["aac"]),
        "size": Clip(frames=10, width=162, audio=["aac"]),
        "rotation": Clip(frames=10, rotation=180, audio=["aac"]),
        "mirrored": Clip(frames=10, mirrored=True, audio=["aac"]),
        "aspect": Clip(frames=10, aspect=Fraction(4, 3), audio=["aac"]),
        "bit depth": Clip(frames=10, pixel_format="yuv420p10le", audio=["aac"]),
        "colour range": Clip(frames=10, color=(2, 1, 1, 1), audio=["aac"]),
        "colour transfer": Clip(frames=10, color=(1, 1, 1, 16), audio=["aac"]),
        "audio tracks": Clip(frames=10),
        "audio 1 start": Clip(frames=10, audio=["aac"], audio_start=0.2),
        "audio 1 bytes": Clip(frames=10, audio=["aac"], audio_length=0.2),
    }
    assert failed(source, source) == []
    for check, clip in broken.items():
        assert check in failed(source, make(tmp_path / "b.mp4", clip)), check
