"""Lay boxes that a file knows at its own instants onto the frames of a video, with no frame left bare."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning, MismatchError
from redactkit.media import VideoInfo
from redactkit.tables import BOX, CARRIED, as_detections, sort_detections

__all__ = ["align", "frames_in", "half_spacing", "nearest"]

_CORNERS = ["left", "top", "right", "bottom"]
_KEYS = ["frame", "face_id"]


def align(annotations: Annotations, video: VideoInfo) -> Annotations:
    """Return ``annotations`` on the frames of ``video``, by time; boxes keep their pixels.

    An entry of the file stands for the frame nearest in time. A frame that no entry stands for lies
    between two: a face in both gets a box between theirs, widened most midway, where the interpolated
    position is least certain, and not at all at an entry (midway it spans both boxes); a face in only
    one of them keeps that box until the other. So no frame between two entries is bare. Before the first
    entry and after the last, boxes are held for one interval of the file.

    Boxes whose times are unknown are laid on by frame number.

    Parameters
    ----------
    annotations : Annotations
    video : VideoInfo
        Must know the PTS of its frames.

    Returns
    -------
    Annotations
        With ``video`` as its header. Boxes between entries have the source ``interpolated``.

    Raises
    ------
    AnnotationError
        If the annotations say when faces are seen but not where.
    MismatchError
        If a box has a frame number that the video does not have, or no entry lies within the video.

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> from redactkit.runtime.resources import sample_path
    >>> from redactkit.video import probe
    >>> align(read_annotations(sample_truth_path()), probe(sample_path())).video.frame_count
    500
    """
    if not annotations.has_boxes:
        raise AnnotationError("the annotations say when faces are seen but not where; they cannot be laid on a video")
    if annotations.detections.empty or not video.frame_count:
        return annotations.replace(video=video, detections=annotations.detections.iloc[:0])
    listed = annotations.settings.get("frames_told")
    if listed:
        annotations = _on_listed_frames(annotations, np.array(listed, np.int64), video)
    if not annotations.has_times:
        return _by_number(annotations, video)
    grid = annotations.video.times
    entries = _choose_shift(grid, annotations, video)
    rows = _at_frames(annotations.detections, entries, video)
    cuts = annotations.cuts[(annotations.cuts >= 0) & (annotations.cuts < len(entries))]
    cuts = np.unique(nearest(video.times, entries[cuts])) if len(cuts) else cuts
    return annotations.replace(video=video, detections=rows, cuts=cuts)


def _on_listed_frames(annotations: Annotations, listed: NDArray[np.int64], video: VideoInfo) -> Annotations:
    """Return annotations whose instants are only those frames that the file speaks of, so that boxes are held between.

    Where times are unknown they are those of the video's frames of that number.
    """
    frames = annotations.detections["frame"].to_numpy()
    own = annotations.video.pts if annotations.has_times else video.pts
    _check_last(int(frames.max()), len(own))
    listed = np.union1d(listed[listed < len(own)], frames)
    info = replace(annotations.video if annotations.has_times else video, pts=own[listed])
    place = np.searchsorted(listed, frames)
    rows = annotations.detections.assign(frame=place, time=info.times[place])
    settings = {name: value for name, value in annotations.settings.items() if name != "frames_told"}
    return annotations.replace(video=info, detections=rows, settings=settings)


def _check_last(last: int, frame_count: int) -> None:
    if last >= frame_count:
        raise MismatchError(
            f"frame {last} has a box, but the video has only {frame_count} frames; pass first_frame (--first-frame) "
            "if the file does not count frames from 0"
        )


def _by_number(annotations: Annotations, video: VideoInfo) -> Annotations:
    frames = annotations.detections["frame"].to_numpy()
    _check_last(int(frames.max()), video.frame_count)
    return annotations.replace(video=video, detections=annotations.detections.assign(time=video.times[frames]))


def _choose_shift(grid: NDArray[np.float64], annotations: Annotations, video: VideoInfo) -> NDArray[np.float64]:
    """Return the entries' times as the video counts them.

    Some files count from the video's first frame, others as the container does. Taken is what gives more
    frames an entry with a face; on equal terms what lies nearer to the frames, then the container's time.
    """
    faces = np.unique(annotations.detections["frame"].to_numpy())
    choices = [0.0] if video.times[0] == 0 else [0.0, float(video.times[0])]
    scores = [_fit(grid + shift, faces, video) for shift in choices]
    best = max(range(len(choices)), key=lambda place: (scores[place], -place))
    if scores[best][0] == 0:
        raise MismatchError("no box of the annotations lies within the video's time; they are of another video")
    if best:
        text = f"times count from the video's first frame; {choices[best]:.6g} s were added to each"
        warnings.warn(text, AnnotationWarning, stacklevel=4)
    return np.asarray(grid + choices[best])


def _fit(entries: NDArray[np.float64], faces: NDArray[np.int64], video: VideoInfo) -> tuple[int, int, float]:
    """Return how many entries with a face, and how many at all, lie within the video, and minus their mean distance."""
    distance = np.abs(video.times[nearest(video.times, entries)] - entries)
    inside = distance <= half_spacing(video.times)
    mean = float(distance[inside].mean()) if inside.any() else 0.0
    return int(inside[faces].sum()), int(inside.sum()), -round(mean, 6)


def frames_in(video: VideoInfo, annotations: Annotations) -> NDArray[np.int64]:
    """Return for every frame of some annotations the frame of a video that shows it, shape (F,).

    Frames are paired by time as in `align`; by number where times are unknown.

    Raises
    ------
    MismatchError
        If no box lies within the video's time.
    """
    grid = annotations.video.times
    if not annotations.has_times or not video.frame_count or not len(grid):
        return np.minimum(np.arange(annotations.video.frame_count), max(video.frame_count - 1, 0))
    if annotations.detections.empty:
        return nearest(video.times, grid)
    return nearest(video.times, _choose_shift(grid, annotations, video))


def half_spacing(times: NDArray[np.float64]) -> float:
    """Return half the longest time between two frames, in seconds; half a second for a single frame."""
    return float(np.diff(times).max()) / 2 * 1.0001 + 1e-9 if len(times) > 1 else 0.5


def nearest(times: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return for each wanted time the index of the nearest of ``times``, which ascend and are not empty."""
    right = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(times) - 1)
    nearer: NDArray[np.int64] = np.where(wanted - times[left] <= times[right] - wanted, left, right)
    return nearer


def _at_frames(detections: pd.DataFrame, entries: NDArray[np.float64], video: VideoInfo) -> pd.DataFrame:
    times = video.times
    frame_of_entry = nearest(times, entries)
    inside = np.abs(times[frame_of_entry] - entries) <= half_spacing(times)
    rows = _with_corners(detections)
    lost = ~inside[rows["frame"].to_numpy()]
    if lost.any():
        text = f"{int(lost.sum())} boxes lie before the video's first frame or after its last and are left out"
        warnings.warn(text, AnnotationWarning, stacklevel=5)
    listed = rows[~lost]
    exact = _join_boxes(listed.assign(frame=frame_of_entry[listed["frame"].to_numpy()]))
    between = _between(rows, entries, times, np.setdiff1d(np.arange(len(times)), frame_of_entry[inside]))
    # pandas 2 warns of tables without a row, whose types it does not count.
    joined = pd.concat([part for part in (exact, between) if len(part)] or [exact], ignore_index=True)
    corners = joined[_CORNERS].to_numpy()
    boxes = pd.DataFrame(np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]), columns=BOX)
    table = joined.drop(columns=[*_CORNERS, *BOX], errors="ignore").assign(**boxes)
    table["time"] = times[table["frame"].to_numpy()]
    return sort_detections(as_detections(table))


def _with_corners(detections: pd.DataFrame) -> pd.DataFrame:
    x, y, width, height = (detections[name].to_numpy() for name in BOX)
    return detections.assign(left=x, top=y, right=x + width, bottom=y + height)


def _join_boxes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one box per face and frame: where several entries stand for one frame, the box around them all."""
    if not rows.duplicated(_KEYS).any():
        return rows
    around: dict[str, str] = {"left": "min", "top": "min", "right": "max", "bottom": "max", "confidence": "max"}
    around |= dict.fromkeys(("source", *CARRIED), "first") | {"occluded": "min"}
    return rows.groupby(_KEYS, as_index=False, observed=True).agg(around)


def _between(
    rows: pd.DataFrame, entries: NDArray[np.float64], times: NDArray[np.float64], bare: NDArray[np.int64]
) -> pd.DataFrame:
    """Return boxes for the frames that no entry stands for."""
    after = np.searchsorted(entries, times[bare])
    gaps = pd.DataFrame({"at": bare, "before": after - 1, "after": after})
    usual = float(np.median(np.diff(entries))) * 1.001 if len(entries) > 1 else 0.0
    within = (times[bare] >= entries[0] - usual) & (times[bare] <= entries[-1] + usual)
    gaps = gaps[within]
    names = ["frame", "face_id", *_CORNERS, "confidence", *CARRIED]
    first = gaps.merge(rows[names], left_on="before", right_on="frame")
    last = gaps.merge(rows[names], left_on="after", right_on="frame")
    both = first.merge(last, on=["at", "before", "after", "face_id"], how="outer", suffixes=("_a", "_b"))
    return _blend(both, entries, times)


def _blend(both: pd.DataFrame, entries: NDArray[np.float64], times: NDArray[np.float64]) -> pd.DataFrame:
    at, before, after = (both[name].to_numpy(np.int64) for name in ("at", "before", "after"))
    start, stop = entries[np.clip(before, 0, None)], entries[np.clip(after, None, len(entries) - 1)]
    share = np.divide(times[at] - start, stop - start, out=np.zeros(len(both)), where=stop > start)
    slack = np.minimum(share, 1 - share)
    table: dict[str, Any] = {"frame": at, "face_id": both["face_id"].to_numpy(np.int64)}
    for name in _CORNERS:
        first, last = _filled(both, name)
        ends = [first + (last - first) * weight for weight in (share - slack, share + slack)]
        table[name] = np.minimum(*ends) if name in ("left", "top") else np.maximum(*ends)
    first, last = _filled(both, "confidence")
    table["confidence"] = np.fmin(first, last)
    for name in CARRIED:
        table[name] = both[f"{name}_a"].fillna(both[f"{name}_b"]).to_numpy(object)
    return pd.DataFrame({**table, "source": np.full(len(both), "interpolated", object), "occluded": False})


def _filled(both: pd.DataFrame, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a column before and after, each filled from the other."""
    first, last = both[f"{name}_a"], both[f"{name}_b"]
    return first.fillna(last).to_numpy(np.float64), last.fillna(first).to_numpy(np.float64)
