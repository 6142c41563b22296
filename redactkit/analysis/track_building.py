"""From what the detector saw in single frames to whole tracks, with the pictures at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd

from redactkit.analysis.detection import Scan
from redactkit.analysis.gap_search import refine
from redactkit.analysis.propagation import PropagationOptions
from redactkit.analysis.rescoring import rescore_doubtful
from redactkit.analysis.thorough_search import unsettled_frames
from redactkit.boxes import expand
from redactkit.runtime.progress import ProgressLike
from redactkit.tables import BOX, sort_detections
from redactkit.tracking import (
    extend,
    extend_over_mixed,
    fill_gaps,
    filter_weak,
    hold_occluded,
    link,
    merge_doubles,
    merge_extensions,
    renumber,
    smooth,
)
from redactkit.video import VideoReader

__all__ = ["find_tracks"]

MIN_DOUBLE_SECONDS = 0.4
"""Seconds for which two tracks must lie on one face to be one."""

MAX_FILLED_SECONDS = 0.5
"""Seconds of a gap that is interpolated where neither detector nor pixels showed the face."""

MAX_OCCLUDED_SECONDS = 0.5
"""Seconds for which a face that goes behind another one is held."""

DIP_SECONDS = 0.8
"""Seconds for which something that passes before a face may make its box smaller."""

ROOM = 0.15
"""Share of its size by which a box grows on each side where nothing bears its size out."""


def find_tracks(
    reader: VideoReader, scan: Scan, *, roll: float = 0.0, progress: ProgressLike = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make whole tracks of single detections.

    Boxes are linked; tracks too weak to be a face are set aside, doubtful ones after a closer look; the others
    are followed into their gaps and beyond their ends, what gaps remain are interpolated when short, and a
    face that goes behind another is held until that one hides it. Into mixed frames and brief shots the boxes of
    both sides are carried.

    Parameters
    ----------
    reader : VideoReader
    scan : Scan
        What the detector saw.
    roll : float
        Seconds by which every track is held before its first and after its last box.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    kept, discarded : DataFrame
        Faces 1..n in order of first appearance, and what was too weak to be one, numbered on from n.
    """
    info, cuts = reader.info, scan.cuts
    rate = float(info.frame_rate)
    detector, thresholds = scan.search.detector, scan.search.thresholds
    linked = link(scan.detections, frame_rate=rate, cuts=cuts, appearance=scan.appearance)
    brief = _brief_faces(linked, scan)
    kept, weak = _split_weak(linked, besides=brief)
    support = rescore_doubtful(reader, kept, detector=detector, sure=thresholds.sure, progress=progress)
    borne_out = kept["face_id"].isin([*support.index[support >= thresholds.support], *brief])
    discarded = pd.concat([weak, kept[~borne_out]], ignore_index=True)
    walked = refine(
        reader,
        kept[borne_out],
        detector=detector,
        cuts=cuts,
        options=PropagationOptions(confidence=thresholds.walk),
        progress=progress,
    )
    single = merge_doubles(walked, least=max(round(MIN_DOUBLE_SECONDS * rate), 1))
    filled = fill_gaps(single, times=info.times, cuts=cuts, longest=round(MAX_FILLED_SECONDS * rate))
    behind = hold_occluded(filled, times=info.times, cuts=cuts, longest=round(MAX_OCCLUDED_SECONDS * rate))
    held = round(roll * rate)
    rolled = extend(behind, before=held, after=held, times=info.times, cuts=cuts)
    carried = extend_over_mixed(rolled, ranges=np.concatenate([scan.mixed, scan.brief]), times=info.times)
    joined = merge_extensions(rolled, carried, mixed=scan.mixed)
    roomy = _with_room(joined, scan)
    numbered = sort_detections(renumber(smooth(roomy, cuts=cuts, dip=round(DIP_SECONDS * rate / 2))))
    return numbered, _numbered_after(numbered, discarded)


def _with_room(rows: pd.DataFrame, scan: Scan) -> pd.DataFrame:
    """Enlarge the boxes of faces that show in mixed frames and brief shots alone: no other box bears their size out."""
    frames = unsettled_frames(scan)
    if not len(frames):
        return rows
    settled = rows.loc[~rows["frame"].isin(frames), "face_id"]
    boxes = rows[BOX].to_numpy(copy=True)
    brief = ~rows["face_id"].isin(settled).to_numpy()
    boxes[brief] = expand(boxes[brief], share=ROOM)
    return rows.assign(**{name: boxes[:, column] for column, name in enumerate(BOX)})


def _brief_faces(linked: pd.DataFrame, scan: Scan) -> list[int]:
    """Return the faces that are sure enough for a track that cannot last: nothing else would bear them out."""
    settled = linked.loc[~linked["frame"].isin(unsettled_frames(scan)), "face_id"]
    brief = linked[~linked["face_id"].isin(settled) & (linked["confidence"] >= scan.search.thresholds.see)]
    return [int(face) for face in brief["face_id"].unique()]


def _split_weak(linked: pd.DataFrame, *, besides: list[int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set weak tracks aside; a box between two searched frames counts as one that was seen."""
    kept, _ = filter_weak(linked.assign(source=linked["source"].where(linked["source"] != "interpolated", "detected")))
    strong = linked["face_id"].isin([*kept["face_id"], *besides])
    return linked[strong].reset_index(drop=True), linked[~strong].reset_index(drop=True)


def _numbered_after(kept: pd.DataFrame, discarded: pd.DataFrame) -> pd.DataFrame:
    used = int(kept["face_id"].max()) if len(kept) else 0
    later = sort_detections(renumber(discarded))
    return later.assign(face_id=later["face_id"] + used)
