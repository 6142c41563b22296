"""Tell patterns on a wall from heads: a doubtful track whose picture never changes while the camera moves.

A head turns and blinks; a coat of arms, a knob or a bust is carried along by the camera's motion as it is, and so is
the wall around it. Confident tracks, and all where the camera keeps still, are left alone: a head may keep still for
long. So is who walks past what stands still, since what is around the head changes then.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, centers
from redactkit.errors import VideoError
from redactkit.tables import BOX
from redactkit.video import VideoReader

__all__ = ["rigid_faces", "rigidity"]

MAX_CONFIDENCE = 0.7
"""Confidence of one box from which a track is not judged so. Raising it discards more, also faces on posters.

It may be above ``Thresholds.sure``, which decides whether a track is rescored. What is judged here is not the
confidence but whether the picture changes, so tracks that would be kept without rescoring are judged too.
"""

MIN_CORRELATION = 0.98
"""Least normalized cross-correlation of a picture with most others. Lower discards more, also heads that keep still."""

MIN_SECONDS = 0.5
"""Least time from the first to the last picture: within less a head may keep still."""

MIN_MOTION_SHARE = 0.25
"""How far the picture must have moved in the frame, in sizes of the face: the camera moves."""

SAMPLES = 6
"""Pictures of a track that are compared with one another. Raising it judges better, and takes longer."""

SURROUNDINGS = 1.4
"""Side of a picture in sizes of the face: the wall around it must keep still too. Raising it discards less."""

PICTURE_PIXELS, MARGIN_PIXELS = 36, 12
"""Size to which a face with its surroundings is scaled, and how far on each side it is sought there."""

Gray = NDArray[np.uint8]


def rigid_faces(reader: VideoReader, detections: pd.DataFrame) -> list[int]:
    """Return the doubtful tracks whose pictures are rigid while the camera moves.

    Parameters
    ----------
    reader : VideoReader
    detections : DataFrame
        Linked tracks of one shot.

    Returns
    -------
    list of int
        Face IDs.

    References
    ----------
    Lewis: Fast Normalized Cross-Correlation, 1995.
    """
    seen = detections[detections["source"] == "detected"].sort_values("frame")
    tracks = [(face, rows) for face, rows in seen.groupby("face_id") if _may_be(rows, reader)]
    return [int(str(face)) for face, rows in tracks if rigidity(reader, rows) >= MIN_CORRELATION]


def _may_be(rows: pd.DataFrame, reader: VideoReader) -> bool:
    first, last = (float(reader.info.times[int(rows["frame"].iloc[end])]) for end in (0, -1))
    sides = rows[["width", "height"]].max(axis=1)
    # Where the boxes of a track lie shows already whether anything moves.
    moved = np.abs(centers(rows[BOX].to_numpy(np.float64)) - centers(rows[BOX].iloc[:1].to_numpy(np.float64))).max()
    return bool(
        rows["confidence"].max() < MAX_CONFIDENCE
        and last - first >= MIN_SECONDS
        and moved >= MIN_MOTION_SHARE * sides.median()
    )


def rigidity(reader: VideoReader, rows: pd.DataFrame) -> float:
    """Return how well one picture of a track is found again in most others: its median correlation, at most 1.

    Any of the pictures may be that one, since something may pass before the others. It is 0 where the camera keeps
    still.
    """
    size = float(rows[["width", "height"]].max(axis=1).median())
    side = size * SURROUNDINGS
    picked = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, SAMPLES).round().astype(int))]
    middles, pictures = centers(picked[BOX].to_numpy(np.float64)), []
    for frame, box in zip(picked["frame"].tolist(), picked[BOX].to_numpy(np.float64), strict=True):
        pictures.append(_picture(reader, frame, box, side))
    count = len(pictures)
    inner = slice(MARGIN_PIXELS, MARGIN_PIXELS + PICTURE_PIXELS)
    correlations, motions = np.full((count, count), np.nan), np.zeros((count, count))
    for a, b in ((a, b) for a in range(count) for b in range(count) if a != b):
        one, other = pictures[a], pictures[b]
        if one is not None and other is not None:
            correlations[a, b], shift = _find(one[inner, inner], other)
            motions[a, b] = np.hypot(*(middles[b] - middles[a] + shift * side / PICTURE_PIXELS)) / size
    best = 0.0
    for found, moved in zip(correlations, motions, strict=True):
        known = found[np.isfinite(found)]
        if len(known) >= 2 and moved.max() >= MIN_MOTION_SHARE:
            best = max(best, float(np.median(known)))
    return best


def _picture(reader: VideoReader, frame: int, box: FloatArray, side: float) -> Gray | None:
    """Return a square of ``side`` pixels around a face, scaled; None of a frame that does not decode."""
    import cv2

    try:
        shown = reader.frame_at(frame)
    except VideoError:
        return None
    size, scale = PICTURE_PIXELS + 2 * MARGIN_PIXELS, PICTURE_PIXELS / max(side, 1.0)
    x, y = centers(box[None])[0]
    # Only what the square shows, with a pixel around it, is converted.
    width, height = shown.size
    reach = size / scale / 2 + 2
    left, top = (int(np.clip(middle - reach, 0, whole - 1)) for middle, whole in ((x, width), (y, height)))
    right, bottom = (
        int(np.clip(middle + reach, least + 1, whole)) for middle, least, whole in ((x, left, width), (y, top, height))
    )
    gray = shown.gray_part(left, top, right, bottom)
    x, y = x - left, y - top
    matrix = np.array([[scale, 0, size / 2 - x * scale], [0, scale, size / 2 - y * scale]])
    return np.asarray(cv2.warpAffine(gray, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE))


def _find(first: Gray, there: Gray) -> tuple[float, FloatArray]:
    """Return how well a picture is found again in a larger one, and how far from its middle."""
    import cv2

    scores = cv2.matchTemplate(there, first, cv2.TM_CCOEFF_NORMED)
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    return float(scores[row, column]), np.array([column - MARGIN_PIXELS, row - MARGIN_PIXELS], np.float64)
