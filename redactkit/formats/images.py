"""Boxes of images that were taken out of a video: which video, which frame, which size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.formats.assemble import FileFacts, ParsedBoxes, by_frame
from redactkit.formats.imagenames import number_names, videos_by_name
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.numbering import Numbering
from redactkit.formats.sizes import fit_images
from redactkit.formats.source import Source
from redactkit.formats.units import from_shares
from redactkit.formats.videos import choose_video

__all__ = ["Image", "around", "read_images"]


@dataclass
class Image:
    """An image and its boxes; ``frame`` is its number where the file says one, ``video`` the name of its video."""

    name: str
    size: tuple[int, int] = (0, 0)
    frame: int | None = None
    video: str = ""
    boxes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, box: Sequence[float], *, face: int | str | None = None, place: str = "", **more: Any) -> None:
        """Add a box: x, y, width, height; what else `ParsedBoxes.add` takes, where there is any."""
        self.boxes.append({"box": box, "face": face, "place": place or self.name, **more})


def around(points: Sequence[Sequence[float]]) -> tuple[float, float, float, float]:
    """Return the upright box around points, x, y, width, height.

    Examples
    --------
    >>> around([(3, 1), (5, 9), (4, 2)])
    (3, 1, 2, 8)
    """
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def read_images(
    images: Sequence[Image],
    source: Source,
    *,
    format: str,
    numbering: Numbering | None = None,
    listed: bool = True,
    shares: bool = False,
    ours: bool = False,
    remarks: Sequence[Remark] = (),
) -> Reading:
    """Build annotations from images with boxes.

    Parameters
    ----------
    images : sequence of Image
    source : Source
    format : str
    numbering : Numbering, optional
        The rule for frame numbers, where the images have them; default: by the images' names.
    listed : bool
        The images are all that there are, also those without a box.
    shares : bool
        Boxes are shares of the image.
    ours : bool
        Boxes are surely what ``shares`` says; else their numbers are looked at.
    """
    chosen, several = _of_one_video(images, source)
    rule, numbers = _number(chosen, numbering)
    # One image, or images that say no numbers, are held against the video too, which has many more frames.
    listed = listed or (not ours and (len(chosen) == 1 or numbers == list(range(len(chosen)))))
    found, sizes = ParsedBoxes(), list[tuple[int, int]]()
    for image, number in zip(chosen, numbers, strict=True):
        for item in image.boxes:
            more_of_it = {name: value for name, value in item.items() if name not in ("face", "box")}
            found.add(number, item["face"], item["box"], **more_of_it)
            sizes.append(image.size)
    odd: list[Remark] = []
    if shares:
        size = source.find_size(max((image.size for image in chosen), default=(0, 0)))
        boxes: NDArray[np.float64] = np.array(found.boxes, np.float64).reshape(-1, 4)
        pixels = boxes  # where the caller knows their units, they become pixels with all others
        if ours and source.units is None:
            pixels = boxes * np.array([*size, *size])
        elif source.units is None:
            pixels, odd = from_shares(boxes, size, where=found.locations.__getitem__)
        found.boxes = pixels.tolist()
    else:
        size, odd = fit_images(found, sizes, source, stated=[image.size for image in chosen], otherwise=(0, 0))
    if listed and numbers:
        rule = replace(rule, listed_frames=numbers)
    elif rule.first == 1 and not rule.doubt:
        # Frames without a box are not there, so that 1 may also be the second frame of those that count from 0.
        rule = replace(rule, doubt="pass first_frame=0 (--first-frame 0) if they count from 0")
    return by_frame(
        found,
        source,
        FileFacts(
            format=format,
            size=size,
            remarks=[*remarks, *several, *odd],
            stated=any(min(image.size) > 0 for image in chosen),
        ),
        numbering=rule,
        frame_count=max(numbers, default=rule.first - 1) - rule.first + 1 if listed else 0,
        trusted=shares and source.units is None,
    )


def _of_one_video(images: Sequence[Image], source: Source) -> tuple[list[Image], list[Remark]]:
    of_image = [image.video for image in images]
    if not any(of_image):
        of_image = videos_by_name([image.name for image in images])
    if len(set(of_image)) <= 1:
        return list(images), []
    keys = list(dict.fromkeys(of_image))
    place, remarks = choose_video([(key, *PurePosixPath(key).parts) for key in keys], source)
    return [image for image, key in zip(images, of_image, strict=True) if key == keys[place]], remarks


def _number(images: Sequence[Image], numbering: Numbering | None) -> tuple[Numbering, list[int]]:
    frames = [image.frame for image in images if image.frame is not None]
    if numbering is not None and len(frames) == len(images):
        return numbering, frames
    return number_names([image.name for image in images])
