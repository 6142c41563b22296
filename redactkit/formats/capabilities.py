"""What a format has no room for: said when a file is written, refused where boxes would be lost or misplaced."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning
from redactkit.formats.catalogue import FORMATS
from redactkit.formats.labels import stated_kinds
from redactkit.runtime.timecode import timecode
from redactkit.tables import check_detections, sort_detections
from redactkit.tracking.regions import as_regions

__all__ = ["check_frames", "check_has_boxes", "warn_of_losses"]


def check_has_boxes(annotations: Annotations, path: str | Path) -> None:
    """Refuse annotations that know times and no places, since a file without their boxes would show them.

    Raises
    ------
    AnnotationError
        If a face has no box.
    """
    if not annotations.has_boxes:
        raise AnnotationError(
            f"{path}: the annotations say when faces are seen but not where; only csv and parquet can hold that"
        )


def check_frames(annotations: Annotations, path: str | Path, *, format: str) -> pd.DataFrame:
    """Return the detections in order, if their frame numbers are those of a video.

    Raises
    ------
    TableError
        If the detections break the schema.
    AnnotationError
        If a face has no box, or the frames are a file's own instants, further apart than the video's frames.
    """
    check_has_boxes(annotations, path)
    detections = sort_detections(check_detections(annotations.detections))
    video = annotations.video
    if video.frame_count > 1 and len(detections):
        apart = float(np.median(np.diff(video.times))) * float(video.frame_rate)
        if apart > 1.5:
            raise AnnotationError(
                f"{path}: {format} knows frames by number, but these annotations have instants {apart:.1f} frames "
                "apart; lay them on the video first: annotations.align(rk.probe(video))"
            )
    return detections


def _present(annotations: Annotations) -> dict[str, bool]:
    """Return for everything a format may lack whether these annotations have it."""
    detections, decisions, video = annotations.detections, annotations.decisions, annotations.video
    labelled, stated = (detections["label"] != "").to_numpy(bool), stated_kinds(detections) != ""
    return {
        "times": annotations.has_times and len(detections) > 0,
        "frame size": video.width > 0,
        "frames without faces": detections["frame"].nunique() < video.frame_count,
        "confidence": bool(detections["confidence"].notna().any()),
        "source": bool((detections["source"] != "imported").any()),
        "decisions": not bool(decisions["redact"].all()),
        "names of faces": bool((decisions["label"] != "").any()),
        "labels": bool((labelled | stated).any()),  # a format with labels holds the kinds of boxes without one too
        "kinds": bool((labelled & stated).any()),
        "occlusion": bool(detections["occluded"].any()),
        "persons": bool((detections["person"] != "").any()),
        "keyframes": bool(detections["keyframe"].any()),
        "reasons": bool((decisions["reason"] != "").any()),
        "time ranges": bool((decisions["visible_at"] != "").any()),
        "looks": bool((decisions["look"] != "").any()),
        "people": bool((decisions["person_id"] != decisions.index).any()),
        "suggestions": len(annotations.pairs) > 0,
        "discarded boxes": len(annotations.discarded) > 0,
        "cuts": len(annotations.cuts) > 0,
        "settings": bool(annotations.settings),
        "SHA-256": bool(video.digest),
    }


def warn_of_losses(annotations: Annotations, path: str | Path, *, format: str, without: Collection[str] = ()) -> None:
    """Warn of what is in the annotations and has no place in a format.

    What was not searched has a warning of its own: a file without it lets a bare face pass for none.
    """
    holds = FORMATS[format].written - set(without)
    lost = [name for name, there in _present(annotations).items() if there and name not in holds]
    texts = [f"{format} has no room for {', '.join(lost)}; azure and parquet have"] if lost else []
    if "settings" in lost:
        texts += _unsearched(annotations)
    for text in texts:
        warnings.warn(f"{path}: {text}", AnnotationWarning, stacklevel=4)


def _unsearched(annotations: Annotations) -> list[str]:
    """Say where and when nothing was searched, in a sentence; none where all was."""
    searched = annotations.settings.get("searched")
    narrowed = [f"only from {timecode(float(searched[0]))} to {timecode(float(searched[1]))}"] if searched else []
    narrowed += [
        f"{'not' if region.rule == 'ignore' else 'only'} in {region.description}"
        for region in as_regions(annotations.settings.get("regions", ()))
        if region.rule != "hide"
    ]
    if not narrowed:
        return []
    return [
        f"faces were searched for {' and '.join(narrowed)}, which the file does not say: whoever reads it takes the "
        "rest for free of faces, so hand that on with it"
    ]
