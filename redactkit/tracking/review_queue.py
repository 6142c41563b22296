"""What a person should look at first: the places where tracks are most likely to have missed a face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import FloatArray, paired_intersections
from redactkit.tables import BOX
from redactkit.tracking.gaps import long_gaps
from redactkit.tracking.matching import BoolArray, expanded
from redactkit.tracking.motion import IntArray
from redactkit.tracking.shots import shot_bounds

__all__ = ["REASONS", "review_queue"]

REASONS = {
    "gap": 1.0,
    "track ends inside the frame": 0.8,
    "track starts inside the frame": 0.75,
    "short track": 0.6,
    "filled gap": 0.5,
    "confidence dip": 0.45,
    "crossing": 0.4,
    "discarded blip": 0.35,
    "touches the edge": 0.2,
}
"""The risk of each reason for a face large enough to be recognised by anybody; smaller ones risk less."""

RECOGNISABLE_PIXELS = 60.0
"""Width in pixels from which a face is taken to be recognised by anybody."""
SHORT_TRACK_ROWS = 8
DIP_CONFIDENCE = 0.35
MIN_CROSSING_SHARE = 0.25
MIN_FILLED_ROWS = 5


def review_queue(
    detections: pd.DataFrame,
    *,
    video_size: tuple[int, int],
    frame_count: int,
    cuts: ArrayLike = (),
    discarded: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List the places to look at, the riskiest first.

    Parameters
    ----------
    detections : DataFrame
    video_size : tuple of int
        Width and height of the displayed frame.
    frame_count : int
        Frames of the clip.
    cuts : array_like of int
        Frames that start a new shot.
    discarded : DataFrame, optional
        Rows that `filter_weak` set aside; one entry for each of their faces.

    Returns
    -------
    DataFrame
        Columns ``face_id``, ``frame``, ``time`` (s), ``risk`` (0 to 1), ``reason`` (one of `REASONS`) and ``frames``
        (how many the place takes). A track may start or end at a cut, at either end of the clip, or where it leaves
        the frame, without being listed for it.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = as_detections({"frame": range(30), "face_id": 1, "x": 50, "y": 50, "width": 60, "height": 60})
    >>> review_queue(rows, video_size=(200, 200), frame_count=90)[["frame", "risk", "reason"]].to_numpy().tolist()
    [[29, 0.8, 'track ends inside the frame']]
    """
    rows = detections.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    parts = [
        *_ends(rows, video_size, frame_count, cuts),
        _gaps(rows, cuts),
        _short(rows),
        _listed(rows, (rows["source"] == "interpolated").to_numpy(), "filled gap", shortest=MIN_FILLED_ROWS),
        _listed(rows, _dips(rows), "confidence dip"),
        _listed(rows, _crossings(rows), "crossing"),
        _listed(rows, _at_edge(rows[BOX].to_numpy(), video_size), "touches the edge"),
        *([] if discarded is None else [_blips(discarded)]),
    ]
    table = pd.concat([_empty(), *(part for part in parts if len(part))], ignore_index=True)
    order = ["risk", "frame", "face_id", "reason"]
    return table.sort_values(order, ascending=[False, True, True, True], kind="stable", ignore_index=True)


def _empty() -> pd.DataFrame:
    columns = {"face_id": "int64", "frame": "int64", "time": "float64", "risk": "float64", "reason": "object"}
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in (columns | {"frames": "int64"}).items()})


def _entries(rows: pd.DataFrame, index: NDArray[np.int64], reason: str, frames: ArrayLike) -> pd.DataFrame:
    chosen = rows.iloc[index]
    seen = 0.5 + 0.5 * np.minimum(1.0, chosen["width"].to_numpy() / RECOGNISABLE_PIXELS)
    return pd.DataFrame(
        {
            "face_id": chosen["face_id"].to_numpy(),
            "frame": chosen["frame"].to_numpy(),
            "time": chosen["time"].to_numpy(),
            "risk": np.round(REASONS[reason] * seen, 3),
            "reason": np.full(len(chosen), reason, object),
            "frames": np.broadcast_to(np.asarray(frames, np.int64), len(chosen)),
        }
    )


def _faces(rows: pd.DataFrame) -> tuple[IntArray, IntArray, IntArray]:
    """Return the first row, the last row and the number of rows of every face."""
    _, first, counts = np.unique(rows["face_id"].to_numpy(), return_index=True, return_counts=True)
    return first, first + counts - 1, counts


def _at_edge(boxes: FloatArray, video_size: tuple[int, int]) -> BoolArray:
    """Tell which boxes reach to within a twentieth of their size of the frame's edge."""
    slack = 0.05 * boxes[:, 2:]
    return np.asarray(((boxes[:, :2] <= slack) | (boxes[:, :2] + boxes[:, 2:] >= video_size - slack)).any(axis=1))


def _ends(rows: pd.DataFrame, video_size: tuple[int, int], frame_count: int, cuts: ArrayLike) -> Sequence[pd.DataFrame]:
    first, last, _ = _faces(rows)
    frame = rows["frame"].to_numpy()
    start, stop = shot_bounds(frame, cuts=cuts, frame_count=frame_count)
    inside = ~_at_edge(rows[BOX].to_numpy(), video_size)
    # A track whose ends were carried over a cut ends there: nothing was seen beyond it.
    seen_first, seen_last = _seen_ends(rows, first, last)
    begins = first[(inside & (frame > start))[first] & (start[seen_first] == start[first])]
    ends = last[(inside & (frame < stop - 1))[last] & (stop[seen_last] == stop[last])]
    return (
        _entries(rows, begins, "track starts inside the frame", 1),
        _entries(rows, ends, "track ends inside the frame", 1),
    )


def _seen_ends(rows: pd.DataFrame, first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first and last row of every face that was not filled in; its very first and last where all were."""
    seen = np.flatnonzero((rows["source"] != "interpolated").to_numpy())
    seen = np.append(seen, len(rows))
    early = seen[np.searchsorted(seen[:-1], first)]
    late = seen[np.searchsorted(seen[:-1], last, side="right") - 1]
    none = early > last
    return np.where(none, first, early), np.where(none, last, late)


def _gaps(rows: pd.DataFrame, cuts: ArrayLike) -> pd.DataFrame:
    gaps = long_gaps(rows, cuts=cuts)
    keys = pd.MultiIndex.from_arrays([rows["face_id"], rows["frame"]])
    before = keys.get_indexer(pd.MultiIndex.from_arrays([gaps["face_id"], gaps["first_frame"] - 1]))
    before = before.astype(np.int64)
    frames = gaps["frames"].to_numpy()
    listed = _entries(rows, before, "gap", frames)
    time = rows["time"].to_numpy()
    # One missing frame shows a face for a blink, half a second for good.
    return listed.assign(
        risk=(listed["risk"] * np.minimum(1.0, 0.6 + 0.03 * frames)).round(3),
        frame=gaps["first_frame"].to_numpy(),
        time=time[before] + (time[before + 1] - time[before]) / (frames + 1) if len(gaps) else [],
    )


def _short(rows: pd.DataFrame) -> pd.DataFrame:
    first, _, counts = _faces(rows)
    return _entries(rows, first[counts < SHORT_TRACK_ROWS], "short track", counts[counts < SHORT_TRACK_ROWS])


def _blips(discarded: pd.DataFrame) -> pd.DataFrame:
    # What a person has called no face is not asked about again.
    asked = discarded[discarded["source"] != "manual"]
    rows = asked.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    first, _, counts = _faces(rows)
    return _entries(rows, first, "discarded blip", counts)


def _dips(rows: pd.DataFrame) -> BoolArray:
    """Tell which rows the detector was much less sure of than of the face as a whole."""
    confidence = rows["confidence"].where(rows["source"] == "detected")
    usual = confidence.groupby(rows["face_id"]).transform("median")
    return ((confidence < DIP_CONFIDENCE) & (usual > DIP_CONFIDENCE + 0.15)).to_numpy(bool)


def _crossings(rows: pd.DataFrame) -> BoolArray:
    """Tell which rows' boxes overlap another face's box of the same frame."""
    order = np.argsort(rows["frame"].to_numpy(), kind="stable")
    frame, boxes = rows["frame"].to_numpy()[order], rows[BOX].to_numpy()[order]
    index = np.arange(len(rows))
    one, other = expanded(index + 1, np.searchsorted(frame, frame, side="right"))
    shared = paired_intersections(boxes[one], boxes[other])
    smaller = np.minimum(boxes[one, 2:].prod(axis=1), boxes[other, 2:].prod(axis=1))
    hit = shared > MIN_CROSSING_SHARE * smaller
    crossing = np.zeros(len(rows), bool)
    crossing[order[one[hit]]] = crossing[order[other[hit]]] = True
    return crossing


def _listed(rows: pd.DataFrame, mask: BoolArray, reason: str, *, shortest: int = 1) -> pd.DataFrame:
    """Make one entry of every stretch of a face's marked rows, at its first row."""
    marked = np.flatnonzero(mask)
    face, frame = rows["face_id"].to_numpy()[marked], rows["frame"].to_numpy()[marked]
    fresh = (np.diff(face, prepend=-1) != 0) | (np.diff(frame, prepend=-2) > 2)
    starts = np.flatnonzero(fresh)
    frames = np.diff(np.append(starts, len(marked)))
    long = frames >= shortest
    return _entries(rows, marked[starts[long]], reason, frames[long])
