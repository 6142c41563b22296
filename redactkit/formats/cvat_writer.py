"""Write CVAT for video XML 1.1 that CVAT's own importer takes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.formats.attributes import attributes_of
from redactkit.formats.capabilities import check_frames, warn_of_losses
from redactkit.formats.cvat_shapes import COMPUTED, computed
from redactkit.formats.labels import class_names
from redactkit.formats.normalize import round_pixels
from redactkit.runtime.files import write_text
from redactkit.runtime.marks import XML_MARK
from redactkit.tables import BOX, CARRIED, FACE

__all__ = ["write_cvat"]

_STRAIGHT = 1e-10
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Corners = NDArray[np.float64]


def write_cvat(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write CVAT XML; every object is a track of the label that its first box has, of its kind where it has none.

    A box is a keyframe where it is one here, and where CVAT's straight line between two keyframes would not give it.
    Where a face goes, its box stands once more, ``outside``. A box that is no keyframe here has the attribute
    ``computed``, by which it is none when it is read again, unless somebody moved it. Decisions and persons are
    attributes, which CVAT keeps where its task has attributes of these names.

    References
    ----------
    CVAT manual, "XML annotation format", version 1.1.
    """
    detections = check_frames(annotations, path, format="cvat")
    count = annotations.video.frame_count
    if len(detections) and int(detections["frame"].iloc[-1]) >= count:
        raise AnnotationError(f"{path}: a box lies in a frame beyond the video's {count}")
    attributes_by_face = _attributes_by_face(annotations, detections)
    lines = [
        *_head(annotations, detections, attributes_by_face),
        *_tracks(detections, count, attributes_by_face),
        "</annotations>",
        "",
    ]
    write_text(path, "\n".join(lines), overwrite=overwrite)
    warn_of_losses(annotations, path, format="cvat")
    for name in CARRIED:
        changing = int((detections.groupby("face_id")[name].nunique() > 1).sum())
        if changing:
            text = f"{path}: the {name}s of {changing} faces change, and a track of cvat has one: that of the first box"
            warnings.warn(text, AnnotationWarning, stacklevel=3)
    return Path(path)


def _attributes_by_face(annotations: Annotations, detections: pd.DataFrame) -> dict[int, dict[str, Any]]:
    """Return the attributes of every face that has any."""
    attributes_by_face = attributes_of(annotations.decisions)
    persons = detections[detections["person"] != ""].drop_duplicates("face_id")
    for face, person in zip(persons["face_id"].tolist(), persons["person"].tolist(), strict=True):
        attributes_by_face[face] = attributes_by_face.get(face, {}) | {"person": person}
    return attributes_by_face


def _text(value: str) -> str:
    return escape(_ILLEGAL.sub(" ", value))


def _head(
    annotations: Annotations, detections: pd.DataFrame, attributes_by_face: Mapping[int, Mapping[str, Any]]
) -> Iterator[str]:
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
    used = dict.fromkeys(attribute for attributes in attributes_by_face.values() for attribute in attributes)
    used |= {} if detections["keyframe"].all() else {COMPUTED: None}
    ending = f"<attributes>{''.join(map(_declaration, used))}</attributes></label>"
    labels = "".join(f"<label><name>{_text(label)}</name>{ending}" for label in names)
    yield f"      <labels>{labels}</labels>"
    if video.width > 0:
        size = f"<width>{video.width}</width><height>{video.height}</height>"
        yield f"      <original_size>{size}</original_size>"
    yield "    </task>"
    yield f"    <source>{name}</source>"
    yield "  </meta>"


def _declaration(attribute: str) -> str:
    """Return how CVAT declares an attribute of a label: its kind of input, and what stands where nobody chose."""
    kind, values = ("checkbox", "true") if attribute == "redact" else ("text", "")
    return (
        f"<attribute><name>{attribute}</name><mutable>{attribute == COMPUTED}</mutable><input_type>{kind}</input_type>"
        f"<default_value>{values}</default_value><values>{values}</values></attribute>"
    )


def _tracks(detections: pd.DataFrame, count: int, attributes_by_face: Mapping[int, Mapping[str, Any]]) -> Iterator[str]:
    for face, rows in detections.groupby("face_id", sort=True):
        label = quoteattr(_ILLEGAL.sub(" ", class_names(rows.iloc[:1])[0]))
        yield f'  <track id="{face}" label={label} source="{_source(rows)}">'
        frames = rows["frame"].to_numpy(np.int64)
        boxes, keyframes = rows[BOX].to_numpy(np.float64), rows["keyframe"].to_numpy()
        corners = round_pixels(np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]))
        occluded = rows["occluded"].to_numpy(bool)
        inner = "".join(map(_attribute, attributes_by_face.get(int(rows["face_id"].iloc[0]), {}).items()))
        ends = np.flatnonzero(np.diff(frames) > 1) + 1
        for first, stop in pairwise([0, *ends.tolist(), len(frames)]):
            run = slice(first, stop)
            yield from _run(frames[run], corners[run], occluded[run], keyframes[run], count=count, inner=inner)
        yield "  </track>"


def _attribute(attribute: tuple[str, Any]) -> str:
    name, value = attribute
    return f'<attribute name="{name}">{_text(str(value).lower() if value is False else str(value))}</attribute>'


def _source(rows: pd.DataFrame) -> str:
    return "manual" if (rows["source"] == "manual").all() else "auto"


def _run(
    frames: NDArray[np.int64],
    corners: Corners,
    occluded: NDArray[np.bool_],
    keyframes: NDArray[np.bool_],
    *,
    count: int,
    inner: str,
) -> Iterator[str]:
    """Write the boxes of frames that follow one another, and the end of the run where the video goes on."""
    changes = np.diff(occluded, prepend=occluded[:1])  # what a keyframe says of occlusion holds to the next one
    for place in np.flatnonzero(_needed(frames, corners) | keyframes | changes).tolist():
        frame = int(frames[place])
        more = "" if keyframes[place] else _attribute((COMPUTED, computed(frame, corners[place].tolist())))
        yield _box(frame, corners[place], occluded=occluded[place], inner=inner + more)
    if frames[-1] + 1 < count:
        yield _box(int(frames[-1]) + 1, corners[-1], occluded=occluded[-1], outside=True, inner=inner)


def _box(frame: int, corners: Corners, *, occluded: bool, outside: bool = False, inner: str) -> str:
    left, top, right, bottom = (f"{value:.9f}".rstrip("0").rstrip(".") for value in corners.tolist())
    return (
        f'    <box frame="{frame}" outside="{outside:d}" occluded="{occluded:d}" keyframe="1" '
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
