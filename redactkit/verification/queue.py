"""What a person should look at, in the order of risk, with what the leak check found on top."""

from __future__ import annotations

import pandas as pd

from redactkit import tracking
from redactkit.annotations import Annotations
from redactkit.review.relevance import places_matter
from redactkit.verification.report import VerificationReport

__all__ = ["review_queue"]

DOUBTFUL = 0.95
"""Risk of a finding that is to be looked at."""


def review_queue(annotations: Annotations, *, check: VerificationReport | None = None) -> pd.DataFrame:
    """List the places to look at, the riskiest first.

    Parameters
    ----------
    annotations : Annotations
    check : VerificationReport, optional
        Its findings come first: reason ``"leak"``, risk 1 where a face is exposed, 0.95 where one is to be
        looked at.

    Returns
    -------
    DataFrame
        Columns ``face_id``, ``frame``, ``time`` (s), ``risk`` (0 to 1), ``reason``, ``frames``, as
        of `redactkit.tracking.review_queue`; ``face_id`` is the nearest known face, -1 where the check found one
        that nobody has numbered. And ``matters``: whether an answer could change what the redacted video shows,
        by the decisions as they are (`redactkit.review.relevance`).

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> list(review_queue(read_annotations(sample_truth_path())).columns)
    ['face_id', 'frame', 'time', 'risk', 'reason', 'frames', 'matters']
    """
    video = annotations.video
    queue = tracking.review_queue(
        annotations.detections,
        video_size=(video.width, video.height),
        frame_count=video.frame_count,
        cuts=annotations.cuts,
        discarded=annotations.discarded,
    )
    tables = {"detections": annotations.detections, "discarded": annotations.discarded}
    queue = queue.assign(matters=places_matter(queue, decisions=annotations.decisions, **tables))
    leaks = _leaks(check) if check is not None else []
    return pd.concat([pd.DataFrame(leaks, columns=queue.columns).astype(queue.dtypes), queue], ignore_index=True)


def _leaks(check: VerificationReport) -> list[dict[str, object]]:
    """Return one entry for each finding about a face, at its first frame."""
    found = check.findings[check.findings["frames"] > 0]
    return [
        {
            "face_id": int(row["face_id"]),
            "frame": int(row["first_frame"]),
            "time": float(row["start"]),
            "risk": 1.0 if row["verdict"] == "exposed" else DOUBTFUL,
            "reason": "leak",
            "frames": int(row["frames"]),
            "matters": True,
        }
        for _, row in found.iterrows()
    ]
