"""Tell which places to check, and which pairs, an answer could matter for, by the decisions as they are now.

A place matters where a person who is to be hidden may be bare. Where boxes lie over a person who is hidden, only
covering too much is at stake; where two hidden people may be one, or may have been mixed up, the redacted video is the
same either way. The rules are about decisions alone, so what does not matter now may matter after the next one.

| reason | an answer matters where |
|---|---|
| gap, track starts or ends inside the frame | the face is hidden: somebody may have no box there |
| track starts or ends, of a face brought back or found by the leak check | never: the next check searches around it |
| short track, filled gap, confidence dip, touches the edge | the face is left visible, if only at times |
| crossing | another face that it meets is decided otherwise: they may have been mixed up |
| discarded track | hidden boxes do not cover it in every frame |
| any other, as followed in doubt | always |
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import intersections, union_cover
from redactkit.review.discarded import BROUGHT_BACK
from redactkit.tables import BOX, frame_rows
from redactkit.tracking.review_queue import MAX_RUN_STEP_FRAMES

__all__ = ["COVERED_SHARE", "LEAK_CHECK", "Listed", "pairs_matter", "places_matter"]

BoolArray = NDArray[np.bool_]

COVERED_SHARE = 0.85
"""Share of each box of a discarded track that hidden boxes must cover for it to be covered: the share from which the
leak check takes a face for covered. Raising it lists more discarded tracks."""

_ENDS = ("track starts inside the frame", "track ends inside the frame")
"""Reasons that say that a face may be where it has no box yet, or no more."""

LEAK_CHECK = "leak check"
"""The reason of the decision about a face that the leak check found."""

_HIDDEN_IN_DOUBT = (BROUGHT_BACK, LEAK_CHECK)
"""Reasons of decisions about glimpses: that boxes begin and end inside the picture is why they were in doubt."""

_BOXED = ("short track", "filled gap", "confidence dip", "touches the edge")
"""Reasons about boxes that are there."""

_DECIDED = ("redact", "visible_at", "look", "label")
"""Columns of a decision that make the result another one."""


class Listed(NamedTuple):
    """The places to check, and the tables that they are of: the queue given, detections, discarded and decisions."""

    tables: tuple[pd.DataFrame | None, ...]
    found: pd.DataFrame
    listed: pd.DataFrame

    def is_of(self, *tables: pd.DataFrame | None) -> bool:
        """Tell whether the first tables are these very ones."""
        return all(one is other for one, other in zip(self.tables, tables, strict=False))


def places_matter(
    queue: pd.DataFrame, *, detections: pd.DataFrame, decisions: pd.DataFrame, discarded: pd.DataFrame | None = None
) -> BoolArray:
    """Tell for each place to check whether an answer could change what the redacted video shows.

    Parameters
    ----------
    queue : DataFrame
        As of `redactkit.tracking.review_queue`; places of faces that nobody decided about, and those without a reason
        or a face, always matter.
    detections, decisions, discarded : DataFrame
        As in `redactkit.annotations.Annotations`; ``detections`` sorted by frame.

    Returns
    -------
    ndarray of shape (N,), bool

    Examples
    --------
    >>> from redactkit.tables import as_decisions, as_detections
    >>> rows = as_detections({"frame": [0, 1, 9], "face_id": 1, "x": 5, "y": 5, "width": 9, "height": 9})
    >>> queue = pd.DataFrame({"face_id": 1, "frame": [2, 0], "frames": [7, 2], "reason": ["gap", "filled gap"]})
    >>> places_matter(queue, detections=rows, decisions=as_decisions({1: {"redact": True}})).tolist()
    [True, False]
    >>> places_matter(queue, detections=rows, decisions=as_decisions({1: {"redact": False}})).tolist()
    [False, True]
    """
    matters = np.ones(len(queue), bool)
    if not {"face_id", "frame", "frames", "reason"} <= set(queue.columns):
        return matters
    reason, face = queue["reason"], queue["face_id"]
    hidden = decisions["redact"].astype(bool)
    seen = ~hidden | (decisions["visible_at"] != "")
    known = face.isin(decisions.index).to_numpy()
    ends = hidden & ~decisions["reason"].isin(_HIDDEN_IN_DOUBT)
    is_hidden, has_ends, is_seen = (each.reindex(face, fill_value=True).to_numpy(bool) for each in (hidden, ends, seen))
    matters &= ~((reason == "gap").to_numpy() & known) | is_hidden
    matters &= ~(reason.isin(_ENDS).to_numpy() & known) | has_ends
    matters &= ~(reason.isin(_BOXED).to_numpy() & known) | is_seen
    crossing = np.flatnonzero((reason == "crossing").to_numpy() & known)
    matters[crossing] = _meets_others(queue.iloc[crossing], detections, decisions)
    aside = np.flatnonzero((reason == "discarded track").to_numpy())
    if discarded is not None and len(aside):
        bare = _bare_tracks(discarded, detections, decisions)
        matters[aside] = face.iloc[aside].isin(bare).to_numpy()
    return matters


def pairs_matter(pairs: pd.DataFrame, *, decisions: pd.DataFrame) -> BoolArray:
    """Tell for each pair of tracks that may be one person whether the two are decided differently.

    Parameters
    ----------
    pairs : DataFrame
        Columns ``face_id`` and ``other_id``.
    decisions : DataFrame

    Examples
    --------
    >>> from redactkit.tables import as_decisions
    >>> decisions = as_decisions({1: {"redact": True}, 2: {"redact": True}, 3: {"redact": False}})
    >>> pairs_matter(pd.DataFrame({"face_id": [1, 1], "other_id": [2, 3]}), decisions=decisions).tolist()
    [False, True]
    """
    decided = _decided(decisions)
    one, other = (pairs[name].map(decided) for name in ("face_id", "other_id"))
    # A face that nobody decided about is like no other.
    return np.asarray((one != other) | one.isna() | other.isna(), bool)


def _decided(decisions: pd.DataFrame) -> pd.Series[Any]:
    """Return a number for each face, equal where decisions make the same of two faces."""
    return decisions.groupby(list(_DECIDED), sort=False).ngroup()


def _meets_others(crossings: pd.DataFrame, detections: pd.DataFrame, decisions: pd.DataFrame) -> BoolArray:
    """Tell which crossings are with a face that is decided otherwise."""
    decided = _decided(decisions)
    if decided.nunique() < 2:
        return np.zeros(len(crossings), bool)
    frames, faces = detections["frame"].to_numpy(), detections["face_id"].to_numpy()
    boxes, kinds = detections[BOX].to_numpy(), detections["face_id"].map(decided).to_numpy()
    found = []
    entries = (crossings[name].to_numpy(np.int64).tolist() for name in ("face_id", "frame", "frames"))
    for face, frame, count in zip(*entries, strict=True):
        # An entry counts its marked frames, between which some may lie that are not.
        here = slice(*np.searchsorted(frames, [frame, frame + MAX_RUN_STEP_FRAMES * count]))
        mine = faces[here] == face
        others = kinds[here] != decided[face]
        touched = (intersections(boxes[here][mine], boxes[here][others]) > 0) & (
            frames[here][mine][:, None] == frames[here][others][None]
        )
        found.append(bool(touched.any()))
    return np.array(found, bool)


def _bare_tracks(discarded: pd.DataFrame, detections: pd.DataFrame, decisions: pd.DataFrame) -> set[int]:
    """Return the discarded tracks that boxes which are always hidden do not cover in every frame."""
    always = decisions.index[decisions["redact"].astype(bool) & (decisions["visible_at"] == "")]
    rows = detections[detections["face_id"].isin(always).to_numpy() & detections["x"].notna().to_numpy()]
    frames, boxes = rows["frame"].to_numpy(), rows[BOX].to_numpy()
    bare = set()
    for number, tracks in discarded.groupby("frame"):
        here = frame_rows(frames, int(str(number)))
        shares = union_cover(tracks[BOX].to_numpy(), boxes[here])
        bare |= set(tracks["face_id"].to_numpy()[~(shares >= COVERED_SHARE)].tolist())
    return bare
