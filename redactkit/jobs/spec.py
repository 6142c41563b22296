"""The specification of one job, picklable for any worker, and the paths of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from redactkit.analysis import checkpoint_folder
from redactkit.annotations import annotations_name
from redactkit.errors import OptionError
from redactkit.redaction import default_output
from redactkit.runtime.files import JOBS_FOLDER, fit_name, report_path

__all__ = ["JOBS_FOLDER", "MODES", "Spec"]

MODES = ("combined", "analyze", "redact")


@dataclass(frozen=True)
class Spec:
    """One video and the passes to run over it.

    Parameters
    ----------
    source : str
        Path of the video, as workers see it; or an address, if ``fetch``.
    folder : str
        Where its outputs go.
    mode : {"combined", "analyze", "redact"}
    analysis, hiding : mapping
        Options of `redactkit.analyze` and of `redactkit.redact`.
    annotations : str, optional
        For mode ``redact``: the file, or the folder in which to look first.
    chunk_frames : int
        Frames of one chunk of a long video. Lower divides the work more evenly among workers, higher costs less
        overhead.
    threads : int, optional
        Threads of the detector; by default as many as the worker has cores.
    model : str, optional
        Path of the detector's model file, as workers see it. Its content is checked by hash, so the path is not
        part of `settings_key`.
    overwrite : bool
        Replace outputs that another job or somebody else has made.
    fetch : bool
        Whether ``source`` may be an address that fsspec opens.
    """

    source: str
    folder: str
    mode: str = "combined"
    analysis: Mapping[str, Any] = field(default_factory=dict)
    hiding: Mapping[str, Any] = field(default_factory=dict)
    annotations: str | None = None
    chunk_frames: int = 3000
    threads: int | None = None
    model: str | None = None
    overwrite: bool = False
    fetch: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise OptionError(f"mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        if self.chunk_frames < 1:
            raise OptionError(f"chunk_frames must be at least 1, got {self.chunk_frames}")

    @property
    def name(self) -> str:
        """File name of the video."""
        return self.source.replace("\\", "/").rstrip("/").rpartition("/")[2]

    @property
    def stem(self) -> str:
        """File name of the video without its suffix."""
        return Path(self.name).stem

    @property
    def analyzes(self) -> bool:
        """Whether the job has a first pass."""
        return self.mode != "redact"

    @property
    def searches_part(self) -> bool:
        """Whether the first pass searches only a stretch of time."""
        return not {"start", "end"}.isdisjoint(self.analysis)

    @property
    def redacts(self) -> bool:
        """Whether the job has a second pass."""
        return self.mode != "analyze"

    @property
    def output(self) -> Path:
        """The redacted video."""
        return Path(self.folder) / default_output(self.name).name

    @property
    def report(self) -> Path:
        """The report of the redaction."""
        return report_path(self.output)

    @property
    def annotation_file(self) -> Path:
        """The annotations that the first pass writes."""
        return Path(self.folder) / annotations_name(self.stem)

    @property
    def outputs(self) -> list[Path]:
        """The files that the job writes, without thumbnails."""
        first = [self.annotation_file] if self.analyzes else []
        return [*first, self.output, self.report] if self.redacts else first

    @property
    def manifest(self) -> Path:
        """The manifest of the finished job."""
        return Path(self.folder) / JOBS_FOLDER / fit_name(self.name, f".{self.mode}.json")

    @property
    def work(self) -> Path:
        """Working folder of the job while it runs: heartbeats, and chunks of a long video."""
        return Path(self.folder) / JOBS_FOLDER / fit_name(self.name, f".{self.mode}")

    @property
    def state(self) -> Path:
        """The manifest of the running job."""
        return self.work / "state.json"

    @property
    def keep(self) -> Path:
        """Folder of the first pass's checkpoints."""
        return checkpoint_folder(self.folder, self.stem)

    @cached_property
    def settings_key(self) -> str:
        """A hash of all settings that change the outputs."""
        what = [self.mode, dict(self.analysis), dict(self.hiding), self.chunk_frames]
        return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()
