"""Tracklets into tracks: the end of one joined to the start of another where both predict each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from redactkit.tracking.motion import FloatArray, IntArray, Motion, Noise, Rows, fit_motion

__all__ = ["Round", "stitch"]

REACH = 1.5
"""Face sizes by which the end of one tracklet and the start of the next may miss each other at most."""


@dataclass(frozen=True)
class Round:
    """One round of stitching: gaps up to ``reach`` seconds, distances up to ``gate`` (squared Mahalanobis)."""

    reach: float
    gate: float


@dataclass(frozen=True)
class _Pairs:
    """Candidates: the tail of one tracklet, the head of a later one, and what joining them costs."""

    tail: IntArray
    head: IntArray
    cost: FloatArray


def stitch(
    rows: Rows, track: IntArray, *, rounds: tuple[Round, ...], noise: Noise, appearance: FloatArray | None, step: float
) -> IntArray:
    """Join tracklets over gaps in several rounds, short gaps first.

    Parameters
    ----------
    rows : Rows
        Of one shot, in order of frame.
    track : ndarray of shape (N,)
        Tracklet of each row.
    rounds : tuple of Round
    noise : Noise
    appearance : ndarray of shape (N, D) or None
        Unit vectors; NaN rows where none is known.
    step : float
        Seconds between two frames on which the detector was run.

    Returns
    -------
    ndarray of shape (N,), int64
        Track of each row.
    """
    for one in rounds:
        while True:
            joined = _stitch_once(rows, track, one, noise, appearance, step)
            if joined is None:
                break
            track = joined
    return track


def _stitch_once(
    rows: Rows, track: IntArray, one: Round, noise: Noise, appearance: FloatArray | None, step: float
) -> IntArray | None:
    order = np.lexsort((rows.frame, track))
    sorted_rows = Rows(*(getattr(rows, name)[order] for name in ("frame", "seconds", "center", "log_size", "size")))
    _, first, counts = np.unique(track[order], return_index=True, return_counts=True)
    last = first + counts - 1
    tails = fit_motion(sorted_rows, last, counts, step=-1, noise=noise, window=0.5)
    heads = fit_motion(sorted_rows, first, counts, step=1, noise=noise, window=0.5)
    pairs = _candidates(tails, heads, counts, one, noise, step)
    chosen = _unrivalled(pairs, heads.seconds, tails.seconds)
    if not len(chosen):
        return None
    follow = np.arange(len(counts))
    follow[pairs.head[chosen]] = pairs.tail[chosen]
    while True:
        further = follow[follow]
        if np.array_equal(further, follow):
            break
        follow = further
    result = np.empty_like(track)
    result[order] = np.repeat(follow, counts)
    return result


def _candidates(tails: Motion, heads: Motion, counts: IntArray, one: Round, noise: Noise, step: float) -> _Pairs:
    order = np.argsort(heads.seconds, kind="stable")
    starts = heads.seconds[order]
    reach = np.minimum(one.reach, step * (3 + 3 * counts))
    low = np.searchsorted(starts, tails.seconds, side="right")
    high = np.searchsorted(starts, tails.seconds + reach + 1e-9, side="right")
    found = [_price(tails, heads, part, low, high, order, one, noise) for part in _chunks(high - low)]
    return _Pairs(*(np.concatenate([getattr(p, name) for p in found]) for name in ("tail", "head", "cost")))


def _chunks(sizes: IntArray, limit: int = 2_000_000) -> list[IntArray]:
    """Group tails so that no group has many more than ``limit`` candidates."""
    group = np.cumsum(sizes) // limit
    return [np.flatnonzero(group == number) for number in np.unique(group)]


def _price(
    tails: Motion,
    heads: Motion,
    part: IntArray,
    low: IntArray,
    high: IntArray,
    order: IntArray,
    one: Round,
    noise: Noise,
) -> _Pairs:
    sizes = (high - low)[part]
    tail = np.repeat(part, sizes)
    place = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + np.repeat(low[part], sizes)
    head = order[place]
    dt = heads.seconds[head] - tails.seconds[tail]
    size = np.exp((tails.log_size[tail] + heads.log_size[head]) / 2)
    grown = (tails.log_size[tail] - heads.log_size[head]) ** 2 / (2 * noise.size**2 + (noise.growth * dt) ** 2)
    before, after = tails.velocity[tail], heads.velocity[head]
    moved = heads.center[head] - tails.center[tail]
    miss = ((moved - (before + after) / 2 * dt[:, None]) ** 2).sum(axis=1) / size**2
    turn = ((before - after) ** 2).sum(axis=1) / size**2
    unsure = tails.velocity_variance[tail] + heads.velocity_variance[head]
    miss_variance = (
        tails.center_variance[tail] + heads.center_variance[head] + dt**2 / 4 * unsure + noise.wander**2 * dt**3 / 12
    )
    turn_variance = unsure + noise.wander**2 * dt
    cost = miss / miss_variance + turn / turn_variance + grown
    good = (cost < one.gate) & (miss < REACH**2)
    cost = cost + 2 * np.log(miss_variance)
    return _Pairs(tail[good], head[good], cost[good])


def _unrivalled(pairs: _Pairs, begin: FloatArray, end: FloatArray, margin: float = 2.0) -> IntArray:
    """Pick the pairs that are each other's best, and better by a margin than any rival present at the same time."""
    if not len(pairs.tail):
        return np.zeros(0, np.int64)
    best_of_tail = _best(pairs.tail, pairs.cost)
    best_of_head = _best(pairs.head, pairs.cost)
    mine, theirs = best_of_tail[pairs.tail], best_of_head[pairs.head]
    number = np.arange(len(pairs.tail))
    near_tail = (number != mine) & (pairs.cost < pairs.cost[mine] + margin)
    near_head = (number != theirs) & (pairs.cost < pairs.cost[theirs] + margin)
    near_tail &= _overlap(pairs.head, pairs.head[mine], begin, end)
    near_head &= _overlap(pairs.tail, pairs.tail[theirs], begin, end)
    doubtful = np.zeros(len(number), bool)
    doubtful[mine[near_tail]] = True
    doubtful[theirs[near_head]] = True
    return np.flatnonzero((mine == number) & (theirs == number) & ~doubtful)


def _best(group: IntArray, cost: FloatArray) -> IntArray:
    """Return for each group number the index of its cheapest member, -1 for a group with none."""
    order = np.lexsort((cost, group))
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    best = np.full(int(group.max()) + 1, -1, np.int64)
    best[group[order][first]] = order[first]
    return best


def _overlap(a: IntArray, b: IntArray, begin: FloatArray, end: FloatArray) -> FloatArray:
    return np.asarray((begin[a] <= end[b]) & (begin[b] <= end[a]))
