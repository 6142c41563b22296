"""A harder look at frames that others tell little about: larger and smaller, in the mirror, and beyond the edges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.analysis.appearance import describe
from redactkit.analysis.detection import Scan
from redactkit.analysis.letterbox import NETWORK_STRIDE_PIXELS, merge
from redactkit.analysis.mixed_frames import show_two_shots
from redactkit.boxes import FloatArray, clip, to_coded
from redactkit.detectors import run_detector
from redactkit.errors import VideoError
from redactkit.tables import BOX, as_detections
from redactkit.video import VideoReader

__all__ = ["search_harder", "unsettled_frames"]

Image = NDArray[np.uint8]
IntArray = NDArray[np.int64]

SEVERAL, EVERY = 5, 3
"""Frames of a stretch up to which each is searched, and the step between searched frames in a longer one."""

BORDER = 0.25
"""Width of the mirrored border, in shares of the picture's height: half a face at the edge becomes a whole one."""

VISIBLE = 0.1
"""Share of a box inside the frame below which it is only the mirror image of a face."""


@dataclass(frozen=True)
class _HardLook:
    """A picture of a frame: its scale to the usual one, whether with a border, mirrored, and how it is turned."""

    scale: float
    border: bool
    mirrored: bool
    turn: int = 0

    def faces(self, image: Image, scan: Scan) -> FloatArray:
        """Search the picture and return the faces in pixels of ``image``, shape (N, 5)."""
        import cv2

        height, width = image.shape[:2]
        inner = [max(1, round(side * self.scale)) for side in (width, height)]
        margin = round(BORDER * inner[1]) if self.border else 0
        outer = [NETWORK_STRIDE_PIXELS * -(-(side + 2 * margin) // NETWORK_STRIDE_PIXELS) for side in inner]
        left, top = ((whole - part) // 2 for whole, part in zip(outer, inner, strict=True))
        scaled = cv2.resize(image, (inner[0], inner[1]), interpolation=cv2.INTER_AREA)
        right, bottom = outer[0] - inner[0] - left, outer[1] - inner[1] - top
        picture = cv2.copyMakeBorder(scaled, top, bottom, left, right, cv2.BORDER_REFLECT)
        shown = np.rot90(picture[:, ::-1] if self.mirrored else picture, -self.turn // 90)
        found = run_detector(scan.search.detector, [np.ascontiguousarray(shown)])[0]
        size = shown.shape[1::-1]
        boxes = to_coded(found[:, :4], width=size[0], height=size[1], rotation=self.turn)
        if self.mirrored:
            boxes[:, 0] = outer[0] - boxes[:, 0] - boxes[:, 2]
        boxes[:, :2] -= [left, top]
        boxes *= np.tile([width / inner[0], height / inner[1]], 2)
        inside = np.prod(clip(boxes, width=width, height=height)[:, 2:], axis=1)
        shows = inside > VISIBLE * np.prod(boxes[:, 2:], axis=1)
        return np.asarray(np.hstack([boxes, found[:, 4:]])[shows])


def _hard_looks(turns: Iterable[int]) -> list[_HardLook]:
    bordered = [_HardLook(scale, True, mirrored) for scale in (0.5, 0.75) for mirrored in (False, True)]
    looks = [_HardLook(1, False, False), _HardLook(1, False, True), *bordered]
    return [replace(look, turn=turn) for turn in (0, *turns) for look in looks]


def unsettled_frames(scan: Scan) -> IntArray:
    """Return the frames in which a face may show that no other frame tells of, ascending."""
    stretches = np.concatenate([scan.mixed, scan.brief])
    return np.unique(
        np.concatenate([np.zeros(0, np.int64), *(np.arange(first, last + 1) for first, last in stretches)])
    )


def _searched(stretches: IntArray) -> list[int]:
    numbers: set[int] = set()
    for first, last in stretches.tolist():
        numbers |= {*range(first, last + 1, 1 if last - first < SEVERAL else EVERY), last}
    return sorted(numbers)


def search_harder(reader: VideoReader, scan: Scan) -> Scan:
    """Search the mixed frames and brief shots of a scanned video again, and return the scan with what that shows.

    Parameters
    ----------
    reader : VideoReader
    scan : Scan
        Of the whole video, so that the outcome does not depend on how it was divided.
    """
    scan = replace(scan, cuts=np.union1d(scan.cuts, _hidden_cuts(reader, scan)))
    numbers = _searched(np.concatenate([scan.mixed, scan.brief]))
    if not numbers:
        return scan
    rows, looks = scan.detections, scan.appearance
    kept = np.ones(len(rows), bool)
    added: list[pd.DataFrame] = []
    described = []
    for number, image in _images(reader, scan, numbers):
        here = np.flatnonzero((rows["frame"] == number).to_numpy())
        known = rows.iloc[here][[*BOX, "confidence"]].to_numpy(np.float64)
        scale = np.array([reader.info.width / image.shape[1], reader.info.height / image.shape[0]] * 2)
        seen = [look.faces(image, scan) * np.append(scale, 1) for look in _hard_looks(scan.search.turns)]
        faces = merge([known, *seen], floor=scan.search.thresholds.floor)
        # A box that was there before keeps its row; what it was suppressed by takes its place.
        old = (known[:, None] == faces[None]).all(axis=2)
        kept[here] = old.any(axis=1)
        new = faces[~old.any(axis=0)]
        added.append(_rows(new, number, reader.info.times[number], rank=len(known)))
        described.append(describe(image, new[:, :4] / scale))
    table = pd.concat([rows[kept], *added], ignore_index=True)
    order = np.argsort(table["frame"].to_numpy(), kind="stable")
    appearance = np.concatenate([looks[kept], *described])[order]
    return replace(scan, detections=table.iloc[order].reset_index(drop=True), appearance=appearance)


def _hidden_cuts(reader: VideoReader, scan: Scan) -> IntArray:
    """Return the middles of dissolves: no frame there is sudden, but a face after it is not the one before it."""
    found = []
    for first, last in scan.mixed.tolist():
        outside = [first - 1, last + 1]
        if first < 1 or last + 1 >= reader.info.frame_count or np.isin(np.arange(first, last + 2), scan.cuts).any():
            continue
        images = [image for _, image in _images(reader, scan, outside)]
        if len(images) == len(outside) and show_two_shots(*images):
            found.append((first + last + 1) // 2)
    return np.array(found, np.int64)


def _images(reader: VideoReader, scan: Scan, numbers: Iterable[int]) -> Iterator[tuple[int, Image]]:
    look = scan.search.looks[0]
    for number in numbers:
        try:
            yield number, reader.frame_at(number).rgb(width=look.width, height=look.height)
        except VideoError:
            continue


def _rows(faces: FloatArray, frame: int, time: float, *, rank: int) -> pd.DataFrame:
    columns = dict(zip([*BOX, "confidence"], faces.T, strict=True))
    numbers = rank + 1 + np.arange(len(faces))
    return as_detections({**columns, "frame": frame, "time": time, "face_id": numbers, "source": "detected"})
