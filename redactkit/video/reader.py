"""Read a video's frames: in order with all threads, or any one by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from redactkit.errors import OptionError, VideoError
from redactkit.media import VideoInfo
from redactkit.runtime.cores import count_cores
from redactkit.video.cursor import Cursor
from redactkit.video.decoding import DecodeLog
from redactkit.video.frames import Frame
from redactkit.video.opening import checked_file
from redactkit.video.probe import probe

__all__ = ["VideoReader"]

_CACHE_BYTES = 160 << 20
_AHEAD = 32  # frames to go over by decoding on, not by seeking, which empties the decoder
_BEHIND = 4  # frames before a sought one that are kept too, for the steps back that follow; twice as many when they do
_THREADS = (4, 16)  # for a frame that is waited for: on two cores 4 are a seventh quicker than the 3 FFmpeg takes


class VideoReader:
    """Frames of a video, in order or by number. A context manager; usable from several threads.

    Parameters
    ----------
    path : path
    info : VideoInfo, optional
        What `redactkit.video.probe` returned for it; probed where not given.
    threads : int
        Threads of the decoder; 0 lets it choose.
    cache : int
        Most frames that `frame_at` keeps; fewer where they would take over 160 MB.

    Attributes
    ----------
    info : VideoInfo
    decode_errors : list of str
        Packets that did not decode and were left out, and frames of which parts were concealed, so far.

    Raises
    ------
    VideoError
        If the file cannot be opened.

    Examples
    --------
    >>> with VideoReader("lobby.mp4") as reader:  # doctest: +SKIP
    ...     first = reader.frame_at(0).rgb()
    """

    def __init__(self, path: str | Path, *, info: VideoInfo | None = None, threads: int = 0, cache: int = 32) -> None:
        self._file = checked_file(path)
        self.info = info or probe(self._file)
        self._threads = threads
        self._log = DecodeLog()
        self._lock = threading.RLock()
        self._cache = _FrameCache(self.info, cache)
        self._cursor: Cursor | None = None
        self._sought, self._behind = -1, _BEHIND
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
        yield from self.ranges([(start, self.info.frame_count if stop is None else stop)])

    def ranges(self, ranges: Iterable[tuple[int, int]]) -> Iterator[Frame]:
        """Yield the frames of several ranges, each from its start to its stop (not included), which do not go back.

        Opens the file once, and goes over what lies between by seeking.

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
        """Yield what `frames` yields, with the decoder of `frame_at`: it goes on from where it stands, or seeks.

        For who has the reader to himself until the iteration is over.

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
            return self._cache.get(index) or self._fetch(self._open_cursor(), int(index))

    def another(self, *, threads: int, share: int) -> VideoReader:
        """Return another reader of the same file, with a decoder of its own; it keeps a ``share``-th of the frames."""
        return VideoReader(self._file, info=self.info, threads=threads, cache=self._cache.most // share)

    def rest(self) -> None:
        """Let go of the decoder and of the frames that are kept; both come again when a frame is asked for."""
        with self._lock:
            self._cache.clear()
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None

    def _open_cursor(self) -> Cursor:
        if self._closed:
            raise VideoError(f"{self._file} was closed; open a new VideoReader")
        if self._cursor is None:
            threads = self._threads or int(np.clip(count_cores() + 1, *_THREADS))
            self._cursor = Cursor(self._file, self.info, self._log, threads=threads)
        return self._cursor

    def _fetch(self, cursor: Cursor, index: int) -> Frame:
        ahead = index - cursor.position
        if not 0 <= ahead <= _AHEAD:
            cursor.go_on_to(index)
        if not 0 <= ahead <= _BEHIND:
            cursor.skip_to(index - self._keep_behind(index))
        frame = self._read_up_to(cursor, index)
        if frame is None and index not in self._lost:
            # Frames that lack what they refer to come only after one that is whole, which may be far before.
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

    def _keep_behind(self, index: int) -> int:
        """Return how many frames before a sought one to keep: more with each that goes on stepping back."""
        steps_back = 0 < self._sought - index <= 2 * self._behind
        self._behind = min(2 * self._behind, self._cache.most - 1) if steps_back else _BEHIND
        self._sought = index
        return self._behind

    def close(self) -> None:
        """Close the file and drop the cache; safe to call twice."""
        with self._lock:
            self._closed = True
            self.rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
    """The frames used last, bounded in number and in bytes."""

    def __init__(self, info: VideoInfo, frames: int) -> None:
        bytes_each = max(1, info.width * info.height * 3 // 2 * (2 if info.bit_depth > 8 else 1))
        self.most = max(1, min(frames, _CACHE_BYTES // bytes_each))
        self._frames: OrderedDict[int, Frame] = OrderedDict()

    def get(self, index: int) -> Frame | None:
        if index in self._frames:
            self._frames.move_to_end(index)
        return self._frames.get(index)

    def put(self, frame: Frame) -> None:
        self._frames[frame.index] = frame
        self._frames.move_to_end(frame.index)
        if len(self._frames) > self.most:
            self._frames.popitem(last=False)

    def clear(self) -> None:
        self._frames.clear()
