"""The mp4 that is being written: container options, sound, and interleaving of packets by time."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.media import VideoInfo
from redactkit.runtime.timecode import Ranges
from redactkit.video.aperture import WHOLE, read_aperture, write_aperture
from redactkit.video.opening import METADATA, opened
from redactkit.video.orientation import display_matrix
from redactkit.video.sound import AudioFeed, check_sound
from redactkit.video.timing import movie_timescale, output_time_base

__all__ = ["Mp4File"]

_BITEXACT = 1 << 10  # AVFMT_FLAG_BITEXACT: no name of the program that wrote the file


class Mp4File:
    """An mp4 under a temporary name, open for packets of one video stream.

    Parameters
    ----------
    part : Path
        Where it is written.
    info : VideoInfo
        The source.
    audio : bool
        Whether to carry the source's audio over.
    shift : Fraction
        Seconds by which the audio is moved.
    keep_metadata : bool
        Keep the container's tags.
    mute : sequence of (float, float)
        Start and end in seconds of what is silent, as of `redactkit.runtime.timecode.check_ranges`.
    """

    def __init__(
        self, part: Path, info: VideoInfo, *, audio: bool, shift: Fraction, keep_metadata: bool, mute: Ranges = ()
    ) -> None:
        self._part, self._info, self._shift, self._mute = part, info, shift, mute
        self._audio = audio and bool(info.audio) and info.path is not None
        if self._audio:
            check_sound(info)
        self._sound: AudioFeed | None = None
        self._crop = WHOLE if info.path is None else read_aperture(info.path)
        self.time_base = output_time_base(info)
        scale = self.time_base.denominator
        options = {"movflags": "+faststart", "write_tmcd": "0", "video_track_timescale": str(scale)}
        self.container: OutputContainer = av.open(
            str(part.absolute()), "w", format="mp4", container_options=options, **METADATA
        )
        self.container.flags |= _BITEXACT
        if keep_metadata and info.path is not None:
            with opened(info.path) as source:
                self.container.metadata.update(source.metadata)

    @property
    def notes(self) -> list[str]:
        """What became of the sound."""
        return self._sound.notes if self._sound else []

    def begin(self, video: VideoStream) -> None:
        """Set the video stream's display matrix and the movie timescale, and add the audio streams."""
        info = self._info
        if info.rotation or info.mirrored:
            size = (info.coded_width, info.coded_height)
            video.set_display_matrix(display_matrix(info.rotation, mirrored=info.mirrored, size=size))
        if self._audio and info.path is not None:
            self._sound = AudioFeed(info.path, self.container, shift=self._shift, mute=self._mute, part=info.part_times)
        rates = [self.time_base.denominator, *(self._sound.rates if self._sound else ())]
        self.container.container_options["movie_timescale"] = str(movie_timescale(rates))

    def mux(self, packet: Packet[VideoStream]) -> None:
        """Write a video packet, after the audio packets that are due before it."""
        if self._sound is not None:
            self._sound.pump((packet.dts or 0) * (packet.time_base or self.time_base))
        self.container.mux_one(packet)

    def finish_sound(self) -> None:
        """Write the rest of the audio."""
        if self._sound is not None:
            self._sound.pump(None)

    def close(self) -> None:
        """Finish the file."""
        if self._sound is not None:
            self._sound.close()
        self.container.close()
        if self._crop != WHOLE:
            write_aperture(self._part, self._crop)

    def abandon(self) -> None:
        """Close the file and remove it."""
        if self._sound is not None:
            self._sound.close()
        # Closing finishes the file, which is quick once its name is gone.
        self._part.unlink(missing_ok=True)
        with suppress(av.error.FFmpegError, OSError, ValueError):
            self.container.close()
