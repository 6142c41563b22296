"""Which tracks may be one person: pairs whose faces, or the colours of whose heads and clothes, are alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.identities import as_pairs, empty_pairs, frames_seen, seen_together
from redactkit.people.vectors import FaceVectors
from redactkit.tracking.shots import shot_numbers

__all__ = ["colour_pairs", "face_pairs", "unlike"]

IntArray = NDArray[np.int64]
Together = Callable[[int, int], bool]

MOST_PAIRS = 5
"""Pairs suggested of one track. Raising it makes longer lists where many look alike."""

LEAST_SURE_PORTRAITS = 2
"""Portraits of each of the two tracks from which a pair may be sure."""

MOST_COLOUR_DISTANCE = 0.12
"""Distance of colours up to which tracks are suggested; raising it finds more and errs more."""

COLOUR_SHARE = 0.7
"""Share of the least distance of two who are seen at once, from which colours no longer tell people apart."""


def unlike(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the Euclidean distances of vectors, shape (N, M)."""
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.maximum(square, 0)))


def similarity_of(distance: FloatArray, likely: float) -> FloatArray:
    """Return 1 for distance 0 and 0.5 for the distance from which tracks are no longer suggested."""
    return np.asarray(np.clip(1 - distance / (2 * likely), 0, 1))


def face_pairs(vectors: FaceVectors, detections: pd.DataFrame, *, cuts: NDArray[Any]) -> pd.DataFrame:
    """Return pairs of tracks whose faces are alike and which are never seen at once.

    Parameters
    ----------
    vectors : FaceVectors
    detections : DataFrame
    cuts : ndarray of int
        Frames that start a new shot.

    Returns
    -------
    DataFrame
        Columns of `redactkit.identities.PAIRS`. A pair is ``sure`` if the faces are as near as the embedder says,
        each of two portraits or more, and neither face could as well be somebody else who is seen with the other.
    """
    faces, means, count = vectors.means()
    if len(faces) < 2:
        return empty_pairs()
    seen = frames_seen(detections, cuts=cuts, faces=faces.tolist())
    distance = unlike(means, means)
    near = np.argwhere(np.triu(distance <= vectors.alignment.likely, 1))
    pairs = [(int(a), int(b)) for a, b in near if not seen_together(seen, [int(faces[a])], [int(faces[b])])]
    enough = count >= LEAST_SURE_PORTRAITS
    doubtful = _contradicted(pairs, faces, seen)
    rows = {
        "face_id": [int(faces[a]) for a, _ in pairs],
        "other_id": [int(faces[b]) for _, b in pairs],
        "similarity": similarity_of(np.array([distance[pair] for pair in pairs]), vectors.alignment.likely),
        "sure": [
            bool(distance[pair] <= vectors.alignment.sure and enough[list(pair)].all() and pair not in doubtful)
            for pair in pairs
        ],
    }
    return _best_of_each(as_pairs({**rows, "basis": "face"}))


def _contradicted(pairs: list[tuple[int, int]], faces: IntArray, seen: dict[int, IntArray]) -> set[tuple[int, int]]:
    """Return the pairs of which one track is as near to a third that is seen at once with the other."""
    alike: dict[int, set[int]] = {}
    for a, b in pairs:
        alike.setdefault(a, set()).add(b)
        alike.setdefault(b, set()).add(a)
    found = set()
    for a, b in pairs:
        others = [(c, b) for c in alike[a] - {b}] + [(c, a) for c in alike[b] - {a}]
        if any(seen_together(seen, [int(faces[c])], [int(faces[d])]) for c, d in others):
            found.add((a, b))
    return found


def _best_of_each(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that are among the most alike of both of their tracks."""
    faces = np.concatenate([pairs["face_id"].to_numpy(), pairs["other_id"].to_numpy()])
    alike = pd.Series(np.tile(pairs["similarity"].to_numpy(), 2))
    rank = alike.groupby(faces).rank(ascending=False, method="first").to_numpy()
    kept = np.maximum(rank[: len(pairs)], rank[len(pairs) :]) <= MOST_PAIRS
    best: pd.DataFrame = pairs[kept].reset_index(drop=True)
    return best


def colour_pairs(
    faces: IntArray, histograms: FloatArray, detections: pd.DataFrame, *, cuts: NDArray[Any], besides: IntArray
) -> pd.DataFrame:
    """Return pairs of tracks of one shot, or of a shot and the next, whose heads and clothes have the same colours.

    Two who are seen at once are two people; how alike the most alike of them are tells from which distance on colours
    tell nothing here.

    Parameters
    ----------
    faces : ndarray of shape (N,), int64
        Tracks.
    histograms : ndarray of shape (N, L)
        Their mean colour histograms, of length 1.
    detections : DataFrame
    cuts : ndarray of int
        Frames that start a new shot.
    besides : ndarray of int64
        Tracks that have vectors: where both of two do, those decide.
    """
    if len(faces) < 2:
        return empty_pairs()
    rows = detections[detections["face_id"].isin(faces)]
    shots = shot_numbers(rows["frame"].to_numpy(), cuts=cuts)
    by_face = pd.DataFrame({"face": rows["face_id"].to_numpy(), "shot": shots}).groupby("face")["shot"]
    spans = by_face.agg(["min", "max"])
    first, last = (spans[name].reindex(faces).to_numpy() for name in ("min", "max"))
    apart = np.maximum(first[:, None], first[None]) - np.minimum(last[:, None], last[None])
    seen = frames_seen(detections, cuts=cuts, faces=faces.tolist())
    distance = 1 - histograms @ histograms.T
    candidates = np.argwhere(np.triu(apart <= 1, 1))
    met = np.array([seen_together(seen, [int(faces[a])], [int(faces[b])]) for a, b in candidates], bool)
    between = np.array([distance[a, b] for a, b in candidates])
    limit = min([MOST_COLOUR_DISTANCE, *(COLOUR_SHARE * between[met]).tolist()])
    known = np.isin(faces, besides)
    kept = [
        (int(a), int(b))
        for (a, b), together, how in zip(candidates, met, between, strict=True)
        if not together and how <= limit and not (known[a] and known[b])
    ]
    alike = {
        "face_id": [int(faces[a]) for a, _ in kept],
        "other_id": [int(faces[b]) for _, b in kept],
        "similarity": similarity_of(np.array([distance[pair] for pair in kept]), MOST_COLOUR_DISTANCE),
    }
    return _best_of_each(as_pairs({**alike, "basis": "colours"}))
