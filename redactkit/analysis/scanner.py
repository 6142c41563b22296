"""Decide which frames of a batch are searched, and with what, and search them.

`redactkit.analysis.sampling` says in which order it is decided, and why a frame may be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.appearance import DESCRIPTOR_LENGTH, Appearance
from redactkit.analysis.brief_changes import find_brief_changes
from redactkit.analysis.crop_regions import inside_crops, plan_crops
from redactkit.analysis.frame_detector import DescribedFaces, FrameDetector, ScannedFrame
from redactkit.analysis.letterbox import Image, Letterbox
from redactkit.analysis.sampling import IntArray, interpolate_faces, match_halfway, match_predicted
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.search import Search
from redactkit.boxes import FloatArray, union_cover
from redactkit.detectors.crops import Crop
from redactkit.media import VideoInfo

__all__ = ["Gap", "Scanner"]

NO_PAIRS = np.zeros((0, 2), np.int64)

MAX_SHARED_COVER = 0.5
"""Share of a box covered by boxes of known faces from which it is a part of those, cut off by the crop."""

CHANGE_CONTEXT_SHARE = 0.25
"""Margin of a crop on each side of a change: with a face come its hair and shoulders, so it is less than for a face.

Raising it helps detection, and leaves more frames to half detail.
"""


@dataclass(frozen=True, eq=False)
class Gap:
    """Two searched frames with others between them.

    ``pairs`` are the row numbers of the faces matched between the two frames. ``mismatched`` are boxes around the faces
    that were not predicted, shape (N, 4), None where there is no prediction yet.
    """

    first: int
    last: int
    pairs: IntArray
    mismatched: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class _Change:
    """A frame of a gap that shows what neither end does, and where: boxes in pixels of the frame, shape (N, 4)."""

    gap: Gap
    item: ScannedFrame
    boxes: FloatArray


@dataclass
class Scanner:
    """Searches batches of frames one after another, and remembers the last two sampled frames before the batch.

    The gaps of one batch may be closed while the next one is sampled: sampling reads sampled frames only.
    """

    info: VideoInfo
    search: Search
    found: ScanResult
    detect: FrameDetector
    past: list[int] = field(default_factory=list)
    small: dict[int, Image] = field(default_factory=dict)

    def sample(self, batch: Sequence[ScannedFrame]) -> list[Gap]:
        """Search the sampled frames of a batch, interpolate where all faces are predicted, return the other gaps."""
        by_number = {item.frame.index: item for item in batch}
        self.small = {number: self.small[number] for number in self.past[-1:]}
        self.small |= {item.frame.index: item.small for item in batch}
        grid = self._grid(batch)
        self._search_grid(grid, by_number)
        gaps: list[Gap] = []
        # The last two searched frames give the velocity; a restart forgets them.
        for number in grid:
            self.past = [] if by_number[number].restart else self.past
            if self.past and _between(self.past[-1], number, by_number):
                gaps.append(self._gap(self.past[-1], number))
            self.past = [*self.past[-1:], number]
        return self._search_brief(gaps, by_number)

    def close(self, gaps: list[Gap], batch: Sequence[ScannedFrame]) -> None:
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

    def _gap(self, first: int, last: int) -> Gap:
        """Return the gap between two frames, with the faces of the second one that the faces' velocity mispredicts."""
        if len(self.past) < 2:  # no velocity is known yet
            return Gap(first, last, NO_PAIRS)
        faces = [self.found.faces[number] for number in (self.past[0], first, last)]
        ratio = self._seconds(first, last) / self._seconds(self.past[0], first)
        threshold = self.search.thresholds.mismatch
        return Gap(first, last, *match_predicted(*faces, ratio=ratio, mismatch_confidence=threshold))

    def _search_brief(self, gaps: Sequence[Gap], by_number: dict[int, ScannedFrame]) -> list[Gap]:
        """Search the frames of gaps that show what neither end does; interpolate where all faces are predicted.

        Return the gaps that are left, divided where a face was found that only shows between.
        """
        changes: list[_Change] = []
        for gap in gaps:
            inner = _between(gap.first, gap.last, by_number)
            small = self.small[gap.first], [self.small[number] for number in inner], self.small[gap.last]
            scale = np.tile([self.info.width / small[0].shape[1], self.info.height / small[0].shape[0]], 2)
            for place, boxes in find_brief_changes(*small):
                changes.append(_Change(gap, by_number[inner[place]], boxes * scale))
        divided = self._search_changes(changes)
        left: list[Gap] = []
        for gap in gaps:
            if gap in divided:
                left += self._divide(gap, divided[gap], by_number)
            elif gap.mismatched is not None and not len(gap.mismatched):
                self._interpolate(gap.first, gap.last, gap.pairs, _between(gap.first, gap.last, by_number))
            else:
                left.append(gap)
        return left

    def _search_changes(self, changes: Sequence[_Change]) -> dict[Gap, list[int]]:
        """Search frames for faces that neither end of their gap shows; return where there are some, with the frames."""
        # Doubtful boxes come and go in many frames, and where one is seen briefly its track is discarded anyway.
        least = (self.search.thresholds.mismatch + self.search.thresholds.sure) / 2
        divided: dict[Gap, list[int]] = {}
        for change, (faces, appearance), whole in self._searched_changes(changes):
            number = change.item.frame.index
            known = self._interpolated(change.gap, number)
            new = (faces[:, 4] >= least) & (union_cover(faces[:, :4], known[:, :4]) < MAX_SHARED_COVER)
            # A whole frame next to one with new faces is left to bisection, which searches it by what that one shows.
            near = any(abs(number - other) <= 1 for other in divided.get(change.gap, []))
            if new.any() and not (whole and near):
                self._keep_both(number, faces[new], appearance[new], known)
                divided.setdefault(change.gap, []).append(number)
        return divided

    def _searched_changes(self, changes: Sequence[_Change]) -> Iterator[tuple[_Change, DescribedFaces, bool]]:
        """Search each frame in crops around what changed, or whole at half detail where these take half a frame.

        Yield the change, the faces found, and whether the whole frame was searched.
        """
        fine = self.search.letterboxes[0]
        scale = fine.width / self.info.width
        crops = {
            change: plan_crops(
                change.boxes, scale=scale, width=fine.width, height=fine.height, context=CHANGE_CONTEXT_SHARE
            )
            for change in changes
        }
        whole = [change for change in changes if not crops[change]]
        light = self.search.half_detail or self.search.letterboxes[:1]
        for change, found in zip(whole, self.detect.search_whole([each.item for each in whole], light), strict=True):
            yield change, found, True
        cropped = [change for change in changes if crops[change]]
        if cropped:
            planned = [(change.item, crops[change] or []) for change in cropped]
            for change, found in zip(cropped, self.detect.search_cropped(planned), strict=True):
                yield change, found, False

    def _bisect(self, gaps: Sequence[Gap], by_number: dict[int, ScannedFrame]) -> list[Gap]:
        """Search the middle frame of each gap, interpolate the halves that it confirms, and return the others."""
        inners = [_between(gap.first, gap.last, by_number) for gap in gaps]
        middles = [inner[len(inner) // 2] for inner in inners]
        # Crops around the mismatched faces are tried first; where they do not pay, the whole frame is searched.
        done = self._search_cropped([(by_number[number], gap) for number, gap in zip(middles, gaps, strict=True)])
        items = [(by_number[number], (gap.first, gap.last)) for number, gap in zip(middles, gaps, strict=True)]
        self._search_lightly([item for item in items if item[0].frame.index not in done])
        divided = zip(gaps, middles, strict=True)
        return [half for gap, middle in divided for half in self._divide(gap, [middle], by_number)]

    def _divide(self, gap: Gap, searched: Sequence[int], by_number: dict[int, ScannedFrame]) -> list[Gap]:
        """Divide a gap at the frames in it that were searched, interpolate the parts that these confirm, return others.

        Each part is judged by itself: a face that came in one does not force a search of another.
        """
        numbers = [gap.first, *sorted(searched), gap.last]
        parts: list[tuple[int, int, IntArray, FloatArray]] = []
        for first, middle, last in zip(numbers, numbers[1:], numbers[2:], strict=False):
            share = self._seconds(first, middle) / self._seconds(first, last)
            faces = [self.found.faces[number] for number in (first, middle, last)]
            before, after = match_halfway(*faces, share=share, mismatch_confidence=self.search.thresholds.mismatch)
            # The part between two searched frames is judged again as the first one of the next three.
            parts = [*parts[:-1], (first, middle, *before), (middle, last, *after)]
        left: list[Gap] = []
        for first, last, pairs, mismatched in parts:
            inner = _between(first, last, by_number)
            if not len(mismatched):
                self._interpolate(first, last, pairs, inner)
            elif inner:
                left.append(Gap(first, last, pairs, mismatched))
        return left

    def _search_cropped(self, items: Sequence[tuple[ScannedFrame, Gap]]) -> set[int]:
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
        self, number: int, gap: Gap, crops: Sequence[Crop], faces: FloatArray, appearance: Appearance
    ) -> None:
        """Keep the faces found in crops, and interpolate those outside them from both ends of the gap."""
        others = self._interpolated(gap, number)
        # Inside the crops the detector has the last word; what it found of a face that a crop cuts off is dropped.
        others = others[~inside_crops(others[:, :4], crops)]
        own = union_cover(faces[:, :4], others[:, :4]) < MAX_SHARED_COVER
        self._keep_both(number, faces[own], appearance[own], others)

    def _interpolated(self, gap: Gap, number: int) -> FloatArray:
        """Return the faces of a frame of a gap that are matched between its ends, interpolated."""
        share = self._seconds(gap.first, number) / self._seconds(gap.first, gap.last)
        return interpolate_faces(self.found.faces[gap.first], self.found.faces[gap.last], gap.pairs, share)

    def _keep_both(self, number: int, found: FloatArray, appearance: Appearance, interpolated: FloatArray) -> None:
        """Keep faces that were found in a frame beside others that are interpolated."""
        none = np.zeros((len(interpolated), DESCRIPTOR_LENGTH), np.uint8)
        searched = np.arange(len(found) + len(interpolated)) < len(found)
        self._keep(number, np.vstack([found, interpolated]), np.vstack([appearance, none]), searched)

    def _plan_crops(self, gap: Gap) -> tuple[Letterbox, list[Crop]]:
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
