"""The numbers that a file gives frames, and the frames of the video that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import AnnotationError, MismatchError
from redactkit.formats.azure.time_grid import MAX_FRAMES
from redactkit.formats.normalize import Remark
from redactkit.formats.source import Source

__all__ = ["Numbered", "Numbering", "number_frames"]

_FEWEST = 3  # frames with a box from which a step that divides all distances is no accident

Frames = NDArray[np.int64]


@dataclass(frozen=True)
class Numbering:
    """How a file numbers frames.

    Parameters
    ----------
    rule : str
        Where the numbers come from, for a person to read.
    first : int
        The number of the video's first frame.
    listed_frames : sequence of int, optional
        The numbers of all frames that the file speaks of, also those without a box, where it lists them.
    doubt : str
        Why another first number may be meant; "" where the rule is sure.
    """

    rule: str = "frames count from 0"
    first: int = 0
    listed_frames: Sequence[int] | None = None
    doubt: str = ""


@dataclass(frozen=True)
class Numbered:
    """Frames of the video: one per row, how many there are, and which the file speaks of where it leaves some out."""

    frames: Frames
    count: int
    first: int
    step: int
    listed_frames: list[int] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def number_frames(
    at: Sequence[int], numbering: Numbering, source: Source, *, frame_count: int = 0, timed: bool = False
) -> Numbered:
    """Return the frames that a file's numbers mean, counted from 0.

    Parameters
    ----------
    at : sequence of int
        The file's number of the frame of each row.
    numbering : Numbering
        By the file; ``first_frame`` and ``frame_step`` of the source, what the caller says, come before it.
    frame_count : int
        How many frames the file says there are.
    timed : bool
        The file says when its frames are, so that they need not be those of the video.

    Raises
    ------
    AnnotationError
        If a frame lies before the first one, or beyond the longest video read.
    MismatchError
        If the file numbers a part of the video's frames one after the other, so that they may be every nth.
    """
    listed = sorted({*at, *(numbering.listed_frames or ())})
    first, remarks = _find_first(listed, numbering, source, timed=timed)
    step = source.frame_step or 1
    lowest, highest = (listed[0], listed[-1]) if listed else (first, first - 1)
    last = (highest - first) * step
    if lowest < first or max(last, frame_count * step) >= MAX_FRAMES:
        raise AnnotationError(
            f"frame numbers must be {first} to {first + MAX_FRAMES}, got {lowest} to {highest}; "
            "pass first_frame (--first-frame) if they count from another number"
        )
    if numbering.listed_frames is not None and len(at) and not timed:
        _check_step(sorted(set(numbering.listed_frames)), source)
    listed_frames, sparse = _list_frames((np.array(listed, np.int64) - first) * step, numbering)
    frames = (np.array(at, np.int64) - first) * step
    count = max(frame_count * step, last + 1)
    return Numbered(frames, count, first, step, listed_frames, [*remarks, *sparse])


def _find_first(
    listed: Sequence[int], numbering: Numbering, source: Source, *, timed: bool
) -> tuple[int, list[Remark]]:
    """Return the number of the video's first frame, and a remark on the rule by which it is that."""
    if not listed:
        return numbering.first if source.first_frame is None else source.first_frame, []
    spoken = f"the first frame number in the file is {listed[0]}"
    if source.first_frame is not None:
        text = f"{spoken}; the caller says that the video's first frame is {source.first_frame}"
        return source.first_frame, [Remark("frame numbers", text, quiet=True)]
    count = source.video.frame_count if source.video is not None else 0
    if (
        numbering.first == 0
        and listed[0] >= 1
        and count
        and listed[-1] == count
        and source.frame_step is None
        and not timed
    ):
        text = f"{spoken} and the last one is {count}, as many as the video has, so frames count from 1"
        return 1, [Remark("frame numbers", text)]
    doubt = f"; {numbering.doubt}" if numbering.doubt else ""
    text = f"{spoken}; {numbering.rule}{doubt}"
    return numbering.first, [Remark("frame numbers", text, quiet=not doubt)]


def _check_step(listed_frames: Sequence[int], source: Source) -> None:
    """Refuse frames numbered one after the other where the video has at least twice as many."""
    if source.video is None or source.frame_step is not None or not listed_frames:
        return
    count = source.video.frame_count
    if listed_frames[-1] - listed_frames[0] == len(listed_frames) - 1 and len(listed_frames) * 2 <= count:
        raise MismatchError(
            f"the frames it lists are {len(listed_frames)}, numbered one after the other, but the video has {count}; "
            "if it holds every nth frame pass frame_step=n (--frame-step n), if it holds only some frames in a row, 1"
        )


def _list_frames(frames: Frames, numbering: Numbering) -> tuple[list[int], list[Remark]]:
    """Return the frames that the file speaks of, where it steps over others; none where it does not."""
    if len(frames) < 2:
        return [], []
    apart = np.diff(frames)
    if numbering.listed_frames is not None:
        step = int(np.median(apart))
        listed_frames = frames
    else:
        step = int(np.gcd.reduce(apart)) if len(frames) >= _FEWEST else 1
        listed_frames = np.arange(frames[0], frames[-1] + 1, step)
    if step < 2:
        return [], []
    text = f"the frames that the file speaks of are {step} apart; on a video, boxes are held from one to the next"
    return listed_frames.tolist(), [Remark("frames stepped over", text)]
