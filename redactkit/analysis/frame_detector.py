"""Run the detector on frames and crops of frames, and describe the faces found."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np

from redactkit.analysis.appearance import Appearance, describe
from redactkit.analysis.letterbox import Image, Letterbox, merge
from redactkit.analysis.search import Search
from redactkit.boxes import FloatArray, suppress
from redactkit.detectors import is_thread_safe, run_detector
from redactkit.detectors.crops import Crop
from redactkit.media import VideoInfo
from redactkit.video import Frame, KeptFrame

__all__ = ["DescribedFaces", "FrameDetector", "ScannedFrame", "scaled_image"]

DescribedFaces = tuple[FloatArray, Appearance]
"""Boxes with confidences, shape (N, 5), and descriptors of their appearance."""


@dataclass
class ScannedFrame:
    """A frame on its way through the pipeline.

    Sampling starts anew with a frame that is a ``restart``, and after one at a ``section_end``. ``sampled`` frames are
    searched in any case. ``small`` is a small copy. ``image`` is the frame at detector size, of those that surely need
    full detail, until it has been searched, and ``result`` what the detector found in it.
    """

    frame: KeptFrame
    restart: bool
    section_end: bool
    sampled: bool
    small: Image
    image: Image | None
    result: DescribedFaces | None = None


def scaled_image(frame: Frame, letterbox: Letterbox) -> Image:
    """Convert a frame to RGB at the size that a letterbox scales it to, shape (H, W, 3)."""
    return frame.rgb(width=letterbox.width, height=letterbox.height)


@dataclass(frozen=True)
class FrameDetector:
    """Runs the detector on frames, one call at a time unless it is thread safe."""

    info: VideoInfo
    search: Search
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _detect(self, pictures: Sequence[Image]) -> list[FloatArray]:
        # Two stages of the pipeline may want the detector at the same time.
        alone = nullcontext() if is_thread_safe(self.search.detector) else self._lock
        with alone:
            return run_detector(self.search.detector, pictures)

    def search_certain(self, batch: Sequence[ScannedFrame]) -> None:
        """Search those frames of a batch that surely need full detail."""
        certain = [item for item in batch if item.image is not None]
        for item, result in zip(certain, self.search_whole(certain, self.search.letterboxes), strict=True):
            # A few pictures take as much memory as the network.
            item.result, item.image = result, None

    def search_whole(self, items: Sequence[ScannedFrame], letterboxes: Sequence[Letterbox]) -> list[DescribedFaces]:
        """Search whole frames with each letterbox; inputs of one size follow each other."""
        if not items:
            return []
        # Frames are loaded one at a time, since a few of 1080p take as much memory as the network.
        images = [
            scaled_image(item.frame.load(), letterboxes[0]) if item.image is None else item.image for item in items
        ]
        pictures = [letterbox.picture(image) for letterbox in letterboxes for image in images]
        results = self._detect(pictures)
        # The results of one frame are as many apart as there are frames.
        return [self._merged(image, letterboxes, results[k :: len(items)]) for k, image in enumerate(images)]

    def search_cropped(self, items: Sequence[tuple[ScannedFrame, Sequence[Crop]]]) -> list[DescribedFaces]:
        """Search crops of frames; a face that a crop cuts off may be found as a smaller one."""
        pictures: list[Image] = []
        for item, crops in items:
            frame = item.frame.load()
            pictures += [crop.picture(frame) for crop in crops]
        # The crops of all frames go to the detector as one list, and are dealt out again to their frames.
        shown, results = iter(pictures), iter(self._detect(pictures))
        return [self._merged_crops([(crop, next(shown), next(results)) for crop in crops]) for _, crops in items]

    def _merged_crops(self, results: Sequence[tuple[Crop, Image, FloatArray]]) -> DescribedFaces:
        """Merge the faces of one frame's crops by non-maximum suppression."""
        appearance = np.vstack([describe(picture, found[:, :4]) for _, picture, found in results])
        faces = np.vstack([crop.faces(found) for crop, _, found in results])
        kept = suppress(faces[:, :4], faces[:, 4])
        kept = kept[faces[kept, 4] >= self.search.thresholds.floor]
        return faces[kept], appearance[kept]

    def _merged(self, image: Image, letterboxes: Sequence[Letterbox], results: Sequence[FloatArray]) -> DescribedFaces:
        """Merge the faces of one frame's letterboxes and describe their appearance."""
        size = {"width": self.info.width, "height": self.info.height}
        each = [letterbox.faces(found, **size) for letterbox, found in zip(letterboxes, results, strict=True)]
        faces = merge(each, floor=self.search.thresholds.floor)
        # Appearance is described in the scaled image, so boxes are scaled with it.
        scale = np.tile([image.shape[1] / self.info.width, image.shape[0] / self.info.height], 2)
        return faces, describe(image, faces[:, :4] * scale)
