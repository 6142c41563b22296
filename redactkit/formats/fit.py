"""Do the boxes of a file fit the video? What is in doubt, but possible, is said by whatever reads the file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from redactkit.annotations import Annotations
from redactkit.formats.normalize import Reading, Remark

__all__ = ["DOUBTS", "add_doubts", "doubt_fit", "doubts_in", "reach"]

DOUBTS = {"smaller copy", "edges", "may be percent", "other video", "shares for pixels", "pixels for shares"}
"""Kinds of remark on how a file fits the video: a redaction by it has them in its report."""
_KEY = "doubts"
_HALF = 0.5 + 1e-6
_FEWEST = 3  # boxes from which it is no accident that none is in the other half


def doubt_fit(reading: Reading) -> list[Remark]:
    """Return what is to be said of where boxes lie in the frame of a file that does not say how large its frames are.

    Only such files can be meant for a frame of another size.
    """
    reached, rows, video = reach(reading.annotations), reading.annotations.detections, reading.annotations.video
    if reading.sized or reached is None or len(rows) < _FEWEST:
        return []
    if max(reached) <= _HALF:
        text = (
            f"no box reaches beyond half of the frame of {video.width}x{video.height}, across or down, and the file "
            "does not say of which size its frames are; if it is of a smaller copy of the video, scale its boxes"
        )
        return [Remark("smaller copy", text)]
    edges = (rows["width"] > rows["x"]) & (rows["height"] > rows["y"]) & (rows[["x", "y"]] >= 0).all(axis=1)
    within = (rows["width"] <= video.width) & (rows["height"] <= video.height)
    if max(reached) <= 1 or not (edges & within).all():
        return []
    text = (
        "boxes reach beyond the frame, but each would lie within it if width and height were its right and bottom "
        "edge; if they are, name the columns left, top, right, bottom"
    )
    return [Remark("edges", text)]


def reach(annotations: Annotations) -> tuple[float, float] | None:
    """Return the largest x + width and y + height as shares of the frame's width and height; None if one is unknown."""
    video, rows = annotations.video, annotations.detections
    if not (annotations.has_boxes and len(rows) and video.width > 0 and video.height > 0):
        return None
    across, down = rows["x"] + rows["width"], rows["y"] + rows["height"]
    return float(across.max() / video.width), float(down.max() / video.height)


def doubts_in(remarks: Iterable[Remark]) -> list[str]:
    """Return the remarks that put in doubt whether a file fits its video."""
    return [remark.text for remark in remarks if remark.kind in DOUBTS]


def add_doubts(annotations: Annotations, doubts: Sequence[str]) -> Annotations:
    """Return annotations that keep what is doubtful about them, so that a redaction's report has it."""
    if not doubts:
        return annotations
    known = annotations.settings
    return annotations.replace(settings={**known, _KEY: list(dict.fromkeys([*known.get(_KEY, ()), *doubts]))})
