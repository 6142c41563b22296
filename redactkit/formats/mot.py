"""Read the MOTChallenge text format: ground truth, detections, and what trackers write."""

from __future__ import annotations

import configparser
import io
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import FileFacts, Numbering, ParsedBoxes, RowLocations, by_frame
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.plain import EXACT
from redactkit.formats.source import Source
from redactkit.runtime.marks import MOT_MARK, MOT_VISIBLE

__all__ = ["is_header", "parse_rows", "read_mot", "whole_numbers"]

_NAMES = ["frame", "id", "left", "top", "width", "height", "confidence", "class or x", "visibility or y", "z"]
_MOST_BYTES = 2**20
_MOST_COLUMNS = 11  # PathTrack writes a flag at the end
_TRUTH_COLUMNS = 9
_LOST = "flag and visibility have no place in our tables and are left out"
_FROM_ONE = Numbering("MOT counts frames from 1", 1)
_FROM_ZERO = Numbering("MOT counts frames from 1, but here is a frame 0, so frames and pixels count from 0")
_HEADER = [
    {"frame", "frame_id", "frame_number", "framenumber"},
    {"id", "track_id", "trackid", "target_id", "object_id"},
    {"x", "left", "bb_left", "bbox_left", "x1", "xmin"},
    {"y", "top", "bb_top", "bbox_top", "y1", "ymin"},
    {"w", "width", "bb_width", "bbox_width"},
    {"h", "height", "bb_height", "bbox_height"},
    {"conf", "confidence", "score"},
]


def read_mot(source: Source) -> Reading:
    """Read ``frame,id,left,top,width,height[,confidence[,...]]``, one box a line, also below a line of names.

    Frames and pixels count from 1 there, as the benchmark's page says, and from 0 here; where a frame 0 is in the
    file, from 0. An ID of -1 is none. Size and rate come from a ``seqinfo.ini`` beside the file or its folder. In
    ground truth (nine columns) the seventh is a flag, not a confidence; the eighth is a class, which ``labels.txt``
    of CVAT's archives names.

    References
    ----------
    MOTChallenge, "Instructions: data format", motchallenge.net.
    """
    try:
        table = parse_rows(_without_header(source.text))
        size, rate, length, stated = _sequence(source)
        truth = table.shape[1] == _TRUTH_COLUMNS
        confidence, remarks = _confidence(table, truth=truth)
        whole = whole_numbers(table)
        numbering = _FROM_ZERO if (whole[:, 0] == 0).any() else _FROM_ONE
        if (
            numbering is _FROM_ONE
            and _without_header(source.text) is not source.text
            and whole[:, 0].min(initial=1) > 1
        ):
            numbering = replace(numbering, doubt="pass first_frame=0 (--first-frame 0) if these count from 0")
        found = ParsedBoxes(
            at=whole[:, 0].tolist(),
            faces=[None if face == -1 else face for face in whole[:, 1].tolist()],
            boxes=table[:, 2:6].tolist(),
            confidence=confidence,
            locations=RowLocations(len(table)),
            labels=_labels(table, source) if truth else [],
        )
        if truth:
            remarks.append(Remark("lost fields", _LOST))
        return by_frame(
            found,
            source,
            FileFacts(
                format="mot",
                size=size,
                frame_rate=rate,
                decisions=_decisions(table, whole[:, 1], source),
                remarks=remarks,
                stated=stated or _is_ours(table, source),
            ),
            numbering=numbering,
            frame_count=length,
            origin=numbering.first,
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def is_header(line: bytes) -> bool:
    """Return whether a line of text has the names of a MOT file's columns, in their order."""
    names = [name.strip().strip('"').lower() for name in re.split(r"[,;\s]+", line.decode("utf-8", "replace").strip())]
    ordered = all(name in known for name, known in zip(names, _HEADER, strict=False))
    # Without a confidence these are the columns of any table, unless they have the benchmark's own names.
    return ordered and (len(names) >= len(_HEADER) or (len(names) == len(_HEADER) - 1 and "bb_left" in names))


def _without_header(text: bytes) -> bytes:
    first, _, rest = text.lstrip().partition(b"\n")
    return rest if is_header(first) else text


def _labels(table: NDArray[np.float64], source: Source) -> list[str]:
    """Return the class of every box, by the number in its eighth column: that of a line of ``labels.txt``."""
    listing = next((data for name, data in source.beside.items() if name.rpartition("/")[2] == "labels.txt"), b"")
    names = [line.strip() for line in listing.decode("utf-8", "replace").splitlines()]
    numbers = table[:, 7].tolist()
    return [names[int(number) - 1] if 1 <= number <= len(names) else "" for number in numbers]


def _is_ours(table: NDArray[np.float64], source: Source) -> bool:
    return table.shape[1] > _TRUTH_COLUMNS and source.text.rstrip().endswith(f",{MOT_MARK}".encode())


def _decisions(
    table: NDArray[np.float64], faces: NDArray[np.int64], source: Source
) -> dict[int | str, dict[str, bool]]:
    """Return the faces that a file of ours leaves visible: all of their rows must say so."""
    if not _is_ours(table, source):
        return {}
    visible = table[:, 7] == MOT_VISIBLE
    kept = np.setdiff1d(faces[visible], faces[~visible])
    return {int(face): {"redact": False} for face in kept}


def parse_rows(text: bytes) -> NDArray[np.float64]:
    """Return the numbers of a text of 6 to 10 a line, of which the first six are known."""
    separator = _separator(text[:10_000])
    try:
        table: pd.DataFrame = pd.read_csv(
            io.BytesIO(text), header=None, sep=separator, dtype=np.float64, encoding="utf-8", **EXACT
        )
    except pd.errors.EmptyDataError:
        return np.zeros((0, 7))
    except (ValueError, OverflowError) as err:
        raise AnnotationError(_first_fault(text, separator) or f"not a MOT file: {err}") from err
    if table.shape[1] and table.iloc[:, -1].isna().all():  # a separator at the end of each line
        table = table.iloc[:, :-1]
    columns = table.shape[1]
    if not 6 <= columns <= _MOST_COLUMNS:
        raise AnnotationError(f"expected 6 to {_MOST_COLUMNS} numbers a line, got {columns}")
    values = table.to_numpy(np.float64)[:, : len(_NAMES)]
    wrong = ~np.isfinite(values[:, :6])
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise AnnotationError(f"row {row + 1}: expected a number as {_NAMES[column]}, got {values[row, column]}")
    return values


def _separator(text: bytes) -> str:
    return "," if b"," in text else ";" if b";" in text else r"\s+"


def _first_fault(text: bytes, separator: str) -> str | None:
    """Return what is wrong in the first line that is no row of numbers."""
    width = None
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        words = line.split(separator) if len(separator) == 1 else line.split()
        if not line.strip():
            continue
        width = width or len(words)
        for word in words:
            try:
                float(word)
            except ValueError:
                return f"line {number}: expected numbers, got {word.strip()[:40]!r}"
        if len(words) > width:
            return f"line {number}: expected {width} numbers, got {len(words)}"
    return None


def whole_numbers(table: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the first two columns, frame and ID, which must be whole."""
    numbers = table[:, :2]
    wrong = (numbers != np.floor(numbers)) | (np.abs(numbers) >= 2**53)
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise AnnotationError(f"row {row + 1}: {_NAMES[column]} must be a whole number, got {numbers[row, column]}")
    return numbers.astype(np.int64)


def _confidence(table: NDArray[np.float64], *, truth: bool) -> tuple[list[float | None], list[Remark]]:
    if truth or table.shape[1] < 7:
        return [None] * len(table), []
    values = np.where(table[:, 6] == -1, np.nan, table[:, 6])
    outside = (values < 0) | (values > 1)
    values[outside] = np.nan
    attributes = (
        [Remark("confidence scale", f"{int(outside.sum())} confidences outside 0 to 1 became NaN")]
        if outside.any()
        else []
    )
    return [None if np.isnan(value) else value for value in values.tolist()], attributes


def _sequence(source: Source) -> tuple[tuple[int, int], Fraction | None, int, bool]:
    """Return frame size, rate and length of ``seqinfo.ini``, as far as one is there, and whether it has the size."""
    packed = next((data for name, data in source.beside.items() if name.rpartition("/")[2] == "seqinfo.ini"), None)
    folders = _folders(source.path)
    attributes = (
        next((found for folder in folders if (found := _read_ini(folder / "seqinfo.ini"))), {})
        if packed is None
        else _parse_ini(packed.decode("utf-8", "replace"))
    )

    def number(name: str) -> float:
        try:
            return float(attributes.get(name, 0))
        except ValueError:
            return 0.0

    given = (number("imwidth"), number("imheight"))
    size = source.find_size(given, otherwise=(0, 0))
    length = number("seqlength")
    return size, source.rate_of(number("framerate")), int(length) if 0 <= length < 2**31 else 0, min(given) > 0


def _folders(path: Path) -> list[Path]:
    folder = path.resolve().parent
    return [folder, folder.parent]


def _read_ini(path: Path) -> dict[str, str]:
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return {}
        return _parse_ini(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return {}


def _parse_ini(text: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return dict(parser["Sequence"]) if parser.has_section("Sequence") else {}
