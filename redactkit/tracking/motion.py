"""A face's motion: constant velocity with noise that scales with the face and grows with the gap.

All variances are in units of the face's size squared, time is in seconds, so that one set of numbers holds
for near and far faces and for every frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Motion", "Noise", "Rows", "chains", "fit_motion"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Noise:
    """What faces and detectors do, as standard deviations in face sizes.

    ``position`` of a box about the face, ``speed`` of a face in general (per s), ``wander`` of its speed (per s^1.5),
    ``size`` of the logarithm of a box's size, ``growth`` of the same (per s).
    """

    position: float = 0.07
    speed: float = 2.0
    wander: float = 2.0
    size: float = 0.06
    growth: float = 0.35

    def grown(self, change: FloatArray, seconds: FloatArray) -> FloatArray:
        """Return the squared Mahalanobis distance of a change in the logarithm of a box's size over a time."""
        return np.asarray(change**2 / (2 * self.size**2 + (self.growth * seconds) ** 2))


@dataclass(frozen=True)
class Rows:
    """A detections table as arrays, in order of frame: what linking looks at."""

    frame: IntArray
    seconds: FloatArray
    center: FloatArray
    log_size: FloatArray
    size: FloatArray

    def reversed(self) -> Rows:
        """Return the same rows with time running backwards; row i becomes row N - 1 - i."""
        return Rows(-self.frame[::-1], -self.seconds[::-1], self.center[::-1], self.log_size[::-1], self.size[::-1])

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True)
class Motion:
    """Where T tracklets' ends are and how they move: one row each."""

    seconds: FloatArray
    center: FloatArray
    velocity: FloatArray
    log_size: FloatArray
    size: FloatArray
    center_variance: FloatArray
    velocity_variance: FloatArray


def fit_motion(rows: Rows, ends: IntArray, counts: IntArray, *, step: int, noise: Noise, window: float) -> Motion:
    """Fit position and velocity at tracklets' ends by least squares, with a prior that faces stand still.

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
    window : float
        Seconds of the tracklet to look at.
    """
    reach = np.arange(int(min(counts.max(initial=1), 24)))
    index = np.clip(ends[:, None] + step * reach, 0, len(rows) - 1)
    age = np.abs(rows.seconds[index] - rows.seconds[ends][:, None])
    use = (reach < counts[:, None]) & (age <= window)
    weight = np.where(use, np.exp(-age / window), 0.0)
    offset = rows.seconds[index] - rows.seconds[ends][:, None]
    total = weight.sum(axis=1)
    mean_offset = (weight * offset).sum(axis=1) / total
    mean_center = (weight[:, :, None] * rows.center[index]).sum(axis=1) / total[:, None]
    spread = offset - mean_offset[:, None]
    sxx = (weight * spread**2).sum(axis=1)
    sxy = (weight[:, :, None] * spread[:, :, None] * rows.center[index]).sum(axis=1)
    log_size = (weight * rows.log_size[index]).sum(axis=1) / total
    ridge = (noise.position / noise.speed) ** 2
    velocity = sxy / (sxx + ridge)[:, None]
    velocity_variance = noise.position**2 / (sxx + ridge)
    return Motion(
        seconds=rows.seconds[ends],
        center=mean_center - velocity * mean_offset[:, None],
        velocity=velocity,
        log_size=log_size,
        size=np.exp(log_size),
        center_variance=noise.position**2 / total + mean_offset**2 * velocity_variance,
        velocity_variance=velocity_variance,
    )


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
