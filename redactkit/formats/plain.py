"""Read plain tables, CSV or Parquet: our columns, or the usual other names of a box's sides."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from msgspec import field
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError
from redactkit.formats.assemble import MAX_ROWS, FileFacts, Numbering, ParsedBoxes, RowLocations, by_frame, by_time
from redactkit.formats.attributes import FACE_LABEL
from redactkit.formats.columns import (
    decisions_of_rows,
    face_column,
    flag_column,
    kind_column,
    label_column,
    number_hint,
    source_column,
    text_column,
    usual_names,
    without_blank_rows,
)
from redactkit.formats.header import Header, decisions_of, discarded_of, pairs_of, video_of
from redactkit.formats.images import Image, read_images
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.source import Source
from redactkit.formats.units import check_seconds
from redactkit.formats.videos import choose_video
from redactkit.tables import BOX, CARRIED, DECISIONS, DETECTIONS, OPTIONAL, as_detections

__all__ = ["EXACT", "METADATA", "ParquetHeader", "import_pyarrow", "is_table", "read_csv", "read_parquet"]

EXACT: dict[str, Any] = {"float_precision": "round_trip"} if pd.__version__.startswith("2.") else {}
"""Options of pandas' CSV reader: that of pandas 2 gets the last digit of some numbers wrong otherwise."""

METADATA = b"redactkit"
_NANO = 10**9
_SAME_TIME = 1e-6
"""Seconds by which a frame's time in a table of ours may be off."""
_WHAT = {"frame": "whole number", "time": "number of seconds"}
_FORMS = [
    BOX,
    ["left", "top", "right", "bottom"],
    ["center_x", "center_y", "width", "height"],
    ["left", "top", "width", "height"],
]
_NUMBERS = ["frame", "time", "confidence", *dict.fromkeys(name for names in _FORMS for name in names)]
_MILLISECONDS = {"time_ms", "timestamp_ms", "milliseconds", "ms"}
# Py-Feat: landmarks and the head's turn have columns x, y, X, Y, which are no sides of a box.
_PYFEAT = {
    "frame": "frame", "input": "video", "FaceRectX": "x", "FaceRectY": "y", "FaceRectWidth": "width",
    "FaceRectHeight": "height", "FaceScore": "confidence", "Identity": "face_id", "approx_time": "",
}  # fmt: skip


_OF_PYFEAT = "Py-Feat "
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_DECIMAL_COMMA, _SAMPLE = re.compile(rb";\s*\"?-?\d+,\d+\s*\"?[;\r\n]"), 100_000
"""Spreadsheets of many countries write 10,5 and put semicolons between columns; how much of a table is looked at."""
_SPREADSHEET = re.compile(rb"\Asep=[,;\t]\r?\n", re.IGNORECASE)  # a line that tells Excel the separator, no row
_COMMENTS = re.compile(rb"\A(?:#[^\n]*\n)+(?=[A-Za-z\"])")  # above the line that names the columns
_MOST_COLUMNS = 5000  # pandas takes seconds for tens of thousands; OpenFace writes 714
_SHOWN, _LONGEST = 8, 40  # names of columns in a message, and letters of each


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
        raise OptionError("Parquet needs the package pyarrow; run: pip install 'redactkit[parquet]'") from err
    return pyarrow.parquet


def is_table(text: bytes) -> bool:
    """Return whether a CSV table has the columns of boxes and of when they are."""
    try:
        names = set(_rename(_read_table(text, nrows=0)).columns)
    except (AnnotationError, ValueError, OverflowError, pd.errors.ParserWarning):
        return False
    timed = names & {"frame", "time", "seconds", "image", *_MILLISECONDS}
    return bool(timed) and any(names.issuperset(form) for form in _FORMS)


def read_csv(source: Source) -> Reading:
    """Read a CSV table with a header line, separated by commas, semicolons, tabs, bars or blanks.

    Boxes may be ``x, y, width, height``, corners (``left, top, right, bottom`` and the like) or centres
    (``center_x, center_y, width, height``), in pixels or in shares of the frame. There must be ``frame`` or
    ``time``. ``label`` is the class of a box, unless the analyst's ``redact`` or ``reason`` stand beside it and no
    ``face_label`` does: then it is the name of the face. The tables of Py-Feat are read too.
    """
    try:
        return _as_reading(_parse_csv(source.text), source, format="csv")
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def read_parquet(source: Source) -> Reading:
    """Read a Parquet table; one that redactkit wrote comes back whole."""
    parquet = import_pyarrow()
    from pyarrow import ArrowException

    try:
        file = parquet.ParquetFile(io.BytesIO(source.data))
        if file.metadata.num_rows > MAX_ROWS:
            raise AnnotationError(f"{file.metadata.num_rows} rows are more than the {MAX_ROWS} this reader takes")
        table = file.read()
        table.validate(full=True)  # what is broken inside comes out as any error later, or as wrong numbers
        metadata = (table.schema.metadata or {}).get(METADATA)
        rows = _rename(table.to_pandas(ignore_metadata=True))
        return _as_reading(rows, source, format="parquet") if metadata is None else _restore(rows, metadata)
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err
    except (OSError, ValueError, KeyError, NotImplementedError, ArrowException, msgspec.MsgspecError) as err:
        raise AnnotationError(f"{source.path}: not a Parquet table that can be read: {err}") from err


def _restore(rows: pd.DataFrame, metadata: bytes) -> Reading:
    header = msgspec.json.decode(metadata, type=ParquetHeader)
    video = video_of(header.video, width=header.width, height=header.height, pts=np.array(header.pts, np.int64))
    words = [name for name, kind in DETECTIONS.items() if kind == "object" and name in rows]
    texts = {name: text_column(rows, name) for name in words}
    detections = as_detections(rows.assign(**texts))
    beyond = ~detections["frame"].between(0, video.frame_count - 1).to_numpy()
    if beyond.any():
        row = int(np.argmax(beyond))
        frame = detections["frame"].iloc[row]
        raise AnnotationError(f"row {row + 1}: frame {frame} is none of the {video.frame_count} that the file has")
    annotations = Annotations(
        video,
        detections,
        decisions=decisions_of(header),
        discarded=discarded_of(header),
        pairs=pairs_of(header),
        cuts=np.array(header.cuts, np.int64),
        settings=header.settings,
    )
    return Reading(annotations, "parquet")


def _read_table(text: bytes, **options: Any) -> pd.DataFrame:
    text = _COMMENTS.sub(b"", _SPREADSHEET.sub(b"", text, count=1), count=1)
    first = text.split(b"\n", 1)[0]
    separator = max((b",", b";", b"\t", b"|"), key=first.count).decode()
    if first.count(separator.encode()) >= _MOST_COLUMNS:
        raise AnnotationError(f"its first line has more than {_MOST_COLUMNS} columns; this is no table of boxes")
    separator = separator if separator.encode() in first else r"\s+"
    fixed: dict[str, Any] = {"sep": separator, "skipinitialspace": True, "index_col": False, "low_memory": False}
    fixed |= EXACT
    if separator == ";" and _DECIMAL_COMMA.search(text[:_SAMPLE]):
        fixed["decimal"] = ","
    # As numbers, a label 007 would be read as 7.
    fixed["dtype"] = dict.fromkeys((*CARRIED, FACE_LABEL, "reason", "video"), object)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        table: pd.DataFrame = pd.read_csv(io.BytesIO(text), **fixed, **options)
    return table


def _parse_csv(text: bytes) -> pd.DataFrame:
    empty = {name: ["", "nan", "NaN", "null"] for name in (*_NUMBERS, "face_id")}
    try:
        names = list(_rename(_read_table(text, nrows=0)).columns)
        return without_blank_rows(_read_table(text, names=names, header=0, keep_default_na=False, na_values=empty))
    except AnnotationError:
        raise
    except UnicodeDecodeError as err:
        raise AnnotationError("the table is in an old encoding; save it as CSV in UTF-8") from err
    except (ValueError, OverflowError, pd.errors.ParserWarning) as err:
        raise AnnotationError(f"not a CSV table: {err}") from err


def _listed(names: Iterable[Any]) -> str:
    """Return the first names of columns, for a message, and how many more there are."""
    shown = [str(name).removeprefix(_OF_PYFEAT)[:_LONGEST] for name in names]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more


def _without_frames(table: pd.DataFrame) -> str:
    """Return what is wrong with a table that does not say when its boxes are."""
    names = [str(name) for name in table.columns]
    if any(_NUMBER.fullmatch(name) for name in names):
        shown = "expected a first line that names the columns, such as frame,face_id,x,y,width,height"
        return f"{shown}, got {_listed(names)}"
    return f"expected a column frame or time, got {_listed(names)}"


def _rename(table: pd.DataFrame) -> pd.DataFrame:
    given = [str(name).strip().strip('"') for name in table.columns]
    if "FaceRectX" in given:
        names = [_PYFEAT.get(name) or f"{_OF_PYFEAT}{name}" for name in given]
    else:
        names = usual_names(given)
    if len(set(names)) < len(names):
        twice = [old for old, name in zip(table.columns, names, strict=True) if names.count(name) > 1]
        raise AnnotationError(f"two columns mean the same: {_listed(twice)}; keep one, and rename or remove the other")
    return table.set_axis(names, axis="columns")


def _as_reading(table: pd.DataFrame, source: Source, *, format: str) -> Reading:
    table, remarks = _of_one_video(table, source)
    numbers = {name: _numbers(table, name) for name in _NUMBERS if name in table}
    numbers, odd = _in_seconds(numbers, table, source)
    by_image = "image" in table and not {"frame", "time"} & numbers.keys()
    if not by_image and "frame" not in numbers and "time" not in numbers:
        raise AnnotationError(_without_frames(table))
    given = face_column(table)
    boxes = _boxes(numbers)
    boxless = len(boxes) > 0 and bool(np.isnan(boxes).all())
    ours = DETECTIONS.keys() - OPTIONAL <= set(table.columns)
    confidence = numbers.get("confidence", np.full(len(table), np.nan))
    found = ParsedBoxes(
        at=[] if by_image else _instants(numbers),
        faces=given,
        boxes=boxes.tolist(),
        confidence=[None if np.isnan(value) else value for value in confidence.tolist()],
        locations=RowLocations(len(table)),
        sources=source_column(table),
        labels=label_column(table),
        kinds=kind_column(table),
        occluded=flag_column(table, "occluded"),
        persons=text_column(table, "person"),
        keyframes=flag_column(table, "keyframe"),
    )
    size = source.find_size(otherwise=(0, 0))
    remarks += [*odd, *_lost(table)]
    if boxless:
        remarks.append(Remark("no boxes", "the file says when faces are seen but not where: boxes are NaN"))
    if by_image:
        sizes = _image_sizes(numbers)
        return _of_images(table["image"].astype(str).tolist(), found, sizes, source, format=format, remarks=remarks)
    decisions = decisions_of_rows(table, given)
    # What redactkit wrote is in pixels of the video that it was made from.
    facts = FileFacts(format, size, None, decisions, remarks, boxless, stated=ours and "source" in table)
    if "frame" not in numbers:
        return by_time(found, source, facts, timescale=_NANO)
    clock = (numbers["frame"], numbers["time"]) if "time" in numbers and not (ours and _fits(numbers, source)) else None
    numbering = _numbering(numbers["frame"], sure=ours or clock is not None)
    return by_frame(found, source, facts, numbering=numbering, clock=clock, trusted=ours and source.units is None)


def _fits(numbers: Mapping[str, NDArray[np.float64]], source: Source) -> bool:
    """Return whether frames and times are those of the video, so that boxes lie on its frames as they stand."""
    frames, video = numbers["frame"], source.video
    if video is None or not len(frames) or source.first_frame or source.frame_step not in (None, 1):
        return False
    if not (frames.min() >= 0 and frames.max() < video.frame_count):
        return False
    return bool((np.abs(video.times[frames.astype(np.int64)] - numbers["time"]) < _SAME_TIME).all())


def _image_sizes(numbers: Mapping[str, NDArray[np.float64]]) -> list[tuple[int, int]]:
    """Return the size of each row's image: where boxes are corners, columns width and height can be nothing else."""
    rows = len(next(iter(numbers.values()), []))
    if not {"left", "top", "right", "bottom", "width", "height"} <= numbers.keys() or {"x", "y"} <= numbers.keys():
        return [(0, 0)] * rows
    sides = np.nan_to_num(np.column_stack([numbers["width"], numbers["height"]]), nan=0.0, posinf=0.0, neginf=0.0)
    return [(int(width), int(height)) for width, height in np.clip(sides, 0, 10**6).tolist()]


def _of_images(
    names: list[str],
    found: ParsedBoxes,
    sizes: list[tuple[int, int]],
    source: Source,
    *,
    format: str,
    remarks: list[Remark],
) -> Reading:
    """Build annotations from rows that name an image and no frame."""
    images: dict[str, Image] = {}
    for row, name in enumerate(names):
        image = images.setdefault(name, Image(name, sizes[row]))
        columns: dict[str, list[Any]] = {"label": found.labels, "occluded": found.occluded, "person": found.persons}
        more = {name: values[row] for name, values in columns.items() if values}
        confidence, place = found.confidence[row], f"row {row + 1}"
        image.add(found.boxes[row], face=found.faces[row], confidence=confidence, place=place, **more)
    return read_images(list(images.values()), source, format=format, listed=False, remarks=remarks)


def _numbering(frames: NDArray[np.float64], *, sure: bool) -> Numbering:
    doubt = (
        "" if sure or not frames.min(initial=0) >= 1 else "pass first_frame=1 (--first-frame 1) if they count from 1"
    )
    return Numbering("frames of a table count from 0", doubt=doubt)


def _of_one_video(table: pd.DataFrame, source: Source) -> tuple[pd.DataFrame, list[Remark]]:
    """Return the rows of the one video that is meant, without the column that names it."""
    if "video" not in table:
        return table, []
    of_row = table["video"].astype(str).to_numpy(object)
    names = list(dict.fromkeys(of_row.tolist()))
    place, remarks = choose_video([(name,) for name in names], source)
    kept = of_row == names[place] if names else np.zeros(0, bool)
    return table.loc[kept].drop(columns="video").reset_index(drop=True), remarks


def _in_seconds(
    numbers: Mapping[str, NDArray[np.float64]], table: pd.DataFrame, source: Source
) -> tuple[dict[str, NDArray[np.float64]], list[Remark]]:
    """Return the numbers with ``time`` in seconds."""
    if "seconds" in table and "time" not in numbers:
        return {**numbers, "time": _numbers(table, "seconds")}, []
    given = [str(name) for name in table.columns if name in _MILLISECONDS]
    if given and "time" not in numbers:
        return {**numbers, "time": _numbers(table, given[0]) / 1000}, []
    if "time" not in numbers or DETECTIONS.keys() - OPTIONAL <= set(table.columns):
        return dict(numbers), []
    video = source.video
    end = float(video.times[-1]) if video is not None and video.frame_count else None
    seconds, remarks = check_seconds(numbers["time"], frames=numbers.get("frame"), end=end)
    return {**numbers, "time": seconds}, remarks


def _numbers(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    try:
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    except OverflowError as err:
        raise AnnotationError(f"expected numbers as {name}, got one that is too large") from err
    wrong = np.isnan(values) & table[name].notna().to_numpy()
    if wrong.any():
        row = int(np.argmax(wrong))
        given = str(table[name].iloc[row])
        raise AnnotationError(f"row {row + 1}: expected a number as {name}, got {given[:40]!r}{number_hint(given)}")
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
    raise AnnotationError(
        "expected the columns x, y, width, height, or corners, or centres, for the boxes, each number in a column of "
        "its own"
    )


def _lost(table: pd.DataFrame) -> list[Remark]:
    known = {
        *DETECTIONS,
        *DECISIONS,
        FACE_LABEL,
        "seconds",
        "image",
        *_MILLISECONDS,
        *(name for names in _FORMS for name in names),
    }
    extra = [str(name) for name in table.columns if name not in known]
    if not extra:
        return []
    text = f"the columns {_listed(extra)} have no place in our tables and are left out"
    return [Remark("lost fields", text)]
