"""Tracks that a tool keeps as keyframes, between which the box moves in a straight line: written out frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import MAX_ROWS, ParsedBoxes

__all__ = ["Knot", "Track", "as_box", "lay_out"]

FRAME_LIMIT = 2**31
"""No frame number reaches this."""

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Knot:
    """Where the object is in one frame (left, top, right, bottom), or that it is gone from it on.

    ``keyframe`` is false where the tool interpolated the box and wrote it out all the same.
    """

    frame: int
    box: Corners
    outside: bool = False
    occluded: bool = False
    keyframe: bool = True


@dataclass(frozen=True)
class Track:
    """An object's keyframes in the order of their frames, as arrays, which need a tenth of the memory of objects.

    Parameters
    ----------
    face : int, str or None
    label : str
    frames : ndarray of shape (K,), int64
    corners : ndarray of shape (K, 4)
        Left, top, right, bottom.
    outside, occluded, keyframes : ndarray of shape (K,), bool
    place : str
        Where in the file it stands.
    person : str
    """

    face: int | str | None
    label: str
    frames: NDArray[np.int64]
    corners: NDArray[np.float64]
    outside: NDArray[np.bool_]
    occluded: NDArray[np.bool_]
    keyframes: NDArray[np.bool_]
    place: str
    person: str = ""

    @classmethod
    def of(cls, face: int | str | None, label: str, knots: Sequence[Knot], *, place: str, person: str = "") -> Track:
        """Return the track of some keyframes.

        Raises
        ------
        AnnotationError
            If a frame number is beyond all that a video has.
        """
        beyond = next((knot.frame for knot in knots if abs(knot.frame) >= FRAME_LIMIT), None)
        if beyond is not None:
            raise AnnotationError(f"{place}: frame {beyond} is beyond the last frame that any video has")
        return cls(
            face,
            label,
            np.array([knot.frame for knot in knots], np.int64),
            np.array([knot.box for knot in knots], np.float64).reshape(-1, 4),
            np.array([knot.outside for knot in knots], bool),
            np.array([knot.occluded for knot in knots], bool),
            np.array([knot.keyframe for knot in knots], bool),
            place,
            person,
        )

    @property
    def first(self) -> int:
        """The first keyframe's frame; 0 where there is none."""
        return int(self.frames[0]) if len(self.frames) else 0

    @property
    def last(self) -> int:
        """The last frame that it speaks of as one with the object; -1 where there is none."""
        return int(self.frames[-1]) - int(self.outside[-1]) if len(self.frames) else -1


def as_box(corners: Corners) -> Corners:
    """Return x, y, width, height."""
    left, top, right, bottom = corners
    return left, top, right - left, bottom - top


def lay_out(found: ParsedBoxes, tracks: Iterable[Track], stop: int) -> None:
    """Add the box of every frame in which a track is visible; one that does not end is so to the frame ``stop``.

    Raises
    ------
    AnnotationError
        If there are more boxes than can be read, or ``stop`` is beyond all that a video has.
    """
    if stop >= FRAME_LIMIT:
        raise AnnotationError(f"a video of {stop} frames is longer than any; correct the frame count of the file")
    spans = [(track, _frames_of_knots(track, stop)) for track in tracks]
    rows = sum(int(counts.sum()) for _, counts in spans)
    if rows > MAX_ROWS:
        raise AnnotationError(f"the tracks span {rows} boxes, more than the {MAX_ROWS} this reader takes")
    for track, counts in spans:
        _lay_track(found, track, counts)


def _frames_of_knots(track: Track, stop: int) -> NDArray[np.int64]:
    """Return for each keyframe in how many frames, from its own on, the object is visible before the next one."""
    if not len(track.frames):
        return track.frames
    until = np.append(track.frames[1:], max(stop + 1, int(track.frames[-1])))
    return np.where(track.outside, 0, until - track.frames)


def _lay_track(found: ParsedBoxes, track: Track, counts: NDArray[np.int64]) -> None:
    total = int(counts.sum())
    if not total:
        return
    knot = np.repeat(np.arange(len(counts)), counts)
    # Count 0, 1, ... from each keyframe on.
    step = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    after = np.minimum(knot + 1, len(counts) - 1)
    span = np.maximum(track.frames[after] - track.frames[knot], 1)
    start = track.corners[knot]
    corners = start + (track.corners[after] - start) * (step / span)[:, None]
    boxes = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    found.at.extend((track.frames[knot] + step).tolist())
    found.boxes.extend(map(tuple, boxes.tolist()))
    found.faces.extend([track.face] * total)
    found.confidence.extend([None] * total)
    found.locations.extend([track.place] * total)
    found.labels.extend([track.label] * total)
    found.occluded.extend(track.occluded[knot].tolist())
    found.persons.extend([track.person] * total)
    found.kinds.extend([""] * total)
    found.keyframes.extend((track.keyframes[knot] & (step == 0)).tolist())
