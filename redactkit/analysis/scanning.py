"""A run of frames through the detector: some are searched, then those between where that does not tell enough."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.appearance import DESCRIPTOR_LENGTH, Appearance, describe
from redactkit.analysis.crop_regions import inside, plan_crops
from redactkit.analysis.crops import Crop
from redactkit.analysis.letterbox import Image, Letterbox, merge
from redactkit.analysis.sampling import IntArray, fill_between, predicted, predicted_halfway, sampled_frames
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.search import Search
from redactkit.analysis.shot_boundaries import THUMBNAIL_SIZE
from redactkit.boxes import FloatArray, suppress, union_cover
from redactkit.detectors import is_thread_safe, run_detector
from redactkit.media import VideoInfo
from redactkit.runtime.streams import buffered
from redactkit.video import Frame

__all__ = ["search_frames"]

BATCH_FRAMES = 4
BUFFERED_BATCHES = 1
NO_PAIRS = np.zeros((0, 2), np.int64)
HELD_BYTES = 24 << 20

MAX_SHARED_COVER = 0.5
"""Share of a box inside one of a face known to be there from which it is a part of that."""

Item = TypeVar("Item")
Seen = tuple[FloatArray, Appearance]


@dataclass(frozen=True)
class _Gap:
    """Two searched frames, between which faces are not where they were predicted.

    ``pairs`` are the faces of the two that belong together, ``mismatched`` the places of those that were not
    predicted, shape (N, 4), None where nothing is predicted yet.
    """

    first: int
    last: int
    pairs: IntArray
    mismatched: FloatArray | None = None


@dataclass
class _ScannedFrame:
    """A frame on its way: whether sampling starts anew with it, or after it, and whether it is searched in any case.

    ``image`` is a picture of it where the search is certain to be at full detail, and ``seen`` what was found so.
    """

    frame: Frame
    fresh: bool
    last: bool
    sampled: bool
    image: Image | None
    seen: Seen | None = None


def search_frames(
    frames: Iterator[Frame],
    info: VideoInfo,
    search: Search,
    found: ScanResult,
    *,
    span: tuple[int, int],
    edges: IntArray,
    overlap: bool,
) -> Iterator[list[int]]:
    """Search frames in order and put down what was ``found``; those outside ``span`` only serve to find cuts.

    Parameters
    ----------
    frames : iterator of Frame
    info : VideoInfo
    search : Search
    found : ScanResult
        Empty at first.
    span : (int, int)
        First frame to search and the one after the last.
    edges : ndarray of int
        Frames at which sampling starts anew.
    overlap : bool
        Whether decoding and certain searches go ahead in threads of their own, which hold more frames.

    Yields
    ------
    list of int
        Frames that are done.
    """
    eye = _FrameDetector(info, search)
    scanner = _Scanner(info, search, found, eye)
    run = buffered if overlap else _in_turn
    shots = _scanned_frames(run(frames, ahead=BUFFERED_BATCHES), info, search, found, span=span, edges=edges)
    blocks = _looked_ahead(run(shots, ahead=BUFFERED_BATCHES), eye)
    sampled = _sampled(run(blocks, ahead=0), scanner)
    with closing(run(sampled, ahead=0)) as ready:
        for block, gaps in ready:
            scanner.close(gaps, block)
            yield [shot.frame.index for shot in block]
            block.clear()  # or its frames would be held until the next block is whole


def _in_turn(items: Iterable[Item], *, ahead: int) -> Generator[Item, None, None]:
    """Iterate over ``items`` as `buffered` does, but with nothing ahead."""
    yield from items


def _scanned_frames(
    frames: Generator[Frame, None, None],
    info: VideoInfo,
    search: Search,
    found: ScanResult,
    *,
    span: tuple[int, int],
    edges: IntArray,
) -> Iterator[_ScannedFrame]:
    """Yield the frames of ``span``, with pictures of those that are searched at full detail in any case."""
    sampled, full = sampled_frames(info, search.every), sampled_frames(info, 2 * search.every)
    borders = {int(edge) for edge in edges}
    width, height = (2 * side for side in THUMBNAIL_SIZE)
    first = True
    with closing(frames):
        for frame in frames:
            small = frame.rgb(width=width, height=height)
            jump = found.finder.add(small)
            found.mixes.add(small)
            found.numbers.append(frame.index)
            if not span[0] <= frame.index < span[1]:
                continue
            fresh = first or jump or frame.index in borders
            first = False
            last = frame.index + 1 in borders
            image = _image(frame, search.looks[0]) if fresh or last or full[frame.index] else None
            yield _ScannedFrame(frame, fresh, last, bool(fresh or last or sampled[frame.index]), image)


def _image(frame: Frame, look: Letterbox) -> Image:
    return frame.rgb(width=look.width, height=look.height)


def _blocks(shots: Iterator[_ScannedFrame], info: VideoInfo) -> Iterator[list[_ScannedFrame]]:
    """Yield runs of frames that end with one that is searched: a few of those, or as many frames as may be held.

    They end where sampling starts anew too, so that parts of a video are divided as the whole is.
    """
    most = max(2, HELD_BYTES // max(2 * info.width * info.height, 1))
    block: list[_ScannedFrame] = []
    searched = 0
    for shot in shots:
        block.append(shot)
        searched += shot.sampled
        if shot.last or (shot.sampled and (searched >= BATCH_FRAMES or len(block) >= most)):
            yield block
            block, searched = [], 0
    if block:
        yield block


def _looked_ahead(shots: Generator[_ScannedFrame, None, None], eye: _FrameDetector) -> Iterator[list[_ScannedFrame]]:
    """Yield blocks with what is seen in the frames that are searched at full detail in any case."""
    with closing(shots):
        for block in _blocks(shots, eye.info):
            eye.look_ahead(block)
            yield block


def _sampled(
    blocks: Generator[list[_ScannedFrame], None, None], scanner: _Scanner
) -> Iterator[tuple[list[_ScannedFrame], list[_Gap]]]:
    """Yield blocks whose sampled frames are searched, with the gaps between those in which something is mismatched."""
    with closing(blocks):
        for block in blocks:
            yield block, scanner.sample(block)


@dataclass(frozen=True)
class _FrameDetector:
    """Looks at frames, for one thread at a time where the detector does not bear more."""

    info: VideoInfo
    search: Search
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _detect(self, pictures: Sequence[Image]) -> list[FloatArray]:
        alone = nullcontext() if is_thread_safe(self.search.detector) else self._lock
        with alone:
            return run_detector(self.search.detector, pictures)

    def look_ahead(self, block: Sequence[_ScannedFrame]) -> None:
        """Search those frames of a block of which it is known that they must be, at full detail."""
        certain = [shot for shot in block if shot.image is not None]
        for shot, seen in zip(certain, self.look(certain, self.search.looks), strict=True):
            shot.seen = seen

    def look(self, shots: Sequence[_ScannedFrame], looks: Sequence[Letterbox]) -> list[Seen]:
        """Run the detector on frames; pictures of one size go to it in a row."""
        if not shots:
            return []
        images = [_image(shot.frame, looks[0]) if shot.image is None else shot.image for shot in shots]
        pictures = [look.picture(image) for look in looks for image in images]
        results = self._detect(pictures)
        return [self._seen(image, looks, results[place :: len(shots)]) for place, image in enumerate(images)]

    def look_at(self, places: Sequence[tuple[_ScannedFrame, Sequence[Crop]]]) -> list[Seen]:
        """Run the detector on parts of frames; a face that a part cuts off may be found as a smaller one."""
        pictures = [cut.picture(shot.frame) for shot, cuts in places for cut in cuts]
        shown, results = iter(pictures), iter(self._detect(pictures))
        return [self._joined([(cut, next(shown), next(results)) for cut in cuts]) for _, cuts in places]

    def _joined(self, parts: Sequence[tuple[Crop, Image, FloatArray]]) -> Seen:
        """Join what was found in parts of one frame."""
        looks = np.vstack([describe(picture, found[:, :4]) for _, picture, found in parts])
        faces = np.vstack([cut.faces(found) for cut, _, found in parts])
        kept = suppress(faces[:, :4], faces[:, 4])
        kept = kept[faces[kept, 4] >= self.search.thresholds.floor]
        return faces[kept], looks[kept]

    def _seen(self, image: Image, looks: Sequence[Letterbox], results: Sequence[FloatArray]) -> Seen:
        size = {"width": self.info.width, "height": self.info.height}
        each = [look.faces(found, **size) for look, found in zip(looks, results, strict=True)]
        faces = merge(each, floor=self.search.thresholds.floor)
        scale = np.tile([image.shape[1] / self.info.width, image.shape[0] / self.info.height], 2)
        return faces, describe(image, faces[:, :4] * scale)


@dataclass
class _Scanner:
    """Searches blocks of frames one after another; knows the last two sampled frames of the blocks before.

    The gaps of a block may be closed while the next is sampled: that looks at nothing but sampled frames.
    """

    info: VideoInfo
    search: Search
    found: ScanResult
    eye: _FrameDetector
    past: list[int] = field(default_factory=list)

    def sample(self, block: Sequence[_ScannedFrame]) -> list[_Gap]:
        """Search the frames of a block that are searched in any case; fill what that tells, return the other gaps."""
        held = {shot.frame.index: shot for shot in block}
        grid = self._grid(block)
        self._look_all(grid, held)
        gaps: list[_Gap] = []
        for number in grid:
            self.past = [] if held[number].fresh else self.past
            if self.past:
                gaps += self._gaps(self.past[-1], number, held)
            self.past = [*self.past[-1:], number]
        return gaps

    def close(self, gaps: list[_Gap], block: Sequence[_ScannedFrame]) -> None:
        """Search the middle of each gap, and of those that are left, until none is."""
        held = {shot.frame.index: shot for shot in block}
        while gaps:
            gaps = self._halve(gaps, held)

    def _grid(self, block: Sequence[_ScannedFrame]) -> list[int]:
        """Return the frames to search first: sampled ones, and both sides of every jump."""
        wanted = {place for place, shot in enumerate(block) if shot.sampled}
        wanted |= {place - 1 for place, shot in enumerate(block) if shot.fresh and place} | {len(block) - 1}
        return [block[place].frame.index for place in sorted(wanted)]

    def _look_all(self, grid: Sequence[int], held: dict[int, _ScannedFrame]) -> None:
        """Search sampled frames: every other one lightly, where those beside it show nothing but large faces."""
        full = [number for number in grid if held[number].image is not None or not held[number].sampled]
        self._look([held[number] for number in full], self.search.looks)
        order = [*self.past[-1:], *grid]
        beside = {number: {*order[max(place - 1, 0) : place + 2]} - {number} for place, number in enumerate(order)}
        others = [number for number in grid if number not in full]
        self._look_lightly([(held[number], [*beside[number]]) for number in others])

    def _look_lightly(self, shots: Sequence[tuple[_ScannedFrame, Sequence[int]]]) -> None:
        """Search frames between others, with no more looks at them than what those show asks for.

        That is half the detail where they show nothing but large faces, and it does so too.
        """
        light = [shot for shot, beside in shots if self._all(beside, self.search.sees_lightly)]
        self._look(light, self.search.light)
        small = {shot.frame.index for shot in light if not self._all([shot.frame.index], self.search.sees_lightly)}
        known = {shot.frame.index for shot in light} - small
        others = [(shot, self._all(beside, self.search.sees_finely)) for shot, beside in shots]
        for finely, looks in ((True, self.search.fine), (False, self.search.looks)):
            self._look([shot for shot, so in others if so == finely and shot.frame.index not in known], looks)

    def _all(self, numbers: Iterable[int], hold: Callable[[FloatArray, VideoInfo], bool]) -> bool:
        found = [self.found.faces[number] for number in numbers if number in self.found.faces]
        return bool(found) and all(hold(faces, self.info) for faces in found)

    def _look(self, shots: Sequence[_ScannedFrame], looks: Sequence[Letterbox]) -> None:
        unseen = [shot for shot in shots if shot.seen is None]
        seen = {shot.frame.index: shot.seen for shot in shots if shot.seen is not None}
        seen |= {shot.frame.index: each for shot, each in zip(unseen, self.eye.look(unseen, looks), strict=True)}
        for number, (faces, appearance) in seen.items():
            self._keep(number, faces, appearance, np.ones(len(faces), bool))

    def _keep(self, number: int, faces: FloatArray, appearance: Appearance, searched: NDArray[np.bool_]) -> None:
        self.found.faces[number] = faces
        self.found.appearance[number], self.found.searched[number] = appearance, searched

    def _gaps(self, first: int, last: int, held: dict[int, _ScannedFrame]) -> list[_Gap]:
        """Fill the frames between two if the faces' motion before them predicts it, else return the gap."""
        inner = _between(first, last, held)
        if not inner:
            return []
        if len(self.past) < 2:
            return [_Gap(first, last, NO_PAIRS)]
        faces = [self.found.faces[number] for number in (self.past[0], first, last)]
        ratio = self._time(first, last) / self._time(self.past[0], first)
        pairs, mismatched = predicted(*faces, ratio=ratio, see=self.search.thresholds.see)
        if len(mismatched):
            return [_Gap(first, last, pairs, mismatched)]
        self._fill(first, last, pairs, inner)
        return []

    def _halve(self, gaps: Sequence[_Gap], held: dict[int, _ScannedFrame]) -> list[_Gap]:
        """Search the middle of each gap; fill the halves of which it tells enough, and return the others."""
        inners = [_between(gap.first, gap.last, held) for gap in gaps]
        middles = [inner[len(inner) // 2] for inner in inners]
        known = self._look_at_places([(held[number], gap) for number, gap in zip(middles, gaps, strict=True)])
        places = [(held[number], (gap.first, gap.last)) for number, gap in zip(middles, gaps, strict=True)]
        self._look_lightly([place for place in places if place[0].frame.index not in known])
        left: list[_Gap] = []
        for gap, middle in zip(gaps, middles, strict=True):
            share = self._time(gap.first, middle) / self._time(gap.first, gap.last)
            faces = [self.found.faces[number] for number in (gap.first, middle, gap.last)]
            halves = predicted_halfway(*faces, share=share, see=self.search.thresholds.see)
            for (first, last), (pairs, mismatched) in zip(
                [(gap.first, middle), (middle, gap.last)], halves, strict=True
            ):
                inner = _between(first, last, held)
                if not len(mismatched):
                    self._fill(first, last, pairs, inner)
                elif inner:
                    left.append(_Gap(first, last, pairs, mismatched))
        return left

    def _look_at_places(self, places: Sequence[tuple[_ScannedFrame, _Gap]]) -> set[int]:
        """Search frames of gaps only where faces are mismatched; return the gaps for which that is enough."""
        ways = [(shot, gap, *self._cuts(gap)) for shot, gap in places]
        ways = [way for way in ways if way[3]]
        found = self.eye.look_at([(shot, cuts) for shot, _, _, cuts in ways]) if ways else []
        known = set()
        for (shot, gap, look, cuts), (faces, appearance) in zip(ways, found, strict=True):
            if look not in self.search.light or self.search.sees_lightly(faces, self.info):
                self._keep_places(shot.frame.index, gap, cuts, faces, appearance)
                known.add(shot.frame.index)
        return known

    def _keep_places(
        self, number: int, gap: _Gap, cuts: Sequence[Crop], faces: FloatArray, appearance: Appearance
    ) -> None:
        """Keep what was found in parts of a frame of a gap; the other faces lie between those of the gap's two."""
        share = self._time(gap.first, number) / self._time(gap.first, gap.last)
        others = fill_between(self.found.faces[gap.first], self.found.faces[gap.last], gap.pairs, share)
        others = others[~inside(others[:, :4], cuts)]
        own = union_cover(faces[:, :4], others[:, :4]) < MAX_SHARED_COVER
        self._keep(
            number,
            np.vstack([faces[own], others]),
            np.vstack([appearance[own], np.zeros((len(others), DESCRIPTOR_LENGTH), np.uint8)]),
            np.arange(own.sum() + len(others)) < own.sum(),
        )

    def _cuts(self, gap: _Gap) -> tuple[Letterbox, list[Crop]]:
        """Return the look in which a gap's places are searched at the least cost, and its parts; none if not so."""
        mismatched = gap.mismatched
        if mismatched is None or not self.search.light or self.search.turns:
            return self.search.looks[0], []
        light = self.search.light if self.search.sees_lightly(mismatched, self.info) else ()
        ways = []
        for look in (self.search.looks[0], *light):
            cuts = plan_crops(mismatched, scale=look.width / self.info.width, width=look.width, height=look.height)
            ways.append((look, cuts or []))
        return min(ways, key=lambda way: sum(cut.scaled**2 for cut in way[1]) or np.inf)

    def _fill(self, first: int, last: int, pairs: IntArray, inner: Sequence[int]) -> None:
        for number in inner:
            share = self._time(first, number) / self._time(first, last)
            self.found.faces[number] = fill_between(self.found.faces[first], self.found.faces[last], pairs, share)

    def _time(self, first: int, last: int) -> float:
        return max(float(self.info.times[last] - self.info.times[first]), 1e-9)


def _between(first: int, last: int, held: dict[int, _ScannedFrame]) -> list[int]:
    return [number for number in range(first + 1, last) if number in held]
