"""Broken, hostile and absurd video files: one clear error or a whole output, never a traceback or a half file."""

from __future__ import annotations

import os
import random
import resource
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from redactkit.errors import RedactkitError
from redactkit.passes import combined
from redactkit.video import VideoReader, VideoWriter, probe
from tests.clips import Clip, damaged
from tests.sample_clips import cut_sample

MEMORY_MB = 1500


def one_face(images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
    """Find a face in the middle of every picture, so that every frame is redacted."""
    return [
        np.array([[shape[1] / 3, shape[0] / 3, shape[1] / 4, shape[0] / 4, 0.9]])
        for shape in (image.shape for image in images)
    ]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 160x90 with sound."""
    return cut_sample(tmp_path_factory.mktemp("tiny") / "tiny.mp4", stop=12, width=160, height=90)


def outcome(clip: Path, folder: Path) -> str:
    """Run both passes; return "whole" or the one-line reason, and check that nothing else is left."""
    folder.mkdir(exist_ok=True)
    target = folder / "out.mp4"
    try:
        report = combined(clip, output=target, detector=one_face, overwrite=True, progress=False)
    except RedactkitError as error:
        assert list(folder.iterdir()) == [], error
        assert str(error)
        return str(error)
    assert report.ok or report.damaged, report.fidelity[~report.fidelity["ok"]]
    with VideoReader(target) as reader:
        assert sum(1 for _ in reader.frames()) == reader.info.frame_count
    for path in folder.iterdir():
        path.unlink()
    return "whole"


def test_the_tiny_clip_itself_passes(tiny: Path, tmp_path: Path) -> None:
    assert outcome(tiny, tmp_path / "out") == "whole"


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 40, b"\0" * 5000, b"ftypisom" * 100])
def test_a_file_that_is_no_video_is_named(content: bytes, tmp_path: Path) -> None:
    clip = tmp_path / "bad.mp4"
    clip.write_bytes(content)
    assert "bad.mp4" in outcome(clip, tmp_path / "out")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "folder.mp4"
    folder.mkdir()
    assert "folder.mp4" in outcome(folder, tmp_path / "out")


def test_sound_without_picture_is_refused(tmp_path: Path) -> None:
    clip = tmp_path / "sound.mp4"
    with av.open(str(clip), "w") as output:
        stream = output.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.planes[0].update(bytes(4096))
        frame.sample_rate, frame.pts = 48000, 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    assert "no video" in outcome(clip, tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tiny: Path, tmp_path: Path) -> None:
    clip = tmp_path / "secret.mp4"
    clip.write_bytes(tiny.read_bytes())
    clip.chmod(0)
    assert "secret.mp4" in outcome(clip, tmp_path / "out")


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("form", ["mp4", "mkv"])
def test_truncated_anywhere_ends_well(tiny: Path, tmp_path: Path, tenth: int, form: str) -> None:
    whole = tiny if form == "mp4" else remuxed(tiny, tmp_path / "whole.mkv")
    data = whole.read_bytes()
    clip = tmp_path / f"cut.{form}"
    clip.write_bytes(data[: len(data) * tenth // 10])
    assert outcome(clip, tmp_path / "out")


def remuxed(clip: Path, path: Path) -> Path:
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return path


@pytest.mark.slow
def test_flipped_bytes_end_well_and_memory_stays_bounded(tiny: Path, tmp_path: Path) -> None:
    chance = random.Random(20)
    data = tiny.read_bytes()
    whole = 0
    for number in range(40):
        broken = bytearray(data)
        for _ in range(chance.choice([1, 4, 30])):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        clip = tmp_path / f"flip{number}.mp4"
        clip.write_bytes(broken)
        whole += outcome(clip, tmp_path / "out") == "whole"
    assert whole > 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < MEMORY_MB


def test_an_absurd_size_is_refused_before_memory_is_taken(tiny: Path, tmp_path: Path) -> None:
    data = tiny.read_bytes()
    place = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
    clip = tmp_path / "huge.mp4"
    clip.write_bytes(data[:place] + b"\xff\xf0\xff\xf0" + data[place + 4 :])
    assert outcome(clip, tmp_path / "out")


def test_an_absurd_rate_and_length_keep_their_times(tmp_path: Path) -> None:
    clip = tmp_path / "slow.mp4"
    with av.open(str(clip), "w", container_options={"video_track_timescale": "90000"}) as output:
        stream = output.add_stream("libx264", rate=90000)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90000)
        for pts in (0, 3, 5, 90000 * 3600 * 5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), pts % 200, np.uint8), format="rgb24")
            frame.pts, frame.time_base = pts, Fraction(1, 90000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    target = tmp_path / "out.mp4"
    combined(clip, output=target, detector=one_face, progress=False)
    assert np.abs(probe(target).times - probe(clip).times).max() <= 0.5 / 90000


def test_a_detector_that_raises_leaves_nothing(tiny: Path, tmp_path: Path) -> None:
    def broken(images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float64]]:
        raise RuntimeError("the model fell over")

    with pytest.raises(RuntimeError, match="fell over"):
        combined(tiny, output=tmp_path / "out.mp4", detector=broken, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_fails_leaves_nothing(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: VideoWriter, *anything: object) -> None:
        raise RuntimeError("no more encoding")

    monkeypatch.setattr(VideoWriter, "write", fail)
    with pytest.raises(RuntimeError, match="no more encoding"):
        combined(tiny, output=tmp_path / "out.mp4", detector=one_face, progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_mostly_concealed_breaks_the_verdict(tmp_path: Path) -> None:
    source = damaged(tmp_path / "a.mp4", Clip(frames=60, width=320, height=240))
    report = combined(source, output=tmp_path / "b.mp4", detector=one_face, progress=False)
    assert report.damaged and not report.ok
    assert "DAMAGED SOURCE" in str(report) and len(report.record["damage"]) > 5
