"""What was seen in the parts of a long video, kept in files until its analysis is done.

Work that was stopped goes on with the parts that are there; parts may come from any process or machine
that sees the folder. A part is kept under the hash of the video and of everything that decides what is seen.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import redactkit
from redactkit.analysis.appearance import Appearance
from redactkit.boxes import FloatArray
from redactkit.media import VideoInfo
from redactkit.runtime.files import CHECKPOINT, fit_name, make_private, writing

__all__ = ["Checkpoint", "ChunkResult", "checkpoint_folder", "drop_checkpoint"]


@dataclass(frozen=True)
class ChunkResult:
    """What was seen in the frames from ``start`` to ``stop``, not included.

    Parameters
    ----------
    start, stop : int
    searched : int
        Frames that were there to be searched.
    frame : ndarray of shape (N,), int64
        Frame of each box, ascending.
    faces : ndarray of shape (N, 5)
        x, y, width, height in pixels of the displayed frame, and confidence; best of a frame first.
    seen : ndarray of shape (N,), bool
        Whether the frame of each box was searched; other boxes lie between those of frames that were.
    appearance : ndarray of shape (N, LENGTH), uint8
        What each face looks like, see `redactkit.analysis.appearance`; zeros for one that was not seen.
    cuts : ndarray of int64
        Frames that start a new shot.
    errors : tuple of str
        What did not decode.
    mixed, jumps : ndarray of int64
        Frames that are a mixture of others, and those unlike the one before, see `redactkit.analysis.mixed_frames`.
    """

    start: int
    stop: int
    searched: int
    frame: NDArray[np.int64]
    faces: FloatArray
    seen: NDArray[np.bool_]
    appearance: Appearance
    cuts: NDArray[np.int64]
    errors: tuple[str, ...] = ()
    mixed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    jumps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def checkpoint_folder(folder: str | Path, stem: str) -> Path:
    """Return where the parts of a video are kept whose analysis is written to ``folder``."""
    return Path(folder) / fit_name(f".{stem}", CHECKPOINT)


def drop_checkpoint(keep: Path) -> None:
    """Remove the kept parts of a video; nothing happens if there are none."""
    shutil.rmtree(keep, ignore_errors=True)


class Checkpoint:
    """The parts of one video under one search; with no folder nothing is kept.

    Examples
    --------
    >>> Checkpoint(None).load(0, 100) is None
    True
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def of(cls, keep: Path | None, info: VideoInfo, settings: Mapping[str, Any]) -> Self:
        """Return the checkpoint in ``keep`` of a video searched with ``settings``.

        A detector that does not say by ``digest`` what it is keeps nothing: it may be another one next time.
        """
        if keep is None or settings.get("model_sha256") is None:
            return cls(None)
        what = [redactkit.__version__, info.sha256, info.frame_count, dict(settings)]
        return cls(keep / hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:20])

    def load(self, start: int, stop: int) -> ChunkResult | None:
        """Return a part that is there and whole, else None."""
        if self.folder is None:
            return None
        try:
            with self._file(start, stop).open("rb") as file, np.load(file, allow_pickle=False) as data:
                names = ("frame", "faces", "seen", "appearance", "cuts", "mixed", "jumps")
                arrays = {name: data[name] for name in names}
                return ChunkResult(start, stop, int(data["searched"]), errors=tuple(data["errors"].tolist()), **arrays)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, part: ChunkResult) -> None:
        """Keep a part, whole or not at all."""
        if self.folder is None:
            return
        make_private(self.folder.parent)
        make_private(self.folder)
        with writing(self._file(part.start, part.stop), overwrite=True) as file:
            np.savez(
                file,
                searched=np.int64(part.searched),
                frame=part.frame,
                faces=part.faces,
                seen=part.seen,
                appearance=part.appearance,
                cuts=part.cuts,
                mixed=part.mixed,
                jumps=part.jumps,
                errors=np.array(part.errors, dtype=np.str_),
            )

    def _file(self, start: int, stop: int) -> Path:
        assert self.folder is not None
        return self.folder / f"{start:09d}-{stop:09d}.npz"
