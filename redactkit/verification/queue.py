"""What a person should look at, in the order of risk, with what the leak check found on top."""

from __future__ import annotations

import pandas as pd

from redactkit import tracking
from redactkit.annotations import Annotations
from redactkit.verification.report import VerificationReport

__all__ = ["review_queue"]


def review_queue(annotations: Annotations, *, check: VerificationReport | None = None) -> pd.DataFrame:
    """List the places to look at, the riskiest first.

    Parameters
    ----------
    annotations : Annotations
    check : VerificationReport, optional
        Its exposures come first: risk 1, reason ``"leak"``.

    Returns
    -------
    DataFrame
        Columns ``face_id``, ``frame``, ``time`` (s), ``risk`` (0 to 1), ``reason``, ``frames``, as
        of `redactkit.tracking.review_queue`; ``face_id`` is -1 where the check found a face that nobody has numbered.
    """
    video = annotations.video
    queue = tracking.review_queue(
        annotations.detections,
        video_size=(video.width, video.height),
        frame_count=video.frame_count,
        cuts=annotations.cuts,
        discarded=annotations.discarded,
    )
    leaks = _leaks(check) if check is not None else []
    return pd.concat([pd.DataFrame(leaks, columns=queue.columns).astype(queue.dtypes), queue], ignore_index=True)


def _leaks(check: VerificationReport) -> list[dict[str, object]]:
    """Return one entry for each face that is bare, at the first frame in which it is."""
    bare = check.bare.assign(known=True)
    strangers = check.leaks[check.leaks["sure"].astype(bool)].assign(known=False)
    tables = [table for table in (bare, strangers) if len(table)]
    return [
        {
            "face_id": int(rows["face_id"].iloc[0]) if rows["known"].iloc[0] else -1,
            "frame": int(rows["frame"].min()),
            "time": float(rows["time"].min()),
            "risk": 1.0,
            "reason": "leak",
            "frames": int(rows["frame"].nunique()),
        }
        for table in tables
        for _, rows in table.groupby("face_id")
    ]
