"""Choose among possible joins: mutual nearest neighbours, where no rival is nearly as good (a ratio test)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from redactkit.tracking.motion import FloatArray, IntArray

__all__ = ["BoolArray", "Pairs", "expanded", "unrivalled"]

BoolArray = NDArray[np.bool_]
Exclusive = Callable[[IntArray, IntArray], BoolArray]


@dataclass(frozen=True)
class Pairs:
    """Candidates for joining ``left[i]`` to ``right[i]`` at ``cost[i]``; all arrays of shape (P,)."""

    left: IntArray
    right: IntArray
    cost: FloatArray

    def __getitem__(self, index: BoolArray | IntArray) -> Pairs:
        return Pairs(self.left[index], self.right[index], self.cost[index])

    def __len__(self) -> int:
        return len(self.cost)


def unrivalled(pairs: Pairs, *, margin: float, lefts: Exclusive, rights: Exclusive) -> IntArray:
    """Pick the pairs that are each other's best and better than every rival by a margin.

    Parameters
    ----------
    pairs : Pairs
    margin : float
        By how much a rival must cost more. Raising it makes fewer joins, and fewer wrong ones.
    lefts, rights : callable
        Tells for two arrays of left (right) members which of them cannot be the same face, as they are seen at the
        same time; members that can are no rivals.

    Returns
    -------
    ndarray of shape (K,), int64
        Numbers of the pairs.
    """
    if not len(pairs):
        return np.zeros(0, np.int64)
    best_of_left, best_of_right = _best(pairs.left, pairs.cost), _best(pairs.right, pairs.cost)
    mine, theirs = best_of_left[pairs.left], best_of_right[pairs.right]
    number = np.arange(len(pairs))
    # A rival costs hardly more than the best of the same left (right) member, and cannot be one face with its partner.
    near_left = (number != mine) & (pairs.cost < pairs.cost[mine] + margin) & rights(pairs.right, pairs.right[mine])
    near_right = (number != theirs) & (pairs.cost < pairs.cost[theirs] + margin) & lefts(pairs.left, pairs.left[theirs])
    doubtful = np.zeros(len(number), bool)
    doubtful[mine[near_left]] = True
    doubtful[theirs[near_right]] = True
    return np.flatnonzero((mine == number) & (theirs == number) & ~doubtful)


def _best(group: IntArray, cost: FloatArray) -> IntArray:
    """Return for each group number the index of its cheapest member, -1 for a group with none."""
    order = np.lexsort((cost, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    best = np.full(int(group.max()) + 1, -1, np.int64)
    best[group[order][first]] = order[first]
    return best


def expanded(low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
    """Return every (i, j) with ``low[i] <= j < high[i]``, as two arrays.

    Examples
    --------
    >>> i, j = expanded(np.array([0, 5]), np.array([2, 6]))
    >>> i.tolist(), j.tolist()
    ([0, 0, 1], [0, 1, 5])
    """
    sizes = np.maximum(high - low, 0)
    left = np.repeat(np.arange(len(low)), sizes)
    within = np.arange(len(left)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return left, within + low[left]
