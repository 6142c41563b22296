"""Boxes as SVG, laid over a picture that stays still while they move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pandas as pd

from redactkit.tables import BOX
from redactkit.widgets.geometry import Box, Region
from redactkit.widgets.markup import escape, face_name

__all__ = ["Drawn", "boxes_of", "draw"]

_LINE = 1.5
_HANDLE = 4.0
_FONT = 13.0


class Drawn(NamedTuple):
    """One box to draw."""

    face_id: int
    box: Box
    redact: bool = True
    label: str = ""
    current: bool = False
    marked: bool = False
    keyframe: bool = False


def boxes_of(
    rows: pd.DataFrame, decisions: pd.DataFrame, *, current: int | None, marked: Iterable[int] = ()
) -> list[Drawn]:
    """Return what to draw for the rows of one frame; rows that say nothing of where the face is are left out."""
    picked = set(marked)
    placed = rows[rows[BOX].notna().all(axis=1).to_numpy()]
    drawn = []
    for face, source, *box in zip(placed["face_id"], placed["source"], *(placed[name] for name in BOX), strict=True):
        decision = decisions.loc[face]
        place = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        state = (bool(decision["redact"]), str(decision["label"]), face == current, face in picked)
        drawn.append(Drawn(int(face), place, *state, source == "manual"))
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
    parts = [_draw_one(one, unit, plain=plain) for one in ordered if one.current or not plain]
    return f'<svg viewBox="{view}" preserveAspectRatio="none">{"".join(parts)}</svg>'


def _draw_one(one: Drawn, unit: float, *, plain: bool) -> str:
    x, y, width, height = one.box
    state = "rk-hide" if one.redact else "rk-show"
    classes = f"rk-box {state}{' rk-now' if one.current else ''}{' rk-marked' if one.marked else ''}"
    shape = (
        f'<rect class="{classes}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="none" '
        f'stroke-width="{3 if one.current else _LINE}" vector-effect="non-scaling-stroke"/>'
    )
    if plain:
        return shape
    return shape + _name(one, unit) + (_handles(one.box, unit) if one.current else "")


def _name(one: Drawn, unit: float) -> str:
    size = _FONT * unit
    baseline = one.box[1] - size * 0.35
    if baseline < size:
        baseline = one.box[1] + one.box[3] + size
    text = escape(face_name(one.face_id, one.label) + (" \u25c6" if one.keyframe else ""))
    color = "#ff8787" if one.redact else "#8ce99a"
    return (
        f'<text x="{max(one.box[0], 0):.2f}" y="{baseline:.2f}" font-size="{size:.2f}" fill="{color}" '
        f'stroke-width="{3 * unit:.2f}">{text}</text>'
    )


def _handles(box: Box, unit: float) -> str:
    half = _HANDLE * unit
    places = [(a, d) for a in (0, 0.5, 1) for d in (0, 0.5, 1) if (a, d) != (0.5, 0.5)]
    squares = [f"M{box[0] + box[2] * a - half:.2f} {box[1] + box[3] * d - half:.2f}" for a, d in places]
    side = 2 * half
    path = "".join(f"{square}h{side:.2f}v{side:.2f}h-{side:.2f}z" for square in squares)
    return f'<path class="rk-handles" d="{path}" fill="#fff" stroke="#000" stroke-width="{unit:.2f}"/>'
