"""From what a reader found to the two tables: IDs made whole, doubles kept apart, remarks on what was odd."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.tables import BOX, sort_detections

__all__ = ["INCOMPLETE", "Reading", "Remark", "number_faces", "round_pixels", "separate_doubles", "warn"]

_LARGEST = 1e9
_INT64 = 2**63


INCOMPLETE = {"missing pages", "unfinished job"}
"""Kinds of remark on a file that itself says that faces are missing from it: a redaction refuses such a file."""


@dataclass(frozen=True)
class Remark:
    """Something odd or lost in a file; face, frame and time where it concerns one.

    A quiet one changes nothing in what was read: it is for a report, not for a warning.
    """

    kind: str
    text: str
    face_id: int | None = None
    frame: int | None = None
    time: float | None = None
    quiet: bool = False


@dataclass(frozen=True)
class Reading:
    """What a reader hands over: the annotations, the format's name and what it had to remark.

    ``sized`` is false where the file does not say how large its frames are in pixels.
    """

    annotations: Annotations
    format: str
    remarks: list[Remark] = field(default_factory=list)
    sized: bool = True


def warn(remarks: Sequence[Remark], *, path: object, stacklevel: int = 3) -> None:
    """Warn of each kind of remark that is not quiet once, with how many there are and the first."""
    by_kind: dict[str, list[Remark]] = {}
    for remark in (remark for remark in remarks if not remark.quiet):
        by_kind.setdefault(remark.kind, []).append(remark)
    for same in by_kind.values():
        more = f" (and {len(same) - 1} more like it)" if len(same) > 1 else ""
        warnings.warn(f"{path}: {same[0].text}{more}", AnnotationWarning, stacklevel=stacklevel)


def round_pixels(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round to a billionth of a pixel, so that a share of the frame gives back the pixels it was made from."""
    return np.round(boxes, 9)


def check_boxes(boxes: NDArray[np.float64], *, where: Any) -> None:
    """Refuse boxes that mean nothing.

    Parameters
    ----------
    boxes : ndarray of shape (N, 4)
        x, y, width, height.
    where : callable
        Gives the place of row n in the file.

    Raises
    ------
    AnnotationError
        If a number is not finite or beyond a billion pixels, or a side is negative.
    """
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(boxes) < _LARGEST).all(axis=1) | (boxes[:, 2:] < 0).any(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise AnnotationError(
            f"expected a box of finite numbers with sides of 0 or more, got {boxes[row].tolist()} - at `{where(row)}`"
        )


def number_faces(given: Sequence[int | str | None]) -> tuple[NDArray[np.int64], dict[int, str], list[Remark]]:
    """Give every row a whole number as its face ID.

    Parameters
    ----------
    given : sequence of int, str or None
        A string of digits is its number; any other string gets a number no other face has; every None
        is a face of its own, since nothing says which boxes are one person.

    Returns
    -------
    ids : ndarray of shape (N,), int64
    labels : dict of int to str
        The strings that were no numbers, by the ID they got.
    remarks : list of Remark

    Raises
    ------
    AnnotationError
        If a number does not fit 64 bits.
    """
    if set(map(type, given)) <= {int}:
        return _fit(given), {}, []
    numbers = [_as_number(value) for value in given]
    named = {value: None for value, number in zip(given, numbers, strict=True) if number is None and value is not None}
    next_id = max((number for number in numbers if number is not None), default=0) + 1
    next_id = max(next_id, 1)
    by_name = {name: next_id + place for place, name in enumerate(named)}
    next_id += len(by_name)
    ids = np.empty(len(given), np.int64)
    missing = 0
    for row, (value, number) in enumerate(zip(given, numbers, strict=True)):
        if number is not None:
            ids[row] = number
        elif value is not None:
            ids[row] = by_name[value]
        else:
            ids[row], missing = next_id + missing, missing + 1
    remarks = []
    if missing:
        text = f"{missing} boxes have no face ID; each is a face of its own (redactkit.tracking.link joins them)"
        remarks.append(Remark("no face ID", text))
    return ids, {number: str(name) for name, number in by_name.items()}, remarks


def _fit(numbers: Sequence[Any]) -> NDArray[np.int64]:
    try:
        return np.array(numbers, dtype=np.int64)
    except OverflowError:
        largest = max(numbers, key=abs)
        raise AnnotationError(f"a face ID must fit 64 bits, got {largest}") from None


def _as_number(value: int | str | None) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if not text.removeprefix("-").isdecimal() or len(text) > 19:
            return None
        value = int(text)
    if value is not None and not -_INT64 <= value < _INT64 - 10**9:
        raise AnnotationError(f"a face ID must fit 64 bits, got {value}")
    return value


def separate_doubles(detections: pd.DataFrame) -> tuple[pd.DataFrame, list[Remark]]:
    """Return the rows sorted, with one box per face and frame: equal boxes once, others under an ID of their own.

    No box is lost, and one remark is made for each.
    """
    rows = sort_detections(detections).drop_duplicates(["frame", "face_id", *BOX], ignore_index=True)
    second = rows.duplicated(["frame", "face_id"]).to_numpy()
    dropped = len(detections) - len(rows)
    remarks = [Remark("equal boxes", f"{dropped} boxes stand twice in the file")] if dropped else []
    if not second.any():
        return rows, remarks
    first_free = int(rows["face_id"].max()) + 1
    old = rows.loc[second, ["face_id", "frame", "time"]]
    layer = rows.loc[second].groupby(["frame", "face_id"]).cumcount().to_numpy()
    keys = list(zip(old["face_id"].tolist(), layer.tolist(), strict=True))
    new = {key: first_free + place for place, key in enumerate(dict.fromkeys(keys))}
    rows.loc[second, "face_id"] = np.array([new[key] for key in keys], np.int64)
    for (face, frame, time), key in zip(old.itertuples(index=False), keys, strict=True):
        text = f"face {face} has a second box in frame {frame}; it became face {new[key]}"
        remarks.append(Remark("two boxes of one face", text, int(face), int(frame), float(time)))
    return sort_detections(rows), remarks


def as_labels(labels: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """Return decisions that hold only labels."""
    return {face: {"label": label} for face, label in labels.items()}
