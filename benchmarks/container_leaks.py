"""The source, planted in the container of a good redaction, for `benchmarks.leaks`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from benchmarks.planting import Leak, Scene
from redactkit import redact
from redactkit.video import VideoReader, probe

__all__ = ["plant_container"]

HIDDEN_FRAMES = 4
"""Frames of the source that an edit list hides."""


def plant_container(folder: Path, scene: Scene) -> Iterator[Leak]:
    """Plant the source, or a part of it, where players do not look."""
    good = folder / "good.mp4"
    redact(scene.clip, scene.truth, output=good, progress=False)
    source, made = scene.clip.read_bytes(), good.read_bytes()
    files = {
        "bytes after the last box": made + source,
        "bytes in a free box": made + _box(b"free", source),
        "bytes in a box of its own": made + _box(b"uuid", bytes(16) + source),
        "a second box of samples": made + _box(b"mdat", source),
    }
    for number, (name, data) in enumerate(files.items()):
        output = folder / f"container_{number}.mp4"
        output.write_bytes(data)
        yield Leak("container", name, scene, output, scene.truth)
    for name, write in {
        "second video stream": _second_stream,
        "cover picture": _cover,
        "edit list": _edit_list,
    }.items():
        output = folder / f"container_{name.split()[0]}.mp4"
        write(good, scene.clip, output)
        yield Leak("container", name, scene, output, scene.truth)


def _box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def _edit_list(good: Path, source: Path, target: Path) -> None:
    """Write the first frames of the source before the redacted ones, and have an edit list skip them."""
    base, frames = probe(good).time_base, []
    for path, count in ((source, HIDDEN_FRAMES), (good, None)):
        with VideoReader(path) as reader:
            frames += [frame.picture.reformat(format="yuv420p") for frame in reader.frames(0, count)]
    with av.open(str(target), "w") as output:
        options = {"crf": "18", "preset": "veryfast", "threads": "1", "bf": "0"}
        stream = output.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        stream.time_base = base
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 25), 0
            for packet in stream.encode(frame):
                _mux_earlier(output, packet)
        for packet in stream.encode(None):
            _mux_earlier(output, packet)


def _mux_earlier(output: av.container.OutputContainer, packet: av.Packet) -> None:
    """Move a packet so that the hidden frames lie before the start: players begin at 0."""
    ticks = round(HIDDEN_FRAMES / 25 / packet.time_base)
    packet.pts, packet.dts = packet.pts - ticks, packet.dts - ticks
    output.mux(packet)


def _second_stream(good: Path, source: Path, target: Path) -> None:
    with av.open(str(good)) as one, av.open(str(source)) as two, av.open(str(target), "w") as output:
        pairs = [(each, each.streams.video[0]) for each in (one, two)]
        made = [output.add_stream_from_template(stream) for _, stream in pairs]
        for (container, stream), new in zip(pairs, made, strict=True):
            for packet in container.demux(stream):
                if packet.size:
                    packet.stream = new
                    output.mux(packet)


def _cover(good: Path, source: Path, target: Path) -> None:
    with VideoReader(source) as reader:
        picture = reader.frame_at(0).rgb()
    with av.open(str(good)) as one, av.open(str(target), "w") as output:
        stream = one.streams.video[0]
        new = output.add_stream_from_template(stream)
        image = output.add_stream("mjpeg", rate=25)
        image.width, image.height, image.pix_fmt = picture.shape[1], picture.shape[0], "yuvj420p"
        image.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p")
        output.mux(image.encode(frame))
        output.mux(image.encode(None))
        for packet in one.demux(stream):
            if packet.size:
                packet.stream = new
                output.mux(packet)
