"""Find the videos of a batch, where their outputs go, and how a worker reads their files."""

from __future__ import annotations

import fnmatch
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from redactkit.analysis import default_folder, find_annotations
from redactkit.errors import AnnotationError, OptionError, VideoError
from redactkit.formats import find_id_lists
from redactkit.jobs.heartbeat import worker_name
from redactkit.jobs.spec import Spec
from redactkit.runtime.files import make_private, report_path, writing

__all__ = ["PATTERNS", "annotations_of", "find_videos", "id_list_of", "is_address", "is_own_output", "source_of"]

PATTERNS = (
    "*.mp4",
    "*.mov",
    "*.m4v",
    "*.mkv",
    "*.webm",
    "*.avi",
    "*.ts",
    "*.mts",
    "*.m2ts",
    "*.mpg",
    "*.mpeg",
    "*.wmv",
)
_COPY_BLOCK_BYTES = 1 << 20


def is_address(source: str | Path) -> bool:
    """Return whether a source is an address, such as ``s3://bucket/clip.mp4``, rather than a path.

    Examples
    --------
    >>> is_address("s3://bucket/clip.mp4"), is_address("/videos/clip.mp4")
    (True, False)
    """
    return "://" in str(source)


def find_videos(
    inputs: Iterable[str | Path], *, output: str | Path | None = None, patterns: Iterable[str] = PATTERNS
) -> Iterator[tuple[str, str]]:
    """Yield each video with the folder for its outputs; folders are searched recursively, in order of names.

    Parameters
    ----------
    inputs : iterable of path
        Files, folders and addresses. A file is taken whatever its name is.
    output : path, optional
        Outputs keep the subfolders of their sources below it; by default each is beside its source.
    patterns : iterable of str
        Names of the files to take from a folder, in any letter case. Outputs of redactkit are left out.

    Raises
    ------
    OptionError
        If an address is given and no output.
    """
    wanted = [pattern.lower() for pattern in patterns]
    for name in inputs:
        if is_address(name):
            if output is None:
                raise OptionError(f"{name} has no folder for outputs beside it; pass output (-o)")
            yield str(name), str(Path(output).absolute())
            continue
        path = Path(name).absolute()
        target = path.parent if output is None else Path(output).absolute()
        if not path.is_dir():
            yield str(path), str(target)
            continue
        for video in _below(path, wanted):
            yield str(video), str(video.parent if output is None else target / video.parent.relative_to(path))


def _below(folder: Path, patterns: list[str]) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(here, name)
            if _matches(name, patterns) and not is_own_output(path):
                yield path


def _matches(name: str, patterns: list[str]) -> bool:
    return not name.startswith(".") and any(fnmatch.fnmatchcase(name.lower(), pattern) for pattern in patterns)


def is_own_output(path: Path) -> bool:
    """Return whether a video was written by redactkit: it has its name and its report."""
    return path.stem.endswith("_redacted") and report_path(path).is_file()


def source_of(spec: Spec) -> Path:
    """Return the video as a local file of this worker, fetched first if it is an address.

    Raises
    ------
    VideoError
        If it does not exist for this worker; the message names both.
    OptionError
        If it is an address and fetching was not asked for, or the file system for it is not installed.
    """
    if not is_address(spec.source):
        source = Path(spec.source)
        if not source.exists():
            raise VideoError(
                f"{source} is not there for worker {worker_name()}; "
                "workers read paths of shared storage: mount it under the same name everywhere"
            )
        return source
    if not spec.fetch:
        raise OptionError(f"{spec.source} is an address, and nothing is fetched unasked; pass fetch=True (--fetch)")
    local = make_private(spec.work / "source") / spec.name
    return local if local.exists() else _fetched(spec.source, local)


def _fetched(address: str, local: Path) -> Path:
    try:
        import fsspec
    except ImportError as err:
        raise OptionError(f"{address} needs fsspec and its file system; install redactkit[dask] and that") from err
    try:
        with fsspec.open(address, "rb") as remote, writing(local, overwrite=True) as file:
            shutil.copyfileobj(remote, file, _COPY_BLOCK_BYTES)
    except (ImportError, ValueError) as err:
        raise OptionError(f"{address} cannot be fetched: {err}") from err
    except OSError as err:
        raise VideoError(f"{address} could not be fetched by worker {worker_name()}: {err}") from err
    return local


def annotations_of(spec: Spec, source: Path) -> Path:
    """Return the annotations to redact with: those of the job itself, or those found where the spec names.

    Raises
    ------
    AnnotationError
        If there are none.
    """
    if spec.analyzes:
        return spec.annotation_file
    if spec.annotations is None:
        return find_annotations(source, spec.folder, default_folder(source), source.parent)
    given = Path(spec.annotations)
    return find_annotations(source, given, default_folder(given / spec.name)) if given.is_dir() else given


def id_list_of(annotations: Path, spec: Spec) -> Path | None:
    """Return the analyst's ID list beside annotations, its ending in any case; None if there is none.

    Raises
    ------
    AnnotationError
        If there are several.
    """
    found = find_id_lists(annotations.parent, spec.stem)
    if len(found) > 1:
        raise AnnotationError(f"{found[0]} and {found[1].name} are both ID lists of {spec.name}; keep one of them")
    return found[0] if found else None
