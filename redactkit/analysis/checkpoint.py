"""Keep the results of a long video's chunks in files until its analysis is done.

An analysis that was stopped goes on from there. Chunks may come from any process or machine that sees the folder. Each
is kept under a hash of the video and of all settings that decide the result.
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
from redactkit.media import FrameRange, VideoInfo
from redactkit.runtime.files import CHECKPOINT, fit_name, make_private, writing

__all__ = ["Checkpoint", "ChunkResult", "checkpoint_folder", "drop_checkpoint"]


@dataclass(frozen=True)
class ChunkResult:
    """The result of scanning one chunk.

    Parameters
    ----------
    frames : FrameRange
        The frames of the chunk.
    frames_done : int
        Frames that were searched or interpolated; fewer than all if the chunk does not decode by itself.
    frame : ndarray of shape (N,), int64
        Frame of each box, ascending.
    faces : ndarray of shape (N, 5)
        x, y, width, height in pixels of the displayed frame, and confidence; best of a frame first.
    detected : ndarray of shape (N,), bool
        Whether the detector found each box; the others are interpolated between frames that were searched.
    appearance : ndarray of shape (N, LENGTH), uint8
        The appearance of each face, see `redactkit.analysis.appearance`; zeros for an interpolated one.
    cuts : ndarray of int64
        Frames that start a new shot.
    errors : tuple of str
        Messages about frames that did not decode.
    mixed, jumps : ndarray of int64
        Mixed frames, and frames that differ strongly from the one before, see `redactkit.analysis.mixed_frames`.
    """

    frames: FrameRange
    frames_done: int
    frame: NDArray[np.int64]
    faces: FloatArray
    detected: NDArray[np.bool_]
    appearance: Appearance
    cuts: NDArray[np.int64]
    errors: tuple[str, ...] = ()
    mixed: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    jumps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


def checkpoint_folder(folder: str | Path, stem: str) -> Path:
    """Return the folder for the chunks of a video whose analysis is written to ``folder``."""
    return Path(folder) / fit_name(f".{stem}", CHECKPOINT)


def drop_checkpoint(folder: Path) -> None:
    """Remove the chunks of a video; nothing happens if there are none."""
    shutil.rmtree(folder, ignore_errors=True)


class Checkpoint:
    """The chunks of one video under one search. Without a folder nothing is kept.

    Examples
    --------
    >>> Checkpoint(None).load(FrameRange(0, 100)) is None
    True
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def of(cls, folder: Path | None, info: VideoInfo, settings: Mapping[str, Any]) -> Self:
        """Return the checkpoint in ``folder`` of a video searched with ``settings``.

        A detector without a ``digest`` of its model keeps nothing: it may be another one next time.
        """
        if folder is None or settings.get("model_sha256") is None:
            return cls(None)
        # Whatever changes the result changes the name of the folder, so stale chunks are never found.
        identity = [redactkit.__version__, info.sha256, info.frame_count, dict(settings)]
        return cls(folder / hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:20])

    def load(self, chunk: FrameRange) -> ChunkResult | None:
        """Return a chunk that is there and whole, else None."""
        if self.folder is None:
            return None
        try:
            with self._file(chunk).open("rb") as file, np.load(file, allow_pickle=False) as data:
                names = ("frame", "faces", "detected", "appearance", "cuts", "mixed", "jumps")
                arrays = {name: data[name] for name in names}
                return ChunkResult(chunk, int(data["searched"]), errors=tuple(data["errors"].tolist()), **arrays)
        # A file that another version wrote, or that is damaged, counts as missing.
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, chunk: ChunkResult) -> None:
        """Write a chunk, whole or not at all."""
        if self.folder is None:
            return
        make_private(self.folder.parent)
        make_private(self.folder)
        with writing(self._file(chunk.frames), overwrite=True) as file:
            np.savez(
                file,
                searched=np.int64(chunk.frames_done),
                frame=chunk.frame,
                faces=chunk.faces,
                detected=chunk.detected,
                appearance=chunk.appearance,
                cuts=chunk.cuts,
                mixed=chunk.mixed,
                jumps=chunk.jumps,
                errors=np.array(chunk.errors, dtype=np.str_),
            )

    def _file(self, chunk: FrameRange) -> Path:
        assert self.folder is not None
        return self.folder / f"{chunk.start:09d}-{chunk.stop:09d}.npz"
