"""Tracks that a tool keeps as keyframes, between which the box moves in a straight line: written out frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import MAX_ROWS, ParsedBoxes

__all__ = ["Knot", "Track", "as_box", "lay_out"]

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Knot:
    """A keyframe: where the object is in one frame (left, top, right, bottom), or that it is gone from it on."""

    frame: int
    box: Corners
    outside: bool = False


@dataclass(frozen=True)
class Track:
    """An object's keyframes in the order of their frames; ``place`` says where in the file it stands."""

    face: int | str | None
    label: str
    knots: list[Knot]
    place: str


def as_box(corners: Corners) -> Corners:
    """Return x, y, width, height."""
    left, top, right, bottom = corners
    return left, top, right - left, bottom - top


def lay_out(found: ParsedBoxes, tracks: Iterable[Track], stop: int) -> None:
    """Add the box of every frame in which a track is visible; one that does not end is so to the frame ``stop``.

    Raises
    ------
    AnnotationError
        If there are more boxes than can be read.
    """
    visible = [
        (track, knot, after, stop + 1 if after is None else after.frame)
        for track in tracks
        for knot, after in pairwise([*track.knots, None])
        if knot is not None and not knot.outside
    ]
    rows = sum(until - knot.frame for _, knot, _, until in visible)
    if rows > MAX_ROWS:
        raise AnnotationError(f"the tracks span {rows} boxes, more than the {MAX_ROWS} this reader takes")
    for track, knot, after, until in visible:
        _lay_between(found, track, knot, after, until)


def _lay_between(found: ParsedBoxes, track: Track, knot: Knot, after: Knot | None, until: int) -> None:
    face, label, place = track.face, track.label, track.place
    if until == knot.frame + 1:
        found.add(knot.frame, face, as_box(knot.box), place=place, label=label, keyframe=True)
        return
    for frame in range(knot.frame, until):
        share = 0.0 if after is None else (frame - knot.frame) / (after.frame - knot.frame)
        end = knot.box if after is None else after.box
        left, top, right, bottom = (a + (b - a) * share for a, b in zip(knot.box, end, strict=True))
        here = (left, top, right - left, bottom - top)
        found.add(frame, face, here, place=place, label=label, keyframe=frame == knot.frame)
