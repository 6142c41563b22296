"""Plan smart copy: which groups of pictures (GOPs) of an H.264 video are copied, and which are encoded.

A GOP starts at one IDR picture and ends before the next (a closed GOP of ISO/IEC 14496-10): no picture in it
refers to another GOP, so each can be copied or encoded alone. A GOP is copied if none of its frames is redacted
and none of its packets is in doubt; of one that has a redacted frame, what comes before that frame, as far as no later
picture is decoded first. A video with any doubt about the stream as a whole is encoded entirely.
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
from redactkit.media import FrameRange, VideoInfo
from redactkit.video.encoding import Encoding, choose_encoding
from redactkit.video.opening import av_errors, opened, video_stream
from redactkit.video.packets import doubts, read_packets
from redactkit.video.smartcopy import h264
from redactkit.video.smartcopy.h264 import AvcConfig, Sps, parse_sps, pps_ids

__all__ = ["CopyPlan", "plan_copy"]

_COPIED_PIXEL_FORMATS = {"yuv420p", "yuvj420p"}
_COPIED_PROFILES = {66, 77, 100}
_X264_REORDER_FRAMES = 2  # decoding order of x264 with B-pyramid runs two frames ahead of presentation
MIN_BEGINNING = 16
"""Fewest frames to copy of a GOP that has a redacted frame, where the frame before it is encoded: what follows then
needs one more encoder. Raising it opens fewer of them and encodes more frames."""

_MIN_X264_BUILD = 68  # decoders work around bugs of older builds, which they find in an SEI message that is removed
_COPIED_NAL_TYPES = {h264.SLICE, h264.IDR, h264.SEI, h264.SPS, h264.PPS, h264.DELIMITER, h264.FILLER}


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
        ID (``seq_parameter_set_id``) of the encoder's parameter sets, one that the source does not use.
    delay : int
        Reorder delay: frames by which decoding runs ahead of presentation, the larger of source and encoder.
    """

    copied: NDArray[np.bool_]
    reason: str = ""
    config: AvcConfig | None = None
    set_id: int = 1
    delay: int = _X264_REORDER_FRAMES

    @property
    def runs(self) -> list[tuple[FrameRange, bool]]:
        """Return each run of frames that are all copied or all encoded, in order, and whether they are copied."""
        edges = np.flatnonzero(np.diff(self.copied)) + 1
        bounds = [0, *edges.tolist(), len(self.copied)] if len(self.copied) else []
        return [(FrameRange(start, stop), bool(self.copied[start])) for start, stop in pairwise(bounds)]

    def ranges(self, *, copied: bool) -> list[FrameRange]:
        """Return the frame ranges that are copied, or those that are encoded."""
        return [frames for frames, is_copied in self.runs if is_copied == copied]

    @property
    def notes(self) -> list[str]:
        """One line for the report: how much is copied, or why nothing is; empty if smart copy was not asked for."""
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
        If the source leaves any doubt, no frame is copied and ``reason`` names the doubt.

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
    # 1. The header: only 8-bit 4:2:0 H.264 that is also written as H.264 can be mixed with encoded frames.
    encoding = encoding or choose_encoding(info)
    reason = _header_fault(info, encoding)
    if reason or info.path is None:
        return CopyPlan(nothing, reason)
    # 2. The packets, read once: parameter sets, NAL unit types, timestamps, IDR pictures, edit list.
    with av_errors(info.path, "read its packets"), opened(info.path) as container:
        stream = video_stream(container, info.path)
        try:
            survey = _Survey(stream)
            table = read_packets(stream, survey.watch(container.demux(stream)))
            reason = doubts(stream, container.format.name, table) or survey.fault
        except ValueError as err:
            return CopyPlan(nothing, f"its parameter sets cannot be read ({err})")
    # 3. The layout of the stream: GOPs must not overlap in presentation time.
    reason = reason or survey.layout_fault(info)
    if reason:
        return CopyPlan(nothing, reason)
    # 4. The GOPs themselves.
    copied = survey.clear_frames(info, hidden)
    reason = "" if copied.any() else "no group of pictures is free of hidden boxes at its beginning"
    return CopyPlan(copied, reason, survey.config, survey.free_id, max(_X264_REORDER_FRAMES, survey.delay(info)))


def _header_fault(info: VideoInfo, encoding: Encoding) -> str:
    """Return why the header rules out smart copy, or an empty string."""
    if info.path is None:
        return "there is no file"
    if info.codec != "h264" or encoding.codec != "h264":
        return f"codec {info.codec} written as {encoding.codec}: only h264 is copied"
    if info.pixel_format not in _COPIED_PIXEL_FORMATS or info.pixel_format != encoding.pixel_format:
        return f"pixel format {info.pixel_format}: only 8-bit 4:2:0 is copied"
    return ""


@dataclass
class _Survey:
    """What one pass over the packets of an H.264 stream shows, in decoding order.

    ``fault`` is the first reason found against copying anything, empty if there is none.
    """

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
        """Return what in the parameter sets of the header rules out copying, or an empty string."""
        if len(self.config.sps) != 1 or len(self.config.pps) != 1:
            return "it has several parameter sets"
        sps = self._sps
        if sps.profile not in _COPIED_PROFILES or sps.chroma != 1 or sps.bit_depth != 8:
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
        """The lowest parameter set ID from 1 that the source does not use."""
        used = {self._sps.id, *pps_ids(self.config.pps[0])}
        return next(number for number in range(1, 32) if number not in used)

    def watch(self, packets: Iterable[Packet[VideoStream]]) -> Iterator[Packet[VideoStream]]:
        """Pass packets on and record what is in them."""
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
        """Return what in a packet's NAL units rules out copying, or an empty string."""
        if not kinds <= _COPIED_NAL_TYPES:
            return f"a packet has NAL units of kind {sorted(kinds - _COPIED_NAL_TYPES)}"
        # Repeats of the header's parameter sets are harmless (they are left out of copies); others change the decoder.
        known = {*self.config.sps, *self.config.pps}
        if kinds & {h264.SPS, h264.PPS} and any(
            unit not in known for unit in units if unit[0] & 31 in (h264.SPS, h264.PPS)
        ):
            return "it has parameter sets within the stream"
        # x264 writes its build as text into the first SEI message (user_data_unregistered).
        build = re.search(rb"x264 - core (\d+)", units[0]) if kinds & {h264.SEI} else None
        if build and int(build[1]) < _MIN_X264_BUILD:
            return f"it was made by x264 {int(build[1])}, whose faults decoders correct"
        return ""

    def layout_fault(self, info: VideoInfo) -> str:
        """Return why the stream cannot be divided into independent GOPs, or an empty string."""
        shown = self._shown
        if not np.array_equal(np.sort(shown), info.pts):
            return "its packets and its frames do not have the same times"
        # In presentation order the GOP numbers must not fall: then each GOP is one unbroken range of frames.
        if not self.idr[0] or (np.diff(self._group_of_frame(info)) < 0).any():
            return "its groups of pictures overlap in time"
        sps = self._sps
        if (sps.width, sps.height) != (info.coded_width, info.coded_height):
            return "its parameter set gives another frame size"
        # Without max_num_reorder_frames a decoder guesses the delay, and guesses another one for the joined stream.
        if sps.reordered is None and self.delay(info):
            return "it does not say by how much frames are reordered"
        return ""

    @property
    def _shown(self) -> NDArray[np.int64]:
        """PTS of the packets that an edit list does not hide, in decoding order."""
        pts: NDArray[np.int64] = np.array(self.pts, np.int64)[~np.array(self.discard)]
        return pts

    def _group_of_frame(self, info: VideoInfo) -> NDArray[np.int64]:
        """Return the GOP number of each frame in presentation order, shape (F,); numbers follow decoding order."""
        groups = (np.cumsum(np.array(self.idr, np.int64)) - 1)[~np.array(self.discard)]
        ordered: NDArray[np.int64] = groups[np.argsort(self._shown, kind="stable")]
        return ordered

    def clear_frames(self, info: VideoInfo, redacted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the mask of frames to copy: GOPs without a redacted frame, and of others what comes before it.

        Of a GOP with a packet hidden by an edit list nothing is copied.
        """
        group = self._group_of_frame(info)
        count = sum(self.idr)
        touched, doubtful = np.zeros(count, bool), np.zeros(count, bool)
        np.logical_or.at(touched, group, redacted)
        np.logical_or.at(doubtful, np.cumsum(self.idr) - 1, np.array(self.discard))
        copied = ~(touched | doubtful)[group]
        complete = self._complete(info)
        for number in np.flatnonzero(touched & ~doubtful):
            start = int(np.searchsorted(group, number))
            first = start + int(np.argmax(redacted[start:]))
            ends = np.flatnonzero(complete[start:first])
            stop = start + int(ends[-1]) + 1 if len(ends) else start
            if stop - start >= MIN_BEGINNING or start == 0 or copied[start - 1]:
                copied[start:stop] = True
        return copied

    def _complete(self, info: VideoInfo) -> NDArray[np.bool_]:
        """Return for each frame whether the first packets, so many, hold no later frame, shape (F,)."""
        latest = np.maximum.accumulate(np.searchsorted(info.pts, self._shown))
        return np.asarray(latest == np.arange(len(latest)))

    def delay(self, info: VideoInfo) -> int:
        """Return the reorder delay: the most frames by which decoding runs ahead of presentation."""
        shown = self._shown
        places = np.searchsorted(info.pts, shown)
        return int(np.max(np.arange(len(shown)) - places, initial=0))
