"""Write a video with the time, size, colour and sound of its source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from numpy.typing import ArrayLike

from redactkit.errors import VideoError
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.files import check_video_output, replacing
from redactkit.runtime.timecode import check_ranges
from redactkit.video.encoder import EncodedTrack
from redactkit.video.encoding import choose_encoding
from redactkit.video.mp4file import Mp4File
from redactkit.video.muting import span_of
from redactkit.video.opening import av_errors
from redactkit.video.options import WriterOptions
from redactkit.video.segments import Segment, SegmentOrder, split_segments
from redactkit.video.smartcopy.plan import CopyPlan, plan_copy
from redactkit.video.smartcopy.track import SmartTrack
from redactkit.video.stream_traits import read_traits
from redactkit.video.timing import durations, start_shift

__all__ = ["VideoWriter"]

_DEFAULTS = WriterOptions()


class VideoWriter:
    """Writes an mp4 with the source's timestamps, size, orientation, colour tags and audio. A context manager.

    Each of its `segments` has an encoder of its own, so several threads can write, each its own segment.
    Until it is complete the file is a partial file beside ``path``; if the block ends with an exception it is
    removed.

    Parameters
    ----------
    path : path
        The mp4 to write.
    info : VideoInfo
        The source; its audio is read from ``info.path``.
    options : WriterOptions
        How it is encoded, what becomes of the sound and of the tags.
    overwrite : bool
        Replace a file that is there; never the source.
    smart_copy : array_like of shape (F,), bool, optional
        Which frames are redacted. If given, groups of pictures without such a frame, and of others what comes
        before it, are copied bit for bit, unless the source leaves a doubt (`redactkit.video.smartcopy.plan`); only
        the frames of `wanted` are then to be written.
    frames : FrameRange, optional
        The frames that are to be written; by default all.

    Attributes
    ----------
    pixel_format : str
        What frames are stored as, in FFmpeg's name.
    copied : ndarray of shape (F,), bool
        The frames that are copied and not written.
    wanted, copied_ranges : list of FrameRange
        Every range of frames that is to be written, and that is copied.
    segments : list of FrameRange
        ``wanted`` divided into segments, which may be written at the same time and in any order. They do not
        depend on the machine, and so neither do the output's bytes.
    copying : (Encoding, CopyPlan)
        How frames are encoded, and which are copied.
    notes : list of str
        What is converted or left out rather than kept.

    Raises
    ------
    OutputExistsError
        If ``path`` exists and may not be replaced, or is the source.
    OptionError
        If an option has no such value, or ``path`` does not end in ``.mp4``.
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
        options: WriterOptions = _DEFAULTS,
        *,
        overwrite: bool = False,
        smart_copy: ArrayLike | None = None,
        frames: FrameRange | None = None,
    ) -> None:
        sources = () if info.path is None else (info.path,)
        self.path = check_video_output(path, overwrite=overwrite, sources=sources)
        self._info, self._overwrite, self._is_chunk = info, overwrite, frames is not None
        self._audio, self._keep_metadata = options.audio == "keep", options.keep_metadata
        first, last = span_of(info)
        self._mute = check_ranges(options.mute, start=first, end=last)
        traits = read_traits(info)
        encoding = choose_encoding(info, codec=options.codec, crf=options.crf, preset=options.preset, traits=traits)
        self._encoding = encoding if options.set_id is None else encoding.numbered(options.set_id)
        self.pixel_format = self._encoding.pixel_format
        self._plan = self._planned(smart_copy)
        self.copying, self.copied = (self._encoding, self._plan), self._plan.copied
        self.wanted = [frames] if frames else self._plan.ranges(copied=False)
        self.copied_ranges, self.segments = self._plan.ranges(copied=True), split_segments(self.wanted)
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
        end = self.segments[-1:]
        self._segments = [
            Segment(each, info, self._encoding, path=self.path, last=[each] == end) for each in self.segments
        ]
        self._starts = info.pts[[start for start, _ in self.segments]].tolist()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            with av_errors(self.path, "create it"):
                public = not self._is_chunk  # chunks are intermediate files, readable by their owner alone
                self._open(stack.enter_context(replacing(self.path, overwrite=self._overwrite, public=public)))
            self._stack = stack.pop_all()
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
        self._order = SegmentOrder(self._file, self._track, [start for start, _ in self.segments])

    def _planned(self, redacted: ArrayLike | None) -> CopyPlan:
        if redacted is None:
            return CopyPlan(np.zeros(self._info.frame_count, bool))
        return plan_copy(self._info, redacted, encoding=self._encoding)

    def prepare(self, picture: av.VideoFrame, pts: int) -> av.VideoFrame:
        """Return a copy of ``picture``, of the frame at ``pts``, in `pixel_format` and to be written to.

        See `plane_views`. The next picture of the same segment reuses its memory.
        """
        return self._segments[self._segment_at(pts)].prepare(picture)

    def write(self, picture: av.VideoFrame, pts: int) -> None:
        """Encode one frame at ``pts``, in ticks of ``info.time_base``; frames of a segment come in presentation order.

        Raises
        ------
        VideoError
            If its size is not the video's, time does not rise, it is to be copied, or encoding fails.
        """
        info, place = self._info, self._segment_at(pts)
        frame = int(np.searchsorted(info.pts, pts))
        known = frame < info.frame_count and info.pts[frame] == pts
        if known and self.copied[frame]:
            raise VideoError(f"frame {frame} was to be copied and came to be encoded ({info.path})")
        segment, tick = self._segments[place], pts + round(self._shift / info.time_base)
        with av_errors(self.path, "encode it"):
            length = self._durations.get(pts, 0)
            self._order.put(place, segment.encode(picture, pts, track=self._track, tick=tick, length=length))
        if known and frame == segment.frames.stop - 1:
            self._finish_segment(place)

    def _segment_at(self, pts: int) -> int:
        return max(0, bisect_right(self._starts, pts) - 1)

    def leave_out(self, frames: Iterable[int]) -> None:
        """Announce frames of `wanted` that will not come because they do not decode."""
        self._track.leave_out(frames)

    def _finish_segment(self, place: int) -> None:
        with av_errors(self.path, "encode it"):
            self._order.put(place, self._segments[place].finish(), last=True)

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
        if not any(segment.begun for segment in self._segments) and not self.copied.any():
            raise VideoError(f"no frame was written to {self.path}; an mp4 needs one")
        for place in range(len(self._segments)):
            self._finish_segment(place)
        with av_errors(self.path, "finish it"):
            for packet in self._track.finish():
                self._file.mux(packet)
            self._file.finish_sound()
            self.notes.extend(note for note in self._file.notes if note not in self.notes)
            self._file.close()
        self._release()

    def _abandon(self) -> None:
        """Close the files and write nothing more."""
        self._file.abandon()
        self._release()

    def _release(self) -> None:
        self._track.close()
        self._segments.clear()
        del self._track, self._order  # they hold encoders, which take much memory
