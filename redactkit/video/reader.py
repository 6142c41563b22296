"""Read a video's frames: in order with all threads, or any one by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from redactkit.errors import OptionError, VideoError
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.cores import count_cores
from redactkit.video.cursor import Cursor
from redactkit.video.decoding import DecodeLog
from redactkit.video.frame_store import FrameStore
from redactkit.video.frames import Frame
from redactkit.video.opening import checked_file
from redactkit.video.probe import probe

__all__ = ["KeptFrame", "VideoReader"]

_CACHE_BYTES = 160 << 20
"""Memory for the frames that `VideoReader.frame_at` keeps. Higher makes going back in large frames quicker."""

_MAX_FRAMES_DECODED_OVER = 32
"""Frames ahead up to which decoding on is tried before seeking, which flushes the decoder."""

_FRAMES_KEPT_BEFORE = 4
"""Frames before a sought one that are decoded and kept too, for steps back; doubled with each step back."""

_THREAD_LIMITS = (4, 16)
"""Decoder threads for single frames: on two cores, 4 are a seventh quicker than the 3 that FFmpeg chooses."""


class VideoReader:
    """Frames of a video, in order or by number. A context manager; usable from several threads.

    Parameters
    ----------
    path : path
    info : VideoInfo, optional
        What `redactkit.video.probe` returned for it; probed where not given.
    threads : int
        Threads of the decoder; 0 lets FFmpeg choose.
    cache : int
        Most frames that `frame_at` keeps, as far as they fit into 160 MB. More make going back quicker.
    on_disk : int
        Most frames that `frame_at` keeps in a temporary file instead, where there is room for so many as ``cache`` or
        more. It takes less memory, and a copy of every frame that is decoded.

    Attributes
    ----------
    info : VideoInfo
    decode_errors : list of str
        Packets that did not decode and frames with concealed errors, so far.

    Raises
    ------
    VideoError
        If the file cannot be opened.

    Examples
    --------
    >>> with VideoReader("lobby.mp4") as reader:  # doctest: +SKIP
    ...     first = reader.frame_at(0).rgb()
    """

    def __init__(
        self,
        path: str | Path,
        *,
        info: VideoInfo | None = None,
        threads: int = 0,
        cache: int = 32,
        on_disk: int = 0,
    ) -> None:
        self._file = checked_file(path)
        self.info = info or probe(self._file)
        self._threads = threads
        self._log = DecodeLog()
        self._lock = threading.RLock()
        self._cache = _FrameCache(self.info, cache, on_disk)
        self._cursor: Cursor | None = None
        self._store, self._owns_store = FrameStore(), True
        self._sought, self._kept = -1, _FRAMES_KEPT_BEFORE
        self._lost: set[int] = set()
        self._closed = False

    @property
    def decode_errors(self) -> list[str]:
        """Packets that did not decode and frames that are damaged, so far; at most a thousand are named."""
        return self._log.errors

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Yield frames ``start`` to ``stop`` (not included) in presentation order.

        Opens the file anew, so it does not disturb `frame_at` or another iteration.

        Raises
        ------
        VideoError
            If decoding gives a frame that the header does not know, or of another size.
        """
        yield from self.ranges([FrameRange(start, self.info.frame_count if stop is None else stop)])

    def ranges(self, ranges: Iterable[FrameRange]) -> Iterator[Frame]:
        """Yield the frames of several frame ranges in rising order.

        Opens the file once and seeks over the gaps between the ranges.

        Raises
        ------
        VideoError
            As of `frames`.
        """
        cursor = Cursor(self._file, self.info, self._log, threads=self._threads)
        try:
            for start, stop in ranges:
                yield from _range_of(cursor, start, min(stop, self.info.frame_count))
        finally:
            cursor.close()

    def frames_here(self, start: int, stop: int) -> Iterator[Frame]:
        """Yield what `frames` yields, with the decoder of `frame_at`, which continues from its position or seeks.

        Only for a reader that nobody else uses until the iteration is over.

        Raises
        ------
        VideoError
            As of `frames`.
        """
        with self._lock:
            cursor = self._open_cursor()
        yield from _range_of(cursor, start, min(stop, self.info.frame_count))

    def frame_at(self, index: int) -> Frame:
        """Return frame ``index``.

        Raises
        ------
        OptionError
            If there is no frame of that number.
        VideoError
            If that frame does not decode.
        """
        if not 0 <= index < self.info.frame_count:
            raise OptionError(f"frame must be 0 to {self.info.frame_count - 1}, got {index} ({self._file})")
        with self._lock:
            # What the file has need not be in memory too.
            return self._cache.get(index) or self._store.get(index) or self._fetch(self._open_cursor(), int(index))

    def keep(self, frame: Frame) -> KeptFrame:
        """Keep a frame that was decoded in a temporary file, for `frame_at` of this reader and of `another`.

        See `redactkit.video.frame_store`. What is returned holds the frame in memory only where the file has no room.
        """
        kept = self._store.put(frame) and self._store.keeps_long
        return KeptFrame(frame.index, None if kept else frame, self)

    def kept(self, index: int) -> Frame:
        """Return what `frame_at` does, sooner for a frame that was kept: nobody waits for another to be decoded."""
        return self._store.get(index) or self.frame_at(index)

    def drop_kept(self, *, before: int) -> None:
        """Drop the frames kept before one."""
        self._store.forget(before)

    def another(self, *, threads: int, share: int) -> VideoReader:
        """Return another reader of the same file with a decoder of its own, for the time that this one is open.

        Its cache is 1/``share`` as large; what was kept is common to both.
        """
        cache, on_disk = self._cache.in_memory // share, self._cache.on_disk // share
        other = VideoReader(self._file, info=self.info, threads=threads, cache=cache, on_disk=on_disk)
        other._store, other._owns_store = self._store, False
        return other

    def rest(self) -> None:
        """Free the decoder and the cached frames; both are made again when a frame is asked for."""
        with self._lock:
            self._cache.clear()
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None

    def _open_cursor(self) -> Cursor:
        if self._closed:
            raise VideoError(f"{self._file} was closed; open a new VideoReader")
        if self._cursor is None:
            threads = self._threads or int(np.clip(count_cores() + 1, *_THREAD_LIMITS))
            self._cursor = Cursor(self._file, self.info, self._log, threads=threads)
        return self._cursor

    def _fetch(self, cursor: Cursor, index: int) -> Frame:
        ahead = index - cursor.position
        if not 0 <= ahead <= _MAX_FRAMES_DECODED_OVER:
            cursor.go_on_to(index)
        if not 0 <= ahead <= _FRAMES_KEPT_BEFORE:
            cursor.skip_to(index - self._count_kept(index))
        frame = self._read_up_to(cursor, index)
        if frame is None and index not in self._lost:
            # The seek landed where reference frames are missing; decode from the first frame, in order.
            cursor.restart()
            frame = self._read_up_to(cursor, index)
        if frame is not None:
            return frame
        self._lost.add(index)
        raise VideoError(f"{self._file}: frame {index} does not decode; the file is damaged there")

    def _read_up_to(self, cursor: Cursor, index: int) -> Frame | None:
        while (frame := cursor.read()) is not None:
            self._cache.put(frame)
            if frame.index >= index:
                return frame if frame.index == index else None
        return None

    def _count_kept(self, index: int) -> int:
        """Return how many frames before a sought one to keep: twice as many with each further step back."""
        steps_back = 0 < self._sought - index <= 2 * self._kept
        self._kept = min(2 * self._kept if steps_back else _FRAMES_KEPT_BEFORE, self._cache.most - 1)
        self._sought = index
        return self._kept

    def close(self) -> None:
        """Close the file and drop the cache; safe to call twice."""
        with self._lock:
            self._closed = True
            self.rest()
            self._cache.close()
            if self._owns_store:
                self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class KeptFrame:
    """A frame by its number, out of memory where it lies in the reader's file.

    Parameters
    ----------
    index : int
    frame : Frame or None
        The frame where it must be held in memory.
    reader : VideoReader
    """

    index: int
    frame: Frame | None
    reader: VideoReader

    def load(self) -> Frame:
        """Return the frame, read from the file each time.

        Raises
        ------
        VideoError
            If it made place for others, and does not decode again.
        """
        return self.frame or self.reader.kept(self.index)


def _range_of(cursor: Cursor, start: int, stop: int) -> Iterator[Frame]:
    if start < stop and cursor.position != start:
        cursor.go_on_to(start)
    while cursor.position < stop:
        frame = cursor.read()
        if frame is None or frame.index >= stop:
            return
        if frame.index >= start:
            yield frame


class _FrameCache:
    """Cache of the frames that came last, bounded in number and in bytes: in memory, or in a file that has more room.

    Attributes
    ----------
    in_memory, on_disk : int
        Most frames in either.
    """

    def __init__(self, info: VideoInfo, frames: int, on_disk: int) -> None:
        bytes_each = max(1, info.width * info.height * 3 // 2 * (2 if info.bit_depth > 8 else 1))
        self.in_memory, self.on_disk = max(1, min(frames, _CACHE_BYTES // bytes_each)), on_disk
        self._count = info.frame_count
        self._frames: OrderedDict[int, Frame] = OrderedDict()
        self._store = FrameStore(frames=on_disk)

    @property
    def most(self) -> int:
        """The frames for which there is room, where they are kept now."""
        return max(self.in_memory, self._store.room)

    def get(self, index: int) -> Frame | None:
        if index in self._frames:
            self._frames.move_to_end(index)
        return self._frames.get(index) or self._store.get(index)

    def put(self, frame: Frame) -> None:
        # A small disk may have less room than memory.
        if self.on_disk > self.in_memory and self._store.put(frame) and self._store.room >= self.in_memory:
            return
        self._frames[frame.index] = frame
        self._frames.move_to_end(frame.index)
        if len(self._frames) > self.in_memory:
            self._frames.popitem(last=False)

    def clear(self) -> None:
        self._frames.clear()
        self._store.forget(self._count)

    def close(self) -> None:
        self.clear()
        self._store.close()
