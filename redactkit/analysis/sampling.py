"""Which frames need no search: those between two in which every face moved as its past or the middle predicts.

A face that did not is *mismatched*, and is looked for where it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, centers, hull, iou
from redactkit.media import VideoInfo
from redactkit.video.chunks import SECTION_FRAMES, find_restarts

__all__ = ["fill_between", "predicted", "predicted_halfway", "pair_faces", "sampled_frames", "segment_edges"]

IntArray = NDArray[np.int64]

MAX_DISTANCE_SIZES = 1.5
"""Distance between the centres of one face in two frames, in its sizes, beyond which it may be another."""

MAX_LOG_GROWTH = 0.4
"""The same for the logarithm of the sizes' ratio."""

MIN_PREDICTED_IOU = 0.5
MIN_HALFWAY_IOU = 0.75
"""Least overlap of a face with the place its past, or its two ends, predict."""

MIN_DOUBTFUL_IOU = 0.7
"""Least overlap of two boxes of which one is doubtful."""

MAX_CONFIDENCE_CHANGE = 0.25
"""Most by which a face's confidence may change: more, and something comes before it, or it turns away."""


def sampled_frames(info: VideoInfo, every: float) -> NDArray[np.bool_]:
    """Mark the frames that are searched in any case, one in ``every`` seconds; all where that is 0."""
    if every <= 0:
        return np.ones(info.frame_count, bool)
    bucket = np.floor((info.times - info.times[:1]) / every + 1e-6)
    return np.asarray(np.diff(bucket, prepend=-1) != 0)


def segment_edges(info: VideoInfo) -> IntArray:
    """Return the frames at which sampling starts anew, with 0 and the number of frames.

    They depend on the video's keyframes alone, so that parts of it can be searched by themselves.
    """
    return np.array([0, *find_restarts(info, apart=SECTION_FRAMES), info.frame_count], np.int64)


def pair_faces(first: FloatArray, second: FloatArray) -> IntArray:
    """Pair the faces of two frames that are nearest to each other in place and size.

    Parameters
    ----------
    first, second : ndarray of shape (N, 5) and (M, 5)

    Returns
    -------
    ndarray of shape (K, 2)
        Row numbers in ``first`` and ``second``, each at most once.

    Examples
    --------
    >>> a = np.array([[0.0, 0, 10, 10, 1], [50, 0, 10, 10, 1]])
    >>> pair_faces(a, a[::-1] + [2, 0, 0, 0, 0]).tolist()
    [[0, 1], [1, 0]]
    """
    if not len(first) or not len(second):
        return np.zeros((0, 2), np.int64)
    sides = [np.sqrt(np.maximum(np.prod(faces[:, 2:4], axis=1), 1e-9)) for faces in (first, second)]
    way = centers(first[:, :4])[:, None] - centers(second[:, :4])[None]
    mean = (sides[0][:, None] + sides[1][None]) / 2
    growth = np.abs(np.log(sides[0][:, None] / sides[1][None]))
    distance = np.linalg.norm(way, axis=2) / mean + growth
    distance[growth > MAX_LOG_GROWTH] = np.inf
    pairs = []
    while distance.size and (place := int(distance.argmin())) >= 0:
        row, column = divmod(place, distance.shape[1])
        if distance[row, column] > MAX_DISTANCE_SIZES:
            break
        pairs.append((row, column))
        distance[row], distance[:, column] = np.inf, np.inf
    return np.array(pairs, np.int64).reshape(-1, 2)


def predicted(
    before: FloatArray, first: FloatArray, last: FloatArray, *, ratio: float, see: float
) -> tuple[IntArray, FloatArray]:
    """Pair the faces of two frames, and tell which are not where their motion until the first predicts.

    Parameters
    ----------
    before, first, last : ndarray of shape (N, 5)
        The faces of three frames in order.
    ratio : float
        Time from ``first`` to ``last``, to that from ``before`` to ``first``.
    see : float
        Confidence of a box from which it must be told; others may come and go.

    Returns
    -------
    pairs : ndarray of shape (K, 2)
    mismatched : ndarray of shape (L, 4)
        Boxes around where faces that came, went, or moved otherwise are in the two frames: none where the
        frames between need no search.
    """
    moved = first.copy()
    known = pair_faces(before, first)
    moved[known[:, 1], :4] += ratio * (first[known[:, 1], :4] - before[known[:, 0], :4])
    moved[:, 2:4] = np.maximum(moved[:, 2:4], 1)
    pairs = pair_faces(moved, last)
    agreed = _agreed(moved[pairs[:, 0]], last[pairs[:, 1]], least=MIN_PREDICTED_IOU, see=see)
    return pairs, _mismatched(first, last, pairs, agreed, see=see)


def predicted_halfway(
    first: FloatArray, middle: FloatArray, last: FloatArray, *, share: float, see: float
) -> tuple[tuple[IntArray, FloatArray], tuple[IntArray, FloatArray]]:
    """Pair the faces of three frames, and tell in which half which are not where the others predict.

    A face that is in two of the frames only is predicted between those if it stood still.

    Parameters
    ----------
    first, middle, last : ndarray of shape (N, 5)
    share : float
        Time from ``first`` to ``middle``, to that from ``first`` to ``last``.
    see : float
        As of `predicted`.

    Returns
    -------
    pair of (pairs, mismatched)
        As of `predicted`, of ``first`` with ``middle`` and of ``middle`` with ``last``.
    """
    left, right = pair_faces(first, middle), pair_faces(middle, last)
    of_left = _agreed(first[left[:, 0]], middle[left[:, 1]], least=MIN_DOUBTFUL_IOU, see=see)
    of_right = _agreed(middle[right[:, 0]], last[right[:, 1]], least=MIN_DOUBTFUL_IOU, see=see)
    a, b = np.nonzero(left[:, 1][:, None] == right[:, 0])
    starts, ends = first[left[a, 0]], last[right[b, 1]]
    between = np.hstack([starts[:, :4] * (1 - share) + ends[:, :4] * share, np.maximum(starts[:, 4:], ends[:, 4:])])
    of_left[a] = of_right[b] = _agreed(between, middle[left[a, 1]], least=MIN_HALFWAY_IOU, see=see)
    return (
        (left, _mismatched(first, middle, left, of_left, see=see)),
        (right, _mismatched(middle, last, right, of_right, see=see)),
    )


def fill_between(first: FloatArray, last: FloatArray, pairs: IntArray, share: float) -> FloatArray:
    """Return the faces at ``share`` of the way between two frames, shape (K, 5), each as large as at either end."""
    left, right = first[pairs[:, 0]], last[pairs[:, 1]]
    faces = left * (1 - share) + right * share
    sides = np.maximum(left[:, 2:4], right[:, 2:4])
    faces[:, :2] -= (sides - faces[:, 2:4]) / 2
    faces[:, 2:4] = sides
    return np.asarray(faces)


def _agreed(expected: FloatArray, found: FloatArray, *, least: float, see: float) -> NDArray[np.bool_]:
    """Tell of each face, row by row, whether it was found close to where it was expected, and as surely."""
    overlap = np.diagonal(iou(expected[:, :4], found[:, :4]))
    sure, doubtful = (pick(expected[:, 4], found[:, 4]) for pick in (np.maximum, np.minimum))
    needed = np.where(doubtful < see, max(least, MIN_DOUBTFUL_IOU), least)
    return np.asarray((overlap >= needed) & (sure - doubtful <= MAX_CONFIDENCE_CHANGE) | (sure < see))


def _mismatched(
    first: FloatArray, last: FloatArray, pairs: IntArray, agreed: NDArray[np.bool_], *, see: float
) -> FloatArray:
    """Return the boxes of faces to be seen that are in one frame only, and around those of pairs that do not agree."""
    odd = pairs[~agreed]
    around = hull(first[odd[:, 0], :4], last[odd[:, 1], :4])
    alone = [np.delete(faces, pairs[:, side], axis=0) for side, faces in enumerate((first, last))]
    return np.vstack([around, *(faces[faces[:, 4] >= see, :4] for faces in alone)])
