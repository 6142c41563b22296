"""The check of a written file against its source finds what is wrong with it, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from redactkit.errors import VideoError
from redactkit.video import VideoReader, VideoWriter, check_container, compare_files, plane_views, probe
from redactkit.video.aperture import WHOLE, Cropping, read_aperture, write_aperture
from tests.clips import Clip, make

FRAMES = 40


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("source") / "a.mp4", Clip(frames=FRAMES, audio=["aac"]))


@pytest.fixture(scope="module")
def redacted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(source, tmp_path_factory.mktemp("redacted") / "b.mp4")


def written(source: Path, target: Path, order: Sequence[int] | None = None) -> Path:
    """Write a video anew; with ``order``, each of its frames shows the picture of another."""
    with VideoReader(source) as reader, VideoWriter(target, reader.info) as writer:
        pictures = [writer.prepare(frame.picture, frame.pts).to_ndarray() for frame in reader.frames()]
        for number, pts in enumerate(reader.info.pts.tolist()):
            picture = av.VideoFrame.from_ndarray(pictures[order[number] if order else number], format="yuv420p")
            writer.write(picture, pts)
    return target


def failed(source: Path, target: Path, **options: Any) -> list[str]:
    table = compare_files(probe(source), target, **options)
    return table.loc[~table["ok"], "check"].tolist()


def wrong_in(path: Path) -> list[str]:
    """Return what the check of a file alone finds."""
    table = check_container(path)
    return table.loc[~table["ok"], "check"].tolist()


def remuxed(
    source: Path, target: Path, *, shift: int = 0, until: float = 100.0, more: Callable[[Any, Any], None] | None = None
) -> Path:
    """Copy the packets of a video, moved by some of its ticks, up to a time; ``more`` adds to the file."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        streams = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        extra = more(after, before) if more is not None else None
        for packet in before.demux():
            if packet.dts is None or float(packet.pts * packet.time_base) >= until:
                continue
            packet.stream = streams[packet.stream_index]
            if packet.stream.type == "video":
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            after.mux(packet)
        if extra is not None:
            extra()
    return target


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def test_a_true_copy_passes_every_check(source: Path, redacted: Path) -> None:
    assert failed(source, redacted) == failed(source, redacted, exact=True) == []
    assert wrong_in(redacted) == []
    table = check_container(redacted).set_index("check")
    assert table.loc["streams", "got"] == "1 audio, 1 video"
    assert not check_container(redacted, sounds=2)["ok"].all()
    with pytest.raises(VideoError, match="does not exist"):
        check_container(redacted.with_name("none.mp4"))


def second_video(after: Any, before: Any) -> Callable[[], None]:
    stream = after.add_stream_from_template(before.streams.video[0])

    def write() -> None:
        with av.open(before.name) as again:
            for packet in again.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    after.mux(packet)

    return write


def cover_image(after: Any, before: Any) -> Callable[[], None]:
    stream = after.add_stream("png", width=64, height=64, pix_fmt="rgb24")
    stream.disposition = Disposition.attached_pic

    def write() -> None:
        after.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))

    return write


@pytest.mark.parametrize("more", [second_video, cover_image])
def test_one_more_stream_of_pictures_is_found(source: Path, redacted: Path, tmp_path: Path, more: Any) -> None:
    target = remuxed(redacted, tmp_path / "b.mp4", more=more)
    assert "streams" in failed(source, target)
    assert "streams" in wrong_in(target)
    assert wrong_in(remuxed(redacted, tmp_path / "plain.mp4")) == []


def test_frames_that_an_edit_list_hides_are_found(source: Path, redacted: Path, tmp_path: Path) -> None:
    ticks = 4 * round(Fraction(1, 25) / probe(redacted).time_base)
    target = remuxed(redacted, tmp_path / "b.mp4", shift=-ticks)
    table = check_container(target).set_index("check")
    assert not table.loc["hidden packets", "ok"] and table.loc["hidden packets", "got"] == 4
    assert {"hidden packets", "frames"} <= set(failed(source, target))


@pytest.mark.parametrize(
    "appended",
    [
        pytest.param(b"a face", id="no box"),
        pytest.param(box(b"free", b"a face"), id="free"),
        pytest.param(box(b"mdat", b"a face"), id="samples of nothing"),
        pytest.param(box(b"uuid", bytes(16) + b"a face"), id="uuid"),
        pytest.param(b"\0\0\1\0moof" + b"a face", id="cut off"),
    ],
)
def test_bytes_after_the_last_box_are_found(source: Path, redacted: Path, tmp_path: Path, appended: bytes) -> None:
    target = tmp_path / "b.mp4"
    target.write_bytes(redacted.read_bytes() + appended)
    assert failed(source, target) == wrong_in(target) == ["loose bytes"]


def test_a_second_index_is_found(redacted: Path, tmp_path: Path) -> None:
    data = redacted.read_bytes()
    start = data.index(b"moov") - 4
    target = tmp_path / "b.mp4"
    target.write_bytes(data + data[start : start + int.from_bytes(data[start : start + 4], "big")])
    assert "loose bytes" in wrong_in(target)


@pytest.mark.parametrize("first", [1, 18, FRAMES - 3])
@pytest.mark.parametrize("late", [1, -1, 2])
def test_pictures_that_come_late_or_early_are_found(source: Path, tmp_path: Path, first: int, late: int) -> None:
    order = [number if number < first else min(max(0, number - late), FRAMES - 1) for number in range(FRAMES)]
    target = written(source, tmp_path / "b.mp4", order)
    assert {"pictures"} <= set(failed(source, target)) <= {"pictures", "colours"}
    got = compare_files(probe(source), target).set_index("check").loc["pictures", "got"]
    assert got.startswith(f"{abs(late)} frame(s) {'late' if late > 0 else 'early'}")


def test_pictures_are_compared_outside_the_boxes(source: Path, tmp_path: Path) -> None:
    target, hidden = tmp_path / "b.mp4", np.array([[80.0, 0.0, 80.0, 96.0]])
    with VideoReader(source) as reader, VideoWriter(target, reader.info) as writer:
        for frame in reader.frames():
            picture = writer.prepare(frame.picture, frame.pts)
            plane_views(picture)[0][:, 80:] = 16
            writer.write(picture, frame.pts)
    assert failed(source, target, hidden=lambda number: hidden) == []
    assert failed(source, target, hidden=lambda number: np.zeros((0, 4))) == ["colours"]


def test_a_lost_tail_is_found(source: Path, redacted: Path, tmp_path: Path) -> None:
    target = remuxed(redacted, tmp_path / "b.mp4", until=(FRAMES - 3) / 25)
    assert {"frames", "duration", "audio 1 packets"} <= set(failed(source, target))
    # Whoever counted the source's frames may have lost the same ones.
    info = probe(source)
    blind = replace(info, pts=info.pts[:-3])
    table = compare_files(blind, target).set_index("check")
    assert table.loc["frames", ["expected", "got", "ok"]].tolist() == [FRAMES, FRAMES - 3, False]


def test_frames_that_packets_announce_and_that_do_not_decode_are_counted_by_decoding(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", Clip(frames=FRAMES, options={"g": "10", "bf": "0"}))
    with av.open(str(source)) as container:
        place = [packet.pos for packet in container.demux(video=0) if packet.size][25]
    data = bytearray(source.read_bytes())
    data[place + 5 : place + 9] = b"\xff\x00\xff\x13"
    source.write_bytes(data)
    with VideoReader(source) as reader, VideoWriter(tmp_path / "b.mp4", reader.info) as writer:
        came = [frame.index for frame in reader.frames() if writer.write(frame.picture, frame.pts) is None]
        writer.leave_out(sorted(set(range(reader.info.frame_count)) - set(came)))
    row = compare_files(probe(source), tmp_path / "b.mp4").set_index("check").loc["frames"]
    assert row["ok"] and row["expected"] == len(came) < FRAMES
    assert row["note"] == "1 packet(s) of the source do not decode"


def test_a_clean_aperture_is_carried_and_checked(source: Path, tmp_path: Path) -> None:
    shown, crop = tmp_path / "a.mp4", Cropping(8, 4, 6, 2)
    shown.write_bytes(source.read_bytes())
    write_aperture(shown, crop)
    assert read_aperture(shown) == crop
    assert failed(source, shown) == ["shown size"], "nothing else of a file changes"
    target = written(shown, tmp_path / "b.mp4")
    assert read_aperture(target) == crop and failed(shown, target) == []
    row = compare_files(probe(shown), target).set_index("check").loc["shown size"]
    assert row["got"] == "146x90 from 8,4"
    write_aperture(target, Cropping(8, 4, 30, 2))
    assert read_aperture(target) == Cropping(8, 4, 30, 2)
    assert failed(shown, target) == ["shown size"]
    write_aperture(target, WHOLE)
    assert read_aperture(target) == WHOLE
    assert failed(shown, target) == ["shown size"]


def test_nonsense_is_no_clean_aperture(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    for crop in (Cropping(100, 0, 100, 0), Cropping(-8, 0, 0, 0)):
        target.write_bytes(source.read_bytes())
        write_aperture(target, crop)
        assert read_aperture(target) == WHOLE


def test_the_cropping_of_matroska_is_carried(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mkv", Clip())
    # The unit of the size for display, which is not needed, gives its room to the pixels cut off on the left.
    source.write_bytes(source.read_bytes().replace(b"\x54\xb2\x81\x04", b"\x54\xcc\x81\x08", 1))
    assert read_aperture(source) == Cropping(left=8)
    target = written(source, tmp_path / "b.mp4")
    assert read_aperture(target) == Cropping(left=8) and failed(source, target) == []


def test_transcoded_sound_is_compared_by_what_is_heard(tmp_path: Path) -> None:
    clip = Clip(frames=FRAMES, codec="wmv2", audio=["wmav2"], audio_rate=44_100)
    source = make(tmp_path / "a.wmv", clip)
    target = written(source, tmp_path / "b.mp4")
    assert failed(source, target) == []
    late = make(tmp_path / "late.wmv", clip.but(audio_start=0.06))
    assert {"audio 1 start", "audio 1 end"} <= set(failed(late, target))
    short = make(tmp_path / "short.wmv", clip.but(audio_length=1.2))
    assert failed(short, target) == ["audio 1 end"]
