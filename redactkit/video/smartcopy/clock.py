"""Decoding timestamps (DTS) for a stream that is joined from the packets of several encoders.

The n-th packet in decoding order gets the n-th PTS in rising order, moved back by the reorder delay, as x264 and
x265 do. So DTS rise across the borders of segments and chunks, and no DTS is later than its PTS.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
from av.packet import Packet

from redactkit.errors import VideoError
from redactkit.media import VideoInfo
from redactkit.video.timing import durations

__all__ = ["PacketClock", "RisingClock"]


class RisingClock:
    """Assigns DTS from the PTS of the packets alone; every encoder starts with a keyframe.

    Parameters
    ----------
    delay : int
        The encoders' reorder delay in frames.
    """

    def __init__(self, delay: int) -> None:
        self._delay = delay
        self._shown: list[int] = []
        self._first: int | None = None
        self._number = 0

    def stamp(self, packet: Packet[Any]) -> None:
        """Give the next packet in decoding order its DTS."""
        pts = packet.pts or 0
        self._first = pts if self._first is None else self._first
        heapq.heappush(self._shown, pts)
        if self._number < self._delay:
            # The first packets are decoded before anything is shown. The encoder knows the frame distance, so its
            # DTS is taken, but no later than one tick a packet before the first PTS.
            own = self._first if packet.dts is None else packet.dts
            packet.dts = min(own, self._first - self._delay + self._number)
        else:
            # From here on the smallest PTS not yet used is the DTS.
            packet.dts = heapq.heappop(self._shown)
        self._number += 1


class PacketClock:
    """Assigns PTS, DTS and duration from the source's frame table, and checks that each frame comes exactly once."""

    def __init__(self, info: VideoInfo, *, shift: Fraction, time_base: Fraction, delay: int) -> None:
        self._base, self._delay = time_base, delay
        self._pts: list[int] = [round((pts * info.time_base + shift) / time_base) for pts in info.pts.tolist()]
        self._lengths = [round(ticks * info.time_base / time_base) for ticks in durations(info, 0).values()]
        # Encoders leave the length of the last frame open; a track that ends where that begins loses it in players.
        self._usual = max(1, round(1 / info.frame_rate / time_base))
        self._frame_of = {pts: frame for frame, pts in enumerate(self._pts)}
        self._seen = np.zeros(len(self._pts), bool)
        self._number = 0

    def stamp(self, packet: Packet[Any]) -> None:
        """Give the next packet its times."""
        scale = (packet.time_base or self._base) / self._base
        pts = round((packet.pts or 0) * scale)
        frame = self._frame_of.get(pts)
        if frame is None or self._seen[frame]:
            raise VideoError(f"the chunks hold a frame at tick {pts} that the source does not have, or have it twice")
        dts = self._dts(self._number)
        if dts > pts:
            raise VideoError(f"the frame at tick {pts} is decoded too late for its chunk; encode the chunks anew")
        self._seen[frame] = True
        self._number += 1
        length = self._lengths[frame] or round((packet.duration or 0) * scale) or self._usual
        packet.time_base, packet.pts, packet.dts, packet.duration = self._base, pts, dts, length

    def _dts(self, number: int) -> int:
        """Return the DTS of packet ``number`` in decoding order."""
        if number >= self._delay:
            return self._pts[number - self._delay]
        # Before the first PTS: continue backward, as far as the first frames are apart.
        reach = min(self._delay, len(self._pts) - 1)
        return self._pts[number] - (self._pts[reach] - self._pts[0])

    def leave_out(self, frames: Iterable[int]) -> None:
        """Do not expect these frames."""
        self._seen[list(frames)] = True

    def check_whole(self) -> None:
        """Raise if a frame of the source has not come."""
        if not self._seen.all():
            raise VideoError(f"the chunks lack {np.count_nonzero(~self._seen)} of {len(self._seen)} frames")
