"""Write a video with the time, size, colour and sound of its source."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import av
import numpy as np
from numpy.typing import ArrayLike

from redactkit.errors import OptionError, VideoError
from redactkit.media import VideoInfo
from redactkit.runtime.files import check_video_output, replacing
from redactkit.runtime.timecode import check_ranges
from redactkit.video.encoder import EncodedTrack
from redactkit.video.encoding import choose_encoding
from redactkit.video.mp4file import Mp4File
from redactkit.video.muting import end_of
from redactkit.video.opening import av_errors
from redactkit.video.segments import Segment, SegmentOrder, Span, split_segments
from redactkit.video.smartcopy.plan import CopyPlan, plan_copy
from redactkit.video.smartcopy.track import SmartTrack
from redactkit.video.stream_traits import read_traits
from redactkit.video.timing import durations, start_shift

__all__ = ["VideoWriter"]


class VideoWriter:
    """Writes an mp4 with the source's timestamps, size, orientation, colour tags and audio. A context manager.

    Each of its `pieces` has an encoder of its own, so that several threads may write, each another piece.
    The file has a temporary name beside ``path`` until it is whole; if the block ends with an exception
    it is removed.

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
        bit for bit where the source leaves no doubt (`redactkit.video.smartcopy.plan`); only the frames of
        `wanted` are then to be written.
    span : (int, int), optional
        First frame to be written and the one after the last; by default all.
    set_id : int, optional
        Number of the h264 parameter sets, for a part that is put beside copied frames.

    Attributes
    ----------
    pixel_format : str
        What frames are stored as, in FFmpeg's name.
    copied : ndarray of shape (F,), bool
        The frames that are copied and not written.
    wanted, copied_ranges : list of (int, int)
        Start and stop of every range of frames that is to be written, and that is copied.
    pieces : list of (int, int)
        The same as ``wanted`` in pieces that may be written at the same time, in any order. They do not
        depend on the machine, and so neither do the bytes.
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
        *,
        codec: str | None = None,
        crf: float | None = None,
        preset: str | None = None,
        audio: Literal["keep", "drop"] = "keep",
        mute: Iterable[Iterable[float]] = (),
        overwrite: bool = False,
        keep_metadata: bool = False,
        smart_copy: ArrayLike | None = None,
        span: Span | None = None,
        set_id: int | None = None,
    ) -> None:
        if audio not in ("keep", "drop"):
            raise OptionError(f"audio must be 'keep' or 'drop', got {audio!r}")
        sources = () if info.path is None else (info.path,)
        self.path = check_video_output(path, overwrite=overwrite, sources=sources)
        self._info, self._audio, self._overwrite, self._span = info, audio == "keep", overwrite, span
        self._keep_metadata = keep_metadata
        self._mute = check_ranges(mute, end=end_of(info))
        traits = read_traits(info)
        encoding = choose_encoding(info, codec=codec, crf=crf, preset=preset, traits=traits)
        self._encoding = encoding if set_id is None else encoding.numbered(set_id)
        self.pixel_format = self._encoding.pixel_format
        self._plan = self._planned(smart_copy)
        self.copying, self.copied = (self._encoding, self._plan), self._plan.copied
        self.wanted = [span] if span else self._plan.ranges(copied=False)
        self.copied_ranges, self.pieces = self._plan.ranges(copied=True), split_segments(self.wanted)
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
        end = self.pieces[-1:]
        self._pieces = [Segment(each, info, self._encoding, path=self.path, last=[each] == end) for each in self.pieces]
        self._starts = info.pts[[start for start, _ in self.pieces]].tolist()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            with av_errors(self.path, "create it"):
                public = self._span is None  # a part of a video is of nobody else's concern
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
        self._order = SegmentOrder(self._file, self._track, [start for start, _ in self.pieces])

    def _planned(self, redacted: ArrayLike | None) -> CopyPlan:
        if redacted is None:
            return CopyPlan(np.zeros(self._info.frame_count, bool))
        return plan_copy(self._info, redacted, encoding=self._encoding)

    def prepare(self, picture: av.VideoFrame, pts: int) -> av.VideoFrame:
        """Return a copy of ``picture``, of the frame at ``pts``, in `pixel_format` and to be written to.

        See `plane_views`. The next picture of its piece is prepared in the same place.
        """
        return self._pieces[self._place(pts)].prepare(picture)

    def write(self, picture: av.VideoFrame, pts: int) -> None:
        """Encode one frame at ``pts``, in ticks of ``info.time_base``; frames of a piece come in presentation order.

        Raises
        ------
        VideoError
            If its size is not the video's, time does not rise, it is to be copied, or encoding fails.
        """
        info, place = self._info, self._place(pts)
        frame = int(np.searchsorted(info.pts, pts))
        known = frame < info.frame_count and info.pts[frame] == pts
        if known and self.copied[frame]:
            raise VideoError(f"frame {frame} was to be copied and came to be encoded ({info.path})")
        piece, tick = self._pieces[place], pts + round(self._shift / info.time_base)
        with av_errors(self.path, "encode it"):
            length = self._durations.get(pts, 0)
            self._order.put(place, piece.encode(picture, pts, track=self._track, tick=tick, length=length))
        if known and frame == piece.span[1] - 1:
            self._finish_piece(place)

    def _place(self, pts: int) -> int:
        return max(0, bisect_right(self._starts, pts) - 1)

    def leave_out(self, frames: Iterable[int]) -> None:
        """Say that these frames, which `wanted` has, will not come, as they do not decode."""
        self._track.leave_out(frames)

    def _finish_piece(self, place: int) -> None:
        with av_errors(self.path, "encode it"):
            self._order.put(place, self._pieces[place].finish(), last=True)

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
        if not any(piece.begun for piece in self._pieces) and not self.copied.any():
            raise VideoError(f"no frame was written to {self.path}; an mp4 needs one")
        for place in range(len(self._pieces)):
            self._finish_piece(place)
        with av_errors(self.path, "finish it"):
            for packet in self._track.finish():
                self._file.mux(packet)
            self._file.finish_sound()
            self.notes.extend(note for note in self._file.notes if note not in self.notes)
            self._file.close()
        self._let_go()

    def _abandon(self) -> None:
        """Let go of the files, with no more written than has been."""
        self._file.abandon()
        self._let_go()

    def _let_go(self) -> None:
        self._track.close()
        self._pieces.clear()
        del self._track, self._order  # an encoder holds on to much memory
