"""The settings of a search: detector, letterboxes, sampling and confidence thresholds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from redactkit.analysis.letterbox import Letterbox, plan_letterboxes
from redactkit.boxes import FloatArray, to_corners
from redactkit.detectors import Detector, load_detector
from redactkit.errors import OptionError
from redactkit.media import VideoInfo

__all__ = ["SENSITIVITIES", "Search", "Thresholds", "load_searcher", "plan_search", "resolve_detector"]


@dataclass(frozen=True)
class Thresholds:
    """Confidence thresholds, 0 to 1.

    Parameters
    ----------
    floor : float
        Least confidence of a box that is linked to tracks. Raising it misses more faces, and tracks fewer other things.
    propagation : float
        Least confidence of a box in a crop where a track predicts a face. Raising it ends propagation sooner.
    support : float
        Least rescored confidence of a doubtful track. Raising it discards more tracks.
    sure : float
        Confidence of one box from which its track is not doubtful: it is kept without rescoring. It differs by
        detector and sensitivity, unlike ``FilterOptions.strong``, which decides an earlier question: whether a short
        track is discarded before it could be rescored. Raising it rescores more tracks.
    mismatch : float
        Confidence from which a face must be where it was predicted, or the frames between are searched. Raising it
        searches fewer frames, and misses more of the first and last frames of faint faces.
    """

    floor: float
    propagation: float
    support: float
    sure: float
    mismatch: float


SAMPLE_SECONDS = 0.24
"""Seconds from one sampled frame to the next. Raising it searches fewer frames, and misses more brief faces."""

MIN_HALF_DETAIL_FACE_PIXELS = 20.0
"""Width of a face in the half-size input from which it is found there as well as at full size.

Raising it searches more frames at full size.
"""

MAX_FINE_FACE_SHARE = 0.25
"""Width of a face, in shares of the frame's, up to which the fine letterbox finds it; larger ones need the coarse one.

Raising it uses the coarse letterbox less.
"""

EDGE_MARGIN_SHARE = 0.25
"""Distance to the frame's edge, in shares of the face's size, below which the face may be leaving the frame."""

# Confidences of different detectors cannot be compared, so each has thresholds of its own.
SENSITIVITIES = {
    "centerface": {
        "high": Thresholds(floor=0.1, propagation=0.08, support=0.15, sure=0.45, mismatch=0.2),
        "normal": Thresholds(floor=0.15, propagation=0.1, support=0.25, sure=0.6, mismatch=0.3),
        "low": Thresholds(floor=0.3, propagation=0.2, support=0.4, sure=0.7, mismatch=0.4),
    },
    # Those of YuNet, whose confidences are of the same kind, a third lower: SCRFD is told to find hard faces.
    "scrfd": {
        "high": Thresholds(floor=0.2, propagation=0.2, support=0.3, sure=0.6, mismatch=0.3),
        "normal": Thresholds(floor=0.3, propagation=0.2, support=0.4, sure=0.7, mismatch=0.4),
        "low": Thresholds(floor=0.5, propagation=0.4, support=0.5, sure=0.8, mismatch=0.5),
    },
    "yunet": {
        "high": Thresholds(floor=0.3, propagation=0.3, support=0.35, sure=0.7, mismatch=0.4),
        "normal": Thresholds(floor=0.45, propagation=0.3, support=0.5, sure=0.8, mismatch=0.5),
        "low": Thresholds(floor=0.6, propagation=0.5, support=0.6, sure=0.9, mismatch=0.6),
    },
}


@dataclass(frozen=True)
class Search:
    """How a video is searched.

    Parameters
    ----------
    detector : Detector
        With a threshold no higher than any of ``thresholds`` needs.
    letterboxes : tuple of Letterbox
        The detector inputs made from a frame.
    sensitivity : str
    thresholds : Thresholds
    rotations : tuple of int
        Degrees clockwise by which frames are rotated and searched once more.
    sample_seconds : float
        Seconds from one sampled frame to the next; 0 searches every frame.
    """

    detector: Detector
    letterboxes: tuple[Letterbox, ...]
    sensitivity: str
    thresholds: Thresholds
    rotations: tuple[int, ...] = ()
    sample_seconds: float = SAMPLE_SECONDS

    def with_rotations(self, rotations: Iterable[int]) -> Search:
        """Return the search with every upright letterbox repeated for each rotation."""
        angles = tuple(rotations)
        upright = [each for each in self.letterboxes if not each.rotation]
        letterboxes = tuple(replace(each, rotation=rotation) for rotation in (0, *angles) for each in upright)
        return replace(self, letterboxes=letterboxes, rotations=angles)

    @cached_property
    def half_detail(self) -> tuple[Letterbox, ...]:
        """The fine letterboxes at half the size, a quarter of the work; none where every frame is searched."""
        # How small a face may be was measured for the known detectors alone.
        if not self.sample_seconds or getattr(self.detector, "name", None) not in SENSITIVITIES:
            return ()
        return tuple(each.halved() for each in self.letterboxes if each.canvas is None)

    def suits_half_detail(self, faces: FloatArray, info: VideoInfo) -> bool:
        """Tell whether half detail finds all these faces of a frame, shape (N, 5): none is small, none is huge."""
        huge = faces[:, 2:4] > MAX_FINE_FACE_SHARE * info.width
        return self.suits_half_detail_with_coarse(faces, info) and not huge.any()

    @cached_property
    def half_detail_with_coarse(self) -> tuple[Letterbox, ...]:
        """The fine letterboxes at half the size, and the coarse ones, which find huge faces."""
        return (*self.half_detail, *(each for each in self.letterboxes if each.canvas is not None))

    def suits_half_detail_with_coarse(self, faces: FloatArray, info: VideoInfo) -> bool:
        """Tell whether half detail and the coarse letterbox find all these faces, shape (N, 5): none is small."""
        if not self.half_detail:
            return False
        sides = faces[:, 2:4] * (self.half_detail[0].width / info.width)
        return bool((sides >= MIN_HALF_DETAIL_FACE_PIXELS).all())

    @cached_property
    def without_coarse(self) -> tuple[Letterbox, ...]:
        """The fine letterboxes."""
        return tuple(each for each in self.letterboxes if each.canvas is None)

    def suits_without_coarse(self, faces: FloatArray, info: VideoInfo) -> bool:
        """Tell whether the fine letterboxes find all these faces of a frame, shape (N, 5): none is huge or leaving."""
        if not self.half_detail:
            return False
        # A face near the edge may be cut by it in this frame.
        left_top, right_bottom = to_corners(faces[:, :4]).reshape(-1, 2, 2).transpose(1, 0, 2)
        margin = faces[:, 2:4] * EDGE_MARGIN_SHARE
        inside = (left_top >= margin) & (right_bottom <= np.array([info.width, info.height]) - margin)
        return bool(inside.all() and (faces[:, 2:4] <= MAX_FINE_FACE_SHARE * info.width).all())

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as annotations keep them, under the names that the files have."""
        return {
            "detector": getattr(self.detector, "name", type(self.detector).__name__),
            "model_sha256": getattr(self.detector, "digest", None),
            "threshold": self.thresholds.floor,
            "sensitivity": self.sensitivity,
            "detection_size": [self.letterboxes[0].width, self.letterboxes[0].height],
            "looks": len(self.letterboxes),
            "turns": list(self.rotations),
            "every": self.sample_seconds,
        }


def plan_search(
    info: VideoInfo,
    *,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    size: int | None = None,
    sensitivity: str = "normal",
) -> Search:
    """Choose detector, letterboxes, sampling and thresholds for a video.

    Parameters
    ----------
    info : VideoInfo
    detector : str or Detector
        ``"centerface"``, ``"yunet"``, or any callable from a batch of RGB images to boxes.
    model : path, optional
        Model file of a detector given by name; YuNet needs it here or in the variable ``REDACTKIT_YUNET``.
    size : int, optional
        Longer side of the detector input in pixels, by default such that a face of 24 pixels is found. Raising it
        finds smaller faces, and takes longer.
    sensitivity : {"normal", "high", "low"}
        High lowers the thresholds and searches every frame; low raises them.

    Raises
    ------
    OptionError
        For an unknown detector or sensitivity, a size too small to search, or a model for no named detector.
    DetectorError
        If the detector's model is missing.
    """
    thresholds = _thresholds(detector, sensitivity)
    _refuse_model(detector, model)
    found = load_searcher(detector, model=model, sensitivity=sensitivity) if isinstance(detector, str) else detector
    letterboxes = plan_letterboxes(info.width, info.height, size=size)
    seconds = 0.0 if sensitivity == "high" else SAMPLE_SECONDS
    return Search(found, letterboxes, sensitivity, thresholds, sample_seconds=seconds)


def load_searcher(
    name: str, *, model: str | Path | None = None, sensitivity: str = "normal", threads: int | None = None
) -> Detector:
    """Load a detector with the lowest threshold that a search of a sensitivity needs; errors as of `plan_search`."""
    thresholds = _thresholds(name, sensitivity)
    return load_detector(name, model=model, threshold=min(thresholds.floor, thresholds.propagation), threads=threads)


def resolve_detector(
    detector: str | Detector, *, model: str | Path | None = None, sensitivity: str = "normal"
) -> Detector:
    """Load a detector by name with the floor of a sensitivity as its threshold; return a given one as it is.

    Raises
    ------
    OptionError
        If the name or the sensitivity is unknown, or a model is given for a detector that is not named.
    """
    thresholds = _thresholds(detector, sensitivity)
    _refuse_model(detector, model)
    return load_detector(detector, model=model, threshold=thresholds.floor) if isinstance(detector, str) else detector


def _refuse_model(detector: str | Detector, model: str | Path | None) -> None:
    if model is not None and not isinstance(detector, str):
        raise OptionError(
            f"model is for a detector given by name, such as 'yunet', and {type(detector).__name__} has its own; "
            "leave model out"
        )


def _thresholds(detector: str | Detector, sensitivity: str) -> Thresholds:
    # A detector that is not known gets the thresholds of CenterFace.
    named = detector if isinstance(detector, str) else getattr(detector, "name", "centerface")
    presets = SENSITIVITIES.get(named, SENSITIVITIES["centerface"])
    if sensitivity not in presets:
        raise OptionError(f"sensitivity must be one of {sorted(presets)}, got {sensitivity!r}")
    return presets[sensitivity]
