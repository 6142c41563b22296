"""Where the face of a hidden track may be in frames in which it has no box: in its gaps, and beyond its ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.media import VideoInfo
from redactkit.tables import BOX

__all__ = ["ExpectedFace", "plan_near"]

END_FRAMES = 3
"""Frames before a track's first box and after its last that are looked at closely."""

MAX_GAP_SECONDS = 1.0
"""Seconds without a box, in which a face that was there before and after is looked for."""

SHORT_GAP_SECONDS = 0.2
"""Seconds up to which a gap is a finding though no face is seen in it: heads that turn are not, and are not gone."""

VELOCITY_FRAMES, MAX_APART = 3, 6
"""Boxes over which a track's velocity at its ends is measured, and the frames that they may be apart."""


@dataclass(frozen=True, eq=False)
class ExpectedFace:
    """A place near a track where its face may be, though it has no box there.

    Parameters
    ----------
    face : int
    box : ndarray of shape (4,)
        Where the face is expected: interpolated in a gap, at constant velocity beyond an end.
    last : ndarray of shape (4,)
        The track's box nearest in time.
    short_gap : bool
        Whether it is in a gap of at most `SHORT_GAP_SECONDS`.
    """

    face: int
    box: bx.FloatArray
    last: bx.FloatArray
    short_gap: bool


def plan_near(annotations: Annotations, faces: list[int], info: VideoInfo) -> dict[int, list[ExpectedFace]]:
    """Return the places to look at closely, by frame: a track's gaps, before its first box and after its last."""
    rows = annotations.detections
    rows = rows[rows["face_id"].isin(faces) & (rows["frame"] < info.frame_count)].sort_values(["face_id", "frame"])
    edges = np.concatenate([[0], annotations.cuts, [info.frame_count]])
    near: dict[int, list[ExpectedFace]] = {}
    for face, track in rows.groupby("face_id"):
        frames, boxes = track["frame"].to_numpy(), track[BOX].to_numpy()
        for frame, place in _beyond(int(str(face)), frames, boxes, edges, float(info.frame_rate)):
            near.setdefault(frame, []).append(place)
    return near


def _beyond(
    face: int, frames: NDArray[np.int64], boxes: bx.FloatArray, edges: NDArray[np.int64], rate: float
) -> Iterator[tuple[int, ExpectedFace]]:
    longest, short = (max(2, round(seconds * rate)) for seconds in (MAX_GAP_SECONDS, SHORT_GAP_SECONDS))
    shots = np.searchsorted(edges, frames, side="right")
    for place in range(-1, len(frames)):
        first = frames[place] if place >= 0 else -1
        last = frames[place + 1] if place + 1 < len(frames) else -1
        missing = last - first - 1
        if first >= 0 and last >= 0 and missing <= longest and shots[place] == shots[place + 1]:
            shares = (np.arange(first + 1, last) - first) / (last - first)
            between = bx.interpolate(boxes[place], boxes[place + 1], shares)
            for frame, box in zip(range(first + 1, last), between, strict=True):
                yield frame, ExpectedFace(face, box, boxes[place], bool(missing <= short))
            continue
        if first >= 0:
            stop = min(first + 1 + END_FRAMES, int(edges[shots[place]]))
            yield from _carried(face, frames, boxes, place, range(first + 1, stop), -1)
        if last >= 0:
            start = max(last - END_FRAMES, int(edges[shots[place + 1] - 1]))
            yield from _carried(face, frames, boxes, place + 1, range(start, last), 1)


def _carried(
    face: int, frames: NDArray[np.int64], boxes: bx.FloatArray, place: int, wanted: range, inward: int
) -> Iterator[tuple[int, ExpectedFace]]:
    """Carry a track's box at one of its ends to the frames beyond, at constant velocity."""
    # Boxes far apart in time, as beside a gap, tell no velocity.
    inner = [place + inward * step for step in range(1, VELOCITY_FRAMES + 1)]
    steady = [each for each in inner if 0 <= each < len(frames) and abs(frames[each] - frames[place]) <= MAX_APART]
    velocity = np.zeros(4)
    if steady:
        velocity[:2] = (boxes[place] - boxes[steady[-1]])[:2] / (frames[place] - frames[steady[-1]])
    for frame in wanted:
        carried = boxes[place] + velocity * (frame - frames[place])
        yield frame, ExpectedFace(face, carried, boxes[place], short_gap=False)
