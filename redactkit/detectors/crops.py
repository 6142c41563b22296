"""Search square crops of a frame, each scaled so that the face in it has the size a detector finds best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, centers
from redactkit.detectors import Detector, run_detector
from redactkit.video import Frame

__all__ = ["CROP_PIXELS", "Crop", "ScaledCrop", "scaled_crops", "search_crops", "search_scaled"]

Image = NDArray[np.uint8]

CROP_PIXELS = 160
"""Side in pixels of the detector input made from a crop. Raising it shows more around the face, and costs time."""

CROP_FACE_PIXELS = 48.0
"""Longer side in pixels that the expected face has in the detector input. Raising it shows less around the face."""

PADDING_GRAY = 128


@dataclass(frozen=True)
class Crop:
    """A square of a frame: its top left corner and side in pixels, and the side to which it is scaled."""

    left: float
    top: float
    side: float
    scaled: int = CROP_PIXELS

    def picture(self, frame: Frame) -> Image:
        """Return the square of a frame, scaled, gray where it reaches outside."""
        import cv2

        side = max(1, round(self.side))
        left, top = round(self.left), round(self.top)
        width, height = frame.size
        # Only the part inside the frame is converted to RGB; the rest of the square stays gray.
        x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
        square = np.full((side, side, 3), PADDING_GRAY, np.uint8)
        if x0 < x1 and y0 < y1:
            square[y0 - top : y1 - top, x0 - left : x1 - left] = frame.rgb_part(x0, y0, x1, y1)
        method = cv2.INTER_AREA if side > self.scaled else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(_halved(square, self.scaled), (self.scaled, self.scaled), interpolation=method))

    def faces(self, found: FloatArray) -> FloatArray:
        """Convert boxes found in the scaled square to pixels of the frame."""
        scale = max(1, round(self.side)) / self.scaled
        faces = found * np.array([scale, scale, scale, scale, 1])
        faces[:, :2] += [round(self.left), round(self.top)]
        return np.asarray(faces)


ScaledCrop = tuple[Crop, Image]
"""A crop and its picture, scaled."""


def _halved(square: Image, smallest: int) -> Image:
    """Halve a square while it stays at least ``smallest`` wide: area scaling by 2 is quick, by other factors slow."""
    import cv2

    while (side := len(square) // 2) >= smallest:
        square = np.asarray(cv2.resize(square[: 2 * side, : 2 * side], (side, side), interpolation=cv2.INTER_AREA))
    return square


def search_crops(
    detector: Detector, frame: Frame, boxes: FloatArray, *, face: float = CROP_FACE_PIXELS, mirrored: bool = False
) -> list[FloatArray]:
    """Run the detector on a crop around each box.

    Parameters
    ----------
    detector : Detector
    frame : Frame
    boxes : ndarray of shape (N, 4)
        Where a face is expected.
    face : float
        Longer side in pixels that the box gets in the detector input. Raising it shows less around the box.
    mirrored : bool
        Search the mirror image.

    Returns
    -------
    list of N ndarrays of shape (K, 5)
        The faces in and around each box, in pixels of the frame.
    """
    return search_scaled(detector, scaled_crops(frame, boxes, face=face), mirrored=mirrored)


def scaled_crops(frame: Frame, boxes: FloatArray, *, face: float = CROP_FACE_PIXELS) -> list[ScaledCrop]:
    """Return the crop around each box, and its picture; parameters as of `search_crops`."""
    # All crops get one size, since the network is prepared once for each size.
    crops = [_around(box, face) for box in boxes]
    return [(crop, crop.picture(frame)) for crop in crops]


def search_scaled(detector: Detector, crops: Sequence[ScaledCrop], *, mirrored: bool = False) -> list[FloatArray]:
    """Do what `search_crops` does for crops that are scaled already."""
    pictures = [np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture for _, picture in crops]
    found = run_detector(detector, pictures)
    if mirrored:
        found = [_mirrored(faces) for faces in found]
    return [crop.faces(faces) for (crop, _), faces in zip(crops, found, strict=True)]


def _around(box: FloatArray, face: float) -> Crop:
    side = CROP_PIXELS * max(float(box[2:].max()), 1.0) / face
    left, top = centers(box[None])[0] - side / 2
    return Crop(float(left), float(top), side)


def _mirrored(faces: FloatArray) -> FloatArray:
    """Convert boxes of a mirrored crop to the crop as it is."""
    flipped = faces.copy()
    flipped[:, 0] = CROP_PIXELS - faces[:, 0] - faces[:, 2]
    return flipped
