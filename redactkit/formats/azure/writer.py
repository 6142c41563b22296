"""Write the JSON of Azure Media Redactor so that its own visualizer, a strict reader, can read it."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.formats.capabilities import check_has_boxes
from redactkit.formats.header import Header, as_header, plain
from redactkit.formats.labels import stated_kinds
from redactkit.formats.normalize import round_pixels
from redactkit.media import VideoInfo
from redactkit.runtime.files import write_bytes
from redactkit.tables import BOX, OPTIONAL, check_detections, sort_detections

__all__ = ["LARGEST_ID", "write_azure"]

LARGEST_ID = 999_999
_INT32 = 2**31


class _Face(Struct, gc=False, omit_defaults=True):
    index: int
    id: int
    x: float
    y: float
    width: float
    height: float
    confidence: float | None = None
    source: str = ""
    kind: str = ""
    label: str = ""
    occluded: bool = False
    person: str = ""
    keyframe: bool | None = None


class _Fragment(Struct, gc=False):
    start: int
    duration: int
    interval: int
    events: list[list[_Face]]


class _Document(Struct, gc=False):
    version: int
    timescale: int
    offset: int
    framerate: float
    width: int
    height: int
    fragments: list[_Fragment]
    redactkit: Header


def write_azure(annotations: Annotations, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write an Azure annotation file; see `redactkit.formats.write_annotations`.

    Every frame is one entry, also one without a face. A fragment ends where the spacing of frames
    changes, so that ``start + i * interval`` is the exact PTS of every frame.
    """
    video = annotations.video
    check_has_boxes(annotations, path)
    detections = sort_detections(check_detections(annotations.detections))
    _check_video(video, path)
    _check_rows(detections, video, path)
    timescale, ticks = _as_ticks(video)
    events = _as_events(detections, video)
    document = _Document(
        version=1,
        timescale=timescale,
        offset=0,
        framerate=float(video.frame_rate),
        width=video.width,
        height=video.height,
        fragments=_as_fragments(ticks, events, last=max(1, round(timescale / video.frame_rate))),
        redactkit=as_header(annotations),
    )
    _warn_of_large_ticks(ticks, path)
    text = _encode(document)
    return write_bytes(path, text, overwrite=overwrite)


def _encode(document: _Document) -> bytes:
    try:
        return msgspec.json.encode(document, enc_hook=plain) + b"\n"
    except (TypeError, ValueError, RecursionError, OverflowError) as err:
        raise AnnotationError(f"the settings cannot be written as JSON: {err}") from err


def _check_video(video: VideoInfo, path: str | Path) -> None:
    if video.width <= 0 or video.height <= 0:
        raise AnnotationError(
            f"{path}: the frame's size is unknown, so boxes are no shares of it; read with frame_size"
        )
    if (np.diff(video.pts) <= 0).any():
        raise AnnotationError(f"{path}: the video's PTS must ascend, so that every frame is an entry of its own")


def _check_rows(detections: pd.DataFrame, video: VideoInfo, path: str | Path) -> None:
    if detections.empty:
        return
    ids, last = detections["face_id"], int(detections["frame"].iloc[-1])
    if ids.min() < 0 or ids.max() > LARGEST_ID:
        raise AnnotationError(
            f"{path}: face {ids.min() if ids.min() < 0 else ids.max()} is outside 0 to {LARGEST_ID}, all that this "
            "format has room for; number the faces anew with redactkit.tracking.renumber"
        )
    if last >= video.frame_count:
        raise AnnotationError(f"{path}: frame {last} has a box, but the video only {video.frame_count} frames")
    if detections["time"].isna().any():
        raise AnnotationError(f"{path}: the times of the boxes are unknown; lay them on the video with align")


def _as_ticks(video: VideoInfo) -> tuple[int, NDArray[np.int64]]:
    """Return ticks per second and every frame's tick, in a coarser unit where 32 bits ask for it and all stay whole."""
    timescale = video.time_base.denominator
    ticks = video.pts * video.time_base.numerator
    if np.abs(ticks).max(initial=0) < _INT32 and timescale < _INT32:
        return timescale, ticks
    shared = math.gcd(timescale, int(np.gcd.reduce(ticks, initial=0)))
    return timescale // shared, ticks // shared


def _warn_of_large_ticks(ticks: NDArray[np.int64], path: str | Path) -> None:
    if np.abs(ticks).max(initial=0) >= _INT32:
        text = f"{path}: exact times need more than 32 bits; the original visualizer cannot read them"
        warnings.warn(text, AnnotationWarning, stacklevel=4)


def _as_events(detections: pd.DataFrame, video: VideoInfo) -> list[list[_Face]]:
    """Return the faces of every frame."""
    shares = np.column_stack([_as_shares(detections[name], video) for name in BOX])
    events: list[list[_Face]] = [[] for _ in range(video.frame_count)]
    columns: list[list[Any]] = [detections["frame"].tolist(), detections["face_id"].tolist(), *shares.T.tolist()]
    confidence = [None if math.isnan(value) else value for value in detections["confidence"].tolist()]
    # A box that was drawn is a keyframe, any other is not: only what differs is written.
    usual = detections["keyframe"] == (detections["source"] == "manual")
    keyframes = detections["keyframe"].astype("object").mask(usual, None)
    detections = detections.assign(keyframe=keyframes, kind=stated_kinds(detections))
    more = [detections[name].tolist() for name in ("source", *OPTIONAL)]
    for values in zip(*columns, confidence, *more, strict=True):
        events[values[0]].append(_Face(*values))
    return events


def _as_shares(side: pd.Series[float], video: VideoInfo) -> NDArray[np.float64]:
    """Divide by the frame's size, to so many decimals that a reader gets the pixels back to a billionth."""
    whole = video.width if side.name in ("x", "width") else video.height
    pixels = round_pixels(np.asarray(side, np.float64))
    shares: NDArray[np.float64] = np.round(pixels / whole, 10 + len(str(whole)))
    return shares


def _as_fragments(ticks: NDArray[np.int64], events: list[list[_Face]], *, last: int) -> list[_Fragment]:
    """Split the frames where the time from one to the next changes; the last frame lasts as long as the one before."""
    if not len(ticks):
        return []
    spacing = np.diff(ticks)
    spacing = np.append(spacing, spacing[-1] if len(spacing) else last)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(spacing)) + 1, [len(ticks)]]).tolist()
    return [
        _Fragment(int(ticks[a]), int(spacing[a]) * (b - a), int(spacing[a]), events[a:b]) for a, b in pairwise(starts)
    ]
