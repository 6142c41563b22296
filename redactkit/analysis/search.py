"""How a video is searched: with which detector, where in each frame, and what is believed."""

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
    """Confidences at which something is believed.

    Parameters
    ----------
    floor : float
        Least confidence of a box that is linked to tracks.
    walk : float
        The same where a track predicts a face and a closer look is taken.
    support : float
        Least mean confidence of a doubtful track, by its boxes and by closer looks.
    sure : float
        Confidence of a single box that leaves no doubt.
    see : float
        Confidence of a box that may not come or go between two frames unless those between are searched too.
    """

    floor: float
    walk: float
    support: float
    sure: float
    see: float


SAMPLE_SECONDS = 0.24
MIN_LIGHT_FACE_PIXELS = 20.0
"""Pixels across a face in a light look from which it is as good as the full one."""
MAX_LIGHT_FACE_SHARE = 0.25
"""Share of such a look's width up to which that holds: larger faces want the coarse look too."""

EDGE_MARGIN_SHARE = 0.25
"""Share of a face's size within which it is about to leave the frame."""

SENSITIVITIES = {
    "centerface": {
        "high": Thresholds(floor=0.1, walk=0.08, support=0.15, sure=0.45, see=0.2),
        "normal": Thresholds(floor=0.15, walk=0.1, support=0.25, sure=0.6, see=0.3),
        "low": Thresholds(floor=0.3, walk=0.2, support=0.4, sure=0.7, see=0.4),
    },
    "yunet": {
        "high": Thresholds(floor=0.3, walk=0.3, support=0.35, sure=0.7, see=0.4),
        "normal": Thresholds(floor=0.45, walk=0.3, support=0.5, sure=0.8, see=0.5),
        "low": Thresholds(floor=0.6, walk=0.5, support=0.6, sure=0.9, see=0.6),
    },
}


@dataclass(frozen=True)
class Search:
    """How every frame is searched.

    Parameters
    ----------
    detector : Detector
        With a threshold that serves all uses.
    looks : tuple of Letterbox
        The pictures of a frame that it gets.
    sensitivity : str
    thresholds : Thresholds
    turns : tuple of int
        Degrees clockwise by which frames are also searched turned.
    every : float
        Seconds from one searched frame to the next while all faces move as predicted; 0 searches every frame.
    """

    detector: Detector
    looks: tuple[Letterbox, ...]
    sensitivity: str
    thresholds: Thresholds
    turns: tuple[int, ...] = ()
    every: float = SAMPLE_SECONDS

    def turned(self, turns: Iterable[int]) -> Search:
        """Return the same search with every look also taken of the turned frame."""
        more = tuple(turns)
        looks = tuple(replace(look, turn=turn) for turn in (0, *more) for look in self.looks if not look.turn)
        return replace(self, looks=looks, turns=more)

    @cached_property
    def light(self) -> tuple[Letterbox, ...]:
        """Looks at half the detail, for frames in which only large faces are expected; none where all are searched."""
        if not self.every or getattr(self.detector, "name", None) not in SENSITIVITIES:
            return ()
        return tuple(look.halved() for look in self.looks if look.canvas is None)

    def sees_lightly(self, faces: FloatArray, info: VideoInfo) -> bool:
        """Tell whether all these faces of a frame, shape (N, 5), are large enough for the light looks, none huge."""
        if not self.light:
            return False
        sides = faces[:, 2:4] * (self.light[0].width / info.width)
        return bool(
            (sides >= MIN_LIGHT_FACE_PIXELS).all() and (sides <= MAX_LIGHT_FACE_SHARE * self.light[0].width).all()
        )

    @cached_property
    def fine(self) -> tuple[Letterbox, ...]:
        """Looks without those for faces that fill the frame or leave it."""
        return tuple(look for look in self.looks if look.canvas is None)

    def sees_finely(self, faces: FloatArray, info: VideoInfo) -> bool:
        """Tell whether of these faces of a frame, shape (N, 5), none fills the frame or is about to leave it."""
        if not self.light:
            return False
        left_top, right_bottom = to_corners(faces[:, :4]).reshape(-1, 2, 2).transpose(1, 0, 2)
        margin = faces[:, 2:4] * EDGE_MARGIN_SHARE
        inside = (left_top >= margin) & (right_bottom <= np.array([info.width, info.height]) - margin)
        return bool(inside.all() and (faces[:, 2:4] <= MAX_LIGHT_FACE_SHARE * info.width).all())

    @property
    def settings(self) -> dict[str, Any]:
        """The same for the record."""
        return {
            "detector": getattr(self.detector, "name", type(self.detector).__name__),
            "model_sha256": getattr(self.detector, "digest", None),
            "threshold": self.thresholds.floor,
            "sensitivity": self.sensitivity,
            "detection_size": [self.looks[0].width, self.looks[0].height],
            "looks": len(self.looks),
            "turns": list(self.turns),
            "every": self.every,
        }


def plan_search(
    info: VideoInfo,
    *,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    size: int | None = None,
    sensitivity: str = "normal",
) -> Search:
    """Settle how a video is searched.

    Parameters
    ----------
    info : VideoInfo
    detector : str or Detector
        ``"centerface"``, ``"yunet"``, or any callable from a batch of RGB images to boxes.
    model : path, optional
        Model file of a detector given by name; YuNet needs it here or in the variable ``REDACTKIT_YUNET``.
    size : int, optional
        Longer side in pixels of the picture searched; by default chosen so that a face of 24 pixels is found.
    sensitivity : {"normal", "high", "low"}

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
    looks = plan_letterboxes(info.width, info.height, size=size)
    return Search(found, looks, sensitivity, thresholds, every=0.0 if sensitivity == "high" else SAMPLE_SECONDS)


def load_searcher(
    name: str, *, model: str | Path | None = None, sensitivity: str = "normal", threads: int | None = None
) -> Detector:
    """Load a detector that sees all that a search of a sensitivity looks at; errors as of `plan_search`."""
    thresholds = _thresholds(name, sensitivity)
    return load_detector(name, model=model, threshold=min(thresholds.floor, thresholds.walk), threads=threads)


def resolve_detector(
    detector: str | Detector, *, model: str | Path | None = None, sensitivity: str = "normal"
) -> Detector:
    """Load a detector by name with the floor of a sensitivity; one that is given is used as it is.

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
    named = detector if isinstance(detector, str) else getattr(detector, "name", "centerface")
    presets = SENSITIVITIES.get(named, SENSITIVITIES["centerface"])
    if sensitivity not in presets:
        raise OptionError(f"sensitivity must be one of {sorted(presets)}, got {sensitivity!r}")
    return presets[sensitivity]
