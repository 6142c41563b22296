"""Propagate a face from one of its boxes to the next frames, one frame at a time, in either direction.

Each step combines tracking by optical flow with tracking by detection. The flow (see
`redactkit.tracking.optical_flow`) moves the box to the next frame, and the detector searches a crop around it. A
detection is taken if there is one; without one, the flow alone is trusted for a limited time, and only while the
pixels still look like the face. That check is a template match by normalised cross-correlation.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, clip, intersections, iou, union_cover
from redactkit.detectors import Detector
from redactkit.detectors.crops import search_crops
from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.tables import BOX, frame_rows
from redactkit.tracking.optical_flow import follow, window
from redactkit.video import Frame, VideoReader

__all__ = ["OccupiedBoxes", "Propagation", "PropagationOptions", "propagate_all"]

FLOW_PIXELS = 960
"""Longest side in pixels of the gray frame on which flow is computed. Raising it is more exact, and slower."""

TEMPLATE_PIXELS = 24
"""Side in pixels of the template with which a face's pixels are compared."""

Image = NDArray[np.uint8]
WHOLE_SIZE_RATIOS = (0.8, 1.3)
"""Size of a detected box, divided by that of the expected one, between which it replaces the expected one."""

MIN_PART_SIZE_RATIO = 0.45
"""The same ratio from which a smaller box inside the expected one still confirms it: the face is cut or turned away."""

MIN_INSIDE_SHARE = 0.7
"""Share of such a smaller box that must lie inside the expected one."""

MIN_TEMPLATE_SHARE = 1 / 8
"""Share of the template's pixels that both frames must show for a comparison."""


@dataclass(frozen=True)
class PropagationOptions:
    """How far a face is propagated.

    Parameters
    ----------
    min_confidence : float
        Least confidence of a detection in the crop. Raising it ends propagation sooner.
    min_iou : float
        Least IoU of such a detection with the expected box. Raising it ends propagation sooner where faces move fast.
    max_flow_seconds : float
        Seconds for which flow is trusted without a detection. Raising it bridges longer occlusions, and drifts more.
    min_visible_share : float
        Share of the box that must lie inside the frame. Raising it ends propagation sooner at the frame's edge.
    confidence_decay : float
        Factor on the confidence for each frame without a detection. Lowering it marks such frames as more doubtful.
    max_occupied_iou : float
        IoU with another face's box above which propagation ends. Raising it lets boxes overlap more.
    min_correlation : float
        Least correlation, -1 to 1, with the pixels where the face was last detected. Raising it ends propagation
        sooner when the light changes, the face turns or something passes in front of it.
    max_hidden_share : float
        Share of the box inside other faces' boxes above which flow is not trusted: it may follow the other face.
    """

    min_confidence: float = 0.1
    min_iou: float = 0.3
    max_flow_seconds: float = 0.5
    min_visible_share: float = 0.25
    confidence_decay: float = 0.9
    max_occupied_iou: float = 0.4
    min_correlation: float = 0.6
    max_hidden_share: float = 0.3


@dataclass
class Propagation:
    """One face on its way in one direction, at the frame it has reached.

    Parameters
    ----------
    face : int
    step : int
        1 forwards, -1 backwards.
    frame : int
        The last frame with a box.
    last : int
        The frame at which to end.
    box : ndarray of shape (4,)
    confidence : float
    """

    face: int
    step: int
    frame: int
    last: int
    box: FloatArray
    confidence: float
    template: FloatArray | None = None
    """The face's pixels where it was last detected."""

    undetected: int = 0
    """Frames since the last detection."""

    ended: bool = False
    collision: tuple[int, int] | None = None
    """Another face whose box was in the way, and the frame."""

    found: dict[int, tuple[FloatArray, float, str]] = field(default_factory=dict)
    """Box, confidence and source by frame."""

    @property
    def next(self) -> int:
        """The next frame."""
        return self.frame + self.step

    def accept_detection(self, box: FloatArray, confidence: float) -> None:
        """Go on with a box that the detector found."""
        self._advance(box, confidence, "detected")
        self.undetected, self.confidence = 0, confidence

    def accept_flow(self, box: FloatArray, options: PropagationOptions) -> None:
        """Go on with the box to which the flow moved."""
        self.undetected += 1
        self._advance(box, self.confidence * options.confidence_decay**self.undetected, "tracked")

    def _advance(self, box: FloatArray, confidence: float, source: str) -> None:
        self.frame, self.box = self.next, box
        self.found[self.frame] = (box, confidence, source)
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
    propagations: Sequence[Propagation],
    *,
    occupied: OccupiedBoxes,
    detector: Detector,
    options: PropagationOptions,
) -> Iterator[int]:
    """Propagate faces in one direction until each has ended, all side by side, so that a frame is decoded once.

    Yields after every frame how many ended there.

    Parameters
    ----------
    reader : VideoReader
    propagations : sequence of Propagation
        All forwards or all backwards; changed in place.
    occupied : OccupiedBoxes
        Where other faces were found already.
    detector : Detector
    options : PropagationOptions
    """
    max_flow_frames = max(1, round(options.max_flow_seconds * float(reader.info.frame_rate)))
    previous: _GrayFrame | None = None
    for number, group in _by_frame(propagations):
        try:
            # The frame before is mostly the one just handled; after a jump it is decoded anew.
            if previous is None or previous.frame.index != group[0].frame:
                previous = _GrayFrame.of(reader.frame_at(group[0].frame))
            current = _GrayFrame.of(reader.frame_at(number))
        except VideoError:
            _end(group)
        else:
            _step(group, previous, current, _StepRules(occupied, reader.info, options, max_flow_frames), detector)
            previous = current
        yield sum(each.ended for each in group)


def _by_frame(propagations: Sequence[Propagation]) -> Iterator[tuple[int, list[Propagation]]]:
    """Yield the frames in the direction of propagation, each with the propagations that reach it next."""
    # A heap of (next frame, seen in the direction of propagation; position in the sequence).
    queue = [(each.step * each.next, number) for number, each in enumerate(propagations) if not each.ended]
    heapq.heapify(queue)
    while queue:
        nearest = queue[0][0]
        group = []
        while queue and queue[0][0] == nearest:
            group.append(heapq.heappop(queue)[1])
        yield propagations[group[0]].next, [propagations[number] for number in group]
        # The caller has advanced the group; what has not ended goes back into the heap.
        for number in group:
            if not propagations[number].ended:
                heapq.heappush(queue, (propagations[number].step * propagations[number].next, number))


def _end(group: Sequence[Propagation]) -> None:
    for each in group:
        each.ended = True


@dataclass(frozen=True)
class _GrayFrame:
    """A frame with its brightness, at most `FLOW_PIXELS` pixels long, and the scale of that."""

    frame: Frame
    gray: Image
    scale: float

    @classmethod
    def of(cls, frame: Frame) -> Self:
        scale = min(1.0, FLOW_PIXELS / max(frame.size))
        # By whole factors the luma plane is averaged as it is, which is quicker than scaling.
        if (1 / scale).is_integer():
            return cls(frame, frame.luma(shrink=int(1 / scale)), scale)
        width, height = (max(1, round(side * scale)) for side in frame.size)
        return cls(frame, frame.gray(width=width, height=height), scale)


def _step(
    group: Sequence[Propagation], previous: _GrayFrame, current: _GrayFrame, rules: _StepRules, detector: Detector
) -> None:
    """Propagate all faces of a group by one frame."""
    scale = current.scale
    # The template is taken anew only where the face was detected, so that drift does not creep into it.
    for each in group:
        each.template = _patch(previous.gray, each.box * scale) if not each.undetected else each.template
    moved, tracked = _tracked(previous.gray, current.gray, np.array([each.box for each in group]) * scale)
    found = search_crops(detector, current.frame, moved / scale)
    for each, box, certain, faces in zip(group, moved, tracked, found, strict=True):
        same = certain and _correlation(each.template, _patch(current.gray, box)) >= rules.options.min_correlation
        rules.step(each, box / scale, certain=bool(same), found=faces)


def _tracked(old: Image, new: Image, boxes: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Track the part of each box inside the frame by optical flow, and move the whole box with it."""
    height, width = old.shape
    # Boxes with less than 2 pixels inside the frame are not tracked. The part outside moves and grows with the rest.
    inside = clip(boxes, width=width, height=height)
    shown = (inside[:, 2:] >= 2).all(axis=1)
    moved, tracked = boxes.copy(), np.zeros(len(boxes), bool)
    parts, tracked[shown] = follow(old, new, inside[shown])
    growth = parts[:, 2:] / inside[shown, 2:]
    moved[shown, :2] = parts[:, :2] + (boxes[shown, :2] - inside[shown, :2]) * growth
    moved[shown, 2:] = boxes[shown, 2:] * growth
    return moved, tracked


def _patch(gray: Image, box: FloatArray) -> FloatArray:
    """Sample a box on a grid of `TEMPLATE_PIXELS` squared, NaN where it reaches outside the frame."""
    import cv2

    cell = box[2:] / TEMPLATE_PIXELS
    part, left, top = window(gray, box[None], reach=2 + float(max(cell)))
    x, y = (
        box[k] - corner + cell[k] * (np.arange(TEMPLATE_PIXELS) + 0.5) - 0.5 for k, corner in enumerate((left, top))
    )
    # Cells wider than a pixel and a half are averaged first, or sampling them would alias.
    level = cv2.blur(part, (max(1, round(cell[0])), max(1, round(cell[1])))) if max(cell) > 1.5 else part
    across, down = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    patch = cv2.remap(level.astype(np.float32), across, down, cv2.INTER_LINEAR, borderValue=float("nan"))
    return np.asarray(patch, np.float64)


def _correlation(first: FloatArray | None, second: FloatArray) -> float:
    """Return the normalised cross-correlation of two patches over the pixels that both show, -1 to 1, 0 if few."""
    if first is None:
        return 0.0
    both = ~np.isnan(first) & ~np.isnan(second)
    if both.sum() < TEMPLATE_PIXELS * TEMPLATE_PIXELS * MIN_TEMPLATE_SHARE:
        return 0.0
    a, b = (patch[both] - patch[both].mean() for patch in (first, second))
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1.0))


@dataclass(frozen=True)
class _StepRules:
    """Decides whether a propagation goes on, and with which box."""

    occupied: OccupiedBoxes
    info: VideoInfo
    options: PropagationOptions
    max_flow_frames: int

    def step(self, propagation: Propagation, box: FloatArray, *, certain: bool, found: FloatArray) -> None:
        """Propagate a face by one frame, or end it.

        ``box`` is where the flow moved it, ``certain`` whether its pixels are still the face's, ``found`` what the
        detector sees there.
        """
        detected = self._detected(box, found, certain=certain)
        here = box if detected is None else detected[0]
        boxes, faces = self.occupied.others(propagation.next, besides=propagation.face)
        # Another face is already here: either this one has drifted onto it, or both are the same face.
        overlaps = iou(here[None], boxes)[0]
        if overlaps.max(initial=0) > self.options.max_occupied_iou:
            collision = (int(faces[overlaps.argmax()]), propagation.next)
            propagation.collision, propagation.ended = collision, True
        elif detected is not None:
            propagation.accept_detection(*detected)
        elif certain and self._may_flow(propagation, box, boxes):
            propagation.accept_flow(box, self.options)
        else:
            propagation.ended = True

    def _may_flow(self, propagation: Propagation, box: FloatArray, others: FloatArray) -> bool:
        """Tell whether flow is trusted without a detection: not for long, nor at the edge, nor behind others."""
        recent = propagation.undetected < self.max_flow_frames
        return recent and self._visible(box) and not self._hidden(box, others)

    def _detected(self, box: FloatArray, found: FloatArray, *, certain: bool) -> tuple[FloatArray, float] | None:
        """Return the box that a detection in the crop confirms, and its confidence."""
        sure = found[found[:, 4] >= self.options.min_confidence]
        size = np.sqrt(np.prod(sure[:, 2:4], axis=1) / np.prod(box[2:]))
        overlap = iou(box[None], sure[:, :4])[0]
        # A detection of about the expected size replaces the expected box.
        whole = (overlap >= self.options.min_iou) & (size > WHOLE_SIZE_RATIOS[0]) & (size < WHOLE_SIZE_RATIOS[1])
        if whole.any():
            best = sure[np.argmax(np.where(whole, sure[:, 4] * overlap, 0))]
            return best[:4].copy(), float(best[4])
        # A smaller one inside it, of a face that is cut or turned away, confirms it, and the expected size stays.
        inside = _inside(sure[:, :4], box) > MIN_INSIDE_SHARE
        part = inside & (size > MIN_PART_SIZE_RATIO) & (size <= WHOLE_SIZE_RATIOS[0])
        if certain and part.any():
            return box, float(sure[part, 4].max())
        return None

    def _hidden(self, box: FloatArray, others: FloatArray) -> bool:
        return bool(union_cover(box[None], others)[0] > self.options.max_hidden_share)

    def _visible(self, box: FloatArray) -> bool:
        shown = clip(box[None], width=self.info.width, height=self.info.height)[0]
        return bool(np.prod(shown[2:]) >= self.options.min_visible_share * np.prod(box[2:]))


def _inside(boxes: FloatArray, around: FloatArray) -> FloatArray:
    """Return the share of each box that lies inside another."""
    shared = intersections(boxes, around[None])[:, 0]
    return np.asarray(shared / np.maximum(np.prod(boxes[:, 2:], axis=1), 1e-9))
