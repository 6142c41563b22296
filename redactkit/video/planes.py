"""Planes of a decoded picture as NumPy arrays, and their layout."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
from av.video.format import VideoFormat
from numpy.typing import NDArray

from redactkit.effects import PixelLayout

__all__ = ["crop", "luma_plane", "packed_view", "pixel_layout", "plane_views"]


def plane_views(picture: av.VideoFrame) -> list[NDArray[Any]]:
    """Return the planes of a planar YUV or gray picture as views: writing to them changes the picture.

    Parameters
    ----------
    picture : av.VideoFrame
        One that `redactkit.video.VideoWriter.prepare` returned; never one that a decoder may still refer to.

    Returns
    -------
    list of ndarray of shape (H, W), uint8 or uint16
        Y, U, V in their own sizes, without the padding at the end of lines.

    Examples
    --------
    >>> import av
    >>> [plane.shape for plane in plane_views(av.VideoFrame(32, 16, "yuv420p"))]
    [(16, 32), (8, 16), (8, 16)]
    """
    return [_view(plane, picture.format) for plane in picture.planes]


def packed_view(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """Return the bytes of a picture of one plane of packed pixels, without the padding at the end of lines, as a view.

    Returns
    -------
    ndarray of shape (H, W * bytes of a pixel), uint8
    """
    plane: Any = picture.planes[0]
    across = plane.width * picture.format.padded_bits_per_pixel // 8
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, abs(plane.line_size))[:, :across]
    return np.asarray(lines[::-1] if plane.line_size < 0 else lines)


def luma_plane(picture: av.VideoFrame) -> NDArray[np.uint8] | None:
    """Return a view of the picture's 8-bit luma plane, None if it has no such plane."""
    form = picture.format
    if form.is_rgb or not (form.is_planar or form.name == "gray") or form.components[0].bits != 8:
        return None
    return _view(picture.planes[0], form)


def crop(picture: av.VideoFrame, left: int, top: int, right: int, bottom: int) -> tuple[av.VideoFrame, int, int]:
    """Crop a picture to a rectangle; return the smaller picture, and where in it the rectangle starts.

    It is larger than the rectangle by what whole chroma samples and the smoothing between them need. A picture that
    is not planar is returned as it is.
    """
    form = picture.format
    if not form.is_planar or len(picture.planes) != len(form.components) or form.components[0].bits > 16:
        return picture, left, top
    across, down = (1 << shift for shift in _subsampling(form))
    x, y = max(0, (left // across - 1) * across), max(0, (top // down - 1) * down)
    stop_x = min(picture.width, (-(-right // across) + 1) * across)
    stop_y = min(picture.height, (-(-bottom // down) + 1) * down)
    part = av.VideoFrame(stop_x - x, stop_y - y, form.name)
    part.colorspace, part.color_range = picture.colorspace, picture.color_range
    for number, (target, source) in enumerate(zip(plane_views(part), plane_views(picture), strict=True)):
        wide, high = (across, down) if number in (1, 2) else (1, 1)
        rows, columns = target.shape
        target[:] = source[y // high : y // high + rows, x // wide : x // wide + columns]
    return part, left - x, top - y


def _view(plane: Any, form: VideoFormat) -> NDArray[Any]:
    dtype = np.uint16 if max(c.bits for c in form.components) > 8 else np.uint8
    stride = abs(plane.line_size) // np.dtype(dtype).itemsize
    lines = np.frombuffer(plane, dtype).reshape(plane.height, stride)[:, : plane.width]
    return lines[::-1] if plane.line_size < 0 else lines


def pixel_layout(picture: av.VideoFrame | str) -> PixelLayout:
    """Return how a picture, or a pixel format named as FFmpeg does, stores its samples.

    A format name alone means limited range, but for the old ``yuvj`` names.

    Examples
    --------
    >>> pixel_layout("yuv420p10le")
    PixelLayout(chroma_x=1, chroma_y=1, bit_depth=10, full_range=False)
    """
    form = VideoFormat(picture) if isinstance(picture, str) else picture.format
    ranged = False if isinstance(picture, str) else picture.color_range == 2
    chroma = (0, 0) if len(form.components) < 3 else _subsampling(form)
    depth = max(c.bits for c in form.components)
    return PixelLayout(*chroma, bit_depth=depth, full_range=ranged or form.name.startswith("yuvj"))


def _subsampling(form: VideoFormat) -> tuple[int, int]:
    """Log2 of the chroma subsampling, found by asking how large a 64x64 picture's chroma is."""
    return tuple(int(np.log2(64 // side)) for side in (form.chroma_width(64), form.chroma_height(64)))  # type: ignore[return-value]
