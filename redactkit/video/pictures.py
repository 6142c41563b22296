"""Convert decoded pictures to the pixel format that is written, and to JPEG."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from redactkit.media import VideoInfo
from redactkit.video.encoding import Encoding, choose_encoding
from redactkit.video.opening import av_errors
from redactkit.video.planes import plane_views

__all__ = ["Pictures", "as_jpeg"]


class Pictures:
    """Convert a video's decoded pictures to what the redacted output stores; previews use it for the same pixels.

    Parameters
    ----------
    info : VideoInfo
    encoding : Encoding, optional
        By default what `redactkit.video.encoding.choose_encoding` chooses for ``info``.
    """

    def __init__(self, info: VideoInfo, encoding: Encoding | None = None) -> None:
        self._info = info
        self._encoding = encoding or choose_encoding(info)
        self._converter = VideoReformatter()

    @property
    def pixel_format(self) -> str:
        """What frames are stored as, in FFmpeg's name."""
        return self._encoding.pixel_format

    def prepare(self, picture: av.VideoFrame, *, into: av.VideoFrame | None = None) -> av.VideoFrame:
        """Return a copy of ``picture`` in `pixel_format` that may be written to (see `plane_views`).

        ``into`` is a picture that this method returned before and that is free again: its memory is reused, since
        allocating costs more time than copying.
        """
        converted = self.convert(picture)
        if converted is not picture:
            return converted
        size = picture.width, picture.height
        if into is None or (into.width, into.height) != size:
            into = av.VideoFrame(*size, picture.format.name)
        return _copy(picture, into)

    def convert(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return ``picture`` in the format and range that are written; itself where it is."""
        if picture.format.name == self.pixel_format:
            return picture
        color, rgb = self._encoding.color, picture.format.is_rgb
        with av_errors(self._info.path, f"convert {picture.format.name} to {self.pixel_format}"):
            return self._converter.reformat(
                picture,
                format=self.pixel_format,
                dst_colorspace={1: 1, 6: 5}[color.space] if rgb else None,
                src_color_range=None if rgb else color.range or 1,
                dst_color_range=color.range or 1,
                interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
            )


def _copy(picture: av.VideoFrame, copy: av.VideoFrame) -> av.VideoFrame:
    copy.colorspace, copy.color_range = picture.colorspace, picture.color_range
    for target, source in zip(plane_views(copy), plane_views(picture), strict=True):
        np.copyto(target, source)
    return copy


def as_jpeg(image: NDArray[np.uint8]) -> bytes:
    """Return an RGB image, shape (H, W, 3), as the bytes of a JPEG file.

    Examples
    --------
    >>> as_jpeg(np.zeros((16, 16, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    context: Any = av.VideoCodecContext.create("mjpeg", "w")
    context.width, context.height = image.shape[1], image.shape[0]
    context.pix_fmt, context.time_base, context.color_range = "yuvj444p", Fraction(1, 25), 2
    context.options = {"qmin": "2", "qmax": "4"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    packets = [*context.encode(frame.reformat(format="yuvj444p", dst_color_range=2)), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
