"""One decoded frame, in time, with its picture as stored and as displayed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

from redactkit.boxes import to_coded
from redactkit.video.orientation import orient
from redactkit.video.planes import crop, luma_plane

__all__ = ["Frame", "is_high_definition"]

HIGH_DEFINITION_PIXELS = 720
"""Shorter side from which a picture is taken for high definition."""

_MAX_SCALERS = 8
_local = threading.local()


def _scaler(key: tuple[Any, ...]) -> VideoReformatter:
    """Return this thread's scaler for one pair of formats and sizes; setting one up is what costs time."""
    scalers: OrderedDict[tuple[Any, ...], VideoReformatter] = _local.__dict__.setdefault("scalers", OrderedDict())
    scaler = scalers.pop(key, None) or VideoReformatter()
    scalers[key] = scaler
    if len(scalers) > _MAX_SCALERS:
        scalers.popitem(last=False)
    return scaler


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Parameters
    ----------
    index : int
        Frame number in presentation order, from 0.
    pts : int
        Presentation timestamp in ticks of the video's time base.
    time : float
        The same in seconds.
    picture : av.VideoFrame
        The frame as stored (coded orientation). The decoder may still refer to it: never write to it.
    keyframe : bool
        Whether decoding can start here.
    corrupt : bool
        Whether the decoder had to guess a part of it.
    rotation, mirrored
        As in `redactkit.media.VideoInfo`.
    """

    index: int
    pts: int
    time: float
    picture: av.VideoFrame
    keyframe: bool = False
    corrupt: bool = False
    rotation: int = 0
    mirrored: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as displayed, in pixels."""
        width, height = self.picture.width, self.picture.height
        return (height, width) if self.rotation % 180 else (width, height)

    def rgb(self, *, width: int | None = None, height: int | None = None) -> NDArray[np.uint8]:
        """Return the displayed frame as RGB, scaled straight from the stored planes.

        Parameters
        ----------
        width, height : int, optional
            Size of the result in pixels; the frame's own where not given.

        Returns
        -------
        ndarray of shape (height, width, 3), uint8
        """
        return self._image("rgb24", width, height)

    def rgb_part(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        """Return a rectangle of what `rgb` returns, made from that part of the frame alone.

        Parameters
        ----------
        left, top, right, bottom : int
            Edges in pixels of the displayed frame, inside it.
        """
        return self._part("rgb24", left, top, right, bottom)

    def gray_part(self, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        """Return a rectangle of what `gray` returns, made from that part of the frame alone; edges as of `rgb_part`."""
        return self._part("gray", left, top, right, bottom)

    def _part(self, form: str, left: int, top: int, right: int, bottom: int) -> NDArray[np.uint8]:
        width, height = self.size
        box = [[left, top, right - left, bottom - top]]
        coded = to_coded(box, width=width, height=height, rotation=self.rotation, mirrored=self.mirrored)[0]
        x, y, wide, high = (round(value) for value in coded.tolist())
        part, x, y = crop(self.picture, x, y, x + wide, y + high)
        image = _scaled(part, (part.width, part.height), form, matrix=_matrix(self.picture)).to_ndarray()
        return orient(image[y : y + high, x : x + wide], rotation=self.rotation, mirrored=self.mirrored)

    def gray(self, *, width: int | None = None, height: int | None = None) -> NDArray[np.uint8]:
        """Return the displayed frame's brightness, ndarray of shape (height, width), uint8."""
        return self._image("gray", width, height)

    def luma(self, *, shrink: int = 1) -> NDArray[np.uint8]:
        """Return the displayed frame's brightness as it is stored, where that is in 8 bits; quicker than `gray`.

        Parameters
        ----------
        shrink : int
            Pixels across of the square whose mean is a pixel of the result. What is left over at the right and
            bottom is cut off.

        Returns
        -------
        ndarray of shape (height // shrink, width // shrink), uint8
        """
        plane = luma_plane(self.picture)
        if plane is None:
            shown = self.gray()
        elif self.rotation or self.mirrored:
            shown = orient(plane, rotation=self.rotation, mirrored=self.mirrored)
        else:
            shown = plane
        return np.ascontiguousarray(_shrunk(shown, shrink))

    def _image(self, form: str, width: int | None, height: int | None) -> NDArray[np.uint8]:
        own = self.size
        displayed = (width or own[0], height or own[1])
        coded = displayed[::-1] if self.rotation % 180 else displayed
        scaled = _scaled(self.picture, coded, form, matrix=_matrix(self.picture))
        return orient(scaled.to_ndarray(), rotation=self.rotation, mirrored=self.mirrored)


def _shrunk(plane: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    if step == 1:
        return plane
    import cv2

    height, width = (side // step for side in plane.shape)
    whole = plane[: height * step, : width * step]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _scaled(picture: av.VideoFrame, size: tuple[int, int], form: str, *, matrix: Colorspace | None) -> av.VideoFrame:
    shrinks = size != (picture.width, picture.height)
    scaler = _scaler((picture.format.name, picture.width, picture.height, *size, form))
    return scaler.reformat(
        picture,
        width=size[0],
        height=size[1],
        format=form,
        src_colorspace=matrix,
        interpolation=Interpolation.AREA if shrinks else Interpolation.FAST_BILINEAR,
        src_color_range=picture.color_range or None,
        dst_color_range=2,
        threads=1,
    )


def is_high_definition(width: int, height: int) -> bool:
    """Return whether players take BT.709 for pictures of this size that name no YUV matrix, and not BT.601."""
    return min(width, height) >= HIGH_DEFINITION_PIXELS


def _matrix(picture: av.VideoFrame) -> Colorspace | None:
    """Choose the YUV matrix: None for the one that the stream names, else the one that browsers take for the size."""
    if picture.colorspace not in (2, 3):
        return None
    return Colorspace.ITU709 if is_high_definition(picture.width, picture.height) else Colorspace.ITU601
