"""Runs: rows that follow one another without a gap."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["run_starts"]

GAP_STEPS = 1.5
"""From how many usual steps on two frames have a gap between them; higher joins runs over single missing frames."""


def run_starts(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Say which rows, ordered by face and frame, do not go on from the row before at the file's usual step.

    Examples
    --------
    >>> run_starts(pd.DataFrame({"face_id": [1, 1, 1, 2], "frame": [0, 1, 7, 8]})).tolist()
    [True, False, True, True]
    """
    face, frame = rows["face_id"].to_numpy(), rows["frame"].to_numpy()
    same = face[1:] == face[:-1]
    steps = np.diff(frame)
    usual = np.median(steps[same]) if same.any() else 1
    return np.concatenate([[True], ~same | (steps > GAP_STEPS * usual)])[: len(rows)]
