"""Tracklets into tracks: joined over gaps where the motion on both sides agrees, rows left over taken in."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.tracking.appearance_distance import AppearanceDistance
from redactkit.tracking.matching import BoolArray, Pairs, expanded, unrivalled
from redactkit.tracking.motion import FloatArray, IntArray, Noise, Rows, fit_motion

__all__ = ["Limits", "stitch"]

ACCELERATION_SHARES = (1.0, 0.35)
"""Shares of the usual change of velocity by which joins are weighed: of faces that move at will, and of steady ones.

Adding one joins more of what moves so.
"""
EDGE_ROWS = 6
"""Rows at a tracklet's end that decide which face hid it. Raising it finds more faces that may have."""
OCCLUDED_GAP_FACTOR = 1.75
"""How many times the longest gap a face may be hidden by another. Raising it joins more."""
MIN_APPEARANCE_ROWS = 4
"""Rows of a tracklet from which its appearance is known. Raising it joins fewer."""
MAX_APPEARANCE_DISTANCE = 0.15
"""Largest appearance distance of two tracklets that the same face hid, to be joined. Raising it joins more."""
MAX_LOG_GROWTH = 0.5
"""Largest change of the logarithm of such a face's size. Raising it joins more."""
MAX_PAIRS_AT_ONCE = 2_000_000
"""Candidates whose costs are computed at once. Raising it takes memory."""


@dataclass(frozen=True)
class Limits:
    """How far stitching goes.

    ``step`` seconds from one run of the detector to the next, ``longest`` seconds of a gap, ``gate`` squared
    Mahalanobis distance, ``odds`` that a join may cost at most (see `LinkOptions`), ``margin`` by which the best join
    must beat a rival.
    """

    step: float
    longest: float
    gate: float
    odds: float
    margin: float = 1.5


def stitch(rows: Rows, track: IntArray, *, limits: Limits, noise: Noise, appearance: NDArray[Any] | None) -> IntArray:
    """Join tracklets over gaps in several rounds, short gaps first.

    Parameters
    ----------
    rows : Rows
        Of one shot, in order of frame.
    track : ndarray of shape (N,)
        Tracklet of each row.
    limits : Limits
    noise : Noise
    appearance : ndarray of shape (N, D) or None
        The appearance of each row, a vector compared by direction; rows of NaN or of zeros are not compared.

    Returns
    -------
    ndarray of shape (N,), int64
        Track of each row.
    """
    unlike = None if appearance is None else AppearanceDistance(appearance, _Tracklets(rows, track).by_track)
    for reach in (4 * limits.step, 10 * limits.step, limits.longest / 2, limits.longest):
        for join in (partial(_bridged, unlike=unlike), _absorbed):
            while len(pairs := join(tracklets := _Tracklets(rows, track), min(reach, limits.longest), limits, noise)):
                track = tracklets.joined(pairs)
    if unlike is not None:
        while len(pairs := _emerged(tracklets := _Tracklets(rows, track), limits, noise, unlike)):
            track = tracklets.joined(pairs)
    return track


class _Tracklets:
    """A shot's rows in order of tracklet, then frame."""

    def __init__(self, rows: Rows, track: IntArray) -> None:
        self.order = np.lexsort((rows.frame, track))
        self.rows = Rows(*(getattr(rows, field.name)[self.order] for field in fields(Rows)))
        _, self.first, self.counts = np.unique(track[self.order], return_index=True, return_counts=True)
        self.last = self.first + self.counts - 1
        self.begin, self.end = self.rows.seconds[self.first], self.rows.seconds[self.last]

    @property
    def by_track(self) -> list[IntArray]:
        """The rows of each tracklet, numbered as they came, in order of frame."""
        return np.split(self.order, self.first[1:])

    def clear_ends(self, limits: Limits) -> tuple[IntArray, IntArray]:
        """Return each tracklet's last row and its first one on which no other face's box lies.

        A face that another passes seems to stand still or to shrink, so such rows would spoil the velocity. Where no
        other row is near an end of the tracklet, it is that end.
        """
        rows = np.arange(len(self.order))
        clear = self.rows.cover < 0
        before = np.maximum.accumulate(np.where(clear, rows, -1))[self.last]
        after = np.minimum.accumulate(np.where(clear, rows, len(rows))[::-1])[::-1][self.first]
        after = np.minimum(after, len(rows) - 1)
        near = self.rows.seconds[self.last] - self.rows.seconds[np.maximum(before, 0)] <= limits.longest / 4
        late = self.rows.seconds[after] - self.rows.seconds[self.first] <= limits.longest / 4
        last = np.where((before >= self.first) & near, before, self.last)
        first = np.where((after <= self.last) & late, after, self.first)
        return last, first

    def covers(self) -> tuple[list[set[int]], list[set[int]]]:
        """Return the tracklets that lie on the last rows of each tracklet, and on its first ones."""
        member = np.empty(len(self.order), np.int64)
        member[self.order] = np.repeat(np.arange(len(self.counts)), self.counts)
        cover = np.where(self.rows.cover < 0, -1, member[self.rows.cover])
        rows = [cover[first : last + 1] for first, last in zip(self.first, self.last, strict=True)]
        return [{*part[-EDGE_ROWS:]} - {-1} for part in rows], [{*part[:EDGE_ROWS]} - {-1} for part in rows]

    def overlap(self, a: IntArray, b: IntArray) -> BoolArray:
        """Tell which tracklets of ``a`` are seen while those of ``b`` are."""
        return np.asarray((self.begin[a] <= self.end[b]) & (self.begin[b] <= self.end[a]))

    def joined(self, pairs: Pairs) -> IntArray:
        """Return the track of each row, in the rows' first order, with every pair made one."""
        root = np.arange(len(self.counts))
        root[pairs.right] = pairs.left
        while not np.array_equal(further := root[root], root):
            root = further
        track = np.empty(len(self.order), np.int64)
        track[self.order] = np.repeat(root, self.counts)
        return track


def _bridged(
    tracklets: _Tracklets, reach: float, limits: Limits, noise: Noise, *, unlike: AppearanceDistance | None
) -> Pairs:
    """Return joins of tracklets' ends to later ones' starts.

    Rivals are looked for over the longest gap, so a track is not joined to a start that fits a farther end better.
    """
    # A join is weighed from the very last and first boxes, and from the last ones that nothing hid in part; and with
    # faces that change their speed much or little. The best of these models counts.
    ends = [(tracklets.last, tracklets.first), tracklets.clear_ends(limits)]
    models = [
        _MotionModel(tracklets, replace(noise, wander=noise.wander * share), *pair)
        for share in ACCELERATION_SHARES
        for pair in ends
    ]
    # Candidates of an end are the starts after it, up to the longest gap: a range of the starts in order of time.
    order = np.argsort(tracklets.begin, kind="stable")
    low = np.searchsorted(tracklets.begin[order], tracklets.end, side="right")
    high = np.searchsorted(tracklets.begin[order], tracklets.end + limits.longest + 1e-9, side="right")
    found = []
    for part in _chunks(high - low):
        tail, place = expanded(low[part], high[part])
        tail, head = part[tail], order[place]
        cost = np.min([model.costs(tail, head, limits) for model in models], axis=0)
        found.append(Pairs(tail, head, cost)[np.isfinite(cost)])
    pairs = Pairs(*(np.concatenate([getattr(one, field.name) for one in found]) for field in fields(Pairs)))
    if unlike is not None:
        pairs = _alike(pairs, unlike.between(tracklets.by_track, pairs.left, pairs.right), limits)
    # Taken is what is the best for both by a margin. Only now are joins dropped over gaps longer than this pass takes.
    chosen = unrivalled(pairs, margin=limits.margin, lefts=tracklets.overlap, rights=tracklets.overlap)
    gap = tracklets.begin[pairs.right[chosen]] - tracklets.end[pairs.left[chosen]]
    return pairs[chosen[gap <= reach + 1e-9]]


def _emerged(tracklets: _Tracklets, limits: Limits, noise: Noise, unlike: AppearanceDistance) -> Pairs:
    """Return joins of faces that another one hid to faces that look alike and came out where the same one was."""
    hid_end, hid_start = tracklets.covers()
    order = np.argsort(tracklets.begin, kind="stable")
    low = np.searchsorted(tracklets.begin[order], tracklets.end, side="right")
    high = np.searchsorted(tracklets.begin[order], tracklets.end + OCCLUDED_GAP_FACTOR * limits.longest, side="right")
    tail, place = expanded(low, high)
    head = order[place]
    # Both must have been hidden by the same face, and be seen for long enough to know what they look like.
    shared = np.array([bool(hid_end[a] & hid_start[b]) for a, b in zip(tail, head, strict=True)], bool)
    shared &= np.minimum(tracklets.counts[tail], tracklets.counts[head]) >= MIN_APPEARANCE_ROWS
    tail, head = tail[shared], head[shared]
    model = _MotionModel(tracklets, noise, *tracklets.clear_ends(limits))
    # The appearance decides; the motion only says what is out of reach, since nobody saw the way.
    apart = unlike.apart(tracklets.by_track, tail, head)
    good = (apart < MAX_APPEARANCE_DISTANCE) & model.near(tail, head)
    pairs = Pairs(tail[good], head[good], apart[good] / MAX_APPEARANCE_DISTANCE * limits.margin * 2)
    return pairs[unrivalled(pairs, margin=limits.margin, lefts=tracklets.overlap, rights=tracklets.overlap)]


def _alike(pairs: Pairs, unlike: FloatArray, limits: Limits) -> Pairs:
    """Add the cost of an appearance distance, and leave out pairs that differ too much."""
    return Pairs(pairs.left, pairs.right, pairs.cost + unlike)[unlike < limits.gate]


def _chunks(sizes: IntArray) -> list[IntArray]:
    """Group tails so that no group has many more candidates than `MAX_PAIRS_AT_ONCE`."""
    group = np.cumsum(sizes) // MAX_PAIRS_AT_ONCE
    return [np.flatnonzero(group == number) for number in np.unique(group)]


class _MotionModel:
    """Positions and velocities at tracklets' ends, under one assumption of how much velocities change."""

    def __init__(self, tracklets: _Tracklets, noise: Noise, last: IntArray, first: IntArray) -> None:
        self.noise = noise
        self.tails = fit_motion(tracklets.rows, last, last - tracklets.first + 1, step=-1, noise=noise)
        self.heads = fit_motion(tracklets.rows, first, tracklets.last - first + 1, step=1, noise=noise)

    def costs(self, tail: IntArray, head: IntArray, limits: Limits) -> FloatArray:
        """Return the costs of joins: twice the negative log likelihood ratio, infinite beyond the limits.

        The ratio compares one face with two people who have nothing to do with one another.

        Velocity is a random walk (a Wiener process). Between two known velocities the expected displacement is their
        mean times the time, with a variance of ``wander ** 2 * dt ** 3 / 12``: a quarter of that of a prediction from
        one end alone.
        """
        tails, heads, noise = self.tails, self.heads, self.noise
        dt = heads.seconds[head] - tails.seconds[tail]
        size = np.exp((tails.log_size[tail] + heads.log_size[head]) / 2)
        before, after = tails.velocity[tail], heads.velocity[head]
        way = heads.center[head] - tails.center[tail]
        miss = ((way - (before + after) / 2 * dt[:, None]) ** 2).sum(axis=1) / size**2
        turn = ((before - after) ** 2).sum(axis=1) / size**2
        # A head is estimated backwards in time, which turns the sign of its covariance of place and velocity.
        place, cross, speeds = (tails.covariance[tail] + heads.covariance[head] * (1, -1, 1)).T
        spread = place + dt * cross + dt**2 / 4 * speeds + noise.wander**2 * dt**3 / 12
        turning = speeds + noise.wander**2 * dt
        grown = noise.grown(tails.log_size[tail] - heads.log_size[head], dt)
        distance = miss / spread + turn / turning + grown
        # An uncertain prediction fits almost any face, so uncertainty adds cost, as in a likelihood ratio. So single
        # boxes join over a few frames, and long tracklets that move alike over a second or two.
        odds = (
            distance
            + noise.vagueness_penalty_of_position(spread)
            + noise.vagueness_penalty_of_velocity(turning)
            + noise.vagueness_penalty_of_growth(dt)
        )
        return np.where((distance < limits.gate) & (odds < limits.odds), odds, np.inf)

    def near(self, tail: IntArray, head: IntArray) -> BoolArray:
        """Tell which heads are of about the size of the tails, and within reach of a motion that was not seen."""
        tails, heads = self.tails, self.heads
        dt = heads.seconds[head] - tails.seconds[tail]
        size = np.exp((tails.log_size[tail] + heads.log_size[head]) / 2)
        way = (tails.velocity[tail] + heads.velocity[head]) / 2 * dt[:, None]
        miss = np.linalg.norm(heads.center[head] - tails.center[tail] - way, axis=1) / size
        growth = np.abs(heads.log_size[head] - tails.log_size[tail])
        return np.asarray((miss < 1 + dt) & (growth < MAX_LOG_GROWTH))


def _absorbed(tracklets: _Tracklets, reach: float, limits: Limits, noise: Noise) -> Pairs:
    """Return joins of tracklets to others that have a gap where they fit in."""
    rows = tracklets.rows
    # Gaps inside tracklets: rows whose next one of the same tracklet is more than one step away.
    member = np.repeat(np.arange(len(tracklets.counts)), tracklets.counts)
    before = np.flatnonzero((np.diff(member) == 0) & (np.diff(rows.seconds) > 1.5 * limits.step))
    before = before[rows.seconds[before + 1] - rows.seconds[before] <= reach + 1e-9]
    # Guests of a gap are tracklets that begin and end in it.
    order = np.argsort(tracklets.begin, kind="stable")
    starts = tracklets.begin[order]
    low = np.searchsorted(starts, rows.seconds[before], side="right")
    high = np.searchsorted(starts, rows.seconds[before + 1], side="left")
    gap, place = expanded(low, high)
    guest = order[place]
    inside = tracklets.end[guest] < rows.seconds[before + 1][gap]
    gap, guest = gap[inside], guest[inside]
    # A guest fits where its first and its last box lie near the straight line across the gap.
    ends = (tracklets.first[guest], tracklets.last[guest])
    cost = np.maximum(*(_misfit(rows, before[gap], row, noise) for row in ends))
    good = cost < limits.gate
    pairs = Pairs(gap[good], guest[good], cost[good])
    chosen = unrivalled(pairs, margin=limits.margin, lefts=lambda a, b: a != b, rights=tracklets.overlap)
    # A tracklet fills one gap only: the first that takes it.
    chosen = chosen[_first_of_each(pairs.right[chosen])]
    return Pairs(member[before[pairs.left[chosen]]], pairs.right[chosen], pairs.cost[chosen])


def _misfit(rows: Rows, before: IntArray, row: IntArray, noise: Noise) -> FloatArray:
    """Squared Mahalanobis distance of rows from the straight way between ``before`` and the row after it."""
    after = before + 1
    span = rows.seconds[after] - rows.seconds[before]
    share = (rows.seconds[row] - rows.seconds[before]) / span
    between = rows.center[before] + share[:, None] * (rows.center[after] - rows.center[before])
    log_size = rows.log_size[before] + share * (rows.log_size[after] - rows.log_size[before])
    miss = ((rows.center[row] - between) ** 2).sum(axis=1) / np.exp(2 * log_size)
    spread = 2 * noise.position**2 + noise.wander**2 * span * (span * share * (1 - share)) ** 2
    return np.asarray(miss / spread + noise.grown(rows.log_size[row] - log_size, span / 2))


def _first_of_each(values: IntArray) -> IntArray:
    return np.sort(np.unique(values, return_index=True)[1])
