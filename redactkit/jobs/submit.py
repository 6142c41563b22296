"""Start jobs for many videos."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from redactkit.detectors import DETECTORS
from redactkit.errors import OptionError
from redactkit.jobs.executors import open_engine
from redactkit.jobs.inputs import PATTERNS, find_videos
from redactkit.jobs.jobs import Jobs
from redactkit.jobs.object_models import describe_models
from redactkit.jobs.spec import Spec
from redactkit.redaction import RedactionOptions
from redactkit.runtime.timecode import check_ranges
from redactkit.tracking.regions import as_regions
from redactkit.video.chunks import CHUNK_FRAMES

__all__ = ["JobOptions", "make_specs", "submit"]

_BOTH_PASSES = ("start", "end", "regions")
"""Options that either pass takes: the first one in mode analyze, otherwise the second."""


def submit(
    paths: str | Path | Iterable[str | Path],
    *,
    mode: Literal["combined", "analyze", "redact"] = "combined",
    output: str | Path | None = None,
    executor: Any = None,
    workers: int | None = None,
    priority: int = 0,
    **options: Any,
) -> Jobs:
    """Start a pass over many videos, and return at once.

    Parameters
    ----------
    paths : path or iterable of path
        Videos, and folders in which to look for them.
    mode : {"combined", "analyze", "redact"}
        Combined also leaves the annotations; redact needs those of an earlier analyze.
    output : path, optional
        Folder for everything; by default each video's own.
    executor : optional
        By default processes on this machine. Otherwise the address of a Dask scheduler, a
        ``dask.distributed.Client``, or any executor of `concurrent.futures`.
    workers : int, optional
        Number of processes on this machine; by default one for each core, as far as memory allows.
    priority : int
        Higher goes first.
    **options
        Those of `JobOptions` and of `redactkit.redaction.RedactionOptions`, and ``patterns``: which files of a folder
        are videos, by name.

    Returns
    -------
    Jobs

    Raises
    ------
    OptionError
        For a mode, blur kind or detector that does not exist, or an executor that is none.

    Examples
    --------
    >>> with submit("bodycams/", output="redacted/") as jobs:  # doctest: +SKIP
    ...     jobs.wait()
    ...     jobs.table()
    """
    specs = make_specs(paths, mode=mode, output=output, **options)
    return Jobs(specs, open_engine(executor, workers=workers), priority=priority)


@dataclass(frozen=True)
class JobOptions:
    """What every job of a submission is told beside its video.

    Parameters
    ----------
    annotations : path, optional
        For mode redact: the folder in which they are, or one file; by default looked for in ``output``,
        beside the video, and in ``foo_analysis``. An ID list beside them says which faces to hide.
    detector, model, detection_size, sensitivity, padding, same_person
        As of `redactkit.analyze`; a model is a file that every worker sees. Mode combined compares no faces, as nobody
        reviews them.
    detectors : mapping, optional
        What else is to be found, by its kind: model files that every worker sees, or
        `redactkit.detectors.objects.ObjectModel` that describe them.
    start, end, regions
        In mode analyze as of `redactkit.analyze`. Combined searches the whole video, and these say what of it is
        hidden, as in `redactkit.combined`.
    threads : int, optional
        Threads of a worker's detector; by default as many as it has cores.
    chunk_frames : int
        Frames of one chunk of a long video; a video of one chunk is one task. Lower divides the work more evenly
        among workers, higher costs less overhead.
    overwrite : bool
        Replace outputs that exist and were not made by the same job.
    fetch : bool
        Let workers fetch addresses such as ``s3://...`` through fsspec. Nothing else uses the network.
    hiding : RedactionOptions
        How faces are hidden.

    Raises
    ------
    OptionError
        For a detector that does not exist, a time range or region that is none, or one of ``detectors`` that is no
        file.
    DetectorError
        If a file of ``detectors`` cannot be read.
    """

    annotations: str | Path | None = None
    detector: str = "centerface"
    model: str | Path | None = None
    detection_size: int | None = None
    sensitivity: str = "normal"
    padding: float = 0.0
    same_person: bool = True
    detectors: Mapping[str, Any] | None = None
    start: float | None = None
    end: float | None = None
    regions: Iterable[Any] = ()
    threads: int | None = None
    chunk_frames: int = CHUNK_FRAMES
    overwrite: bool = False
    fetch: bool = False
    hiding: RedactionOptions = field(default_factory=RedactionOptions)

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise OptionError(f"detector must be one of {', '.join(sorted(DETECTORS))}, got {self.detector!r}")
        if self.start is not None or self.end is not None:
            first = self.start or 0.0  # where no end is given, any will do: the video is not known yet
            check_ranges([(first, first + 1 if self.end is None else self.end)], end=math.inf)
        object.__setattr__(self, "regions", as_regions(self.regions))
        object.__setattr__(self, "detectors", describe_models(self.detectors))

    @classmethod
    def named(cls, options: Mapping[str, Any]) -> JobOptions:
        """Return options given by name, those of `redactkit.redaction.RedactionOptions` among them.

        Raises
        ------
        OptionError
            For an option that does not exist, or means nothing.

        Examples
        --------
        >>> JobOptions.named({"blur": "High", "overwrite": True}).hiding.blur
        'High'
        """
        own = {each.name for each in fields(cls)} - {"hiding"}
        options = {**options, "regions": as_regions(options.get("regions", ()))}  # an iterator could be read but once
        hiding = {name: value for name, value in options.items() if name not in own or name in _BOTH_PASSES}
        hiding["mute"] = check_ranges(hiding.get("mute", ()), end=math.inf)
        chosen = {name: value for name, value in options.items() if name in own}
        return cls(**chosen, hiding=RedactionOptions.named(hiding))

    def analysis(self, mode: str) -> dict[str, Any]:
        """Return what the first pass is told in a mode.

        What is not asked for is left out, so that a job which was done before an option existed counts as done.
        """
        names = ("detector", "detection_size", "sensitivity", "padding", "same_person")
        wanted: dict[str, Any] = {"detectors": self.detectors}
        if mode == "analyze":
            regions = [region.as_dict() for region in as_regions(self.regions)]
            wanted |= {"start": self.start, "end": self.end, "regions": regions or None}
        given = {name: getattr(self, name) for name in names}
        return given | {name: value for name, value in wanted.items() if value is not None and value != {}}


def make_specs(
    paths: str | Path | Iterable[str | Path],
    *,
    mode: str = "combined",
    output: str | Path | None = None,
    patterns: Iterable[str] = PATTERNS,
    **options: Any,
) -> list[Spec]:
    """Return a job specification for each of many videos.

    Parameters
    ----------
    paths, mode, output
        As of `submit`.
    patterns : iterable of str
        Which files of a folder are videos, by name.
    **options
        Those of `JobOptions`, and of `redactkit.redaction.RedactionOptions`.

    Raises
    ------
    OptionError
        As of `submit`.

    Examples
    --------
    >>> make_specs("incoming/", mode="analyze", sensitivity="high")  # doctest: +SKIP
    """
    job = JobOptions.named(options)
    # One value for all jobs, of which there may be ten thousand.
    analysis, hiding = (
        job.analysis(mode) if mode != "redact" else {},
        job.hiding.as_settings() if mode != "analyze" else {},
    )
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    return [
        Spec(
            source,
            folder,
            mode,
            analysis,
            hiding,
            _absolute(job.annotations),
            job.chunk_frames,
            job.threads,
            _absolute(job.model),
            job.overwrite,
            job.fetch,
        )
        for source, folder in find_videos(given, output=output, patterns=patterns)
    ]


def _absolute(path: str | Path | None) -> str | None:
    return None if path is None else str(Path(path).absolute())
