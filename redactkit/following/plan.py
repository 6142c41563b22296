"""From the table to what is to be followed, and from what was followed to rows of the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.boxes import FloatArray, hull, iou
from redactkit.errors import OptionError
from redactkit.following.sweep import Followed, Start
from redactkit.media import FrameRange
from redactkit.tables import BOX, as_detections
from redactkit.tracking.shots import shot_bounds

__all__ = ["DIRECTIONS", "Plan", "plan_following", "plan_gaps", "rows_of"]

DIRECTIONS = ("both", "forward", "backward")

MIN_AGREED_IOU = 0.5
"""IoU of the boxes followed from both sides from which they are one place. Raising it doubts more."""

DISAGREED_CONFIDENCE = 0.2
"""Confidence of a box where the two sides do not agree."""


@dataclass(frozen=True)
class Plan:
    """What is to be followed.

    Parameters
    ----------
    starts : tuple of Start
    stretches : tuple of (int, FrameRange)
        The object and the frames whose boxes are made anew; no keyframe is among them.
    """

    starts: tuple[Start, ...]
    stretches: tuple[tuple[int, FrameRange], ...]

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.starts + other.starts, self.stretches + other.stretches)


def plan_following(
    detections: pd.DataFrame,
    object_id: int,
    frame: int | None = None,
    *,
    frame_count: int,
    cuts: ArrayLike = (),
    direction: str = "both",
    until: int | None = None,
    kind: str = "",
) -> Plan:
    """Plan to follow an object from one of its boxes, or from all its keyframes.

    Parameters
    ----------
    detections : DataFrame
    object_id : int
    frame : int, optional
        The frame of the box to start from. It is followed to the object's next keyframe on each side, and from that one
        back. Left out, each stretch between two keyframes is followed, and from the first and the last one outwards.
    frame_count : int
        Frames of the video.
    cuts : array_like of int
        Frames that start a new shot; no object is followed over one.
    direction : {"both", "forward", "backward"}
    until : int, optional
        The last frame to be followed to; on the other side of the box it has no effect.
    kind : str

    Raises
    ------
    OptionError
        If there is no box to start from, the direction is unknown, or ``until`` is no frame in that direction.

    Examples
    --------
    >>> rows = as_detections({"frame": [5], "face_id": 1, "x": 0, "y": 0, "width": 9, "height": 9})
    >>> [(start.frame, start.last) for start in plan_following(rows, 1, 5, frame_count=20).starts]
    [(5, 19), (5, 0)]
    """
    if direction not in DIRECTIONS:
        raise OptionError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}")
    _check_until(until, frame, direction, frame_count)
    rows = detections[(detections["face_id"] == object_id).to_numpy()].set_index("frame")
    keys = rows.index[rows["keyframe"].to_numpy()].to_numpy(np.int64)
    if frame is not None and frame not in rows.index:
        raise OptionError(f"object {object_id} has no box in frame {frame}; draw one there, or name a frame with one")
    if frame is None and not len(keys):
        raise OptionError(f"object {object_id} has no box set by hand; name the frame of the box to follow it from")
    chosen = keys if frame is None else np.array([frame], np.int64)
    every = np.union1d(keys, chosen)
    plan = Plan((), ())
    for key in chosen.tolist():
        low, stop = _shot(key, cuts, frame_count)
        for step in _steps(direction):
            limit = stop - 1 if step > 0 else low
            if until is not None and step * (until - key) > 0:
                limit = until if step * (until - limit) < 0 else limit
            plan += _side(rows, every, key, step, limit, kind=kind, twice=frame is None and direction == "both")
    return plan


def _check_until(until: int | None, frame: int | None, direction: str, frame_count: int) -> None:
    if until is None:
        return
    if not isinstance(until, int | np.integer) or not 0 <= until < frame_count:
        raise OptionError(f"until must be a frame of the video, 0 to {frame_count - 1}, got {until!r:.40}")
    if frame is not None and not any(step * (until - frame) > 0 for step in _steps(direction)):
        raise OptionError(f"until must lie beyond frame {frame} ({direction}), got {until}")


def plan_gaps(
    detections: pd.DataFrame, object_id: int, *, cuts: ArrayLike = (), longest: int | None = None, kind: str = ""
) -> Plan:
    """Plan to follow an object into its gaps, from both sides; gaps over a shot boundary are left out.

    Parameters
    ----------
    detections : DataFrame
    object_id : int
    cuts : array_like of int
    longest : int, optional
        Frames above which a gap is left as it is.
    kind : str

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 5], "face_id": 1, "x": 0, "y": 0, "width": 9, "height": 9})
    >>> plan_gaps(rows, 1).stretches
    ((1, FrameRange(start=1, stop=5)),)
    """
    rows = detections[(detections["face_id"] == object_id).to_numpy()].set_index("frame")
    frames = rows.index.to_numpy(np.int64)
    plan = Plan((), ())
    for before in np.flatnonzero(np.diff(frames) > 1).tolist():
        first, last = int(frames[before]), int(frames[before + 1])
        _, stop = _shot(first, cuts, last + 1)
        if last < stop and (longest is None or last - first - 1 <= longest):
            plan += _between(rows, object_id, first, last, kind)
    return plan


def _steps(direction: str) -> tuple[int, ...]:
    return {"both": (1, -1), "forward": (1,), "backward": (-1,)}[direction]


def _shot(frame: int, cuts: ArrayLike, frame_count: int) -> tuple[int, int]:
    first, stop = shot_bounds([frame], cuts=cuts, frame_count=frame_count)
    return int(first[0]), int(stop[0])


def _side(
    rows: pd.DataFrame, keys: NDArray[np.int64], key: int, step: int, limit: int, *, kind: str, twice: bool
) -> Plan:
    """Plan one side of a box: to the next keyframe and from there back, or outwards to the limit."""
    object_id = int(rows["face_id"].iloc[0])
    beyond = keys[step * keys > step * key]
    near = int(beyond[0] if step > 0 else beyond[-1]) if len(beyond) else None
    if near is not None and step * near <= step * limit:
        # Between two keyframes of which both are followed, one side plans for both.
        if twice and step < 0:
            return Plan((), ())
        return _between(rows, object_id, min(key, near), max(key, near), kind)
    if limit == key:
        return Plan((), ())
    stretch = FrameRange(key + 1, limit + 1) if step > 0 else FrameRange(limit, key)
    return Plan((Start(object_id, key, _box(rows, key), limit, kind),), ((object_id, stretch),))


def _between(rows: pd.DataFrame, object_id: int, first: int, last: int, kind: str) -> Plan:
    if last - first < 2:
        return Plan((), ())
    starts = (
        Start(object_id, first, _box(rows, first), last, kind, to_known_box=True),
        Start(object_id, last, _box(rows, last), first, kind, to_known_box=True),
    )
    return Plan(starts, ((object_id, FrameRange(first + 1, last)),))


def _box(rows: pd.DataFrame, frame: int) -> FloatArray:
    return rows.loc[frame, BOX].to_numpy(np.float64)


def rows_of(followed: Iterable[Followed], plan: Plan, *, times: FloatArray) -> pd.DataFrame:
    """Return what was followed as rows of a detections table.

    Where an object was followed to one frame from both sides, its box is between the two, nearer to that of the nearer
    side; where the two do not agree, it holds both and is in doubt. ``source`` is ``tracked`` where the object was
    seen, ``interpolated`` where its place is assumed; ``confidence`` says how much of it was seen.

    Examples
    --------
    >>> rows_of([], Plan((), ()), times=np.arange(9) / 25).empty
    True
    """
    by_object: dict[int, list[Followed]] = {}
    for each in followed:
        by_object.setdefault(each.start.object_id, []).append(each)
    records: list[tuple[object, ...]] = []
    for object_id, stretch in plan.stretches:
        for frame in range(*stretch):
            here = [each for each in by_object.get(object_id, []) if frame in each.boxes]
            if here:
                box, confidence, seen, hidden = _joined(here, frame)
                source = "tracked" if seen else "interpolated"
                records.append((frame, times[frame], object_id, *box.tolist(), confidence, source, hidden))
    names = ["frame", "time", "face_id", *BOX, "confidence", "source", "occluded"]
    table = as_detections(pd.DataFrame(records, columns=names)) if records else as_detections({})
    return table.drop_duplicates(["frame", "face_id"], ignore_index=True)


def bridge(detections: pd.DataFrame, rows: pd.DataFrame, plan: Plan, *, times: FloatArray) -> pd.DataFrame:
    """Return boxes for the frames of a plan's gaps into which nothing could be followed, each around both sides.

    Wherever the object went meanwhile on a straight way, it is covered; the boxes are in doubt.

    Parameters
    ----------
    detections : DataFrame
        The boxes until now.
    rows : DataFrame
        Those that were followed.
    plan : Plan
        Of gaps, with a box on both sides of each.
    times : ndarray of shape (F,)

    Examples
    --------
    >>> known = as_detections({"frame": [0, 3], "face_id": 1, "x": [0, 9], "y": 0, "width": 9, "height": 9})
    >>> around = bridge(known, as_detections({}), plan_gaps(known, 1), times=np.arange(4) / 25)
    >>> around[["frame", "width"]].to_numpy().tolist()
    [[1.0, 18.0], [2.0, 18.0]]
    """
    records: list[tuple[object, ...]] = []
    for object_id, stretch in plan.stretches:
        tables = (table[(table["face_id"] == object_id).to_numpy()] for table in (detections, rows))
        known = pd.concat(list(tables)).drop_duplicates("frame", keep="last").sort_values("frame")
        frames, boxes = known["frame"].to_numpy(np.int64), known[BOX].to_numpy(np.float64)
        for frame in np.setdiff1d(np.arange(*stretch), frames).tolist():
            after = int(np.searchsorted(frames, frame))
            box = hull(boxes[after - 1 : after], boxes[after : after + 1])[0]
            records.append((frame, times[frame], object_id, *box.tolist(), DISAGREED_CONFIDENCE, "interpolated"))
    names = ["frame", "time", "face_id", *BOX, "confidence", "source"]
    return as_detections(pd.DataFrame(records, columns=names)) if records else as_detections({})


def _joined(here: Sequence[Followed], frame: int) -> tuple[FloatArray, float, bool, bool]:
    """Return the box of one frame from one side or both, its confidence, whether it was seen, and in part hidden."""
    found = [each.boxes[frame] for each in here]
    seen = [place for place in found if place.seen]
    if len(here) == 1 or len(seen) == 1:
        place = (seen or found)[0]
        return place.box, place.confidence, place.seen, place.occluded
    first, second = found[:2]
    hidden = first.occluded and second.occluded
    if iou(first.box[None], second.box[None])[0, 0] < MIN_AGREED_IOU:
        return hull([first.box], [second.box])[0], DISAGREED_CONFIDENCE, first.seen, hidden
    away = [abs(each.start.frame - frame) for each in here[:2]]
    share = away[0] / max(sum(away), 1)
    box = first.box + (second.box - first.box) * share
    return box, min(first.confidence, second.confidence), first.seen, hidden
