"""The places in a frame where faces went astray: they are searched instead of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.closeup import Cut
from redactkit.boxes import FloatArray, centers, expand, to_corners

__all__ = ["cut_places", "inside"]

SIDES = (160, 320)
"""Sides in pixels to which squares are scaled that are cut out: few, since the network gets ready for each."""

MOST = 0.5
"""Share of the picture from which searching the squares would save little."""

AROUND = 0.5
"""What a square shows around a place, in shares of the place."""


def cut_places(astray: FloatArray, *, scale: float, width: int, height: int) -> list[Cut] | None:
    """Return squares of a frame that show all places, None where the whole of it is searched as cheaply.

    Parameters
    ----------
    astray : ndarray of shape (N, 4)
        In pixels of the frame.
    scale : float
        Pixels of the picture of the frame that is searched otherwise, to one of the frame.
    width, height : int
        Of that picture.

    Examples
    --------
    >>> cut_places(np.array([[200.0, 200, 80, 100], [240, 220, 80, 100]]), scale=0.5, width=640, height=352)
    [Cut(left=80.0, top=90.0, side=320.0, scaled=160)]
    >>> cut_places(np.array([[200.0, 200, 600, 100]]), scale=0.5, width=640, height=352)
    """
    cuts: list[Cut] = []
    for box in astray[np.argsort(-astray[:, 2:].max(axis=1, initial=0), kind="stable")]:
        scaled = next((side for side in SIDES if (1 + 2 * AROUND) * box[2:].max() * scale <= side), None)
        if scaled is None:
            return None
        if not _shown(box, cuts):
            side = scaled / scale
            left, top = centers(box[None])[0] - side / 2
            cuts.append(Cut(float(left), float(top), side, scaled=scaled))
    return cuts if sum(cut.scaled**2 for cut in cuts) <= MOST * width * height else None


def _shown(box: FloatArray, cuts: Sequence[Cut]) -> bool:
    return bool(inside(expand(box[None], share=AROUND), cuts)[0])


def inside(boxes: FloatArray, cuts: Sequence[Cut]) -> NDArray[np.bool_]:
    """Tell which boxes, in pixels of the frame, lie wholly in one of the squares."""
    corners = to_corners(boxes)
    within = np.zeros(len(boxes), bool)
    for cut in cuts:
        left_top = np.array([cut.left, cut.top])
        within |= ((corners[:, :2] >= left_top) & (corners[:, 2:] <= left_top + cut.side)).all(axis=1)
    return within
