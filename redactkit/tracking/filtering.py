"""Track-level score filtering: set aside tracks, and parts of tracks, that are hardly faces, judged by all boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.tracking.shots import run_numbers

__all__ = ["FilterOptions", "discard_strays", "filter_weak"]


@dataclass(frozen=True)
class FilterOptions:
    """What a track must have to be kept; any one of the first three is enough. Raising any of them discards more.

    Parameters
    ----------
    strong : float
        Confidence of one box. It decides whether a short track may go on to rescoring, which decides whether it is
        kept; ``Thresholds.sure`` decides whether it is kept without. So it may be the same at every sensitivity.
    evidence : float
        Sum over the track's detected boxes of their confidence above ``floor``.
    boxes : int
        Number of detected boxes, however doubtful each of them is.
    floor : float
        Confidence up to which a box adds no evidence.
    """

    strong: float = 0.6
    evidence: float = 0.5
    boxes: int = 12
    floor: float = 0.2


def filter_weak(detections: pd.DataFrame, *, options: FilterOptions | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set aside tracks with too little evidence: those of one frame, and short doubtful ones.

    Parameters
    ----------
    detections : DataFrame
        With face IDs.
    options : FilterOptions, optional

    Returns
    -------
    kept, discarded : DataFrame
        All rows of ``detections``, each in one of the two, IDs and order unchanged. A track with a box that a person
        drew, that was imported, or that has no confidence is always kept.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = {"frame": [0, 1, 5], "face_id": [1, 1, 2], "x": 0, "y": 0, "width": 9, "height": 9,
    ...         "confidence": [0.9, 0.4, 0.3], "source": "detected"}
    >>> kept, discarded = filter_weak(as_detections(rows))
    >>> kept["face_id"].tolist(), discarded["face_id"].tolist()
    ([1, 1], [2])
    """
    options = options or FilterOptions()
    weak = detections["face_id"].isin(_weak_faces(detections, options)).to_numpy(bool)
    return detections[~weak].reset_index(drop=True), detections[weak].reset_index(drop=True)


def discard_strays(
    detections: pd.DataFrame, *, longest: int, doubtful: float = 0.3, distance: float = 1.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Discard runs of doubtful boxes that a gap parts from the rest of their track, and that lie elsewhere.

    A doubtful box supports its track where it goes on from a surer one, or lies between two surer ones. Beyond a gap it
    may be of anything, such as the face that has come in front.

    Parameters
    ----------
    detections : DataFrame
        Tracks that have been propagated, so that a gap is where neither the detector nor optical flow found the face.
    longest : int
        Longest gap in frames between the last surer run and a doubtful one after it, or before the first, that may
        still be of the face. Raising it discards less.
    doubtful : float
        Confidence below which a box is doubtful. Raising it discards more.
    distance : float
        Distance in face sizes up to which a run is kept: from the straight line between the surer boxes before and
        after, at an end from the last of these. Raising it discards less.

    Returns
    -------
    kept, strays : DataFrame
        All rows of ``detections``, each in one of the two, order unchanged; the strays with face IDs of their own. A
        track of which every box is doubtful is kept whole. A box without a confidence is not doubtful.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = {"frame": [0, 1, 2, 12], "face_id": 1, "x": 0, "y": 0, "width": 9, "height": 9,
    ...         "confidence": [0.9, 0.4, 0.2, 0.2]}
    >>> kept, strays = discard_strays(as_detections(rows), longest=3)
    >>> kept["frame"].tolist(), strays["frame"].tolist()
    ([0, 1, 2], [12])
    """
    table = detections.reset_index(drop=True)
    rows = table.sort_values(["face_id", "frame"], kind="stable")
    face = rows["face_id"]
    run = pd.Series(run_numbers(rows), rows.index)
    surer = ~(rows["confidence"] < doubtful)
    supported = surer.groupby(run).transform("any")
    strays: set[int] = set()
    rests = dict(iter(rows[supported].groupby("face_id")))
    for number, alone in rows[~supported].groupby("face_id"):
        if number not in rests:
            continue
        rest = rests[number]
        # The line goes through the surer boxes, and both ends: a box that flow alone has followed may have drifted.
        fixed = rest[surer[rest.index] | rest["frame"].isin([rest["frame"].min(), rest["frame"].max()])]
        near = _sizes_off(alone, fixed, longest=longest) <= distance
        strays |= {*run[alone.index]} - {*run[alone.index][near]}
    stray = run.isin(strays).reindex(table.index)
    own_ids = run.reindex(table.index)[stray] + 1 + (face.max() if len(face) else 0)
    return table[~stray].reset_index(drop=True), table[stray].assign(face_id=own_ids).reset_index(drop=True)


def _sizes_off(boxes: pd.DataFrame, fixed: pd.DataFrame, *, longest: int) -> NDArray[np.float64]:
    """Return how far each box lies from the line through fixed ones, in its size; NaN long beyond their ends."""
    frame, known = boxes["frame"].to_numpy(), fixed["frame"].to_numpy()
    off = np.zeros(len(boxes))
    for corner, side in (("x", "width"), ("y", "height")):
        line = np.interp(frame, known, (fixed[corner] + fixed[side] / 2).to_numpy())
        off = np.hypot(off, (boxes[corner] + boxes[side] / 2).to_numpy() - line)
    beyond = (frame < known[0] - longest - 1) | (frame > known[-1] + longest + 1)
    return np.where(beyond, np.nan, off / np.sqrt((boxes["width"] * boxes["height"]).to_numpy()))


def _weak_faces(detections: pd.DataFrame, options: FilterOptions) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    confidence = detections["confidence"].to_numpy()
    source = detections["source"]
    # What a person drew, or another tool wrote, is kept whatever its confidence.
    trusted = source.isin(["manual", "imported"]).to_numpy() | np.isnan(confidence) | (confidence >= options.strong)
    detected = (source == "detected").to_numpy()
    above = np.where(detected, np.clip(np.nan_to_num(confidence) - options.floor, 0, None), 0)
    # Sum per face over all rows at once.
    faces, member = np.unique(detections["face_id"].to_numpy(), return_inverse=True)
    evidence = np.bincount(member, above, minlength=len(faces))
    boxes = np.bincount(member, detected, minlength=len(faces))
    strong = np.bincount(member, trusted, minlength=len(faces)) > 0
    weak: np.ndarray[tuple[int], np.dtype[np.int64]] = faces[
        ~strong & (evidence < options.evidence) & (boxes < options.boxes)
    ]
    return weak
