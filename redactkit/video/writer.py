"""Write a video with the time, size, colour and sound of its source."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import av
import numpy as np
from av.packet import Packet
from numpy.typing import ArrayLike

from redactkit.clock import check_ranges
from redactkit.errors import OptionError, VideoError
from redactkit.files import check_output, replacing
from redactkit.media import VideoInfo
from redactkit.video.encoder import EncodedTrack
from redactkit.video.encoding import choose_encoding
from redactkit.video.mp4file import Mp4File
from redactkit.video.muting import end_of
from redactkit.video.opening import av_errors
from redactkit.video.pictures import Pictures
from redactkit.video.smartcopy import CopyPlan, plan_copy
from redactkit.video.smarttrack import SmartTrack
from redactkit.video.timing import durations, start_shift
from redactkit.video.traits import read_traits

__all__ = ["VideoWriter"]

_QUEUE = 3


class VideoWriter:
    """Writes an mp4 with the source's timestamps, size, orientation, colour tags and audio. A context manager.

    Frames are encoded on a thread of their own. The file has a temporary name beside ``path`` until
    it is whole; if the block ends with an exception it is removed.

    Parameters
    ----------
    path : path
        The mp4 to write.
    info : VideoInfo
        The source; its audio is read from ``info.path``.
    codec, crf, preset
        See `redactkit.video.encoding.choose_encoding`.
    audio : {"keep", "drop"}
    mute : iterable of (float, float)
        Start and end, in seconds of the source's clock, of what is made silent in every audio track. Then
        all audio is encoded anew, as AAC, so that no packet of the source is left.
    overwrite : bool
        Replace a file that is there; never the source.
    keep_metadata : bool
        Keep the source's tags (title, location, device, times). Chapters, timecode, cover images,
        subtitles and data streams are never kept.
    smart_copy : array_like of shape (F,), bool, optional
        Which frames are redacted. Where given, groups of pictures without any such frame are copied
        bit for bit where the source leaves no doubt (`redactkit.video.smartcopy`); only the frames of
        `wanted` are then to be written.
    set_id : int, optional
        Number of the h264 parameter sets, for a part that is put beside copied frames.

    Attributes
    ----------
    pixel_format : str
        What frames are stored as, in FFmpeg's name.
    copied : ndarray of shape (F,), bool
        The frames that are copied and not written.
    wanted, copied_ranges : list of (int, int)
        Start and stop of every range of frames that is to be written, and of the others.
    copying : (Encoding, CopyPlan)
        How frames are encoded, and which are copied.
    notes : list of str
        What is converted or left out rather than kept.

    Raises
    ------
    OutputExistsError
        If ``path`` exists and may not be replaced, or is the source.
    OptionError
        If an option has no such value.
    VideoError
        If the output cannot be written.

    Examples
    --------
    >>> with VideoWriter("out.mp4", reader.info) as writer:  # doctest: +SKIP
    ...     for frame in reader.frames():
    ...         writer.write(frame.picture, frame.pts)
    """

    def __init__(
        self,
        path: str | Path,
        info: VideoInfo,
        *,
        codec: str | None = None,
        crf: float | None = None,
        preset: str | None = None,
        audio: Literal["keep", "drop"] = "keep",
        mute: Iterable[Iterable[float]] = (),
        overwrite: bool = False,
        keep_metadata: bool = False,
        smart_copy: ArrayLike | None = None,
        set_id: int | None = None,
    ) -> None:
        if audio not in ("keep", "drop"):
            raise OptionError(f"audio must be 'keep' or 'drop', got {audio!r}")
        sources = () if info.path is None else (info.path,)
        self.path = check_output(path, overwrite=overwrite, sources=sources)
        self._info, self._audio, self._overwrite = info, audio == "keep", overwrite
        self._keep_metadata = keep_metadata
        self._mute = check_ranges(mute, end=end_of(info))
        traits = read_traits(info)
        encoding = choose_encoding(info, codec=codec, crf=crf, preset=preset, traits=traits)
        self._encoding = encoding if set_id is None else encoding.numbered(set_id)
        self.pixel_format = self._encoding.pixel_format
        self._plan = self._planned(smart_copy)
        self.copying, self.copied = (self._encoding, self._plan), self._plan.copied
        self.wanted, self.copied_ranges = self._plan.ranges(copied=False), self._plan.ranges(copied=True)
        self.notes = [*self._encoding.notes, *traits.left_out]
        if info.audio and not self._audio:
            self.notes.append(f"{len(info.audio)} audio track(s) dropped, as asked")
        if self._mute and not info.audio:
            self.notes.append("there is no sound to mute")
        self._shift = start_shift(info)
        self.notes += self._plan.notes
        if self._shift:
            self.notes.append(f"every stream starts {float(self._shift):+.6f} s from where the source has it")
        self._durations = durations(info, 0)
        self._pictures = Pictures(info, self._encoding)
        self._prepared: av.VideoFrame | None = None
        self._spare: deque[av.VideoFrame] = deque()
        self._last: int | None = None
        self._stack = ExitStack()
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            part = stack.enter_context(replacing(self.path, overwrite=self._overwrite))
            with av_errors(self.path, "create it"):
                self._open(part)
            self._stack = stack.pop_all()
        # Frames, and whether they were prepared here, so that encoded ones can be prepared again.
        self._queue: queue.Queue[tuple[av.VideoFrame, bool] | None] = queue.Queue(_QUEUE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._encode_all, name="redactkit-encode", daemon=True)
        self._thread.start()
        return self

    def _open(self, part: Path) -> None:
        info = self._info
        kept: dict[str, Any] = {"audio": self._audio, "mute": self._mute, "keep_metadata": self._keep_metadata}
        self._file = Mp4File(part, info, shift=self._shift, **kept)
        self._track: EncodedTrack | SmartTrack
        if self.copied.any():
            self._track = SmartTrack(self._file, info, self._encoding, self._plan, shift=self._shift)
        else:
            self._track = EncodedTrack(self._file, info, self._encoding)

    def _planned(self, redacted: ArrayLike | None) -> CopyPlan:
        if redacted is None:
            return CopyPlan(np.zeros(self._info.frame_count, bool))
        return plan_copy(self._info, redacted, encoding=self._encoding)

    def prepare(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return a copy of ``picture`` in `pixel_format` that may be written to (see `plane_views`)."""
        spare = self._spare.popleft() if self._spare else None
        self._prepared = self._pictures.prepare(picture, into=spare)
        return self._prepared

    def write(self, picture: av.VideoFrame, pts: int) -> None:
        """Encode one frame at ``pts``, in ticks of ``info.time_base``; frames come in presentation order.

        The picture is read later, on another thread, and the next ones may be prepared in its place: do not
        use it after this call.

        Raises
        ------
        VideoError
            If its size is not the video's, time does not rise, or encoding has failed.
        """
        self._raise_failure()
        info = self._info
        if (picture.width, picture.height) != (info.coded_width, info.coded_height):
            raise VideoError(
                f"frame at pts {pts} is {picture.width}x{picture.height} pixels as stored,"
                f" expected {info.coded_width}x{info.coded_height} ({self.path})"
            )
        if self._last is not None and pts <= self._last:
            raise VideoError(f"frame at pts {pts} does not come after pts {self._last} ({self.path})")
        self._last = pts
        frame = self._pictures.convert(picture)
        frame.time_base = info.time_base
        frame.pts = pts + round(self._shift / info.time_base)
        frame.duration = self._durations.get(pts) or picture.duration
        frame.pict_type = 0
        prepared, self._prepared = self._prepared, None
        self._put((frame, frame is prepared))

    def leave_out(self, frames: Iterable[int]) -> None:
        """Say that these frames, which `wanted` has, will not come, as they do not decode."""
        if isinstance(self._track, SmartTrack):
            self._track.leave_out(frames)

    def _put(self, entry: tuple[av.VideoFrame, bool] | None) -> None:
        while True:
            self._raise_failure()
            try:
                return self._queue.put(entry, timeout=0.2)
            except queue.Full:
                continue

    def _raise_failure(self) -> None:
        if self._failure is not None:
            with av_errors(self.path, "encode it"):
                raise self._failure

    def _encode_all(self) -> None:
        """Run on the encoding thread: frames from the queue to packets in the file, audio alongside."""
        try:
            while (entry := self._queue.get()) is not None and not self._stop.is_set():
                frame, prepared = entry
                self._mux(self._track.feed(frame))
                if prepared:
                    self._spare.append(frame)
            if not self._stop.is_set():
                self._mux(self._track.finish())
                self._file.finish_sound()
        except BaseException as err:  # handed to the caller's thread, which raises it
            self._failure = err

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        for packet in packets:
            self._file.mux(packet)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._abandon()
            else:
                self._finish()
        except BaseException as failure:
            self._abandon()
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._stack.__exit__(kind, error, trace)

    def _finish(self) -> None:
        if self._last is None and not self.copied.any():
            raise VideoError(f"no frame was written to {self.path}; an mp4 needs one")
        self._put(None)
        self._thread.join()
        self._raise_failure()
        self.notes.extend(note for note in self._file.notes if note not in self.notes)
        with av_errors(self.path, "finish it"):
            self._file.close()
        self._spare.clear()
        del self._track, self._pictures  # an encoder holds on to much memory

    def _abandon(self) -> None:
        """End the thread and let go of the files, with no more written than has been."""
        self._stop.set()
        self._drain()
        self._thread.join()
        self._file.abandon()

    def _drain(self) -> None:
        while self._thread.is_alive():
            try:
                self._queue.put(None, timeout=0.05)
                return
            except queue.Full:
                try:
                    self._queue.get_nowait()
                except queue.Empty:
                    continue
