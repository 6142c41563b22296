"""Edits that know keyframes, as pure functions: what lies between them is followed, or changed with them.

A keyframe is a box that a person set. Tables go in, new tables come out; nothing is changed in place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import OptionError, TableError
from redactkit.media import FrameRange
from redactkit.review.editing import set_box
from redactkit.review.rows import manual_rows, put_rows, replace_rows, row_at, rows_of
from redactkit.tables import BOX, CARRIED, as_detections

__all__ = ["REACHES", "adjust_box", "copy_box", "interpolate_boxes", "put_followed", "set_keyframe"]

REACHES = ("frame", "next keyframe", "track")
"""How far an edit of a box reaches."""

DERIVED_SOURCES = ("tracked", "interpolated")
"""Sources of boxes that were derived from others, and so are derived anew with them."""


def copy_box(
    detections: pd.DataFrame, *, face_id: int, frame: int, count: int, times: NDArray[np.float64]
) -> pd.DataFrame:
    """Put a face's box of one frame into the next ``count`` frames too, as far as the video goes; no keyframes.

    Parameters
    ----------
    count : int
        1 or more.
    times : ndarray of shape (F,)
        Time of every frame in seconds.

    Examples
    --------
    >>> rows = as_detections({"frame": [0], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> copy_box(rows, face_id=1, frame=0, count=2, times=np.arange(9) / 25)["frame"].tolist()
    [0, 1, 2]
    """
    if count < 1:
        raise TableError(f"a box is copied to 1 or more frames, got {count}")
    box = detections.loc[row_at(detections, face_id, frame), BOX].to_numpy(np.float64)[0]
    frames = np.arange(frame + 1, min(frame + 1 + count, len(times)))
    copies = manual_rows(frames, times[frames], face_id=face_id, box=box.tolist())
    return put_rows(detections, copies.assign(keyframe=False))


def set_keyframe(detections: pd.DataFrame, *, face_id: int, frame: int, on: bool = True) -> pd.DataFrame:
    """Mark a face's box as a keyframe, set by a person (``manual``), or no longer so (``interpolated``).

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 1], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> set_keyframe(rows, face_id=1, frame=1)["keyframe"].tolist()
    [False, True]
    """
    row = row_at(detections, face_id, frame)
    table = detections.copy()
    table.loc[row, "source"] = "manual" if on else "interpolated"
    table.loc[row, "keyframe"] = on
    if on:
        table.loc[row, "confidence"] = np.nan
    return table


def interpolate_boxes(
    detections: pd.DataFrame,
    *,
    face_id: int,
    times: NDArray[np.float64],
    start: int | None = None,
    stop: int | None = None,
) -> pd.DataFrame:
    """Draw a face's boxes anew in every frame between its keyframes, linear in time.

    Frames between two keyframes that had no box get one.

    Raises
    ------
    TableError
        If the range has fewer than two keyframes.

    Examples
    --------
    >>> keys = {"frame": [0, 2], "time": [0, 0.08], "face_id": 1, "x": [0, 8], "y": 0, "width": 9, "height": 9}
    >>> rows = as_detections(keys | {"source": "manual"})
    >>> interpolate_boxes(rows, face_id=1, times=np.arange(9) / 25)["x"].tolist()
    [0.0, 4.0, 8.0]
    """
    mine = rows_of(detections, face_id, start, stop)
    keys = detections[mine & detections["keyframe"].to_numpy()]
    if len(keys) < 2:
        raise TableError(f"face {face_id} has {len(keys)} keyframes there; set its box in two frames or more first")
    first, last = int(keys["frame"].iloc[0]), int(keys["frame"].iloc[-1])
    frames = np.setdiff1d(np.arange(first, last + 1), keys["frame"].to_numpy())
    between = {name: np.interp(times[frames], keys["time"], keys[name]) for name in BOX}
    rows = {"frame": frames, "time": times[frames], "face_id": face_id, **between, "source": "interpolated"}
    return put_rows(detections, as_detections(pd.DataFrame(rows)))


def put_followed(
    detections: pd.DataFrame, rows: pd.DataFrame, stretches: Iterable[tuple[int, FrameRange]]
) -> pd.DataFrame:
    """Put followed boxes into their stretches of the table.

    What was followed or interpolated there before goes, also where nothing was found now: the object is lost there.
    Detected, imported or drawn boxes are replaced only in frames where following found the object. Keyframes stay.

    Parameters
    ----------
    detections : DataFrame
    rows : DataFrame
        Boxes that were followed.
    stretches : iterable of (int, FrameRange)
        Objects and the frames in which they were followed.

    Examples
    --------
    >>> from redactkit.media import FrameRange
    >>> rows = as_detections({"frame": range(3), "face_id": 1, "x": 0, "y": 0, "width": 9, "height": 9})
    >>> followed = rows[rows["frame"] == 1].assign(x=5.0)
    >>> put_followed(rows, followed, [(1, FrameRange(1, 3))])[["frame", "x"]].to_numpy().tolist()
    [[0.0, 0.0], [1.0, 5.0], [2.0, 0.0]]
    """
    face, frame = (detections[name].to_numpy() for name in ("face_id", "frame"))
    derived = detections["source"].isin(DERIVED_SOURCES).to_numpy()
    keyframe = detections["keyframe"].to_numpy()
    gone = np.zeros(len(detections), bool)
    known = {}
    for object_id, stretch in stretches:
        mine = face == object_id
        within = mine & (frame >= stretch.start) & (frame < stretch.stop) & ~keyframe
        found = np.isin(frame, rows.loc[(rows["face_id"] == object_id).to_numpy(), "frame"])
        gone |= within & (derived | found)
        if mine.any():
            known[object_id] = {name: detections[name].iloc[int(np.argmax(mine))] for name in CARRIED}
    rows = rows[rows["face_id"].isin(list(known)).to_numpy()]
    taken = pd.MultiIndex.from_arrays([frame[~gone], face[~gone]])
    rows = rows[~pd.MultiIndex.from_arrays([rows["frame"], rows["face_id"]]).isin(taken)]
    if rows.empty and not gone.any():
        return detections
    carried = {name: rows["face_id"].map({key: of[name] for key, of in known.items()}) for name in CARRIED}
    return replace_rows(detections, gone, as_detections(rows.assign(**carried)))


def adjust_box(
    detections: pd.DataFrame, *, face_id: int, frame: int, box: Sequence[float], time: float, reach: str = "frame"
) -> pd.DataFrame:
    """Set a box by hand, which makes it a keyframe, and change others alike.

    The others move and grow as this one did: by the same shares of its sides. Keyframes before and after stay where the
    edit reaches to the next one; the whole track changes with all its keyframes.

    Parameters
    ----------
    detections : DataFrame
    face_id, frame : int
    box : sequence of 4 floats
        x, y, width, height in pixels.
    time : float
        Of the frame, in seconds.
    reach : {"frame", "next keyframe", "track"}

    Raises
    ------
    OptionError
        If the reach is unknown.
    TableError
        If the box means nothing, or the edit reaches beyond a frame in which there is no box yet.

    Examples
    --------
    >>> rows = as_detections({"frame": [1, 2, 3], "face_id": 1, "x": [0, 10, 20], "y": 0, "width": 10, "height": 10})
    >>> adjust_box(rows, face_id=1, frame=1, box=[5, 0, 20, 10], time=0.0, reach="track")["x"].tolist()
    [5.0, 15.0, 25.0]
    """
    if reach not in REACHES:
        raise OptionError(f"an edit reaches to {', '.join(REACHES)}; got {reach!r}")
    table = set_box(detections, face_id=face_id, frame=frame, box=box, time=time)
    if reach == "frame":
        return table
    mine = (detections["face_id"] == face_id).to_numpy()
    frames, here = detections["frame"].to_numpy(), mine & (detections["frame"] == frame).to_numpy()
    if not here.any():
        raise TableError(f"face {face_id} has no box in frame {frame} that others could be changed with; set it alone")
    chosen = mine & (frames != frame)
    if reach == "next keyframe":
        later = frames[mine & detections["keyframe"].to_numpy() & (frames > frame)]
        chosen &= (frames > frame) & (frames < (later.min() if len(later) else np.inf))
    old = detections.loc[here, BOX].to_numpy(np.float64)[0]
    new = np.asarray(box, np.float64)
    if (old[2:] <= 0).any():
        raise TableError(f"the box of face {face_id} in frame {frame} has no size, so others cannot grow with it")
    rows = detections[chosen]
    others = rows[BOX].to_numpy(np.float64)
    share = others[:, 2:] / old[2:]
    others[:, :2] += (new[:2] - old[:2]) * share
    others[:, 2:] *= new[2:] / old[2:]
    changed = rows.assign(**{name: others[:, column] for column, name in enumerate(BOX)})
    both = np.isin(table["face_id"].to_numpy(), [face_id]) & np.isin(table["frame"].to_numpy(), frames[chosen])
    return replace_rows(table, both, changed)
