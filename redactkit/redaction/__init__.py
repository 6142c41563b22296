"""The second pass: hide the chosen faces and write a new video, its time and sound unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from redactkit.annotations import Annotations
from redactkit.formats import check_same_video
from redactkit.redaction.options import RedactionOptions
from redactkit.redaction.plan import IdsLike, Plan, make_plan, select_faces
from redactkit.redaction.preparation import Preparation, prepare, report_of
from redactkit.redaction.preview import Preview
from redactkit.redaction.rendering import write_frames
from redactkit.redaction.report import RedactionReport, check_report, read_report
from redactkit.runtime.cores import opencv_in_one_thread
from redactkit.runtime.files import check_video_output, fit_name, report_path, sweep_parts
from redactkit.runtime.memory import limit_arenas, mmap_large_blocks
from redactkit.runtime.progress import ProgressLike
from redactkit.tables import FaceIds
from redactkit.video import VideoWriter

__all__ = [
    "Plan",
    "Preparation",
    "Preview",
    "RedactionOptions",
    "RedactionReport",
    "check_report",
    "check_same_video",
    "checked",
    "default_output",
    "make_plan",
    "prepare",
    "read_report",
    "redact",
    "report_path",
    "select_faces",
    "write_redacted",
]


def default_output(video: str | Path) -> Path:
    """Return where the redacted video goes when nobody says: ``foo_redacted.mp4`` beside ``foo``."""
    source = Path(video)
    return source.with_name(fit_name(source.stem, "_redacted.mp4"))


def redact(
    video: str | Path,
    annotations: Annotations | str | Path,
    *,
    output: str | Path | None = None,
    ids: IdsLike | None = None,
    include: FaceIds | None = None,
    exclude: FaceIds | None = None,
    labels: str | Iterable[str] | None = None,
    blur: str = "Med",
    margin: float = 0.15,
    strength: float = 1.0,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    audio: Literal["keep", "drop"] = "keep",
    mute: Iterable[Iterable[float]] = (),
    smart_copy: bool = True,
    force: bool = False,
    allow_nothing: bool = False,
    overwrite: bool = False,
    check: bool = False,
    progress: ProgressLike = True,
) -> RedactionReport:
    """Hide the chosen faces of a video in a new mp4 and check what was written.

    Parameters
    ----------
    video : path
        The source, which is only read.
    annotations : Annotations or path
        The faces; a file in any format that `redactkit.read_annotations` reads.
    output : path, optional
        Default ``foo_redacted.mp4`` beside the source; must end in ``.mp4``. Its folder is made if missing.
    ids, include, exclude : optional
        Which faces to hide, see `redactkit.redaction.select_faces`; by default what the analyst
        decided in ``annotations``, and every face that nobody decided about.
    labels : str or iterable of str, optional
        Hide only boxes with one of these labels, see `redactkit.formats.choose_labels`.
    blur, margin, strength, codec, crf, preset, audio, mute, smart_copy, force, allow_nothing
        How faces are hidden and the output is written, see `redactkit.redaction.RedactionOptions`.
    overwrite : bool
        Replace an output that is there.
    check : bool
        Look for leaks too (`redactkit.verify`): ``report.check`` is what was found, and ``report.ok`` counts it.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    RedactionReport
        Saved beside the output; its ``ok`` says whether the output keeps the source's frames, time and sound.

    Raises
    ------
    OptionError
        For an unknown blur kind, a face ID that is of no face, a label that no box has, a value or time range
        out of range, an output whose name does not end in ``.mp4``, or where every face is left visible and
        ``allow_nothing`` is false.
    AnnotationError
        If the annotations have no face, or no box inside the frame, and ``allow_nothing`` is false, or an ID
        list is of other annotations.
    MismatchError
        If the annotations are of another video and ``force`` is false.
    OutputExistsError
        If the output exists and ``overwrite`` is false.
    VideoError
        If the video cannot be read or the output cannot be written.

    Examples
    --------
    >>> redact("lobby.mp4", "lobby_annotations.json", exclude=[3])  # doctest: +SKIP
    """
    target = Path(output or default_output(video))
    check_video_output(target, overwrite=overwrite, sources=(Path(video),))
    check_report(target, overwrite=overwrite)
    options = RedactionOptions(
        labels=labels,
        blur=blur,
        margin=margin,
        strength=strength,
        codec=codec,
        crf=crf,
        preset=preset,
        audio=audio,
        mute=mute,
        smart_copy=smart_copy,
        force=force,
        allow_nothing=allow_nothing,
    )
    prepared = prepare(video, annotations, options, ids=ids, include=include, exclude=exclude)
    report = write_redacted(prepared, target, overwrite=overwrite, progress=progress)
    return checked(report, prepared, progress=progress) if check else report


def checked(report: RedactionReport, prepared: Preparation, *, progress: ProgressLike = True) -> RedactionReport:
    """Return the report of a redaction with the leak check of its output, which is also added to the saved report."""
    from redactkit.verification import verify  # of a higher layer, and wanted only here

    found = verify(report.source, report.output, prepared.annotations, force=True, progress=progress)
    found.attach()
    return replace(report, check=found)


@opencv_in_one_thread()
@mmap_large_blocks()
def write_redacted(
    prepared: Preparation, target: Path, *, overwrite: bool = False, progress: ProgressLike = True
) -> RedactionReport:
    """Write what was prepared, and check it; errors as of `redact`."""
    limit_arenas()
    info, options = prepared.info, prepared.options
    sweep_parts(target.parent)
    with (
        VideoWriter(
            target,
            info,
            audio=options.audio,
            mute=options.muted,
            overwrite=overwrite,
            smart_copy=prepared.redacted,
            **options.encoder,
        ) as writer,
        ThreadPoolExecutor(1) as other,
    ):
        other.submit(lambda: prepared.facts)  # put together beside the first frames
        written = write_frames(info, prepared.plan, writer, progress=progress, **options.effect)
    # What became of the sound is known only once the file is closed.
    return report_of(prepared, target, written, notes=writer.notes, copied=writer.copied_ranges)
