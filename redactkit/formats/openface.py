"""Read what OpenFace and OpenSeeFace-like landmark tables write: a box around the landmarks of every face and frame."""

from __future__ import annotations

import io
import re
import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import AnnotationError
from redactkit.formats.assemble import MAX_ROWS, FileFacts, Numbering, ParsedBoxes, RowLocations, by_frame
from redactkit.formats.normalize import Reading, Remark
from redactkit.formats.plain import EXACT
from redactkit.formats.source import Source

__all__ = ["read_openface"]

_RULE = Numbering("OpenFace counts frames from 1", 1)
_FEWEST = 5  # landmarks around which a box is one of a face
_FOREHEAD = 0.5
"""By which part of its height a box is raised: the 68 landmarks end at the eyebrows."""
_LANDMARK = re.compile(r"[xy]_\d+")
_LOST = "gaze, pose and action units have no place in our tables and are left out"
_GROWN = "boxes go around the landmarks and are raised by half their height, since landmarks end at the eyebrows"


def read_openface(source: Source) -> Reading:
    """Read ``frame, face_id, timestamp, confidence, success`` and landmarks ``x_0`` ... ``y_67`` in pixels.

    Frames in which the face was lost (``success`` 0) have landmarks too, and are kept.

    References
    ----------
    Baltrusaitis et al., "OpenFace 2.0: Facial Behavior Analysis Toolkit", FG 2018; its wiki, "Output format".
    """
    try:
        table = _parse(source.text)
        names = [name for name in table.columns if _LANDMARK.fullmatch(name)]
        across, down = ([name for name in names if name.startswith(axis)] for axis in "xy")
        if len(across) < _FEWEST or len(across) != len(down):
            raise AnnotationError(
                f"this is OpenFace output with {len(across)} landmarks x_0, x_1 ... in pixels, too few for a box; run "
                "it with -2Dfp"
            )
        numbers = _numbers(table, ["frame", *across, *down])
        xs, ys = numbers[:, 1 : 1 + len(across)], numbers[:, 1 + len(across) :]
        left, top, right, bottom = xs.min(axis=1), ys.min(axis=1), xs.max(axis=1), ys.max(axis=1)
        raised = (bottom - top) * _FOREHEAD
        boxes = np.column_stack([left, top - raised, right - left, bottom - top + raised])
        seen = (right > left) | (bottom > top)  # where there is no face all are 0
        faces = _numbers(table, ["face_id"])[:, 0] if "face_id" in table else np.zeros(len(table))
        confidence = _numbers(table, ["confidence"])[:, 0] if "confidence" in table else np.full(len(table), np.nan)
        _check_whole(numbers[:, 0], faces)
        found = ParsedBoxes(
            at=numbers[seen, 0].astype(np.int64).tolist(),
            faces=list(faces[seen].astype(np.int64).tolist()),
            boxes=boxes[seen].tolist(),
            confidence=[value if 0 <= value <= 1 else None for value in confidence[seen].tolist()],
            locations=RowLocations(int(seen.sum())),
        )
        clock = (numbers[:, 0], _numbers(table, ["timestamp"])[:, 0]) if "timestamp" in table else None
        return by_frame(
            found,
            source,
            FileFacts(
                format="openface",
                size=source.find_size(otherwise=(0, 0)),
                remarks=[Remark("lost fields", _LOST), Remark("other shapes", _GROWN)],
            ),
            numbering=_RULE,
            frame_count=int(numbers[:, 0].max(initial=0)),
            clock=clock,
            trusted=True,
        )
    except AnnotationError as err:
        raise type(err)(f"{source.path}: {err}") from err


def _parse(text: bytes) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(
                io.BytesIO(text), skipinitialspace=True, low_memory=False, index_col=False, **EXACT
            )
    except (ValueError, OverflowError, pd.errors.ParserWarning) as err:
        raise AnnotationError(f"not a CSV table: {err}") from err
    if len(table) > MAX_ROWS:
        raise AnnotationError(f"{len(table)} rows are more than the {MAX_ROWS} this reader takes")
    table.columns = [str(name).strip() for name in table.columns]
    if "frame" not in table:
        raise AnnotationError(f"expected a column frame, got {', '.join(table.columns)[:200]}")
    return table


def _numbers(table: pd.DataFrame, names: list[str]) -> NDArray[np.float64]:
    try:
        numbers = table[names].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    except OverflowError as err:
        raise AnnotationError("expected numbers as frame, face_id and landmarks, got one that is too large") from err
    values: NDArray[np.float64] = numbers.reshape(len(table), len(names))
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        given = str(table[names[column]].iloc[row])[:40]
        raise AnnotationError(f"row {row + 1}: expected a number as {names[column]}, got {given!r}")
    return values


def _check_whole(*columns: NDArray[np.float64]) -> None:
    for values in columns:
        wrong = (values != np.floor(values)) | (np.abs(values) >= 2**53)
        if wrong.any():
            raise AnnotationError(f"row {int(np.argmax(wrong)) + 1}: expected whole numbers as frame and face_id")
