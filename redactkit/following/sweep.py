"""Follow several objects in one pass over the frames in each direction, so that a frame is decoded once for all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from redactkit.boxes import FloatArray
from redactkit.detectors import Detector
from redactkit.following.conditions import Ending, FollowedBox, FollowOptions
from redactkit.following.face_help import FaceHelp
from redactkit.following.fitting import FLAT_KINDS
from redactkit.following.follower import Follower
from redactkit.following.views import GrayImage
from redactkit.media import VideoInfo
from redactkit.runtime.cores import count_cores, opencv_in_one_thread
from redactkit.runtime.progress import ProgressLike, Update, track
from redactkit.video import Frame, VideoReader

__all__ = ["Followed", "Start", "follow_boxes"]

CHUNK_BYTES = 128 << 20
"""Memory for the frames that are decoded forwards and followed backwards. Raising it decodes fewer frames twice."""

MAX_WORKERS = 4
"""Threads that follow at once. Half of the work is Python's own, so that more of them would only wait."""


@dataclass(frozen=True)
class Start:
    """Where to start, and where to end at the latest.

    Parameters
    ----------
    object_id : int
    frame : int
        The frame in which the box is known.
    box : ndarray of shape (4,)
        x, y, width, height in pixels of the displayed frame.
    last : int
        The last frame to be followed to; one before ``frame`` follows backwards.
    kind : str
        What it is: a kind of `FLAT_KINDS` is followed in perspective too, and a face with the detector's help.
    to_known_box : bool
        Whether the last frame has a known box of the object.
    """

    object_id: int
    frame: int
    box: FloatArray
    last: int
    kind: str = ""
    to_known_box: bool = False

    @property
    def step(self) -> int:
        """1 forwards, -1 backwards."""
        return 1 if self.last > self.frame else -1


@dataclass(frozen=True)
class Followed:
    """What became of a start.

    Parameters
    ----------
    start : Start
    boxes : dict
        A `FollowedBox` by frame, without the start's own.
    ending : Ending
    """

    start: Start
    boxes: dict[int, FollowedBox]
    ending: Ending

    @property
    def last(self) -> int:
        """The last frame in which the object was seen."""
        step = self.start.step
        seen = [frame for frame, place in self.boxes.items() if place.seen]
        return max(seen, key=lambda frame: step * frame, default=self.start.frame)


def follow_boxes(
    reader: VideoReader,
    starts: Sequence[Start],
    *,
    detector: Detector | None = None,
    options: FollowOptions | None = None,
    progress: ProgressLike = False,
) -> list[Followed]:
    """Follow boxes through a video.

    Parameters
    ----------
    reader : VideoReader
        Of the video; frames are decoded by another one of the same file.
    starts : sequence of Start
        One for each object and direction; those whose last frame is their first are left out.
    detector : Detector, optional
        Finds faces; it helps where the kind is ``face``.
    options : FollowOptions, optional
    progress : bool or callable
        See `redactkit.runtime.progress.track`; a callable can cancel.

    Returns
    -------
    list of Followed
        In the order of ``starts``.

    Raises
    ------
    VideoError
        If a frame does not decode as the header says.

    Examples
    --------
    >>> with VideoReader("lobby.mp4") as reader:  # doctest: +SKIP
    ...     followed = follow_boxes(reader, plan_following(rows, 1, 5, frame_count=900).starts)
    """
    moving = [start for start in starts if start.last != start.frame]
    done: dict[int, Followed] = {}
    total = sum(abs(start.last - start.frame) for start in moving)
    with reader.another(threads=0, share=8) as own, track(progress, "follow", total=total) as update:
        workers = min(count_cores(), MAX_WORKERS)
        with opencv_in_one_thread(), ThreadPoolExecutor(workers, thread_name_prefix="redactkit-follow") as pool:
            for step in (1, -1):
                group = [start for start in moving if start.step == step]
                sweep = _Sweep(own.info, step, detector, options or FollowOptions(), update, pool)
                for start, result in sweep.run(own, group):
                    done[id(start)] = result
    return [done[id(start)] for start in moving]


@dataclass
class _Active:
    start: Start
    follower: Follower
    help: FaceHelp | None


@dataclass
class _Sweep:
    """All that go in one direction."""

    info: VideoInfo
    step: int
    detector: Detector | None
    options: FollowOptions
    update: Update
    pool: ThreadPoolExecutor
    active: list[_Active] = field(default_factory=list)

    def run(self, reader: VideoReader, starts: Sequence[Start]) -> Iterator[tuple[Start, Followed]]:
        """Yield each start with what became of it."""
        waiting = sorted(starts, key=lambda start: self.step * start.frame)
        keep_pictures = self.detector is not None
        while waiting:
            # Where nobody is on the way, the frames up to the next start are passed over.
            end = max((start.last for start in waiting), key=lambda frame: self.step * frame)
            frames = _frames(reader, waiting[0].frame, end, keep_pictures=keep_pictures)
            for number, image, picture in frames:
                yield from self._go_on(number, image, picture)
                while waiting and self.step * waiting[0].frame <= self.step * number:
                    start = waiting.pop(0)
                    if start.frame == number:
                        self.active.append(self._begin(start, image, picture))
                    else:  # its frame does not decode
                        yield start, Followed(start, {}, Ending.LOST)
                if not self.active:
                    break
            else:
                yield from self._end_of_video()
                for start in waiting:
                    yield start, Followed(start, {}, Ending.LOST)
                return

    def _begin(self, start: Start, image: GrayImage, picture: Frame | None) -> _Active:
        rate = float(self.info.frame_rate)
        follower = Follower(
            image,
            np.asarray(start.box, np.float64),
            frame=start.frame,
            flat=start.kind in FLAT_KINDS,
            frame_rate=rate,
            options=self.options,
        )
        if start.kind != "face" or self.detector is None or picture is None:
            return _Active(start, follower, None)
        return _Active(start, follower, FaceHelp(self.detector, picture, start.box))

    def _go_on(self, number: int, image: GrayImage, picture: Frame | None) -> Iterator[tuple[Start, Followed]]:
        still = []
        going = [each.follower for each in self.active if each.follower.ending is None]
        # Objects know nothing of each other, and half of the work is OpenCV's, which lets other threads run.
        for _ in self.pool.map(partial(Follower.step, image=image, frame=number), going):
            self.update(1)
        for each in self.active:
            follower = each.follower
            if follower.ending is None and each.help is not None and picture is not None:
                each.help.assist(follower, image, picture)
            if follower.ending is None and number != each.start.last:
                still.append(each)
                continue
            self.update(abs(each.start.last - number))
            yield each.start, _finished(each)
        self.active = still

    def _end_of_video(self) -> Iterator[tuple[Start, Followed]]:
        for each in self.active:
            yield each.start, _finished(each)
        self.active = []


def _finished(each: _Active) -> Followed:
    ending = each.follower.ending or each.follower.unfinished
    if ending is Ending.END and each.start.to_known_box:
        ending = Ending.MET
    return Followed(each.start, each.follower.boxes, ending)


Shown = tuple[int, GrayImage, Frame | None]
"""A frame's number, its brightness, and the frame itself where it is asked for."""


def _frames(reader: VideoReader, first: int, last: int, *, keep_pictures: bool) -> Iterator[Shown]:
    """Yield the frames from one to another in that order, forwards or backwards."""
    if last >= first:
        for frame in reader.frames_here(first, last + 1):
            yield frame.index, frame.luma(), frame if keep_pictures else None
        return
    info = reader.info
    bytes_each = info.width * info.height * (3 if keep_pictures else 1) * (2 if info.bit_depth > 8 else 1)
    most = max(8, CHUNK_BYTES // max(bytes_each, 1))
    stop = first + 1
    while stop > last:
        start = max(last, stop - most, 0)
        # Decoding starts at a keyframe in any case.
        keyframes = info.keyframes[(info.keyframes >= start) & (info.keyframes < stop)]
        start = int(keyframes[0]) if len(keyframes) and start > last else start
        chunk = [
            (frame.index, frame.luma(), frame if keep_pictures else None) for frame in reader.frames_here(start, stop)
        ]
        yield from reversed(chunk)
        stop = start
        if start == last:
            return
