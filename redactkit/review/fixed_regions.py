"""Annotations with the regions that hold for the whole video: what is always hidden is an object like any other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from redactkit.annotations import Annotations
from redactkit.review.editing import next_face_id
from redactkit.tables import BOX, as_decisions, sort_detections
from redactkit.tracking.regions import FixedRegion, as_regions, hidden_objects, split_ignored

__all__ = ["region_objects", "with_regions"]


def with_regions(annotations: Annotations, regions: Iterable[FixedRegion], *, anew: bool = False) -> Annotations:
    """Return annotations in which some regions hold; those that hold already, by ``settings["regions"]``, only once.

    A region to hide becomes an object with a box in each frame of its range. Tracks that live where nothing is
    searched are set aside. What holds is kept in ``settings["regions"]``.

    Parameters
    ----------
    annotations : Annotations
        On the frames of their video.
    regions : iterable of FixedRegion
    anew : bool
        Let them hold though they hold already.
    """
    known = as_regions(annotations.settings.get("regions", ()))
    new = [region for region in regions if anew or not _holds(annotations, region, known)]
    for region in new:
        region.check_times(annotations.video)
    if not new:
        return annotations
    rows, aside = annotations.detections, annotations.discarded
    ignored = rows["face_id"].isin(split_ignored(rows, annotations.video, new))
    # As where an analyst says that something is no face, so that the leak check does not ask about it.
    gone = rows[ignored].assign(source="manual").astype({"source": rows["source"].dtype})
    first = next_face_id(rows, aside, annotations.decisions)
    hidden, decided = hidden_objects(new, annotations.video, first_id=first)
    kept = [table for table in (rows[~ignored], hidden) if len(table)] or [rows[:0]]
    out = sorted(set(rows.loc[ignored, "face_id"]))
    left, pairs = annotations.decisions.drop(index=out, errors="ignore"), annotations.pairs
    return annotations.replace(
        detections=sort_detections(pd.concat(kept, ignore_index=True)),
        decisions=as_decisions(pd.concat([left, as_decisions(decided)])) if decided else left,
        pairs=pairs[~(pairs["face_id"].isin(out) | pairs["other_id"].isin(out))].reset_index(drop=True),
        discarded=sort_detections(pd.concat([aside, gone], ignore_index=True)) if len(gone) else aside,
        settings={**annotations.settings, "regions": [each.as_dict() for each in dict.fromkeys((*known, *new))]},
    )


def region_objects(annotations: Annotations, regions: Iterable[FixedRegion]) -> set[int]:
    """Return the objects that are just the regions to hide: the same box of the same kind in all their frames.

    Parameters
    ----------
    annotations : Annotations
        On the frames of their video.
    regions : iterable of FixedRegion
    """
    rows, info = annotations.detections, annotations.video
    found: set[int] = set()
    for region in (each for each in regions if each.rule == "hide"):
        same = np.isclose(rows[BOX].to_numpy(np.float64), region.pixels(info)).all(axis=1)
        held = np.flatnonzero(region.holds(info))
        for face, mine in rows[same & (rows["kind"] == region.kind).to_numpy()].groupby("face_id"):
            if np.isin(held, mine["frame"].to_numpy()).all():
                found.add(int(str(face)))
    return found


def _holds(annotations: Annotations, region: FixedRegion, known: Iterable[FixedRegion]) -> bool:
    """Tell whether a region holds: it is known, and its object was neither deleted nor left out by its label."""
    return region in known and (region.rule != "hide" or bool(region_objects(annotations, [region])))
