"""The clean aperture: the part of the stored picture that players show, as the container says.

It is carried from the source into the output, and the whole picture is searched and redacted: some players show it all.

References
----------
ISO/IEC 14496-12, 12.1.4 (``clap``); RFC 9559, 5.1.4.1.28 (``PixelCrop``); RFC 8794, 4 (variable-size integers).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, NamedTuple

from redactkit.errors import VideoError
from redactkit.video.mp4boxes import Box, Mp4Boxes, Track, children, find
from redactkit.video.opening import opened, video_stream

__all__ = ["WHOLE", "Cropping", "read_aperture", "write_aperture"]

_STSD_HEADER_BYTES = 8  # bytes before the sample descriptions: version, flags and their number
_VISUAL_ENTRY_BYTES = 78  # bytes of a visual sample description before the boxes in it
_BLOCK_BYTES = 8 << 20
_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _TYPE, _VIDEO = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0x83, 0xE0
_CROPS = (0x54CC, 0x54BB, 0x54DD, 0x54AA)  # left, top, right, bottom


class Cropping(NamedTuple):
    """Pixels of the stored picture that are cropped on each side."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


WHOLE = Cropping()


def read_aperture(path: Path) -> Cropping:
    """Return the cropping that a video's container declares; `WHOLE` if it declares none, or an impossible one.

    Raises
    ------
    VideoError
        If it is no video.
    """
    with opened(path) as container:
        stream = video_stream(container, path)
        width, height = stream.codec_context.width, stream.codec_context.height
        kind, number = container.format.name, stream.id
        place = [each.index for each in container.streams.video].index(stream.index)
    crop = WHOLE
    with suppress(ValueError, IndexError):  # a file that breaks the format has no aperture that could be read
        if "mp4" in kind:
            crop = _mp4_cropping(Mp4Boxes(path), number, width, height)
        elif "matroska" in kind:
            crop = _matroska_cropping(path, place)
    inside = crop.left + crop.right < width and crop.top + crop.bottom < height
    return crop if inside and min(crop) >= 0 else WHOLE


def _mp4_cropping(boxes: Mp4Boxes, number: int, width: int, height: int) -> Cropping:
    entry = _entry(boxes, number)
    box = None if entry is None else _clap(boxes.moov, entry)
    if box is None:
        return WHOLE
    words = [int.from_bytes(boxes.moov[at : at + 4], "big", signed=True) for at in range(box.body, box.body + 32, 4)]
    if 0 in words[1::2]:
        return WHOLE
    wide, high, right, down = (Fraction(*pair) for pair in zip(words[::2], words[1::2], strict=True))
    left, top = (width - wide) / 2 + right, (height - high) / 2 + down
    return Cropping(round(left), round(top), round(width - wide - left), round(height - high - top))


def _entry(boxes: Mp4Boxes, number: int) -> Box | None:
    """Return the first sample description of the track of a number."""
    track = next((track for track in boxes.tracks if track.id == number), None)
    table = None if track is None else track.table(b"stsd")
    return None if table is None else next(children(boxes.moov, table.body + _STSD_HEADER_BYTES, table.end), None)


def _clap(data: bytes, entry: Box) -> Box | None:
    within = children(data, entry.body + _VISUAL_ENTRY_BYTES, entry.end)
    return next((box for box in within if box.kind == b"clap" and box.end - box.body >= 32), None)


def write_aperture(path: Path, crop: Cropping) -> None:
    """Write a ``clap`` box into an mp4 with one video track and its index before its samples, in place.

    Raises
    ------
    VideoError
        If the file is not laid out like that.
    """
    boxes = Mp4Boxes(path)
    track = next((track for track in boxes.tracks if track.handler == b"vide"), None)
    entry = None if track is None else _entry(boxes, track.id)
    if track is None or entry is None:
        raise VideoError(f"{path} has no video track to say of which part of the picture is shown")
    width, height = (int.from_bytes(boxes.moov[at : at + 2], "big") for at in (entry.body + 24, entry.body + 26))
    box = _written(crop, width, height)
    before, there = next(box for box in boxes.boxes if box.kind == b"moov").start, _clap(boxes.moov, entry)
    with path.open("r+b") as file:
        if there is not None:
            file.seek(before + there.start)
            file.write(box)
            return
        grown = _grown(boxes, track, entry, box, after=before + len(boxes.moov))
        _move_tail(file, before + len(boxes.moov), len(box))
        file.seek(before)
        file.write(grown)


def _written(crop: Cropping, width: int, height: int) -> bytes:
    shown = (width - crop.left - crop.right, 1, height - crop.top - crop.bottom, 1)
    offset = (crop.left - crop.right, 2, crop.top - crop.bottom, 2)
    return b"\0\0\0\x28clap" + b"".join(word.to_bytes(4, "big", signed=True) for word in (*shown, *offset))


def _grown(boxes: Mp4Boxes, track: Track, entry: Box, box: bytes, *, after: int) -> bytes:
    """Return the index with ``box`` appended to a sample description, and all chunk offsets moved by its size."""
    data = bytearray(boxes.moov)
    for each in boxes.tracks:
        _move_chunks(data, each, len(box), after)
    parents = [find(boxes.moov, track.box, *_STSD_PATH[:depth]) for depth in range(len(_STSD_PATH) + 1)]
    for parent in (boxes.root, *parents, entry):
        assert parent is not None
        if parent.body - parent.start != 8:
            raise VideoError("the index of the video has boxes of a size that is never needed")
        data[parent.start : parent.start + 4] = (parent.end - parent.start + len(box)).to_bytes(4, "big")
    data[entry.end : entry.end] = box
    return bytes(data)


_STSD_PATH = (b"mdia", b"minf", b"stbl", b"stsd")


def _move_chunks(data: bytearray, track: Track, by: int, after: int) -> None:
    for kind, width in ((b"stco", 4), (b"co64", 8)):
        table = track.table(kind)
        for at in range(table.body + 8, table.end, width) if table is not None else ():
            offset = int.from_bytes(data[at : at + width], "big")
            if offset >= after:
                try:
                    data[at : at + width] = (offset + by).to_bytes(width, "big")
                except OverflowError as err:
                    raise VideoError("the video is a few bytes too long for its index") from err


def _move_tail(file: BinaryIO, start: int, by: int) -> None:
    """Move the bytes from ``start`` on, block by block from the end, so that none is overwritten before it is read."""
    end = file.seek(0, 2)
    while end > start:
        begin = max(start, end - _BLOCK_BYTES)
        file.seek(begin)
        block = file.read(end - begin)
        file.seek(begin + by)
        file.write(block)
        end = begin


def _matroska_cropping(path: Path, place: int) -> Cropping:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        for element in _elements(file, 0, size):
            if element[0] == _SEGMENT:
                return _segment_cropping(file, element, place)
    return WHOLE


def _segment_cropping(file: BinaryIO, segment: tuple[int, int, int], place: int) -> Cropping:
    for number, start, end in _elements(file, *segment[1:]):
        if number == _TRACKS:
            videos = [video for track in _elements(file, start, end) if (video := _video_of(file, track)) is not None]
            return Cropping(*(videos[place].get(side, 0) for side in _CROPS))
    return WHOLE


def _video_of(file: BinaryIO, track: tuple[int, int, int]) -> dict[int, int] | None:
    """Return the cropping numbers of a Matroska track's video settings, None if it is no video track."""
    if track[0] != _TRACK:
        return None
    elements = list(_elements(file, *track[1:]))
    if not any(number == _TYPE and _number(file, start, end) == 1 for number, start, end in elements):
        return None
    settings = [each for number, start, end in elements if number == _VIDEO for each in _elements(file, start, end)]
    return {number: _number(file, start, end) for number, start, end in settings if end - start <= 8}


def _number(file: BinaryIO, start: int, end: int) -> int:
    file.seek(start)
    return int.from_bytes(file.read(end - start), "big")


def _elements(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield ID, start and end of the content of each EBML element in a range of a file."""
    while start < end:
        file.seek(start)
        head = file.read(12)
        number, used = _variable(head, keep_marker=True)
        size, more = _variable(head[used:], keep_marker=False)
        begin = start + used + more
        # A size of all ones is unknown (a live stream): nothing after such an element can be found.
        unknown = size == (1 << 7 * more) - 1
        start = end if unknown else begin + size
        if number == _CLUSTER and unknown:
            return
        yield number, begin, min(start, end)


def _variable(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    if not data or not data[0]:
        raise ValueError("no variable-size integer")
    length = 9 - data[0].bit_length()
    value = int.from_bytes(data[:length], "big")
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), length
