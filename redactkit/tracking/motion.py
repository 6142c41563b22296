"""A face's motion: constant velocity with noise that scales with the face and grows with the gap.

All variances are in units of the face's size squared, time is in seconds, so that one set of numbers holds
for near and far faces and for every frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["Motion", "Noise", "Rows", "chains", "corrected", "fit_motion", "moved", "unknown"]

MOTION_ROWS = 24
"""Rows of a tracklet from which its motion at an end is estimated. Raising it is less noisy, and slower to react."""

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Noise:
    """Standard deviations of the motion of faces and of the detector's boxes, in face sizes.

    ``position`` of a box about the face, ``speed`` of a face in general (per s), ``wander`` of its speed (per s^1.5),
    ``size`` of the logarithm of a box's size, ``growth`` of the same (per s), ``sizes`` of the same from one person
    to another. Faces near a walking camera cross five of their sizes in a second.
    """

    position: float = 0.1
    speed: float = 5.0
    wander: float = 4.0
    size: float = 0.1
    growth: float = 0.8
    sizes: float = 0.5

    def grown(self, change: FloatArray, seconds: FloatArray) -> FloatArray:
        """Return the squared Mahalanobis distance of a change in the logarithm of a box's size over a time."""
        return np.asarray(change**2 / self._growth(seconds))

    def vagueness_penalty_of_position(self, variance: FloatArray) -> FloatArray:
        """Return the penalty of a vague prediction: twice the logarithm of its variance, 0 for one face size."""
        return np.asarray(2 * np.log(variance))

    def vagueness_penalty_of_velocity(self, variance: FloatArray) -> FloatArray:
        """Return the penalty of a vague velocity, 0 where its variance is that between any two people."""
        return np.asarray(2 * np.log(variance / (2 * self.speed**2)))

    def vagueness_penalty_of_growth(self, seconds: FloatArray) -> FloatArray:
        """Return the penalty of a vague size after some time, 0 where its variance is that between any two people."""
        return np.asarray(np.log(self._growth(seconds) / (2 * self.sizes**2)))

    def _growth(self, seconds: FloatArray) -> FloatArray:
        return np.asarray(2 * self.size**2 + (self.growth * seconds) ** 2)


@dataclass(frozen=True)
class Rows:
    """A detections table as arrays, in order of frame: what linking looks at.

    ``cover`` is for each row that of another face's box which reaches into it, -1 where none does: such a row may show
    what is left of a face, not all of it.
    """

    frame: IntArray
    seconds: FloatArray
    center: FloatArray
    log_size: FloatArray
    size: FloatArray
    cover: IntArray

    def reversed(self) -> Rows:
        """Return the same rows with time running backwards; row i becomes row N - 1 - i."""
        turned = {field.name: getattr(self, field.name)[::-1] for field in fields(self)}
        cover = np.where(turned["cover"] < 0, -1, len(self) - 1 - turned["cover"])
        return Rows(**{**turned, "frame": -turned["frame"], "seconds": -turned["seconds"], "cover": cover})

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class Motion:
    """Where T tracklets' ends are and how they move: one row each; ``covariance`` is that of `moved`."""

    seconds: FloatArray
    center: FloatArray
    velocity: FloatArray
    log_size: FloatArray
    covariance: FloatArray


def moved(covariance: FloatArray, seconds: FloatArray, *, noise: Noise) -> FloatArray:
    """Return the covariance of place and velocity some time later, or earlier where ``seconds`` is negative.

    Parameters
    ----------
    covariance : ndarray of shape (T, 3)
        Variance of the place, its covariance with the velocity, variance of the velocity; the same for x and y.
    seconds : ndarray of shape (T,)
    noise : Noise
    """
    # Constant velocity with white acceleration: the process noise is the integrated Wiener process.
    place, cross, speed = covariance.T
    wander, spent = noise.wander**2, np.abs(seconds)
    return np.array(
        [
            place + 2 * seconds * cross + seconds**2 * speed + wander * spent**3 / 3,
            cross + seconds * speed + wander * seconds * spent / 2,
            speed + wander * spent,
        ]
    ).T


def corrected(covariance: FloatArray, *, noise: Noise) -> tuple[FloatArray, FloatArray]:
    """Return the gains (T, 2) for place and velocity of a box that is seen, and the covariance after it."""
    place, cross, speed = covariance.T
    gains = np.array([place, cross]) / (place + noise.position**2)
    left = 1 - gains[0]
    return gains.T, np.array([left * place, left * cross, speed - cross * gains[1]]).T


def unknown(count: int, *, noise: Noise) -> FloatArray:
    """Return the covariance, (count, 3), of faces seen once."""
    return np.tile([noise.position**2, 0.0, noise.speed**2], (count, 1))


def fit_motion(rows: Rows, ends: IntArray, counts: IntArray, *, step: int, noise: Noise) -> Motion:
    """Estimate place and velocity at tracklets' ends with a Kalman filter over their last rows.

    Parameters
    ----------
    rows : Rows
        Sorted by tracklet, then by frame.
    ends : ndarray of shape (T,)
        Row of each tracklet's end: its last row with ``step=-1``, its first with ``step=1``.
    counts : ndarray of shape (T,)
        Rows of each tracklet.
    step : {1, -1}
        Direction in which the tracklet's other rows lie.
    noise : Noise
    """
    back = np.minimum(counts, MOTION_ROWS) - 1
    row = ends + step * back
    center, velocity = rows.center[row], np.zeros((len(ends), 2))
    log_size, covariance = rows.log_size[row], unknown(len(ends), noise=noise)
    # All tracklets take a step at once, from the row furthest inside to the end; shorter ones join later.
    for age in range(int(back.max(initial=0)) - 1, -1, -1):
        use = np.flatnonzero(back > age)
        here = ends[use] + step * age
        dt = rows.seconds[here] - rows.seconds[here + step]
        gains, covariance[use] = corrected(moved(covariance[use], dt, noise=noise), noise=noise)
        center[use] += dt[:, None] * velocity[use]
        miss = rows.center[here] - center[use]
        center[use] += gains[:, :1] * miss
        velocity[use] += gains[:, 1:] * miss
        log_size[use] += 0.3 * (rows.log_size[here] - log_size[use])
    return Motion(rows.seconds[ends], center, velocity, log_size, covariance)


def chains(links: IntArray) -> IntArray:
    """Return the first row of the chain that each row is in.

    Parameters
    ----------
    links : ndarray of shape (N,)
        For each row the next row of the same face, which lies behind it, or -1.
    """
    root = np.arange(len(links))
    source = np.flatnonzero(links >= 0)
    root[links[source]] = source
    while True:
        further = root[root]
        if np.array_equal(further, root):
            return root
        root = further
