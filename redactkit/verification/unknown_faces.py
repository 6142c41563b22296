"""A search of the source for faces that the hidden boxes do not cover.

Outside the hidden boxes the output is the source, so that the source is what to search: nothing that was painted can
disturb it. What the boxes of hidden and of visible faces account for is known; the rest is judged as whole tracks,
looked at closely in the output.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.analysis.letterbox import Letterbox, merge, plan_letterboxes
from redactkit.analysis.mixed_frames import MixFinder
from redactkit.analysis.rescoring import crop_confidences
from redactkit.analysis.shot_boundaries import THUMBNAIL_SIZE
from redactkit.annotations import Annotations
from redactkit.detectors import Detector, run_detector
from redactkit.detectors.crops import search_crops
from redactkit.media import VideoInfo
from redactkit.tables import BOX
from redactkit.tracking.regions import MIN_INSIDE_SHARE
from redactkit.verification.pairs import Pair
from redactkit.verification.track_gaps import ExpectedFace, plan_near

__all__ = [
    "MIN_COVERED_SHARE",
    "Known",
    "Row",
    "UnknownFaceSearch",
    "plan_search_frames",
]

SEARCH_STEP_SECONDS = 0.24
"""Seconds from one searched frame to the next."""

MIN_COVERED_SHARE = 0.85
"""Share of a face that hidden boxes must cover."""

UPSCALE_FACTOR = 1.5
"""How much larger than the analysis every other searched frame is searched, where that is cheap."""

MAX_UPSCALED_PIXELS = 960
"""Longer side up to which it is; larger ones are searched at half the detail, since the time goes with the square."""

MIN_VISIBLE_IOU = 0.3
"""Intersection over union from which a found face is one that was left visible on purpose."""

MIN_CONFIDENCE = 0.25
"""Confidence from which something found is followed up."""

MAX_UNTOUCHED_DIFFERENCE = 4.0
"""Median difference in grey levels that encoding explains."""

MIN_NEAR_IOU = 0.4
"""Intersection over union with where a track's face is expected from which a found face is that one."""

MIN_END_CONFIDENCE = 0.3
"""Confidence from which a face in its track's gap or beyond its end is followed up: the analysis goes on to 0.1."""

Boxes = bx.FloatArray
Row = dict[str, float]


@dataclass(frozen=True, eq=False)
class Known:
    """What accounts for faces: boxes by frame, in pixels of the displayed frame.

    Parameters
    ----------
    hidden : dict of int to ndarray of shape (N, 4)
        Boxes that are hidden, margin included.
    visible : dict of int to ndarray of shape (N, 4)
        Boxes of faces that were left visible on purpose.
    dismissed : dict of int to ndarray of shape (N, 4)
        Boxes of which the analyst said that they are no face.
    ignored : tuple of (ndarray of shape (F,), ndarray of shape (4,))
        Regions that are not searched on purpose: in which frames, and where.
    """

    hidden: dict[int, Boxes]
    visible: dict[int, Boxes]
    dismissed: dict[int, Boxes]
    ignored: tuple[tuple[NDArray[np.bool_], Boxes], ...] = ()

    def covered(self, frame: int, boxes: Boxes) -> NDArray[np.float64]:
        """Return the share of each box that hidden boxes cover, 1 for a face that was left visible or dismissed."""
        shares = bx.union_cover(boxes, self.hidden.get(frame, np.zeros((0, 4))))
        for others in (self.visible.get(frame), self.dismissed.get(frame)):
            if others is not None and len(others) and len(boxes):
                shares[_belongs(boxes, others)] = 1.0
        for holds, place in self.ignored:
            if len(boxes) and holds[frame]:
                shares[bx.union_cover(boxes, place[None]) >= MIN_INSIDE_SHARE] = 1.0
        return shares


def _belongs(boxes: Boxes, others: Boxes) -> NDArray[np.bool_]:
    """Tell which boxes are those of others, drawn somewhat larger or smaller."""
    inside = np.array([bx.union_cover(boxes, other[None]) for other in others]).max(axis=0)
    sides = np.sqrt(np.prod(boxes[:, None, 2:], axis=2) / np.maximum(np.prod(others[None, :, 2:], axis=2), 1e-9))
    alike = (sides > 0.5).any(axis=1) & (sides < 2).any(axis=1)
    return np.asarray((bx.iou(boxes, others).max(axis=1) >= MIN_VISIBLE_IOU) | ((inside > 0.8) & alike))


def plan_search_frames(info: VideoInfo, cuts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Choose the frames to search: one every quarter of a second, both sides of a cut, the first and the last."""
    step = max(1, round(SEARCH_STEP_SECONDS * float(info.frame_rate)))
    chosen = np.zeros(info.frame_count, bool)
    chosen[step // 2 :: step] = True
    edges = np.concatenate([[0], cuts, cuts - 1, [info.frame_count - 1]]).astype(int)
    chosen[edges[(edges >= 0) & (edges < info.frame_count)]] = True
    return chosen


@dataclass
class UnknownFaceSearch:
    """Searches one frame after the other and keeps what nobody accounts for.

    Parameters
    ----------
    info : VideoInfo
    detector : Detector
    known : Known
    annotations : Annotations
    faces : list of int
        The faces that are hidden.
    size : int, optional
        Longer side of the picture searched.
    """

    info: VideoInfo
    detector: Detector
    known: Known
    annotations: Annotations
    faces: list[int]
    size: int | None = None
    rows: list[Row] = field(default_factory=list)
    gaps: list[Row] = field(default_factory=list)
    """Frames without a box in a short gap of a track, the source's pixels there."""

    searched_frames: int = 0

    def __post_init__(self) -> None:
        self._searched = plan_search_frames(self.info, self.annotations.cuts)
        fine, coarse = plan_letterboxes(self.info.width, self.info.height, size=self.size)
        larger = round(UPSCALE_FACTOR * max(fine.width, fine.height))
        cheap = larger <= MAX_UPSCALED_PIXELS
        other = plan_letterboxes(self.info.width, self.info.height, size=larger)[0] if cheap else fine.halved()
        self._letterboxes = (fine, other, coarse)
        self._near = plan_near(self.annotations, self.faces, self.info)
        self._mirror = False
        self._finder = MixFinder()
        self._last: Pair | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The ways of searching, in words."""
        fine, other, coarse = (f"{letterbox.width}x{letterbox.height}" for letterbox in self._letterboxes)
        return (f"{fine} mirrored and {other} by turns", coarse, "crops")

    def is_searched(self, frame: int) -> bool:
        """Return whether a frame is one of those to be searched."""
        return bool(self._searched[frame])

    def search(self, pair: Pair) -> None:
        """Search a frame if it is one of those to be searched, and look closely where tracks have gaps and ends.

        Both sides of a jump are searched, as a shot of a frame or two is in nobody's list of shot boundaries.
        """
        jumped = self._jumps(pair)
        if jumped and self._last is not None and not self._searched[self._last.index]:
            self._search_whole(self._last)
        if jumped or self._searched[pair.index]:
            self._search_whole(pair)
        self._search_near(pair)
        self._searched[pair.index] |= jumped
        self._last = pair

    def _jumps(self, pair: Pair) -> bool:
        width, height = THUMBNAIL_SIZE
        before = len(self._finder.jumps())
        self._finder.add(pair.source.rgb(width=2 * width, height=2 * height))
        return len(self._finder.jumps()) > before

    def _search_whole(self, pair: Pair) -> None:
        picture = pair.source.rgb()
        self._mirror = not self._mirror
        fine, other, coarse = self._letterboxes
        letterboxes = (fine, coarse) if self._mirror else (other,)
        found = merge([self._found(letterbox, picture) for letterbox in letterboxes], floor=MIN_CONFIDENCE)
        self.searched_frames += 1
        shares = self.known.covered(pair.index, found[:, :4])
        for face, share in zip(found[shares < MIN_COVERED_SHARE], shares[shares < MIN_COVERED_SHARE], strict=True):
            self._keep(pair, face, share, near=-1)

    def _found(self, letterbox: Letterbox, picture: NDArray[np.uint8]) -> Boxes:
        """Return the faces that one letterbox finds; every other frame is searched in a mirror."""
        height, width = picture.shape[:2]
        shown = np.ascontiguousarray(picture[:, ::-1]) if self._mirror else picture
        found = letterbox.faces(run_detector(self.detector, [letterbox.picture(shown)])[0], width=width, height=height)
        if self._mirror:
            found[:, 0] = width - found[:, 0] - found[:, 2]
        return found

    def _search_near(self, pair: Pair) -> None:
        places = self._near.get(pair.index, [])
        boxes = np.array([place.box for place in places]).reshape(-1, 4)
        bare = self.known.covered(pair.index, boxes) < MIN_COVERED_SHARE
        asked = [place for place, open_ in zip(places, bare.tolist(), strict=True) if open_]
        if not asked:
            return
        found = search_crops(self.detector, pair.source, boxes[bare])
        for place, faces in zip(asked, found, strict=True):
            faces = faces[faces[:, 4] >= MIN_END_CONFIDENCE]
            there = bx.iou(np.array([place.box, place.last]), faces[:, :4]).max(axis=0, initial=0) > MIN_NEAR_IOU
            shares = self.known.covered(pair.index, faces[there, :4])
            for face, share in zip(faces[there], shares, strict=True):
                if share < MIN_COVERED_SHARE:
                    self._keep(pair, face, share, near=place.face)
            if place.short_gap:
                self._keep_gap(pair, place)

    def _keep_gap(self, pair: Pair, place: ExpectedFace) -> None:
        """Remember a place that a track skips: a face that is there before and after does not vanish between."""
        if self._is_untouched(pair, place.box):
            share = float(self.known.covered(pair.index, place.box[None])[0])
            row = {"frame": pair.index, "time": pair.source.time, "covered": share, "near": place.face}
            self.gaps.append(row | dict(zip(BOX, place.box.tolist(), strict=True)))

    def _keep(self, pair: Pair, face: Boxes, share: float, *, near: int) -> None:
        source = crop_confidences(self.detector, pair.source, face[None, :4])[0]
        # What nobody touched is seen as well as in the source; what somebody else has painted must be looked at.
        untouched = self._is_untouched(pair, face[:4])
        output = source if untouched else crop_confidences(self.detector, pair.output, face[None, :4])[0]
        place = dict(zip(BOX, face[:4].tolist(), strict=True))
        times = {"frame": pair.index, "time": pair.source.time}
        scores = {"confidence": float(face[4]), "covered": float(share), "source": source, "output": output}
        self.rows.append({**times, **place, **scores, "near": near})

    def _is_untouched(self, pair: Pair, box: Boxes) -> bool:
        """Tell whether the part of a box that no hidden box covers is the source's picture in the output."""
        left, top, right, bottom = np.rint(
            bx.to_corners(bx.clip(box[None], width=self.info.width, height=self.info.height))[0]
        ).astype(int)
        if right - left < 2 or bottom - top < 2 or pair.source.size != pair.output.size:
            return False
        before, after = (frame.luma()[top:bottom, left:right].astype(np.int16) for frame in (pair.source, pair.output))
        open_ = np.ones(before.shape, bool)
        for hidden in np.rint(bx.to_corners(self.known.hidden.get(pair.index, np.zeros((0, 4))))).astype(int):
            x0, y0, x1, y1 = hidden - [left, top, left, top]
            open_[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = False
        return bool(open_.any() and np.median(abs(before - after)[open_]) <= MAX_UNTOUCHED_DIFFERENCE)
