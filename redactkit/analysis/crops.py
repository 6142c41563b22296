"""A second look at one place of a frame: cut out, brought to the size a detector likes best, and searched again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, centers
from redactkit.detectors import Detector, run_detector
from redactkit.video import Frame

__all__ = ["CROP_PIXELS", "Crop", "search_crops"]

Image = NDArray[np.uint8]

CROP_PIXELS = 160
CROP_FACE_PIXELS = 48.0
PADDING_GRAY = 128


@dataclass(frozen=True)
class Crop:
    """A square of a picture: its top left corner and side in pixels, and the side to which it is scaled."""

    left: float
    top: float
    side: float
    scaled: int = CROP_PIXELS

    def picture(self, frame: Frame) -> Image:
        """Cut the square out of a frame, gray where it reaches outside, and scale it."""
        import cv2

        side = max(1, round(self.side))
        left, top = round(self.left), round(self.top)
        width, height = frame.size
        x0, y0, x1, y1 = max(0, left), max(0, top), min(width, left + side), min(height, top + side)
        square = np.full((side, side, 3), PADDING_GRAY, np.uint8)
        if x0 < x1 and y0 < y1:
            square[y0 - top : y1 - top, x0 - left : x1 - left] = frame.rgb_part(x0, y0, x1, y1)
        way = cv2.INTER_AREA if side > self.scaled else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(_halved(square, self.scaled), (self.scaled, self.scaled), interpolation=way))

    def faces(self, found: FloatArray) -> FloatArray:
        """Turn what was found in the square into boxes of the picture it is from."""
        scale = max(1, round(self.side)) / self.scaled
        faces = found * np.array([scale, scale, scale, scale, 1])
        faces[:, :2] += [round(self.left), round(self.top)]
        return np.asarray(faces)


def _halved(square: Image, least: int) -> Image:
    """Halve a picture as often as it stays larger than ``least``: the rest of the way is then much quicker."""
    import cv2

    while (side := len(square) // 2) >= least:
        square = np.asarray(cv2.resize(square[: 2 * side, : 2 * side], (side, side), interpolation=cv2.INTER_AREA))
    return square


def search_crops(
    detector: Detector, frame: Frame, boxes: FloatArray, *, face: float = CROP_FACE_PIXELS, mirrored: bool = False
) -> list[FloatArray]:
    """Search around each box again.

    Parameters
    ----------
    detector : Detector
    frame : Frame
    boxes : ndarray of shape (N, 4)
        Where a face is expected.
    face : float
        Longer side of the box in the picture that is searched, in pixels.
    mirrored : bool
        Search the mirrored picture.

    Returns
    -------
    list of N ndarrays of shape (K, 5)
        The faces in and around each box, in pixels of the frame.
    """
    cuts = [_around(box, face) for box in boxes]
    pictures = [cut.picture(frame) for cut in cuts]
    if mirrored:
        pictures = [np.ascontiguousarray(picture[:, ::-1]) for picture in pictures]
    found = run_detector(detector, pictures)
    if mirrored:
        found = [_mirrored(faces) for faces in found]
    return [cut.faces(faces) for cut, faces in zip(cuts, found, strict=True)]


def _around(box: FloatArray, face: float) -> Crop:
    side = CROP_PIXELS * max(float(box[2:].max()), 1.0) / face
    left, top = centers(box[None])[0] - side / 2
    return Crop(float(left), float(top), side)


def _mirrored(faces: FloatArray) -> FloatArray:
    turned = faces.copy()
    turned[:, 0] = CROP_PIXELS - faces[:, 0] - faces[:, 2]
    return turned
