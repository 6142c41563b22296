"""Decide which groups of pictures of a video may be copied as they are, and which must be encoded.

A group is what starts at one IDR picture and ends before the next: nothing in it refers to another
group. It is copied if none of its frames is redacted and there is no doubt about any of its packets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import ArrayLike, NDArray

from redactkit.errors import OptionError
from redactkit.media import VideoInfo
from redactkit.video.encoding import Encoding, choose_encoding
from redactkit.video.opening import av_errors, opened, video_stream
from redactkit.video.packets import doubts, read_packets
from redactkit.video.smartcopy import h264
from redactkit.video.smartcopy.h264 import AvcConfig, Sps, parse_sps, pps_ids

__all__ = ["CopyPlan", "plan_copy"]

_FORMATS = {"yuv420p", "yuvj420p"}
_PROFILES = {66, 77, 100}
_OUR_REORDERING = 2  # x264 with B-frames that others refer to
_OLDEST_X264 = 68  # decoders correct faults of older ones, which they know by a SEI message
_ALLOWED = {h264.SLICE, h264.IDR, h264.SEI, h264.SPS, h264.PPS, h264.DELIMITER, h264.FILLER}


@dataclass(frozen=True, eq=False)
class CopyPlan:
    """Which frames are copied.

    Parameters
    ----------
    copied : ndarray of shape (F,), bool
    reason : str
        Why no frame may be copied; empty if some may.
    config : AvcConfig or None
        The source's parameter sets.
    set_id : int
        Number under which the encoder's own parameter sets do not collide with them.
    delay : int
        Frames by which decoding runs ahead of presentation.
    """

    copied: NDArray[np.bool_]
    reason: str = ""
    config: AvcConfig | None = None
    set_id: int = 1
    delay: int = _OUR_REORDERING

    @property
    def runs(self) -> list[tuple[int, int, bool]]:
        """Return start, stop and whether it is copied, of every run of frames, in order."""
        edges = np.flatnonzero(np.diff(self.copied)) + 1
        bounds = [0, *edges.tolist(), len(self.copied)] if len(self.copied) else []
        return [(start, stop, bool(self.copied[start])) for start, stop in pairwise(bounds)]

    def ranges(self, *, copied: bool) -> list[tuple[int, int]]:
        """Return start and stop of every run of frames that is copied, or that must be written anew."""
        return [(start, stop) for start, stop, is_copied in self.runs if is_copied == copied]

    @property
    def notes(self) -> list[str]:
        """Say what is copied, or why nothing is; nothing where no copying was asked for."""
        if self.copied.any():
            return [f"{np.count_nonzero(self.copied)} of {len(self.copied)} frames copied bit for bit"]
        return [f"every frame encoded: {self.reason}"] if self.reason else []


def plan_copy(info: VideoInfo, redacted: ArrayLike, *, encoding: Encoding | None = None) -> CopyPlan:
    """Plan which frames of a video are copied and which encoded.

    Parameters
    ----------
    info : VideoInfo
    redacted : array_like of shape (F,), bool
        Whether anything in a frame is hidden.
    encoding : Encoding, optional
        How the other frames are encoded; by default as `choose_encoding` says.

    Returns
    -------
    CopyPlan
        With no frame copied where the source leaves any doubt; its ``reason`` says which.

    Raises
    ------
    OptionError
        If ``redacted`` has not one value for each frame.
    VideoError
        If the file cannot be read.

    Examples
    --------
    >>> plan = plan_copy(probe("lobby.mp4"), hidden)  # doctest: +SKIP
    >>> plan.copied.mean()  # doctest: +SKIP
    0.75
    """
    hidden = np.asarray(redacted, bool)
    if hidden.shape != (info.frame_count,):
        raise OptionError(f"redacted must have shape ({info.frame_count},), got {hidden.shape}")
    nothing = np.zeros(info.frame_count, bool)
    encoding = encoding or choose_encoding(info)
    reason = _unfit(info, encoding)
    if reason or info.path is None:
        return CopyPlan(nothing, reason)
    with av_errors(info.path, "read its packets"), opened(info.path) as container:
        stream = video_stream(container, info.path)
        try:
            survey = _Survey(stream)
            table = read_packets(stream, survey.watch(container.demux(stream)))
            reason = doubts(stream, container.format.name, table) or survey.fault
        except ValueError as err:
            return CopyPlan(nothing, f"its parameter sets cannot be read ({err})")
    reason = reason or survey.layout_fault(info)
    if reason:
        return CopyPlan(nothing, reason)
    copied = survey.clear_frames(info, hidden)
    reason = "" if copied.any() else "no group of pictures is free of hidden boxes"
    return CopyPlan(copied, reason, survey.config, survey.free_id, max(_OUR_REORDERING, survey.delay(info)))


def _unfit(info: VideoInfo, encoding: Encoding) -> str:
    """Return why a video with this header cannot be copied in part, or nothing."""
    if info.path is None:
        return "there is no file"
    if info.codec != "h264" or encoding.codec != "h264":
        return f"codec {info.codec} written as {encoding.codec}: only h264 is copied"
    if info.pixel_format not in _FORMATS or info.pixel_format != encoding.pixel_format:
        return f"pixel format {info.pixel_format}: only 8-bit 4:2:0 is copied"
    return ""


@dataclass
class _Survey:
    """What the packets of an h264 stream show on one reading, in decoding order."""

    stream: VideoStream
    config: AvcConfig = field(init=False)
    pts: list[int] = field(default_factory=list)
    idr: list[bool] = field(default_factory=list)
    discard: list[bool] = field(default_factory=list)
    fault: str = ""

    def __post_init__(self) -> None:
        self.config = AvcConfig.parse(self.stream.codec_context.extradata or b"")
        self.fault = self._set_fault()

    def _set_fault(self) -> str:
        if len(self.config.sps) != 1 or len(self.config.pps) != 1:
            return "it has several parameter sets"
        sps = self._sps
        if sps.profile not in _PROFILES or sps.chroma != 1 or sps.bit_depth != 8:
            return f"profile {sps.profile} is none of baseline, main and high"
        if not sps.progressive:
            return "it may be interlaced"
        if sps.hidden > 15:
            return "it hides picture beyond its edges"
        return ""

    @property
    def _sps(self) -> Sps:
        return parse_sps(self.config.sps[0])

    @property
    def free_id(self) -> int:
        """A parameter set number that the source does not use."""
        used = {self._sps.id, *pps_ids(self.config.pps[0])}
        return next(number for number in range(1, 32) if number not in used)

    def watch(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Pass packets on, noting what is in them."""
        for packet in packets:
            if packet.size:
                self._note(packet)
            yield packet

    def _note(self, packet: Packet[VideoStream]) -> None:
        data = bytes(packet)
        try:
            units = h264.split_prefixed(data, self.config.length_size)
        except ValueError as err:
            self.fault = self.fault or str(err)
            units = []
        kinds = {unit[0] & 31 for unit in units}
        self.fault = self.fault or self._unit_fault(units, kinds)
        self.pts.append(packet.pts if packet.pts is not None else 0)
        self.idr.append(h264.IDR in kinds)
        self.discard.append(packet.is_discard)

    def _unit_fault(self, units: list[bytes], kinds: set[int]) -> str:
        if not kinds <= _ALLOWED:
            return f"a packet has NAL units of kind {sorted(kinds - _ALLOWED)}"
        known = {*self.config.sps, *self.config.pps}
        if kinds & {h264.SPS, h264.PPS} and any(
            unit not in known for unit in units if unit[0] & 31 in (h264.SPS, h264.PPS)
        ):
            return "it has parameter sets within the stream"
        build = re.search(rb"x264 - core (\d+)", units[0]) if kinds & {h264.SEI} else None
        if build and int(build[1]) < _OLDEST_X264:
            return f"it was made by x264 {int(build[1])}, whose faults decoders correct"
        return ""

    def layout_fault(self, info: VideoInfo) -> str:
        """Return what speaks against cutting the stream into groups, or nothing."""
        shown = self._shown
        if not np.array_equal(np.sort(shown), info.pts):
            return "its packets and its frames do not have the same times"
        if not self.idr[0] or (np.diff(self._group_of_frame(info)) < 0).any():
            return "its groups of pictures overlap in time"
        sps = self._sps
        if (sps.width, sps.height) != (info.coded_width, info.coded_height):
            return "its parameter set gives another frame size"
        if sps.reordered is None and self.delay(info):
            return "it does not say by how much frames are reordered"
        return ""

    @property
    def _shown(self) -> NDArray[np.int64]:
        pts: NDArray[np.int64] = np.array(self.pts, np.int64)[~np.array(self.discard)]
        return pts

    def _group_of_frame(self, info: VideoInfo) -> NDArray[np.int64]:
        """Return the group of every frame, shape (F,), groups counted in decoding order."""
        groups = (np.cumsum(np.array(self.idr, np.int64)) - 1)[~np.array(self.discard)]
        ordered: NDArray[np.int64] = groups[np.argsort(self._shown, kind="stable")]
        return ordered

    def clear_frames(self, info: VideoInfo, redacted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the frames whose group has nothing redacted and nothing that the file hides from players."""
        group = self._group_of_frame(info)
        touched = np.zeros(sum(self.idr), bool)
        np.logical_or.at(touched, group, redacted)
        np.logical_or.at(touched, np.cumsum(self.idr) - 1, np.array(self.discard))
        return np.asarray(~touched[group])

    def delay(self, info: VideoInfo) -> int:
        """Return the most frames by which decoding runs ahead of presentation."""
        shown = self._shown
        places = np.searchsorted(info.pts, shown)
        return int(np.max(np.arange(len(shown)) - places, initial=0))
