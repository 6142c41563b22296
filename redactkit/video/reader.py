"""Read a video's frames: in order with all threads, or any one by its number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from redactkit.errors import OptionError, VideoError
from redactkit.media import VideoInfo
from redactkit.video.decoding import Clock, DecodeLog, decode_packets
from redactkit.video.frames import Frame
from redactkit.video.opening import av_errors, checked_file, open_container, video_stream
from redactkit.video.probe import frame_step, probe

__all__ = ["VideoReader"]

_CACHE_BYTES = 160 << 20
_AHEAD = 48  # frames that are decoded in passing rather than sought


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
        Packets that did not decode and were left out, so far.

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
        self._cursor: _Cursor | None = None
        self._closed = False

    @property
    def decode_errors(self) -> list[str]:
        """Packets that did not decode and were left out, so far; at most a hundred are named."""
        return list(self._log.errors)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Yield frames ``start`` to ``stop`` (not included) in presentation order.

        Opens the file anew, so it does not disturb `frame_at` or another iteration.

        Raises
        ------
        VideoError
            If decoding gives a frame that the header does not know, or of another size.
        """
        last = self.info.frame_count if stop is None else min(stop, self.info.frame_count)
        cursor = _Cursor(self._file, self.info, self._log, threads=self._threads)
        try:
            cursor.go_to(start)
            while cursor.position < last:
                frame = cursor.read()
                if frame is None or frame.index >= last:
                    return
                if frame.index >= start:
                    yield frame
        finally:
            cursor.close()

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
            if self._closed:
                raise VideoError(f"{self._file} was closed; open a new VideoReader")
            return self._cache.get(index) or self._fetch(int(index))

    def _fetch(self, index: int) -> Frame:
        if self._cursor is None:
            self._cursor = _Cursor(self._file, self.info, self._log, threads=self._threads)
        cursor = self._cursor
        if not cursor.position <= index <= cursor.position + _AHEAD:
            cursor.go_to(index)
        while (frame := cursor.read()) is not None:
            self._cache.put(frame)
            if frame.index == index:
                return frame
            if frame.index > index:
                break
        raise VideoError(f"{self._file}: frame {index} does not decode; the file is damaged there")

    def close(self) -> None:
        """Close the file and drop the cache; safe to call twice."""
        with self._lock:
            self._closed = True
            self._cache.clear()
            if self._cursor is not None:
                self._cursor.close()
                self._cursor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _FrameCache:
    """The frames used last, bounded in number and in bytes."""

    def __init__(self, info: VideoInfo, frames: int) -> None:
        bytes_each = max(1, info.width * info.height * 3 // 2 * (2 if info.bit_depth > 8 else 1))
        self._most = max(1, min(frames, _CACHE_BYTES // bytes_each))
        self._frames: OrderedDict[int, Frame] = OrderedDict()

    def get(self, index: int) -> Frame | None:
        if index in self._frames:
            self._frames.move_to_end(index)
        return self._frames.get(index)

    def put(self, frame: Frame) -> None:
        self._frames[frame.index] = frame
        self._frames.move_to_end(frame.index)
        if len(self._frames) > self._most:
            self._frames.popitem(last=False)

    def clear(self) -> None:
        self._frames.clear()


class _Cursor:
    """One open decoder and where it stands: ``position`` is the number of the next frame it can give."""

    def __init__(self, file: Path, info: VideoInfo, log: DecodeLog, *, threads: int) -> None:
        self._file, self._info, self._log, self._threads = file, info, log, threads
        self._container: InputContainer | None = None
        self._sequential = False
        self.position = 0
        self._open()

    def _open(self) -> None:
        self.close()
        self._container = open_container(self._file)
        self._stream: VideoStream = video_stream(self._container, self._file)
        self._stream.thread_count = self._threads
        self._start(0)

    def _start(self, position: int, *, clock: Clock | None = None) -> None:
        assert self._container is not None
        self._clock = clock or Clock(frame_step(self._stream))
        self._frames = decode_packets(self._stream, self._container.demux(self._stream), self._log)
        self._pending: Frame | None = None
        self.position = position

    def go_to(self, index: int) -> None:
        """Make ``index`` the next frame, or a frame before it that can be decoded first."""
        keyframes = self._info.keyframes[self._info.keyframes <= index]
        for keyframe in (*keyframes[::-1][:2], 0):
            if self._try(int(keyframe)) and self._pending is not None and self._pending.index <= index:
                return
        self._sequential = True
        self._open()

    def _try(self, keyframe: int) -> bool:
        """Seek to a keyframe; whether the first frame that comes has a known timestamp."""
        if keyframe == 0 or self._sequential:
            self._open()
            self._pending = self.read()
            return True
        assert self._container is not None
        with av_errors(self._file, f"seek to frame {keyframe}"):
            self._container.seek(int(self._info.pts[keyframe]), stream=self._stream)
        self._start(keyframe)
        self._pending = self._first_known(keyframe)
        return self._pending is not None

    def _first_known(self, keyframe: int) -> Frame | None:
        """Drop frames before the keyframe, which may lack what they refer to."""
        while (frame := self._read_raw()) is not None:
            index = self._index_of(frame.pts)
            if index is None:
                return None
            if index >= keyframe:
                return self._framed(frame, index)
        return None

    def read(self) -> Frame | None:
        """Return the next frame, None at the end."""
        if self._pending is not None:
            frame, self._pending = self._pending, None
            self.position = frame.index + 1
            return frame
        picture = self._read_raw()
        if picture is None:
            self.position = self._info.frame_count
            return None
        pts = self._clock.stamp(picture.pts)
        index = self._index_of(pts)
        if index is None:
            raise VideoError(
                f"{self._file}: decoding gave a frame at pts {pts} that its header does not have;"
                " probe it with exact=True"
            )
        self.position = index + 1
        return self._framed(picture, index)

    def _read_raw(self) -> av.VideoFrame | None:
        with av_errors(self._file, "decode it"):
            return next(self._frames, None)

    def _index_of(self, pts: int | None) -> int | None:
        if pts is None:
            return None
        index = int(np.searchsorted(self._info.pts, pts))
        return index if index < self._info.frame_count and self._info.pts[index] == pts else None

    def _framed(self, picture: av.VideoFrame, index: int) -> Frame:
        info = self._info
        if (picture.width, picture.height) != (info.coded_width, info.coded_height):
            raise VideoError(
                f"{self._file}: frame {index} is {picture.width}x{picture.height}, the first one"
                f" {info.coded_width}x{info.coded_height}; split the file where its size changes"
            )
        pts = int(info.pts[index])
        return Frame(
            index=index,
            pts=pts,
            time=float(info.times[index]),
            picture=picture,
            keyframe=bool(picture.key_frame),
            corrupt=bool(picture.is_corrupt),
            rotation=info.rotation,
            mirrored=info.mirrored,
        )

    def close(self) -> None:
        """Close the decoder."""
        if self._container is not None:
            self._container.close()
            self._container = None
