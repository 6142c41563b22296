"""Rows of the table of detections, as edits choose, make and replace them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit import boxes
from redactkit.errors import TableError
from redactkit.tables import BOX, CARRIED, DETECTIONS, SOURCE_DTYPE, FaceIds, as_detections, known_face_ids, row_keys

__all__ = [
    "Box",
    "in_range",
    "known_faces",
    "manual_rows",
    "put_rows",
    "replace_rows",
    "row_at",
    "rows_of",
    "same_column",
    "shifts_of",
    "unite_rows",
    "values_of",
    "with_boxes",
]

BoolArray = NDArray[np.bool_]
Box = Sequence[float]


def known_faces(detections: pd.DataFrame, faces: FaceIds) -> NDArray[np.int64]:
    """Return face IDs as an array.

    Raises
    ------
    OptionError
        If no face has one of them.
    """
    return np.array(known_face_ids(faces, detections["face_id"].unique(), name="faces"), dtype=np.int64)


def in_range(detections: pd.DataFrame, start: int | None, stop: int | None) -> BoolArray:
    """Return which rows are of frames from ``start`` on and before ``stop``; None is no end on that side."""
    frame = detections["frame"].to_numpy()
    low = 0 if start is None else start
    return np.asarray((frame >= low) & (True if stop is None else frame < stop))


def rows_of(
    detections: pd.DataFrame, face_id: int, start: int | None, stop: int | None, *, may_be_empty: bool = False
) -> BoolArray:
    """Return which rows are of one face in a range of frames.

    Raises
    ------
    OptionError
        If there is no such face.
    TableError
        If there are none, unless ``may_be_empty``.
    """
    mine = (detections["face_id"] == face_id).to_numpy() & in_range(detections, start, stop)
    if not may_be_empty and not mine.any():
        known_faces(detections, [face_id])
        raise TableError(f"face {face_id} has no box in the frames {start} to {stop}")
    return np.asarray(mine)


def row_at(detections: pd.DataFrame, face_id: int, frame: int) -> BoolArray:
    """Return which row is the box of a face in one frame; errors as of `rows_of`."""
    return rows_of(detections, face_id, frame, frame + 1)


def shifts_of(change: Box) -> list[float]:
    """Return a change of x, y, width and height, if it is four finite numbers."""
    values = [float(value) for value in change]
    if len(values) != 4 or not np.isfinite(values).all():
        raise TableError(f"a change is four finite numbers x, y, width, height; got {list(change)}")
    return values


def _as_box(box: Box) -> list[float]:
    values = [float(value) for value in box]
    if len(values) != 4 or not np.isfinite(values).all() or min(values[2:]) < 0:
        raise TableError(f"a box is four finite numbers x, y, width, height with sides of 0 or more; got {list(box)}")
    return values


def manual_rows(frames: ArrayLike, times: ArrayLike, *, face_id: int, box: Box) -> pd.DataFrame:
    """Return rows of one face whose box a person has set, the same in every frame.

    Raises
    ------
    TableError
        If a frame is negative, or the box is not four finite numbers with sides of 0 or more.
    """
    numbers = np.asarray(frames, np.int64)
    if (numbers < 0).any():
        raise TableError(f"a frame number is 0 or more, got {numbers.min()}")
    rows = {"frame": numbers, "time": np.asarray(times, np.float64), "face_id": face_id}
    return as_detections(pd.DataFrame(rows).assign(**dict(zip(BOX, _as_box(box), strict=True)), source="manual"))


def put_rows(detections: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Insert rows, in place of those of the same face and frame."""
    if rows.empty:
        return detections
    face_id = int(rows["face_id"].iloc[0])
    mine = np.flatnonzero(detections["face_id"].to_numpy() == face_id)
    if len(mine):  # a face's new boxes are of the kind, class and person that its others are
        rows = as_detections(rows.assign(**{name: detections[name].iloc[mine[0]] for name in CARRIED}))
    replaced = np.zeros(len(detections), bool)
    replaced[mine[np.isin(detections["frame"].to_numpy()[mine], rows["frame"])]] = True
    return replace_rows(detections, replaced, rows)


def with_boxes(detections: pd.DataFrame, chosen: BoolArray, new: NDArray[np.float64]) -> pd.DataFrame:
    """Return the table with other boxes, shape (N, 4), in the chosen rows."""
    values = {name: detections[name].to_numpy(copy=True) for name in BOX}
    for column, name in enumerate(BOX):
        values[name][chosen] = new[:, column]
    return detections.assign(**values)


def unite_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Join the rows of each frame into one whose box holds them all."""
    rows = rows.sort_values(["frame", "source"], kind="stable", ignore_index=True)
    if rows.empty or not rows["frame"].duplicated().any():
        return rows
    first = np.flatnonzero(~rows["frame"].duplicated().to_numpy())
    one = rows.iloc[first].reset_index(drop=True)
    several = np.diff(first, append=len(rows)) > 1
    box, corners = rows[BOX].to_numpy(), boxes.to_corners(rows[BOX].to_numpy())
    low = np.fmin.reduceat(corners[:, :2], first)
    high = np.fmax.reduceat(corners[:, 2:], first)
    sides = np.where(low + (high - low) < high, np.nextafter(high - low, np.inf), high - low)
    union = np.where(several[:, None], np.hstack([low, sides]), box[first])
    best = np.fmax.reduceat(rows["confidence"].to_numpy(), first)
    return one.assign(confidence=best, **{name: union[:, column] for column, name in enumerate(BOX)})


def replace_rows(detections: pd.DataFrame, gone: NDArray[np.bool_], rows: pd.DataFrame) -> pd.DataFrame:
    """Return a sorted table without the rows where ``gone`` is true and with ``rows``; quick on large tables.

    Where ``rows`` are of the faces and frames that go, columns in which nothing changes are those of ``detections``.
    """
    lost = np.flatnonzero(gone)
    if all(np.array_equal(detections[name].to_numpy()[lost], rows[name].to_numpy()) for name in ("frame", "face_id")):
        return _put_values(detections, lost, rows)
    kept = np.flatnonzero(~gone)
    keys, added = row_keys(detections, rows)
    order = np.argsort(np.concatenate([keys[kept], added]), kind="stable")
    order = np.concatenate([kept, len(detections) + np.arange(len(rows))])[order]
    columns = {name: np.concatenate(values_of(name, detections, rows)).take(order) for name in DETECTIONS}
    return pd.DataFrame({name: _column(name, values) for name, values in columns.items()}, copy=False)


def _put_values(detections: pd.DataFrame, places: NDArray[np.int64], rows: pd.DataFrame) -> pd.DataFrame:
    """Return a table with ``rows`` in the places given; columns that stay equal are not copied."""
    changed = {}
    for name in DETECTIONS:
        old, new = values_of(name, detections, rows)
        if not np.array_equal(old[places], new):
            values = old.copy()
            values[places] = new
            changed[name] = _column(name, values)
    return detections.assign(**changed)


def values_of(name: str, *tables: pd.DataFrame) -> list[NDArray[Any]]:
    """Return a column of each table as an array, sources as their codes."""
    return [(table[name].cat.codes if name == "source" else table[name]).to_numpy() for table in tables]


def _column(name: str, values: NDArray[Any]) -> Any:
    """Return what `values_of` gave as a column again."""
    if name == "source":
        return pd.Categorical.from_codes(values, dtype=SOURCE_DTYPE)
    # Or pandas makes a dtype of its own for text.
    return pd.Series(values, dtype="object", copy=False) if name in CARRIED else values


def same_column(one: pd.DataFrame, other: pd.DataFrame, name: str) -> bool:
    """Return whether two tables share a column's memory, as they do where an edit left the column alone."""
    first, second = (values.__array_interface__ for values in values_of(name, one, other))
    return all(first[part] == second[part] for part in ("data", "shape", "strides"))
