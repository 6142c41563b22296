"""Compare the sound with the source's: copied packets byte by byte, transcoded sound by its decoded start and end."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet

from redactkit.media import VideoInfo
from redactkit.runtime.timecode import Ranges
from redactkit.video.fidelity.rows import Row, equal
from redactkit.video.muting import AAC_BLOCK_SAMPLES, first_sound
from redactkit.video.opening import av_errors, opened
from redactkit.video.sound import COPIED_CODECS, Playing, in_part
from redactkit.video.timing import as_fraction, start_shift

__all__ = ["Sound", "read_sounds", "sound_checks"]

Part = tuple[Fraction, Fraction] | None

_START_TOLERANCE_SECONDS = 1e-3
_RESAMPLER_SHIFT_SAMPLES = 64  # by which resampling may move the first sample


@dataclass(frozen=True)
class Sound:
    """One audio stream, read to its end.

    ``start`` is the time of its first packet, ``packets`` their number, and ``digest`` a hash of all their bytes.
    ``tick`` is its time base in seconds.
    """

    codec: str
    rate: int
    tick: float
    start: float
    packets: int
    digest: str


@dataclass
class _DecodedSound:
    """Start and end of the decoded sound in seconds; ``first`` is None if nothing decodes."""

    first: float | None = None
    end: float = 0.0

    def add(self, frame: av.AudioFrame) -> None:
        """Add a decoded frame; one without a timestamp follows the last."""
        base = as_fraction(frame.time_base)
        stated = None if frame.pts is None or base is None else float(frame.pts * base)
        start = self.end if stated is None else stated
        self.first = start if self.first is None else self.first
        self.end = start + frame.samples / frame.sample_rate


def sound_checks(source: VideoInfo, output: Path, before: list[Sound], *, mute: Ranges) -> Iterator[Row]:
    """Yield the rows of every audio track; ``before`` are the source's."""
    if source.path is None:
        return
    after = read_sounds(output)
    yield equal("audio tracks", len(before), len(after))
    shift = float(start_shift(source))
    anew = bool(mute) or any(sound.codec not in COPIED_CODECS for sound in before)
    spans = (_decode_sounds(source.path, part=source.part_times), _decode_sounds(output)) if anew else ([], [])
    pairs = list(zip(*spans, strict=False))
    for number, (old, new) in enumerate(zip(before, after, strict=False)):
        if old.codec in COPIED_CODECS and not mute:
            yield from _copied(number + 1, old, new, shift)
        else:
            before_times, after_times = pairs[number]
            if source.part is not None and before_times.first is not None:
                # Sound of a part that begins before its first frame is cut off at 0 by players.
                before_times.first = max(before_times.first, -shift)
            yield from _transcoded(number + 1, old, new, before_times, after_times, shift)
    if mute and after:
        yield from _silence_checks(output, tuple((first + shift, last + shift) for first, last in mute))


def _copied(number: int, old: Sound, new: Sound, shift: float) -> Iterator[Row]:
    apart = abs(old.start + shift - new.start)
    yield f"audio {number} start", old.start + shift, new.start, apart <= _START_TOLERANCE_SECONDS, ""
    yield equal(f"audio {number} packets", old.packets, new.packets)
    yield equal(f"audio {number} bytes", old.digest, new.digest, "copied")


def _transcoded(
    number: int, old: Sound, new: Sound, before: _DecodedSound, after: _DecodedSound, shift: float
) -> Iterator[Row]:
    """Compare decoded start and end: packets of either codec may hold priming that a decoder drops."""
    expected = None if before.first is None else before.first + shift
    within = _START_TOLERANCE_SECONDS + 2 * old.tick + _RESAMPLER_SHIFT_SAMPLES / new.rate
    # Sound that starts after 0 keeps the encoder's priming block before it, which decodes to silence.
    early = (0.0, AAC_BLOCK_SAMPLES / new.rate)
    gap = math.inf if expected is None or after.first is None else expected - after.first
    near = expected is after.first or any(abs(gap - block) <= within for block in early)
    yield f"audio {number} start", expected, after.first, near, "first decoded sample"
    # The last AAC block is padded with silence.
    late = after.end - (before.end + shift)
    yield (
        f"audio {number} end",
        before.end + shift,
        after.end,
        -within <= late <= within + AAC_BLOCK_SAMPLES / new.rate,
        "",
    )
    yield equal(f"audio {number} codec", "aac", new.codec, f"transcoded from {old.codec}")


def _silence_checks(path: Path, mute: Ranges) -> Iterator[Row]:
    expected = f"silent in {len(mute)} range(s)"
    for number, time in enumerate(first_sound(path, mute), 1):
        yield equal(f"audio {number} muted", expected, expected if time is None else f"sound at {time:.6f} s")


def _streams(container: InputContainer) -> list[AudioStream]:
    """Return the audio streams with a known codec; the others are left out of an output, with a note."""
    streams = [each for each in container.streams.audio if each.codec_context is not None]
    return [each for each in streams if each.codec_context.sample_rate]


def read_sounds(path: Path, *, part: Part = None) -> list[Sound]:
    """Read every audio stream of a file; one without packets is left out, as in an output."""
    with av_errors(path, "read its audio"), opened(path) as container:
        readings = {stream.index: _SoundReader(stream) for stream in _streams(container)}
        for packet in container.demux(_streams(container)) if readings else ():
            if packet.size and in_part(packet, part):
                readings[packet.stream_index].add(packet)
    return [reading.result() for reading in readings.values() if reading.packets]


def _decode_sounds(path: Path, *, part: Part = None) -> list[_DecodedSound]:
    """Decode every audio stream of a file that has a packet."""
    with av_errors(path, "decode its audio"), opened(path) as container:
        streams = _streams(container)
        heard = {stream.index: _DecodedSound() for stream in streams}
        held: set[int] = set()
        for packet in container.demux(streams) if streams else ():
            index = packet.stream.index  # a packet that ends a stream has no index of its own
            if packet.size and not in_part(packet, part):
                continue
            if packet.size:
                held.add(index)
            try:
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                continue
            for frame in frames:
                if isinstance(frame, av.AudioFrame):
                    heard[index].add(frame)
    return [sound for index, sound in heard.items() if index in held]


@dataclass
class _SoundReader:
    """Builds a `Sound` from packets."""

    stream: AudioStream
    packets: int = 0
    start: float = 0.0
    digest: Any = field(default_factory=hashlib.sha256)
    playing: Playing = field(default_factory=Playing)

    def __post_init__(self) -> None:
        context = self.stream.codec_context
        self.codec, self.rate = context.codec.canonical_name, context.sample_rate
        self.tick = float(as_fraction(self.stream.time_base) or Fraction(1, self.rate))

    def add(self, packet: Packet[Any]) -> None:
        kept = self.playing.pass_on(packet)
        if kept and not self.packets:
            self.start = float((kept[0].pts or 0) * (as_fraction(kept[0].time_base) or 0))
        self.packets += len(kept)
        for each in kept:
            self.digest.update(_payload(bytes(each), self.codec))

    def result(self) -> Sound:
        return Sound(self.codec, self.rate, self.tick, self.start, self.packets, self.digest.hexdigest())


def _payload(data: bytes, codec: str) -> bytes:
    """Remove the ADTS header that AAC has in a transport stream but not in mp4 (ISO/IEC 13818-7, 6.2)."""
    if codec != "aac" or data[:1] != b"\xff" or data[1] & 0xF6 != 0xF0:
        return data
    return data[7:] if data[1] & 1 else data[9:]
