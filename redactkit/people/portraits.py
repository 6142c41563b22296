"""The best pictures of each track: cut out, judged, aligned by eyes and nose, and turned into vectors.

A gate matters more than the network: a blurred face, one turned away, or the back of a head has a vector too, and those
of all blurred faces are near one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, iou
from redactkit.people.embedder import Alignment
from redactkit.tables import BOX

__all__ = [
    "CANDIDATES",
    "LandmarkFinder",
    "Portrait",
    "align_face",
    "boxes_of",
    "crop_face",
    "judge",
    "sharpness_of",
    "landmarks_in_picture",
    "pick_candidates",
]

Image = NDArray[np.uint8]

CANDIDATES = 4
"""Boxes of a track that are looked at. Raising it finds better pictures, and takes longer."""

MIN_FACE_PIXELS = 24
"""Shorter side of a box below which no picture is taken."""

MIN_CONFIDENCE = 0.6
"""Confidence that the detector must have in the crop. Raising it takes fewer pictures, of those it is surer of."""

MIN_SCORE_SHARE = 0.6
"""Least product of area and squared confidence, in shares of the best of a stretch. Lower decodes fewer frames."""

CROP_PIXELS, CROP_FACE_PIXELS = 160, 72
"""Sides in pixels of the crop in which landmarks are sought, and of the face in it."""

NOSE_RANGE = (0.2, 0.8)
"""Where the nose must lie from one eye (0) to the other (1): outside of it the face is turned away."""

NOSE_DROP = (0.3, 0.95)
"""How far below the eyes the nose must lie, in distances between the eyes."""

MIN_EYES_SHARE = 0.25
"""Least distance between the eyes, in widths of the box."""

MIN_SHARPNESS = 8.0
"""Least variance of the Laplacian of the face in the crop. Raising it takes sharper pictures, of fewer people."""


@dataclass(frozen=True)
class Portrait:
    """One picture of a track that passed the gate: which face, where, how good, and the aligned crop."""

    face_id: int
    frame: int
    box: FloatArray
    quality: float
    crop: Image


def pick_candidates(detections: pd.DataFrame) -> pd.DataFrame:
    """Pick boxes of each track that promise a good picture: large, confident, spread over time.

    Parameters
    ----------
    detections : DataFrame
        Of faces.

    Returns
    -------
    DataFrame
        Up to `CANDIDATES` rows of each track, by frame: the best of each of as many stretches of equal numbers of rows.
    """
    rows = detections[
        (detections["source"] == "detected")
        & (np.minimum(detections["width"], detections["height"]) >= MIN_FACE_PIXELS)
        & (detections["confidence"] >= MIN_CONFIDENCE / 2)
    ]
    # A track of which the detector was never sure has no good picture.
    rows = rows[rows.groupby("face_id")["confidence"].transform("max") >= MIN_CONFIDENCE]
    rows = rows.sort_values(["face_id", "frame"], kind="stable")
    by_face = rows.groupby("face_id")
    part = by_face.cumcount() * CANDIDATES // by_face["frame"].transform("size").clip(lower=CANDIDATES)
    score = rows["width"] * rows["height"] * rows["confidence"] ** 2
    rows = rows.assign(part=part, score=score / score.groupby([rows["face_id"], part]).transform("max"))
    return _in_few_frames(rows)[list(detections)].reset_index(drop=True)


def _in_few_frames(rows: pd.DataFrame) -> pd.DataFrame:
    """Pick a good row of each part of each track, of frames that show many tracks well.

    Frames cost: each must be decoded. One that shows several tracks well serves them all.
    """
    good = rows[rows["score"] >= MIN_SCORE_SHARE]
    serves = good.groupby("frame")["score"].transform("sum")
    ranked = good.assign(serves=serves).sort_values(["serves", "score", "frame"], ascending=[False, False, True])
    return ranked.drop_duplicates(["face_id", "part"]).sort_values(["frame", "face_id"], kind="stable")


def crop_face(picture: Image, box: FloatArray) -> tuple[Image, FloatArray]:
    """Crop the square around a face and scale it; return it and the matrix (2, 3) that does it."""
    side = CROP_PIXELS * float(max(box[2:].max(), 1.0)) / CROP_FACE_PIXELS
    centre = box[:2] + box[2:] / 2
    scale = CROP_PIXELS / side
    matrix = np.array(
        [[scale, 0, CROP_PIXELS / 2 - centre[0] * scale], [0, scale, CROP_PIXELS / 2 - centre[1] * scale]]
    )
    return _warped(picture, matrix, CROP_PIXELS), matrix


def _warped(picture: Image, matrix: FloatArray, side: int) -> Image:
    """Warp a picture; where that shrinks it, the part needed is shrunk by areas first, so that nothing aliases."""
    import cv2

    scale = float(np.hypot(*matrix[:, 0]))
    corners = np.array([[0, 0], [side, 0], [0, side], [side, side]], np.float64)
    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    around = corners @ back[:, :2].T + back[:, 2]
    height, width = picture.shape[:2]
    x0, y0 = np.clip(np.floor(around.min(axis=0)).astype(int) - 2, 0, [width - 1, height - 1]).tolist()
    x1, y1 = np.clip(np.ceil(around.max(axis=0)).astype(int) + 2, [x0 + 1, y0 + 1], [width, height]).tolist()
    part, moved = picture[y0:y1, x0:x1], matrix.copy()
    moved[:, 2] += matrix[:, :2] @ [x0, y0]
    if scale < 0.7:
        size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA))
        moved[:, :2] = moved[:, :2] * [(x1 - x0) / size[0], (y1 - y0) / size[1]]
    gray = (128, 128, 128)
    return np.asarray(cv2.warpAffine(np.ascontiguousarray(part), moved, (side, side), borderValue=gray), np.uint8)


class LandmarkFinder:
    """Finds the landmarks of the one face in each crop with CenterFace.

    Parameters
    ----------
    detector : object, optional
        With a method ``find_landmarks``; by default CenterFace is loaded when first needed.
    """

    def __init__(self, detector: object | None = None) -> None:
        self._detector = detector if hasattr(detector, "find_landmarks") else None

    def __call__(self, crops: Sequence[Image]) -> list[FloatArray | None]:
        """Return for each crop of `crop_face` confidence and five points, shape (11,), None where no face is."""
        if self._detector is None:
            from redactkit.detectors.centerface import CenterFace

            self._detector = CenterFace()
        middle = (CROP_PIXELS - CROP_FACE_PIXELS) / 2
        expected = np.array([[middle, middle, CROP_FACE_PIXELS, CROP_FACE_PIXELS]], np.float64)
        found: list[FloatArray] = self._detector.find_landmarks(crops)
        return [_nearest(faces, expected) for faces in found]


def _nearest(faces: FloatArray, expected: FloatArray) -> FloatArray | None:
    overlap = iou(expected, faces[:, :4])[0] if len(faces) else np.zeros(0)
    best = int(overlap.argmax()) if len(overlap) else -1
    return np.asarray(faces[best, 4:]) if best >= 0 and overlap[best] > 0.3 else None


def sharpness_of(cut: Image) -> float:
    """Return how sharp the face in a crop of `crop_face` is: the variance of the Laplacian.

    References
    ----------
    Pech-Pacheco, Cristóbal, Chamorro-Martínez, Fernández-Valdivia: Diatom autofocusing in brightfield microscopy, 2000.
    """
    import cv2

    inner = slice((CROP_PIXELS - CROP_FACE_PIXELS) // 2, (CROP_PIXELS + CROP_FACE_PIXELS) // 2)
    gray = cv2.cvtColor(np.ascontiguousarray(cut[inner, inner]), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(gray, cv2.CV_32F).var())


def judge(found: FloatArray, sharpness: float) -> float:
    """Return how good a picture of a face is, 0 where it should not be compared with others.

    Parameters
    ----------
    found : ndarray of shape (11,)
        Confidence and five landmarks in pixels of the crop.
    sharpness : float
        As of `sharpness_of`.
    """
    points = found[1:].reshape(5, 2)
    left, right, nose = points[:3]
    across, drop = right - left, nose - left
    distance = float(np.hypot(*across))
    if found[0] < MIN_CONFIDENCE or distance < MIN_EYES_SHARE * CROP_FACE_PIXELS * 0.7:
        return 0.0
    along = float(across @ drop) / distance**2
    below = float(across[0] * drop[1] - across[1] * drop[0]) / distance**2
    if not (NOSE_RANGE[0] <= along <= NOSE_RANGE[1] and NOSE_DROP[0] <= below <= NOSE_DROP[1]):
        return 0.0
    return float(found[0]) * min(sharpness / MIN_SHARPNESS, 4.0) if sharpness >= MIN_SHARPNESS else 0.0


def align_face(picture: Image, points: FloatArray, alignment: Alignment) -> Image:
    """Warp a face so that its landmarks lie where an embedder wants them, as near as turning and scaling allows.

    Parameters
    ----------
    picture : uint8 ndarray of shape (H, W, 3)
    points : ndarray of shape (5, 2)
        Landmarks in pixels of ``picture``.
    alignment : Alignment

    References
    ----------
    Umeyama: Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.
    """
    target = np.array(alignment.template, np.float64)
    source = points[: len(target)]
    a, b = source - source.mean(axis=0), target - target.mean(axis=0)
    spread = max(float((a**2).sum()), 1e-9)
    cos = float((a * b).sum()) / spread
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = target.mean(axis=0) - turn @ source.mean(axis=0)
    return _warped(picture, np.hstack([turn, shift[:, None]]), alignment.side)


def landmarks_in_picture(points: FloatArray, matrix: FloatArray) -> FloatArray:
    """Return landmarks, shape (5, 2), of a crop in pixels of the picture that it was cut out of."""
    import cv2

    back = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    return np.asarray(points.reshape(5, 2) @ back[:, :2].T + back[:, 2])


def boxes_of(rows: pd.DataFrame) -> FloatArray:
    """Return the boxes of rows, shape (N, 4)."""
    return rows[BOX].to_numpy(np.float64)
