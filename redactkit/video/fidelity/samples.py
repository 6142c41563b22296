"""Compare sampled frames of the output with the source's, for their order and their colours.

Frames at both ends and at places between are scaled down and compared tile by tile with the source's frame of the same
number and with its neighbours. In a tile with motion only one of these fits. Hidden tiles fit none and do not count.
Nor do tiles that the encoder repeated from the frame before (skipped blocks). Colours are compared after conversion to
RGB, so a wrong range or matrix is found too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from redactkit.media import FrameRange, VideoInfo
from redactkit.video.fidelity.rows import Row
from redactkit.video.fidelity.timeline import Timeline
from redactkit.video.frames import Frame
from redactkit.video.opening import av_errors, opened, video_stream

__all__ = ["Boxes", "SampleCollector", "picture_checks", "compared_frames", "source_frames"]

Boxes = Callable[[int], NDArray[np.float64]]
Images = dict[int, NDArray[np.float32]]

RUN_FRAMES = 4
"""Successive frames compared at each place. More find a shift more surely and decode more."""

_MAX_PLACES_BETWEEN = 3  # places between the two ends
_PLACE_SPACING_FRAMES = 250  # of the video, for each place between the ends
_NEIGHBOUR_FRAMES = 2  # source frames before and after with which one is compared: the largest shift that is found
_LONGER_SIDE_PIXELS = 320  # of the scaled frames that are compared
_TILE_PIXELS = 16
_BOX_MARGIN_PIXELS = 16  # around a hidden box: coding blocks of the box may change these pixels
_MOTION_RMS = 1.0  # of 255: least change of a tile between two frames by which they are distinguished
_FOLLOW_SHARE = 0.5  # least change of a tile in the output, as a share of its change in the source; less is a repeat
_MAX_COLOUR_DIFFERENCE = 6.0  # of 255: largest difference of mean colours


@dataclass
class SampleCollector:
    """Keeps frames of given numbers, scaled down; not corrupt ones, which every decoder conceals in its own way."""

    wanted: frozenset[int]
    images: Images = field(default_factory=dict)

    def __call__(self, number: int, picture: av.VideoFrame) -> None:
        """Take a decoded frame."""
        if number in self.wanted and not picture.is_corrupt:
            self.images[number] = _small(picture)


def compared_frames(count: int, keyframes: Sequence[int]) -> list[int]:
    """Return the numbers of the frames to compare: some at each end, and some after keyframes between."""
    last = max(0, count - RUN_FRAMES)
    places = {0, last}
    between = min(_MAX_PLACES_BETWEEN, count // _PLACE_SPACING_FRAMES) or int(count > 3 * RUN_FRAMES)
    for part in range(1, between + 1):
        middle = count * part // (between + 1)
        near = min(keyframes, key=lambda key: abs(key - middle), default=middle)
        places.add(min(last, near if abs(near - middle) < count // (2 * between + 2) else middle))
    return sorted({frame for place in places for frame in range(place, min(place + RUN_FRAMES, count))})


def source_frames(frames: Iterable[int]) -> frozenset[int]:
    """Return the source frames that are needed: those that are compared, and their neighbours."""
    return frozenset(
        number
        for frame in frames
        for number in range(frame - _NEIGHBOUR_FRAMES, frame + _NEIGHBOUR_FRAMES + 1)
        if number >= 0
    )


def _small(picture: av.VideoFrame) -> NDArray[np.float32]:
    """Return the stored picture scaled down as RGB, shape (H, W, 3)."""
    scale = max(1.0, max(picture.width, picture.height) / _LONGER_SIDE_PIXELS)
    width, height = (max(1, round(side / scale)) for side in (picture.width, picture.height))
    return Frame(0, 0, 0.0, picture).rgb(width=width, height=height).astype(np.float32)


def read_frames(path: Path, timeline: Timeline, numbers: Iterable[int], *, keyframes: Sequence[int]) -> Images:
    """Return frames of a video by their timestamps, decoded from the keyframe before each.

    Frames that seeking does not reach are missing in the result.
    """
    places = {tick: number for number, tick in enumerate(timeline.ticks) if tick is not None}
    collector = SampleCollector(frozenset(number for number in numbers if number < len(timeline.ticks)))
    with av_errors(path, "decode it"), opened(path) as container:
        stream = video_stream(container, path)
        for run in _runs(sorted(collector.wanted), keyframes):
            container.seek(timeline.ticks[run.start] or 0, stream=stream)
            for picture in _whole(container.decode(stream)):
                number = places.get(picture.pts if picture.pts is not None else -1)
                if number is not None:
                    collector(number, picture)
                if number is not None and number >= run.stop - 1:
                    break
    return collector.images


def _runs(numbers: Sequence[int], keyframes: Sequence[int]) -> Iterator[FrameRange]:
    """Yield the runs that are decoded without a seek: up to a keyframe that saves decoding."""
    runs: list[FrameRange] = []
    for number in numbers:
        near = runs and (number == runs[-1].stop or not any(runs[-1].stop <= key <= number for key in keyframes))
        if near:
            runs[-1] = FrameRange(runs[-1].start, number + 1)
        else:
            runs.append(FrameRange(number, number + 1))
    yield from runs


def _whole(pictures: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield pictures from the first keyframe on; leading pictures before it may lack references after a seek."""
    begun: int | None = None
    for picture in pictures:
        if begun is None and picture.key_frame:
            begun = picture.pts
        if begun is not None and picture.pts is not None and picture.pts >= begun:
            yield picture


def picture_checks(
    source: VideoInfo, before: Images, after: Images, frames: Iterable[int], *, hidden: Boxes | None
) -> Iterator[Row]:
    """Yield the rows ``pictures`` (each is the source's frame of its number) and ``colours``.

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
        # It is not known what is hidden, and whole frames may be: the quarter that differs least decides.
        apart = float(np.quantile(np.concatenate(frames_apart), 0.25))
    else:
        apart = max((float(np.median(differences)) for differences in frames_apart), default=0.0)
    yield "colours", f"within {_MAX_COLOUR_DIFFERENCE} of 255", f"{apart:.1f}", apart <= _MAX_COLOUR_DIFFERENCE, ""


@dataclass(frozen=True)
class _FrameComparison:
    """The result of comparing one frame's tiles.

    ``votes`` has for each neighbouring source frame, by its offset, two counts: tiles that fit it better than the
    frame of the same number, and the reverse. ``colours`` are the differences of the tiles' mean colours.
    """

    votes: dict[int, tuple[int, int]]
    colours: NDArray[np.float64]


def _time_row(found: dict[int, _FrameComparison]) -> Row:
    """Return the row ``pictures``: a fault if tiles of a place, of all places or of one frame agree on a neighbour."""
    there = sorted(found)
    counted = 0
    for place in [*_groups(there), there, *([number] for number in there)]:
        for offset in _OFFSETS:
            votes = [found[number].votes.get(offset, (0, 0)) for number in place]
            other, own = (sum(vote[which] for vote in votes) for which in (0, 1))
            counted += other + own
            if other >= (_MIN_TILES if len(place) > 1 else _MIN_TILES_OF_ONE_FRAME) and other > _MAJORITY_FACTOR * own:
                words = f"{abs(offset)} frame(s) {'late' if offset < 0 else 'early'} at frame {place[0]}"
                return "pictures", "the source's", words, False, f"{other} of {other + own} tiles"
    return "pictures", "the source's", "the source's", True, "" if counted else "nothing moves that tells frames apart"


_OFFSETS = tuple(sorted((offset for offset in range(-_NEIGHBOUR_FRAMES, _NEIGHBOUR_FRAMES + 1) if offset), key=abs))
_MAJORITY_FACTOR = 3  # so many times more tiles must fit the neighbour than the right frame
_MIN_TILES, _MIN_TILES_OF_ONE_FRAME = 4, 12


def _groups(numbers: Sequence[int]) -> list[list[int]]:
    groups: list[list[int]] = []
    for number in numbers:
        if groups and number == groups[-1][-1] + 1 and len(groups[-1]) < RUN_FRAMES:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _outside(source: VideoInfo, hidden: Boxes | None, number: int) -> Callable[[tuple[int, ...]], NDArray[np.bool_]]:
    """Return a function that makes the mask of pixels that no hidden box touches, for a scaled picture's shape."""
    boxes = np.zeros((0, 4)) if hidden is None else np.asarray(hidden(number), np.float64).reshape(-1, 4)

    def mask(shape: tuple[int, ...]) -> NDArray[np.bool_]:
        outside = np.ones(shape, bool)
        scale = np.array([shape[1] / source.coded_width, shape[0] / source.coded_height])
        first = np.floor((boxes[:, :2] - _BOX_MARGIN_PIXELS) * scale).astype(int).clip(0)
        last = np.ceil((boxes[:, :2] + boxes[:, 2:] + _BOX_MARGIN_PIXELS) * scale).astype(int).clip(0)
        for (left, top), (right, bottom) in zip(first, last, strict=True):
            outside[top:bottom, left:right] = False
        return outside

    return mask


def _compare(
    before: Images, after: Images, number: int, outside: Callable[[tuple[int, ...]], NDArray[np.bool_]]
) -> _FrameComparison:
    """Compare the output's frame ``number`` with the source's frames around it, outside hidden boxes."""
    picture = after[number]
    mask = outside(picture.shape[:2])
    weight = _tiles(mask.astype(np.float64))
    valid = weight >= 0.5

    def apart(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
        squares = np.where(mask, np.square(one - other).mean(axis=2), 0)
        return np.asarray(_tiles(squares) / np.maximum(weight, 1e-9))

    # 1. Mean squared difference of every tile to the source's frames around it.
    near = {offset: before[number + offset] for offset in (0, *_OFFSETS) if number + offset in before}
    off = {offset: apart(image, picture) for offset, image in near.items()}
    nearest = np.minimum.reduce([*off.values()])
    # 2. Tiles that follow the source: they change from frame to frame about as much as the source does.
    adjacent = [place for place in (number - 1, number + 1) if place in after and place in before]
    follows = np.zeros_like(valid)
    for place in adjacent:
        follows |= apart(after[place], picture) >= _FOLLOW_SHARE**2 * apart(before[place], near[0])
    # 3. Votes: tiles in which the two source frames differ, and which fit one of them clearly better.
    votes: dict[int, tuple[int, int]] = {}
    for offset in near.keys() & set(_OFFSETS):
        distinguishing = valid & (apart(near[offset], near[0]) > _MOTION_RMS**2)
        other = distinguishing & follows & (off[offset] < off[0] / 2) & (off[offset] <= nearest)
        votes[offset] = int(other.sum()), int((distinguishing & (off[0] < off[offset] / 2)).sum())
    # 4. Mean colours of tiles, in which detail is averaged out.
    means = [_tiles(np.where(mask, (picture - near[0])[..., channel], 0)) for channel in range(3)]
    colours = np.abs(np.stack(means) / np.maximum(weight, 1e-9)).mean(axis=0)
    return _FrameComparison(votes, colours[valid])


def _tiles(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean of each tile; tiles at the right and bottom edge may be smaller."""
    rows, columns = (np.arange(0, side, _TILE_PIXELS) for side in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, axis=0), columns, axis=1)
    high, wide = (np.diff([*starts, side]) for starts, side in zip((rows, columns), values.shape, strict=True))
    return np.asarray(sums / (high[:, None] * wide))
