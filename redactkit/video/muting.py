"""Silence time ranges of the sound, and find sound that is left in them.

An AAC packet covers 2,048 samples and shares half of them with each neighbour (MDCT overlap, ISO/IEC 14496-3,
4.6.11). Quantization spreads sound over the whole packet as noise, so a range is silent only if every packet that
overlaps it is silent.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from redactkit.media import VideoInfo
from redactkit.runtime.timecode import Ranges
from redactkit.video.opening import av_errors, opened
from redactkit.video.timing import as_fraction

__all__ = ["AAC_BLOCK_SAMPLES", "Muting", "first_sound", "span_of"]

AAC_BLOCK_SAMPLES = 1024
"""Samples from one AAC packet to the next (the hop size)."""

_RESAMPLER_SPREAD_SAMPLES = 32  # length of the resampler's filter: so far one sample spreads
_SILENCE_AMPLITUDE = 2.0**-16
_CONTAINER_TICKS_PER_SECOND = 1_000_000  # ticks a second of a container's own times


class Muting:
    """Silences one audio stream, between decoder and encoder.

    Parameters
    ----------
    ranges : sequence of (float, float)
        Start and end in seconds of the stream's clock, as of `redactkit.runtime.timecode.check_ranges`. A range
        from 0 on takes what sounds before 0 with it.
    tick : float
        Seconds of the stream's time base, to which its times are exact.
    start : float
        Time of the stream's first sample, for streams that do not say.
    """

    def __init__(self, ranges: Ranges, *, tick: float = 0.0, start: float = 0.0) -> None:
        self._ranges = [(first if first > 0 else -np.inf, last) for first, last in ranges]
        self._tick = tick
        self._decoded = self._encoded = start

    def silence(self, frame: av.AudioFrame) -> None:
        """Silence the samples of a decoded frame that are in a range, in place."""
        start, self._decoded = _times(frame, self._decoded)
        beyond = self._tick + _RESAMPLER_SPREAD_SAMPLES / frame.sample_rate
        for first, last in self._ranges:
            edges = np.array([first - beyond - start, last + beyond - start]) * frame.sample_rate
            begin, end = np.clip([np.floor(edges[0]), np.ceil(edges[1])], 0, frame.samples).astype(int)
            for samples in _samples(frame):
                samples[begin:end] = _zero(frame)

    def silence_block(self, frame: av.AudioFrame) -> None:
        """Silence a whole encoder block if it, or a neighbour that shares its AAC packets, is in a range."""
        start, self._encoded = _times(frame, self._encoded)
        beyond = AAC_BLOCK_SAMPLES / frame.sample_rate
        if any(first - beyond < self._encoded and last + beyond > start for first, last in self._ranges):
            for samples in _samples(frame):
                samples[:] = _zero(frame)


def _times(frame: av.AudioFrame, otherwise: float) -> tuple[float, float]:
    """Return start and end of a frame in seconds; it starts where the one before ended if it does not say."""
    base = as_fraction(frame.time_base)
    start = otherwise if frame.pts is None or base is None else float(frame.pts * base)
    return start, start + frame.samples / frame.sample_rate


def _samples(frame: av.AudioFrame) -> Iterator[NDArray[np.uint8]]:
    """Yield the bytes of each plane to write on, shape (samples, bytes a sample)."""
    width = frame.format.bytes * (1 if frame.format.is_planar else frame.layout.nb_channels)
    for plane in frame.planes:
        yield np.frombuffer(memoryview(plane), np.uint8)[: frame.samples * width].reshape(-1, width)


def _zero(frame: av.AudioFrame) -> int:
    """Return the byte of silence: unsigned samples have theirs in the middle."""
    return 128 if frame.format.name.startswith("u8") else 0


def span_of(info: VideoInfo) -> tuple[float, float]:
    """Return where the first stream of a video starts and the longest ends, in seconds on its own clock."""
    end = float(info.times[-1] + 1 / info.frame_rate) if info.frame_count else 0.0
    if info.path is not None and info.audio:
        with av_errors(info.path, "read how long it is"), opened(info.path) as container:
            if container.duration is not None:
                end = max(end, ((container.start_time or 0) + container.duration) / _CONTAINER_TICKS_PER_SECOND)
    return info.clock_start, end


def first_sound(path: Path, ranges: Ranges) -> list[float | None]:
    """Decode every audio stream of a file, and return when each first sounds in a range; None if it does not.

    Parameters
    ----------
    path : Path
    ranges : sequence of (float, float)
        Start and end in seconds on the file's clock.
    """
    with av_errors(path, "decode its audio"), opened(path) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        heard: dict[int, float | None] = {stream.index: None for stream in streams}
        for packet in container.demux(streams) if streams else ():
            index = packet.stream.index  # a packet that ends a stream has no index of its own
            if heard[index] is None:
                heard[index] = _sound_in(packet.decode(), ranges)
    return list(heard.values())


def _sound_in(frames: list[Any], ranges: Ranges) -> float | None:
    for frame in frames:
        start, end = _times(frame, 0.0)
        if not any(first < end and last > start for first, last in ranges):
            continue
        samples = frame.to_ndarray()
        channels = samples if frame.format.is_planar else samples.reshape(frame.samples, -1).T
        times = start + np.arange(frame.samples) / frame.sample_rate
        inside = np.any([(times >= first) & (times < last) for first, last in ranges], axis=0)
        loud = np.flatnonzero(inside & (np.abs(channels) > _SILENCE_AMPLITUDE).any(axis=0))
        if len(loud):
            return float(times[loud[0]])
    return None
