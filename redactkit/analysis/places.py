"""The places in a picture where faces went astray: they are searched instead of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis.closeup import Cut
from redactkit.boxes import FloatArray, centers, expand, to_corners

__all__ = ["cut_places", "inside"]

SIDES = (160, 320)
"""Sides in pixels of the squares that are cut out: few, since the network gets ready for each."""

MOST = 0.5
"""Share of the picture from which searching the squares would save little."""

AROUND = 0.5
"""What a square shows around a place, in shares of the place."""


def cut_places(astray: FloatArray, *, width: int, height: int) -> list[Cut] | None:
    """Return squares of a picture that show all places, None where the whole of it is searched as cheaply.

    Parameters
    ----------
    astray : ndarray of shape (N, 4)
        In pixels of the picture.
    width, height : int
        Of the picture.

    Examples
    --------
    >>> cut_places(np.array([[100.0, 100, 40, 50], [120, 110, 40, 50]]), width=640, height=352)
    [Cut(left=40.0, top=45.0, side=160, scaled=160)]
    >>> cut_places(np.array([[100.0, 100, 300, 50]]), width=640, height=352)
    """
    cuts: list[Cut] = []
    for box in astray[np.argsort(-astray[:, 2:].max(axis=1, initial=0), kind="stable")]:
        side = next((side for side in SIDES if (1 + 2 * AROUND) * box[2:].max() <= side), None)
        if side is None:
            return None
        if not _shown(box, cuts):
            left, top = centers(box[None])[0] - side / 2
            cuts.append(Cut(float(left), float(top), side, scaled=side))
    return cuts if sum(cut.side**2 for cut in cuts) <= MOST * width * height else None


def _shown(box: FloatArray, cuts: Sequence[Cut]) -> bool:
    return bool(inside(expand(box[None], share=AROUND), cuts)[0])


def inside(boxes: FloatArray, cuts: Sequence[Cut]) -> NDArray[np.bool_]:
    """Tell which boxes, in pixels of the picture, lie wholly in one of the squares."""
    corners = to_corners(boxes)
    within = np.zeros(len(boxes), bool)
    for cut in cuts:
        left_top = np.array([cut.left, cut.top])
        within |= ((corners[:, :2] >= left_top) & (corners[:, 2:] <= left_top + cut.side)).all(axis=1)
    return within
