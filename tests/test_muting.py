"""Muted sound, as it is heard when decoded: nothing inside, everything outside, at its time."""

import json
import shutil
from fractions import Fraction

import av
import numpy as np
import pytest

from redactkit.cli import main
from redactkit.errors import OptionError
from redactkit.passes import redact
from redactkit.redaction import RedactionOptions, prepare, read_report
from redactkit.redaction.chunked import join_chunks, prepare_chunks, write_chunk
from redactkit.redaction.report import sound_settings
from redactkit.verification import verify
from redactkit.verification.reproduction import reproduce
from redactkit.video import VideoReader, VideoWriter, WriterOptions, compare_files, probe
from redactkit.video.muting import Muting, first_sound
from tests.clips import Clip, make
from tests.sample_clips import sample_truth
from tests.test_redaction_chunks import CHUNKS, faces_of

RANGES = ((2.5, 4.2), (7.0, 7.9), (10.99, 11.02))
BEYOND = 2 * 1024


SCALES = {"s16": (2**15, 0), "s32": (2**31, 0), "u8": (128, 128)}


def heard(path, track=0):
    """Return the samples of an audio track from time 0 on, shape (N, channels), and their rate."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[track]
        frames = list(container.decode(stream))
        rate = stream.codec_context.sample_rate
    samples = np.concatenate([plain(frame) for frame in frames])
    start = round(frames[0].pts * frames[0].time_base * rate)
    return np.concatenate([np.zeros((max(start, 0), samples.shape[1])), samples[max(-start, 0) :]]), rate


def plain(frame):
    """Return the samples of a frame from -1 to 1, shape (N, channels)."""
    samples = frame.to_ndarray().T if frame.format.is_planar else frame.to_ndarray().reshape(frame.samples, -1)
    scale, middle = SCALES.get(frame.format.name.rstrip("p"), (1, 0))
    return (samples.astype(float) - middle) / scale


def write(source, target, mute, *, copied=False):
    """Write a video anew, or copied where that may be, with ranges muted."""
    info = probe(source)
    nothing = np.zeros(info.frame_count, bool) if copied else None
    with (
        VideoReader(source) as reader,
        VideoWriter(target, info, WriterOptions(mute=mute), smart_copy=nothing) as writer,
    ):
        for first, last in writer.wanted:
            for frame in reader.frames(first, last):
                writer.write(frame.picture, frame.pts)
    return writer


def loudness(samples):
    return float(np.sqrt(np.mean(samples**2)))


def assert_muted(source, target, ranges, *, tracks=1):
    """Silent to the sample inside; of the same level, at the same time, beyond the codec's two blocks outside."""
    for track in range(tracks):
        (before, old_rate), (after, rate) = heard(source, track), heard(target, track)
        inside = np.zeros(len(after), bool)
        for first, last in ranges:
            inside[int(first * rate) : int(np.ceil(last * rate))] = True
        near = np.convolve(inside, np.ones(2 * BEYOND + 1), "same") > 0.5
        assert np.abs(after[inside]).max(initial=0) == 0
        assert old_rate == rate
        shared = min(len(before), len(after))
        outside = ~near[:shared]
        assert outside.any()
        assert loudness(before[:shared][outside] - after[:shared][outside]) < 0.1 * loudness(before[:shared][outside])


def test_nothing_to_mute_copies_the_packets(short_clip, tmp_path):
    writer = write(short_clip, tmp_path / "a.mp4", ())
    assert writer.notes == []
    assert compare_files(probe(short_clip), tmp_path / "a.mp4")["ok"].all()


def test_clicks_are_silent_in_the_ranges_and_stay_outside_beside_copied_frames(sample_media, tmp_path):
    source, target = sample_media / "sample.mp4", tmp_path / "a.mp4"
    writer = write(source, target, RANGES, copied=True)
    assert writer.copied.all()
    table = compare_files(probe(source), target, mute=RANGES)
    assert table["ok"].all(), table.to_string()
    assert table["check"].tolist().count("audio 1 muted") == 1
    (note,) = [note for note in writer.notes if "muted" in note]
    assert "from aac to aac, 3 time range(s)" in note
    assert "48000 Hz, mono, 96 kbit/s; silent up to 43 ms beyond" in note
    assert_muted(source, target, RANGES)
    before, rate = heard(source)
    after, _ = heard(target)
    for second in range(20):
        click, clicked = (sound[second * rate : second * rate + 2400, 0] for sound in (before, after))
        muted = second in (3, 4, 7, 11)
        assert np.abs(clicked).max() == pytest.approx(0 if muted else np.abs(click).max(), rel=0.05, abs=1e-3)
        if not muted:
            assert abs(int(np.abs(clicked).argmax()) - int(np.abs(click).argmax())) <= 1


CASES = {
    "two tracks": ("mp4", Clip(frames=60, audio=["aac", "libmp3lame"])),
    "pcm in matroska's milliseconds": ("mkv", Clip(frames=60, audio=["pcm_s16le"])),
    "unsigned pcm": ("avi", Clip(frames=60, codec="mpeg4", audio=["pcm_u8"], audio_rate=8000)),
    "opus": ("webm", Clip(frames=60, codec="libvpx", audio=["libopus"])),
    "flac": ("mkv", Clip(frames=60, audio=["flac"], audio_rate=44100)),
    "starts late": ("mp4", Clip(frames=60, audio=["aac"], audio_start=0.5, audio_length=1.6)),
    "longer than the picture": ("mp4", Clip(frames=20, audio=["aac"], audio_length=2.4)),
    "a second hidden before the start": ("mp4", Clip(frames=60, audio=["aac"], audio_start=-1.0, audio_length=3.4)),
    "transport stream": ("ts", Clip(frames=60, audio=["aac"])),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_sound_is_muted_in_all_tracks(tmp_path, case):
    extension, clip = CASES[case]
    source, target = make(tmp_path / f"a.{extension}", clip), tmp_path / "b.mp4"
    info, ranges = probe(source), ((0.9, 1.3),)
    shift = float(info.pts[0] * info.time_base) if extension == "ts" else 0.0
    ranges = tuple((first + shift, last + shift) for first, last in ranges)
    write(source, target, ranges)
    table = compare_files(info, target, mute=ranges)
    assert table["ok"].all(), table.to_string()
    assert len(first_sound(target, ranges)) == len(clip.audio)
    if extension != "ts":
        assert_muted(source, target, ranges, tracks=len(clip.audio))


def test_what_the_decoder_gives_is_silenced_to_the_sample():
    """By its own time, before anything can move it: in sound with gaps as in sound without."""
    tone = np.full((1, 2 * 4800), 99, np.int16)
    muting = Muting(((1.02, 1.04), (1.075, 1.2)))
    for pts, silent in ((48_000, {*range(960, 1920), *range(3600, 4800)}), (480_000, set())):
        frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, pts, Fraction(1, 48_000)
        muting.silence(frame)
        loud = plain(frame).all(axis=1)
        near = {sample for edge in silent for sample in range(edge - 33, edge + 34)}
        assert not any(loud[sample] for sample in silent)
        assert all(loud[sample] for sample in range(4800) if sample not in near)


def test_a_range_from_the_start_and_one_to_the_end_leave_nothing_there(tmp_path):
    source = make(tmp_path / "a.mp4", Clip(frames=60, audio=["aac"]))
    ranges = ((0.0, 0.5), (2.0, 2.4))
    write(source, tmp_path / "b.mp4", ranges)
    sound, rate = heard(tmp_path / "b.mp4")
    assert np.abs(sound[: rate // 2]).max() == 0
    assert np.abs(sound[2 * rate :]).max() == 0
    assert np.abs(sound).max() > 0.1


def test_the_check_hears_what_was_not_muted(tmp_path):
    source = make(tmp_path / "a.mp4", Clip(frames=60, audio=["aac", "aac"]))
    write(source, tmp_path / "b.mp4", ((0.5, 1.0),))
    table = compare_files(probe(source), tmp_path / "b.mp4", mute=((0.5, 1.0), (1.5, 1.6))).set_index("check")
    assert table.loc[["audio 1 muted", "audio 2 muted"], "ok"].tolist() == [False, False]
    assert table.loc["audio 1 muted", "got"].startswith("sound at 1.5")


def test_no_sound_to_mute_is_said(tmp_path):
    source = make(tmp_path / "a.mp4", Clip())
    assert "there is no sound to mute" in write(source, tmp_path / "b.mp4", ((0, 0.2),)).notes


def test_ranges_out_of_the_video_are_refused_before_anything_is_written(short_clip, tmp_path):
    truth = sample_truth(short_clip)
    with pytest.raises(OptionError, match=r"the time range 2 to 30 s ends after the end at 2\.\d+ s"):
        redact(short_clip, truth, output=tmp_path / "a.mp4", mute=[(2, 30)], progress=False)
    assert list(tmp_path.iterdir()) == []


def test_the_report_and_what_comes_after_know_the_ranges(tmp_path):
    source = make(tmp_path / "a.mp4", Clip(frames=50, audio=["aac"]))
    truth = faces_of(probe(source))
    report = redact(source, truth, output=tmp_path / "b.mp4", mute=[(1.0, 1.5), (1.2, 1.6)], progress=False)
    assert report.ok
    told = read_report(report.path)
    assert told["settings"]["mute"] == [[1.0, 1.6]]
    assert any("1 time range(s) of it muted" in note for note in told["notes"])
    assert verify(source, report.output, truth, progress=False).fidelity["ok"].all()
    assert reproduce(report.path, annotations=truth, progress=False).ok


def test_sound_settings_are_those_of_the_report_that_is_about_the_file(tmp_path):
    source = make(tmp_path / "a.mp4", Clip(frames=12, audio=["aac"]))
    truth = faces_of(probe(source))
    report = redact(source, truth, output=tmp_path / "b.mp4", audio="drop", progress=False)
    assert sound_settings(report.output) == {"audio": "drop", "mute": ()}
    assert verify(source, report.output, truth, progress=False).fidelity["ok"].all()
    told = read_report(report.path)
    for broken in ({**told, "output_sha256": "0"}, {**told, "settings": {"mute": "always"}}, [], {}):
        report.path.write_text(json.dumps(broken))
        assert sound_settings(report.output) in ({}, {"audio": "keep", "mute": ()})


def test_chunks_are_joined_with_the_sound_muted(tmp_path):
    source = make(tmp_path / "a.mp4", Clip(frames=90, audio=["aac"], options={"g": "10", "sc_threshold": "0"}))
    truth = faces_of(probe(source))
    prepare_chunks(prepare(source, truth, RedactionOptions(mute=[(1, 2)], smart_copy=False)), tmp_path / "work")
    for chunk in CHUNKS:
        write_chunk(source, tmp_path / "work", chunk)
    report = join_chunks(source, truth, tmp_path / "work", chunks=CHUNKS, output=tmp_path / "b.mp4")
    assert report.ok
    assert_muted(source, tmp_path / "b.mp4", [(1, 2)])


def test_the_command_takes_ranges_and_refuses_what_is_none(short_clip, tmp_path, capsys):
    clip = shutil.copy(short_clip, tmp_path / "lobby.mp4")
    sample_truth(clip).to("azure", tmp_path / "lobby_annotations.json")
    command = ["redact", str(clip), "--annotations", str(tmp_path / "lobby_annotations.json"), "--quiet"]
    assert main([*command, "--mute", "00:00:00.5-00:00:01", "--mute", "2-2.2"]) == 0
    told = json.loads((tmp_path / "lobby_redacted.report.json").read_text())
    assert told["settings"]["mute"] == [[0.5, 1.0], [2.0, 2.2]]
    with pytest.raises(SystemExit) as stop:
        main([*command, "--mute", "soon"])
    assert stop.value.code == 2
    assert "a time range is START-END" in capsys.readouterr().err
