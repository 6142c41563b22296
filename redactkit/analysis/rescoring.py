"""A second opinion on doubtful tracks: patterns, shadows and hair look less like faces from close by."""

from __future__ import annotations

import numpy as np
import pandas as pd

from redactkit.analysis.crops import search_crops
from redactkit.boxes import FloatArray, iou
from redactkit.detectors import Detector
from redactkit.errors import VideoError
from redactkit.runtime.progress import ProgressLike, track
from redactkit.tables import BOX
from redactkit.video import VideoReader

__all__ = ["rescore_doubtful"]

CROP_VARIANTS = [(face, mirrored) for face in (32.0, 48.0) for mirrored in (False, True)]
"""Sizes in pixels at which a doubtful face is looked at again, and whether in a mirror."""

SAMPLES_PER_TRACK = 5
SAMPLE_WINDOW_FRAMES = 40
"""Frames from the first sample to the last, so that one seek serves them all."""

MIN_IOU = 0.35


def rescore_doubtful(
    reader: VideoReader,
    detections: pd.DataFrame,
    *,
    detector: Detector,
    sure: float = 0.6,
    progress: ProgressLike = False,
) -> pd.Series[float]:
    """Tell how well each track is borne out by a closer look at a few of its boxes.

    Parameters
    ----------
    reader : VideoReader
    detections : DataFrame
        Linked tracks.
    detector : Detector
        With a low threshold.
    sure : float
        A track with a box of this confidence is not looked at again.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    Series
        For each face the mean of two confidences: that of its boxes, and that of what the closer looks found at
        their places (0 where nothing). For a track that was sure already, its best confidence.
    """
    best = detections.groupby("face_id")["confidence"].max()
    support = best.fillna(1.0)
    doubtful = detections[detections["face_id"].isin(best.index[best < sure])]
    means = doubtful.groupby("face_id")["confidence"].mean()
    samples = _samples(doubtful)
    seen: dict[int, list[float]] = {int(face): [] for face in means.index}
    with track(progress, "verify", total=len(samples)) as update:
        for frame, rows in samples.groupby("frame", sort=True):
            scores = _closer(reader, int(str(frame)), rows[BOX].to_numpy(), detector)
            for face, score in zip(rows["face_id"], scores, strict=True):
                seen[int(face)].append(score)
            update(len(rows))
    for face, scores in seen.items():
        support[face] = (means[face] + float(np.mean(scores))) / 2
    return support


def _samples(detections: pd.DataFrame) -> pd.DataFrame:
    """Pick a few boxes of each track, near its best one in time."""
    picked = [_near_best(rows) for _, rows in detections.groupby("face_id")]
    return pd.concat(picked) if picked else detections


def _near_best(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values("frame")
    best = rows["frame"].to_numpy()[int(rows["confidence"].to_numpy().argmax())]
    near = rows[(rows["frame"] - best).abs() <= SAMPLE_WINDOW_FRAMES // 2]
    picked: pd.DataFrame = near.iloc[np.unique(np.linspace(0, len(near) - 1, SAMPLES_PER_TRACK).round().astype(int))]
    return picked


def _closer(reader: VideoReader, frame: int, boxes: FloatArray, detector: Detector) -> list[float]:
    try:
        shown = reader.frame_at(frame)
    except VideoError:
        return [0.0] * len(boxes)
    looks = [search_crops(detector, shown, boxes, face=face, mirrored=mirrored) for face, mirrored in CROP_VARIANTS]
    return [float(np.mean([_score(box, look[place]) for look in looks])) for place, box in enumerate(boxes)]


def _score(box: FloatArray, found: FloatArray) -> float:
    there = iou(box[None], found[:, :4])[0] > MIN_IOU
    return float(found[there, 4].max(initial=0.0))
