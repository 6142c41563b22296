"""Boxes as SVG, laid over a picture that stays still while they move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from redactkit.tables import BOX
from redactkit.widgets.geometry import Box, Region
from redactkit.widgets.markup import escape, face_name

__all__ = ["COLORS", "Drawn", "boxes_of", "draw"]

_LINE = 1.5
_HANDLE = 4.0
_FONT = 13.0


COLORS = {"hide": "#ff8787", "show": "#8ce99a", "a": "#4dabf7", "b": "#ffa94d", "missed": "#4dabf7", "extra": "#ffa94d"}
"""Colour of a name by the kind of its box; the box itself is in the class ``rk-KIND``."""


class Drawn(NamedTuple):
    """One box to draw; ``kind`` is one of `COLORS`, left out ``hide`` or ``show`` as ``redact`` says."""

    face_id: int
    box: Box
    redact: bool = True
    label: str = ""
    current: bool = False
    marked: bool = False
    keyframe: bool = False
    kind: str = ""

    @property
    def state(self) -> str:
        """The kind, also where left out."""
        return self.kind or ("hide" if self.redact else "show")


def boxes_of(
    rows: pd.DataFrame, decisions: pd.DataFrame, *, current: int | None, marked: Iterable[int] = ()
) -> list[Drawn]:
    """Return what to draw for the rows of one frame; rows that say nothing of where the face is are left out."""
    picked = set(marked)
    placed = rows[rows[BOX].notna().all(axis=1).to_numpy()]
    drawn = []
    for face, keyframe, *box in zip(
        placed["face_id"], placed["keyframe"], *(placed[name] for name in BOX), strict=True
    ):
        decision = decisions.loc[face]
        place = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        state = (bool(decision["redact"]), str(decision["label"]), face == current, face in picked)
        drawn.append(Drawn(int(face), place, *state, bool(keyframe)))
    return drawn


def draw(boxes: Iterable[Drawn], region: Region, *, across: float = 640.0, plain: bool = False) -> str:
    """Return the SVG of some boxes.

    Parameters
    ----------
    boxes : iterable of Drawn
    region : Region
        The part of the frame that the picture shows.
    across : float
        Width of the picture on the page, so that letters and handles have the same size at any zoom.
    plain : bool
        Only the current box, as a thin line: for the preview, where boxes would hide what they cover.
    """
    unit = region.width / max(across, 1)
    view = f"{region.x:.2f} {region.y:.2f} {region.width:.2f} {region.height:.2f}"
    ordered = sorted(boxes, key=lambda one: one.current)
    shown = [one for one in ordered if one.current or not plain]
    shapes = "".join(_rectangle(one) + (_handles(one.box, unit) if one.current and not plain else "") for one in shown)
    names = "" if plain else _names(shown, region, unit)
    return f'<svg viewBox="{view}" preserveAspectRatio="none">{shapes}{names}</svg>'


def _rectangle(one: Drawn) -> str:
    x, y, width, height = one.box
    classes = f"rk-box rk-{one.state}{' rk-now' if one.current else ''}{' rk-marked' if one.marked else ''}"
    return (
        f'<rect class="{classes}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="none" '
        f'stroke-width="{3 if one.current else _LINE}" vector-effect="non-scaling-stroke"/>'
    )


def _names(boxes: list[Drawn], region: Region, unit: float) -> str:
    """Write each name above its box, or below or inside it where another name is in the way, and whole."""
    size = _FONT * unit
    taken: list[Box] = []
    texts = []
    for one in (one for one in reversed(boxes) if _overlap(one.box, region)):
        text = face_name(one.face_id, one.label)[:32] + (" \u25c6" if one.keyframe else "")
        top, high, across = one.box[1], one.box[3], len(text) * size * 0.65
        left = max(min(one.box[0], region.x + region.width - across), region.x)
        spots = [(left, y, across, size) for y in (top - size * 1.25, top + high, top + high - size, top)]
        free = [spot for spot in spots if _fits(spot, region) and not any(_overlap(spot, other) for other in taken)]
        spot = free[0] if free else spots[1]
        taken.append(spot)
        texts.append(
            f'<text x="{spot[0]:.2f}" y="{spot[1] + size * 0.9:.2f}" font-size="{size:.2f}" fill="{COLORS[one.state]}" '
            f'stroke-width="{3 * unit:.2f}">{escape(text)}</text>'
        )
    return "".join(texts)


def _fits(spot: Box, region: Region) -> bool:
    return region.y <= spot[1] and spot[1] + spot[3] <= region.y + region.height


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def _handles(box: Box, unit: float) -> str:
    half = _HANDLE * unit
    places = [(a, d) for a in (0, 0.5, 1) for d in (0, 0.5, 1) if (a, d) != (0.5, 0.5)]
    squares = [f"M{box[0] + box[2] * a - half:.2f} {box[1] + box[3] * d - half:.2f}" for a, d in places]
    side = 2 * half
    path = "".join(f"{square}h{side:.2f}v{side:.2f}h-{side:.2f}z" for square in squares)
    return f'<path class="rk-handles" d="{path}" fill="#fff" stroke="#000" stroke-width="{unit:.2f}"/>'
