"""The detector's help where a followed object is a face: it keeps the box on a face that turns, and finds it again."""

from __future__ import annotations

import numpy as np

from redactkit.boxes import FloatArray, iou
from redactkit.detectors import Detector
from redactkit.detectors.crops import search_crops
from redactkit.following.follower import Follower
from redactkit.following.views import GrayImage
from redactkit.video import Frame

__all__ = ["FaceHelp"]

HELP_FRAMES = 8
"""Frames after which the detector looks again while all is well. Raising it is quicker, and drifts more."""

MIN_HELP_IOU = 0.4
"""IoU of a detection with the box from which it is the same face. Raising it takes fewer other faces for it."""

MIN_FOUND_CONFIDENCE = 0.5
"""Confidence of a detection from which a face that was lost is found again."""

CERTAIN = 0.75
"""Confidence of following above which the detector is not asked in every frame."""


class FaceHelp:
    """What the detector says of one face.

    Parameters
    ----------
    detector : Detector
    frame : Frame
        The one in which the box was drawn.
    box : ndarray of shape (4,)
    """

    def __init__(self, detector: Detector, frame: Frame, box: FloatArray) -> None:
        self._detector = detector
        found = self._nearest(frame, box, MIN_HELP_IOU, 0.0)
        self._drawn = None if found is None else _relation(found, box)
        self._rested = 0

    def assist(self, follower: Follower, image: GrayImage, frame: Frame) -> None:
        """Put a follower's box back on the face, where the detector sees it there."""
        # Somebody drew a box that the detector takes for no face: it cannot help.
        if self._drawn is None or follower.ending is not None:
            return
        place = follower.boxes.get(frame.index)
        lost = place is None or not place.seen
        self._rested += 1
        if not lost and place is not None and place.confidence > CERTAIN and self._rested < HELP_FRAMES:
            return
        self._rested = 0
        box = follower.box
        found = self._nearest(frame, _related(self._drawn, box), MIN_HELP_IOU, MIN_FOUND_CONFIDENCE if lost else 0.0)
        if found is not None:
            follower.put(image, _drawn(self._drawn, found), frame.index)

    def _nearest(self, frame: Frame, box: FloatArray, min_iou: float, min_confidence: float) -> FloatArray | None:
        """Return the detection that overlaps a box most."""
        faces = search_crops(self._detector, frame, box[None])[0]
        faces = faces[faces[:, 4] >= min_confidence]
        overlap = iou(box[None], faces[:, :4])[0]
        if overlap.max(initial=0) < min_iou:
            return None
        return np.asarray(faces[overlap.argmax(), :4])


def _relation(found: FloatArray, box: FloatArray) -> FloatArray:
    """Return where a drawn box lies, in shares of the detection: people draw faces larger or smaller than detectors."""
    return np.concatenate([(box[:2] - found[:2]) / found[2:], box[2:] / found[2:]])


def _drawn(relation: FloatArray, found: FloatArray) -> FloatArray:
    """Return the box that a person would have drawn around a detection."""
    return np.concatenate([found[:2] + relation[:2] * found[2:], relation[2:] * found[2:]])


def _related(relation: FloatArray, box: FloatArray) -> FloatArray:
    """Return where the detector would see the face of a drawn box."""
    sides = box[2:] / relation[2:]
    return np.concatenate([box[:2] - relation[:2] * sides, sides])
