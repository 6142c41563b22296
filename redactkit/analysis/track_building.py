"""Build whole tracks from single detections: link, filter, propagate, interpolate, extend and smooth."""

from __future__ import annotations

import numpy as np
import pandas as pd

from redactkit.analysis.detection import Scan
from redactkit.analysis.shot_tracking import ShotTracker
from redactkit.analysis.thorough_search import isolated_frames
from redactkit.boxes import expand
from redactkit.runtime.progress import ProgressLike
from redactkit.tables import BOX, sort_detections
from redactkit.tracking import (
    extend,
    extend_over_mixed,
    fill_gaps,
    hold_occluded,
    merge_doubles,
    merge_extensions,
    renumber,
    smooth,
)
from redactkit.video import VideoReader

__all__ = ["find_tracks"]

MIN_DOUBLE_SECONDS = 0.4
"""Shortest time for which two tracks must lie on one face to be merged. Raising it merges fewer tracks."""

MAX_FILLED_SECONDS = 0.5
"""Longest gap that is interpolated without the detector or flow. Raising it covers more, also where no face is."""

MAX_OCCLUDED_SECONDS = 0.5
"""Longest time for which an occluded face is held. Raising it covers more, also where no face is."""

MAX_DIP_SECONDS = 0.8
"""Longest time for which something that passes in front of a face may shrink its box. Raising it keeps boxes large."""

UNCONFIRMED_MARGIN_SHARE = 0.15
"""Margin added on each side of a box whose size no other box confirms, in shares of the box."""


def find_tracks(
    reader: VideoReader,
    scan: Scan,
    *,
    padding: float = 0.0,
    progress: ProgressLike = False,
    tracker: ShotTracker | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Build whole tracks from single detections.

    Parameters
    ----------
    reader : VideoReader
    scan : Scan
        What the detector found.
    padding : float
        Seconds by which every track is extended before its first and after its last box. Raising it covers more.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.
    tracker : ShotTracker, optional
        One that has watched the scan, and so has tracked most shots already.

    Returns
    -------
    kept, discarded : DataFrame
        Faces 1..n in order of first appearance, and the tracks too weak to be a face, numbered on from n.
    """
    info, cuts = reader.info, scan.cuts
    rate = float(info.frame_rate)
    tracker = tracker or ShotTracker(reader, scan.search)
    propagated, discarded = tracker.track(scan, progress=progress)
    # Merge tracks that are now seen to lie on one face, then interpolate the short gaps that remain.
    single = merge_doubles(propagated, least=max(round(MIN_DOUBLE_SECONDS * rate), 1))
    filled = fill_gaps(single, times=info.times, cuts=cuts, longest=round(MAX_FILLED_SECONDS * rate))
    # Extend tracks in time: while a face is occluded, by the padding asked for, and over mixed frames.
    held = hold_occluded(filled, times=info.times, cuts=cuts, longest=round(MAX_OCCLUDED_SECONDS * rate))
    frames = round(padding * rate)
    padded = extend(held, before=frames, after=frames, times=info.times, cuts=cuts)
    extension = extend_over_mixed(padded, ranges=np.concatenate([scan.mixed, scan.brief]), times=info.times)
    extended = merge_extensions(padded, extension, mixed=scan.mixed)
    # Enlarge what nothing confirms, and smooth last, so that every box above stays covered.
    enlarged = _enlarge_unconfirmed(extended, scan)
    numbered = sort_detections(renumber(smooth(enlarged, cuts=cuts, dip=round(MAX_DIP_SECONDS * rate / 2))))
    return numbered, _numbered_after(numbered, discarded)


def _enlarge_unconfirmed(rows: pd.DataFrame, scan: Scan) -> pd.DataFrame:
    """Enlarge the boxes of faces found in mixed frames and brief shots only: no other box confirms their size."""
    frames = isolated_frames(scan)
    if not len(frames):
        return rows
    confirmed = rows.loc[~rows["frame"].isin(frames), "face_id"]
    boxes = rows[BOX].to_numpy(copy=True)
    brief = ~rows["face_id"].isin(confirmed).to_numpy()
    boxes[brief] = expand(boxes[brief], share=UNCONFIRMED_MARGIN_SHARE)
    return rows.assign(**{name: boxes[:, column] for column, name in enumerate(BOX)})


def _numbered_after(kept: pd.DataFrame, discarded: pd.DataFrame) -> pd.DataFrame:
    last = int(kept["face_id"].max()) if len(kept) else 0
    later = sort_detections(renumber(discarded))
    return later.assign(face_id=later["face_id"] + last)
