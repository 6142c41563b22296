"""Search mixed frames and brief shots with test-time augmentation: scaled, mirrored, and extended beyond the edges.

No neighbouring frame can confirm or predict a face there, so each frame must show its faces by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.appearance import Appearance, describe
from redactkit.analysis.detection import Scan
from redactkit.analysis.letterbox import NETWORK_STRIDE_PIXELS, merge
from redactkit.analysis.mixed_frames import show_two_shots
from redactkit.boxes import FloatArray, clip, to_coded
from redactkit.detectors import run_detector
from redactkit.errors import VideoError
from redactkit.media import FrameRange
from redactkit.tables import BOX, as_detections
from redactkit.video import VideoReader

__all__ = ["Remembered", "isolated_frames", "search_isolated"]

Image = NDArray[np.uint8]
IntArray = NDArray[np.int64]

MAX_DENSE_FRAMES = 5
"""Longest range of which every frame is searched. Raising it takes longer."""

SPARSE_STEP_FRAMES = 3
"""Step from one searched frame to the next in a longer range. Raising it is quicker, and misses more."""

BORDER_SHARE = 0.25
"""Width of the mirrored border, in shares of the frame's height. It makes half a face at the edge a whole one."""

MIN_VISIBLE_SHARE = 0.1
"""Share of a box inside the frame below which it is only the mirror image of a face."""

BORDER_SCALES = (0.5, 0.75)
"""Scales at which the frame is searched with a border."""


@dataclass(frozen=True)
class _Variant:
    """One augmented copy of a frame: its scale, whether it has a mirrored border or is mirrored, and its rotation."""

    scale: float
    border: bool
    mirrored: bool
    rotation: int = 0

    def faces(self, image: Image, scan: Scan) -> FloatArray:
        """Search the augmented copy and return the faces in pixels of ``image``, shape (N, 5)."""
        import cv2

        # Scale, pad to multiples of the network's stride, mirror and rotate.
        height, width = image.shape[:2]
        inner = [max(1, round(side * self.scale)) for side in (width, height)]
        margin = round(BORDER_SHARE * inner[1]) if self.border else 0
        outer = [NETWORK_STRIDE_PIXELS * -(-(side + 2 * margin) // NETWORK_STRIDE_PIXELS) for side in inner]
        if outer[0] * outer[1] > width * height:
            # The border is as wide as the frame's own size allows: the network for another one would take 150 MB.
            outer = [NETWORK_STRIDE_PIXELS * -(-side // NETWORK_STRIDE_PIXELS) for side in (width, height)]
        left, top = ((whole - part) // 2 for whole, part in zip(outer, inner, strict=True))
        scaled = cv2.resize(image, (inner[0], inner[1]), interpolation=cv2.INTER_AREA)
        right, bottom = outer[0] - inner[0] - left, outer[1] - inner[1] - top
        picture = cv2.copyMakeBorder(scaled, top, bottom, left, right, cv2.BORDER_REFLECT)
        shown = np.rot90(picture[:, ::-1] if self.mirrored else picture, -self.rotation // 90)
        found = run_detector(scan.search.detector, [np.ascontiguousarray(shown)])[0]
        # The same steps in reverse, for the boxes.
        size = shown.shape[1::-1]
        boxes = to_coded(found[:, :4], width=size[0], height=size[1], rotation=self.rotation)
        if self.mirrored:
            boxes[:, 0] = outer[0] - boxes[:, 0] - boxes[:, 2]
        boxes[:, :2] -= [left, top]
        boxes *= np.tile([width / inner[0], height / inner[1]], 2)
        inside = np.prod(clip(boxes, width=width, height=height)[:, 2:], axis=1)
        visible = inside > MIN_VISIBLE_SHARE * np.prod(boxes[:, 2:], axis=1)
        return np.asarray(np.hstack([boxes, found[:, 4:]])[visible])


def _variants(rotations: Iterable[int], *, searched: bool) -> list[_Variant]:
    """Return the augmented copies; a frame that was searched at full detail needs no plain one."""
    bordered = [_Variant(scale, True, mirrored) for scale in BORDER_SCALES for mirrored in (False, True)]
    plain = [] if searched else [_Variant(1, False, False)]
    upright = [*plain, _Variant(1, False, True), *bordered]
    return [replace(each, rotation=rotation) for rotation in (0, *rotations) for each in upright]


def isolated_frames(scan: Scan) -> IntArray:
    """Return the frames of mixed ranges, brief shots and both ends, ascending: no other confirms a face in them."""
    ranges = np.concatenate([scan.mixed, scan.brief])
    return np.unique(np.concatenate([scan.ends, *(np.arange(first, last + 1) for first, last in ranges)]))


def _frames_to_search(ranges: IntArray) -> list[int]:
    numbers: set[int] = set()
    for first, last in ranges.tolist():
        numbers |= {*range(first, last + 1, 1 if last - first < MAX_DENSE_FRAMES else SPARSE_STEP_FRAMES), last}
    return sorted(numbers)


@dataclass
class Remembered:
    """What `search_isolated` has done of a video before, so that it need not be done again.

    A frame's outcome is under its number and the faces known in it.
    """

    faces: dict[tuple[int, bytes], tuple[FloatArray, Appearance]] = field(default_factory=dict)
    dissolves: dict[tuple[int, int], bool] = field(default_factory=dict)


def search_isolated(
    reader: VideoReader, scan: Scan, *, within: FrameRange | None = None, remembered: Remembered | None = None
) -> Scan:
    """Search mixed frames, brief shots and both ends of a scanned video again; return the scan with the faces found.

    A face that comes in just before the last frame, or leaves just after the first, is half outside and has no more
    frames in which a track could find it.

    Parameters
    ----------
    reader : VideoReader
    scan : Scan
        Of the whole video, so that the outcome does not depend on how it was divided into chunks.
    within : FrameRange, optional
        The frames that the scan is of, where it is of a part; others are not searched.
    remembered : Remembered, optional
        Looked into first, and added to.
    """
    remembered = remembered or Remembered()
    scan = replace(scan, cuts=np.union1d(scan.cuts, _dissolve_boundaries(reader, scan, remembered)))
    wanted = within or FrameRange(0, reader.info.frame_count)
    numbers = sorted({*_frames_to_search(np.concatenate([scan.mixed, scan.brief])), *scan.ends.tolist()})
    numbers = [number for number in numbers if wanted.holds(number)]
    if not numbers:
        return scan
    rows, appearances = scan.detections, scan.appearance
    kept = np.ones(len(rows), bool)
    added: list[pd.DataFrame] = []
    described = []
    for number in numbers:
        here = np.flatnonzero((rows["frame"] == number).to_numpy())
        known = rows.iloc[here][[*BOX, "confidence"]].to_numpy(np.float64)
        key = number, known.tobytes()
        if key not in remembered.faces:
            for _, image in _images(reader, scan, [number]):
                size = (reader.info.width, reader.info.height)
                # Sampling begins and ends with the video's ends, so these were searched at full detail.
                searched = bool(np.isin(number, scan.ends))
                remembered.faces[key] = _searched_again(image, known, scan, size=size, searched=searched)
        if key not in remembered.faces:  # the frame does not decode
            continue
        # A known box that survives the suppression keeps its row; the others are replaced by what suppressed them.
        faces, appearance = remembered.faces[key]
        old = (known[:, None] == faces[None]).all(axis=2)
        kept[here] = old.any(axis=1)
        new = ~old.any(axis=0)
        added.append(_rows(faces[new], number, reader.info.times[number], rank=len(known)))
        described.append(appearance[new])
    table = pd.concat([rows[kept], *added], ignore_index=True)
    order = np.argsort(table["frame"].to_numpy(), kind="stable")
    appearance = np.concatenate([appearances[kept], *described])[order]
    return replace(scan, detections=table.iloc[order].reset_index(drop=True), appearance=appearance)


def _searched_again(
    image: Image, known: FloatArray, scan: Scan, *, size: tuple[int, int], searched: bool
) -> tuple[FloatArray, Appearance]:
    """Return the faces of a frame, those known included, and their appearance."""
    scale = np.array([size[0] / image.shape[1], size[1] / image.shape[0]] * 2)
    variants = _variants(scan.search.rotations, searched=searched)
    found = [each.faces(image, scan) * np.append(scale, 1) for each in variants]
    faces = merge([known, *found], floor=scan.search.thresholds.floor)
    return faces, describe(image, faces[:, :4] / scale)


def _dissolve_boundaries(reader: VideoReader, scan: Scan, remembered: Remembered) -> IntArray:
    """Return the middle frame of each dissolve as a shot boundary: no frame of it changes abruptly enough to be one."""
    found = []
    for first, last in scan.mixed.tolist():
        outside = [first - 1, last + 1]
        if first < 1 or last + 1 >= reader.info.frame_count or np.isin(np.arange(first, last + 2), scan.cuts).any():
            continue
        # The frames just outside decide: a dissolve lies between two shots, a blend by frame rate conversion in one.
        if (first, last) not in remembered.dissolves:
            images = [image for _, image in _images(reader, scan, outside)]
            remembered.dissolves[first, last] = len(images) == len(outside) and show_two_shots(*images)
        if remembered.dissolves[first, last]:
            found.append((first + last + 1) // 2)
    return np.array(found, np.int64)


def _images(reader: VideoReader, scan: Scan, numbers: Iterable[int]) -> Iterator[tuple[int, Image]]:
    letterbox = scan.search.letterboxes[0]
    for number in numbers:
        try:
            yield number, reader.frame_at(number).rgb(width=letterbox.width, height=letterbox.height)
        except VideoError:
            continue


def _rows(faces: FloatArray, frame: int, time: float, *, rank: int) -> pd.DataFrame:
    columns = dict(zip([*BOX, "confidence"], faces.T, strict=True))
    numbers = rank + 1 + np.arange(len(faces))
    return as_detections({**columns, "frame": frame, "time": time, "face_id": numbers, "source": "detected"})
