"""To and from the ``Detections`` of the package supervision, which many detectors and trackers hand out.

The package itself is imported when first needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, OptionError
from redactkit.formats.capabilities import check_has_boxes
from redactkit.formats.labels import FACE, class_names
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_detections, frame_rows, sort_detections
from redactkit.tracking.linking import link

__all__ = ["from_supervision", "to_supervision"]


@overload
def to_supervision(annotations: Annotations) -> list[Any]: ...
@overload
def to_supervision(annotations: Annotations, *, frame: int) -> Any: ...
def to_supervision(annotations: Annotations, *, frame: int | None = None) -> Any:
    """Return the boxes of one frame, or of every frame, as ``supervision.Detections``.

    ``tracker_id`` is the face ID, and ``confidence`` is NaN where it is not known. ``data`` has ``class_name`` (the
    label of the box, "face" where it has none), which ``class_id`` numbers with faces as 0, ``source``, and
    ``redact``, whether the face is to be hidden.

    Parameters
    ----------
    annotations : Annotations
    frame : int, optional
        One frame; by default all.

    Returns
    -------
    supervision.Detections, or list of them
        Of all frames, one for each frame of the video in order, so that they can be zipped with its pictures.

    Raises
    ------
    AnnotationError
        If a face has no box.
    OptionError
        If the package supervision is not installed, or the video has no such frame.

    Examples
    --------
    >>> held = to_supervision(annotations, frame=12)  # doctest: +SKIP
    >>> held.tracker_id, held.data["redact"]  # doctest: +SKIP
    (array([1, 2]), array([ True, False]))
    """
    package = _import_package()
    check_has_boxes(annotations, "supervision")
    rows = sort_detections(annotations.detections)
    frames = rows["frame"].to_numpy()
    count = max(annotations.frame_count, int(frames.max(initial=-1)) + 1)
    if frame is not None:
        if not 0 <= frame < count:
            raise OptionError(f"frame must be 0 to {count - 1}, got {frame}")
        return _as_held(package, rows.iloc[frame_rows(frames, frame)], annotations)
    return [_as_held(package, rows.iloc[frame_rows(frames, number)], annotations) for number in range(count)]


def from_supervision(
    detections: Iterable[Any] | Mapping[int, Any],
    *,
    video: VideoInfo | str | Path,
) -> Annotations:
    """Take the ``supervision.Detections`` of a video's frames as annotations.

    Boxes without a ``tracker_id`` (none at all, or a negative one, as trackers give to boxes that they do not
    follow yet) are linked by `redactkit.tracking.link`, and get IDs after the others. ``data["class_name"]`` becomes
    the label of a box. Masks are not read.
    Everything is to be redacted, but for faces of which ``data["redact"]`` is false in every frame.

    Parameters
    ----------
    detections : iterable or mapping
        One for each frame, in order from the first, or a mapping from frame numbers.
    video : VideoInfo or path
        The video that the frames are of.

    Returns
    -------
    Annotations

    Raises
    ------
    AnnotationError
        If there are more frames than the video has, a box is not finite or has a negative side, or one face has
        two boxes in a frame.
    VideoError
        If the video cannot be read.

    Examples
    --------
    >>> tracker = sv.ByteTrack()  # doctest: +SKIP
    >>> held = [tracker.update_with_detections(find(picture)) for picture in pictures]  # doctest: +SKIP
    >>> redactkit.redact("lobby.mp4", from_supervision(held, video="lobby.mp4"))  # doctest: +SKIP
    """
    info = _probed(video)
    frames = dict(detections) if isinstance(detections, Mapping) else dict(enumerate(detections))
    outside = [frame for frame in frames if not 0 <= frame < info.frame_count]
    if outside:
        raise AnnotationError(
            f"there are detections of frame {outside[0]}, but {info.name or 'the video'} has frames 0 to "
            f"{info.frame_count - 1}; pass those of this video"
        )
    parts = [_as_rows(held, frame) for frame, held in frames.items() if len(held)]
    if not parts:
        return Annotations(info, as_detections({}))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    redact = columns.pop("redact")
    rows = as_detections(columns | {"time": info.times[columns["frame"]]})
    _refuse(rows, _is_no_box(rows), "a box that is not finite or has a negative side")
    rows["face_id"] = _complete_ids(rows, frame_rate=float(info.frame_rate))
    _refuse(rows, rows.duplicated(["frame", "face_id"]).to_numpy(), "two boxes of one face")
    redacted = pd.Series(redact).groupby(rows["face_id"].to_numpy()).any()
    decisions = pd.DataFrame({"redact": redacted, "label": "", "reason": ""}).rename_axis("face_id")
    return Annotations(info, sort_detections(rows), decisions)


def _as_held(package: ModuleType, rows: pd.DataFrame, annotations: Annotations) -> Any:
    faces = rows["face_id"].to_numpy()
    names = np.array(class_names(rows), dtype=str)
    classes = sorted({FACE, *class_names(annotations.detections)}, key=lambda name: (name != FACE, name))
    data = {
        "class_name": names,
        "source": rows["source"].astype(str).to_numpy(dtype=str),
        "redact": annotations.decisions["redact"].reindex(faces).to_numpy(bool),
    }
    return package.Detections(
        xyxy=bx.to_corners(rows[BOX].to_numpy()).reshape(-1, 4),
        confidence=rows["confidence"].to_numpy(),
        class_id=np.array([classes.index(name) for name in names], int),
        tracker_id=faces,
        data=data,
    )


def _as_rows(held: Any, frame: int) -> dict[str, NDArray[Any]]:
    """Return the boxes of one frame as columns; face ID -1 for those without one."""
    count = len(held)
    corners = np.asarray(held.xyxy, np.float64).reshape(-1, 4)
    ids, confidence = held.tracker_id, held.confidence
    redact, names = ((held.data or {}).get(name) for name in ("redact", "class_name"))
    return {
        "frame": np.full(count, frame),
        "face_id": np.full(count, -1) if ids is None else np.asarray(ids).astype(np.int64),
        **dict(zip(BOX, bx.from_corners(corners).T, strict=True)),
        "confidence": np.full(count, np.nan) if confidence is None else np.asarray(confidence, np.float64),
        "label": np.full(count, "", object) if names is None else np.asarray(names).astype(str).astype(object),
        "redact": np.ones(count, bool) if redact is None else np.asarray(redact, bool),
    }


def _complete_ids(rows: pd.DataFrame, *, frame_rate: float) -> NDArray[np.int64]:
    """Return the face IDs, with those that are missing made by linking."""
    ids = rows["face_id"].to_numpy().copy()
    missing = ids < 0
    if missing.any():
        linked = link(rows[missing].reset_index(drop=True), frame_rate=frame_rate)
        ids[missing] = linked["face_id"].to_numpy() + max(0, int(ids.max()))
    return ids


def _is_no_box(rows: pd.DataFrame) -> NDArray[np.bool_]:
    values = rows[BOX].to_numpy()
    bad: NDArray[np.bool_] = ~np.isfinite(values).all(axis=1) | (values[:, 2:] < 0).any(axis=1)
    return bad


def _refuse(rows: pd.DataFrame, wrong: NDArray[np.bool_], what: str) -> None:
    if wrong.any():
        row = rows[wrong].iloc[0]
        raise AnnotationError(
            f"supervision.Detections of frame {row['frame']} have {what} (tracker_id {row['face_id']}); mend them"
        )


def _probed(video: VideoInfo | str | Path) -> VideoInfo:
    if isinstance(video, VideoInfo):
        return video
    from redactkit.video import probe  # annotations can be made without PyAV where the header is given

    return probe(video)


def _import_package() -> ModuleType:
    try:
        return importlib.import_module("supervision")
    except ImportError as err:
        raise OptionError("this needs the package supervision; install redactkit[supervision]") from err
