"""Find and track things that are no faces, each kind with a detector of its own, by the same steps as faces."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from redactkit.analysis.chunked import configure_search
from redactkit.analysis.detection import scan
from redactkit.analysis.track_building import find_tracks
from redactkit.annotations import Annotations
from redactkit.detectors import Detector, release
from redactkit.review.editing import next_face_id
from redactkit.runtime.kinds import as_kind
from redactkit.runtime.progress import ProgressLike
from redactkit.tables import as_decisions, as_detections, sort_detections
from redactkit.video import VideoReader

__all__ = ["add_objects"]


def add_objects(
    reader: VideoReader,
    annotations: Annotations,
    detectors: Mapping[str, Detector],
    *,
    size: int | None = None,
    sensitivity: str = "normal",
    progress: ProgressLike = False,
) -> Annotations:
    """Return annotations with the objects that each detector finds, numbered after those that are there.

    Parameters
    ----------
    reader : VideoReader
    annotations : Annotations
        On the frames of the video.
    detectors : mapping of str to Detector
        By the kind of what it finds.
    size, sensitivity
        As of `redactkit.analyze`.
    progress : bool or callable
    """
    for kind, detector in detectors.items():
        named = as_kind(kind)
        search = configure_search(reader, detector=detector, size=size, sensitivity=sensitivity)
        kept, aside = find_tracks(reader, scan(reader, search, progress=progress), progress=progress)
        release(detector)
        first = next_face_id(annotations.detections, annotations.discarded, annotations.decisions)
        new, weak = (
            as_detections(table.assign(face_id=table["face_id"] + first - 1, kind=named)) for table in (kept, aside)
        )
        entry = {"name": getattr(detector, "name", type(detector).__name__), "sha256": getattr(detector, "digest", "")}
        annotations = annotations.replace(
            detections=_joined(annotations.detections, new),
            discarded=_joined(annotations.discarded, weak),
            decisions=pd.concat([annotations.decisions, as_decisions({}, faces=new["face_id"].unique().tolist())]),
            settings={
                **annotations.settings,
                "object_detectors": {**annotations.settings.get("object_detectors", {}), named: entry},
            },
        )
    return annotations


def _joined(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    tables = [table for table in (old, new) if len(table)]
    return sort_detections(pd.concat(tables, ignore_index=True)) if tables else old
