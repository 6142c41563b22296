"""Clocks of a video put together from packets of several encodings.

DTS are the rising PTS, moved back by as many frames as the encoder reorders over, which is what x264
and x265 do themselves: they rise across the borders of parts, and none is after its PTS.
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
    """Lays packets out on one clock that knows nothing of a source; each encoding starts with a keyframe.

    Parameters
    ----------
    delay : int
        Frames by which the encoders' decoding runs ahead of presentation.
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
            # No frame is shown before: so early as the encoder says, which knows how far apart frames are.
            own = self._first if packet.dts is None else packet.dts
            packet.dts = min(own, self._first - self._delay + self._number)
        else:
            packet.dts = heapq.heappop(self._shown)
        self._number += 1


class PacketClock:
    """Checks packets in decoding order against the source's frames, and lays them out on the whole video's clock."""

    def __init__(self, info: VideoInfo, *, shift: Fraction, time_base: Fraction, delay: int) -> None:
        self._base, self._delay = time_base, delay
        self._pts: list[int] = [round((pts * info.time_base + shift) / time_base) for pts in info.pts.tolist()]
        self._lengths = [round(ticks * info.time_base / time_base) for ticks in durations(info, 0).values()]
        self._places = {pts: place for place, pts in enumerate(self._pts)}
        self._seen = np.zeros(len(self._pts), bool)
        self._number = 0

    def stamp(self, packet: Packet[Any]) -> None:
        """Give the next packet its times."""
        scale = (packet.time_base or self._base) / self._base
        pts = round((packet.pts or 0) * scale)
        place = self._places.get(pts)
        if place is None or self._seen[place]:
            raise VideoError(f"the parts hold a frame at tick {pts} that the source does not have, or have it twice")
        dts = self._dts(self._number)
        if dts > pts:
            raise VideoError(f"the frame at tick {pts} is decoded too late for its part; encode the parts anew")
        self._seen[place] = True
        self._number += 1
        length = self._lengths[place] or round((packet.duration or 0) * scale)
        packet.time_base, packet.pts, packet.dts, packet.duration = self._base, pts, dts, length

    def _dts(self, number: int) -> int:
        if number >= self._delay:
            return self._pts[number - self._delay]
        reach = min(self._delay, len(self._pts) - 1)
        return self._pts[number] - (self._pts[reach] - self._pts[0])

    def leave_out(self, frames: Iterable[int]) -> None:
        """Do not count on these frames."""
        self._seen[list(frames)] = True

    def check_whole(self) -> None:
        """Raise if a frame of the source has not come."""
        if not self._seen.all():
            raise VideoError(f"the parts lack {np.count_nonzero(~self._seen)} of {len(self._seen)} frames")
