"""The H.264 syntax that smart copy needs: NAL units, parameter sets and SEI messages.

References
----------
ITU-T H.264: 7.3.1 (NAL units), 7.3.2.1 (sequence parameter set), 7.3.2.3 (SEI), E.1 (VUI).
ISO/IEC 14496-15, 5.3.3.1: AVCDecoderConfigurationRecord (``avcC``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["AvcConfig", "Sps", "clean_sei", "parse_sps", "pps_ids", "prefixed", "split_annexb", "split_prefixed"]

SLICE, IDR, SEI, SPS, PPS, DELIMITER, FILLER = 1, 5, 6, 7, 8, 9, 12
_PROFILES_WITH_CHROMA = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
# Recovery point, frame packing, mastering display, content light level, alternative transfer: needed for display.
# All other messages are removed: timecodes, captions, and what cameras write about place and device.
_KEPT_SEI_TYPES = {6, 45, 137, 144, 147}


def split_prefixed(data: bytes, size: int) -> list[bytes]:
    """Split length-prefixed NAL units; raise ValueError if they do not fill ``data``."""
    units, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + size], "big")
        at += size + length
        if not length or at > len(data):
            raise ValueError("NAL units do not fill the packet")
        units.append(data[at - length : at])
    return units


def split_annexb(data: bytes) -> list[bytes]:
    """Split NAL units in byte stream format, between start codes (ITU-T H.264, Annex B)."""
    return [unit for unit in re.split(rb"\x00*\x00\x00\x01", data) if unit]


def prefixed(units: Iterable[bytes]) -> bytes:
    """Join NAL units, each with a four-byte length before it."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


@dataclass(frozen=True)
class AvcConfig:
    """The parameter sets of an ``avcC`` box.

    Parameters
    ----------
    head : bytes
        Profile, compatibility flags and level.
    length_size : int
        Bytes of the length before each NAL unit in the packets.
    sps, pps : tuple of bytes
    tail : bytes
        Chroma format and bit depths, which the High profiles append.
    """

    head: bytes
    length_size: int
    sps: tuple[bytes, ...]
    pps: tuple[bytes, ...]
    tail: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> AvcConfig:
        """Read an ``avcC``; raise ValueError if it is none."""
        if len(data) < 7 or data[0] != 1:
            raise ValueError("no avcC")
        sps, at = _sets(data, 6, data[5] & 31)
        pps, at = _sets(data, at + 1, data[at])
        return cls(data[1:4], (data[4] & 3) + 1, sps, pps, data[at:])

    def with_sets(self, sps: bytes, pps: Iterable[bytes]) -> bytes:
        """Return an ``avcC`` with more parameter sets, four-byte lengths, and the higher profile and level of both."""
        profile = max(self.head[0], sps[1])
        level = max(self.head[2], sps[3])
        all_sps, all_pps = (*self.sps, sps), (*self.pps, *pps)
        tail = (self.tail or b"\xfd\xf8\xf8\x00") if profile in _PROFILES_WITH_CHROMA else b""
        return b"".join(
            [
                bytes([1, profile, self.head[1] & sps[2], level, 0xFF, 0xE0 | len(all_sps)]),
                *(len(unit).to_bytes(2, "big") + unit for unit in all_sps),
                bytes([len(all_pps)]),
                *(len(unit).to_bytes(2, "big") + unit for unit in all_pps),
                tail,
            ]
        )


def _sets(data: bytes, at: int, count: int) -> tuple[tuple[bytes, ...], int]:
    units = []
    for _ in range(count):
        length = int.from_bytes(data[at : at + 2], "big")
        units.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    if at > len(data) or not all(units):
        raise ValueError("avcC ends early")
    return tuple(units), at


class _Bits:
    """Reads bits of a NAL unit's payload, without emulation prevention bytes."""

    def __init__(self, unit: bytes) -> None:
        data = unescape(unit[1:])
        self._value, self._left = int.from_bytes(data, "big"), len(data) * 8

    def u(self, count: int) -> int:
        """Read ``count`` bits."""
        self._left -= count
        if self._left < 0:
            raise ValueError("parameter set ends early")
        return self._value >> self._left & (1 << count) - 1

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb number."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Read a signed Exp-Golomb number."""
        number = self.ue()
        return (number + 1) // 2 if number % 2 else -(number // 2)


def unescape(payload: bytes) -> bytes:
    """Remove emulation prevention bytes."""
    return re.sub(rb"\x00\x00\x03(?=[\x00-\x03]|$)", b"\x00\x00", payload)


def escape(payload: bytes) -> bytes:
    """Add emulation prevention bytes."""
    out, zeros = bytearray(), 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


@dataclass(frozen=True)
class Sps:
    """The fields of a sequence parameter set that decide whether its packets may be copied.

    ``reordered`` is ``max_num_reorder_frames``, None if the set has no bitstream restriction; ``hidden`` the most
    pixels that cropping removes from a side.
    """

    id: int
    profile: int
    chroma: int
    bit_depth: int
    progressive: bool
    width: int
    height: int
    hidden: int
    reordered: int | None


def parse_sps(unit: bytes) -> Sps:
    """Read a sequence parameter set; raise ValueError if it ends early."""
    bits = _Bits(unit)
    # In the order of 7.3.2.1.1: profile_idc, constraint flags, level_idc, seq_parameter_set_id.
    profile, _, _, number = bits.u(8), bits.u(8), bits.u(8), bits.ue()
    chroma, depth = _chroma_and_depth(bits) if profile in _PROFILES_WITH_CHROMA else (1, 8)
    bits.ue()  # log2_max_frame_num_minus4
    _skip_order_count(bits)
    bits.ue(), bits.u(1)  # max_num_ref_frames, gaps_in_frame_num_value_allowed_flag
    columns, rows = bits.ue() + 1, bits.ue() + 1
    progressive = bool(bits.u(1))
    if not progressive:
        bits.u(1)  # mb_adaptive_frame_field_flag
    bits.u(1)  # direct_8x8_inference_flag
    crop = [bits.ue() for _ in range(4)] if bits.u(1) else [0] * 4
    rows *= 1 if progressive else 2
    # Cropping counts in chroma samples, two pixels in progressive 4:2:0, the only layout that is copied.
    left, right, top, bottom = (2 * edge for edge in crop)
    return Sps(
        id=number,
        profile=profile,
        chroma=chroma,
        bit_depth=depth,
        progressive=progressive,
        width=columns * 16 - left - right,
        height=rows * 16 - top - bottom,
        hidden=max(left, right, top, bottom),
        reordered=_reordering(bits) if bits.u(1) else None,
    )


def _chroma_and_depth(bits: _Bits) -> tuple[int, int]:
    chroma = bits.ue()
    if chroma == 3:
        bits.u(1)
    depth = 8 + max(bits.ue(), bits.ue())
    bits.u(1)
    if bits.u(1):
        for index in range(8 if chroma != 3 else 12):
            if bits.u(1):
                _skip_scaling_list(bits, 16 if index < 6 else 64)
    return chroma, depth


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.se()) % 256
        last = following or last


def _skip_order_count(bits: _Bits) -> None:
    kind = bits.ue()
    if kind == 0:
        bits.ue()
    elif kind == 1:
        bits.u(1), bits.se(), bits.se()
        for _ in range(bits.ue()):
            bits.se()


def _reordering(bits: _Bits) -> int | None:
    """Read the VUI (E.1.1) up to max_num_reorder_frames of its bitstream restriction."""
    if bits.u(1) and bits.u(8) == 255:  # aspect_ratio_idc: Extended_SAR
        bits.u(32)
    if bits.u(1):  # overscan
        bits.u(1)
    if bits.u(1):  # video_signal_type
        bits.u(4)
        if bits.u(1):  # colour description
            bits.u(24)
    if bits.u(1):  # chroma sample location
        bits.ue(), bits.ue()
    if bits.u(1):  # timing info
        bits.u(65)
    hrds = [bits.u(1) and _skip_hrd(bits) for _ in range(2)]
    if any(hrds):
        bits.u(1)  # low_delay_hrd_flag
    bits.u(1)  # pic_struct_present_flag
    if not bits.u(1):  # bitstream_restriction_flag
        return None
    bits.u(1)
    for _ in range(4):
        bits.ue()
    return bits.ue()


def _skip_hrd(bits: _Bits) -> bool:
    count = bits.ue() + 1
    bits.u(8)
    for _ in range(count):
        bits.ue(), bits.ue(), bits.u(1)
    bits.u(20)
    return True


def pps_ids(unit: bytes) -> tuple[int, int]:
    """Return the ID of a picture parameter set and that of its sequence parameter set."""
    bits = _Bits(unit)
    return bits.ue(), bits.ue()


def clean_sei(unit: bytes) -> bytes:
    """Return an SEI unit with only the messages needed for display; empty if none is left."""
    data = unescape(unit[1:])
    messages = list(_messages(data))
    kept = b"".join(data[start:end] for kind, start, end in messages if kind in _KEPT_SEI_TYPES)
    if not kept:
        return b""
    return unit if len(kept) == messages[-1][2] else unit[:1] + escape(kept + b"\x80")


def _messages(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield kind, start and end of every SEI message, header included."""
    at, end = 0, len(data.rstrip(b"\x00")) - 1
    while at < end:
        start, numbers = at, []
        for _ in range(2):
            number = 0
            while at < end and data[at] == 255:
                number, at = number + 255, at + 1
            numbers.append(number + data[at])
            at += 1
        at += numbers[1]
        if at > end:
            raise ValueError("SEI ends early")
        yield numbers[0], start, at
