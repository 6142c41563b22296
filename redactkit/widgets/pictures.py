"""Pictures as the page gets them: frames as they are or redacted, cut to a region, as JPEG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.redaction import Preview, RedactionOptions
from redactkit.redaction.plan import lay_out
from redactkit.review import Review
from redactkit.review.editing import set_decision
from redactkit.widgets.geometry import Region

__all__ = ["QUALITY", "cut", "jpeg", "original", "redacted"]

Picture = NDArray[np.uint8]
QUALITY = 82
_REPLAYED = 300
"""Frames before the one shown whose boxes its effect may look back at."""


def jpeg(picture: Picture, *, quality: int = QUALITY) -> bytes:
    """Encode an RGB picture."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OptionError(f"a picture of shape {picture.shape} cannot be encoded as JPEG")
    return bytes(data)


def original(review: Review, frame: int, region: Region, *, width: int) -> Picture:
    """Return a region of a frame, at most ``width`` pixels wide."""
    size = _size(review, region, width)
    if _is_whole(review, region):
        return review.picture(frame, width=size[0], height=size[1])
    return _resized(cut(review.picture(frame), region), size)


def redacted(
    review: Review, frame: int, region: Region, *, width: int, looks: Mapping[int, Mapping[str, Any]] | None = None
) -> Picture:
    """Return a region of a frame as `redactkit.redact` would make it, by the same code.

    Parameters
    ----------
    review : Review
    frame : int
    region : Region
    width : int
        Most pixels across.
    looks : mapping, optional
        What some faces' looks would be, and that they are hidden, whatever was decided.

    Raises
    ------
    OptionError
        If the review has no video open.
    """
    if review.reader is None:
        raise OptionError("a redacted preview needs the video: open the review with Review.open(video, annotations)")
    tried = dict(looks or {})
    with review.lock:
        table, decisions = review.detections, review.decisions
    first, last = np.searchsorted(table["frame"].to_numpy(), [frame - _REPLAYED, frame + 1])
    rows = table.iloc[first:last]
    rows = rows[rows["x"].notna().to_numpy()]
    decisions = decisions[decisions.index.isin(rows["face_id"])]
    if tried:
        decisions = set_decision(decisions, faces=[face for face in tried if face in decisions.index], redact=True)
    for face, look in tried.items():
        if face in decisions.index:
            decisions = set_decision(decisions, faces=[face], look=look)
    shown = Annotations(review.reader.info, rows.reset_index(drop=True), decisions)
    options = RedactionOptions(blur=review.blur, margin=review.margin, strength=review.strength, shape=review.shape)
    plan = lay_out(shown, review.reader.info, faces=shown.selected_ids, options=options)
    preview = Preview(review.reader, plan, kind=review.blur, strength=review.strength)
    size = _size(review, region, width)
    if _is_whole(review, region):
        return preview.rgb(frame, width=size[0], height=size[1])
    return _resized(cut(preview.rgb(frame), region), size)


def cut(picture: Picture, region: Region) -> Picture:
    """Return the pixels of a region, at least one, clipped to the picture."""
    height, width = picture.shape[:2]
    left, top = (int(np.clip(value, 0, limit - 1)) for value, limit in ((region.x, width), (region.y, height)))
    right = int(np.clip(round(region.x + region.width), left + 1, width))
    bottom = int(np.clip(round(region.y + region.height), top + 1, height))
    return picture[top:bottom, left:right]


def _is_whole(review: Review, region: Region) -> bool:
    return (region.width, region.height) == (review.video.width, review.video.height)


def _size(review: Review, region: Region, width: int) -> tuple[int, int]:
    across = max(1, min(width, review.video.width))
    return across, max(1, round(across * region.height / max(region.width, 1)))


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    method = cv2.INTER_AREA if size[0] < picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
