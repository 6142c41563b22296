"""Decode, hide and encode: the frames of a redaction, several segments in parallel."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from redactkit import effects
from redactkit.errors import MismatchError, OptionError
from redactkit.media import FrameRange, VideoInfo
from redactkit.redaction.plan import Plan, noise_seed
from redactkit.runtime.cores import count_workers
from redactkit.runtime.progress import ProgressLike, track
from redactkit.runtime.streams import side_by_side
from redactkit.video import Frame, VideoReader, VideoWriter, pixel_layout, plane_views

__all__ = ["Written", "write_frames"]

PROGRESS_FRAMES = 4
"""Frames between two progress messages. Lower is smoother, and wakes the counting thread more often."""


@dataclass(frozen=True)
class Written:
    """What became of frames that were to be written.

    Parameters
    ----------
    painted : mapping of int to int
        Boxes painted, by face: counted when the picture that was painted on is written, not when that was planned.
    frames : mapping of int to int
        Frames in which a box was painted, by face.
    left_out : tuple of int
        Frames that did not decode and are not in the output.
    odd : tuple of str
        What was odd about the source: packets that did not decode, and how many frames that cost.
    """

    painted: Mapping[int, int] = field(default_factory=dict)
    frames: Mapping[int, int] = field(default_factory=dict)
    left_out: tuple[int, ...] = ()
    odd: tuple[str, ...] = ()

    @classmethod
    def joined(cls, several: Iterable[Written]) -> Written:
        """Return what became of the frames of several workers, or chunks, together."""
        every = list(several)
        painted: Counter[int] = Counter()
        frames: Counter[int] = Counter()
        for each in every:
            painted.update(each.painted)
            frames.update(each.frames)
        left_out = sorted({frame for each in every for frame in each.left_out})
        odd = dict.fromkeys(text for each in every for text in each.odd)
        return cls(dict(painted), dict(frames), tuple(left_out), tuple(odd))


def write_frames(
    info: VideoInfo,
    plan: Plan,
    writer: VideoWriter,
    *,
    kind: str,
    strength: float,
    progress: ProgressLike,
) -> Written:
    """Hide the faces in the frames of the writer's segments and write them, several segments in parallel.

    The pixels are the same as in a run from the first frame to the last with one worker.

    Parameters
    ----------
    info : VideoInfo
    plan : Plan
    writer : VideoWriter
    kind : str
        Blur kind.
    strength : float
        As in `redactkit.redact`.
    progress : bool or callable

    Returns
    -------
    Written

    Raises
    ------
    MismatchError
        If expected frames were not decoded, and no damage to the file explains it.
    """
    if info.path is None:
        raise OptionError("these annotations name no video file; pass the path of the video")
    left = iter(writer.segments)
    look = (kind, strength, noise_seed(info))
    painting = threading.Lock()
    count = count_workers(width=info.width, height=info.height, tasks=max(1, len(writer.segments)))
    workers = [_Worker(info, plan, writer, look, left, painting) for _ in range(count)]
    expected = sum(segment.length for segment in writer.segments)
    written: set[int] = set()
    with (
        track(progress, "redact", total=expected) as update,
        closing(side_by_side([worker.written() for worker in workers])) as frames,
    ):
        for numbers in frames:
            written.update(numbers)
            update(len(numbers))
    done = Written.joined(Written(worker.painted, worker.frames, odd=worker.errors) for worker in workers)
    missing = _left_out(written, writer, odd=done.odd)
    if not missing:
        return done
    lost = f"{len(missing)} frame(s) that do not decode are not in the output, the first of them {missing[0]}"
    return replace(done, left_out=tuple(missing), odd=(*done.odd, lost))


@dataclass
class _Worker:
    """Writes segments, one after the other and forward in time, with a decoder and an effect of its own.

    Workers paint in turn (``painting`` is a lock): painting holds Python's interpreter lock most of the time, and two
    threads that contend for it are slower than one.
    """

    info: VideoInfo
    plan: Plan
    writer: VideoWriter
    look: tuple[str, float, int]
    left: Iterator[FrameRange]
    painting: threading.Lock
    effect: effects.Effect | None = None
    painted: Counter[int] = field(default_factory=Counter)
    frames: Counter[int] = field(default_factory=Counter)
    errors: tuple[str, ...] = ()
    start: int = 0

    def written(self) -> Iterator[list[int]]:
        """Write the segments that are left, and yield the numbers of the frames written, a few at a time."""
        assert self.info.path is not None
        done: list[int] = []
        with VideoReader(self.info.path, info=self.info, threads=1) as reader:
            try:
                for frame in reader.ranges(self._ranges()):
                    picture, painted = self._hide(frame)
                    if frame.index < self.start:
                        continue
                    self.writer.write(picture, frame.pts)
                    self.painted.update(painted)
                    self.frames.update(set(painted))
                    done.append(frame.index)
                    if len(done) == PROGRESS_FRAMES:
                        yield done
                        done = []
                yield done
            finally:
                self.errors = tuple(reader.decode_errors)

    def _hide(self, frame: Frame) -> tuple[Any, list[int]]:
        """Return the frame's picture with its faces hidden, and those faces.

        A frame before the segment is not painted: the effect only samples it.
        """
        boxes, faces = self.plan.at(frame.index)
        if not len(boxes):
            return frame.picture, []
        paint = frame.index >= self.start
        with self.painting:
            # A frame before the segment is copied into the memory of the segment that comes.
            picture = self.writer.prepare(frame.picture, int(self.info.pts[max(frame.index, self.start)]))
            kind, strength, seed = self.look
            if self.effect is None:
                self.effect = effects.Effect(kind, pixel_layout(picture), strength=strength, seed=seed)
            looks, number = self.plan.looks_at(frame.index), frame.index
            done = self.effect.apply(plane_views(picture), boxes, faces=faces, frame=number, paint=paint, looks=looks)
        return picture, done

    def _ranges(self) -> Iterator[FrameRange]:
        """Yield the next segment's frame range, extended to the start of its hold window if that has hidden boxes."""
        for start, stop in self.left:
            window = start - start % effects.HOLD_FRAMES
            self.start = start
            yield FrameRange(window if self.plan.touched[window:start].any() else start, stop)


def _left_out(written: set[int], writer: VideoWriter, *, odd: tuple[str, ...]) -> list[int]:
    """Announce the frames that were not decoded to the writer; refuse if no broken packet explains them."""
    wanted = {frame for start, stop in writer.segments for frame in range(start, stop)}
    missing = sorted(wanted - written)
    if not missing:
        return []
    if not odd:
        raise MismatchError(f"frames {missing[:10]} of the source did not come; nothing was written")
    writer.leave_out(missing)
    return missing
