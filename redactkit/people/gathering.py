"""The tables of many clips as one, in which every track has a number of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from redactkit.people.clips import Clip
from redactkit.people.vectors import FaceVectors
from redactkit.tables import as_decisions, as_detections

__all__ = ["all_decisions", "all_rows", "all_vectors", "number_tracks"]

APART_FRAMES = 1000
"""Frames between the numbers of two clips, so that no two tracks of different clips are seen at once."""


def number_tracks(clips: list[Clip]) -> dict[tuple[str, int], int]:
    """Return the number of each clip's tracks, from 1."""
    keys = [(clip.name, int(face)) for clip in clips for face in clip.annotations.tracks.index]
    return {key: number for number, key in enumerate(keys, start=1)}


def all_rows(clips: list[Clip], number: Mapping[tuple[str, int], int]) -> tuple[pd.DataFrame, Any]:
    """Return the boxes and shot boundaries of all clips, one after the other, by track number."""
    tables, cuts, first = [], [], 0
    for clip in clips:
        rows = clip.annotations.detections
        ids = [number[clip.name, int(face)] for face in rows["face_id"]]
        tables.append(rows.assign(frame=rows["frame"] + first, face_id=ids))
        cuts.append(clip.annotations.cuts + first)
        first += max(clip.annotations.frame_count, int(rows["frame"].max()) + 1 if len(rows) else 0) + APART_FRAMES
    return as_detections(pd.concat(tables, ignore_index=True)), np.concatenate(cuts)


def all_vectors(clips: list[Clip], number: Mapping[tuple[str, int], int]) -> list[FaceVectors]:
    """Return the vectors of all clips by track number, those of each embedder for themselves."""
    by_digest: dict[tuple[str, str], list[FaceVectors]] = {}
    for clip in clips:
        if len(clip.vectors):
            ids = np.array([number[clip.name, int(face)] for face in clip.vectors.face_id], np.int64)
            key = (clip.vectors.name, clip.vectors.digest)
            by_digest.setdefault(key, []).append(replace(clip.vectors, face_id=ids))
    return [_stacked(parts) for parts in by_digest.values()]


def _stacked(parts: list[FaceVectors]) -> FaceVectors:
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("face_id", "frame", "box", "quality", "vector")
    }
    return replace(parts[0], **columns)


def all_decisions(clips: list[Clip], number: Mapping[tuple[str, int], int]) -> pd.DataFrame:
    """Return the decisions of all clips, by track number."""
    tables = []
    for clip in clips:
        own = clip.annotations.decisions.loc[clip.annotations.tracks.index]
        own = own.assign(person_id=[number[clip.name, int(person)] for person in own["person_id"]])
        tables.append(own.set_axis([number[clip.name, int(face)] for face in own.index]))
    return as_decisions(pd.concat(tables).rename_axis("face_id"))
