"""What is suspicious in a table of detections: each check gives rows of one table of findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.boxes import paired_intersections
from redactkit.tables import BOX, sort_detections

__all__ = ["FINDINGS", "as_findings", "find_gaps", "find_suspicious"]

FINDINGS: dict[str, Any] = {
    "kind": "object",
    "face_id": "Int64",
    "frame": "Int64",
    "time": "float64",
    "detail": "object",
}

LARGEST_ID = 999_999
JUMP_SIDES, JUMP_SIDES_PER_SECOND, JUMP_SECONDS = 1.5, 20.0, 1.0
FROZEN_SECONDS, FROZEN_BOXES = 2.0, 12
ALIKE_IOU, ALIKE_FRAMES = 0.5, 3
CROWD = 60
THIN_PIXELS, LARGE_SHARE = 1.0, 1.5
LATE_SECONDS = 1e-3


def as_findings(rows: Any = ()) -> pd.DataFrame:
    """Return a findings table: columns ``kind``, ``face_id``, ``frame``, ``time`` (s), ``detail``."""
    return pd.DataFrame(list(rows), columns=list(FINDINGS)).astype(FINDINGS)


def find_suspicious(annotations: Annotations) -> pd.DataFrame:
    """Return everything suspicious in a set of annotations, in order of time.

    Kinds are ``jump`` (a face moves by more than 1.5 of its sides, and faster than 20 sides a second, from
    one box to the next), ``two boxes of one face``, ``outside`` (no part of the box in the frame),
    ``degenerate`` (a side under one pixel), ``larger than the frame``, ``one frame`` (a face seen once),
    ``frozen`` (the very same box for 2 s and 12 boxes), ``alike`` (two faces that lie on one another in most
    of the frames they share), ``off the frame's time``, ``ID beyond 6 digits``, ``confidence``
    (outside 0 to 1).

    Returns
    -------
    DataFrame
        Columns of `FINDINGS`.

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> truth = read_annotations(sample_truth_path())
    >>> list(find_suspicious(truth).columns)
    ['kind', 'face_id', 'frame', 'time', 'detail']
    """
    rows = sort_detections(annotations.detections)
    by_face = rows.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    found = [table for check in _CHECKS for table in check(rows, by_face, annotations)]
    findings = pd.concat([as_findings(), *found], ignore_index=True) if found else as_findings()
    return findings.sort_values(["time", "frame", "face_id"], kind="stable", ignore_index=True)


def _pick(
    rows: pd.DataFrame, where: NDArray[np.bool_], kind: str, detail: Callable[[Any], str]
) -> Iterator[pd.DataFrame]:
    """Yield the findings of one kind: the rows at which ``where`` is true."""
    if not where.any():
        return
    picked = rows.loc[where]
    details = [detail(row) for row in picked.itertuples(index=True)]
    columns = {"kind": kind, "face_id": picked["face_id"], "frame": picked["frame"], "time": picked["time"]}
    yield pd.DataFrame({**columns, "detail": details}).astype(FINDINGS)


def _boxes_text(row: Any) -> str:
    return f"box {row.x:.1f}, {row.y:.1f}, {row.width:.1f} x {row.height:.1f}"


def _same_face(by_face: pd.DataFrame) -> NDArray[np.bool_]:
    """Return for every row whether the row before it is of the same face."""
    faces = by_face["face_id"].to_numpy()
    return np.concatenate([[False], faces[1:] == faces[:-1]]) if len(faces) else np.zeros(0, bool)


def _seconds_since(by_face: pd.DataFrame, annotations: Annotations) -> NDArray[np.float64]:
    times = by_face["time"].to_numpy(np.float64)
    if not annotations.has_times:
        times = by_face["frame"].to_numpy(np.float64) / 25
    return np.diff(times, prepend=times[:1])


def _jumps(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    x, y, width, height = (by_face[name].to_numpy(np.float64) for name in BOX)
    moved = np.hypot(np.diff(x + width / 2, prepend=np.nan), np.diff(y + height / 2, prepend=np.nan))
    larger = np.maximum(width, height)
    side = np.maximum(np.maximum(larger, np.concatenate([larger[:1], larger[:-1]])), 1.0)
    seconds = _seconds_since(by_face, annotations)
    frames = by_face["frame"].to_numpy()
    shots = np.searchsorted(annotations.cuts, frames, side="right")
    same_shot = np.diff(shots, prepend=shots[:1]) == 0
    far = moved > side * np.maximum(JUMP_SIDES, JUMP_SIDES_PER_SECOND * seconds)
    where = _same_face(by_face) & (seconds > 0) & (seconds <= JUMP_SECONDS) & same_shot & far
    yield from _pick(
        by_face,
        where,
        "jump",
        lambda row: (
            f"moved {moved[row.Index]:.0f} px, {moved[row.Index] / side[row.Index]:.1f} sides, since the box before"
        ),
    )


def _doubles(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    where = rows.duplicated(["frame", "face_id"]).to_numpy()
    yield from _pick(rows, where, "two boxes of one face", _boxes_text)


def _outside(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    width, height = annotations.video.width, annotations.video.height
    if width <= 0:
        return
    right, bottom = rows["x"] + rows["width"], rows["y"] + rows["height"]
    beyond = (right <= 0) | (bottom <= 0) | (rows["x"] >= width) | (rows["y"] >= height)
    yield from _pick(rows, beyond.to_numpy(), "outside", _boxes_text)
    large = (rows["width"] > LARGE_SHARE * width) | (rows["height"] > LARGE_SHARE * height)
    yield from _pick(rows, large.to_numpy(), "larger than the frame", _boxes_text)


def _degenerate(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    thin = (rows["width"] < THIN_PIXELS) | (rows["height"] < THIN_PIXELS)
    yield from _pick(rows, thin.to_numpy(), "degenerate", _boxes_text)


def _single(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    alone = ~by_face["face_id"].duplicated(keep=False).to_numpy()
    if not alone.all():
        yield from _pick(by_face, alone, "one frame", lambda row: "seen in this frame only")


def _frozen(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    boxes = by_face[BOX].to_numpy(np.float64)
    if not len(boxes):
        return
    next_frame = np.diff(by_face["frame"].to_numpy(), prepend=-2) == 1
    same = _same_face(by_face) & next_frame
    same[1:] &= (np.abs(np.diff(boxes, axis=0)) <= 1e-6).all(axis=1)
    first = np.flatnonzero(~same)
    count = np.diff(first, append=len(boxes))
    seconds = np.add.reduceat(np.where(same, _seconds_since(by_face, annotations), 0.0), first)
    long = (count >= FROZEN_BOXES) & (seconds >= FROZEN_SECONDS)
    where = np.zeros(len(boxes), bool)
    where[first[long]] = True
    frozen = dict(
        zip(first[long].tolist(), zip(count[long].tolist(), seconds[long].tolist(), strict=True), strict=True)
    )
    yield from _pick(
        by_face,
        where,
        "frozen",
        lambda row: f"the same box {frozen[row.Index][0]} times, for {frozen[row.Index][1]:.1f} s",
    )


def _alike(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    pairs = _overlapping_pairs(rows)
    if pairs.empty:
        return
    groups = pairs.groupby(["a", "b"])["frame"].agg(["size", "min"]).reset_index()
    groups = groups[groups["size"] >= ALIKE_FRAMES]
    frames = {face: part.to_numpy() for face, part in rows.groupby("face_id")["frame"]}
    shared = [len(np.intersect1d(frames[a], frames[b])) for a, b in zip(groups["a"], groups["b"], strict=True)]
    groups = groups.assign(shared=np.array(shared, np.int64))
    groups = groups[groups["size"] * 2 > groups["shared"]]
    at = rows.drop_duplicates("frame").set_index("frame")["time"]
    yield as_findings(
        ("alike", int(a), int(first), float(at[first]), f"lies on face {b} in {size} of the {both} frames they share")
        for a, b, size, first, both in groups.itertuples(index=False)
    )


def _overlapping_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of faces whose boxes in a frame have an IoU of 0.5 and more.

    Boxes of a frame are sorted by their left side and each compared with the next 60.
    """
    ordered = rows.sort_values(["frame", "x"], kind="stable")
    frame, face = ordered["frame"].to_numpy(), ordered["face_id"].to_numpy()
    boxes = ordered[BOX].to_numpy(np.float64)
    areas = boxes[:, 2] * boxes[:, 3]
    found = []
    for step in range(1, min(CROWD, len(ordered) - 1) + 1):
        here = np.flatnonzero(frame[:-step] == frame[step:])
        if not len(here):
            break
        there = here + step
        shared = paired_intersections(boxes[here], boxes[there])
        alike = shared > ALIKE_IOU * (areas[here] + areas[there] - shared)
        one, other = face[here[alike]], face[there[alike]]
        pair = {"a": np.minimum(one, other), "b": np.maximum(one, other), "frame": frame[here[alike]]}
        found.append(pd.DataFrame(pair))
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame({"a": [], "b": [], "frame": []})


def _late(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    times = annotations.video.times
    frames = rows["frame"].to_numpy()
    if not annotations.has_times or not len(times):
        return
    meant = times[np.minimum(frames, len(times) - 1)]
    late = np.abs(rows["time"].to_numpy() - meant) > LATE_SECONDS
    late |= frames >= len(times)
    yield from _pick(
        rows,
        late,
        "off the frame's time",
        lambda row: f"at {row.time:.4f} s, but the frame is at {meant[row.Index]:.4f} s",
    )


def _numbers(rows: pd.DataFrame, by_face: pd.DataFrame, annotations: Annotations) -> Iterator[pd.DataFrame]:
    first = by_face.drop_duplicates("face_id")
    beyond = ((first["face_id"] < 0) | (first["face_id"] > LARGEST_ID)).to_numpy()
    text = f"IDs from 0 to {LARGEST_ID} have a thumbnail and can be written as azure"
    yield from _pick(first, beyond, "ID beyond 6 digits", lambda row: text)
    wrong = ((rows["confidence"] < 0) | (rows["confidence"] > 1)).to_numpy()
    yield from _pick(rows, wrong, "confidence", lambda row: f"confidence {row.confidence:.3g} is not from 0 to 1")


_CHECKS = [_jumps, _doubles, _outside, _degenerate, _single, _frozen, _alike, _late, _numbers]


def find_gaps(annotations: Annotations) -> pd.DataFrame:
    """Return where faces are missing between two of their boxes.

    Returns
    -------
    DataFrame
        One row per gap: ``face_id``, ``first_frame`` and ``last_frame`` without a box, ``frames``, ``start``
        (s, of the box before) and ``end`` (s, of the box after).

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> truth = read_annotations(sample_truth_path())
    >>> list(find_gaps(truth).columns)
    ['face_id', 'first_frame', 'last_frame', 'frames', 'start', 'end']
    """
    rows = annotations.detections.sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    frame, time = rows["frame"].to_numpy(), rows["time"].to_numpy()
    after = np.flatnonzero(_same_face(rows) & (np.diff(frame, prepend=0) > 1))
    return pd.DataFrame(
        {
            "face_id": rows["face_id"].to_numpy()[after],
            "first_frame": frame[after - 1] + 1,
            "last_frame": frame[after] - 1,
            "frames": frame[after] - frame[after - 1] - 1,
            "start": time[after - 1],
            "end": time[after],
        }
    )
