"""One open decoder of a video with its position: sequential reads and seeks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.video.decoding import FAULTS, Clock, DecodeLog, count_decoded_frame, decode_packets
from redactkit.video.frames import Frame
from redactkit.video.opening import av_errors, open_container, video_stream
from redactkit.video.probe import frame_step

__all__ = ["Cursor"]


class Cursor:
    """One open decoder; ``position`` is the number of the next frame it can give.

    If a seek does not land on a timestamp of the header (some are missing or repeated in the file), it decodes
    from the start and counts frames.

    If a packet does not decode, or frames are missing, it continues with one thread: frame threads lose frames
    after a fault (see `redactkit.video.decoding.decode_packets`).
    """

    def __init__(self, file: Path, info: VideoInfo, log: DecodeLog, *, threads: int = 0) -> None:
        self._file, self._info, self._log, self._threads = file, info, log, threads
        self._container: InputContainer | None = None
        self._seekable = True
        self.position = 0
        self._open()
        if info.part is not None and info.part.start and not self._seek(0, 0):
            self._open()

    def _open(self) -> None:
        self.close()
        self._container = open_container(self._file)
        self._stream: VideoStream = video_stream(self._container, self._file)
        self._stream.thread_count = self._threads
        self._start(0)

    def _start(self, position: int) -> None:
        self._clock = Clock(frame_step(self._stream))
        self._skip_before: int | None = None
        self._frames = decode_packets(self._stream, self._packets(), self._log, strict=self._threads != 1)
        self._pending: Frame | None = None
        self._failed = False
        self.position = position

    def restart(self) -> None:
        """Start again at the first frame with one thread: damaged streams decode best in order."""
        self._threads = 1
        self._open()

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        """Read packets; before the target of `skip_to`, the decoder drops non-reference frames."""
        assert self._container is not None
        context = self._stream.codec_context
        for packet in self._container.demux(self._stream):
            skips = self._skip_before is not None and packet.pts is not None and packet.pts < self._skip_before
            context.skip_frame = "NONREF" if skips else "DEFAULT"
            yield packet

    def go_on_to(self, index: int) -> None:
        """Go to a frame: seek if a keyframe lies between, otherwise decode on, which is quicker then."""
        between = (self._info.keyframes > self.position) & (self._info.keyframes <= index)
        if index < self.position or (self._seekable and between.any()):
            self.go_to(index)

    def go_to(self, index: int) -> None:
        """Seek so that the next frame is ``index``, or an earlier one that has to be decoded first."""
        if self._seekable:
            # Some containers seek inexactly: try the two keyframes before the frame, then the start.
            earlier = self._info.keyframes[self._info.keyframes <= index]
            if any(self._seek(int(keyframe), index) for keyframe in (*earlier[::-1][:2], 0)):
                return
            if self._failed:
                self._threads = 1
                self._open()
                self.go_to(index)
                return
            self._seekable = False
        self._open()

    def skip_to(self, index: int) -> None:
        """Do not decode non-reference frames before ``index``."""
        if self._seekable and 0 <= index < self._info.frame_count:
            self._skip_before = int(self._info.pts[index])

    def _seek(self, keyframe: int, index: int) -> bool:
        """Seek to a keyframe; return whether the first frame that comes is in the header and not after ``index``."""
        assert self._container is not None
        depth = self._stream.codec_context.reorder_depth
        try:
            self._container.seek(int(self._info.pts[keyframe]), stream=self._stream)
        except (av.error.FFmpegError, OSError, ValueError):
            return False
        failed = self._failed
        # Seeking resets the decoder's reorder delay; until it is detected again, frames would be dropped.
        self._stream.codec_context.reorder_depth = depth
        self._start(keyframe)
        self._pending = self._first_known(keyframe)
        self._failed |= failed
        return self._pending is not None and self._pending.index <= index

    def _first_known(self, keyframe: int) -> Frame | None:
        """Drop frames before the keyframe (open GOP), whose references may be missing."""
        while (picture := self._decode()) is not None:
            index = self._index_of(picture.pts)
            if index is None and self._is_before_part(picture.pts):
                continue
            if index is None:
                return None
            if index >= keyframe:
                self._clock.stamp(picture.pts)
                return self._framed(picture, index)
        return None

    def read(self) -> Frame | None:
        """Return the next frame, None at the end.

        Raises
        ------
        VideoError
            If it is none that the header knows, or of another size than the first.
        """
        frame = self._pending or self._next()
        self._pending = None
        if self._threads != 1 and (self._failed or self._misses_frames(frame)):
            frame = self._read_single_threaded()
        self.position = self._info.frame_count if frame is None else frame.index + 1
        return frame

    def _misses_frames(self, frame: Frame | None) -> bool:
        """Return whether frames between the position and this one are missing."""
        wanted = self.position
        if self._skip_before is not None:
            wanted = max(wanted, int(np.searchsorted(self._info.pts, self._skip_before)))
        return wanted < (self._info.frame_count if frame is None else frame.index)

    def _read_single_threaded(self) -> Frame | None:
        """Continue with one thread from the current position."""
        position, self._threads = self.position, 1
        self._open()
        self.go_to(position)
        frame = self._pending or self._next()
        self._pending = None
        while frame is not None and frame.index < position:
            frame = self._next()
        return frame

    def _next(self) -> Frame | None:
        while (picture := self._decode()) is not None:
            pts = self._clock.stamp(picture.pts)
            index = self._index_of(pts)
            if index is not None:
                return self._framed(picture, index)
            if self._is_before_part(pts):
                continue
            if self._info.part is not None and pts > self._info.pts[-1]:
                return None
            raise VideoError(
                f"{self._file}: decoding gave a frame at pts {pts} that its header does not have;"
                " probe it with exact=True"
            )
        return None

    def _is_before_part(self, pts: int | None) -> bool:
        """Return whether a frame comes before the part of the file that the header is about."""
        return self._info.part is not None and pts is not None and pts < self._info.pts[0]

    def _decode(self) -> av.VideoFrame | None:
        with av_errors(self._file, "decode it"):
            try:
                picture = next(self._frames, None)
                if picture is not None:
                    count_decoded_frame()
                return picture
            except FAULTS:
                if self._threads == 1:
                    raise
                self._failed = True
                return None

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
        return Frame(
            index=index,
            pts=int(info.pts[index]),
            time=float(info.times[index]),
            picture=picture,
            keyframe=bool(picture.key_frame),
            corrupt=bool(picture.is_corrupt),
            rotation=info.rotation,
            mirrored=info.mirrored,
        )

    def close(self) -> None:
        """Close the decoder and free its memory now, not at the next garbage collection."""
        if self._container is not None:
            self._frames.close()
            del self._frames, self._stream
            self._pending = None
            self._container.close()
            self._container = None
