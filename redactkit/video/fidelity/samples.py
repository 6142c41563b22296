"""Whether the pictures are the source's: frames at both ends and between, held against the source's, small.

A frame is compared with the source's frame of its number and with those before and after, tile by tile. Where a tile
moves, only one of them fits. What was hidden fits none, and tells nothing; nor does a tile that the encoder left as it
was in the frame before, as it does where little moves. Colours are compared as they are shown, so that a mistaken range
or matrix is seen too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from redactkit.media import VideoInfo
from redactkit.video.fidelity.rows import Row
from redactkit.video.fidelity.timeline import Timeline
from redactkit.video.frames import Frame
from redactkit.video.opening import av_errors, opened, video_stream

__all__ = ["Boxes", "SampleCollector", "picture_checks", "sampled_frames", "source_frames"]

Boxes = Callable[[int], NDArray[np.float64]]
Images = dict[int, NDArray[np.float32]]

RUN = 4
"""Frames compared at each place."""

_BETWEEN = 3
_EVERY = 250  # frames for each place between the ends
_REACH = 2  # frames before and after with which one is compared
_SIDE = 320  # pixels of the longer side of what is compared
_TILE = 16
_GROWN = 16  # pixels around a hidden box that its blocks may change
_MOVES = 1.0  # of 255, root mean square: by so much a tile changes that tells its frame from the next
_FOLLOWS = 0.5  # of what a tile changes by in the source, it changes by in an output that follows it
_COLOUR = 6.0  # of 255: mean of what tiles differ in, where their detail is averaged out


@dataclass
class SampleCollector:
    """Keeps the frames of some numbers, small; not what was concealed, which every decoder conceals in its own way."""

    wanted: frozenset[int]
    images: Images = field(default_factory=dict)

    def __call__(self, number: int, picture: av.VideoFrame) -> None:
        """See a frame."""
        if number in self.wanted and not picture.is_corrupt:
            self.images[number] = _small(picture)


def sampled_frames(count: int, keyframes: Sequence[int]) -> list[int]:
    """Return the frames to compare of ``count`` frames: some at each end, and some after keyframes between."""
    last = max(0, count - RUN)
    places = {0, last}
    between = min(_BETWEEN, count // _EVERY) or int(count > 3 * RUN)
    for part in range(1, between + 1):
        middle = count * part // (between + 1)
        near = min(keyframes, key=lambda key: abs(key - middle), default=middle)
        places.add(min(last, near if abs(near - middle) < count // (2 * between + 2) else middle))
    return sorted({frame for place in places for frame in range(place, min(place + RUN, count))})


def source_frames(frames: Iterable[int]) -> frozenset[int]:
    """Return the frames of the source to look at: those that are compared, and their neighbours."""
    return frozenset(number for frame in frames for number in range(frame - _REACH, frame + _REACH + 1) if number >= 0)


def _small(picture: av.VideoFrame) -> NDArray[np.float32]:
    """Return a picture as stored, in the colours in which it is shown, shape (H, W, 3)."""
    scale = max(1.0, max(picture.width, picture.height) / _SIDE)
    width, height = (max(1, round(side / scale)) for side in (picture.width, picture.height))
    return Frame(0, 0, 0.0, picture).rgb(width=width, height=height).astype(np.float32)


def read_frames(path: Path, timeline: Timeline, numbers: Iterable[int], *, keyframes: Sequence[int]) -> Images:
    """Return frames of a video by their times, decoding from the keyframe before each.

    Frames are left out that a seek does not give.
    """
    places = {tick: number for number, tick in enumerate(timeline.ticks) if tick is not None}
    look = SampleCollector(frozenset(number for number in numbers if number < len(timeline.ticks)))
    with av_errors(path, "decode it"), opened(path) as container:
        stream = video_stream(container, path)
        for first, last in _runs(sorted(look.wanted), keyframes):
            container.seek(timeline.ticks[first] or 0, stream=stream)
            for picture in _whole(container.decode(stream)):
                number = places.get(picture.pts if picture.pts is not None else -1)
                if number is not None:
                    look(number, picture)
                if number is not None and number >= last:
                    break
    return look.images


def _runs(numbers: Sequence[int], keyframes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of the frames that one decoding gives: up to where a seek saves some of it."""
    runs: list[list[int]] = []
    for number in numbers:
        near = runs and (number == runs[-1][1] + 1 or not any(runs[-1][1] < key <= number for key in keyframes))
        if near:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    yield from ((first, last) for first, last in runs)


def _whole(pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield pictures from the first keyframe on: those shown before it may refer to what a seek leaves out."""
    begun: int | None = None
    for picture in pictures:
        if begun is None and picture.key_frame:
            begun = picture.pts
        if begun is not None and picture.pts is not None and picture.pts >= begun:
            yield picture


def picture_checks(
    source: VideoInfo, before: Images, after: Images, frames: Iterable[int], *, hidden: Boxes | None
) -> Iterator[Row]:
    """Yield whether the pictures are the source's, and in its colours.

    Parameters
    ----------
    source : VideoInfo
    before, after : mapping of int to ndarray
        Frames of the source and of the output.
    frames : iterable of int
        The frames to compare.
    hidden : callable, optional
        Gives the boxes that are hidden in a frame, shape (N, 4), in pixels of the picture as stored.
    """
    seen = [number for number in frames if number in before and number in after]
    alike = [number for number in seen if before[number].shape == after[number].shape]
    if not alike:
        yield "pictures", "the source's", "none to compare", False, ""
        return
    found = {number: _compare(before, after, number, _outside(source, hidden, number)) for number in alike}
    yield _time_row(found)
    frames_apart = [each.colours for each in found.values() if len(each.colours)]
    if hidden is None and frames_apart:
        # Nobody says what is hidden, and whole frames may be: that is left out which differs most.
        apart = float(np.quantile(np.concatenate(frames_apart), 0.25))
    else:
        apart = max((float(np.median(differences)) for differences in frames_apart), default=0.0)
    yield "colours", f"within {_COLOUR} of 255", f"{apart:.1f}", apart <= _COLOUR, ""


@dataclass(frozen=True)
class _Found:
    """What a frame's tiles tell.

    ``votes`` has, for each frame of the source near it by how far away it is, how many tiles fit that one and not the
    frame of its number, and how many fit the frame of its number and not that one; ``colours`` by how much tiles
    differ in colour.
    """

    votes: dict[int, tuple[int, int]]
    colours: NDArray[np.float64]


def _time_row(found: dict[int, _Found]) -> Row:
    """Return the row on time, of the first place, all together, or one frame, where tiles agree on another frame."""
    there = sorted(found)
    told = 0
    for place in [*_groups(there), there, *([number] for number in there)]:
        for offset in _OFFSETS:
            votes = [found[number].votes.get(offset, (0, 0)) for number in place]
            other, own = (sum(vote[which] for vote in votes) for which in (0, 1))
            told += other + own
            if other >= (_FEWEST if len(place) > 1 else _FEWEST_OF_ONE) and other > _AGREE * own:
                words = f"{abs(offset)} frame(s) {'late' if offset < 0 else 'early'} at frame {place[0]}"
                return "pictures", "the source's", words, False, f"{other} of {other + own} tiles"
    return "pictures", "the source's", "the source's", True, "" if told else "nothing moves that tells frames apart"


_OFFSETS = tuple(sorted((offset for offset in range(-_REACH, _REACH + 1) if offset), key=abs))
_AGREE = 3  # times as many tiles
_FEWEST, _FEWEST_OF_ONE = 4, 12  # tiles, of several frames and of one


def _groups(numbers: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1 and len(groups[-1]) < RUN:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _outside(source: VideoInfo, hidden: Boxes | None, number: int) -> Callable[[tuple[int, ...]], NDArray[np.bool_]]:
    """Return what gives the pixels of a small picture that no hidden box touches, by its height and width."""
    boxes = np.zeros((0, 4)) if hidden is None else np.asarray(hidden(number), np.float64).reshape(-1, 4)

    def mask(shape: tuple[int, ...]) -> NDArray[np.bool_]:
        outside = np.ones(shape, bool)
        scale = np.array([shape[1] / source.coded_width, shape[0] / source.coded_height])
        first = np.floor((boxes[:, :2] - _GROWN) * scale).astype(int).clip(0)
        last = np.ceil((boxes[:, :2] + boxes[:, 2:] + _GROWN) * scale).astype(int).clip(0)
        for (left, top), (right, bottom) in zip(first, last, strict=True):
            outside[top:bottom, left:right] = False
        return outside

    return mask


def _compare(
    before: Images, after: Images, number: int, outside: Callable[[tuple[int, ...]], NDArray[np.bool_]]
) -> _Found:
    picture = after[number]
    mask = outside(picture.shape[:2])
    weight = _tiles(mask.astype(np.float64))
    valid = weight >= 0.5

    def apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
        squares = np.where(mask, np.square(one - other).mean(axis=2), 0)
        return np.asarray(_tiles(squares) / np.maximum(weight, 1e-9))

    near = {offset: before[number + offset] for offset in (0, *_OFFSETS) if number + offset in before}
    off = {offset: apart(image, picture) for offset, image in near.items()}
    nearest = np.minimum.reduce([*off.values()])
    beside = [place for place in (number - 1, number + 1) if place in after and place in before]
    follows = np.zeros_like(valid)
    for place in beside:
        follows |= apart(after[place], picture) >= _FOLLOWS**2 * apart(before[place], near[0])
    votes: dict[int, tuple[int, int]] = {}
    for offset in near.keys() & set(_OFFSETS):
        tells = valid & (apart(near[offset], near[0]) > _MOVES**2)
        other = tells & follows & (off[offset] < off[0] / 2) & (off[offset] <= nearest)
        votes[offset] = int(other.sum()), int((tells & (off[0] < off[offset] / 2)).sum())
    means = [_tiles(np.where(mask, (picture - near[0])[..., channel], 0)) for channel in range(3)]
    colours = np.abs(np.stack(means) / np.maximum(weight, 1e-9)).mean(axis=0)
    return _Found(votes, colours[valid])


def _tiles(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean of each tile; those at the right and bottom edge may be smaller."""
    rows, columns = (np.arange(0, side, _TILE) for side in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=0), columns, axis=1)
    high, wide = (np.diff([*starts, side]) for starts, side in zip((rows, columns), values.shape, strict=True))
    return np.asarray(sums / (high[:, None] * wide))
