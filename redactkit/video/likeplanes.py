"""The planes of one video's frames in the size, turn, chroma and depth in which another is stored."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from redactkit.effects import PixelLayout
from redactkit.effects.layout import Plane
from redactkit.media import VideoInfo
from redactkit.video.frames import Frame
from redactkit.video.orientation import orient
from redactkit.video.planes import plane_views

__all__ = ["LikePlanes"]


class LikePlanes:
    """Gives the planes of an output's frames in the size, turn, chroma and depth in which its source is stored."""

    def __init__(self, source: VideoInfo, output: VideoInfo) -> None:
        self._source, self._output = source, output
        self._scaler = VideoReformatter()

    def __call__(self, output: Frame, like: av.VideoFrame, layout: PixelLayout) -> Sequence[Plane]:
        """Return Y, U and V of ``output`` laid as those of ``like``, which ``layout`` describes."""
        picture, source = output.picture, self._source
        same = (picture.format.name, picture.width, picture.height) == (like.format.name, like.width, like.height)
        turned = (output.rotation, output.mirrored) != (source.rotation, source.mirrored)
        if same and not turned:
            return plane_views(picture)[:3]
        return self._converted(output, like, layout)

    def _converted(self, output: Frame, like: av.VideoFrame, layout: PixelLayout) -> list[Plane]:
        import cv2

        source = self._source
        shown = (source.width, source.height)
        size = shown[::-1] if output.rotation % 180 else shown
        whole = self._scaler.reformat(
            output.picture,
            width=size[0],
            height=size[1],
            format="yuv444p" if layout.bit_depth == 8 else "yuv444p10le",
            dst_color_range=2 if layout.full_range else 1,
        )
        planes: list[Plane] = []
        for number, plane in enumerate(plane_views(whole)[:3]):
            upright = orient(plane, rotation=output.rotation, mirrored=output.mirrored)
            stored = np.rot90(upright, source.rotation // 90 % 4)
            stored = np.ascontiguousarray(stored[:, ::-1] if source.mirrored else stored)
            rows, columns = plane_views(like)[number].shape if number < len(like.planes) else stored.shape
            planes.append(np.asarray(cv2.resize(stored, (columns, rows), interpolation=cv2.INTER_AREA)))
        return planes[: len(like.planes)]
