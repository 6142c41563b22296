"""Read the MOTChallenge text format: ground truth, detections, and what trackers write."""

from __future__ import annotations

import configparser
import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import ParsedBoxes, RowPlaces, by_frame
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.plain import EXACT
from redactkit.formats.source import Source

__all__ = ["read_mot"]

_NAMES = ["frame", "id", "left", "top", "width", "height", "confidence", "class or x", "visibility or y", "z"]
_MOST_BYTES = 2**20
_TRUTH_COLUMNS = 9
_LOST = "flag, class and visibility have no place in our tables and are left out"


def read_mot(source: Source) -> Reading:
    """Read ``frame,id,left,top,width,height[,confidence[,...]]``, one box a line.

    Frames and pixels count from 1 there, as the benchmark's page says, and from 0 here. An ID of -1 is
    none. Size and rate come from a ``seqinfo.ini`` beside the file or its folder. In ground truth (nine
    columns) the seventh is a flag, not a confidence.

    References
    ----------
    MOTChallenge, "Instructions: data format", motchallenge.net.
    """
    try:
        table = _parse(source.text)
        size, rate, length = _sequence(source)
        truth = table.shape[1] == _TRUTH_COLUMNS
        confidence, remarks = _confidence(table, truth=truth)
        whole = _whole(table)
        found = ParsedBoxes(
            at=(whole[:, 0] - 1).tolist(),
            faces=[None if face == -1 else face for face in whole[:, 1].tolist()],
            boxes=(table[:, 2:6] - [1, 1, 0, 0]).tolist(),
            confidence=confidence,
            places=RowPlaces(len(table)),
        )
        if truth:
            remarks.append(Remark("lost fields", _LOST))
        return by_frame(found, source, format="mot", size=size, frame_count=length, frame_rate=rate, remarks=remarks)
    except AnnotationError as err:
        raise AnnotationError(f"{source.path}: {err}") from err


def _parse(text: bytes) -> NDArray[np.float64]:
    separator = "," if b"," in text[:10_000] else r"\s+"
    try:
        table: pd.DataFrame = pd.read_csv(
            io.BytesIO(text), header=None, sep=separator, dtype=np.float64, encoding="utf-8", **EXACT
        )
    except pd.errors.EmptyDataError:
        return np.zeros((0, 7))
    except (ValueError, OverflowError) as err:
        raise AnnotationError(_first_fault(text, separator) or f"not a MOT file: {err}") from err
    columns = table.shape[1]
    if not 6 <= columns <= 10:
        raise AnnotationError(f"expected 6 to 10 numbers a line, got {columns}")
    values = table.to_numpy(np.float64)
    wrong = ~np.isfinite(values[:, :6])
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise AnnotationError(f"row {row + 1}: expected a number as {_NAMES[column]}, got {values[row, column]}")
    return values


def _first_fault(text: bytes, separator: str) -> str | None:
    """Return what is wrong in the first line that is no row of numbers."""
    width = None
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), start=1):
        words = line.split(",") if separator == "," else line.split()
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


def _whole(table: NDArray[np.float64]) -> NDArray[np.int64]:
    numbers = table[:, :2]
    wrong = (numbers != np.floor(numbers)) | (np.abs(numbers) >= 2**53)
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        raise AnnotationError(f"row {row + 1}: {_NAMES[column]} must be a whole number, got {numbers[row, column]}")
    if (numbers[:, 0] < 1).any():
        row = int(np.argmax(numbers[:, 0] < 1))
        raise AnnotationError(f"row {row + 1}: frames count from 1, got {numbers[row, 0]:g}")
    return numbers.astype(np.int64)


def _confidence(table: NDArray[np.float64], *, truth: bool) -> tuple[list[float | None], list[Remark]]:
    if truth or table.shape[1] < 7:
        return [None] * len(table), []
    values = np.where(table[:, 6] == -1, np.nan, table[:, 6])
    outside = (values < 0) | (values > 1)
    values[outside] = np.nan
    told = (
        [Remark("confidence scale", f"{int(outside.sum())} confidences outside 0 to 1 became NaN")]
        if outside.any()
        else []
    )
    return [None if np.isnan(value) else value for value in values.tolist()], told


def _sequence(source: Source) -> tuple[tuple[int, int], Fraction | None, int]:
    """Return frame size, rate and length from ``seqinfo.ini``, as far as one is there."""
    told = next((found for folder in _folders(source.path) if (found := _read_ini(folder / "seqinfo.ini"))), {})

    def number(name: str) -> float:
        try:
            return float(told.get(name, 0))
        except ValueError:
            return 0.0

    size = source.find_size((number("imwidth"), number("imheight")), otherwise=(0, 0))
    length = number("seqlength")
    return size, source.rate_of(number("framerate")), int(length) if 0 <= length < 2**31 else 0


def _folders(path: Path) -> list[Path]:
    folder = path.resolve().parent
    return [folder, folder.parent]


def _read_ini(path: Path) -> dict[str, str]:
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return {}
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, configparser.Error):
        return {}
    return dict(parser["Sequence"]) if parser.has_section("Sequence") else {}
