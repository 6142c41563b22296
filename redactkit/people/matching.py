"""Which tracks may be one person: pairs whose faces, or the colours of whose heads and clothes, are alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.boxes import FloatArray
from redactkit.identities import as_pairs, empty_pairs, frames_seen
from redactkit.people.vectors import FaceVectors
from redactkit.tracking.shots import shot_numbers

__all__ = ["colour_pairs", "face_pairs", "unlike"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

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
    if len(faces) < 2 or vectors.waiting:
        return empty_pairs()
    met = _met(faces, frames_seen(detections, cuts=cuts, faces=faces.tolist()))
    distance = unlike(means, means)
    alike = (distance <= vectors.alignment.likely) & ~met
    first, second = np.nonzero(np.triu(alike, 1))
    enough = count >= LEAST_SURE_PORTRAITS
    sure = (distance[first, second] <= vectors.alignment.sure) & enough[first] & enough[second]
    rows = {
        "face_id": faces[first],
        "other_id": faces[second],
        "similarity": similarity_of(distance[first, second], vectors.alignment.likely),
        "sure": sure & ~_contradicted(alike, met)[first, second],
    }
    return _best_of_each(as_pairs({**rows, "basis": "face"}))


def _met(faces: IntArray, seen: Mapping[int, IntArray]) -> BoolArray:
    """Return which of ``faces`` are seen at once with which others, shape (N, N)."""
    from scipy.sparse import csr_array  # slow to import

    frames = [seen.get(int(face), np.zeros(0, np.int64)) for face in faces]
    _, column = np.unique(np.concatenate(frames), return_inverse=True)
    row = np.repeat(np.arange(len(faces)), [len(own) for own in frames])
    shown = csr_array((np.ones(len(row), np.int32), (row, column)), shape=(len(faces), int(column.max(initial=0)) + 1))
    met = (shown @ shown.T).toarray() > 0
    np.fill_diagonal(met, False)
    return np.asarray(met)


def _contradicted(alike: BoolArray, met: BoolArray) -> BoolArray:
    """Return of which pairs one track is as near to a third that is seen at once with the other, shape (N, N)."""
    from scipy.sparse import csr_array

    third = (csr_array(alike & ~np.eye(len(alike), dtype=bool)).astype(np.int32) @ csr_array(met)).toarray() > 0
    return np.asarray(third | third.T)


def _best_of_each(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that are among the most alike of both of their tracks, and the most alike of each track."""
    faces = np.concatenate([pairs["face_id"].to_numpy(), pairs["other_id"].to_numpy()])
    alike = pd.Series(np.tile(pairs["similarity"].to_numpy(), 2))
    rank = alike.groupby(faces).rank(ascending=False, method="first").to_numpy()
    ranks = rank[: len(pairs)], rank[len(pairs) :]
    # Of many that are equally alike none may be among the few best of both.
    kept = (np.maximum(*ranks) <= MOST_PAIRS) | (np.minimum(*ranks) == 1)
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
    met = _met(faces, seen)[candidates[:, 0], candidates[:, 1]]
    between = distance[candidates[:, 0], candidates[:, 1]]
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
