"""Small clips made for tests: any codec, container, clock, size, colour and sound, each frame known by its number."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.filter
import numpy as np

BITS = 8


@dataclass(frozen=True)
class Clip:
    """What to make; `make` writes it."""

    frames: int = 12
    width: int = 160
    height: int = 96
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    rate: Fraction = Fraction(25)
    time_base: Fraction | None = None
    pts: Sequence[int] | None = None
    audio: Sequence[str] = ()
    audio_rate: int = 48_000
    audio_start: float = 0.0
    audio_length: float | None = None
    rotation: int = 0
    mirrored: bool = False
    aspect: Fraction = Fraction(1)
    color: tuple[int, int, int, int] = (1, 1, 1, 1)  # range, space, primaries, transfer
    options: dict[str, str] = field(default_factory=dict)
    flags: int = 0
    fields: str = ""  # "tff" or "bff": what every frame says of itself
    metadata: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    format: str | None = None

    def but(self, **changes: Any) -> Clip:
        """Return this clip with something else about it."""
        return replace(self, **changes)

    @property
    def clock(self) -> Fraction:
        return self.time_base or 1 / self.rate

    @property
    def ticks(self) -> list[int]:
        step = 1 / self.rate / self.clock
        return list(self.pts) if self.pts is not None else [round(i * step) for i in range(self.frames)]


def make(path: Path, clip: Clip) -> Path:
    """Write ``clip`` to ``path`` and return it."""
    with (
        _scheduled_as_before(),
        av.open(
            str(path), "w", format=clip.format, options={"strict": "-2"}, container_options=clip.container_options
        ) as container,
    ):
        container.metadata.update(clip.metadata)
        video = _video_stream(container, clip)
        sounds = [_audio_stream(container, codec, clip.audio_rate) for codec in clip.audio]
        for track, stream in enumerate(sounds):
            _write_sound(container, stream, clip, frequency=440 * (track + 1))
        for number, pts in enumerate(clip.ticks):
            container.mux(video.encode(_frame(clip, number, pts)))
        container.mux(video.encode(None))
    return path


def damaged(path: Path, clip: Clip) -> Path:
    """Write ``clip`` with key frames that decode and every other picture damaged from its middle on.

    Which bytes an encoder writes depends on the number of its threads, so damage goes by packet and never by place
    in the file.
    """
    make(path, clip)
    with av.open(str(path)) as container:
        packets = [
            (p.pos, p.size) for p in container.demux(video=0) if p.size and p.pos is not None and not p.is_keyframe
        ]
    data = bytearray(path.read_bytes())
    for start, size in packets:
        for place in range(start + max(size // 2, 8), start + size):
            data[place] ^= 0xFF
    path.write_bytes(data)
    return path


@contextmanager
def _scheduled_as_before() -> Iterator[None]:
    """Take back the real-time priority that SVT-AV1 gives to whoever calls it as root.

    It would pass to every process started later, and threads that wait for each other at that priority
    wait for ever.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _video_stream(container: Any, clip: Clip) -> Any:
    stream = container.add_stream(clip.codec, rate=clip.rate, options=dict(clip.options))
    stream.width, stream.height, stream.pix_fmt = clip.width, clip.height, clip.pixel_format
    stream.time_base = clip.clock
    context = stream.codec_context
    context.time_base = clip.clock
    context.sample_aspect_ratio = clip.aspect
    context.color_range, context.colorspace, context.color_primaries, context.color_trc = clip.color
    context.flags |= clip.flags
    if clip.rotation or clip.mirrored:
        _turn(stream, clip)
    return stream


def _turn(stream: Any, clip: Clip) -> None:
    """A display matrix written out from its definition: x' = a x + c y, y' = b x + d y."""
    turn = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[clip.rotation]
    a, b, c, d = (v * 65536 for v in turn)
    if clip.mirrored:
        a, b = -a, -b
    stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])


def _frame(clip: Clip, number: int, pts: int) -> av.VideoFrame:
    image = picture(number, width=clip.width, height=clip.height)
    kind = {"gray": "gray"}.get(clip.pixel_format, "rgb24")
    array = image[..., 0] if kind == "gray" else image
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=kind)
    full = clip.color[0] == 2 or clip.pixel_format.startswith("yuvj")
    frame = frame.reformat(format=clip.pixel_format, dst_colorspace=1, dst_color_range=2 if full else 1)
    frame.pts, frame.time_base, frame.pict_type = pts, clip.clock, 0
    return _interlaced(frame, clip.fields) if clip.fields else frame


def _interlaced(frame: av.VideoFrame, order: str) -> av.VideoFrame:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add("setfield", order), graph.add("buffersink")).configure()
    graph.push(frame)
    marked = graph.pull()
    marked.pict_type = 0
    return marked


def picture(number: int, *, width: int, height: int) -> np.ndarray:
    """Return frame ``number`` as displayed-size RGB: its number in blocks from the top left, over a moving ramp."""
    x, y = np.arange(width), np.arange(height)[:, None]
    ramp = ((x * 2 + y * 3 + number * 5) % 160 + 40).astype(np.uint8)
    image = np.repeat(ramp[..., None], 3, axis=2)
    side = max(1, min(width // BITS, height // 2))
    for bit in range(BITS):
        block = image[0:side, bit * side : (bit + 1) * side]
        block[:] = 220 if number >> bit & 1 else 40
    return image


def number_of(image: np.ndarray) -> int:
    """Read back the frame number from an upright RGB image made by `picture`."""
    height, width = image.shape[:2]
    side = max(1, min(width // BITS, height // 2))
    blocks = (image[0:side, bit * side : (bit + 1) * side].mean() for bit in range(BITS))
    return sum(1 << bit for bit, mean in enumerate(blocks) if mean > 128)


def _audio_stream(container: Any, codec: str, rate: int) -> Any:
    stream = container.add_stream(codec, rate=rate)
    stream.codec_context.layout = "stereo"
    if codec.startswith("wma"):
        stream.codec_context.bit_rate = 128_000  # which these have no default of
    return stream


def _write_sound(container: Any, stream: Any, clip: Clip, *, frequency: float) -> None:
    seconds = clip.audio_length if clip.audio_length is not None else float(clip.ticks[-1] * clip.clock) + 0.04
    rate = stream.codec_context.sample_rate
    chunk, start = 1024, round(clip.audio_start * rate)
    resampler = av.AudioResampler(
        format=stream.codec_context.format, layout="stereo", rate=rate, frame_size=stream.codec_context.frame_size or 0
    )
    for at in range(0, round(seconds * rate), chunk):
        wave = np.sin(np.arange(at, at + chunk) * 2 * np.pi * frequency / rate) * 8000
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]).astype(np.int16).T.reshape(1, -1), "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, at + start, Fraction(1, rate)
        for piece in resampler.resample(frame):
            container.mux(stream.encode(piece))
    for piece in resampler.resample(None):
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))
