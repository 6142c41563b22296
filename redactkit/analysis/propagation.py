"""Walk with a face from a box it has, frame by frame, as long as detector or pixels bear it out."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.crops import search_crops
from redactkit.boxes import FloatArray, clip, intersections, iou, union_cover
from redactkit.detectors import Detector
from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.tables import BOX, frame_rows
from redactkit.tracking.optical_flow import follow, window
from redactkit.video import Frame, VideoReader

__all__ = ["OccupiedBoxes", "Propagation", "PropagationOptions", "propagate_all"]

GRAY_PIXELS = 960
PATCH_PIXELS = 24
Image = NDArray[np.uint8]
WHOLE_SIZE_RATIOS = (0.8, 1.3)
"""Size of a found box, to the expected one, at which it takes that one's place."""

MIN_PART_SIZE_RATIO = 0.45
"""Size from which a box inside the expected one shows that the face is there, though cut or turned away."""


@dataclass(frozen=True)
class PropagationOptions:
    """How far a walk goes.

    Parameters
    ----------
    confidence : float
        Least confidence of a box found by the closer look.
    overlap : float
        Least intersection over union of such a box with the one expected.
    unseen : float
        Seconds for which pixels are followed while the detector says nothing.
    visible : float
        Share of the box that must be inside the frame.
    fading : float
        Factor on the confidence for every frame in which only pixels were followed.
    taken : float
        Intersection over union with another face's box at which the walk ends.
    alike : float
        Least correlation of the box's pixels, where they are followed, with those where the face was last
        seen: below it something else has come before the face.
    hidden : float
        Share of the box inside another face's box from which its pixels may be the other's.
    """

    confidence: float = 0.1
    overlap: float = 0.3
    unseen: float = 0.5
    visible: float = 0.25
    fading: float = 0.9
    taken: float = 0.4
    alike: float = 0.6
    hidden: float = 0.3


@dataclass
class Propagation:
    """One walk, at the frame it has come to.

    Parameters
    ----------
    face : int
    step : int
        1 forwards, -1 backwards.
    frame : int
        The last frame with a box.
    last : int
        The last frame to walk to.
    box : ndarray of shape (4,)
    confidence : float
    """

    face: int
    step: int
    frame: int
    last: int
    box: FloatArray
    confidence: float
    sight: FloatArray | None = None
    """The face's pixels where it was last seen."""

    unseen: int = 0
    ended: bool = False
    met: tuple[int, int] | None = None
    """Another face whose box was in the way, and the frame."""

    steps: dict[int, tuple[FloatArray, float, str]] = field(default_factory=dict)
    """What was found: box, confidence and source by frame."""

    @property
    def next(self) -> int:
        """The frame to look at next."""
        return self.frame + self.step

    def see(self, box: FloatArray, confidence: float) -> None:
        """Go on with a box the detector found."""
        self._go(box, confidence, "detected")
        self.unseen, self.confidence = 0, confidence

    def feel(self, box: FloatArray, options: PropagationOptions) -> None:
        """Go on with a box to which the pixels moved."""
        self.unseen += 1
        self._go(box, self.confidence * options.fading**self.unseen, "tracked")

    def _go(self, box: FloatArray, confidence: float, source: str) -> None:
        self.frame, self.box = self.next, box
        self.steps[self.frame] = (box, confidence, source)
        self.ended = self.frame == self.last


class OccupiedBoxes:
    """The boxes that faces have in each frame."""

    def __init__(self, detections: pd.DataFrame) -> None:
        rows = detections.sort_values("frame", kind="stable")
        self._frames = rows["frame"].to_numpy()
        self._boxes = rows[BOX].to_numpy()
        self._faces = rows["face_id"].to_numpy()

    def others(self, frame: int, *, besides: int) -> tuple[FloatArray, NDArray[np.int64]]:
        """Return the boxes in ``frame`` of all faces but one, and whose they are."""
        span = frame_rows(self._frames, frame)
        others = self._faces[span] != besides
        return self._boxes[span][others], self._faces[span][others]


def propagate_all(
    reader: VideoReader,
    walks: Sequence[Propagation],
    *,
    taken: OccupiedBoxes,
    detector: Detector,
    options: PropagationOptions,
) -> Iterator[int]:
    """Walk all walks of one direction to their ends, side by side, decoding every frame once.

    Yields how many ended, after every frame.

    Parameters
    ----------
    reader : VideoReader
    walks : sequence of Propagation
        All forwards or all backwards; changed in place.
    taken : OccupiedBoxes
        Where the faces are that need no walk.
    detector : Detector
    options : PropagationOptions
    """
    most = max(1, round(options.unseen * float(reader.info.frame_rate)))
    before: _GrayFrame | None = None
    for number, group in _by_frame(walks):
        try:
            if before is None or before.frame.index != group[0].frame:
                before = _GrayFrame.of(reader.frame_at(group[0].frame))
            shown = _GrayFrame.of(reader.frame_at(number))
        except VideoError:
            _end(group)
        else:
            _step(group, before, shown, _StepRules(taken, reader.info, options, most), detector)
            before = shown
        yield sum(walk.ended for walk in group)


def _by_frame(walks: Sequence[Propagation]) -> Iterator[tuple[int, list[Propagation]]]:
    """Yield the frames to look at in walking order, each with the walks that come to it."""
    queue = [(walk.step * walk.next, number) for number, walk in enumerate(walks) if not walk.ended]
    heapq.heapify(queue)
    while queue:
        place = queue[0][0]
        group = []
        while queue and queue[0][0] == place:
            group.append(heapq.heappop(queue)[1])
        yield walks[group[0]].next, [walks[number] for number in group]
        for number in group:
            if not walks[number].ended:
                heapq.heappush(queue, (walks[number].step * walks[number].next, number))


def _end(group: Sequence[Propagation]) -> None:
    for walk in group:
        walk.ended = True


@dataclass(frozen=True)
class _GrayFrame:
    """A frame with its brightness, at most `GRAY_PIXELS` pixels long, and the scale of that."""

    frame: Frame
    gray: Image
    scale: float

    @classmethod
    def of(cls, frame: Frame) -> Self:
        scale = min(1.0, GRAY_PIXELS / max(frame.size))
        if (1 / scale).is_integer():
            return cls(frame, frame.luma(shrink=int(1 / scale)), scale)
        width, height = (max(1, round(side * scale)) for side in frame.size)
        return cls(frame, frame.gray(width=width, height=height), scale)


def _step(
    group: Sequence[Propagation], before: _GrayFrame, shown: _GrayFrame, judge: _StepRules, detector: Detector
) -> None:
    scale = shown.scale
    for walk in group:
        walk.sight = _patch(before.gray, walk.box * scale) if not walk.unseen else walk.sight
    moved, held = _followed(before.gray, shown.gray, np.array([walk.box for walk in group]) * scale)
    found = search_crops(detector, shown.frame, moved / scale)
    for walk, box, certain, faces in zip(group, moved, held, found, strict=True):
        alike = certain and _correlation(walk.sight, _patch(shown.gray, box)) >= judge.options.alike
        judge.step(walk, box / scale, certain=bool(alike), found=faces)


def _followed(old: Image, new: Image, boxes: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Follow what is inside the picture of each box, and move the whole box with it."""
    height, width = old.shape
    inside = clip(boxes, width=width, height=height)
    shown = (inside[:, 2:] >= 2).all(axis=1)
    moved, held = boxes.copy(), np.zeros(len(boxes), bool)
    parts, held[shown] = follow(old, new, inside[shown])
    growth = parts[:, 2:] / inside[shown, 2:]
    moved[shown, :2] = parts[:, :2] + (boxes[shown, :2] - inside[shown, :2]) * growth
    moved[shown, 2:] = boxes[shown, 2:] * growth
    return moved, held


def _patch(gray: Image, box: FloatArray) -> FloatArray:
    """Sample a box on a grid of PATCH_PIXELS squared, NaN where it reaches outside the picture."""
    import cv2

    cell = box[2:] / PATCH_PIXELS
    part, left, top = window(gray, box[None], reach=2 + float(max(cell)))
    x, y = (box[k] - corner + cell[k] * (np.arange(PATCH_PIXELS) + 0.5) - 0.5 for k, corner in enumerate((left, top)))
    level = cv2.blur(part, (max(1, round(cell[0])), max(1, round(cell[1])))) if max(cell) > 1.5 else part
    across, down = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    sight = cv2.remap(level.astype(np.float32), across, down, cv2.INTER_LINEAR, borderValue=float("nan"))
    return np.asarray(sight, np.float64)


def _correlation(first: FloatArray | None, second: FloatArray) -> float:
    """Return the correlation of two sights where both are inside the picture: 1 alike, 0 unlike."""
    if first is None:
        return 0.0
    both = ~np.isnan(first) & ~np.isnan(second)
    if both.sum() < PATCH_PIXELS * PATCH_PIXELS / 8:
        return 0.0
    a, b = (sight[both] - sight[both].mean() for sight in (first, second))
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1.0))


@dataclass(frozen=True)
class _StepRules:
    """Decides whether a walk goes on, and with which box."""

    taken: OccupiedBoxes
    info: VideoInfo
    options: PropagationOptions
    most: int

    def step(self, walk: Propagation, box: FloatArray, *, certain: bool, found: FloatArray) -> None:
        """Take one step, or end the walk."""
        seen = self._seen(box, found, certain=certain)
        here = box if seen is None else seen[0]
        boxes, faces = self.taken.others(walk.next, besides=walk.face)
        overlaps = iou(here[None], boxes)[0]
        if overlaps.max(initial=0) > self.options.taken:
            walk.met, walk.ended = (int(faces[overlaps.argmax()]), walk.next), True
        elif seen is not None:
            walk.see(*seen)
        elif certain and walk.unseen < self.most and self._visible(box) and not self._hidden(box, boxes):
            walk.feel(box, self.options)
        else:
            walk.ended = True

    def _seen(self, box: FloatArray, found: FloatArray, *, certain: bool) -> tuple[FloatArray, float] | None:
        """Return the box that the closer look bears out and its confidence."""
        sure = found[found[:, 4] >= self.options.confidence]
        size = np.sqrt(np.prod(sure[:, 2:4], axis=1) / np.prod(box[2:]))
        overlap = iou(box[None], sure[:, :4])[0]
        whole = (overlap >= self.options.overlap) & (size > WHOLE_SIZE_RATIOS[0]) & (size < WHOLE_SIZE_RATIOS[1])
        if whole.any():
            best = sure[np.argmax(np.where(whole, sure[:, 4] * overlap, 0))]
            return best[:4].copy(), float(best[4])
        part = (_inside(sure[:, :4], box) > 0.7) & (size > MIN_PART_SIZE_RATIO) & (size <= WHOLE_SIZE_RATIOS[0])
        if certain and part.any():
            return box, float(sure[part, 4].max())
        return None

    def _hidden(self, box: FloatArray, others: FloatArray) -> bool:
        return bool(union_cover(box[None], others)[0] > self.options.hidden)

    def _visible(self, box: FloatArray) -> bool:
        shown = clip(box[None], width=self.info.width, height=self.info.height)[0]
        return bool(np.prod(shown[2:]) >= self.options.visible * np.prod(box[2:]))


def _inside(boxes: FloatArray, around: FloatArray) -> FloatArray:
    """Return the share of each box that lies inside another."""
    shared = intersections(boxes, around[None])[:, 0]
    return np.asarray(shared / np.maximum(np.prod(boxes[:, 2:], axis=1), 1e-9))
