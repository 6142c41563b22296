"""Track-level score filtering: set aside tracks that are hardly faces, judged by all boxes of a track together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

__all__ = ["FilterOptions", "filter_weak"]


@dataclass(frozen=True)
class FilterOptions:
    """What a track must have to be kept; any one of the first three is enough. Raising any of them discards more.

    Parameters
    ----------
    strong : float
        Confidence of one box. It decides whether a short track may go on to rescoring, which decides whether it is
        kept; ``Thresholds.sure`` decides whether it is kept without. So it may be the same at every sensitivity.
    evidence : float
        Sum over the track's detected boxes of their confidence above ``floor``.
    boxes : int
        Number of detected boxes, however doubtful each of them is.
    floor : float
        Confidence up to which a box adds no evidence.
    """

    strong: float = 0.6
    evidence: float = 0.5
    boxes: int = 12
    floor: float = 0.2


def filter_weak(detections: pd.DataFrame, *, options: FilterOptions | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Set aside tracks with too little evidence: those of one frame, and short doubtful ones.

    Parameters
    ----------
    detections : DataFrame
        With face IDs.
    options : FilterOptions, optional

    Returns
    -------
    kept, discarded : DataFrame
        All rows of ``detections``, each in one of the two, IDs and order unchanged. A track with a box that a person
        drew, that was imported, or that has no confidence is always kept.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> rows = {"frame": [0, 1, 5], "face_id": [1, 1, 2], "x": 0, "y": 0, "width": 9, "height": 9,
    ...         "confidence": [0.9, 0.4, 0.3], "source": "detected"}
    >>> kept, discarded = filter_weak(as_detections(rows))
    >>> kept["face_id"].tolist(), discarded["face_id"].tolist()
    ([1, 1], [2])
    """
    options = options or FilterOptions()
    weak = detections["face_id"].isin(_weak_faces(detections, options)).to_numpy(bool)
    return detections[~weak].reset_index(drop=True), detections[weak].reset_index(drop=True)


def _weak_faces(detections: pd.DataFrame, options: FilterOptions) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    confidence = detections["confidence"].to_numpy()
    source = detections["source"]
    # What a person drew, or another tool wrote, is kept whatever its confidence.
    trusted = source.isin(["manual", "imported"]).to_numpy() | np.isnan(confidence) | (confidence >= options.strong)
    detected = (source == "detected").to_numpy()
    above = np.where(detected, np.clip(np.nan_to_num(confidence) - options.floor, 0, None), 0)
    # Sum per face over all rows at once.
    faces, member = np.unique(detections["face_id"].to_numpy(), return_inverse=True)
    evidence = np.bincount(member, above, minlength=len(faces))
    boxes = np.bincount(member, detected, minlength=len(faces))
    strong = np.bincount(member, trusted, minlength=len(faces)) > 0
    weak: np.ndarray[tuple[int], np.dtype[np.int64]] = faces[
        ~strong & (evidence < options.evidence) & (boxes < options.boxes)
    ]
    return weak
