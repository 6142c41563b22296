"""Pieces of a video that are encoded side by side, each by itself, and their packets in the order of the file."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from av.packet import Packet

from redactkit.effects import HOLD_FRAMES
from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.video.encoding import Encoding
from redactkit.video.fields import FieldMark
from redactkit.video.mp4file import Mp4File
from redactkit.video.pictures import Pictures

__all__ = ["Segment", "SegmentOrder", "Span", "Track", "split_segments"]

MAX_SEGMENT_FRAMES = 125
"""Most frames of a piece. Every one starts with a keyframe, which is what it costs, and what makes seeking quick."""

MIN_SEGMENT_FRAMES = 24
Span = tuple[int, int]


def split_segments(runs: Sequence[Span]) -> list[Span]:
    """Divide runs of frames into pieces for two or more to work on, of about the same length.

    They depend on the runs alone, never on who works on them. Within a run they start where effects
    take nothing over from the frames before.

    Examples
    --------
    >>> split_segments([(0, 20)]), split_segments([(0, 250)]), split_segments([(10, 50), (90, 120)])
    ([(0, 20)], [(0, 128), (128, 250)], [(10, 32), (32, 50), (90, 120)])
    """
    total = sum(stop - start for start, stop in runs)
    pairs = max(1, -(-total // (2 * MAX_SEGMENT_FRAMES)))
    length = max(MIN_SEGMENT_FRAMES, -(-total // (2 * pairs)))
    return [piece for run in runs for piece in _split(*run, count=-(-(run[1] - run[0]) // length))]


def _split(start: int, stop: int, *, count: int) -> Iterator[Span]:
    even = np.linspace(start, stop, count + 1)[1:-1]
    inner = [
        border for border in (np.rint(even / HOLD_FRAMES) * HOLD_FRAMES).astype(int).tolist() if start < border < stop
    ]
    yield from pairwise([start, *inner, stop])


class Track(Protocol):
    """The video stream that pieces go into."""

    def new_encoder(self, *, last: bool) -> av.VideoCodecContext:
        """Return an encoder for a piece."""
        ...

    def before(self, frame: int) -> Iterable[Packet[Any]]:
        """Yield the packets that come before those of the piece that starts with ``frame``."""
        ...

    def encoded(self, packet: Packet[Any]) -> Packet[Any]:
        """Return a piece's next packet as it is written."""
        ...


class Segment:
    """The frames of one piece on their way through an encoder of their own; for one thread at a time."""

    def __init__(self, span: Span, info: VideoInfo, encoding: Encoding, *, path: Path, last: bool) -> None:
        self.span = span
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
        """Return a copy of ``picture`` that may be written to, in the place of the one before."""
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
        """Return the packets of the frames still held, and let go of the encoder, which takes much memory."""
        encoder, self._encoder, self._spare, self._whole = self._encoder, None, None, True
        return list(encoder.encode(None)) if encoder is not None else []

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
            raise VideoError(f"frame at pts {pts} comes after the last one of its piece ({self._path})")


class SegmentOrder:
    """Puts the packets of pieces into the file piece after piece, whichever comes first; for many threads."""

    def __init__(self, file: Mp4File, track: Track, starts: Sequence[int]) -> None:
        self._file, self._track, self._starts = file, track, starts
        self._waiting: list[list[Packet[Any]]] = [[] for _ in starts]
        self._done: set[int] = set()
        self._head = 0
        self._entered = False
        self._state, self._muxing = threading.Lock(), threading.Lock()

    def put(self, number: int, packets: Iterable[Packet[Any]], *, last: bool = False) -> None:
        """Take the next packets of a piece; they are written at once where all pieces before it are whole."""
        with self._state:
            self._waiting[number] += packets
            if last:
                self._done.add(number)
        if number == self._head:
            self._write()

    def _write(self) -> None:
        with self._muxing:
            while self._head < len(self._starts):
                with self._state:
                    packets, self._waiting[self._head] = self._waiting[self._head], []
                    whole = self._head in self._done
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
