"""The fidelity contract, case by property: every cell is held, converted and reported, or refused by name.

``pytest tests/test_fidelity_matrix.py -s`` prints the table.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.video import VideoReader, VideoWriter, compare_files, probe
from tests.clips import Clip, make
from tests.test_video_writer import with_subtitles

MS = Fraction(1, 1000)
VFR = (0, 7, 9, 30, 31, 32, 80, 200, 201, 333, 334, 400)
C = Clip()
QUIET = {"x265-params": "log-level=none"}
INTERLACED = (1 << 18) | (1 << 29)
FULL = (2, 1, 1, 1)
ROTATIONS = (0, 90, 180, 270)

CASES: dict[str, tuple[str, Clip]] = {
    **{f"cfr {rate}": ("mp4", C.but(rate=Fraction(rate), audio=["aac"])) for rate in ("24000/1001", "30000/1001")},
    "cfr 60000/1001": ("mov", C.but(rate=Fraction("60000/1001"))),
    "vfr": ("mp4", C.but(time_base=MS, pts=VFR)),
    "vfr mkv": ("mkv", C.but(time_base=MS, pts=VFR, audio=["aac"])),
    "start offset": ("mp4", C.but(time_base=MS, pts=[at + 852 for at in VFR], audio=["aac"], audio_start=0.008)),
    "audio starts late": ("mp4", C.but(frames=40, audio=["aac"], audio_start=1.0, audio_length=1)),
    "negative start, edit list": ("mp4", C.but(time_base=MS, pts=[at - 100 for at in VFR])),
    "broadcast clock": ("mkv", C.but(time_base=MS, pts=[at + 7_200_000 for at in VFR])),
    "b-frames": ("mp4", C.but(frames=40, options={"bf": "3", "g": "12"})),
    "open groups": ("mp4", C.but(frames=40, options={"x264-params": "open-gop=1:keyint=12:bframes=3"})),
    **{f"rotation {turn}": ("mov", C.but(frames=2, rotation=turn)) for turn in ROTATIONS[1:]},
    **{f"rotation {turn} mirrored": ("mp4", C.but(frames=2, rotation=turn, mirrored=True)) for turn in ROTATIONS},
    "pixels 4:3": ("mp4", C.but(aspect=Fraction(4, 3))),
    "pixels 4:3 turned": ("mp4", C.but(aspect=Fraction(4, 3), rotation=90)),
    **{
        f"size {w}x{h}": ("mkv", C.but(codec="ffv1", width=w, height=h, frames=3))
        for w, h in ((1, 1), (2, 2), (34, 33))
    },
    "size 3x5": ("mkv", C.but(codec="rawvideo", width=3, height=5, frames=3)),
    "size 161x121": ("webm", C.but(codec="libvpx-vp9", width=161, height=121, frames=4)),
    "size 121x161 turned": ("mp4", C.but(width=121, height=161, pixel_format="yuv444p", frames=4, rotation=90)),
    "interlaced": ("mp4", C.but(flags=INTERLACED, options={"x264-params": "tff=1"})),
    "interlaced mpeg2": ("ts", C.but(codec="mpeg2video", flags=INTERLACED)),
    "4:2:2": ("mp4", C.but(pixel_format="yuv422p")),
    "4:4:4": ("mp4", C.but(pixel_format="yuv444p")),
    "full range": ("mp4", C.but(color=FULL)),
    "bt601": ("mp4", C.but(color=(1, 6, 6, 6))),
    "gray": ("mkv", C.but(codec="ffv1", pixel_format="gray")),
    "rgb": ("mkv", C.but(codec="ffv1", pixel_format="bgr0")),
    "hdr pq": ("mp4", C.but(codec="libx265", pixel_format="yuv420p10le", color=(1, 9, 9, 16), options=QUIET)),
    "hdr hlg": ("mp4", C.but(codec="libx265", pixel_format="yuv420p10le", color=(1, 9, 9, 18), options=QUIET)),
    "12 bit": ("mkv", C.but(codec="ffv1", pixel_format="yuv420p12le")),
    "prores 4:2:2": ("mov", C.but(codec="prores_ks", pixel_format="yuv422p10le", frames=4)),
    "alpha": ("mov", C.but(codec="prores_ks", pixel_format="yuva444p10le", frames=4)),
    "two audio tracks": ("mp4", C.but(audio=["aac", "libmp3lame"])),
    "audio of seven kinds": ("mkv", C.but(audio=["libopus", "flac", "ac3", "eac3", "alac", "mp2", "pcm_s16le"])),
    "audio longer": ("mp4", C.but(audio=["aac"], audio_length=3)),
    "audio shorter": ("mp4", C.but(frames=50, audio=["aac"], audio_length=0.2)),
    "no audio": ("mp4", C),
    "timecode track": ("mov", C.but(metadata={"timecode": "01:00:00:00"}, audio=["aac"])),
    "one frame": ("mp4", C.but(frames=1)),
    "two frames": ("mp4", C.but(frames=2)),
    "fragmented": ("mp4", C.but(frames=30, audio=["aac"], container_options={"movflags": "frag_keyframe+empty_moov"})),
    "avi mpeg4": ("avi", C.but(codec="mpeg4", audio=["libmp3lame"])),
    "avi mjpeg": ("avi", C.but(codec="mjpeg", pixel_format="yuvj420p", color=FULL, audio=["pcm_s16le"])),
    "ts h264": ("ts", C.but(frames=30, audio=["aac"])),
    "ts hevc": ("ts", C.but(codec="libx265", options=QUIET)),
    "mpg mpeg2": ("mpg", C.but(codec="mpeg2video", frames=30, audio=["mp2"], options={"bf": "2"})),
    "webm vp8": ("webm", C.but(codec="libvpx", frames=30, options={"auto-alt-ref": "1", "lag-in-frames": "16"})),
    "webm vp9 opus": ("webm", C.but(codec="libvpx-vp9", frames=20, audio=["libopus"], options={"cpu-used": "8"})),
    "mkv av1": ("mkv", C.but(codec="libsvtav1", options={"preset": "12"}, audio=["libopus"])),
    "mp4 av1": ("mp4", C.but(codec="libsvtav1", options={"preset": "12"}, frames=30)),
    "flv": ("flv", C.but(audio=["aac"])),
    "gif": ("gif", C.but(codec="gif", pixel_format="rgb8")),
    "mp4 mpeg4 b-frames": ("mp4", C.but(codec="mpeg4", frames=30, options={"bf": "2"})),
    "mp4 hevc": ("mp4", C.but(codec="libx265", frames=30, options=QUIET)),
    "microseconds": ("mp4", C.but(time_base=Fraction(1, 1_000_000), pts=[i * 33_367 for i in range(12)])),
}
# Where more may change than the encoder explains: chroma that is stored coarser, a palette, and one-pixel chroma.
LOSSY = {"gif": 20, "rgb": 8, "size 2x2": 16, "size 1x1": 16, "size 3x5": 16, "size 34x33": 8}
CONVERTED = {
    "broadcast clock": "every stream starts -7200",
    "size 1x1": "chroma stored as 4:4:4",
    "size 3x5": "chroma stored as 4:4:4",
    "size 34x33": "chroma stored as 4:2:2",
    "timecode track": "data stream(s) left out",
    "size 161x121": "chroma stored as 4:4:4",
    "rgb": "bgr0 converted to YUV 4:2:0",
    "12 bit": "12 bits per sample stored as 10",
    "prores 4:2:2": "chroma 4:2:2 stored as 4:2:0",
    "alpha": "transparency dropped",
    "audio of seven kinds": "transcoded from pcm_s16le to aac",
    "avi mjpeg": "transcoded from pcm_s16le to aac",
    "gif": "transparency dropped",
}
REAL = [
    "corrupted.mp4",
    "fragmented.mp4",
    "hevc_10bit.mp4",
    "odd_size_vp9.webm",
    "partially_fragmented.mp4",
    *(f"rotation_{turn}.mov" for turn in ROTATIONS),
    "sample.mkv",
    "sample.mp4",
    "wrong_rate_rotated.mp4",
]
CHECKED = {
    "frames": "frames",
    "timestamps": "timestamps",
    "duration": "duration",
    "size": "size",
    "orientation": "rotation|mirrored",
    "aspect": "aspect",
    "bit depth": "bit depth",
    "colour": "colour",
    "audio": r"audio (tracks|\d+ (packets|bytes|codec))",
    "A/V offset": r"audio \d+ start",
}
KEPT = {"", "copied"}
COLUMNS = [*CHECKED, "chroma", "pixels", "notes"]


@pytest.fixture(scope="module")
def matrix() -> Iterator[dict[str, dict[str, str]]]:
    """One row a case; printed at the end."""
    os.environ["SVT_LOG"] = "1"  # the encoder of the AV1 clips speaks of nothing but errors
    rows: dict[str, dict[str, str]] = {}
    yield rows
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=COLUMNS).fillna("")
    sys.stdout.write(f"\n{table.to_string(max_colwidth=60)}\n")


def write_all(source: Path, target: Path) -> tuple[VideoInfo, list[str]]:
    with VideoReader(source) as reader, VideoWriter(target, reader.info) as writer:
        for frame in reader.frames():
            writer.write(writer.prepare(frame.picture, frame.pts) if frame.index % 2 else frame.picture, frame.pts)
        return reader.info, writer.notes


def largest_loss(source: Path, target: Path) -> float:
    """Mean difference of brightness and colour in the worst frame, of 255."""
    with VideoReader(source) as before, VideoReader(target) as after:
        pairs = zip(before.frames(), after.frames(), strict=True)
        return max(float(np.abs(a.rgb().astype(int) - b.rgb()).mean()) for a, b in pairs)


def fill_row(source: Path, target: Path) -> tuple[dict[str, str], pd.DataFrame, float, list[str]]:
    """Write a video anew; return its row of the matrix, what the check says, the loss and the notes."""
    info, notes = write_all(source, target)
    table, loss = compare_files(info, target, exact=True), largest_loss(source, target)
    row = {name: cell(table, pattern) for name, pattern in CHECKED.items()}
    coarser = any(word in note for note in notes for word in ("chroma", "YUV", "transparency"))
    row |= {"chroma": "converted" if coarser else "held", "pixels": f"{loss:.1f}", "notes": "; ".join(notes)}
    assert table["ok"].tolist() == compare_files(info, target)["ok"].tolist(), "packets tell another story than frames"
    return row, table, loss, notes


def cell(table: pd.DataFrame, pattern: str) -> str:
    rows = table[table["check"].str.fullmatch(rf"({pattern}).*")]
    if rows.empty:
        return "-"
    if not rows["ok"].all():
        return "BROKEN"
    kept = [note in KEPT or note.endswith("of the source do not decode") for note in rows["note"]]
    return "held" if all(kept) else "converted"


@pytest.mark.parametrize("case", CASES)
def test_redacted_copy_holds_the_contract(tmp_path: Path, case: str, matrix: dict[str, dict[str, str]]) -> None:
    extension, clip = CASES[case]
    source, target = make(tmp_path / f"a.{extension}", clip), tmp_path / "b.mp4"
    matrix[case], table, loss, notes = fill_row(source, target)
    words = CONVERTED.get(case)
    assert table["ok"].all(), table[~table["ok"]].to_string()
    assert loss < LOSSY.get(case, 5)
    assert bool(notes) == (words is not None), notes
    assert words is None or any(words in note for note in notes)
    assert "converted" not in matrix[case].values() or notes
    assert probe(target).frame_count == len(clip.ticks) or case in ("negative start, edit list", "avi mpeg4")


@pytest.mark.parametrize("name", REAL)
def test_real_file_holds_the_contract(
    shared_media: Path, tmp_path: Path, name: str, matrix: dict[str, dict[str, str]]
) -> None:
    row, table, loss, notes = fill_row(shared_media / "edge" / name, tmp_path / "b.mp4")
    matrix[f"real {name}"] = row
    assert table["ok"].all(), table[~table["ok"]].to_string()
    assert loss < 5
    assert "converted" not in row.values() or notes


def _start_of_a_stream(path: Path) -> None:
    path.write_bytes(make(path.with_name("whole.ts"), Clip(frames=1)).read_bytes()[: 188 * 2])


def _sound_alone(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate, frame.pts = 48_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no frame": ("ts", _start_of_a_stream, "no frame|no video|could not"),
    "no bytes": ("mp4", lambda path: path.touch(), "is empty"),
    "no video stream": ("mp4", _sound_alone, "has no video stream, only sound"),
    "text": ("mp4", lambda path: path.write_text("no video"), "could not open it as a video"),
    "folder": ("mp4", lambda path: path.mkdir(), "is a folder"),
    "absent": ("mp4", lambda path: None, "does not exist"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_kept_is_refused_by_name(tmp_path: Path, case: str, matrix: dict[str, dict[str, str]]) -> None:
    extension, prepare, message = REFUSED[case]
    source = tmp_path / f"b.{extension}"
    prepare(source)
    with pytest.raises(VideoError, match=message) as refused:
        write_all(source, tmp_path / "out.mp4")
    assert source.name in str(refused.value)
    assert not (tmp_path / "out.mp4").exists()
    matrix[case] = dict.fromkeys(COLUMNS, "refused") | {"notes": str(refused.value).replace(str(tmp_path), "")}


def test_subtitles_and_chapters_are_left_out_and_reported(tmp_path: Path, matrix: dict[str, dict[str, str]]) -> None:
    source = with_subtitles(tmp_path / "a.mkv")
    row, table, _, notes = fill_row(source, tmp_path / "b.mp4")
    matrix["subtitles and chapters"] = row
    assert table["ok"].all(), table[~table["ok"]].to_string()
    assert notes == ["1 subtitle stream(s) left out", "1 chapter mark(s) left out"]
