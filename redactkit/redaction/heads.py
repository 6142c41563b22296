"""From the box of a face, forehead to chin, to the box of the head: hair, ears and chin."""

from __future__ import annotations

import numpy as np

from redactkit import boxes as bx

__all__ = ["HEAD_SHARES", "grow_to_heads"]

HEAD_SHARES = (0.35, 0.5, 0.35, 0.1)
"""Shares added left, above, right and below: of the width across, of the height up and down.

Measured on the outlines of the heads that the sample is made of, with a cap and with full hair, against the boxes
that the detector gives their faces: at most 0.32 of the width beside the face, 0.45 of the height above it and, down
to the chin, nothing below. Raising them covers hats and long hair too.
"""


def grow_to_heads(boxes: bx.FloatArray) -> bx.FloatArray:
    """Return the boxes of heads for boxes of faces, shape (N, 4); the margin comes on top of that.

    Examples
    --------
    >>> grow_to_heads(np.array([[100.0, 100.0, 20.0, 40.0]])).tolist()
    [[93.0, 80.0, 34.0, 64.0]]
    """
    left, top, right, bottom = HEAD_SHARES
    x, y, width, height = boxes.reshape(-1, 4).T
    return np.stack(
        [x - left * width, y - top * height, (1 + left + right) * width, (1 + top + bottom) * height], axis=1
    )
