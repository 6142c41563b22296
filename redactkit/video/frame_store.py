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
from io import FileIO
from pathlib import Path
from typing import IO, Any, Self, cast

import av
import numpy as np
from numpy.typing import NDArray

from redactkit.video.frames import Frame
from redactkit.video.planes import plane_views

__all__ = ["FrameStore"]

MAX_BYTES = 1 << 30
"""Size of the file: 345 frames of 1080p. Raising it decodes less of long shots again, and takes disk space."""

MAX_FREE_SHARE = 0.25
"""Largest share of the free disk space that the file takes."""


@dataclass(frozen=True)
class _Slot:
    """Where in the file a frame lies, and all of it but the samples."""

    number: int
    size: int
    picture: dict[str, Any]
    fields: dict[str, Any]

    @classmethod
    def of(cls, frame: Frame, number: int, size: int) -> Self:
        picture = {name: getattr(frame.picture, name) for name in ("width", "height", "colorspace", "color_range")}
        names = [field.name for field in fields(Frame) if field.name not in ("index", "picture")]
        return cls(
            number,
            size,
            {**picture, "format": frame.picture.format.name},
            {name: getattr(frame, name) for name in names},
        )

    def frame(self, index: int, packed: NDArray[np.uint8]) -> Frame:
        """Return the frame with the samples that were read."""
        picture = av.VideoFrame(self.picture["width"], self.picture["height"], self.picture["format"])
        picture.colorspace, picture.color_range = self.picture["colorspace"], self.picture["color_range"]
        start = 0
        for view in plane_views(picture):
            view[:] = packed[start : start + view.nbytes].view(view.dtype).reshape(view.shape)
            start += view.nbytes
        return Frame(index=index, picture=picture, **self.fields)


def _packed_size(picture: av.VideoFrame) -> int:
    """Return the bytes of a picture's samples, 0 where it is not one of planes of one component each."""
    form = picture.format
    separate = form.is_planar or form.name.startswith("gray")
    if not separate or len(picture.planes) != len(form.components) or form.components[0].bits > 16:
        return 0
    return sum(view.nbytes for view in plane_views(picture))


class FrameStore:
    """Frames by their number, in a file without a name that is gone when it is closed, or when the process ends.

    Where there is no room, the oldest frames make place for new ones. Frames of layouts that are not planar are not
    kept. Usable from several threads.

    Parameters
    ----------
    most : int
        Largest size of the file in bytes.
    """

    def __init__(self, *, most: int = MAX_BYTES) -> None:
        self._most = most
        self._file: IO[bytes] | None = None
        self._slots: dict[int, _Slot] = {}
        self._free: list[int] = []
        self._size = 0
        self._lock = threading.Lock()
        self._shut = False

    def put(self, frame: Frame) -> None:
        """Keep a frame, unless it is there, or cannot be kept."""
        size = _packed_size(frame.picture)
        with self._lock:
            if self._shut or frame.index in self._slots or not size or self._size not in (0, size):
                return
            self._size = size
            try:
                self._write(frame, size)
            except OSError:  # the disk is full, or there is none to write to: frames are decoded again
                self._drop()

    def get(self, index: int) -> Frame | None:
        """Return a frame that was kept, else None."""
        with self._lock:
            if index not in self._slots or self._file is None:
                return None
            slot = self._slots[index]
            packed = np.empty(slot.size, np.uint8)
            try:
                self._file.seek(slot.number * slot.size)
                whole = cast(FileIO, self._file).readinto(packed.data) == slot.size
            except OSError:
                whole = False
        return slot.frame(index, packed) if whole else None

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
            folder = _folder()
            self._most = min(self._most, int(MAX_FREE_SHARE * shutil.disk_usage(folder).free))
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - closed by `close`
        if not self._free and (len(self._slots) + 1) * size <= self._most:
            self._free.append(len(self._slots))
        if not self._free and self._slots:
            self._free.append(self._slots.pop(min(self._slots)).number)
        if not self._free:
            return
        number = self._free.pop()
        self._file.seek(number * size)
        for view in plane_views(frame.picture):
            self._file.write(np.ascontiguousarray(view).data)
        self._slots[frame.index] = _Slot.of(frame, number, size)

    def _drop(self) -> None:
        self._shut = True
        self._slots, self._free = {}, []
        if self._file is not None:
            self._file.close()
            self._file = None


def _folder() -> Path:
    """Return where large temporary files belong: not in memory, where ``/tmp`` lies on some systems."""
    lasting = Path("/var/tmp")
    return lasting if os.access(lasting, os.W_OK) else Path(tempfile.gettempdir())
