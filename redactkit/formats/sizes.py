"""Put boxes of images of several sizes, in one file, on a frame of one size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from redactkit.formats.assemble import ParsedBoxes
from redactkit.formats.normalize import Remark
from redactkit.formats.source import Source
from redactkit.formats.units import fit_sizes

__all__ = ["fit_images"]

_SHOWN = 5

Size = tuple[int, int]
Stated = tuple[float | None, float | None]


def fit_images(
    found: ParsedBoxes, sizes: Sequence[Size], source: Source, *, stated: Iterable[Size], otherwise: Stated
) -> tuple[Size, list[Remark]]:
    """Return the frame's size; where images have several, put each box on the video's frame, if that is known.

    Parameters
    ----------
    found : ParsedBoxes
        Boxes in pixels of their own images; changed in place.
    sizes : sequence of (int, int)
        The size of each box's image, zeros where the file does not say.
    stated : iterable of (int, int)
        The sizes of all images.
    otherwise : (float or None, float or None)
        What the file says of the frame's size elsewhere.

    Returns
    -------
    size : (int, int)
        Zeros where nobody says, or where images have several sizes and nobody says which is the video's.
    remarks : list of Remark

    Raises
    ------
    AnnotationError
        If an image is of another shape than the video's frame.
    """
    known = sorted({size for size in stated if min(size) > 0})
    if len(known) <= 1:
        return source.find_size(known[0] if known else otherwise, otherwise=(0, 0)), []
    listed = ", ".join(f"{width}x{height}" for width, height in known[:_SHOWN])
    size = source.find_size(otherwise=(0, 0))
    if size == (0, 0):
        text = f"images have {len(known)} sizes ({listed}): boxes are in pixels of their own image, the frame's is open"
        return size, [Remark("several sizes", text)]
    if found.boxes:
        own = [size if min(item) <= 0 else item for item in sizes]
        found.boxes = fit_sizes(np.array(found.boxes, np.float64), own, size).tolist()
    text = f"images have {len(known)} sizes ({listed}); boxes were put on frames of {size[0]}x{size[1]}"
    return size, [Remark("several sizes", text)]
