"""What was set aside as no face: brought back, or said to be none by a person."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from redactkit.media import VideoInfo
from redactkit.review.editing import Faces, next_face_id, set_decision
from redactkit.review.rows import known_faces
from redactkit.tables import FaceIds, as_detections, sort_detections
from redactkit.tracking import extend, fill_gaps

__all__ = ["BROUGHT_BACK", "confirm_discarded", "cover_around", "restore_faces"]

BROUGHT_BACK = "brought back"
"""The reason of the decision about a face that was set aside and is hidden all the same."""

AROUND_SECONDS = 0.25
"""Time before the first and after the last box of a glimpse that is covered too. Raising it covers more."""

BETWEEN_SECONDS = 2.0
"""Time between two boxes of a glimpse up to which it is covered too. Raising it covers more."""


def restore_faces(
    detections: pd.DataFrame, decisions: pd.DataFrame, discarded: pd.DataFrame, *, faces: FaceIds
) -> tuple[Faces, pd.DataFrame]:
    """Bring back faces that were set aside; they are redacted, for the reason `BROUGHT_BACK`.

    An ID changes to the next free one where another face has it by now.

    Returns
    -------
    faces : Faces
    discarded : DataFrame
        What is still set aside.

    Raises
    ------
    OptionError
        If no face that was set aside has one of the IDs.

    Examples
    --------
    >>> from redactkit.tables import as_decisions
    >>> rows = as_detections({"frame": [0, 1], "face_id": 1, "x": 10, "y": 0, "width": 8, "height": 8})
    >>> found, discarded = restore_faces(as_detections({}), as_decisions({}), rows, faces=[1])
    >>> len(found.detections), len(discarded)
    (2, 0)
    """
    ids = known_faces(discarded, faces)
    mine = np.isin(discarded["face_id"].to_numpy(), ids)
    taken = np.intersect1d(ids, detections["face_id"].to_numpy())
    free = next_face_id(detections, decisions, discarded)
    renamed = {int(face): free + number for number, face in enumerate(taken)}
    back = discarded[mine].assign(face_id=discarded["face_id"][mine].replace(renamed))
    table = sort_detections(pd.concat([detections, back], ignore_index=True))
    new = sorted(renamed.get(int(face), int(face)) for face in ids)
    decided = set_decision(decisions, faces=new, redact=True, label="", reason=BROUGHT_BACK, visible=(), look={})
    return Faces(table, decided), discarded[~mine].reset_index(drop=True)


def cover_around(rows: pd.DataFrame, *, video: VideoInfo, cuts: ArrayLike) -> pd.DataFrame:
    """Cover more than the boxes of a glimpse: its gaps, and some frames before and after it, within its shot.

    What was set aside was seen by fits and starts; whoever hides it in doubt means the face, not the frames in which
    a detector happened to see it.
    """
    rate = float(video.frame_rate)
    filled = fill_gaps(rows, times=video.times, cuts=cuts, longest=round(BETWEEN_SECONDS * rate))
    around = round(AROUND_SECONDS * rate)
    return extend(filled, before=around, after=around, times=video.times, cuts=cuts)


def confirm_discarded(discarded: pd.DataFrame, *, faces: FaceIds) -> pd.DataFrame:
    """Say of faces that were set aside that they are none: by a person's word, which nobody asks about again.

    Raises
    ------
    OptionError
        If no face that was set aside has one of the IDs.

    Examples
    --------
    >>> box = {"x": 10, "y": 0, "width": 8, "height": 8}
    >>> rows = as_detections({"frame": [0, 1], "face_id": [1, 2], "source": "detected", **box})
    >>> confirm_discarded(rows, faces=[2])["source"].tolist()
    ['detected', 'manual']
    """
    mine = np.isin(discarded["face_id"].to_numpy(), known_faces(discarded, faces))
    return as_detections(discarded.assign(source=discarded["source"].mask(mine, "manual")))
