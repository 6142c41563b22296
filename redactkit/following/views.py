"""Views of an object: its surroundings in a frame, turned and scaled as they were in the frame where it was drawn.

A *pose* is a 3x3 homography from the object's own coordinates to pixels of the frame. Its own coordinates are those of
a small upright picture of it, of `Shape.width` by `Shape.height` pixels. A *view* is that picture with a margin. In
views an object keeps its place, size and angle however it moves, so that one window and one threshold fit all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray

__all__ = ["GrayImage", "Shape", "box_of", "corners_of", "project", "scale_of", "shifted", "view"]

GrayImage = NDArray[np.uint8]

LARGEST_PIXELS = 80
"""Longer side of an object in its view, in pixels. Raising it is more exact for large objects, and slower."""

SMALLEST_PIXELS = 40
"""Longer side from which a small object is enlarged in its view. Raising it gives flow more pixels, not more detail."""

BLOCK_PIXELS = 10
"""Side of the blocks into which a view is divided to tell what is hidden. Lowering it is finer, and noisier."""

MARGIN_SHARE = 0.5
"""Margin of a view, in shares of the object's longer side. Raising it lets flow find faster motion, and is slower."""


@dataclass(frozen=True)
class Shape:
    """The size of an object's view.

    Parameters
    ----------
    columns, rows : int
        Blocks across and down.
    margin : int
        Pixels around the object.
    """

    columns: int
    rows: int
    margin: int

    @classmethod
    def of(cls, box: FloatArray) -> Self:
        """Return the shape for an object with this box."""
        longer = max(float(box[2:].max()), 1.0)
        scale = float(np.clip(longer, SMALLEST_PIXELS, LARGEST_PIXELS)) / longer
        columns, rows = (max(2, round(side * scale / BLOCK_PIXELS)) for side in box[2:].tolist())
        return cls(columns, rows, round(MARGIN_SHARE * BLOCK_PIXELS * max(columns, rows)))

    @property
    def width(self) -> int:
        """Width of the object in its view, in pixels."""
        return self.columns * BLOCK_PIXELS

    @property
    def height(self) -> int:
        """Height of the object in its view, in pixels."""
        return self.rows * BLOCK_PIXELS

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the view."""
        return self.width + 2 * self.margin, self.height + 2 * self.margin

    @cached_property
    def corners(self) -> FloatArray:
        """The object's corners in its own coordinates, (4, 2)."""
        return np.array([[0, 0], [self.width, 0], [self.width, self.height], [0, self.height]], np.float64)

    @cached_property
    def block_centers(self) -> FloatArray:
        """The middles of the blocks in its own coordinates, (rows, columns, 2)."""
        across, down = (np.arange(count) + 0.5 for count in (self.columns, self.rows))
        return np.stack(np.meshgrid(across, down), axis=-1) * BLOCK_PIXELS

    def pose(self, box: FloatArray) -> FloatArray:
        """Return the pose that puts the object into a box."""
        x, y, width, height = box.tolist()
        return np.array([[width / self.width, 0, x], [0, height / self.height, y], [0, 0, 1]], np.float64)

    def inner(self, picture: GrayImage) -> GrayImage:
        """Return the part of a view that shows the object itself."""
        margin = self.margin
        return picture[margin : margin + self.height, margin : margin + self.width]


def shifted(x: float, y: float) -> FloatArray:
    """Return the homography that moves by x and y."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def project(pose: FloatArray, points: FloatArray) -> FloatArray:
    """Map points (..., 2) by a homography."""
    mapped = points @ pose[:, :2].T + pose[:, 2]
    return np.asarray(mapped[..., :2] / mapped[..., 2:])


def corners_of(pose: FloatArray, shape: Shape) -> FloatArray:
    """Return the object's corners in the frame, (4, 2)."""
    return project(pose, shape.corners)


def box_of(pose: FloatArray, shape: Shape) -> FloatArray:
    """Return the upright box around the object."""
    corners = corners_of(pose, shape)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return np.concatenate([low, high - low])


def scale_of(pose: FloatArray, shape: Shape) -> float:
    """Return how many pixels of the frame a pixel of the view is wide, at the object's middle."""
    middle = np.array([shape.width / 2, shape.height / 2])
    origin, right, down = project(pose, middle + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    (a, b), (c, d) = right - origin, down - origin
    return float(np.sqrt(abs(a * d - b * c)))


def view(image: GrayImage, pose: FloatArray, shape: Shape) -> GrayImage | None:
    """Return the object's view in a frame; None where nothing of it lies inside, or the pose turns it inside out."""
    wide, high = shape.size
    to_view = shifted(-shape.margin, -shape.margin)
    edges = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float64)
    outline = edges @ (pose @ to_view)[:, :2].T + (pose @ to_view)[:, 2]
    if (outline[:, 2] <= 1e-6).any():
        return None
    outline = outline[:, :2] / outline[:, 2:]
    # Large objects are averaged over whole pixels first, or sampling them would alias.
    step = max(1, int(scale_of(pose, shape)))
    height, width = image.shape
    low = np.floor(outline.min(axis=0)).astype(int) - 2
    high_edge = np.ceil(outline.max(axis=0)).astype(int) + 3
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(width, int(high_edge[0])), min(height, int(high_edge[1]))
    right, bottom = left + (right - left) // step * step, top + (bottom - top) // step * step
    if right - left < max(2, step) or bottom - top < max(2, step):
        return None
    part = image[top:bottom, left:right]
    if step > 1:
        smaller = ((right - left) // step, (bottom - top) // step)
        part = np.asarray(cv2.resize(part, smaller, interpolation=cv2.INTER_AREA), np.uint8)
    # From pixels of the view to those of the part; a pixel's middle is at a whole number for OpenCV, at a half here.
    to_part = np.diag([1 / step, 1 / step, 1.0]) @ shifted(-left, -top)
    matrix = shifted(-0.5, -0.5) @ to_part @ pose @ to_view @ shifted(0.5, 0.5)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpPerspective(part, matrix, (wide, high), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
