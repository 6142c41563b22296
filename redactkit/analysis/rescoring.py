"""Rescore doubtful tracks by test-time augmentation: detect again in crops of two scales, plain and mirrored.

A face keeps its confidence in such crops; patterns, shadows and hair lose it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from redactkit.boxes import FloatArray, iou
from redactkit.detectors import Detector
from redactkit.detectors.crops import scaled_crops, search_scaled
from redactkit.errors import VideoError
from redactkit.runtime.progress import ProgressLike, track
from redactkit.tables import BOX
from redactkit.video import Frame, VideoReader

__all__ = ["crop_confidences", "rescore_doubtful"]

CROP_FACES_PIXELS = (32.0, 48.0)
"""Longer sides in pixels that a face gets in the crops; each is searched plain and mirrored."""

DOUBTFUL_FACES_PIXELS = (48.0, 72.0)
"""The same for a doubtful track, whose boxes were found at smaller sizes: what is none loses most when it is large."""

CROP_WEIGHT = 2 / 3
"""Weight of the crops' confidences beside the boxes'. Raising it discards more of what only looks like a face."""

SAMPLES_PER_TRACK = 5
"""Boxes of a track that are rescored. Raising it judges tracks better, and takes longer."""

SAMPLE_WINDOW_FRAMES = 40
"""Frames from the first sample to the last, so that one seek serves them all."""

MIN_IOU = 0.35
"""Least IoU of a detection in the crop with the box that is rescored. Raising it lowers the scores."""


def rescore_doubtful(
    reader: VideoReader,
    detections: pd.DataFrame,
    *,
    detector: Detector,
    sure: float = 0.6,
    enough: float = np.inf,
    progress: ProgressLike = False,
) -> pd.Series[float]:
    """Score each track by its boxes and, if it is doubtful, by detecting again in crops around some of them.

    Parameters
    ----------
    reader : VideoReader
    detections : DataFrame
        Linked tracks.
    detector : Detector
        With a low threshold.
    sure : float
        Confidence of one box from which a track is not doubtful. Raising it rescores more tracks.
    enough : float
        Score at which a track is looked at no more: its score is then one that further crops could only raise.
        Raising it looks at more crops.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    Series
        By face ID: the weighted mean of the boxes' mean confidence and of the crops' mean confidence (0 where a crop
        shows nothing). For a track that is not doubtful, its highest confidence.
    """
    # A track without any confidence, drawn or imported, is not doubtful.
    best = detections.groupby("face_id")["confidence"].max()
    support = best.fillna(1.0)
    doubtful = detections[detections["face_id"].isin(best.index[best < sure])]
    means = doubtful.groupby("face_id")["confidence"].mean()
    samples = _samples(doubtful)
    counts = samples.groupby("face_id").size() * 2 * len(DOUBTFUL_FACES_PIXELS)
    # The sum of the crops' confidences from which the score is enough, and that so far.
    needed = {
        int(face): (enough - (1 - CROP_WEIGHT) * means[face]) / CROP_WEIGHT * counts[face] for face in means.index
    }
    sums = dict.fromkeys(needed, 0.0)
    # Frame by frame over all tracks, so that the video is decoded forwards.
    with track(progress, "verify", total=len(samples)) as update:
        for frame, rows in samples.groupby("frame", sort=True):
            undecided = rows[[sums[int(face)] < needed[int(face)] for face in rows["face_id"]]]
            if len(undecided):
                _add_confidences(reader, int(str(frame)), undecided, detector, sums=sums, needed=needed)
            update(len(rows))
    for face, total in sums.items():
        support[face] = (1 - CROP_WEIGHT) * means[face] + CROP_WEIGHT * total / counts[face]
    return support


def _samples(detections: pd.DataFrame) -> pd.DataFrame:
    """Pick a few boxes of each track, near its most confident one in time."""
    picked = [_near_best(rows) for _, rows in detections.groupby("face_id")]
    return pd.concat(picked) if picked else detections


def _near_best(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.sort_values("frame")
    best = rows["frame"].to_numpy()[int(rows["confidence"].to_numpy().argmax())]
    near = rows[(rows["frame"] - best).abs() <= SAMPLE_WINDOW_FRAMES // 2]
    picked: pd.DataFrame = near.iloc[np.unique(np.linspace(0, len(near) - 1, SAMPLES_PER_TRACK).round().astype(int))]
    return picked


def _add_confidences(
    reader: VideoReader,
    frame: int,
    rows: pd.DataFrame,
    detector: Detector,
    *,
    sums: dict[int, float],
    needed: dict[int, float],
) -> None:
    """Add the crop confidences of a frame's boxes to their tracks' sums; 0 for a frame that does not decode."""
    try:
        shown = reader.frame_at(frame)
    except VideoError:
        return
    boxes, faces = rows[BOX].to_numpy(), [int(face) for face in rows["face_id"]]
    for pixels in DOUBTFUL_FACES_PIXELS:
        left = [k for k, face in enumerate(faces) if sums[face] < needed[face]]
        crops = scaled_crops(shown, boxes[left], face=pixels)
        for mirrored in (False, True):
            # What the crops before have decided is not searched.
            still = [place for place, k in enumerate(left) if sums[faces[k]] < needed[faces[k]]]
            found = search_scaled(detector, [crops[place] for place in still], mirrored=mirrored)
            for place, there in zip(still, found, strict=True):
                sums[faces[left[place]]] += _score(boxes[left[place]], there)


def crop_confidences(detector: Detector, frame: Frame, boxes: FloatArray) -> list[float]:
    """Return for each box, shape (N, 4), the mean confidence of a face there over all crops, plain and mirrored."""
    variants = []
    for pixels in CROP_FACES_PIXELS:
        crops = scaled_crops(frame, boxes, face=pixels)
        variants += [search_scaled(detector, crops, mirrored=mirrored) for mirrored in (False, True)]
    return [float(np.mean([_score(box, found[k]) for found in variants])) for k, box in enumerate(boxes)]


def _score(box: FloatArray, found: FloatArray) -> float:
    """Return the highest confidence of the detections that overlap a box enough."""
    there = iou(box[None], found[:, :4])[0] > MIN_IOU
    return float(found[there, 4].max(initial=0.0))
