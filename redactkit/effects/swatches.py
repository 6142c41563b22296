"""A small picture of each blur kind, on a drawn face, for menus and documentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redactkit.effects.effect import Effect
from redactkit.effects.kinds import BLUR_KINDS
from redactkit.effects.layout import PixelLayout

__all__ = ["swatches"]

_TO_RGB = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]])
_BOX = (0.25, 0.14, 0.5, 0.66)


def swatches(*, size: int = 96) -> dict[str, NDArray[np.uint8]]:
    """Return for each blur kind a picture of shape (size, size, 3), RGB, of a drawn face hidden by it.

    Parameters
    ----------
    size : int
        Pixels along a side, 32 or more to be of use.

    Examples
    --------
    >>> pictures = swatches(size=48)
    >>> list(pictures)[:3], pictures["Med"].shape
    (['Low', 'Med', 'High'], (48, 48, 3))
    """
    face = _draw_face(size)
    return {name: _hidden(face, name) for name in BLUR_KINDS}


def _hidden(face: NDArray[np.uint8], kind: str) -> NDArray[np.uint8]:
    layout = PixelLayout(chroma_x=0, chroma_y=0, bit_depth=8, full_range=True)
    values = face @ np.linalg.inv(_TO_RGB).T + [0, 128, 128]
    planes = [np.ascontiguousarray(plane) for plane in np.moveaxis(values.round().astype(np.uint8), 2, 0)]
    Effect(kind, layout).apply(planes, [np.array(_BOX) * len(face)], faces=[3], frame=0)
    mixed = (np.stack(planes, axis=2) - [0.0, 128.0, 128.0]) @ _TO_RGB.T
    return np.asarray(mixed.round().clip(0, 255), dtype=np.uint8)


def _draw_face(size: int) -> NDArray[np.uint8]:
    """Return a face of ellipses before a two-coloured wall."""
    rows, columns = (np.indices((size, size)) + 0.5) / size
    picture = np.where((columns < 0.6)[..., None], (196, 205, 214), (150, 170, 182))
    parts = [
        ((0.5, 1.12, 0.46, 0.38), (52, 92, 140)),
        ((0.5, 0.40, 0.26, 0.30), (84, 58, 40)),
        ((0.5, 0.48, 0.21, 0.29), (226, 178, 146)),
        ((0.41, 0.44, 0.045, 0.025), (250, 250, 250)),
        ((0.59, 0.44, 0.045, 0.025), (250, 250, 250)),
        ((0.41, 0.44, 0.02, 0.024), (40, 60, 70)),
        ((0.59, 0.44, 0.02, 0.024), (40, 60, 70)),
        ((0.41, 0.385, 0.06, 0.012), (84, 58, 40)),
        ((0.59, 0.385, 0.06, 0.012), (84, 58, 40)),
        ((0.5, 0.53, 0.025, 0.05), (206, 152, 122)),
        ((0.5, 0.65, 0.08, 0.022), (176, 84, 80)),
    ]
    for (x, y, wide, high), color in parts:
        inside = ((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 < 1
        picture = np.where(inside[..., None], color, picture)
    return picture.astype(np.uint8)
