"""Decide which frames need no search: those between two sampled frames in which every face moved as predicted.

Which frames are searched, and why may one be left out? `redactkit.analysis.scanning` asks, in this order:

1. Grid. Searched are the sampled frames, one every ``Search.sample_seconds``; both sides of a shot boundary or other
   restart, and of a section's edge; and the last frame of a batch.
2. Brief change. Where frames between two of the grid show what neither of them does, up to three that show it best are
   searched for new faces, in crops around what changed or at half detail (`redactkit.analysis.brief_changes`).
3. Mismatch. A constant-velocity model predicts from the last two frames of the grid where each face is in the next
   one (`match_predicted`). A face of ``Thresholds.mismatch`` or more that came, went or moved otherwise is
   *mismatched*. Where there is none, the frames between are left out: their boxes are interpolated. Just after a
   restart no velocity is known, so the next step is taken in any case.
4. Bisection. Otherwise the middle frame is searched, in crops around the mismatched faces or whole, and each half is
   judged by itself (`match_halfway`), until no half has a mismatched face or a frame between.
5. Propagation. Once tracks are linked, `redactkit.analysis.gap_search` carries those that are kept into the frames in
   which they have no box, by optical flow and a search in a crop. So a frame left out here may be searched in part.

So a frame was not searched because it lies between two searched ones in which every face of ``Thresholds.mismatch``
is as predicted, and shows nothing else than they do, or nothing that other frames between them do not show better.
``sensitivity="high"`` puts every frame on the grid. Frames in which no neighbour can confirm a face are searched again,
see `redactkit.analysis.thorough_search`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redactkit.boxes import FloatArray, centers, hull, iou
from redactkit.media import VideoInfo
from redactkit.video.chunks import SECTION_FRAMES, find_restarts

__all__ = ["interpolate_faces", "match_faces", "match_halfway", "match_predicted", "sampled_frames", "section_edges"]

IntArray = NDArray[np.int64]

MAX_DISTANCE_SIZES = 1.5
"""Largest distance between the centres of one face in two frames, in face sizes.

Raising it follows faster faces, and confuses neighbours sooner.
"""

MAX_LOG_GROWTH = 0.4
"""Largest change of a face's size between two frames, as the logarithm of the ratio; 0.4 is a factor of 1.5."""

MIN_PREDICTED_IOU = 0.5
"""Least IoU of a face with the box that its past motion predicts. Raising it searches more frames."""

MIN_HALFWAY_IOU = 0.75
"""Least IoU of a face in the middle frame with the mean of its two neighbours. Raising it searches more frames."""

MIN_UNCERTAIN_IOU = 0.7
"""IoU required when a box is below ``mismatch`` or the velocity is unknown. Raising it searches more frames."""

MAX_CONFIDENCE_CHANGE = 0.25
"""Largest change of a face's confidence between two frames that counts as none.

A larger change means that something passes in front of the face or that it turns away. Raising it searches fewer
frames.
"""


def sampled_frames(info: VideoInfo, every: float) -> NDArray[np.bool_]:
    """Mark the sampled frames: the first one of every ``every`` seconds, or all where that is 0."""
    if every <= 0:
        return np.ones(info.frame_count, bool)
    # The small term keeps a frame whose time is a rounding error short of a bucket's edge in that bucket.
    bucket = np.floor((info.times - info.times[:1]) / every + 1e-6)
    return np.asarray(np.diff(bucket, prepend=-1) != 0)


def section_edges(info: VideoInfo) -> IntArray:
    """Return the frames at which sampling starts anew, with 0 in front and the number of frames at the end.

    They depend on the video's keyframes alone, so a section searched alone gives the result it has in the whole video.
    """
    return np.array([0, *find_restarts(info, apart=SECTION_FRAMES), info.frame_count], np.int64)


def match_faces(first: FloatArray, second: FloatArray) -> IntArray:
    """Match the faces of two frames greedily, the nearest in position and size first.

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
    >>> match_faces(a, a[::-1] + [2, 0, 0, 0, 0]).tolist()
    [[0, 1], [1, 0]]
    """
    if not len(first) or not len(second):
        return np.zeros((0, 2), np.int64)
    sizes = [np.sqrt(np.maximum(np.prod(faces[:, 2:4], axis=1), 1e-9)) for faces in (first, second)]
    # The cost of a pair: distance of the centres in mean face sizes, plus the change of size.
    offset = centers(first[:, :4])[:, None] - centers(second[:, :4])[None]
    mean = (sizes[0][:, None] + sizes[1][None]) / 2
    growth = np.abs(np.log(sizes[0][:, None] / sizes[1][None]))
    distance = np.linalg.norm(offset, axis=2) / mean + growth
    distance[growth > MAX_LOG_GROWTH] = np.inf
    pairs = []
    # Take the cheapest pair, strike out its row and column, and repeat until no pair is near enough.
    while distance.size and (cheapest := int(distance.argmin())) >= 0:
        row, column = divmod(cheapest, distance.shape[1])
        if distance[row, column] > MAX_DISTANCE_SIZES:
            break
        pairs.append((row, column))
        distance[row], distance[:, column] = np.inf, np.inf
    return np.array(pairs, np.int64).reshape(-1, 2)


def match_predicted(
    before: FloatArray, first: FloatArray, last: FloatArray, *, ratio: float, mismatch_confidence: float
) -> tuple[IntArray, FloatArray]:
    """Match the faces of two frames after moving the first ones at constant velocity, and list the mismatched.

    Parameters
    ----------
    before, first, last : ndarray of shape (N, 5)
        The faces of three frames in order; ``before`` and ``first`` give the velocity.
    ratio : float
        Time from ``first`` to ``last``, divided by the time from ``before`` to ``first``.
    mismatch_confidence : float
        Confidence from which a face must be predicted. Raising it lets more faces come and go without a search.

    Returns
    -------
    pairs : ndarray of shape (K, 2)
        Row numbers in ``first`` and ``last``.
    mismatched : ndarray of shape (L, 4)
        Boxes around the mismatched faces in the two frames; empty where the frames between need no search.
    """
    moved = first.copy()
    known = match_faces(before, first)
    moved[known[:, 1], :4] += ratio * (first[known[:, 1], :4] - before[known[:, 0], :4])
    moved[:, 2:4] = np.maximum(moved[:, 2:4], 1)  # a face that shrinks fast must not get a negative size
    pairs = match_faces(moved, last)
    agreed = _agree(
        moved[pairs[:, 0]],
        last[pairs[:, 1]],
        min_iou=MIN_PREDICTED_IOU,
        mismatch_confidence=mismatch_confidence,
    )
    return pairs, _mismatched(first, last, pairs, agreed, mismatch_confidence=mismatch_confidence)


def match_halfway(
    first: FloatArray, middle: FloatArray, last: FloatArray, *, share: float, mismatch_confidence: float
) -> tuple[tuple[IntArray, FloatArray], tuple[IntArray, FloatArray]]:
    """Match the faces of three frames, and list for each half the faces that interpolation does not predict.

    A face found in two neighbouring frames of the three counts as predicted there if it stood still.

    Parameters
    ----------
    first, middle, last : ndarray of shape (N, 5)
    share : float
        Time from ``first`` to ``middle``, divided by the time from ``first`` to ``last``.
    mismatch_confidence : float
        As in `match_predicted`.

    Returns
    -------
    pair of (pairs, mismatched)
        As from `match_predicted`: for ``first`` with ``middle``, and for ``middle`` with ``last``.
    """
    left, right = match_faces(first, middle), match_faces(middle, last)
    # Without a third box the velocity is unknown, so a pair agrees only where its two boxes nearly coincide.
    left_agreed = _agree(
        first[left[:, 0]],
        middle[left[:, 1]],
        min_iou=MIN_UNCERTAIN_IOU,
        mismatch_confidence=mismatch_confidence,
    )
    right_agreed = _agree(
        middle[right[:, 0]],
        last[right[:, 1]],
        min_iou=MIN_UNCERTAIN_IOU,
        mismatch_confidence=mismatch_confidence,
    )
    # Faces matched on both sides are judged by the interpolation of their two outer boxes.
    a, b = np.nonzero(left[:, 1][:, None] == right[:, 0])
    starts, ends = first[left[a, 0]], last[right[b, 1]]
    between = np.hstack([starts[:, :4] * (1 - share) + ends[:, :4] * share, np.maximum(starts[:, 4:], ends[:, 4:])])
    left_agreed[a] = right_agreed[b] = _agree(
        between, middle[left[a, 1]], min_iou=MIN_HALFWAY_IOU, mismatch_confidence=mismatch_confidence
    )
    return (
        (left, _mismatched(first, middle, left, left_agreed, mismatch_confidence=mismatch_confidence)),
        (right, _mismatched(middle, last, right, right_agreed, mismatch_confidence=mismatch_confidence)),
    )


def interpolate_faces(first: FloatArray, last: FloatArray, pairs: IntArray, share: float) -> FloatArray:
    """Interpolate matched faces at ``share`` of the time between two frames, shape (K, 5).

    The centre moves linearly. Each side is the longer one of the two frames, so that the box covers the face.
    """
    left, right = first[pairs[:, 0]], last[pairs[:, 1]]
    faces = left * (1 - share) + right * share
    sides = np.maximum(left[:, 2:4], right[:, 2:4])
    faces[:, :2] -= (sides - faces[:, 2:4]) / 2
    faces[:, 2:4] = sides
    return np.asarray(faces)


def _agree(expected: FloatArray, found: FloatArray, *, min_iou: float, mismatch_confidence: float) -> NDArray[np.bool_]:
    """Tell row by row whether a face was found where it was expected, with about the same confidence."""
    overlap = np.diagonal(iou(expected[:, :4], found[:, :4]))
    higher, lower = (pick(expected[:, 4], found[:, 4]) for pick in (np.maximum, np.minimum))
    # A doubtful box is a worse witness of the position, so it must overlap more.
    needed = np.where(lower < mismatch_confidence, max(min_iou, MIN_UNCERTAIN_IOU), min_iou)
    steady = (overlap >= needed) & (higher - lower <= MAX_CONFIDENCE_CHANGE)
    # Where both boxes are doubtful, no search is spent on them.
    return np.asarray(steady | (higher < mismatch_confidence))


def _mismatched(
    first: FloatArray, last: FloatArray, pairs: IntArray, agreed: NDArray[np.bool_], *, mismatch_confidence: float
) -> FloatArray:
    """Return the hulls of the pairs that do not agree, and the boxes of confident faces without a partner."""
    odd = pairs[~agreed]
    around = hull(first[odd[:, 0], :4], last[odd[:, 1], :4])
    alone = [np.delete(faces, pairs[:, side], axis=0) for side, faces in enumerate((first, last))]
    return np.vstack([around, *(faces[faces[:, 4] >= mismatch_confidence, :4] for faces in alone)])
