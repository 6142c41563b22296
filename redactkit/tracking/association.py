"""Associate the boxes of each frame with the tracks seen just before it.

References
----------
Zhang et al., "ByteTrack: Multi-Object Tracking by Associating Every Detection Box", ECCV 2022: confident
boxes are assigned first, the doubtful ones to the tracks left over.
Kalman, "A New Approach to Linear Filtering and Prediction Problems", 1960.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from redactkit.tracking.assignment import assign
from redactkit.tracking.motion import FloatArray, IntArray, Noise, Rows, corrected, moved, unknown

__all__ = ["agreed_links", "forward_links"]

MAX_RIVAL_SECONDS = 1.2
"""Seconds for which a lost track keeps others from the box that fits it best, though it may not take the box itself.

Raising it leaves more to stitching, and mixes up fewer faces.
"""
ESTABLISHED_BOXES = 6
"""Boxes from which a lost track counts as such a rival. Raising it lets fewer tracks keep others from a box."""
LIKELY = 2.0
"""Twice the log odds against a link, from which it is not made here. Raising it leaves less to stitching."""

BoolArray = NDArray[np.bool_]


class _Active:
    """The tracks that may still be continued, with a Kalman filter each, the same for x and y."""

    def __init__(self, noise: Noise) -> None:
        self.noise = noise
        self.row = np.zeros(0, np.int64)
        self.seconds = np.zeros(0)
        self.center = np.zeros((0, 2))
        self.velocity = np.zeros((0, 2))
        self.log_size = np.zeros(0)
        self.covariance = np.zeros((0, 3))
        self.boxes = np.zeros(0, np.int64)

    def forget(self, before: float, rival: float) -> None:
        """Remove tracks last seen before the time ``before``; established ones only before ``rival``."""
        self._take((self.seconds >= before) | ((self.seconds >= rival) & (self.boxes >= ESTABLISHED_BOXES)))

    def drop(self, track: IntArray) -> None:
        """Remove tracks by their positions."""
        if len(track):
            keep = np.ones(len(self.row), bool)
            keep[track] = False
            self._take(keep)

    def _take(self, keep: BoolArray) -> None:
        if keep.all():
            return
        for name in ("row", "seconds", "center", "velocity", "log_size", "covariance", "boxes"):
            setattr(self, name, getattr(self, name)[keep])

    def predict(self, now: float) -> tuple[FloatArray, FloatArray]:
        """Return the centres expected ``now`` and the terms (T, 3) of their covariance, in sizes squared."""
        dt = now - self.seconds
        return self.center + dt[:, None] * self.velocity, moved(self.covariance, dt, noise=self.noise)

    def update(self, rows: Rows, track: IntArray, row: IntArray, center: FloatArray, later: FloatArray) -> None:
        """Correct the chosen tracks by the boxes given to them."""
        gains, self.covariance[track] = corrected(later[track], noise=self.noise)
        miss = rows.center[row] - center[track]
        self.center[track] = center[track] + gains[:, :1] * miss
        self.velocity[track] += gains[:, 1:] * miss
        self.log_size[track] += 0.5 * (rows.log_size[row] - self.log_size[track])
        self.seconds[track] = rows.seconds[row]
        self.row[track] = row
        self.boxes[track] += 1

    def add(self, rows: Rows, row: IntArray) -> None:
        """Start a track at each of some rows."""
        if not len(row):
            return
        self.row = np.concatenate([self.row, row])
        self.boxes = np.concatenate([self.boxes, np.ones(len(row), np.int64)])
        self.seconds = np.concatenate([self.seconds, rows.seconds[row]])
        self.center = np.concatenate([self.center, rows.center[row]])
        self.velocity = np.concatenate([self.velocity, np.zeros((len(row), 2))])
        self.log_size = np.concatenate([self.log_size, rows.log_size[row]])
        self.covariance = np.concatenate([self.covariance, unknown(len(row), noise=self.noise)])


def agreed_links(rows: Rows, confident: BoolArray, *, noise: Noise, memory: float, gate: float) -> IntArray:
    """Link boxes forwards and, apart from that, backwards in time; keep the links that both runs made.

    Parameters
    ----------
    rows : Rows
        Of one shot, in order of frame.
    confident : ndarray of shape (N,)
        Boxes that are assigned first.
    noise : Noise
    memory : float
        Seconds for which a track without a box is still looked for.
    gate : float
        Squared Mahalanobis distance beyond which a box cannot belong to a track.

    Returns
    -------
    ndarray of shape (N,), int64
        For each row the next row of the same face, -1 where there is none.
    """
    ahead = forward_links(rows, confident, noise=noise, memory=memory, gate=gate)
    back = forward_links(rows.reversed(), confident[::-1], noise=noise, memory=memory, gate=gate)
    before = np.where(back >= 0, len(rows) - 1 - back, -1)[::-1]
    found = np.flatnonzero(ahead >= 0)
    agreed = np.full(len(rows), -1, np.int64)
    same = before[ahead[found]] == found
    agreed[found[same]] = ahead[found[same]]
    return agreed


def forward_links(rows: Rows, confident: BoolArray, *, noise: Noise, memory: float, gate: float) -> IntArray:
    """Link boxes in one direction; the parameters and the result are those of `agreed_links`."""
    links = np.full(len(rows), -1, np.int64)
    tracks = _Active(noise)
    starts = np.flatnonzero(np.diff(rows.frame, prepend=rows.frame[:1] - 1))
    for first, stop in zip(starts, np.append(starts[1:], len(rows)), strict=True):
        tracks.forget(rows.seconds[first] - memory, rows.seconds[first] - max(memory, MAX_RIVAL_SECONDS))
        here = np.arange(first, stop)
        left = _assign_frame(tracks, rows, here, confident[here], memory, gate, links)
        tracks.add(rows, left)
    return links


def _assign_frame(
    tracks: _Active, rows: Rows, here: IntArray, sure: BoolArray, memory: float, gate: float, links: IntArray
) -> IntArray:
    """Give one frame's rows to tracks, the confident first; return the rows that no track took."""
    if not len(tracks.row):
        return here
    center, later = tracks.predict(float(rows.seconds[here[0]]))
    cost, odds = _costs(tracks, rows, here, center, later, gate)
    # Confident boxes choose first; doubtful ones get the tracks that are left (ByteTrack).
    free = np.ones(len(tracks.row), bool)
    taken = np.zeros(len(here), bool)
    pairs: list[tuple[IntArray, IntArray]] = []
    for (group,) in (sure.nonzero(), (~sure).nonzero()):
        if not len(group) and pairs:
            continue
        (open_tracks,) = free.nonzero()
        track, box = assign(cost[open_tracks[:, None], group])
        pairs.append((open_tracks[track], group[box]))
        free[pairs[-1][0]] = False
        taken[pairs[-1][1]] = True
    track, box = (np.concatenate(side) for side in zip(*pairs, strict=True))
    # A track that is out of memory, or met its box by chance as well as by motion, keeps others from the box but is not
    # linked to it: whoever stitches sees more of both.
    near = (rows.seconds[here[0]] - tracks.seconds[track] <= memory) & (odds[track, box] < LIKELY)
    links[tracks.row[track[near]]] = here[box[near]]
    tracks.update(rows, track[near], here[box[near]], center, later)
    taken[box[~near]] = False
    tracks.drop(track[~near])
    return here[~taken]


def _costs(
    tracks: _Active, rows: Rows, here: IntArray, center: FloatArray, later: FloatArray, gate: float
) -> tuple[FloatArray, FloatArray]:
    """Return the cost of every pair, 0 outside the gate, and twice the logarithm of the odds against it."""
    noise = tracks.noise
    # Distances are in sizes of the face: the geometric mean of the track's and the box's.
    size = np.exp((tracks.log_size[:, None] + rows.log_size[here][None]) / 2)
    dt = (rows.seconds[here[0]] - tracks.seconds)[:, None]
    apart = ((center[:, None] - rows.center[here][None]) ** 2).sum(axis=2) / size**2
    # Squared Mahalanobis distance: the predicted variance plus that of the box about the face.
    spread = later[:, :1] + noise.position**2
    distance = apart / spread + noise.grown(tracks.log_size[:, None] - rows.log_size[here][None], dt)
    # A vague prediction is near every box by chance, so what it allows counts against the link.
    odds = distance + noise.vagueness_penalty_of_position(spread) + noise.vagueness_penalty_of_growth(dt)
    # Costs are negative inside the gate, so that assigning a box always pays; precise predictions go first.
    return np.where(distance < gate, distance - gate + np.log(np.minimum(spread, 1)), 0.0), odds
