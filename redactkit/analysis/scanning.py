"""Scan a section of a video: search sampled frames, then more of the frames between until all faces are predicted.

The section passes through a pipeline of four stages, each a generator:

1. `_scanned_frames` feeds the shot boundary finders, marks the frames to sample and scales those that surely need a
   search at full detail.
2. `_full_detail_batches` gathers batches of frames and runs the detector on the scaled ones.
3. `_sampled_batches` searches the other sampled frames and interpolates where all faces are predicted.
4. `search_frames` closes the remaining gaps by bisection.

The first two stages may run ahead in threads of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.appearance import DESCRIPTOR_LENGTH, Appearance
from redactkit.analysis.crop_regions import inside_crops, plan_crops
from redactkit.analysis.frame_detector import FrameDetector, ScannedFrame, scaled_image
from redactkit.analysis.letterbox import Letterbox
from redactkit.analysis.sampling import IntArray, interpolate_faces, match_halfway, match_predicted, sampled_frames
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.search import Search
from redactkit.analysis.shot_boundaries import THUMBNAIL_SIZE
from redactkit.boxes import FloatArray, union_cover
from redactkit.detectors.crops import Crop
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.streams import buffered
from redactkit.video import Frame, KeptFrame

__all__ = ["search_frames"]

BATCH_SAMPLES = 4
"""Sampled frames in a batch. Raising it gives the detector more frames at once, and holds more of their pictures."""

BUFFERED_BATCHES = 1
"""Items that the first two stages may be ahead. Raising it evens out their speeds, and holds more of them."""

Keep = Callable[[Frame], KeptFrame]

NO_PAIRS = np.zeros((0, 2), np.int64)

BATCH_MEMORY_BYTES = 24 << 20
"""Memory for the frames of a batch. Raising it makes larger batches of large frames."""

MAX_SHARED_COVER = 0.5
"""Share of a box covered by boxes of known faces from which it is a part of those, cut off by the crop."""


@dataclass(frozen=True)
class _Gap:
    """Two searched frames between which some face is mismatched.

    ``pairs`` are the row numbers of the faces matched between the two frames. ``mismatched`` are boxes around the faces
    that were not predicted, shape (N, 4), None where there is no prediction yet.
    """

    first: int
    last: int
    pairs: IntArray
    mismatched: FloatArray | None = None


def search_frames(
    frames: Iterator[Frame],
    info: VideoInfo,
    search: Search,
    found: ScanResult,
    *,
    wanted: FrameRange,
    edges: IntArray,
    keep: Keep,
) -> Iterator[list[KeptFrame]]:
    """Search frames in order and add the faces and shot boundaries to ``found``.

    Decoding and the surely needed searches run ahead in threads of their own.

    Parameters
    ----------
    frames : iterator of Frame
        Those outside ``wanted`` serve to find shot boundaries only.
    info : VideoInfo
    search : Search
    found : ScanResult
        Empty at first; changed in place.
    wanted : FrameRange
        The frames to search.
    edges : ndarray of int
        Frames at which sampling starts anew.
    keep : callable
        Takes a frame out of memory, see `redactkit.video.VideoReader.keep`.

    Yields
    ------
    list of KeptFrame
        Frames that are done.
    """
    detect = FrameDetector(info, search)
    scanner = _Scanner(info, search, found, detect)
    decoded = buffered(frames, ahead=BUFFERED_BATCHES)
    scanned = _scanned_frames(decoded, info, search, found, wanted=wanted, edges=edges, keep=keep)
    batches = _full_detail_batches(buffered(scanned, ahead=BUFFERED_BATCHES), detect)
    sampled = _sampled_batches(buffered(batches, ahead=0), scanner)
    with closing(buffered(sampled, ahead=0)) as ready:
        for batch, gaps in ready:
            scanner.close(gaps, batch)
            done = [item.frame for item in batch]
            batch.clear()  # or its pictures would be held until the next batch is whole
            yield done


def _scanned_frames(
    frames: Generator[Frame, None, None],
    info: VideoInfo,
    search: Search,
    found: ScanResult,
    *,
    wanted: FrameRange,
    edges: IntArray,
    keep: Keep,
) -> Iterator[ScannedFrame]:
    """Yield the frames of ``wanted``, with images of those that surely need a search at full detail."""
    sampled, full = sampled_frames(info, search.sample_seconds), sampled_frames(info, 2 * search.sample_seconds)
    restarts = {int(edge) for edge in edges}
    width, height = (2 * side for side in THUMBNAIL_SIZE)
    first = True
    with closing(frames):
        for frame in frames:
            # Both finders see every frame, also those around the section, so that they judge as in the whole video.
            small = frame.rgb(width=width, height=height)
            jump = found.boundary_finder.add(small)
            found.mix_finder.add(small)
            found.numbers.append(frame.index)
            if not wanted.holds(frame.index):
                continue
            # Nothing is predicted over a shot boundary or the edge of a section.
            restart = first or jump or frame.index in restarts
            first = False
            section_end = frame.index + 1 in restarts
            # Every other sampled frame needs full detail; the rest may do with less, see `_Scanner._search_lightly`.
            image = scaled_image(frame, search.letterboxes[0]) if restart or section_end or full[frame.index] else None
            certain = bool(restart or section_end or sampled[frame.index])
            yield ScannedFrame(keep(frame), restart, section_end, certain, image)


def _batches(scanned: Iterator[ScannedFrame], info: VideoInfo) -> Iterator[list[ScannedFrame]]:
    """Yield batches of frames that end with a sampled one: a few sampled frames, or as many frames as may be held.

    A section's end also ends a batch, so that a chunk is divided as the whole video is.
    """
    most = max(2, BATCH_MEMORY_BYTES // max(2 * info.width * info.height, 1))
    batch: list[ScannedFrame] = []
    samples = 0
    for item in scanned:
        batch.append(item)
        samples += item.sampled
        if item.section_end or (item.sampled and (samples >= BATCH_SAMPLES or len(batch) >= most)):
            yield batch
            batch, samples = [], 0
    if batch:
        yield batch


def _full_detail_batches(
    scanned: Generator[ScannedFrame, None, None], detect: FrameDetector
) -> Iterator[list[ScannedFrame]]:
    """Yield batches in which the frames that surely need full detail have been searched."""
    with closing(scanned):
        for batch in _batches(scanned, detect.info):
            detect.search_certain(batch)
            yield batch


def _sampled_batches(
    batches: Generator[list[ScannedFrame], None, None], scanner: _Scanner
) -> Iterator[tuple[list[ScannedFrame], list[_Gap]]]:
    """Yield batches in which all sampled frames have been searched, with the gaps that have mismatched faces."""
    with closing(batches):
        for batch in batches:
            yield batch, scanner.sample(batch)


@dataclass
class _Scanner:
    """Searches batches of frames one after another, and remembers the last two sampled frames before the batch.

    The gaps of one batch may be closed while the next one is sampled: sampling reads sampled frames only.
    """

    info: VideoInfo
    search: Search
    found: ScanResult
    detect: FrameDetector
    past: list[int] = field(default_factory=list)

    def sample(self, batch: Sequence[ScannedFrame]) -> list[_Gap]:
        """Search the sampled frames of a batch, interpolate where all faces are predicted, return the other gaps."""
        by_number = {item.frame.index: item for item in batch}
        grid = self._grid(batch)
        self._search_grid(grid, by_number)
        gaps: list[_Gap] = []
        # The last two searched frames give the velocity; a restart forgets them.
        for number in grid:
            self.past = [] if by_number[number].restart else self.past
            if self.past:
                gaps += self._gaps(self.past[-1], number, by_number)
            self.past = [*self.past[-1:], number]
        return gaps

    def close(self, gaps: list[_Gap], batch: Sequence[ScannedFrame]) -> None:
        """Close gaps by bisection: search the middle frame of each, and go on with the halves that are mismatched."""
        by_number = {item.frame.index: item for item in batch}
        while gaps:
            gaps = self._bisect(gaps, by_number)

    def _grid(self, batch: Sequence[ScannedFrame]) -> list[int]:
        """Return the frames to search first: the sampled ones, and both sides of every restart."""
        wanted = {index for index, item in enumerate(batch) if item.sampled}
        wanted |= {index - 1 for index, item in enumerate(batch) if item.restart and index} | {len(batch) - 1}
        return [batch[index].frame.index for index in sorted(wanted)]

    def _search_grid(self, grid: Sequence[int], by_number: dict[int, ScannedFrame]) -> None:
        """Search the frames of the grid, first those that need full detail, then the others by what these show."""
        full = [number for number in grid if by_number[number].result is not None or not by_number[number].sampled]
        self._search_whole([by_number[number] for number in full], self.search.letterboxes)
        # The neighbours of a frame on the grid decide with which letterboxes it is searched.
        order = [*self.past[-1:], *grid]
        neighbours = {number: {*order[max(index - 1, 0) : index + 2]} - {number} for index, number in enumerate(order)}
        others = [number for number in grid if number not in full]
        self._search_lightly([(by_number[number], [*neighbours[number]]) for number in others])

    def _search_lightly(self, items: Sequence[tuple[ScannedFrame, Sequence[int]]]) -> None:
        """Search frames with as few letterboxes as their neighbours' faces allow.

        A frame is searched at half detail where its neighbours show large faces only, with the coarse letterbox where
        one is huge, and again at full detail if it then shows a small one itself. With full detail, the coarse
        letterbox is left out where no neighbouring face is huge or leaving.
        """
        search = self.search
        done: set[int] = set()
        for letterboxes, suits in (
            (search.half_detail, search.suits_half_detail),
            (search.half_detail_with_coarse, search.suits_half_detail_with_coarse),
        ):
            # What a frame has shown itself counts with its neighbours.
            left = [
                (item, [*neighbours, item.frame.index]) for item, neighbours in items if item.frame.index not in done
            ]
            light = [item for item, known in left if self._all_suit(known, suits)]
            self._search_whole(light, letterboxes)
            done |= {item.frame.index for item in light if self._all_suit([item.frame.index], suits)}
        # Each frame that is left is searched with the fine letterboxes, or with all.
        others = [(item, self._all_suit(neighbours, self.search.suits_without_coarse)) for item, neighbours in items]
        for only_fine, letterboxes in ((True, self.search.without_coarse), (False, self.search.letterboxes)):
            chosen = [item for item, suits in others if suits == only_fine and item.frame.index not in done]
            self._search_whole(chosen, letterboxes)

    def _all_suit(self, numbers: Iterable[int], suits: Callable[[FloatArray, VideoInfo], bool]) -> bool:
        """Tell whether a test holds for the faces of all searched frames among some, and there is one."""
        found = [self.found.faces[number] for number in numbers if number in self.found.faces]
        return bool(found) and all(suits(faces, self.info) for faces in found)

    def _search_whole(self, items: Sequence[ScannedFrame], letterboxes: Sequence[Letterbox]) -> None:
        """Search frames that the stage before has not, and keep the results of all."""
        new = [item for item in items if item.result is None]
        results = {item.frame.index: item.result for item in items if item.result is not None}
        searched = zip(new, self.detect.search_whole(new, letterboxes), strict=True)
        results |= {item.frame.index: result for item, result in searched}
        for number, (faces, appearance) in results.items():
            self._keep(number, faces, appearance, np.ones(len(faces), bool))

    def _keep(self, number: int, faces: FloatArray, appearance: Appearance, searched: NDArray[np.bool_]) -> None:
        self.found.faces[number] = faces
        self.found.appearance[number], self.found.searched[number] = appearance, searched

    def _gaps(self, first: int, last: int, by_number: dict[int, ScannedFrame]) -> list[_Gap]:
        """Interpolate the frames between two if the faces' velocity predicts the second one, else return the gap."""
        inner = _between(first, last, by_number)
        if not inner:
            return []
        if len(self.past) < 2:  # no velocity is known yet
            return [_Gap(first, last, NO_PAIRS)]
        faces = [self.found.faces[number] for number in (self.past[0], first, last)]
        ratio = self._seconds(first, last) / self._seconds(self.past[0], first)
        threshold = self.search.thresholds.mismatch
        pairs, mismatched = match_predicted(*faces, ratio=ratio, mismatch_confidence=threshold)
        if len(mismatched):
            return [_Gap(first, last, pairs, mismatched)]
        self._interpolate(first, last, pairs, inner)
        return []

    def _bisect(self, gaps: Sequence[_Gap], by_number: dict[int, ScannedFrame]) -> list[_Gap]:
        """Search the middle frame of each gap, interpolate the halves that it confirms, and return the others."""
        inners = [_between(gap.first, gap.last, by_number) for gap in gaps]
        middles = [inner[len(inner) // 2] for inner in inners]
        # Crops around the mismatched faces are tried first; where they do not pay, the whole frame is searched.
        done = self._search_cropped([(by_number[number], gap) for number, gap in zip(middles, gaps, strict=True)])
        items = [(by_number[number], (gap.first, gap.last)) for number, gap in zip(middles, gaps, strict=True)]
        self._search_lightly([item for item in items if item[0].frame.index not in done])
        left: list[_Gap] = []
        for gap, middle in zip(gaps, middles, strict=True):
            # Each half is judged by itself: a face that came in one half does not force a search of the other half.
            share = self._seconds(gap.first, middle) / self._seconds(gap.first, gap.last)
            faces = [self.found.faces[number] for number in (gap.first, middle, gap.last)]
            halves = match_halfway(*faces, share=share, mismatch_confidence=self.search.thresholds.mismatch)
            for (first, last), (pairs, mismatched) in zip(
                [(gap.first, middle), (middle, gap.last)], halves, strict=True
            ):
                inner = _between(first, last, by_number)
                if not len(mismatched):
                    self._interpolate(first, last, pairs, inner)
                elif inner:
                    left.append(_Gap(first, last, pairs, mismatched))
        return left

    def _search_cropped(self, items: Sequence[tuple[ScannedFrame, _Gap]]) -> set[int]:
        """Search frames of gaps in crops around the mismatched faces; return the frames for which that is enough."""
        planned = [(item, gap, *self._plan_crops(gap)) for item, gap in items]
        planned = [plan for plan in planned if plan[3]]
        found = self.detect.search_cropped([(item, crops) for item, _, _, crops in planned]) if planned else []
        done = set()
        for (item, gap, letterbox, crops), (faces, appearance) in zip(planned, found, strict=True):
            # A small face in crops at half detail needs the whole frame at full detail.
            if letterbox not in self.search.half_detail or self.search.suits_half_detail(faces, self.info):
                self._keep_cropped(item.frame.index, gap, crops, faces, appearance)
                done.add(item.frame.index)
        return done

    def _keep_cropped(
        self, number: int, gap: _Gap, crops: Sequence[Crop], faces: FloatArray, appearance: Appearance
    ) -> None:
        """Keep the faces found in crops, and interpolate those outside them from both ends of the gap."""
        share = self._seconds(gap.first, number) / self._seconds(gap.first, gap.last)
        others = interpolate_faces(self.found.faces[gap.first], self.found.faces[gap.last], gap.pairs, share)
        # Inside the crops the detector has the last word; what it found of a face that a crop cuts off is dropped.
        others = others[~inside_crops(others[:, :4], crops)]
        own = union_cover(faces[:, :4], others[:, :4]) < MAX_SHARED_COVER
        self._keep(
            number,
            np.vstack([faces[own], others]),
            np.vstack([appearance[own], np.zeros((len(others), DESCRIPTOR_LENGTH), np.uint8)]),
            np.arange(own.sum() + len(others)) < own.sum(),
        )

    def _plan_crops(self, gap: _Gap) -> tuple[Letterbox, list[Crop]]:
        """Return the letterbox whose crops cost least, and these crops, none where the whole frame is searched."""
        mismatched = gap.mismatched
        if mismatched is None or not self.search.half_detail or self.search.rotations:
            return self.search.letterboxes[0], []
        # Full detail is always possible, half detail only if all mismatched faces are large enough.
        light = self.search.half_detail if self.search.suits_half_detail(mismatched, self.info) else ()
        plans = []
        for letterbox in (self.search.letterboxes[0], *light):
            scale = letterbox.width / self.info.width
            crops = plan_crops(mismatched, scale=scale, width=letterbox.width, height=letterbox.height)
            plans.append((letterbox, crops or []))
        return min(plans, key=lambda plan: sum(crop.scaled**2 for crop in plan[1]) or np.inf)

    def _interpolate(self, first: int, last: int, pairs: IntArray, inner: Sequence[int]) -> None:
        for number in inner:
            share = self._seconds(first, number) / self._seconds(first, last)
            self.found.faces[number] = interpolate_faces(self.found.faces[first], self.found.faces[last], pairs, share)

    def _seconds(self, first: int, last: int) -> float:
        return max(float(self.info.times[last] - self.info.times[first]), 1e-9)


def _between(first: int, last: int, by_number: dict[int, ScannedFrame]) -> list[int]:
    return [number for number in range(first + 1, last) if number in by_number]
