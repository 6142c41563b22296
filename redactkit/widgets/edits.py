"""What a drag of a box means: the frames that it changes, and the edit that does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.review import Review, editing
from redactkit.review.rows import replace_rows
from redactkit.tables import BOX, as_detections

__all__ = ["Applied", "correct_box", "set_aside"]


class Applied(NamedTuple):
    """The frames, both included, that an edit changed."""

    face_id: int
    first: int
    last: int


def correct_box(review: Review, *, face_id: int, frame: int, box: Sequence[float]) -> Applied:
    """Put a face's box in one frame right, and its neighbours by as much; one edit.

    The frame becomes a keyframe. The boxes around it, as far as they follow one another in its shot, are changed
    alike; towards the next keyframe on each side the change fades out, so that what a person has set there stays.

    Parameters
    ----------
    review : Review
    face_id, frame : int
    box : sequence of 4 floats
        x, y, width, height in pixels of the displayed frame.

    Returns
    -------
    Applied

    Raises
    ------
    TableError
        If the box is not four finite numbers with sides of 0 or more.
    """
    with review.lock:
        table = review.detections
        mine = np.flatnonzero((table["face_id"] == face_id).to_numpy() & table["x"].notna().to_numpy())
        frames = table["frame"].to_numpy()[mine]
        here = int(np.searchsorted(frames, frame))
        if here == len(frames) or frames[here] != frame:
            review.set_box(box, face_id=face_id, frame=frame)
            return Applied(face_id, frame, frame)
        keys = table["keyframe"].to_numpy()[mine]
        weights = _weights(frames, keys, here, cuts=review.cuts)
        changed = np.flatnonzero(weights > 0)
        rows = mine[changed]
        near = table.take(rows)
        before = table[BOX].take([mine[here]]).to_numpy(np.float64)[0]
        moved = _moved(near[BOX].to_numpy(np.float64), before, np.asarray(box, np.float64), weights[changed])
        gone = np.zeros(len(table), bool)
        gone[rows] = True
        new = replace_rows(table, gone, near.assign(**{name: moved[:, place] for place, name in enumerate(BOX)}))
        new = editing.set_box(new, face_id=face_id, frame=frame, box=box, time=float(review.times[frame]))
        review.edit(_describe(face_id, frames[changed]), detections=new)
    return Applied(face_id, int(frames[changed[0]]), int(frames[changed[-1]]))


def _describe(face_id: int, frames: NDArray[np.int64]) -> str:
    where = f"frame {frames[0]}" if len(frames) == 1 else f"frames {frames[0]} to {frames[-1]}"
    return f"box of face {face_id} in {where}"


def _weights(
    frames: NDArray[np.int64], keys: NDArray[np.bool_], here: int, *, cuts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how much of the change each row takes: 1 where nothing is set, fading to 0 at the next keyframe."""
    weights = np.zeros(len(frames))
    weights[here] = 1
    # Whether each row and the next are of frames next to one another, in one shot.
    follows = (np.diff(frames) == 1) & ~np.isin(frames[1:], cuts)
    for step in (-1, 1):
        stretch = []
        at = here + step
        while 0 <= at < len(frames) and not keys[at] and follows[min(at, at - step)]:
            stretch.append(at)
            at += step
        held = 0 <= at < len(frames) and keys[at] and follows[min(at, at - step)]
        for row in stretch:
            weights[row] = abs(frames[at] - frames[row]) / abs(frames[at] - frames[here]) if held else 1.0
    return weights


def _moved(
    places: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move centres by as much, and scale sides by as much, as the one box was."""
    shift = (after[:2] + after[2:] / 2) - (before[:2] + before[2:] / 2)
    grown = np.maximum(after[2:], 1e-6) / np.maximum(before[2:], 1e-6)
    sides = places[:, 2:] * grown[None] ** weights[:, None]
    centres = places[:, :2] + places[:, 2:] / 2 + shift[None] * weights[:, None]
    return np.hstack([centres - sides / 2, sides])


def set_aside(review: Review, faces: Sequence[int]) -> None:
    """Put faces that are none aside, where `Review.restore_face` finds them; one edit.

    They are so by a person's word: neither the review queue nor a leak check asks about them again. A face of the same
    ID that was set aside before is replaced.
    """
    with review.lock:
        table, aside = review.detections, review.discarded
        mine = table["face_id"].isin(list(faces)).to_numpy()
        kept = aside[~aside["face_id"].isin(list(faces)).to_numpy()]
        gone = as_detections(table[mine].assign(source="manual"))
        named = ", ".join(map(str, faces))
        review.edit(
            f"{'face' if len(faces) == 1 else 'faces'} {named} set aside as no face",
            detections=table[~mine].reset_index(drop=True),
            discarded=pd.concat([kept, gone], ignore_index=True) if len(kept) else gone,
        )
    if review.current_face in faces:
        review.current_face = None
    review.marked = tuple(face for face in review.marked if face not in faces)
