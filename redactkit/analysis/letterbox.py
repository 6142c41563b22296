"""Detector inputs: scale a frame and pad it to the size a network takes, and convert boxes back to the frame.

A video is searched with two letterboxes. The fine one finds small faces. The coarse one, a quarter of its size with a
gray border, finds faces that fill the frame or that its edge cuts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, clip, suppress, to_coded
from redactkit.errors import OptionError

__all__ = ["Letterbox", "choose_detection_size", "merge", "plan_letterboxes"]

Image = NDArray[np.uint8]

NETWORK_STRIDE_PIXELS = 32
"""CenterFace and YuNet take inputs whose sides are multiples of this."""

MIN_FACE_PIXELS = 16
"""Width of a face in pixels of the input from which CenterFace finds it in nearly every frame.

Raising it enlarges the input: more small faces are found, and the search takes longer.
"""

MIN_SEARCH_PIXELS = 640
"""Longer side in pixels up to which a video is searched at its own size, since that costs little."""

COARSE_FACTOR = 4
"""How many times smaller the coarse letterbox is. Raising it finds larger faces, and misses medium ones."""

PADDING_GRAY = 128
MIN_VISIBLE_SHARE = 0.1
"""Share of a box that must lie inside the frame. Raising it drops more faces at the frame's edge."""


@dataclass(frozen=True)
class Letterbox:
    """How a frame becomes one detector input.

    Parameters
    ----------
    width, height : int
        Size in pixels to which the frame is scaled.
    canvas : tuple of int, optional
        Width and height of the gray canvas in whose middle the scaled frame lies, by default the size of the
        scaled frame. The border of a larger canvas lets the detector find faces that the frame's edge cuts.
    rotation : int
        Degrees clockwise by which the input is rotated: 0, 90, 180 or 270.
    min_box_pixels : float
        Boxes with a side below this, in pixels of the input, are dropped: another letterbox finds those better.
    """

    width: int
    height: int
    canvas: tuple[int, int] | None = None
    rotation: int = 0
    min_box_pixels: float = 0.0

    def halved(self) -> Letterbox:
        """Return the letterbox of half the size, in multiples of the network's stride."""
        sides = [
            NETWORK_STRIDE_PIXELS * max(1, round(side / 2 / NETWORK_STRIDE_PIXELS - 0.01))
            for side in (self.width, self.height)
        ]
        return replace(self, width=sides[0], height=sides[1])

    def picture(self, image: Image) -> Image:
        """Make the detector input from the frame, or from a scaled copy of it, shape (H, W, 3)."""
        scaled = _resized(image, self.width, self.height)
        if self.canvas is not None:
            scaled = self._on_canvas(scaled)
        return np.ascontiguousarray(np.rot90(scaled, -self.rotation // 90)) if self.rotation else scaled

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of what `picture` returns."""
        width, height = self._input_size
        return (height, width) if self.rotation % 180 else (width, height)

    def _on_canvas(self, scaled: Image) -> Image:
        (width, height), (left, top) = self._input_size, self._offset
        canvas = np.full((height, width, 3), PADDING_GRAY, np.uint8)
        canvas[top : top + self.height, left : left + self.width] = scaled
        return canvas

    @property
    def _input_size(self) -> tuple[int, int]:
        return self.canvas or (self.width, self.height)

    @property
    def _offset(self) -> tuple[int, int]:
        return (self._input_size[0] - self.width) // 2, (self._input_size[1] - self.height) // 2

    def faces(self, found: FloatArray, *, width: float, height: float) -> FloatArray:
        """Convert boxes found in the input to a frame of ``width`` by ``height`` pixels, shape (N, 5)."""
        # The steps of `picture` in reverse: rotate back, remove the border, scale.
        kept = found[(found[:, 2:4] >= self.min_box_pixels).all(axis=1)]
        size = self.picture_size
        boxes = to_coded(kept[:, :4], width=size[0], height=size[1], rotation=self.rotation)
        boxes[:, :2] -= self._offset
        faces = np.hstack([boxes * np.tile([width / self.width, height / self.height], 2), kept[:, 4:]])
        return faces[_visible(faces[:, :4], width, height)]


def _resized(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    import cv2

    # Averaging areas is better for shrinking, bilinear interpolation for enlarging.
    shrinks = width < image.shape[1]
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def _visible(boxes: FloatArray, width: float, height: float) -> NDArray[np.bool_]:
    """Tell which boxes have more than `MIN_VISIBLE_SHARE` of their area inside the frame."""
    inside = clip(boxes, width=width, height=height)
    visible: NDArray[np.bool_] = np.prod(inside[:, 2:], axis=1) > MIN_VISIBLE_SHARE * np.prod(boxes[:, 2:], axis=1)
    return visible


def choose_detection_size(width: int, height: int, *, smallest_face: float = 24) -> tuple[int, int]:
    """Choose the smallest detector input in which small faces are still found.

    CenterFace finds a face of 16 pixels in 97 of 100 frames, one of 12 in 85 and one of 8 in 15.

    Parameters
    ----------
    width, height : int
        Size of the frame in pixels.
    smallest_face : float
        Width in pixels, of the frame, of the smallest face to find. Lowering it enlarges the input.

    Returns
    -------
    width, height : int
        Multiples of 32, at most about the size of the frame.

    Examples
    --------
    >>> choose_detection_size(1920, 1080), choose_detection_size(640, 360)
    ((1280, 736), (640, 352))
    """
    if smallest_face <= 0:
        raise OptionError(f"smallest_face must be more than 0 pixels, got {smallest_face}")
    # The size at which the smallest face is just `MIN_FACE_PIXELS` wide; small videos are not shrunk at all.
    longer = max(width, height)
    return _network_size(
        width,
        height,
        max(min(longer, MIN_SEARCH_PIXELS), longer * MIN_FACE_PIXELS / max(smallest_face, MIN_FACE_PIXELS)),
    )


def _network_size(width: int, height: int, longer: float) -> tuple[int, int]:
    """Return the multiples of 32 next to the frame's size when its longer side is scaled to ``longer`` pixels."""
    # Rounded up, unless that would add a whole stride for a quarter of one or less.
    scale = longer / max(width, height)
    sides = [
        max(NETWORK_STRIDE_PIXELS, NETWORK_STRIDE_PIXELS * math.ceil(side * scale / NETWORK_STRIDE_PIXELS - 0.25))
        for side in (width, height)
    ]
    return sides[0], sides[1]


def plan_letterboxes(
    width: int, height: int, *, size: int | None = None, rotations: Iterable[int] = ()
) -> tuple[Letterbox, ...]:
    """Return the letterboxes with which every frame is searched: the fine one, the coarse one, and both rotated.

    Parameters
    ----------
    width, height : int
        Size of the frame in pixels.
    size : int, optional
        Longer side of the fine letterbox in pixels, by default from `choose_detection_size`. Raising it finds
        smaller faces, and takes longer.
    rotations : iterable of int
        Degrees clockwise, 90, 180 or 270, for footage that lies on its side.

    Raises
    ------
    OptionError
        If ``size`` is too small to search.
    """
    if size is not None and size < NETWORK_STRIDE_PIXELS:
        raise OptionError(f"detection_size must be at least {NETWORK_STRIDE_PIXELS} pixels, got {size}")
    fine = choose_detection_size(width, height) if size is None else _network_size(width, height, size)
    upright = (Letterbox(*fine), _coarse_letterbox(width, height, max(fine) / COARSE_FACTOR))
    return tuple(replace(each, rotation=rotation) for rotation in (0, *rotations) for each in upright)


def _coarse_letterbox(width: int, height: int, longer: float) -> Letterbox:
    scale = longer / max(width, height)
    sides = [max(1, round(side * scale)) for side in (width, height)]
    # The border on each side is an eighth of the longer side or more: room for a face that the edge halves.
    canvas = [NETWORK_STRIDE_PIXELS * math.ceil((side + max(sides) / 4) / NETWORK_STRIDE_PIXELS) for side in sides]
    return Letterbox(sides[0], sides[1], canvas=(canvas[0], canvas[1]), min_box_pixels=MIN_FACE_PIXELS)


def merge(faces: Iterable[FloatArray], *, overlap: float = 0.3, floor: float = 0.0) -> FloatArray:
    """Merge the boxes of several letterboxes by non-maximum suppression, the most confident first.

    Raising ``overlap``, an IoU, keeps more boxes of faces that stand close. Boxes with a confidence below ``floor`` are
    dropped.

    Examples
    --------
    >>> merge([np.array([[0, 0, 9, 9, 0.5]]), np.array([[1, 0, 9, 9, 0.8]])]).tolist()
    [[1.0, 0.0, 9.0, 9.0, 0.8]]
    """
    found = np.vstack([np.zeros((0, 5)), *faces])
    found = found[found[:, 4] >= floor]
    return found[suppress(found[:, :4], found[:, 4], overlap=overlap)]
