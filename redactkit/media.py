"""What is known of a video before a pixel is decoded: a frozen record, with no codec library behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from redactkit.runtime.html import show, show_facts
from redactkit.runtime.timecode import timecode

__all__ = ["AudioInfo", "ColorTags", "FrameRange", "VideoInfo", "file_sha256", "frames_in_ranges"]


class FrameRange(NamedTuple):
    """A stretch of frames, half open: ``start`` is its first frame, ``stop`` the one after its last.

    Examples
    --------
    >>> first, second = FrameRange(0, 25), FrameRange(20, 40)
    >>> first.length, first.holds(25), first.overlap(second)
    (25, False, FrameRange(start=20, stop=25))
    """

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many frames there are."""
        return self.stop - self.start

    def holds(self, frame: int) -> bool:
        """Return whether a frame is one of them."""
        return self.start <= frame < self.stop

    def overlap(self, other: FrameRange) -> FrameRange:
        """Return the frames that are in both; its ``length`` is 0 or less where there are none."""
        return FrameRange(max(self.start, other.start), min(self.stop, other.stop))


@dataclass(frozen=True)
class ColorTags:
    """Colour description of a stream, as the numbers of ITU-T H.273 (2 is "unspecified").

    ``range`` is FFmpeg's: 0 unspecified, 1 limited ("tv"), 2 full ("pc").
    """

    range: int = 0
    space: int = 2
    primaries: int = 2
    transfer: int = 2


@dataclass(frozen=True)
class AudioInfo:
    """One audio stream of a video file. ``start`` is in seconds, None where the file does not say.

    ``encryption`` says how it is encrypted, empty where it is not.
    """

    index: int
    codec: str
    sample_rate: int
    channels: int
    start: Fraction | None = None
    encryption: str = ""


def _read_only(pts: NDArray[np.int64]) -> NDArray[np.int64]:
    copy = np.array(pts, dtype=np.int64)
    copy.flags.writeable = False
    return copy


@dataclass(frozen=True, eq=False, repr=False)
class VideoInfo:
    """A video's header: size, time and streams.

    Parameters
    ----------
    path : Path or None
        The file; None when the header came from an annotation file alone.
    width, height : int
        Size of the frame as displayed, that is after ``rotation``, in pixels of the stream
        (non-square pixels are not stretched).
    rotation : int
        Degrees clockwise, 0, 90, 180 or 270, by which a player turns the coded frame.
    mirrored : bool
        Whether the coded frame is also flipped left to right, before it is turned.
    frame_rate : Fraction
        Average frames per second.
    time_base : Fraction
        Seconds per tick of ``pts``.
    pts : ndarray of shape (F,), int64
        Presentation timestamp of every frame in presentation order, in ticks.
    keyframes : ndarray of shape (K,), int64
        Frame numbers at which decoding can start.
    digest : str or None
        SHA-256 of the file where it is known without reading it.
    name : str
        Of the file, also where only an annotation file tells of it; by default that of ``path``.
    part : FrameRange, optional
        Which frames of the file this header is about, see `of_part`; by default all.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_path
    >>> from redactkit.video import probe
    >>> video = probe(sample_path())
    >>> video.width, video.height, float(video.frame_rate), video.frame_count
    (1280, 720, 25.0, 500)
    """

    path: Path | None
    width: int
    height: int
    frame_rate: Fraction
    time_base: Fraction
    pts: NDArray[np.int64]
    rotation: int = 0
    mirrored: bool = False
    codec: str = ""
    pixel_format: str = ""
    bit_depth: int = 8
    sample_aspect_ratio: Fraction = Fraction(1)
    color: ColorTags = ColorTags()
    audio: tuple[AudioInfo, ...] = ()
    container: str = ""
    keyframes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    digest: str | None = None
    name: str = ""
    part: FrameRange | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pts", _read_only(self.pts))
        object.__setattr__(self, "keyframes", _read_only(self.keyframes))
        if not self.name and self.path is not None:
            object.__setattr__(self, "name", self.path.name)

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return len(self.pts)

    def of_part(self, frames: FrameRange) -> VideoInfo:
        """Return the header of a stretch of the frames alone; timestamps stay, numbers start at 0.

        A reader with it gives these frames only, and a writer an output that starts at 0.
        """
        inside = (self.keyframes >= frames.start) & (self.keyframes < frames.stop)
        return replace(
            self,
            pts=self.pts[frames.start : frames.stop],
            keyframes=self.keyframes[inside] - frames.start,
            digest=self.sha256,
            part=frames,
        )

    @property
    def clock_start(self) -> float:
        """Seconds at which the first frame or sound is, which a player shows at 0."""
        starts = [float(each.start) for each in self.audio if each.start is not None]
        return min([float(self.pts[0] * self.time_base), *starts]) if self.frame_count else 0.0

    @property
    def part_times(self) -> tuple[Fraction, Fraction] | None:
        """Start and end of a part in seconds; None where the header is of the whole file."""
        if self.part is None or not self.frame_count:
            return None
        first, last = (int(tick) * self.time_base for tick in (self.pts[0], self.pts[-1]))
        return first, last + 1 / self.frame_rate

    @property
    def coded_width(self) -> int:
        """Width of the frame as stored, before rotation."""
        return self.height if self.rotation % 180 else self.width

    @property
    def coded_height(self) -> int:
        """Height of the frame as stored, before rotation."""
        return self.width if self.rotation % 180 else self.height

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Time of every frame in seconds, ``pts * time_base``, shape (F,)."""
        ticks = self.pts.astype(np.float64)
        return ticks * self.time_base.numerator / self.time_base.denominator

    @property
    def duration(self) -> float:
        """Seconds from the first frame's start to the last one's end (taken to last one average frame)."""
        if not self.frame_count:
            return 0.0
        return float(self.times[-1] - self.times[0]) + float(1 / self.frame_rate)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file in hex, read when first asked for; empty where there is no file."""
        if self.digest is not None:
            return self.digest
        return file_sha256(self.path) if self.path is not None else ""

    def __repr__(self) -> str:
        facts = _facts(self)
        frames = f"{facts['frames']} frames at {facts['per second']} per second"
        parts = [self.name or "no file", facts["size"], frames, facts["video"], facts["audio"]]
        return f"<VideoInfo: {', '.join(str(part) for part in parts if part)}>"

    def _repr_html_(self) -> str:
        return show(f"VideoInfo: {self.name or 'no file'}", show_facts(_facts(self)))


def _facts(video: VideoInfo) -> dict[str, object]:
    """Return what one wants to know of a video at a glance, None and empty for what is not known."""
    sound = ", ".join(f"{one.codec} {one.sample_rate} Hz" for one in video.audio)
    turned = f"turned {video.rotation}°" if video.rotation else ""
    return {
        "size": f"{video.width}x{video.height}" if video.width else "",
        "frames": video.frame_count,
        "per second": f"{float(video.frame_rate):.6g}",
        "duration": timecode(video.duration),
        "video": " ".join(filter(None, [video.codec, video.pixel_format, turned])),
        "audio": sound,
        "keyframes": len(video.keyframes) or "",
    }


def frames_in_ranges(video: VideoInfo, ranges: Iterable[Iterable[float]], *, whole: bool = False) -> NDArray[np.bool_]:
    """Return which frames are shown in time ranges, shape (F,).

    Parameters
    ----------
    video : VideoInfo
    ranges : iterable of (float, float)
        Start and end in seconds, as in ``times``.
    whole : bool
        Only frames that are shown in a range for their whole time; by default every frame that a range touches.

    Examples
    --------
    >>> rate = Fraction(10)
    >>> video = VideoInfo(None, 64, 48, rate, 1 / rate, np.arange(5))
    >>> frames_in_ranges(video, [(0.15, 0.3)]).tolist()
    [False, True, True, False, False]
    >>> frames_in_ranges(video, [(0.15, 0.3)], whole=True).tolist()
    [False, False, True, False, False]
    """
    shown = np.zeros(video.frame_count, bool)
    starts = video.times
    ends = np.append(starts[1:], starts[-1:] + float(1 / video.frame_rate))
    least = 1e-6  # a time that was rounded in a text is still that of its frame
    for first, last in ranges:
        if whole:
            shown |= (starts >= first - least) & (ends <= last + least)
        else:
            # Of two frames with one timestamp the first has no time of its own, but it is there.
            shown |= ((ends > first + least) | (starts >= first - least)) & (starts < last - least)
    return shown


def file_sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hex.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_path
    >>> len(file_sha256(sample_path()))
    64
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
