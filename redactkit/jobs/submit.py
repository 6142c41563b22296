"""Start jobs for many videos."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from redactkit.detectors import DETECTORS
from redactkit.errors import OptionError
from redactkit.jobs.executors import open_engine
from redactkit.jobs.inputs import PATTERNS, find_videos
from redactkit.jobs.jobs import Jobs
from redactkit.jobs.spec import Spec
from redactkit.redaction import RedactionOptions
from redactkit.runtime.timecode import check_ranges
from redactkit.video.chunks import CHUNK_FRAMES

__all__ = ["make_specs", "submit"]


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
        See `make_specs`.

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
    specs = list(make_specs(paths, mode=mode, output=output, **options))
    return Jobs(specs, open_engine(executor, workers=workers), priority=priority)


def make_specs(
    paths: str | Path | Iterable[str | Path],
    *,
    mode: str = "combined",
    output: str | Path | None = None,
    patterns: Iterable[str] = PATTERNS,
    annotations: str | Path | None = None,
    detector: str = "centerface",
    model: str | Path | None = None,
    detection_size: int | None = None,
    sensitivity: str = "normal",
    padding: float = 0.0,
    threads: int | None = None,
    chunk_frames: int = CHUNK_FRAMES,
    overwrite: bool = False,
    fetch: bool = False,
    **hiding: Any,
) -> Iterable[Spec]:
    """Return a job specification for each of many videos.

    Parameters
    ----------
    paths, mode, output
        As of `submit`.
    patterns : iterable of str
        Which files of a folder are videos, by name.
    annotations : path, optional
        For mode redact: the folder in which they are, or one file; by default looked for in ``output``,
        beside the video, and in ``foo_analysis``. An ID list beside them says which faces to hide.
    detector, model, detection_size, sensitivity, padding
        As of `redactkit.analyze`; a model is a file that every worker sees.
    threads : int, optional
        Threads of a worker's detector; by default as many as it has cores.
    chunk_frames : int
        Frames of one chunk of a long video; a video of one chunk is one task. Lower divides the work more evenly
        among workers, higher costs less overhead.
    overwrite : bool
        Replace outputs that exist and were not made by the same job.
    fetch : bool
        Let workers fetch addresses such as ``s3://...`` through fsspec. Nothing else uses the network.
    **hiding
        How faces are hidden, see `redactkit.redaction.RedactionOptions`.
    """
    chosen = RedactionOptions.named({**hiding, "mute": check_ranges(hiding.get("mute", ()), end=math.inf)})
    if detector not in DETECTORS:
        raise OptionError(f"detector must be one of {', '.join(sorted(DETECTORS))}, got {detector!r}")
    analysis = {"detector": detector, "detection_size": detection_size, "sensitivity": sensitivity, "padding": padding}
    how = chosen.as_settings()  # one for all, of which there may be ten thousand
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    return [
        Spec(
            source,
            folder,
            mode,
            analysis if mode != "redact" else {},
            how if mode != "analyze" else {},
            None if annotations is None else str(Path(annotations).absolute()),
            chunk_frames,
            threads,
            None if model is None else str(Path(model).absolute()),
            overwrite,
            fetch,
        )
        for source, folder in find_videos(given, output=output, patterns=patterns)
    ]
