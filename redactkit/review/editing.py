"""The analyst's edits as pure functions: tables in, new tables out, nothing changed in place.

Edits of boxes take and return ``detections``; edits that make or unmake a face take ``detections`` and
``decisions`` and return both. A range of frames is ``start`` up to, not including, ``stop``; left out, it
has no end on that side. What a merge, a split or a new face creates is redacted until decided otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from redactkit import boxes
from redactkit.effects.look import format_look, parse_look
from redactkit.errors import TableError
from redactkit.review.rows import (
    Box,
    in_range,
    known_faces,
    manual_rows,
    put_rows,
    replace_rows,
    rows_of,
    shifts_of,
    unite_rows,
    with_boxes,
)
from redactkit.runtime.kinds import as_kind
from redactkit.runtime.visible import format_visible
from redactkit.tables import (
    BOX,
    FACE,
    FaceIds,
    as_decisions,
    as_detections,
    as_face_ids,
    sort_detections,
)

__all__ = [
    "Faces",
    "add_face",
    "delete_boxes",
    "delete_face",
    "expand_boxes",
    "merge_faces",
    "next_face_id",
    "set_box",
    "set_decision",
    "set_kind",
    "shift_boxes",
    "split_face",
]


class Faces(NamedTuple):
    """What an edit of whole faces returns."""

    detections: pd.DataFrame
    decisions: pd.DataFrame


def next_face_id(*tables: pd.DataFrame) -> int:
    """Return an ID above every one in use in detections, decisions or discarded tables.

    Examples
    --------
    >>> from redactkit.tables import empty_detections
    >>> next_face_id(empty_detections())
    1
    """
    ids = [np.asarray(table.get("face_id", table.index)) for table in tables]
    return max((int(column.max()) for column in ids if column.size), default=0) + 1


def set_box(detections: pd.DataFrame, *, face_id: int, frame: int, box: Box, time: float) -> pd.DataFrame:
    """Move, resize or add the box of one face in one frame; the row's source becomes ``manual``.

    Parameters
    ----------
    detections : DataFrame
    face_id, frame : int
    box : sequence of 4 floats
        x, y, width, height in pixels of the displayed frame; may reach outside it.
    time : float
        Time of the frame in seconds.

    Raises
    ------
    TableError
        If the box is not four finite numbers with sides of 0 or more.

    Examples
    --------
    >>> from redactkit.tables import empty_detections
    >>> rows = set_box(empty_detections(), face_id=1, frame=9, box=(10, 20, 30, 40), time=0.36)
    >>> rows[["source", "keyframe"]].to_dict("records")
    [{'source': 'manual', 'keyframe': True}]
    """
    return put_rows(detections, manual_rows([frame], [time], face_id=face_id, box=box))


def shift_boxes(
    detections: pd.DataFrame, *, face_id: int, change: Box, start: int | None = None, stop: int | None = None
) -> pd.DataFrame:
    """Add the same change of x, y, width and height, in pixels, to a face's boxes in a range of frames.

    Sides never go below 0. Sources stay as they were.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 1], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> shift_boxes(rows, face_id=1, change=(2, 0, 0, 0), start=1)["x"].tolist()
    [10.0, 12.0]
    """
    chosen = rows_of(detections, face_id, start, stop)
    moved = detections.loc[chosen, BOX].to_numpy() + np.asarray(shifts_of(change))
    moved[:, 2:] = np.maximum(moved[:, 2:], 0)
    return with_boxes(detections, chosen, moved)


def expand_boxes(
    detections: pd.DataFrame,
    *,
    share: float = 0.0,
    pixels: float = 0.0,
    faces: FaceIds | None = None,
    start: int | None = None,
    stop: int | None = None,
) -> pd.DataFrame:
    """Grow boxes about their centres, on each side by ``share`` of the side plus ``pixels``; negative shrinks.

    Parameters
    ----------
    faces : iterable of int, optional
        All faces where left out.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 1], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> expand_boxes(rows, share=0.5)[["x", "width"]].iloc[0].tolist()
    [6.0, 16.0]
    """
    if not np.isfinite([share, pixels]).all():
        raise TableError(f"share and pixels must be finite numbers, got {share} and {pixels}")
    chosen = in_range(detections, start, stop)
    if faces is not None:
        chosen &= np.isin(detections["face_id"].to_numpy(), known_faces(detections, faces))
    grown = boxes.expand(detections.loc[chosen, BOX].to_numpy(), share=share, pixels=pixels)
    return with_boxes(detections, chosen, grown)


def delete_boxes(
    detections: pd.DataFrame,
    *,
    faces: FaceIds | None = None,
    start: int | None = None,
    stop: int | None = None,
) -> pd.DataFrame:
    """Remove the boxes of some faces (all where left out) in a range of frames.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 1], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> delete_boxes(rows, faces=1, start=1)["frame"].tolist()
    [0]
    """
    gone = in_range(detections, start, stop)
    if faces is not None:
        gone &= np.isin(detections["face_id"].to_numpy(), known_faces(detections, faces))
    return detections[~gone].reset_index(drop=True)


def add_face(
    detections: pd.DataFrame,
    decisions: pd.DataFrame,
    *,
    frame: int,
    box: Box,
    time: float,
    face_id: int | None = None,
    kind: str = FACE,
) -> Faces:
    """Add a face or another object that was missed, with its first box; it is redacted.

    Parameters
    ----------
    face_id : int, optional
        An ID that no face has; the next free one where left out.
    kind : str
        See `redactkit.runtime.kinds.OBJECT_KINDS`, or your own word.

    Raises
    ------
    TableError
        If the ID is taken or the box means nothing.

    Examples
    --------
    >>> from redactkit.tables import empty_decisions, empty_detections
    >>> found = add_face(empty_detections(), empty_decisions(), frame=3, box=(0, 0, 9, 9), time=0.12)
    >>> found.decisions["redact"].to_dict()
    {1: True}
    """
    new = next_face_id(detections, decisions) if face_id is None else face_id
    _refuse_taken(detections, new)
    rows = manual_rows([frame], [time], face_id=new, box=box)
    table = put_rows(detections, as_detections(rows.assign(kind=as_kind(kind))))
    return Faces(table, _redacted(decisions, [new], label=""))


def set_kind(detections: pd.DataFrame, *, faces: FaceIds, kind: str) -> pd.DataFrame:
    """Say what some objects are: a face, a plate, or what else; labels of the file they came from stay.

    Examples
    --------
    >>> table = as_detections({"frame": [1], "face_id": 2, "x": 0, "y": 0, "width": 9, "height": 3})
    >>> set_kind(table, faces=2, kind="plate")["kind"].tolist()
    ['plate']
    """
    mine = np.isin(detections["face_id"].to_numpy(), known_faces(detections, faces))
    kinds = np.where(mine, as_kind(kind), detections["kind"].to_numpy(object))
    return detections.assign(kind=pd.Series(kinds, detections.index, dtype="object"))


def delete_face(detections: pd.DataFrame, decisions: pd.DataFrame, *, face_id: int) -> Faces:
    """Remove every box of a face, and what was decided about it.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 1], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> len(delete_face(rows, as_decisions({}), face_id=1).detections)
    0
    """
    known_faces(detections, [face_id])
    return Faces(delete_boxes(detections, faces=[face_id]), decisions.drop(index=face_id, errors="ignore"))


def merge_faces(detections: pd.DataFrame, decisions: pd.DataFrame, *, faces: FaceIds) -> Faces:
    """Make one face of several, under the lowest of their IDs; it is redacted.

    Where two of them have a box in one frame, the merged box holds both, so that no pixel is lost. Its kind is that
    of the lowest ID, its label and look the first that there is, its reason those of all that were hidden.

    Raises
    ------
    OptionError
        If no face has one of the IDs.
    TableError
        If fewer than two faces are given.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 1], "face_id": [1, 2], "x": 0, "y": 0, "width": 8, "height": 8})
    >>> merge_faces(rows, as_decisions({}), faces=[1, 2]).detections["face_id"].tolist()
    [1, 1]
    """
    ids = np.unique(known_faces(detections, faces))
    if len(ids) < 2:
        raise TableError(f"a merge needs two faces or more, got {ids.tolist()}")
    keep = int(ids[0])
    chosen = np.isin(detections["face_id"].to_numpy(), ids)
    kind = detections["kind"].iloc[int(np.argmax(detections["face_id"].to_numpy() == keep))]
    merged = unite_rows(as_detections(detections[chosen].assign(face_id=keep, kind=kind)))
    table = replace_rows(detections, chosen, merged)
    label = next((text for text in decisions["label"].reindex(ids).fillna("") if text), "")
    left = decisions.drop(index=ids[1:].tolist(), errors="ignore")
    return Faces(table, _redacted(left, [keep], label=label, known=decisions.reindex(ids).dropna(how="all")))


def split_face(
    detections: pd.DataFrame, decisions: pd.DataFrame, *, face_id: int, frame: int, new_id: int | None = None
) -> Faces:
    """Make two faces of one: its boxes from ``frame`` on get a new ID. Both are redacted.

    The first part keeps the label. Whatever was decided before the split was decided about both people,
    so nobody is visible by it; why and how the face was hidden holds for both.

    Raises
    ------
    TableError
        If the face has no box before ``frame``, or none from it on, or ``new_id`` is taken.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 1], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> split_face(rows, as_decisions({}), face_id=1, frame=1).detections["face_id"].tolist()
    [1, 2]
    """
    later = rows_of(detections, face_id, frame, None, may_be_empty=True)
    earlier = rows_of(detections, face_id, None, frame, may_be_empty=True)
    if not (later.any() and earlier.any()):
        raise TableError(f"face {face_id} cannot be split at frame {frame}: it needs boxes before and from that frame")
    new = next_face_id(detections, decisions) if new_id is None else new_id
    _refuse_taken(detections, new)
    table = detections.copy()
    table.loc[later, "face_id"] = new
    label = str(decisions["label"].get(face_id, ""))
    known = decisions.reindex([face_id]).dropna(how="all")
    first = _redacted(decisions, [face_id], label=label, known=known)
    return Faces(sort_detections(table), _redacted(first, [new], label="", known=known))


def set_decision(
    decisions: pd.DataFrame,
    *,
    faces: FaceIds,
    redact: bool | None = None,
    label: str | None = None,
    reason: str | None = None,
    visible: Iterable[Iterable[Any]] | None = None,
    look: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Decide about faces; what is None stays as it was.

    Parameters
    ----------
    visible : iterable of (float, float) or (float, float, str), optional
        Seconds from start to end in which a face that is redacted is left visible all the same, and why.
    look : mapping, optional
        How it is hidden where that is not as the rest: ``blur``, ``margin``, ``strength``, ``shape``, ``head``.

    Examples
    --------
    >>> from redactkit.tables import empty_decisions
    >>> set_decision(empty_decisions(), faces=[4], redact=False, reason="consented").loc[4].to_dict()
    {'redact': False, 'label': '', 'reason': 'consented', 'visible_at': '', 'look': '', 'person_id': 4}
    """
    ids = as_face_ids(faces, name="faces")
    table = as_decisions(decisions, faces=ids)
    given: dict[str, Any] = {"redact": redact, "label": label, "reason": reason}
    given["visible_at"] = None if visible is None else format_visible(visible)
    given["look"] = None if look is None else format_look(look)
    for name, value in given.items():
        if value is not None:
            table.loc[ids, name] = value
    return table


def _redacted(
    decisions: pd.DataFrame, faces: list[int], *, label: str, known: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Decide that faces are hidden: as those of ``known`` are, and for the reasons for which these are hidden."""
    reason, look = "", ""
    if known is not None:
        hidden = known.loc[known["redact"].astype(bool), "reason"]
        reason = "; ".join(dict.fromkeys(text for text in hidden if text))
        look = next((text for text in known["look"] if text), "")
    return set_decision(
        decisions, faces=faces, redact=True, label=label, reason=reason, visible=(), look=parse_look(look)
    )


def _refuse_taken(detections: pd.DataFrame, face_id: int) -> None:
    if (detections["face_id"] == face_id).any():
        raise TableError(f"a face with the ID {face_id} is there already; leave the ID out to get the next free one")
