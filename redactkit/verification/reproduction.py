"""Do a redaction again from its report, and compare what comes out frame by frame."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.analysis import analyze, default_folder, find_annotations
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, MismatchError
from redactkit.formats import read_annotations
from redactkit.media import file_sha256
from redactkit.redaction import RedactionOptions, prepare, read_report, write_redacted
from redactkit.runtime.progress import ProgressLike, shown
from redactkit.video import VideoReader

__all__ = ["Reproduction", "compare_frames", "reproduce"]

_BLOCK = 16
_NOISE = 4.0
"""Mean difference of a block, in grey levels, that encoding explains: x264 is not the same on every processor."""


@dataclass(frozen=True)
class Reproduction:
    """What came of doing a redaction again.

    Parameters
    ----------
    output : Path
        The file compared with.
    frames : int
        Frames compared.
    differing : tuple of int
        The first hundred frames that differ by more than encoding explains, or that only one of the two has.
    versions : dict
        What was of another version then, as ``{name: (then, now)}``.
    """

    output: Path
    frames: int
    differing: tuple[int, ...]
    versions: dict[str, tuple[str, str]]

    @property
    def ok(self) -> bool:
        """Whether every frame is the same, but for the encoder's noise."""
        return not self.differing

    def __str__(self) -> str:
        said = "every frame is the same" if self.ok else f"frames differ, the first is {self.differing[0]}"
        changed = ", ".join(f"{name} {then} -> {now}" for name, (then, now) in self.versions.items())
        return f"{self.output}: done again, {self.frames} frames compared, {said}" + (
            f" ({changed})" if changed else ""
        )


def reproduce(
    report: str | Path,
    *,
    video: str | Path | None = None,
    annotations: Annotations | str | Path | None = None,
    model: str | Path | None = None,
    progress: ProgressLike = True,
) -> Reproduction:
    """Run a redaction again with the settings of its report, and compare the decoded frames.

    Parameters
    ----------
    report : path
        ``foo_redacted.report.json``; the redacted video lies beside it.
    video : path, optional
        The source, if it is no longer where it was.
    annotations : Annotations or path, optional
        By default those that the first pass left; where there are none the video is analyzed again.
    model : path, optional
        Model file of the detector, for analyzing again, as in `redactkit.analyze`.
    progress : bool or callable

    Returns
    -------
    Reproduction

    Raises
    ------
    MismatchError
        If source or output are not the files that the report is about.
    AnnotationError
        If the report cannot be read.
    """
    path = Path(report)
    recorded = _read(path)
    source, output = Path(video or recorded["source"]), path.with_name(Path(recorded["output"]).name)
    for file, name in ((source, "source_sha256"), (output, "output_sha256")):
        if file_sha256(file) != recorded[name]:
            raise MismatchError(f"{file} is not the file of {path}: its SHA-256 is another one")
    progress = shown(progress)
    given = _annotations(source, path.parent, annotations, recorded, model, progress)
    faces = set(recorded["settings"]["faces"])
    visible = [face for face in given.detections["face_id"].unique().tolist() if face not in faces]
    prepared = prepare(source, given, RedactionOptions.of(recorded["settings"]), exclude=visible)
    with tempfile.TemporaryDirectory(prefix="redactkit-") as folder:
        again = write_redacted(prepared, Path(folder) / output.name, progress=progress)
        frames, differing = compare_frames(output, again.output)
        now = again.record["versions"]
    then = recorded.get("versions", {})
    changed = {name: (then[name], now[name]) for name in then if name in now and then[name] != now[name]}
    return Reproduction(output, frames, differing, changed)


def _read(path: Path) -> dict[str, Any]:
    try:
        recorded = read_report(path)
        missing = [name for name in ("source", "output", "settings", "source_sha256") if name not in recorded]
    except (OSError, ValueError, TypeError) as err:
        raise AnnotationError(f"{path} is no report of a redaction: {err}") from err
    if missing:
        raise AnnotationError(f"{path} is no report of a redaction: it lacks {', '.join(missing)}")
    return recorded


def _annotations(
    source: Path,
    folder: Path,
    given: Annotations | str | Path | None,
    recorded: dict[str, Any],
    model: str | Path | None,
    progress: ProgressLike,
) -> Annotations:
    if isinstance(given, Annotations):
        return given
    if given is not None:
        return read_annotations(given, video=source)
    try:
        return read_annotations(find_annotations(source, folder, default_folder(source), source.parent), video=source)
    except AnnotationError:
        then = recorded.get("analysis", {})
        options = {
            "sensitivity": then.get("sensitivity", "normal"),
            "padding": then.get("roll", 0.0),
            "same_person": False,
        }
        size = max(then["detection_size"]) if then.get("detection_size") else None
        detector = then.get("detector", "centerface")
        return analyze(source, detector=detector, model=model, detection_size=size, progress=progress, **options)


def compare_frames(first: Path, second: Path) -> tuple[int, tuple[int, ...]]:
    """Return how many frames were compared, and the first hundred that differ by more than encoding explains."""
    frames = 0
    differing: list[int] = []
    with VideoReader(first) as one, VideoReader(second) as other:
        for a, b in zip_longest(one.frames(), other.frames()):
            if a is None or b is None or not _alike(a.gray(), b.gray()):
                differing.append(frames)
            frames += 1
    return frames, tuple(differing[:100])


def _alike(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    """Tell whether no block of 16 x 16 pixels differs by more than an encoder's noise."""
    if a.shape != b.shape:
        return False
    apart = np.abs(a.astype(np.int16) - b)
    rows, columns = (np.arange(0, side, _BLOCK) for side in apart.shape)
    sums = np.add.reduceat(np.add.reduceat(apart, rows, axis=0, dtype=np.int64), columns, axis=1)
    sizes = np.outer(np.diff(rows, append=apart.shape[0]), np.diff(columns, append=apart.shape[1]))
    return bool((sums <= _NOISE * sizes).all())
