"""The schema of the tables that flow through everything, its checks, and the tracks summary.

``detections`` has one row per object per frame, mostly of faces; ``tracks`` is always derived from it and from the
analyst's ``decisions``, never kept beside it as a second truth.

``kind`` is what an object is to redactkit: ``face``, ``plate``, ``screen``, ``document``, ``person``, ``other`` or a
word of the user's (`redactkit.runtime.kinds`).

``label`` says two things in two tables. In ``detections`` it is the class of the box, word for word as the tool that
made it names it: ``Face``, ``person``, ``license_plate``; "" where nothing says. In ``decisions`` and ``tracks`` it is
the name that the analyst gave a face.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import TableError
from redactkit.runtime.face_ids import FaceIds, as_face_ids, known_face_ids
from redactkit.runtime.kinds import FACE, kinds_of_labels

__all__ = [
    "BOX", "CARRIED", "DECISIONS", "DETECTIONS", "FACE", "NEEDED", "OPTIONAL", "SOURCES", "TEXTS", "TRACKS", "FaceIds",
    "as_decisions", "as_detections", "as_face_ids", "check_detections", "empty_decisions", "empty_detections",
    "frame_rows", "known_face_ids", "row_keys", "selected_ids", "sort_detections", "summarize_tracks",
]  # fmt: skip


def __dir__() -> list[str]:
    return sorted(__all__)


BOX = ["x", "y", "width", "height"]
NEEDED = ["frame", "face_id", *BOX]
SOURCES = ["detected", "tracked", "interpolated", "manual", "imported"]
SOURCE_DTYPE = pd.CategoricalDtype(SOURCES)

DETECTIONS: dict[str, Any] = {
    "frame": "int64",
    "time": "float64",
    "face_id": "int64",
    "x": "float64",
    "y": "float64",
    "width": "float64",
    "height": "float64",
    "confidence": "float64",
    "source": SOURCE_DTYPE,
    "kind": "object",
    "label": "object",
    "occluded": "bool",
    "person": "object",
    "keyframe": "bool",
}

OPTIONAL: dict[str, Any] = {"kind": "", "label": "", "occluded": False, "person": "", "keyframe": False}
"""Columns that say more than where a face is and how sure that is, and their values where nothing says.

Of a box with no kind, the label says one, and else it is a face."""

CARRIED = ["kind", "label", "person"]
"""Columns that belong to the face: a box that is filled in takes them from the face's other boxes."""

DECISIONS: dict[str, Any] = {
    "redact": "bool",
    "label": "object",
    "reason": "object",
    "person_id": "int64",
    "visible_at": "object",
    "look": "object",
}

TEXTS = ["label", "reason", "visible_at", "look"]
"""Columns of decisions that are text, "" where nothing was said."""

TRACKS: dict[str, Any] = {
    "kind": "object",
    "first_frame": "int64",
    "last_frame": "int64",
    "start": "float64",
    "end": "float64",
    "duration": "float64",
    "frames": "int64",
    "coverage": "float64",
    "longest_gap": "int64",
    "mean_confidence": "float64",
    "median_width": "float64",
    "median_height": "float64",
    "best_frame": "int64",
    "thumbnail": "object",
    "redact": "bool",
    "label": "object",
    "reason": "object",
    "person_id": "int64",
    "visible_at": "object",
    "look": "object",
}


def empty_detections() -> pd.DataFrame:
    """Return a detections table with no rows but all its columns and dtypes."""
    return as_detections({})


def as_detections(data: Any) -> pd.DataFrame:
    """Build a detections table: named columns, those that may be missing filled, the right dtypes, a fresh index.

    Parameters
    ----------
    data : mapping of columns, or DataFrame
        Missing ``time`` and ``confidence`` become NaN, unknown; missing ``source`` ``"imported"``; the columns of
        `OPTIONAL` what stands there, but a box that a person drew is a keyframe. Which frame, which face and where
        are never made up.

    Raises
    ------
    TableError
        If there are rows without frame, face ID or box, a column cannot take its dtype, or a source is unknown.

    Examples
    --------
    >>> row = as_detections({"frame": [3], "face_id": 1, "x": 1, "y": 2, "width": 5, "height": 6}).iloc[0]
    >>> row["source"], float(row["time"])
    ('imported', nan)
    """
    frame = pd.DataFrame(data)
    rows = len(frame)
    missing = [name for name in NEEDED if name not in frame]
    if rows and missing:
        raise TableError(f"a detections table needs the columns {NEEDED}, but {missing} are missing; add them")
    fill: dict[str, Any] = {"time": np.nan, "confidence": np.nan, "source": "imported", **OPTIONAL}
    columns: dict[str, Any] = {
        name: frame[name].to_numpy() if name in frame else _repeated_value(fill.get(name, 0), rows)
        for name in DETECTIONS
    }
    unknown = set(columns["source"]) - set(SOURCES)
    if unknown:
        raise TableError(f"source must be one of {SOURCES}, got {sorted(map(str, unknown))}")
    if "keyframe" not in frame:
        columns["keyframe"] = np.full(rows, None)
    fill["keyframe"] = np.asarray(columns["source"], object) == "manual"
    columns |= {name: _filled(columns[name], fill[name]) for name in OPTIONAL}
    if (columns["kind"] == "").any():
        columns["kind"] = np.where(columns["kind"] == "", kinds_of_labels(columns["label"]), columns["kind"])
    try:
        # Text stays Python's, or pandas would make a dtype of its own first.
        columns |= {name: pd.Series(columns[name], dtype=object) for name in [*CARRIED, "source"]}
        return pd.DataFrame(columns).astype(DETECTIONS)
    except (TypeError, ValueError) as err:
        raise TableError(f"a detections column cannot take its dtype ({err}); expected {DETECTIONS}") from err


def _repeated_value(value: Any, rows: int) -> NDArray[Any]:
    return np.full(rows, value, object if isinstance(value, str) else None)


def _filled(values: Any, otherwise: Any) -> NDArray[Any]:
    """Return text as an array of Python strings, flags as they are, and what stands in where a value is missing."""
    array = np.asarray(values)
    if array.dtype == bool:
        return array
    array = array.astype(object)
    missing = pd.isna(array)
    return np.where(missing, otherwise, array) if missing.any() else array


def frame_rows(frames: NDArray[np.int64], frame: int) -> slice:
    """Return where in a column of ascending frame numbers those of one frame stand.

    Examples
    --------
    >>> frame_rows(np.array([0, 0, 2, 2, 2]), 2), frame_rows(np.array([0, 0, 2]), 1)
    (slice(2, 5, None), slice(2, 2, None))
    """
    first, last = np.searchsorted(frames, [frame, frame + 1]).tolist()
    return slice(first, last)


def sort_detections(detections: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in the one order tables are kept in: by frame, then by face, fresh index."""
    if _is_sorted(detections):
        return detections.reset_index(drop=True)
    return detections.sort_values(["frame", "face_id"], kind="stable", ignore_index=True)


def _is_sorted(detections: pd.DataFrame) -> bool:
    frames, faces = np.diff(detections["frame"].to_numpy()), np.diff(detections["face_id"].to_numpy())
    return bool(((frames > 0) | ((frames == 0) & (faces >= 0))).all())


def row_keys(*tables: pd.DataFrame) -> list[NDArray[np.int64]]:
    """Return for each table one number a row: the same for the same face and frame, ascending as tables are sorted.

    Numbers of one call only can be compared.
    """
    faces = np.concatenate([table["face_id"] for table in tables])
    frames = np.concatenate([table["frame"] for table in tables])
    low, high = (int(faces.min()), int(faces.max())) if len(faces) else (0, 0)
    span = high - low + 1
    if span * (int(frames.max(initial=0)) + 1) >= 2**62:
        faces, low = np.unique(faces, return_inverse=True)[1], 0
        span = int(faces.max()) + 1
    return np.split(frames * span + (faces - low), np.cumsum([len(table) for table in tables])[:-1])


def check_detections(detections: pd.DataFrame) -> pd.DataFrame:
    """Return ``detections`` unchanged if it keeps the schema.

    Raises
    ------
    TableError
        For missing columns, other dtypes, negative frames, boxes that are not finite or have a
        negative side, and two boxes of one face in one frame; the message names the first row.

    Examples
    --------
    >>> len(check_detections(empty_detections()))
    0
    """
    missing = [name for name in DETECTIONS if name not in detections]
    if missing:
        raise TableError(f"detections lacks the columns {missing}; build it with redactkit.tables.as_detections")
    for name, dtype in DETECTIONS.items():
        if detections[name].dtype != dtype:
            raise TableError(f"detections[{name!r}] must have dtype {dtype}, got {detections[name].dtype}")
    x, y, width, height = (detections[name].to_numpy() for name in BOX)
    finite = np.isfinite(x) & np.isfinite(y) & np.isfinite(width) & np.isfinite(height)
    _refuse(~finite, detections, "has a box that is not finite")
    _refuse((width < 0) | (height < 0), detections, "has a box of negative size")
    _refuse(detections["frame"].to_numpy() < 0, detections, "has a negative frame number")
    _refuse(_repeated(detections), detections, "is a second box of one face in one frame")
    return detections


def _repeated(detections: pd.DataFrame) -> NDArray[np.bool_]:
    if not _is_sorted(detections):
        return np.asarray(detections.duplicated(["frame", "face_id"]))
    frames, faces = detections["frame"].to_numpy(), detections["face_id"].to_numpy()
    return np.concatenate([[False], (np.diff(frames) == 0) & (np.diff(faces) == 0)])[: len(frames)]


def _refuse(bad: Any, detections: pd.DataFrame, fault: str) -> None:
    if not bad.any():
        return
    row = detections.iloc[int(np.argmax(bad))]
    raise TableError(
        f"row {int(np.argmax(bad))} (frame {row['frame']}, face {row['face_id']}) {fault}: {row[BOX].to_list()}"
    )


def empty_decisions() -> pd.DataFrame:
    """Return a decisions table with no rows: index ``face_id``; columns of `DECISIONS`."""
    return as_decisions({})


def as_decisions(data: Any, *, faces: FaceIds = ()) -> pd.DataFrame:
    """Build a decisions table; every face of ``faces`` gets a row, redacted unless ``data`` says otherwise.

    Parameters
    ----------
    data : DataFrame indexed by face_id, or mapping of face_id to a mapping
        Columns ``redact`` (default True), ``label`` and ``reason`` (default ""), and ``person_id``: faces of one value
        are one person, who is called by the lowest face ID (default: each face is a person of its own).
        ``visible_at`` are the time ranges in which an object that is redacted is left visible all the same, as text
        (`redactkit.runtime.visible`), and ``look`` says how it is hidden where that is not as the rest
        (`redactkit.effects.look`); default "".
    faces : int or iterable of int
        Faces that must have a row.

    Examples
    --------
    >>> as_decisions({2: {"redact": False}}, faces=[1, 2])["redact"].to_dict()
    {1: True, 2: False}
    """
    given = data if isinstance(data, pd.DataFrame) else pd.DataFrame.from_dict(data, orient="index")
    given = given.reindex(columns=list(DECISIONS))
    index = pd.Index(
        sorted({*as_face_ids(faces, name="faces"), *(int(face) for face in given.index)}), dtype="int64", name="face_id"
    )
    given = given.reindex(index)
    text = {name: given[name].astype("object").where(given[name].notna(), "") for name in TEXTS}
    redact = given["redact"].astype("object").where(given["redact"].notna(), True)
    person = _lowest_face(given["person_id"])
    return pd.DataFrame({"redact": redact.astype(bool), **text, "person_id": person}, index=index).astype(DECISIONS)


def _lowest_face(person: pd.Series[Any]) -> pd.Series[int]:
    """Return for each face the lowest ID of those with its value of ``person``; its own where it has none."""
    own = person.index.to_series()
    if person.isna().all() or np.array_equal(person.to_numpy(), own.to_numpy()):
        return own
    return own.groupby(person.astype("object")).transform("min").fillna(own)


def selected_ids(detections: pd.DataFrame, decisions: pd.DataFrame) -> list[int]:
    """Return the faces to redact: all in ``detections`` but those a decision leaves visible.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 0], "face_id": [1, 2], "x": 0, "y": 0, "width": 9, "height": 9})
    >>> selected_ids(rows, as_decisions({2: {"redact": False}}))
    [1]
    """
    visible = set(decisions.index[~decisions["redact"].to_numpy(bool)])
    return sorted(int(face) for face in detections["face_id"].unique() if face not in visible)


def summarize_tracks(detections: pd.DataFrame, decisions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Summarise detections to one row per face.

    Parameters
    ----------
    detections : DataFrame
    decisions : DataFrame, optional
        Indexed by face_id; a face with no row is redacted.

    Returns
    -------
    DataFrame
        Index ``face_id`` in ascending order, columns of `TRACKS`. ``kind`` is that of the first box; ``coverage`` the
        share of frames between first and last that have a box; ``longest_gap`` the most frames in a row without
        one; ``best_frame`` the frame with the largest product of area and squared confidence, among boxes that
        were followed or filled in only where the face has no other.

    Examples
    --------
    >>> rows = as_detections({"frame": [0, 3], "face_id": 1, "x": 0, "y": 0, "width": 9, "height": 9})
    >>> summarize_tracks(rows).loc[1, ["frames", "coverage", "longest_gap"]].tolist()
    [2.0, 0.5, 2.0]
    """
    rows = detections.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    ids, first, count = np.unique(rows["face_id"].to_numpy(), return_index=True, return_counts=True)
    last = first + count - 1
    frame, time = rows["frame"].to_numpy(), rows["time"].to_numpy()
    by_face = rows.groupby("face_id", sort=True)
    medians = by_face[["width", "height"]].median()
    decided = as_decisions(empty_decisions() if decisions is None else decisions, faces=ids.tolist()).reindex(ids)
    span = frame[last] - frame[first] + 1
    table = pd.DataFrame(
        {
            "kind": rows["kind"].to_numpy()[first],
            "first_frame": frame[first],
            "last_frame": frame[last],
            "start": time[first],
            "end": time[last],
            "duration": time[last] - time[first],
            "frames": count,
            "coverage": count / np.maximum(span, 1),
            "longest_gap": _longest_gaps(frame, first, len(rows)),
            "mean_confidence": by_face["confidence"].mean().to_numpy(),
            "median_width": medians["width"].to_numpy(),
            "median_height": medians["height"].to_numpy(),
            "best_frame": _best_frames(rows, first),
            "thumbnail": np.full(len(ids), None, dtype=object),
            **{name: decided[name].to_numpy() for name in DECISIONS},
        },
        index=pd.Index(ids, dtype="int64", name="face_id"),
    )
    return table.astype(TRACKS)


def _longest_gaps(frame: Any, first: Any, rows: int) -> Any:
    if not rows:
        return np.zeros(0, np.int64)
    gaps = np.diff(frame, prepend=frame[0]) - 1
    gaps[first] = 0
    return np.maximum(np.maximum.reduceat(gaps, first), 0)


def _best_frames(rows: pd.DataFrame, first: Any) -> Any:
    if rows.empty:
        return np.zeros(0, np.int64)
    order = np.lexsort((rows["frame"], -best_scores(rows), rows["face_id"]))
    return rows["frame"].to_numpy()[order][first]


def best_scores(rows: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return for each box how well its frame would show the face: see ``best_frame`` of `summarize_tracks`."""
    seen = ~rows["source"].isin(["tracked", "interpolated"])
    area, confidence = rows["width"] * rows["height"], rows["confidence"].fillna(0.5)
    return np.asarray(area * confidence**2 * np.where(seen, 1.0, 1e-3), np.float64)


def best_rows(detections: pd.DataFrame, *, per_face: int) -> pd.DataFrame:
    """Return the best box of each face, by `best_scores`, in each of ``per_face`` parts of its time; the best first."""
    frame = detections.groupby("face_id")["frame"]
    first, last = frame.transform("min"), frame.transform("max")
    part = (per_face * (detections["frame"] - first)) // (last - first + 1)
    order = np.lexsort((detections["frame"], -best_scores(detections)))
    kept = detections.assign(part=part).iloc[order].drop_duplicates(["face_id", "part"])
    return kept.drop(columns="part")
