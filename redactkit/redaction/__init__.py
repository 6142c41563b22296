"""The second pass: hide the chosen faces and write a new video, its time and sound unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from redactkit.annotations import Annotations
from redactkit.formats import check_same_video
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
    blur : str
        Blur kind, in any case: Low, Med, High, Box, Black, Pixelate or Fill.
    margin : float
        Share of the box added on each side, 0 to 2.
    strength : float
        1 to 10: above 1 hides more than was measured to hide; less cannot be asked for.
    codec, crf, preset : optional
        Of the encoder; by default H.264 for 8-bit sources, HEVC Main 10 for deeper ones.
    audio : {"keep", "drop"}
    mute : iterable of (float, float)
        Start and end, in seconds as in the column ``time``, of what is made silent in every audio track.
        The sound is then encoded anew, as AAC; silence reaches some hundredths of a second beyond each range.
    smart_copy : bool
        Copy groups of pictures in which nothing is hidden bit for bit, where an h264 source leaves no
        doubt that this is right; the rest is encoded. The report says which frames were copied.
    force : bool
        Take annotations of another video all the same.
    allow_nothing : bool
        Write an output also where it would hide nothing: the annotations have no face, every face is left
        visible, or no box lies inside the frame. Otherwise each of these is an error.
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
        For an unknown blur kind, a face ID that is of no face, a value or time range out of range, an
        output whose name does not end in ``.mp4``, or where every face is left visible and ``allow_nothing``
        is false.
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
    prepared = prepare(
        video,
        annotations,
        ids=ids,
        include=include,
        exclude=exclude,
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
    info, plan, settings = prepared.info, prepared.plan, prepared.settings
    sweep_parts(target.parent)
    with (
        VideoWriter(
            target,
            info,
            codec=settings["codec"],
            crf=settings["crf"],
            preset=settings["preset"],
            audio=settings["audio"],
            mute=settings["mute"],
            overwrite=overwrite,
            smart_copy=prepared.redacted,
        ) as writer,
        ThreadPoolExecutor(1) as other,
    ):
        other.submit(lambda: prepared.facts)  # put together beside the first frames
        look = {"kind": settings["blur"], "strength": settings["strength"]}
        written = write_frames(info, plan, writer, progress=progress, **look)
    # What became of the sound is known only once the file is closed.
    return report_of(prepared, target, written, notes=writer.notes, copied=writer.copied_ranges)
