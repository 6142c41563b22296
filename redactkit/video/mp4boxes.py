"""Parse the boxes of an mp4 or mov file, and the byte ranges of its samples.

References
----------
ISO/IEC 14496-12, 4.2 (boxes), 8.7 (sample tables).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "Mp4Boxes", "Track", "children", "find", "find_all"]

_TABLE_HEADER_BYTES = 8  # bytes before the entries of most tables: version, flags and the number of entries


@dataclass(frozen=True)
class Box:
    """One box: its bytes are ``start`` to ``end``, its content ``body`` to ``end``."""

    kind: bytes
    start: int
    body: int
    end: int


def children(data: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes in ``data[start:end]``, up to the first incomplete one."""
    while end - start >= 8:
        box = _header(data[start : start + 16], start, end)
        if box is None:
            return
        yield box
        start = box.end


def _header(head: bytes, start: int, end: int) -> Box | None:
    size, kind, length = int.from_bytes(head[:4], "big"), head[4:8], 8
    if size == 1:
        size, length = int.from_bytes(head[8:16], "big"), 16
    elif size == 0:
        size = end - start
    if size < length or start + size > end:
        return None
    return Box(kind, start, start + length, start + size)


def find_all(data: bytes, box: Box, *path: bytes) -> list[Box]:
    """Return the boxes at a path of kinds below ``box``."""
    found = [box]
    for kind in path:
        found = [child for parent in found for child in children(data, parent.body, parent.end) if child.kind == kind]
    return found


def find(data: bytes, box: Box, *path: bytes) -> Box | None:
    """Return the first box at a path of kinds below ``box``, None if there is none."""
    return next(iter(find_all(data, box, *path)), None)


class Mp4Boxes:
    """The boxes of a file.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    boxes : list of Box
        At the top, in order.
    size, end : int
        Bytes of the file, and where the last whole box ends.
    moov : bytes
        The index, empty where there is none; boxes in it are at its offsets.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.size = file.seek(0, 2)
            self.boxes = list(_top(file, self.size))
            self.end = self.boxes[-1].end if self.boxes else 0
            self.moov = self._read(file)

    def _read(self, file: BinaryIO) -> bytes:
        box = next((box for box in self.boxes if box.kind == b"moov"), None)
        if box is None:
            return b""
        file.seek(box.start)
        return file.read(box.end - box.start)

    @cached_property
    def root(self) -> Box:
        """The index as a box within `moov`."""
        head = 16 if self.moov[:4] == b"\0\0\0\1" else 8
        return Box(b"moov", 0, min(head, len(self.moov)), len(self.moov))

    @property
    def within_index(self) -> list[Box]:
        """The child boxes of the index (``moov``)."""
        return list(children(self.moov, self.root.body, self.root.end))

    @cached_property
    def tracks(self) -> list[Track]:
        """Every track of the index."""
        return [Track(self.moov, box) for box in find_all(self.moov, self.root, b"trak")]


def _top(file: BinaryIO, size: int) -> Iterator[Box]:
    at = 0
    while size - at >= 8:
        file.seek(at)
        box = _header(file.read(16), at, size)
        if box is None:
            return
        yield box
        at = box.end


class Track:
    """One track of an index."""

    def __init__(self, data: bytes, box: Box) -> None:
        self._data, self.box = data, box

    @property
    def id(self) -> int:
        """The track ID."""
        box = find(self._data, self.box, b"tkhd")
        if box is None:
            return 0
        at = box.body + (20 if self._data[box.body] == 1 else 12)
        return int.from_bytes(self._data[at : at + 4], "big")

    @property
    def handler(self) -> bytes:
        """The handler type: ``vide``, ``soun`` ..."""
        box = find(self._data, self.box, b"mdia", b"hdlr")
        return b"" if box is None else self._data[box.body + 8 : box.body + 12]

    def table(self, kind: bytes) -> Box | None:
        """Return one of its sample tables."""
        return find(self._data, self.box, b"mdia", b"minf", b"stbl", kind)

    @cached_property
    def sample_sizes(self) -> NDArray[np.int64]:
        """Bytes of every sample, in order, shape (N,).

        Raises
        ------
        ValueError
            If the table is cut off.
        """
        box = self.table(b"stsz")
        if box is None:
            return np.zeros(0, np.int64)
        each, count = np.frombuffer(self._data, ">u4", 2, box.body + 4).tolist()
        if each:
            return np.full(min(count, 1 << 31), each, np.int64)
        return self._numbers(box, box.body + 12, count)

    @cached_property
    def extents(self) -> NDArray[np.int64]:
        """First byte, and the one after the last, of every chunk of samples in the file, shape (C, 2).

        Raises
        ------
        ValueError
            If the tables contradict each other.
        """
        offsets, sizes = self._chunk_offsets(), self.sample_sizes
        box = self.table(b"stsc")
        if not len(offsets) or not len(sizes) or box is None:
            return np.zeros((0, 2), np.int64)
        count = int.from_bytes(self._data[box.body + 4 : box.body + 8], "big")
        runs = self._numbers(box, box.body + _TABLE_HEADER_BYTES, 3 * count).reshape(-1, 3)
        counts = np.repeat(runs[:, 1], np.diff([*(runs[:, 0] - 1), len(offsets)]))
        if counts.sum() != len(sizes) or len(counts) != len(offsets) or not counts.all():
            raise ValueError("the tables of its samples contradict each other")
        lengths = np.add.reduceat(sizes, np.cumsum(counts) - counts)
        return np.stack([offsets, offsets + lengths], axis=1)

    def _chunk_offsets(self) -> NDArray[np.int64]:
        for kind, width in ((b"stco", 4), (b"co64", 8)):
            box = self.table(kind)
            if box is not None:
                count = int.from_bytes(self._data[box.body + 4 : box.body + 8], "big")
                return self._numbers(box, box.body + _TABLE_HEADER_BYTES, count, width=width)
        return np.zeros(0, np.int64)

    def _numbers(self, box: Box, at: int, count: int, *, width: int = 4) -> NDArray[np.int64]:
        if at + width * count > box.end:
            raise ValueError(f"its {box.kind.decode('latin-1')} table is cut off")
        return np.frombuffer(self._data, f">u{width}", count, at).astype(np.int64)
