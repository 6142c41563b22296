"""Decoded frames in a temporary file, so that later stages need not decode them again.

A frame of 1080p takes 3 MB, so those of a shot do not fit into memory. In a file they cost a copy each way, a fifth of
what decoding them again takes, and that from the keyframe on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from dataclasses import dataclass, fields
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import IO, Any, Self, cast

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

from redactkit.video.frames import Frame
from redactkit.video.planes import packed_view, plane_views

__all__ = ["FrameStore", "large_folder"]

MAX_BYTES = 1 << 31
"""Size of the file: 690 frames of 1080p. Raising it decodes less of long shots again, and takes disk space."""

MAX_FREE_SHARE = 0.25
"""Largest share of the free disk space that the file takes."""

MIN_ROOM_FRAMES = 64
"""Smallest capacity, in frames, at which new frames may leave memory; one batch never needs more.

Raising it keeps frames in memory where the file is small.
"""

_COLOR = ("colorspace", "color_range", "color_primaries", "color_trc")
"""What tells the colours of a picture; scaling depends on all of it."""


@dataclass(frozen=True)
class _Slot:
    """Where in the file a frame lies, and all of it but the samples."""

    number: int
    size: int
    picture: dict[str, Any]
    fields: dict[str, Any]

    @classmethod
    def of(cls, frame: Frame, number: int, size: int) -> Self:
        names = [field.name for field in fields(Frame) if field.name not in ("index", "picture")]
        return cls(
            number,
            size,
            {name: getattr(frame.picture, name) for name in _COLOR},
            {name: getattr(frame, name) for name in names},
        )

    def frame(self, index: int, picture: av.VideoFrame) -> Frame:
        """Return the frame with a picture that nobody else has, and that holds its samples already."""
        for name in _COLOR:
            setattr(picture, name, self.picture[name])
        return Frame(index=index, picture=picture, **self.fields)


class _Copies:
    """Makes copies of a picture, to be overwritten.

    A new picture lacks where its chroma samples lie, on which scaling depends, and PyAV cannot set it.
    """

    def __init__(self, picture: av.VideoFrame) -> None:
        self._graph = av.filter.Graph()
        time_base = picture.time_base or Fraction(1, 25)
        source = self._graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=time_base
        )
        copy, sink = self._graph.add("copy"), self._graph.add("buffersink")
        source.link_to(copy)
        copy.link_to(sink)
        self._graph.configure()
        self._picture = picture  # the decoder may still refer to it
        self._picture = self.another()

    def another(self) -> av.VideoFrame:
        """Return one more copy."""
        self._graph.push(self._picture)
        return cast(av.VideoFrame, self._graph.pull())


def _read(file: FileIO, view: NDArray[np.uint8] | NDArray[np.uint16]) -> bool:
    """Fill a plane with the next bytes of a file; return whether there were enough."""
    # Where rows are padded, the samples of a plane do not lie one behind the other.
    packed = view if view.flags.c_contiguous else np.empty(view.shape, view.dtype)
    whole = file.readinto(packed.data.cast("B")) == view.nbytes
    if packed is not view:
        view[:] = packed
    return whole


def _views(picture: av.VideoFrame) -> list[NDArray[Any]]:
    """Return views of all samples: one for each plane of one component, or one of pixels of 8-bit RGB, else none."""
    form = picture.format
    if form.is_rgb and not form.is_planar and {component.bits for component in form.components} == {8}:
        return [packed_view(picture)]
    separate = form.is_planar or form.name.startswith("gray")
    whole = separate and len(picture.planes) == len(form.components) and form.components[0].bits <= 16
    return plane_views(picture) if whole else []


def _packed_size(picture: av.VideoFrame) -> int:
    """Return the bytes of a picture's samples, 0 where its layout is none of those that are kept."""
    return sum(view.nbytes for view in _views(picture))


class FrameStore:
    """Frames by their number, in a file without a name that is gone when it is closed, or when the process ends.

    Where there is no room, those that came first make place for new ones. Of layouts that are not planar only RGB of 8
    bits is kept, as GIF has it. Usable from several threads.

    Parameters
    ----------
    most : int
        Largest size of the file in bytes.
    frames : int, optional
        Most frames in it.
    """

    def __init__(self, *, most: int = MAX_BYTES, frames: int | None = None) -> None:
        self._most, self._frames = most, frames
        self._file: IO[bytes] | None = None
        self._slots: dict[int, _Slot] = {}
        self._free: list[int] = []
        self._size = 0
        self._copies: _Copies | None = None
        self._lock = threading.Lock()
        self._shut = False

    def put(self, frame: Frame) -> bool:
        """Keep a frame, unless it is there, or cannot be kept; return whether it is there."""
        size = _packed_size(frame.picture)
        with self._lock:
            if self._shut or not size or self._size not in (0, size):
                return False
            if frame.index not in self._slots:
                self._size = size
                try:
                    self._write(frame, size)
                except OSError:  # the disk is full, or there is none to write to: frames are decoded again
                    self._drop()
            return frame.index in self._slots

    @property
    def room(self) -> int:
        """The frames that fit into the file, as the first one told; 0 before it, and where none can be kept."""
        return self._most // self._size if self._slots else 0

    @property
    def keeps_long(self) -> bool:
        """Whether a frame stays until a batch of others has come."""
        return self.room >= MIN_ROOM_FRAMES

    def get(self, index: int) -> Frame | None:
        """Return a frame that was kept, else None."""
        with self._lock:
            if index not in self._slots or self._file is None:
                return None
            slot, picture = self._slots[index], cast(_Copies, self._copies).another()
            try:
                self._file.seek(slot.number * slot.size)
                whole = all(_read(cast(FileIO, self._file), view) for view in _views(picture))
            except OSError:
                whole = False
            return slot.frame(index, picture) if whole else None

    def forget(self, before: int) -> None:
        """Drop the frames before one."""
        with self._lock:
            for index in [index for index in self._slots if index < before]:
                self._free.append(self._slots.pop(index).number)
            if not self._slots and self._file is not None:
                # What was never written back to the disk need not be any more.
                self._file.truncate(0)
                self._free = []

    def close(self) -> None:
        """Drop all frames and the file."""
        with self._lock:
            self._drop()

    def _write(self, frame: Frame, size: int) -> None:
        if self._file is None:
            folder = large_folder()
            wanted = self._most if self._frames is None else min(self._most, self._frames * size)
            self._most = min(wanted, int(MAX_FREE_SHARE * shutil.disk_usage(folder).free))
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - closed by `close`
        if not self._free and (len(self._slots) + 1) * size <= self._most:
            self._free.append(len(self._slots))
        if not self._free and self._slots:
            self._free.append(self._slots.pop(next(iter(self._slots))).number)
        if not self._free:
            return
        self._copies = self._copies or _Copies(frame.picture)
        number = self._free.pop()
        self._file.seek(number * size)
        for view in _views(frame.picture):
            self._file.write(np.ascontiguousarray(view).data)
        self._slots[frame.index] = _Slot.of(frame, number, size)

    def _drop(self) -> None:
        self._shut = True
        self._slots, self._free, self._copies = {}, [], None
        if self._file is not None:
            self._file.close()
            self._file = None


def large_folder() -> Path:
    """Return where large temporary files belong: not in memory, where ``/tmp`` lies on some systems."""
    lasting = Path("/var/tmp")
    return lasting if os.access(lasting, os.W_OK) else Path(tempfile.gettempdir())
