"""Carry audio over: copy the packets if mp4 takes the codec and nothing is muted, otherwise transcode to AAC."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition

from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.runtime.timecode import Ranges
from redactkit.video.muting import AAC_BLOCK_SAMPLES, Muting
from redactkit.video.opening import open_container
from redactkit.video.timing import as_fraction

__all__ = ["COPIED_CODECS", "PREROLL_SECONDS", "AudioFeed", "Playing", "check_sound", "in_part"]

COPIED_CODECS = frozenset({"aac", "ac3", "alac", "dts", "eac3", "flac", "mp2", "mp3", "opus"})
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_AAC_BITS_PER_CHANNEL = 96_000
PREROLL_SECONDS = Fraction(1, 10)
"""Hidden audio before the first played packet that is kept for the decoder; Opus needs most, 80 ms (RFC 7845, 4.6)."""

_PREROLL_PACKETS = 64


def check_sound(info: VideoInfo) -> None:
    """Refuse encrypted sound: copied without its keys, it is noise.

    Raises
    ------
    VideoError
        If it is.
    """
    sealed = next((audio.encryption for audio in info.audio if audio.encryption), "")
    if sealed:
        raise VideoError(
            f'{info.path}: the sound is encrypted ({sealed}); decrypt it first, or leave it out with audio="drop"'
            " (--audio drop)"
        )


class AudioFeed:
    """Demuxes the audio of a source and muxes it into an output, up to a given time.

    Parameters
    ----------
    path : Path
        The source.
    output : OutputContainer
        Gets one stream for each audio stream of the source, in their order.
    shift : Fraction
        Seconds added to every timestamp.
    mute : sequence of (float, float)
        Start and end, in seconds of the source's clock, of the time ranges silenced in every track.
    part : (Fraction, Fraction), optional
        Start and end in seconds of what is carried over; by default all.

    Attributes
    ----------
    notes : list of str
        What was converted or left out.
    """

    def __init__(
        self,
        path: Path,
        output: OutputContainer,
        *,
        shift: Fraction = Fraction(0),
        mute: Ranges = (),
        part: tuple[Fraction, Fraction] | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._container: InputContainer = open_container(path)
        self._output, self._mute, self._part = output, mute, part
        self._tracks = self._make_tracks(shift)
        self.rates = [track.rate for track in self._tracks.values()]
        self._packets = self._demux()
        self._next: Packet[Any] | None = None

    def _make_tracks(self, shift: Fraction) -> dict[int, _Track]:
        tracks: dict[int, _Track] = {}
        for stream in self._container.streams:
            stream.discard = Discard.all
        for number, stream in enumerate(self._container.streams.audio, 1):
            if stream.codec_context is None or not stream.codec_context.sample_rate:
                self.notes.append(f"audio track {number} left out: its codec is not known")
                continue
            stream.discard = Discard.default
            codec = stream.codec_context.codec.canonical_name
            if codec in COPIED_CODECS and not self._mute:
                tracks[stream.index] = _Copy(stream, self._output, shift)
                continue
            track = tracks[stream.index] = _Transcode(stream, self._output, shift, mute=self._mute)
            why = f"{len(self._mute)} time range(s) of it muted" if self._mute else "which mp4 takes"
            self.notes.append(f"audio track {number} transcoded from {codec} to aac, {why} ({track.settings})")
        return tracks

    def _demux(self) -> Iterator[Packet[Any]]:
        streams = [self._container.streams[index] for index in self._tracks]
        if not streams:
            return
        try:
            for packet in self._container.demux(streams):
                if packet.size and in_part(packet, self._part):
                    yield packet
        except (av.error.FFmpegError, OSError) as err:
            self.notes.append(f"audio ends early, where the source cannot be read any further: {err}")

    def pump(self, until: Fraction | None) -> None:
        """Mux audio up to ``until`` seconds of the output's clock, all of it for None."""
        while True:
            packet = self._next or next(self._packets, None)
            self._next = None
            if packet is None:
                break
            track = self._tracks[packet.stream_index]
            if until is not None and track.time(packet) > until:
                self._next = packet
                return
            self._mux(track, track.feed(packet))
        if until is None:
            for track in self._tracks.values():
                self._mux(track, track.finish())
                if track.broken:
                    self.notes.append(f"{track.broken} audio packet(s) are damaged and were left out")

    def _mux(self, track: _Track, packets: list[Packet[Any]]) -> None:
        for packet in packets:
            try:
                self._output.mux_one(packet)
            except (av.error.InvalidDataError, av.error.PatchWelcomeError):
                track.broken += 1

    def close(self) -> None:
        """Close the source."""
        self._container.close()


def in_part(packet: Packet[Any], part: tuple[Fraction, Fraction] | None) -> bool:
    """Return whether a packet sounds in a part of the file, be it for an instant; always where there is none."""
    if part is None:
        return True
    base = as_fraction(packet.time_base) or Fraction(0)
    start = (packet.pts if packet.pts is not None else packet.dts or 0) * base
    return start < part[1] and start + (packet.duration or 0) * base > part[0]


class _Track:
    """One audio stream on its way from source to output."""

    def __init__(self, source: AudioStream, out: AudioStream, shift: Fraction) -> None:
        self.source, self.out, self.shift = source, out, shift
        self.base = as_fraction(source.time_base) or Fraction(1, source.codec_context.sample_rate)
        self.rate = out.codec_context.sample_rate
        self.broken = 0
        language = source.metadata.get("language")
        if language:
            out.metadata["language"] = language
        out.disposition = source.disposition & Disposition.default

    def time(self, packet: Packet[Any]) -> Fraction:
        """Seconds on the output's clock at which a source packet is due."""
        ticks = packet.dts if packet.dts is not None else packet.pts
        return (0 if ticks is None else ticks) * self.base + self.shift

    def feed(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """Return what to mux for a source packet."""
        raise NotImplementedError

    def finish(self) -> list[Packet[Any]]:
        """Return what is left to mux at the end."""
        return []


class _Copy(_Track):
    """Copies packets; timestamps are made to rise, and a missing duration is the distance to the next packet."""

    def __init__(self, source: AudioStream, output: OutputContainer, shift: Fraction) -> None:
        super().__init__(source, output.add_stream_from_template(source), shift)
        self._playing = Playing()
        self._held: Packet[Any] | None = None
        self._last = 0
        self._length = 1

    def feed(self, packet: Packet[Any]) -> list[Packet[Any]]:
        return [ready for played in self._playing.pass_on(packet) for ready in self._pass(played)]

    def _pass(self, packet: Packet[Any]) -> list[Packet[Any]]:
        dts = packet.dts if packet.dts is not None else packet.pts
        dts = self._last if dts is None else dts + round(self.shift / self.base)
        if self._held is not None:
            dts = max(dts, self._last + 1)
        packet.pts = packet.dts = self._last = dts
        packet.stream = self.out
        ready = self._release(dts)
        self._held = packet
        return ready

    def _release(self, until: int | None) -> list[Packet[Any]]:
        """Return the packet held back, with a duration: players skip packets without one."""
        packet, self._held = self._held, None
        if packet is None or packet.dts is None:
            return []
        if not packet.duration:
            packet.duration = self._length if until is None else until - packet.dts
        self._length = packet.duration
        return [packet]

    def finish(self) -> list[Packet[Any]]:
        return self._release(None)


class Playing:
    """Removes packets that an edit list hides (ISO/IEC 14496-12, 8.6.6), except the decoder's preroll.

    Somebody cut them off; in the output they would still be there for everyone who looks.
    """

    def __init__(self) -> None:
        self._hidden: deque[Packet[Any]] = deque(maxlen=_PREROLL_PACKETS)

    def pass_on(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """Return a played packet with its preroll; a hidden one waits for the next played one."""
        if packet.is_discard:
            self._hidden.append(packet)
            return []
        start = _seconds(packet)
        needed = [hidden for hidden in self._hidden if 0 <= start - _seconds(hidden) <= PREROLL_SECONDS]
        self._hidden.clear()
        return [*needed, packet]


def _seconds(packet: Packet[Any]) -> Fraction:
    return Fraction((packet.pts or 0) * (packet.time_base or 0))


class _Transcode(_Track):
    """Transcodes to AAC; packets that do not decode are left out and counted."""

    def __init__(self, source: AudioStream, output: OutputContainer, shift: Fraction, *, mute: Ranges) -> None:
        context = source.codec_context
        rate = next((r for r in _AAC_RATES if r >= context.sample_rate), 48_000)
        out = output.add_stream("aac", rate=rate)
        out.codec_context.layout = _layout(context.channels, context.layout.name)
        out.codec_context.bit_rate = _AAC_BITS_PER_CHANNEL * out.codec_context.channels
        out.codec_context.time_base = Fraction(1, rate)
        out.time_base = Fraction(1, rate)
        super().__init__(source, out, shift)
        self._resampler = AudioResampler(
            format="fltp", layout=out.codec_context.layout, rate=rate, frame_size=AAC_BLOCK_SAMPLES
        )
        start = (source.start_time or 0) * self.base
        self._muting = Muting(mute, tick=float(self.base), start=float(start)) if mute else None
        self._clock = _SampleClock(self.base, start=start)

    @property
    def settings(self) -> str:
        """Sample rate, layout and bit rate, for the report."""
        context = self.out.codec_context
        said = f"{context.sample_rate} Hz, {context.layout.name}, {(context.bit_rate or 0) // 1000} kbit/s"
        if self._muting is None:
            return said
        return (
            f"{said}; silent up to {1000 * (2 * AAC_BLOCK_SAMPLES - 1) / context.sample_rate:.0f} ms beyond each range"
        )

    def feed(self, packet: Packet[Any] | None) -> list[Packet[Any]]:
        """Return what to mux for a source packet, or, for None, for what the decoder still holds."""
        try:
            frames = self.source.decode(packet)
        except (av.error.FFmpegError, ValueError):
            self.broken += 1
            return []
        for frame in frames:
            if self._muting is not None:
                self._muting.silence(frame)
            self._clock.stamp(frame)
        return [done for frame in frames for done in self._encode(frame)]

    def _encode(self, frame: av.AudioFrame | None) -> list[Packet[Any]]:
        packets = []
        for block in self._resampler.resample(frame):
            if self._muting is not None:
                self._muting.silence_block(block)
            if block.pts is not None:
                block.pts += round(self.shift / (block.time_base or self.base))
            packets += self.out.encode(block)
        return packets

    def finish(self) -> list[Packet[Any]]:
        return [*self.feed(None), *self._encode(None), *self.out.encode(None)]


class _SampleClock:
    """Times decoded frames by counting samples: the millisecond timestamps of some containers are too coarse.

    A frame whose timestamp is more than two ticks from the counted time is a real gap or jump, and keeps it.
    """

    def __init__(self, tick: Fraction, *, start: Fraction) -> None:
        self._tick, self._next = tick, start

    def stamp(self, frame: av.AudioFrame) -> None:
        """Set a frame's time, in samples."""
        tick = Fraction(1, frame.sample_rate)
        base = as_fraction(frame.time_base)
        stated = self._next if frame.pts is None or base is None else frame.pts * base
        if abs(stated - self._next) > 2 * self._tick:
            self._next = stated
        frame.pts, frame.time_base = round(self._next / tick), tick
        self._next += frame.samples * tick


def _layout(channels: int, name: str) -> str:
    """Return the channel layout AAC has for a number of channels, the source's own where it is one of them."""
    known = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
    return name if name in known.values() else known.get(channels, "stereo")
