"""The tables of a leak check: frame by frame, face by face, and one row for each appearance to act on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.tables import BOX, as_detections
from redactkit.verification.judging import UnknownFace

__all__ = [
    "FINDINGS",
    "GAP",
    "UNLIKE",
    "bare_table",
    "face_table",
    "leak_rows",
    "leak_table",
    "list_findings",
    "longest_run",
]

JOIN = 0.5
"""Seconds between frames of one face that still make one finding."""

GAP = "gap of a track"
"""What a finding is called in which no face was seen where a track has no box for a moment."""

UNLIKE = "unlike the rest"
"""What a hidden box is called that is neither the source nor painted as nearly all other boxes are."""

UNKNOWN = -1
"""Stands for a face that has no number, and for a finding that is no leak of its own."""

FINDINGS: dict[str, Any] = {
    "what": "object",
    "verdict": "object",
    "face_id": "int64",
    "first_frame": "int64",
    "last_frame": "int64",
    "frames": "int64",
    "start": "float64",
    "end": "float64",
    "sure": "float64",
    "frame": "int64",
    **dict.fromkeys(BOX, "float64"),
    "note": "object",
    "leak": "int64",
}

_BARE = {"frame": "int64", "time": "float64", "face_id": "int64", **dict.fromkeys(BOX, "float64")}
_BARE |= {"shared": "float64", "what": "object"}
_LEAKS = {"frame": "int64", "time": "float64", "face_id": "int64", **dict.fromkeys(BOX, "float64")}
_LEAKS |= {"confidence": "float64", "covered": "float64", "nearest": "int64", "what": "object", "sure": "bool"}


def bare_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return the boxes that were to be hidden and are not, one row for each frame."""
    return pd.DataFrame(rows, columns=list(_BARE)).astype(_BARE)


def leak_table(unknown_faces: Iterable[UnknownFace], annotations: Annotations) -> pd.DataFrame:
    """Return the faces that hidden boxes do not cover, one row for each frame, numbered by appearance."""
    parts = []
    for number, unknown in enumerate(unknown_faces, 1):
        rows = as_detections(unknown.rows).sort_values("frame")
        nearest = unknown.near if unknown.near >= 0 else _nearest(rows, annotations)
        what = "unknown face" if unknown.covered < 0.2 and nearest < 0 else "partly bare face"
        what = GAP if unknown.in_gap else what
        facts = {"face_id": number, "confidence": unknown.support, "covered": unknown.covered}
        parts.append(rows.assign(**facts, nearest=nearest, what=what, sure=unknown.sure)[list(_LEAKS)])
    return pd.concat(parts, ignore_index=True).astype(_LEAKS) if parts else leak_rows([])


def leak_rows(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return such rows, one for each frame, as a table of the same columns."""
    return pd.DataFrame(rows, columns=list(_LEAKS)).astype(_LEAKS)


def _nearest(rows: pd.DataFrame, annotations: Annotations) -> int:
    """Return the known face that most often lies where an unknown one is, -1 where none does."""
    there = annotations.detections[annotations.detections["frame"].isin(rows["frame"])]
    pairs = rows.merge(there[["frame", "face_id", *BOX]], on="frame", suffixes=("", "_known"))
    if not len(pairs):
        return -1
    known = pairs[[f"{name}_known" for name in BOX]].to_numpy()
    near = np.array([bx.iou(one[None], two[None])[0, 0] for one, two in zip(pairs[BOX].to_numpy(), known, strict=True)])
    close = pairs.loc[near > 0.1, "face_id_known"]
    return int(close.mode().iloc[0]) if len(close) else -1


def face_table(detections: pd.DataFrame, bare: pd.DataFrame, faces: list[int]) -> pd.DataFrame:
    """Return for each face that should be hidden in how many frames it has a box, is bare, and the longest such run."""
    frames = detections[detections["face_id"].isin(faces)].groupby("face_id").size()
    exposed = {
        face: longest_run(rows["frame"].to_numpy(), rows["time"].to_numpy()) for face, rows in bare.groupby("face_id")
    }
    index = pd.Index(faces, name="face_id", dtype="int64")
    runs = [exposed.get(face, (0, 0.0)) for face in faces]
    return pd.DataFrame(
        {
            "frames": frames.reindex(index, fill_value=0).astype("int64"),
            "bare": bare.groupby("face_id").size().reindex(index, fill_value=0).astype("int64"),
            "longest": np.array([run[0] for run in runs], dtype=np.int64),
            "longest_seconds": np.array([run[1] for run in runs], dtype=np.float64),
        },
        index=index,
    )


def list_findings(bare: pd.DataFrame, leaks: pd.DataFrame, fidelity: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each appearance that a person should act on, what is exposed first, then by time."""
    rows = [*_bare_findings(bare), *_leak_findings(leaks), *_container_findings(fidelity)]
    table = pd.DataFrame(rows, columns=list(FINDINGS)).astype(FINDINGS)
    order = np.lexsort((table["first_frame"], table["verdict"] != "exposed"))
    table = table.iloc[order].reset_index(drop=True)
    table.index = pd.RangeIndex(1, len(table) + 1, name="finding")
    return table


def _bare_findings(bare: pd.DataFrame) -> Iterator[dict[str, object]]:
    for _, rows in bare.sort_values(["face_id", "frame"]).groupby("face_id"):
        apart = (rows["time"].diff() > JOIN).cumsum()
        for _, run in rows.groupby(apart):
            best = run.iloc[int(run["shared"].to_numpy().argmax())]
            what = str(run["what"].mode().iloc[0])
            row = _row(run, best, what, face=int(best["face_id"]), sure=float(best["shared"]) or 1.0)
            doubtful = (run["what"] == UNLIKE).all()
            yield row | ({"verdict": "to be looked at", "note": "hidden, but not as the others"} if doubtful else {})


def _leak_findings(leaks: pd.DataFrame) -> Iterator[dict[str, object]]:
    for _, rows in leaks.groupby("face_id"):
        best = rows.iloc[len(rows) // 2]
        row = _row(rows, best, str(best["what"]), face=int(best["nearest"]), sure=float(best["confidence"]))
        note = f"{best['covered']:.0%} of it covered" if best["covered"] > 0 else ""
        note = "there before and after, seen by no detector between" if best["what"] == GAP else note
        verdict = "exposed" if best["sure"] else "to be looked at"
        yield row | {"verdict": verdict, "note": note, "leak": int(best["face_id"])}


def _row(rows: pd.DataFrame, best: Any, what: str, *, face: int, sure: float) -> dict[str, object]:
    return {
        "what": what,
        "verdict": "exposed",
        "face_id": face,
        "first_frame": int(rows["frame"].min()),
        "last_frame": int(rows["frame"].max()),
        "frames": int(rows["frame"].nunique()),
        "start": float(rows["time"].min()),
        "end": float(rows["time"].max()),
        "sure": sure,
        "frame": int(best["frame"]),
        **{name: float(best[name]) for name in BOX},
        "note": "",
        "leak": UNKNOWN,
    }


CONTAINER = ("streams", "hidden packets", "loose bytes")
"""Checks of the file around the pictures: what fails them may hold the source."""


def _container_findings(fidelity: pd.DataFrame) -> Iterator[dict[str, object]]:
    broken = fidelity[fidelity["check"].isin(CONTAINER) & ~fidelity["ok"].astype(bool)]
    for _, row in broken.iterrows():
        note = f"{row['check']}: expected {row['expected']}, got {row['got']}"
        empty = {"face_id": UNKNOWN, "first_frame": -1, "last_frame": -1, "frames": 0, "start": np.nan, "end": np.nan}
        place = {"sure": 1.0, "frame": -1, **dict.fromkeys(BOX, np.nan)}
        yield {"what": "container", "verdict": "exposed", **empty, **place, "note": note, "leak": UNKNOWN}


def longest_run(frames: Any, times: Any) -> tuple[int, float]:
    """Return the longest run of consecutive frames, in frames and from the first's to the last's time."""
    if not len(frames):
        return 0, 0.0
    starts = np.flatnonzero(np.diff(frames, prepend=frames[0] - 2) != 1)
    ends = np.append(starts[1:], len(frames)) - 1
    longest = int(np.argmax(ends - starts))
    first, last = starts[longest], ends[longest]
    return int(last - first + 1), float(times[last] - times[first])
