"""Write CVAT for video XML 1.1 that CVAT's own importer takes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.formats.capabilities import check_frames, warn_of_losses
from redactkit.formats.labels import class_names
from redactkit.formats.normalize import round_pixels
from redactkit.identities import joined_faces
from redactkit.runtime.files import write_text
from redactkit.runtime.marks import XML_MARK
from redactkit.tables import BOX, FACE

__all__ = ["write_cvat"]

_STRAIGHT = 1e-10
_PERSON = (
    "<attribute><name>person_id</name><mutable>False</mutable><input_type>text</input_type>"
    "<default_value></default_value><values></values></attribute>"
)
"""Declares the attribute that says which tracks are one person, for CVAT takes only what its label declares."""
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Corners = NDArray[np.float64]


def write_cvat(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write CVAT XML; every object is a track of the label that its first box has, of its kind where it has none.

    A box is a keyframe where it is one here, and where CVAT's straight line between two keyframes would not give it.
    Where a face goes, its box stands once more, ``outside``.

    References
    ----------
    CVAT manual, "XML annotation format", version 1.1.
    """
    detections = check_frames(annotations, path, format="cvat")
    count = annotations.video.frame_count
    if len(detections) and int(detections["frame"].iloc[-1]) >= count:
        raise AnnotationError(f"{path}: a box lies in a frame beyond the video's {count}")
    person_of = joined_faces(annotations.decisions)
    head = _head(annotations, detections, _PERSON if person_of else "")
    lines = [*head, *_tracks(detections, count, person_of), "</annotations>", ""]
    write_text(path, "\n".join(lines), overwrite=overwrite)
    warn_of_losses(annotations, path, format="cvat")
    changing = int((detections.groupby("face_id")["label"].nunique() > 1).sum())
    if changing:
        text = f"{path}: the labels of {changing} faces change, and a track of cvat has one: that of the first box"
        warnings.warn(text, AnnotationWarning, stacklevel=3)
    return Path(path)


def _text(value: str) -> str:
    return escape(_ILLEGAL.sub(" ", value))


def _head(annotations: Annotations, detections: pd.DataFrame, attributes: str) -> Iterator[str]:
    video = annotations.video
    name = _text(video.path.name if video.path is not None else "annotations")
    last = max(video.frame_count - 1, 0)
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield XML_MARK
    yield "<annotations>"
    yield "  <version>1.1</version>"
    yield "  <meta>"
    yield f"    <task><name>{name}</name><size>{video.frame_count}</size><mode>interpolation</mode><overlap>0</overlap>"
    yield f"      <start_frame>0</start_frame><stop_frame>{last}</stop_frame><frame_filter></frame_filter>"
    names = sorted({*class_names(detections), FACE})
    ending = f"<attributes>{attributes}</attributes></label>"
    labels = "".join(f"<label><name>{_text(label)}</name>{ending}" for label in names)
    yield f"      <labels>{labels}</labels>"
    if video.width > 0:
        size = f"<width>{video.width}</width><height>{video.height}</height>"
        yield f"      <original_size>{size}</original_size>"
    yield "    </task>"
    yield f"    <source>{name}</source>"
    yield "  </meta>"


def _tracks(detections: pd.DataFrame, count: int, person_of: dict[int, int]) -> Iterator[str]:
    for face, rows in detections.groupby("face_id", sort=True):
        label = quoteattr(_ILLEGAL.sub(" ", class_names(rows.iloc[:1])[0]))
        yield f'  <track id="{face}" label={label} source="{_source(rows)}">'
        frames = rows["frame"].to_numpy(np.int64)
        boxes, keyframes = rows[BOX].to_numpy(np.float64), rows["keyframe"].to_numpy()
        corners = round_pixels(np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]))
        ends = np.flatnonzero(np.diff(frames) > 1) + 1
        person = person_of.get(int(str(face)))
        inner = "" if person is None else f'<attribute name="person_id">{person}</attribute>'
        for first, stop in pairwise([0, *ends.tolist(), len(frames)]):
            yield from _run(frames[first:stop], corners[first:stop], keyframes[first:stop], count, inner)
        yield "  </track>"


def _source(rows: pd.DataFrame) -> str:
    return "manual" if (rows["source"] == "manual").all() else "auto"


def _run(
    frames: NDArray[np.int64], corners: Corners, keyframes: NDArray[np.bool_], count: int, inner: str
) -> Iterator[str]:
    """Write the boxes of frames that follow one another, and the end of the run where the video goes on."""
    for place in np.flatnonzero(_needed(frames, corners) | keyframes).tolist():
        yield _box(int(frames[place]), corners[place], inner, outside=0)
    if frames[-1] + 1 < count:
        yield _box(int(frames[-1]) + 1, corners[-1], inner, outside=1)


def _box(frame: int, corners: Corners, inner: str, *, outside: int) -> str:
    left, top, right, bottom = (f"{value:.9f}".rstrip("0").rstrip(".") for value in corners.tolist())
    return (
        f'    <box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" '
        f'xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}" z_order="0">{inner}</box>'
    )


def _needed(frames: NDArray[np.int64], corners: Corners) -> NDArray[np.bool_]:
    """Return which boxes must be keyframes: all but those on a straight line through time."""
    needed = np.ones(len(frames), bool)
    if len(frames) > 2:
        bend = np.abs(np.diff(corners, n=2, axis=0)).max(axis=1)
        needed[1:-1] = bend > _STRAIGHT
    kept = np.flatnonzero(needed)
    if kept[-1] != len(frames) - 1 or len(kept) == len(frames):
        return needed
    line = np.column_stack([np.interp(frames, frames[kept], corners[kept, side]) for side in range(4)])
    off = np.abs(line - corners).max(axis=1) > _STRAIGHT
    segment = np.searchsorted(kept, np.arange(len(frames)), side="right")
    return needed | np.isin(segment, np.unique(segment[off]))
