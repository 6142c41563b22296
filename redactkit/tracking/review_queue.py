"""Rank the places that a person should review, the likeliest to show a missed face first."""

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
    "followed in doubt": 0.65,
    "short track": 0.6,
    "filled gap": 0.5,
    "confidence dip": 0.45,
    "crossing": 0.4,
    "discarded track": 0.35,
    "touches the edge": 0.2,
}
"""Risk, 0 to 1, of each reason, for a face large enough to be recognised. Raising one moves its entries up."""

RECOGNISABLE_PIXELS = 60.0
"""Width in pixels from which a face can be recognised; smaller ones risk less. Raising it lowers small faces' risk."""

SHORT_TRACK_ROWS = 8
"""Boxes below which a track is short. Raising it lists more."""

DIP_CONFIDENCE = 0.35
"""Confidence below which a box is a dip in a track that is otherwise confident. Raising it lists more."""

MIN_DIP_DEPTH = 0.15
"""How far above `DIP_CONFIDENCE` the track's median must be. Raising it lists fewer dips."""

DOUBT_CONFIDENCE = 0.5
"""Confidence below which a followed box is in doubt. Raising it lists more."""

MIN_CROSSING_SHARE = 0.25
"""Share of the smaller of two boxes that the other overlaps, from which two faces cross. Raising it lists fewer."""

MIN_FILLED_ROWS = 5
"""Interpolated boxes in a row from which they are listed. Raising it lists fewer."""

MAX_EDGE_DISTANCE_SHARE = 0.05
"""Distance to the frame's edge, in shares of the box, up to which a box touches it. Raising it lists more there."""

MAX_RUN_STEP_FRAMES = 2
"""Step between two marked frames up to which they are one entry. Raising it makes fewer, longer entries."""

_FAR_PIXELS = 2.0**20
"""Where boxes may as well be anywhere: edges beyond it count as there. No limit on what is listed."""

_PAIRS = 1_000_000
"""Pairs of boxes compared at a time. Raising it takes more memory, and hardly less time."""


def review_queue(
    detections: pd.DataFrame,
    *,
    video_size: tuple[int, int],
    frame_count: int,
    cuts: ArrayLike = (),
    discarded: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """List the places to review, the riskiest first.

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
        (how many frames it spans). A track that starts or ends at a shot boundary, at either end of the clip or at the
        frame's edge is not listed for it.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = as_detections({"frame": range(30), "face_id": 1, "x": 50, "y": 50, "width": 60, "height": 60})
    >>> review_queue(rows, video_size=(200, 200), frame_count=90)[["frame", "risk", "reason"]].to_numpy().tolist()
    [[29, 0.8, 'track ends inside the frame']]
    """
    rows = detections.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    entries = [
        *_ends(rows, video_size, frame_count, cuts),
        _gaps(rows, cuts),
        _short(rows),
        _run_entries(rows, (rows["source"] == "interpolated").to_numpy(), "filled gap", shortest=MIN_FILLED_ROWS),
        _run_entries(rows, _dips(rows), "confidence dip"),
        _run_entries(rows, _doubtful(rows), "followed in doubt"),
        _run_entries(rows, _crossings(rows), "crossing"),
        _run_entries(rows, _at_edge(rows[BOX].to_numpy(), video_size), "touches the edge"),
        *([] if discarded is None else [_discarded_tracks(discarded)]),
    ]
    table = pd.concat([_empty(), *(each for each in entries if len(each))], ignore_index=True)
    order = ["risk", "frame", "face_id", "reason"]
    return table.sort_values(order, ascending=[False, True, True, True], kind="stable", ignore_index=True)


def _empty() -> pd.DataFrame:
    columns = {"face_id": "int64", "frame": "int64", "time": "float64", "risk": "float64", "reason": "object"}
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in (columns | {"frames": "int64"}).items()})


def _entries(rows: pd.DataFrame, index: NDArray[np.int64], reason: str, frames: ArrayLike) -> pd.DataFrame:
    """Make an entry of each row in ``index``; its risk is halved for the smallest faces."""
    chosen = rows.iloc[index]
    recognisable = 0.5 + 0.5 * np.minimum(1.0, chosen["width"].to_numpy() / RECOGNISABLE_PIXELS)
    return pd.DataFrame(
        {
            "face_id": chosen["face_id"].to_numpy(),
            "frame": chosen["frame"].to_numpy(),
            "time": chosen["time"].to_numpy(),
            "risk": np.round(REASONS[reason] * recognisable, 3),
            "reason": np.full(len(chosen), reason, object),
            "frames": np.broadcast_to(np.asarray(frames, np.int64), len(chosen)),
        }
    )


def _faces(rows: pd.DataFrame) -> tuple[IntArray, IntArray, IntArray]:
    """Return the first row, the last row and the number of rows of every face."""
    _, first, counts = np.unique(rows["face_id"].to_numpy(), return_index=True, return_counts=True)
    return first, first + counts - 1, counts


def _at_edge(boxes: FloatArray, video_size: tuple[int, int]) -> BoolArray:
    """Tell which boxes touch the frame's edge, or nearly."""
    slack = MAX_EDGE_DISTANCE_SHARE * boxes[:, 2:]
    return np.asarray(((boxes[:, :2] <= slack) | (boxes[:, :2] + boxes[:, 2:] >= video_size - slack)).any(axis=1))


def _ends(rows: pd.DataFrame, video_size: tuple[int, int], frame_count: int, cuts: ArrayLike) -> Sequence[pd.DataFrame]:
    first, last, _ = _faces(rows)
    frame = rows["frame"].to_numpy()
    start, stop = shot_bounds(frame, cuts=cuts, frame_count=frame_count)
    inside = ~_at_edge(rows[BOX].to_numpy(), video_size)
    # A track extended over a shot boundary ends at the boundary: nothing was detected beyond it.
    found_first, found_last = _detected_ends(rows, first, last)
    # Neither at the frame's edge nor at the edge of the shot, where tracks may end.
    begins = first[(inside & (frame > start))[first] & (start[found_first] == start[first])]
    ends = last[(inside & (frame < stop - 1))[last] & (stop[found_last] == stop[last])]
    return (
        _entries(rows, begins, "track starts inside the frame", 1),
        _entries(rows, ends, "track ends inside the frame", 1),
    )


def _detected_ends(rows: pd.DataFrame, first: IntArray, last: IntArray) -> tuple[IntArray, IntArray]:
    """Return the first and last row of every face that is not interpolated; its very first and last where all are."""
    found = np.flatnonzero((rows["source"] != "interpolated").to_numpy())
    found = np.append(found, len(rows))
    early = found[np.searchsorted(found[:-1], first)]
    late = found[np.searchsorted(found[:-1], last, side="right") - 1]
    none = early > last
    return np.where(none, first, early), np.where(none, last, late)


def _gaps(rows: pd.DataFrame, cuts: ArrayLike) -> pd.DataFrame:
    gaps = long_gaps(rows, cuts=cuts)
    # The row before each gap, found by face and frame.
    keys = pd.MultiIndex.from_arrays([rows["face_id"], rows["frame"]])
    before = keys.get_indexer(pd.MultiIndex.from_arrays([gaps["face_id"], gaps["first_frame"] - 1]))
    before = before.astype(np.int64)
    frames = gaps["frames"].to_numpy()
    entries = _entries(rows, before, "gap", frames)
    time = rows["time"].to_numpy()
    # The longer a face may show, the higher the risk: 0.63 for one frame, 1 for 14 frames or more.
    return entries.assign(
        risk=(entries["risk"] * np.minimum(1.0, 0.6 + 0.03 * frames)).round(3),
        frame=gaps["first_frame"].to_numpy(),
        time=time[before] + (time[before + 1] - time[before]) / (frames + 1) if len(gaps) else [],
    )


def _short(rows: pd.DataFrame) -> pd.DataFrame:
    first, _, counts = _faces(rows)
    return _entries(rows, first[counts < SHORT_TRACK_ROWS], "short track", counts[counts < SHORT_TRACK_ROWS])


def _discarded_tracks(discarded: pd.DataFrame) -> pd.DataFrame:
    # Tracks that a person has called no face are not asked about again.
    asked = discarded[discarded["source"] != "manual"]
    rows = asked.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    first, _, counts = _faces(rows)
    return _entries(rows, first, "discarded track", counts)


def _dips(rows: pd.DataFrame) -> BoolArray:
    """Tell which rows have a much lower confidence than their face's median."""
    confidence = rows["confidence"].where(rows["source"] == "detected")
    usual = confidence.groupby(rows["face_id"]).transform("median")
    return ((confidence < DIP_CONFIDENCE) & (usual > DIP_CONFIDENCE + MIN_DIP_DEPTH)).to_numpy(bool)


def _doubtful(rows: pd.DataFrame) -> BoolArray:
    """Tell which rows of an object that a person drew were followed in doubt, or assumed where it was not seen."""
    drawn = rows["keyframe"].groupby(rows["face_id"]).transform("any")
    made = rows["source"].isin(["tracked", "interpolated"])
    return (drawn & made & (rows["confidence"] < DOUBT_CONFIDENCE)).to_numpy(bool)


def _crossings(rows: pd.DataFrame) -> BoolArray:
    """Tell which rows' boxes overlap another face's box of the same frame."""
    left, width = rows["x"].to_numpy(), rows["width"].to_numpy()
    # Sweep and prune: within a frame, in order of left edges, a box can only overlap those that begin before it ends.
    ends = np.clip([left, left + width], -_FAR_PIXELS, _FAR_PIXELS)
    place = rows["frame"].to_numpy() * (4 * _FAR_PIXELS) + ends
    order = np.argsort(place[0], kind="stable")[: int(np.isfinite(place[0]).sum())]
    begin, end, boxes = place[0][order], place[1][order], rows[BOX].to_numpy()[order]
    stops = np.maximum(np.searchsorted(begin, end, side="right"), np.arange(1, len(order) + 1))
    starts = np.arange(1, len(order) + 1)
    crossing = np.zeros(len(rows), bool)
    # Some at a time: in a dense crowd the pairs are many more than the rows.
    parts = np.searchsorted(np.cumsum(stops - starts), np.arange(_PAIRS, (stops - starts).sum(), _PAIRS))
    for part in np.split(np.arange(len(order)), parts):
        one, other = expanded(starts[part], stops[part])
        one += part[0] if len(part) else 0
        # The intersection of each pair, as a share of the smaller box.
        shared = paired_intersections(boxes[one], boxes[other])
        smaller = np.minimum(boxes[one, 2:].prod(axis=1), boxes[other, 2:].prod(axis=1))
        hit = shared > MIN_CROSSING_SHARE * smaller
        crossing[order[one[hit]]] = crossing[order[other[hit]]] = True
    return crossing


def _run_entries(rows: pd.DataFrame, mask: BoolArray, reason: str, *, shortest: int = 1) -> pd.DataFrame:
    """Make one entry of every run of a face's marked rows, at its first row."""
    marked = np.flatnonzero(mask)
    face, frame = rows["face_id"].to_numpy()[marked], rows["frame"].to_numpy()[marked]
    # A run starts with a new face, or after a step in frames.
    fresh = (np.diff(face, prepend=-1) != 0) | (np.diff(frame, prepend=-2) > MAX_RUN_STEP_FRAMES)
    starts = np.flatnonzero(fresh)
    frames = np.diff(np.append(starts, len(marked)))
    long = frames >= shortest
    return _entries(rows, marked[starts[long]], reason, frames[long])
