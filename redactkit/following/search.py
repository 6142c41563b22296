"""Search for an object around the place where it should be, by its template, at its last size and angle."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from redactkit.boxes import FloatArray
from redactkit.following.appearance import Template
from redactkit.following.views import GrayImage, box_of, project, shifted

__all__ = ["search"]

TEMPLATE_PIXELS = 28
"""Longer side of the template in the search. Raising it tells more things apart, and is slower."""

SCALES = (1.0, 0.87, 1.15)
"""Sizes that are tried, in shares of the last one."""

REACH_SHARE = 0.8
"""How far is searched in the first frame, in shares of the object's longer side."""

REACH_GROWTH = 0.15
"""How much farther is searched in each further frame, in the same shares."""

MAX_REACH_SHARE = 3.0
"""How far is searched at most."""

MIN_PEAK = 0.5
"""Least normalised cross-correlation of a place to look at closely."""

MAX_RIVAL_LAG = 0.2
"""How much worse than the best another place may be to be looked at too. Raising it looks at more places."""


def search(image: GrayImage, pose: FloatArray, template: Template, *, missed: int) -> Iterator[FloatArray]:
    """Yield poses at which the object may be, the likeliest first.

    Parameters
    ----------
    image : ndarray of shape (H, W), uint8
    pose : ndarray of shape (3, 3)
        Where the object should be.
    template : Template
    missed : int
        Frames for which it was not seen.
    """
    shape = template.shape
    box = box_of(pose, shape)
    longer = float(box[2:].max())
    if not np.isfinite(box).all() or longer < 2:
        return
    reach = min(REACH_SHARE + REACH_GROWTH * missed, MAX_REACH_SHARE) * longer
    height, width = image.shape
    left, top = (max(0, int(np.floor(box[k] - reach))) for k in (0, 1))
    right = min(width, int(np.ceil(box[0] + box[2] + reach)))
    bottom = min(height, int(np.ceil(box[1] + box[3] + reach)))
    scale = min(1.0, TEMPLATE_PIXELS / longer)
    size = (round((right - left) * scale), round((bottom - top) * scale))
    if right <= left or bottom <= top or min(size) < 4:
        return
    part = cv2.resize(image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    part = cv2.GaussianBlur(part, (3, 3), 0)
    exact = np.array(size) / (right - left, bottom - top)
    found = []
    for factor in SCALES:
        sample, corner = _rendered(template, pose, exact * factor)
        if sample.shape[0] > part.shape[0] or sample.shape[1] > part.shape[1] or min(sample.shape) < 4:
            continue
        scores = np.asarray(cv2.matchTemplate(part, sample, cv2.TM_CCOEFF_NORMED), np.float64)
        for score, x, y in _peaks(scores, sample.shape):
            found.append((score, factor, np.array([x, y]) - corner))
    found.sort(key=lambda each: -each[0])
    if not found or found[0][0] < MIN_PEAK:
        return
    middle = project(pose, np.array([[shape.width / 2, shape.height / 2]]))[0]
    for factor, offset in _distinct(found):
        place = offset / exact + (left, top)
        grown = shifted(*middle) @ np.diag([factor, factor, 1.0]) @ shifted(*-middle) @ pose
        yield shifted(*(place - middle)) @ grown


def _rendered(template: Template, pose: FloatArray, scale: FloatArray) -> tuple[GrayImage, FloatArray]:
    """Return the template as it would look in the scaled frame, and where in it the object's middle is."""
    shape = template.shape
    box = box_of(pose, shape)
    size = np.maximum(np.round(box[2:] * scale), 1).astype(int)
    factor = size / box[2:]
    to_sample = np.diag([*factor, 1.0]) @ shifted(-box[0], -box[1]) @ pose @ shifted(-shape.margin, -shape.margin)
    matrix = shifted(-0.5, -0.5) @ to_sample @ shifted(0.5, 0.5)
    # Shrunk by more than half, the template is smoothed first.
    shrink = float(np.sqrt(abs(np.linalg.det(to_sample[:2, :2]))))
    picture = template.picture
    if shrink < 0.7:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.5 / shrink), np.uint8)
    sample = cv2.warpPerspective(picture, matrix, tuple(size.tolist()), borderMode=cv2.BORDER_REPLICATE)
    middle = project(to_sample, np.array([[shape.width / 2 + shape.margin, shape.height / 2 + shape.margin]]))[0]
    return np.asarray(cv2.GaussianBlur(sample, (3, 3), 0), np.uint8), -middle


def _peaks(scores: FloatArray, size: tuple[int, ...]) -> list[tuple[float, int, int]]:
    """Return the best place and the best one away from it."""
    result = []
    left = np.array(scores, np.float32)
    for _ in range(2):
        _, score, _, (x, y) = cv2.minMaxLoc(left)
        result.append((float(score), x, y))
        top, bottom = max(0, y - size[0] // 2), y + size[0] // 2 + 1
        left[top:bottom, max(0, x - size[1] // 2) : x + size[1] // 2 + 1] = -1
    return result


def _distinct(found: list[tuple[float, float, FloatArray]]) -> list[tuple[float, FloatArray]]:
    """Return size and offset of the best place, and of the best away from it where that is nearly as good."""
    score, factor, place = found[0]
    away = [each for each in found[1:] if np.linalg.norm(each[2] - place) > TEMPLATE_PIXELS / 2]
    rivals = [each for each in away[:1] if each[0] > max(score - MAX_RIVAL_LAG, MIN_PEAK)]
    return [(factor, place), *((each[1], each[2]) for each in rivals)]
