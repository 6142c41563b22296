"""Segments: frame ranges that are encoded in parallel, each with an encoder of its own.

Every segment starts with a keyframe. `SegmentOrder` muxes the packets in the order of the file, whichever encoder
is done first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, starmap
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.packet import Packet

from redactkit.effects import HOLD_FRAMES
from redactkit.errors import VideoError
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.memory import trim_heap
from redactkit.video.encoding import Encoding
from redactkit.video.fields import FieldMark
from redactkit.video.mp4file import Mp4File
from redactkit.video.pictures import Pictures

__all__ = ["Segment", "SegmentOrder", "Track", "split_segments"]

MAX_SEGMENT_FRAMES = 125
"""Most frames of a segment. Higher makes fewer keyframes and so smaller files, but slower seeking and more memory,
since packets wait until the segments before them are whole."""

MIN_SEGMENT_FRAMES = 24
"""Least frames of a segment, where the run is that long. Lower keeps more cores busy in short runs, at the cost of
more keyframes."""


def split_segments(runs: Sequence[FrameRange]) -> list[FrameRange]:
    """Divide runs of frames into an even number of segments of about the same length.

    The division depends on the runs alone, never on the number of cores, so the output's bytes do not either.
    Inside a run, segments start at multiples of `HOLD_FRAMES`, where effects hold nothing from earlier frames.

    Examples
    --------
    >>> [tuple(segment) for segment in split_segments([FrameRange(0, 250)])]
    [(0, 128), (128, 250)]
    >>> [tuple(segment) for segment in split_segments([FrameRange(10, 50), FrameRange(90, 120)])]
    [(10, 32), (32, 50), (90, 120)]
    """
    total = sum(run.length for run in runs)
    # Pairs, so that two workers end at about the same time.
    pairs = max(1, -(-total // (2 * MAX_SEGMENT_FRAMES)))
    length = max(MIN_SEGMENT_FRAMES, -(-total // (2 * pairs)))
    return [segment for run in runs for segment in _split(run, count=-(-run.length // length))]


def _split(run: FrameRange, *, count: int) -> Iterator[FrameRange]:
    even = np.linspace(run.start, run.stop, count + 1)[1:-1]
    inner = [
        border
        for border in (np.rint(even / HOLD_FRAMES) * HOLD_FRAMES).astype(int).tolist()
        if run.start < border < run.stop
    ]
    yield from starmap(FrameRange, pairwise([run.start, *inner, run.stop]))


class Track(Protocol):
    """The video stream that segments are written to."""

    def new_encoder(self, *, last: bool) -> av.VideoCodecContext:
        """Return an encoder for a segment."""
        ...

    def before(self, frame: int) -> Iterable[Packet[Any]]:
        """Yield the packets that come before those of the segment that starts with ``frame``."""
        ...

    def encoded(self, packet: Packet[Any]) -> Packet[Any]:
        """Return a segment's next packet as it is written."""
        ...


class Segment:
    """One segment: converts and encodes its frames in order. For one thread at a time."""

    def __init__(self, frames: FrameRange, info: VideoInfo, encoding: Encoding, *, path: Path, last: bool) -> None:
        self.frames = frames
        self._info, self._path, self._is_last = info, path, last
        self._pictures = Pictures(info, encoding)
        self._fields = FieldMark(encoding.fields) if encoding.fields else None
        self._encoder: av.VideoCodecContext | None = None
        self._spare: av.VideoFrame | None = None
        self._last: int | None = None
        self._whole = False

    @property
    def begun(self) -> bool:
        """Whether a frame has come."""
        return self._last is not None

    def prepare(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return a writable copy of ``picture``; it reuses the memory of the copy before it."""
        self._spare = self._pictures.prepare(picture, into=self._spare)
        return self._spare

    def encode(self, picture: av.VideoFrame, pts: int, *, track: Track, tick: int, length: int) -> list[Packet[Any]]:
        """Encode one frame and return the packets that are ready.

        Parameters
        ----------
        picture : av.VideoFrame
        pts : int
            In ticks of the source; ``tick`` is the same as it is written, ``length`` the time to the next frame.
        """
        self._check(picture, pts)
        self._last = pts
        frame = self._pictures.convert(picture)
        frame = frame if self._fields is None else self._fields.marked(frame)
        frame.time_base = self._info.time_base
        frame.pts, frame.duration, frame.pict_type = tick, length or picture.duration, 0
        self._encoder = self._encoder or track.new_encoder(last=self._is_last)
        return list(self._encoder.encode(frame))

    def finish(self) -> list[Packet[Any]]:
        """Flush the encoder, return its last packets, and free it: encoders take much memory."""
        encoder, self._encoder, self._spare, self._whole = self._encoder, None, None, True
        packets = list(encoder.encode(None)) if encoder is not None else []
        del encoder
        trim_heap()
        return packets

    def _check(self, picture: av.VideoFrame, pts: int) -> None:
        info = self._info
        if (picture.width, picture.height) != (info.coded_width, info.coded_height):
            raise VideoError(
                f"frame at pts {pts} is {picture.width}x{picture.height} pixels as stored,"
                f" expected {info.coded_width}x{info.coded_height} ({self._path})"
            )
        if self._last is not None and pts <= self._last:
            raise VideoError(f"frame at pts {pts} does not come after pts {self._last} ({self._path})")
        if self._whole:
            raise VideoError(f"frame at pts {pts} comes after the last one of its segment ({self._path})")


class SegmentOrder:
    """Muxes the packets of segments in file order, whichever segment is encoded first; thread safe."""

    def __init__(self, file: Mp4File, track: Track, starts: Sequence[int]) -> None:
        self._file, self._track, self._starts = file, track, starts
        self._waiting: list[list[Packet[Any]]] = [[] for _ in starts]
        self._done: set[int] = set()
        self._head = 0
        self._entered = False
        self._state, self._muxing = threading.Lock(), threading.Lock()

    def put(self, number: int, packets: Iterable[Packet[Any]], *, last: bool = False) -> None:
        """Take the next packets of a segment; they are muxed at once if all segments before it are complete."""
        with self._state:
            self._waiting[number] += packets
            if last:
                self._done.add(number)
        # Packets of later segments wait until the head of the file has come to them.
        if number == self._head:
            self._write()

    def _write(self) -> None:
        with self._muxing:
            while self._head < len(self._starts):
                with self._state:
                    packets, self._waiting[self._head] = self._waiting[self._head], []
                    whole = self._head in self._done
                # Copied packets between the segment before and this one go first.
                if not self._entered and packets:
                    self._mux(self._track.before(self._starts[self._head]))
                    self._entered = True
                self._mux(self._track.encoded(packet) for packet in packets)
                if not whole:
                    return
                self._head, self._entered = self._head + 1, False

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        for packet in packets:
            self._file.mux(packet)
