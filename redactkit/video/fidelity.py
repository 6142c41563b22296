"""Hold a written video against its source: frames, time, size, orientation, colour and sound."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
import pandas as pd
from av.packet import Packet

from redactkit.clock import Ranges
from redactkit.media import VideoInfo
from redactkit.video.encoding import choose_encoding
from redactkit.video.muting import BLOCK, first_sound
from redactkit.video.opening import av_errors, opened
from redactkit.video.probe import probe
from redactkit.video.sound import COPIED, Playing
from redactkit.video.timing import start_shift

__all__ = ["CHECKS", "compare_files"]

CHECKS: dict[str, Any] = {"check": "object", "expected": "object", "got": "object", "ok": "bool", "note": "object"}
_AUDIO_START = 1e-3


@dataclass(frozen=True)
class _Sound:
    """One audio stream, read through.

    ``start`` is the time of its first packet, ``played`` of the first that is played, which is ``length`` s long;
    ``packets`` says how many there are, and ``digest`` is a hash of all their bytes.
    """

    codec: str
    rate: int
    start: float
    played: float
    length: float
    packets: int
    digest: str


def compare_files(
    source: VideoInfo,
    output: str | Path,
    *,
    audio: Literal["keep", "drop"] = "keep",
    mute: Ranges = (),
    exact: bool = False,
) -> pd.DataFrame:
    """Compare a redacted video with the source it must be true to.

    Parameters
    ----------
    source : VideoInfo
    output : path
    audio : {"keep", "drop"}
    mute : sequence of (float, float)
        What the writer was asked for. Where something was muted, the sound is decoded and listened to.
    exact : bool
        Decode the output to count its frames, rather than read its packets.

    Returns
    -------
    DataFrame
        Columns ``check``, ``expected``, ``got``, ``ok``, ``note``; true to the source if all of ``ok``.

    Raises
    ------
    VideoError
        If ``output`` is no video.
    """
    got = probe(output, exact=exact)
    rows = [*_frame_checks(source, got), *_picture_checks(source, got), *_sound_checks(source, got, audio, mute)]
    return pd.DataFrame(rows, columns=list(CHECKS)).astype(CHECKS)


Row = tuple[str, Any, Any, bool, str]


def _equal(check: str, expected: Any, got: Any, note: str = "") -> Row:
    return check, expected, got, bool(expected == got), note


def _frame_checks(source: VideoInfo, got: VideoInfo) -> Iterator[Row]:
    shift = start_shift(source)
    note = f"moved by {float(shift):+.6f} s" if shift else ""
    half = float(source.time_base) / 2
    yield _equal("frames", source.frame_count, got.frame_count)
    worst = _worst_error(source, got, shift)
    yield "timestamps", f"within {half:.9f} s", f"{worst:.9f} s", worst <= half, note
    apart = abs(source.duration - got.duration)
    yield "duration", source.duration, got.duration, apart <= half + float(got.time_base) / 2, ""


def _worst_error(source: VideoInfo, got: VideoInfo, shift: Fraction) -> float:
    """Largest difference of a timestamp in seconds, exactly; of any frame to the nearest if not all are there."""
    common = Fraction(1, int(np.lcm.reduce([b.denominator for b in (source.time_base, got.time_base, shift)])))
    per_source, per_got, offset = (int(b / common) for b in (source.time_base, got.time_base, shift))
    expected = [ticks * per_source + offset for ticks in source.pts.tolist()]
    have = [ticks * per_got for ticks in got.pts.tolist()]
    if len(expected) == len(have):
        return float(max((abs(a - b) for a, b in zip(expected, have, strict=True)), default=0) * common)
    return float(max((_nearest(expected, ticks) for ticks in have), default=0) * common)


def _nearest(rising: list[int], value: int) -> int:
    at = bisect_left(rising, value)
    return min(abs(other - value) for other in rising[max(at - 1, 0) : at + 1])


def _picture_checks(source: VideoInfo, got: VideoInfo) -> Iterator[Row]:
    encoding = choose_encoding(source)
    color, have = encoding.color, got.color
    yield _equal("size", f"{source.width}x{source.height}", f"{got.width}x{got.height}")
    yield _equal("rotation", source.rotation, got.rotation)
    yield _equal("mirrored", source.mirrored, got.mirrored)
    yield _equal("aspect", str(source.sample_aspect_ratio), str(got.sample_aspect_ratio))
    yield _equal("bit depth", min(source.bit_depth, 10), got.bit_depth, "stored as 10" if source.bit_depth > 10 else "")
    # A YUV stream that does not say is of limited range.
    yield _equal("colour range", color.range or 1, have.range or 1)
    for name in ("space", "primaries", "transfer"):
        yield _equal(f"colour {name}", getattr(color, name), getattr(have, name))


def _sound_checks(source: VideoInfo, got: VideoInfo, audio: str, mute: Ranges) -> Iterator[Row]:
    if source.path is None or got.path is None:
        return
    before = [sound for sound in _sounds(source.path) if sound.packets] if audio == "keep" else []
    after = _sounds(got.path)
    yield _equal("audio tracks", len(before), len(after))
    shift = float(start_shift(source))
    for number, (old, new) in enumerate(zip(before, after, strict=False), 1):
        if old.codec in COPIED and not mute:
            apart = abs(old.start + shift - new.start)
            yield f"audio {number} start", old.start + shift, new.start, apart <= _AUDIO_START, ""
            yield _equal(f"audio {number} packets", old.packets, new.packets)
            yield _equal(f"audio {number} bytes", old.digest, new.digest, "copied")
        else:
            # Players leave out the block that an encoder puts before the sound, and the start of a packet.
            apart = abs(old.played + shift - new.played)
            within = _AUDIO_START + max(BLOCK / new.rate, old.length)
            yield f"audio {number} start", old.played + shift, new.played, apart <= within, ""
            yield _equal(f"audio {number} codec", "aac", new.codec, f"transcoded from {old.codec}")
    if mute and after:
        yield from _silence_checks(got.path, tuple((first + shift, last + shift) for first, last in mute))


def _silence_checks(path: Path, mute: Ranges) -> Iterator[Row]:
    expected = f"silent in {len(mute)} range(s)"
    for number, time in enumerate(first_sound(path, mute), 1):
        yield _equal(f"audio {number} muted", expected, expected if time is None else f"sound at {time:.6f} s")


def _sounds(path: Path) -> list[_Sound]:
    """Read every audio stream of a file through."""
    with av_errors(path, "read its audio"), opened(path) as container:
        streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
        sounds = {stream.index: _Reading(stream.codec_context) for stream in streams}
        for packet in container.demux(streams) if streams else ():
            if packet.size:
                sounds[packet.stream_index].add(packet)
    return [reading.result() for reading in sounds.values()]


class _Reading:
    """A `_Sound` being made."""

    def __init__(self, context: av.AudioCodecContext) -> None:
        self._codec, self._rate = context.codec.canonical_name, context.sample_rate
        self._packets, self._start, self._played, self._length = 0, 0.0, 0.0, 0.0
        self._hash = hashlib.sha256()
        self._playing = Playing()

    def add(self, packet: Packet[Any]) -> None:
        kept = self._playing.pass_on(packet)
        if kept and not self._packets:
            self._start, self._played = (float((each.pts or 0) * each.time_base) for each in (kept[0], packet))
            self._length = float((packet.duration or 0) * packet.time_base)
        self._packets += len(kept)
        for each in kept:
            self._hash.update(_payload(bytes(each), self._codec))

    def result(self) -> _Sound:
        times = (self._start, self._played, self._length)
        return _Sound(self._codec, self._rate, *times, self._packets, self._hash.hexdigest())


def _payload(data: bytes, codec: str) -> bytes:
    """Leave off the ADTS header that AAC has in a transport stream and not in mp4 (ISO/IEC 13818-7, 6.2)."""
    if codec != "aac" or data[:1] != b"\xff" or data[1] & 0xF6 != 0xF0:
        return data
    return data[7:] if data[1] & 1 else data[9:]
