"""Read plain tables, CSV or Parquet: our columns, or the usual other names of a box's sides."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from msgspec import field
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError
from redactkit.formats.assemble import MAX_ROWS, ParsedBoxes, RowPlaces, by_frame, by_time
from redactkit.formats.header import Header, decisions_of, discarded_of, video_of
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source
from redactkit.tables import BOX, DECISIONS, DETECTIONS, SOURCES, as_detections

__all__ = ["EXACT", "METADATA", "ParquetHeader", "import_pyarrow", "read_csv", "read_parquet"]

EXACT: dict[str, Any] = {"float_precision": "round_trip"} if pd.__version__.startswith("2.") else {}
"""Options of pandas' CSV reader: that of pandas 2 gets the last digit of some numbers wrong otherwise."""

METADATA = b"redactkit"
_NANO = 10**9
_NO = ["false", "0", "no", "f", "n"]
_WHAT = {"frame": "whole number", "time": "number of seconds"}
_FORMS = [
    BOX,
    ["left", "top", "right", "bottom"],
    ["center_x", "center_y", "width", "height"],
    ["left", "top", "width", "height"],
]
_NUMBERS = ["frame", "time", "confidence", *dict.fromkeys(name for names in _FORMS for name in names)]
_OTHER_NAMES = {
    "id": "face_id", "track_id": "face_id", "face": "face_id", "frame_id": "frame", "frame_number": "frame",
    "timestamp": "time", "score": "confidence", "conf": "confidence", "w": "width", "h": "height",
    "left": "left", "top": "top", "right": "right", "bottom": "bottom",
    "xmin": "left", "ymin": "top", "xmax": "right", "ymax": "bottom",
    "x1": "left", "y1": "top", "x2": "right", "y2": "bottom",
    "cx": "center_x", "cy": "center_y", "x_center": "center_x", "y_center": "center_y",
}  # fmt: skip


class ParquetHeader(Header):
    """What a Parquet file holds beside the table: the Azure file's extra object, size and PTS."""

    width: int = 0
    height: int = 0
    pts: list[int] = field(default_factory=list)


def import_pyarrow() -> Any:
    """Return ``pyarrow.parquet``.

    Raises
    ------
    OptionError
        If the package is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as err:
        raise OptionError(
            "Parquet needs the package pyarrow; install it with: pip install 'redactkit[parquet]'"
        ) from err
    return pyarrow.parquet


def read_csv(source: Source) -> Reading:
    """Read a CSV table with a header line, separated by commas, semicolons or tabs.

    Boxes may be ``x, y, width, height``, corners (``left, top, right, bottom`` and the like) or centres
    (``center_x, center_y, width, height``), always in pixels. There must be ``frame`` or ``time``.
    """
    try:
        return _as_reading(_parse_csv(source.text), source, format="csv")
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}") from err


def read_parquet(source: Source) -> Reading:
    """Read a Parquet table; one that redactkit wrote comes back whole."""
    parquet = import_pyarrow()
    try:
        file = parquet.ParquetFile(io.BytesIO(source.data))
        if file.metadata.num_rows > MAX_ROWS:
            raise AnnotationError(f"{file.metadata.num_rows} rows are more than the {MAX_ROWS} this reader takes")
        table = file.read()
        told = (table.schema.metadata or {}).get(METADATA)
        rows = _rename(table.to_pandas(ignore_metadata=True))
        return _as_reading(rows, source, format="parquet") if told is None else _restore(rows, told)
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}") from err
    except (OSError, ValueError, KeyError, NotImplementedError, msgspec.MsgspecError) as err:
        raise AnnotationError(f"{source.path}: not a Parquet table that can be read: {err}") from err


def _restore(rows: pd.DataFrame, told: bytes) -> Reading:
    header = msgspec.json.decode(told, type=ParquetHeader)
    video = video_of(header.video, width=header.width, height=header.height, pts=np.array(header.pts, np.int64))
    annotations = Annotations(
        video,
        as_detections(rows),
        decisions=decisions_of(header),
        discarded=discarded_of(header),
        cuts=np.array(header.cuts, np.int64),
        settings=header.settings,
    )
    return Reading(annotations, "parquet")


def _parse_csv(text: bytes) -> pd.DataFrame:
    first = text.split(b"\n", 1)[0]
    separator = max((b",", b";", b"\t"), key=first.count).decode()
    empty = {name: ["", "nan", "NaN", "null"] for name in (*_NUMBERS, "face_id")}
    options: dict[str, Any] = {"sep": separator, "skipinitialspace": True, "index_col": False, "low_memory": False}
    options |= EXACT
    options["dtype"] = dict.fromkeys(("label", "reason"), object)  # or a label 007 would be read as 7
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            names = list(_rename(pd.read_csv(io.BytesIO(text), nrows=0, **options)).columns)
            table: pd.DataFrame = pd.read_csv(
                io.BytesIO(text), names=names, header=0, keep_default_na=False, na_values=empty, **options
            )
    except AnnotationError:
        raise
    except (ValueError, OverflowError, pd.errors.ParserWarning) as err:
        raise AnnotationError(f"not a CSV table: {err}") from err
    return table


def _rename(table: pd.DataFrame) -> pd.DataFrame:
    names = [str(name).strip().strip('"').lower().replace(" ", "_") for name in table.columns]
    names = [_OTHER_NAMES.get(name, name) for name in names]
    if len(set(names)) < len(names):
        raise AnnotationError(f"two columns mean the same: {', '.join(map(str, table.columns))[:200]}")
    return table.set_axis(names, axis="columns")


def _as_reading(table: pd.DataFrame, source: Source, *, format: str) -> Reading:
    numbers = {name: _numbers(table, name) for name in _NUMBERS if name in table}
    if "frame" not in numbers and "time" not in numbers:
        raise AnnotationError(f"expected a column frame or time, got {', '.join(map(str, table.columns))[:200]}")
    given = _faces(table)
    confidence = numbers.get("confidence", np.full(len(table), np.nan))
    found = ParsedBoxes(
        at=_instants(numbers),
        faces=given,
        boxes=_boxes(numbers).tolist(),
        confidence=[None if np.isnan(value) else value for value in confidence.tolist()],
        places=RowPlaces(len(table)),
        sources=_sources(table),
    )
    size = source.find_size(otherwise=(0, 0))
    decisions, remarks = _decisions(table, given), _lost(table)
    if "frame" not in numbers:
        return by_time(found, format=format, size=size, timescale=_NANO, decisions=decisions, remarks=remarks)
    clock = (numbers["frame"], numbers["time"]) if "time" in numbers else None
    return by_frame(found, source, format=format, size=size, clock=clock, decisions=decisions, remarks=remarks)


def _numbers(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    wrong = np.isnan(values) & table[name].notna().to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise AnnotationError(f"row {row + 1}: expected a number as {name}, got {str(table[name].iloc[row])[:40]!r}")
    return values


def _instants(numbers: Mapping[str, NDArray[np.float64]]) -> list[int]:
    name = "frame" if "frame" in numbers else "time"
    values = numbers[name] if name == "frame" else np.round(numbers[name] * _NANO)
    wrong = ~(np.abs(values) < 2**62) | (values != np.floor(values))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise AnnotationError(f"row {row + 1}: expected {name} to be a {_WHAT[name]}, got {numbers[name][row]}")
    return [int(value) for value in values.tolist()]


def _boxes(numbers: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    for names in _FORMS:
        if all(name in numbers for name in names):
            a, b, c, d = (numbers[name] for name in names)
            if names[0] == "left" and names[2] == "right":
                c, d = c - a, d - b
            if names[0] == "center_x":
                a, b = a - c / 2, b - d / 2
            return np.column_stack([a, b, c, d])
    raise AnnotationError("expected the columns x, y, width, height, or corners, or centres, for the boxes")


def _faces(table: pd.DataFrame) -> list[int | str | None]:
    if "face_id" not in table:
        return [None] * len(table)
    return [_face(value) for value in table["face_id"].tolist()]


def _face(value: Any) -> int | str | None:
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else str(value)


def _decisions(table: pd.DataFrame, given: list[int | str | None]) -> dict[int | str, dict[str, Any]]:
    """Return what the columns redact, label and reason say; a face is redacted if one of its rows says so."""
    decided = [name for name in DECISIONS if name in table]
    if not decided:
        return {}
    rows = table[decided].assign(face=pd.Series(given, table.index, dtype="object"))
    if "redact" in rows:
        rows["redact"] = ~rows["redact"].astype(str).str.strip().str.lower().isin(_NO)
    how = {name: "max" if name == "redact" else "first" for name in decided}
    by_face = rows.groupby("face", sort=False).agg(how)
    return {face: dict(zip(decided, values, strict=True)) for face, *values in by_face.itertuples(name=None)}


def _sources(table: pd.DataFrame) -> list[str]:
    if "source" not in table:
        return []
    return [name if name in SOURCES else "imported" for name in table["source"].astype(str).tolist()]


def _lost(table: pd.DataFrame) -> list[Remark]:
    known = {*DETECTIONS, *DECISIONS, *(name for names in _FORMS for name in names)}
    extra = [str(name) for name in table.columns if name not in known]
    if not extra:
        return []
    text = f"the columns {', '.join(extra)[:200]} have no place in our tables and are left out"
    return [Remark("lost fields", text)]
