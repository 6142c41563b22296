"""Write a video with the time, size, colour and sound of its source."""

from __future__ import annotations

import queue
import threading
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
from av.container import OutputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from redactkit.errors import OptionError, VideoError
from redactkit.files import check_output, replacing
from redactkit.media import VideoInfo
from redactkit.video.encoding import choose_encoding
from redactkit.video.opening import av_errors, opened
from redactkit.video.orientation import display_matrix
from redactkit.video.pictures import Pictures
from redactkit.video.sound import AudioFeed
from redactkit.video.timing import durations, movie_timescale, output_time_base, start_shift

__all__ = ["VideoWriter"]

_QUEUE = 6
_BITEXACT = 1 << 10  # AVFMT_FLAG_BITEXACT: no name of the program that wrote the file
_INTERLACED = (1 << 18) | (1 << 29)  # AV_CODEC_FLAG_INTERLACED_DCT and _ME
_RATE_LIMIT = 1_000_000


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
    overwrite : bool
        Replace a file that is there; never the source.
    keep_metadata : bool
        Keep the source's tags (title, location, device, times). Chapters, timecode, cover images,
        subtitles and data streams are never kept.

    Attributes
    ----------
    pixel_format : str
        What frames are stored as, in FFmpeg's name.
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
        overwrite: bool = False,
        keep_metadata: bool = False,
    ) -> None:
        if audio not in ("keep", "drop"):
            raise OptionError(f"audio must be 'keep' or 'drop', got {audio!r}")
        sources = () if info.path is None else (info.path,)
        self.path = check_output(path, overwrite=overwrite, sources=sources)
        self._info, self._audio, self._overwrite = info, audio, overwrite
        self._keep_metadata = keep_metadata
        self._encoding = choose_encoding(info, codec=codec, crf=crf, preset=preset)
        self.pixel_format = self._encoding.pixel_format
        self.notes = [*self._encoding.notes, *_left_out(info, audio)]
        self._shift = start_shift(info)
        if self._shift:
            self.notes.append(f"every stream starts {float(self._shift):+.6f} s from where the source has it")
        self._durations = durations(info, 0)
        self._pictures = Pictures(info, self._encoding)
        self._last: int | None = None
        self._stack = ExitStack()
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            part = stack.enter_context(replacing(self.path, overwrite=self._overwrite))
            with av_errors(self.path, "create it"):
                self._open(part)
            self._stack = stack.pop_all()
        self._queue: queue.Queue[av.VideoFrame | None] = queue.Queue(_QUEUE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._encode_all, name="redactkit-encode", daemon=True)
        self._thread.start()
        return self

    def _open(self, part: Path) -> None:
        self._part = part
        base = output_time_base(self._info)
        options = {"movflags": "+faststart", "write_tmcd": "0", "video_track_timescale": str(base.denominator)}
        self._output: OutputContainer = av.open(str(part.absolute()), "w", format="mp4", container_options=options)
        self._output.flags |= _BITEXACT
        self._stream = self._add_video(base)
        self._sound: AudioFeed | None = None
        if self._audio == "keep" and self._info.audio and self._info.path is not None:
            self._sound = AudioFeed(self._info.path, self._output, shift=self._shift)
        rates = [base.denominator, *(self._sound.rates if self._sound else ())]
        self._output.container_options["movie_timescale"] = str(movie_timescale(rates))
        if self._keep_metadata and self._info.path is not None:
            with opened(self._info.path) as source:
                self._output.metadata.update(source.metadata)

    def _add_video(self, base: Fraction) -> VideoStream:
        info, encoding = self._info, self._encoding
        rate = min(info.frame_rate, Fraction(_RATE_LIMIT)).limit_denominator(_RATE_LIMIT)
        stream = self._output.add_stream(encoding.encoder, rate=rate, options=dict(encoding.options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = info.coded_width, info.coded_height
        stream.pix_fmt = encoding.pixel_format
        stream.time_base = base
        context = stream.codec_context
        context.time_base = base
        context.codec_tag = encoding.tag
        context.sample_aspect_ratio = info.sample_aspect_ratio
        context.color_range, context.colorspace = encoding.color.range, encoding.color.space
        context.color_primaries, context.color_trc = encoding.color.primaries, encoding.color.transfer
        if info.rotation or info.mirrored:
            size = (info.coded_width, info.coded_height)
            stream.set_display_matrix(display_matrix(info.rotation, mirrored=info.mirrored, size=size))
        return stream

    def prepare(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return a copy of ``picture`` in `pixel_format` that may be written to (see `plane_views`)."""
        return self._pictures.prepare(picture)

    def write(self, picture: av.VideoFrame, pts: int) -> None:
        """Encode one frame at ``pts``, in ticks of ``info.time_base``; frames come in presentation order.

        The picture is read later, on another thread: do not change it after this call.

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
        self._put(frame)

    def _put(self, frame: av.VideoFrame | None) -> None:
        while True:
            self._raise_failure()
            try:
                return self._queue.put(frame, timeout=0.2)
            except queue.Full:
                continue

    def _raise_failure(self) -> None:
        if self._failure is not None:
            with av_errors(self.path, "encode it"):
                raise self._failure

    def _encode_all(self) -> None:
        """Run on the encoding thread: frames from the queue to packets in the file, audio alongside."""
        try:
            first = True
            while (frame := self._queue.get()) is not None and not self._stop.is_set():
                if first:
                    self._match_first(frame)
                    first = False
                self._mux(frame)
            if not self._stop.is_set():
                self._mux(None)
                if self._sound is not None:
                    self._sound.pump(None)
        except BaseException as err:  # handed to the caller's thread, which raises it
            self._failure = err

    def _match_first(self, frame: av.VideoFrame) -> None:
        if frame.interlaced_frame and self._encoding.codec == "h264":
            if self._info.coded_height % 4:
                self.notes.append("interlaced frames of this height are stored as progressive ones")
            else:
                self._stream.codec_context.flags |= _INTERLACED

    def _mux(self, frame: av.VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            if self._sound is not None:
                self._sound.pump((packet.dts or 0) * (packet.time_base or Fraction(1)))
            self._output.mux_one(packet)

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
        if self._last is None:
            raise VideoError(f"no frame was written to {self.path}; an mp4 needs one")
        self._put(None)
        self._thread.join()
        self._raise_failure()
        if self._sound is not None:
            self._sound.close()
            self.notes.extend(note for note in self._sound.notes if note not in self.notes)
        with av_errors(self.path, "finish it"):
            self._output.close()

    def _abandon(self) -> None:
        """End the thread and let go of the files, with no more written than has been."""
        self._stop.set()
        self._drain()
        self._thread.join()
        if self._sound is not None:
            self._sound.close()
        # Closing finishes the file, which is quick once its name is gone.
        self._part.unlink(missing_ok=True)
        with suppress(av.error.FFmpegError, OSError, ValueError):
            self._output.close()

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


def _left_out(info: VideoInfo, audio: str) -> list[str]:
    """Name the streams of the source that the output does not have."""
    if info.path is None:
        return []
    notes = [f"{len(info.audio)} audio tracks dropped, as asked"] if audio == "drop" and info.audio else []
    with av_errors(info.path, "read its streams"), opened(info.path) as source:
        kinds = [_kind(stream) for stream in source.streams if stream.type != "audio"]
        chapters = len(source.chapters())
    kinds.remove("video")
    notes += [f"{kinds.count(kind)} {kind} stream(s) left out" for kind in sorted(set(kinds))]
    return [*notes, f"{chapters} chapter marks left out"] if chapters else notes


def _kind(stream: av.stream.Stream) -> str:
    return "cover image" if stream.disposition & Disposition.attached_pic else stream.type
