"""What the rows of a plain table say beside numbers: faces, labels, kinds, flags, sources and decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from redactkit.errors import AnnotationError, OptionError
from redactkit.formats.attributes import FACE_LABEL, is_no
from redactkit.runtime.kinds import as_kind
from redactkit.tables import DECISIONS, DETECTIONS, OPTIONAL, SOURCES

__all__ = [
    "decisions_of_rows",
    "face_column",
    "flag_column",
    "kind_column",
    "label_column",
    "number_hint",
    "read_kind",
    "source_column",
    "text_column",
    "usual_names",
    "without_blank_rows",
]

_OTHER_NAMES = {
    "id": "face_id", "track_id": "face_id", "face": "face_id", "frame_id": "frame", "frame_number": "frame",
    "timestamp": "time", "score": "confidence", "conf": "confidence", "w": "width", "h": "height",
    "left": "left", "top": "top", "right": "right", "bottom": "bottom",
    "xmin": "left", "ymin": "top", "xmax": "right", "ymax": "bottom",
    "x1": "left", "y1": "top", "x2": "right", "y2": "bottom",
    "cx": "center_x", "cy": "center_y", "x_center": "center_x", "y_center": "center_y",
    "bb_left": "left", "bb_top": "top", "bb_width": "width", "bb_height": "height",
    "bbox_left": "left", "bbox_top": "top", "bbox_width": "width", "bbox_height": "height",
    "is_occluded": "occluded", "occlusion": "occluded", "person_name": "person", "identity": "person",
    "class": "label", "class_name": "label", "label_name": "label", "category": "label", "category_name": "label",
    "time_s": "seconds", "timestamp_s": "seconds",
    "filename": "image", "file_name": "image", "file": "image", "image_name": "image", "image_path": "image",
    "video_name": "video", "video_file": "video", "video_path": "video", "video_id": "video",
}  # fmt: skip
# Only where no column has the name itself: a table may count frames in two ways.
_SELDOM = {
    "frame_index": "frame", "frame_idx": "frame", "frame_no": "frame", "frame_nr": "frame", "frame_num": "frame",
    "tracker_id": "face_id", "x_min": "left", "y_min": "top", "x_max": "right", "y_max": "bottom",
}  # fmt: skip
_HINTS = {
    "%": "write numbers without %, and say units='percent' (--units percent)",
    r"\d:\d": "write seconds as one number, such as 62.5 for 00:01:02.5",
    r"\d,\d": "write the number without a comma: 1050 where it parts thousands, 1.05 where it is the decimal point",
}
"""What to do about a word that is no number, by what is in it."""
_UNSET = {"", "nan", "none"}


def usual_names(given: Iterable[str]) -> list[str]:
    """Return the names of columns as the reader of tables knows them."""
    names = [name.lower().replace(" ", "_") for name in given]
    names = [_OTHER_NAMES.get(name, name) for name in names]
    named = set(names)
    return [name if _SELDOM.get(name, name) in named else _SELDOM[name] for name in names]


def number_hint(text: str) -> str:
    """Return what to do about a word that is no number, to be put behind the error; "" where nothing is known.

    Examples
    --------
    >>> number_hint("20%")
    "; write numbers without %, and say units='percent' (--units percent)"
    """
    return next((f"; {what}" for pattern, what in _HINTS.items() if re.search(pattern, text)), "")


def without_blank_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in which anything stands: spreadsheets write commas for each row that was ever touched."""
    blank = np.ones(len(table), bool)
    for name in table:
        blank &= (table[name].isna() | (table[name] == "")).to_numpy(bool)
        if not blank.any():
            return table
    return table[~blank].reset_index(drop=True)


def face_column(table: pd.DataFrame) -> list[int | str | None]:
    """Return the face of each row, None where it says none."""
    if "face_id" not in table:
        return [None] * len(table)
    return [_face(value) for value in table["face_id"].tolist()]


def _face(value: Any) -> int | str | None:
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else str(value)


def _names_faces(table: pd.DataFrame) -> bool:
    """Return whether ``label`` is the name of a face, as where redactkit had no column for both, and no box's class."""
    return FACE_LABEL not in table and ("redact" in table or "reason" in table)


def label_column(table: pd.DataFrame) -> list[str]:
    """Return the class of each box; empty where the table has none."""
    if "label" not in table or _names_faces(table):
        return []
    return text_column(table, "label")


def text_column(table: pd.DataFrame, name: str) -> list[str]:
    """Return a column of text, "" where a value is missing; empty where there is no such column."""
    if name not in table:
        return []
    return ["" if value is None or value != value else str(value) for value in table[name].tolist()]


def flag_column(table: pd.DataFrame, name: str) -> list[bool]:
    """Return a column of yes and no, also where it has degrees from 0; empty where there is no such column."""
    return [not (is_no(word) or word.strip().lower() in _UNSET) for word in text_column(table, name)]


def kind_column(table: pd.DataFrame) -> list[str]:
    """Return the kinds of boxes, where the table is of redactkit's columns: elsewhere ``kind`` may mean anything."""
    ours = DETECTIONS.keys() - OPTIONAL <= set(table.columns)
    return [read_kind(text) for text in text_column(table, "kind")] if ours else []


def read_kind(text: str) -> str:
    """Return the kind that a file gives a box, "" for none; raise an `AnnotationError` if it is no word."""
    try:
        return as_kind(text) if text.strip() else ""
    except OptionError as err:
        raise AnnotationError(str(err)) from err


def decisions_of_rows(table: pd.DataFrame, given: list[int | str | None]) -> dict[int | str, dict[str, Any]]:
    """Return what the columns redact, face_label and reason say; a face is redacted if one of its rows says so."""
    # Only our own tables say by ``person_id`` which tracks are one; in others it, and the like, may be anything.
    foreign = FACE_LABEL not in table
    if not _names_faces(table):
        table = table.drop(columns="label", errors="ignore").rename(columns={FACE_LABEL: "label"})
    decided = [
        name for name in DECISIONS if name in table and not (foreign and name in ("person_id", "visible_at", "look"))
    ]
    if not decided:
        return {}
    rows = table[decided].assign(face=pd.Series(given, table.index, dtype="object"))
    if "redact" in rows:
        rows["redact"] = ~rows["redact"].map(is_no).astype(bool)
    how = {name: "max" if name == "redact" else "first" for name in decided}
    by_face = rows.groupby("face", sort=False).agg(how)
    return {face: dict(zip(decided, values, strict=True)) for face, *values in by_face.itertuples(name=None)}


def source_column(table: pd.DataFrame) -> list[str]:
    """Return where each box is from, "imported" for what no table of ours says; empty where the table does not say."""
    if "source" not in table:
        return []
    return [name if name in SOURCES else "imported" for name in table["source"].astype(str).tolist()]
