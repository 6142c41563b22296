"""Judge what the search for unknown faces found: link it to appearances, and weigh each as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_detections
from redactkit.tracking import fill_gaps, link
from redactkit.verification.unknown_faces import MIN_VISIBLE_IOU, Row

__all__ = ["UnknownFace", "judge_unknown_faces"]

CLEAR_COVERED_SHARE, HALF_COVERED_SHARE = 0.75, 0.5
"""Cover below which several frames leave no doubt that a face is partly bare, and below which one does."""

SURE_SUPPORT, DOUBTFUL_SUPPORT = 0.6, 0.45
"""Support from which an unknown face is sure, and from which it is to be looked at."""

NEAR_DOUBTFUL_SUPPORT = 0.3
"""Support from which a face next to its track's boxes is to be looked at; there `DOUBTFUL_SUPPORT` makes it sure."""


WEAK_SUPPORT, WEAK_CROP_SUPPORT, WEAK_SINGLE_SUPPORT = 0.3, 0.25, 0.4
"""The same for what the analysis did not set aside: mean of the search's and the crops' confidence over several
frames, of it the crops' alone, and that mean in a single frame.

In five clips and two walls of patterns what was no face had 0.29, 0.21 and 0.36 at most; heads in the dark that the
analysis had found by tracking had 0.35, 0.30 and 0.42.
"""

MIN_WEAK_PIXELS = 20
"""Width in pixels from which such weak support counts."""

SAME_IOU = 0.4
"""Intersection over union from which two finds of a frame are one face."""


@dataclass(frozen=True)
class UnknownFace:
    """One appearance of a face that is not hidden: its rows, and how sure it is one.

    Parameters
    ----------
    rows : DataFrame
        Its boxes, frame by frame.
    covered : float
        Share of them that hidden boxes cover, the median.
    support : float
        Mean confidence in crops of the output.
    near : int
        The face whose track it goes on, -1 for none.
    sure : bool
    in_gap : bool
        Whether no face was seen, and a track skips these frames.
    """

    rows: pd.DataFrame
    covered: float
    support: float
    near: int
    sure: bool
    in_gap: bool = False


def judge_unknown_faces(
    rows: Iterable[Row], annotations: Annotations, info: VideoInfo, *, gaps: Iterable[Row] = ()
) -> list[UnknownFace]:
    """Link what was found to appearances and judge each as a whole; ``gaps`` are frames that tracks skip.

    A face is sure from a mean confidence of 0.6 in crops of the output; what the analysis has set aside as no face must
    be surer. A place where crops of the output show much less of a face than crops of the source is hidden by
    another tool.
    """
    table = _once(pd.DataFrame(list(rows)))
    skipped = pd.DataFrame(list(gaps))
    if not len(table):
        return _gaps(skipped, [])
    linked = link(
        as_detections(table.assign(face_id=0, source="detected")),
        frame_rate=float(info.frame_rate),
        cuts=annotations.cuts,
    )
    keys = ["frame", *BOX]
    linked = linked.merge(
        table[[*keys, "covered", "source", "output", "near"]].rename(columns={"source": "seen"}), on=keys
    )
    judged = [_judge(track, annotations, info) for _, track in linked.groupby("face_id")]
    found = [unknown for unknown in judged if unknown is not None]
    return [*found, *_gaps(skipped, found)]


def _once(table: pd.DataFrame) -> pd.DataFrame:
    """Drop what was found twice in a frame: by the search, and by the closer look along a track, which stays."""
    if not len(table):
        return table
    ordered = table.sort_values(["frame", "near", "confidence"], ascending=[True, False, False], kind="stable")
    kept: list[int] = []
    for _, rows in ordered.groupby("frame"):
        boxes = rows[BOX].to_numpy(np.float64)
        taken: list[int] = []
        for place in range(len(rows)):
            if not taken or bx.iou(boxes[place][None], boxes[taken]).max() < SAME_IOU:
                taken.append(place)
        kept += rows.index[taken].tolist()
    return ordered.loc[kept].reset_index(drop=True)


def _gaps(skipped: pd.DataFrame, found: list[UnknownFace]) -> list[UnknownFace]:
    """Return the short gaps of tracks, but for those in which the face was seen."""
    seen = {(unknown.near, frame) for unknown in found for frame in unknown.rows["frame"].tolist()}
    gaps = []
    for face, track in skipped.groupby("near") if len(skipped) else ():
        frames = track["frame"].to_numpy()
        for _, rows in track.groupby(np.cumsum(np.diff(frames, prepend=frames[0]) > 1)):
            near = int(str(face))
            if not any((near, frame) in seen for frame in rows["frame"].tolist()):
                drawn = as_detections(rows[["frame", "time", *BOX]].assign(face_id=0, source="interpolated"))
                gaps.append(UnknownFace(drawn, float(rows["covered"].median()), 0.0, near, sure=False, in_gap=True))
    return gaps


def _judge(track: pd.DataFrame, annotations: Annotations, info: VideoInfo) -> UnknownFace | None:
    support, seen = float(track["output"].mean()), float(track["seen"].mean())
    covered = float(track["covered"].median())
    near = int(track["near"].max())
    if seen > 0 and support < 0.5 * seen:
        return None
    aside = near < 0 and _was_set_aside(track, annotations)
    doubt, sure = (NEAR_DOUBTFUL_SUPPORT, DOUBTFUL_SUPPORT) if near >= 0 else (DOUBTFUL_SUPPORT, SURE_SUPPORT)
    if aside:
        doubt, sure = SURE_SUPPORT, SURE_SUPPORT + 0.15
    best = max(support, float(track["confidence"].mean())) if len(track) > 1 else support
    if best < doubt and (aside or not _is_weak_face(track, support)):
        return None
    filled = fill_gaps(
        as_detections(track), times=info.times, cuts=annotations.cuts, longest=round(2 * float(info.frame_rate))
    )
    # A box that covers most of a face in a single frame may be a matter of where the search drew it.
    enough = covered < HALF_COVERED_SHARE or (covered < CLEAR_COVERED_SHARE and (len(track) > 1 or near >= 0))
    return UnknownFace(filled, covered, support, near, bool(best >= sure and enough))


def _is_weak_face(track: pd.DataFrame, support: float) -> bool:
    """Tell whether what nobody has set aside is a face rather than not, though neither look alone says so."""
    both = (support + float(track["confidence"].mean())) / 2
    enough = both >= WEAK_SUPPORT and support >= WEAK_CROP_SUPPORT if len(track) > 1 else both >= WEAK_SINGLE_SUPPORT
    return bool(enough and track["width"].median() >= MIN_WEAK_PIXELS)


def _was_set_aside(track: pd.DataFrame, annotations: Annotations) -> bool:
    """Tell whether the analysis saw the same and held it for no face."""
    rows = annotations.discarded
    if not len(rows):
        return False
    for _, row in track.iterrows():
        there = rows.loc[(rows["frame"] - row["frame"]).abs() <= 3, BOX].to_numpy()
        if len(there) and bx.iou(row[BOX].to_numpy(np.float64)[None], there).max() >= MIN_VISIBLE_IOU:
            return True
    return False
