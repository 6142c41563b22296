"""The passes put together: redact and check, combined, a job preset, the demo, and the notebooks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from redactkit.analysis import analyze, find_annotations
from redactkit.annotations import Annotations
from redactkit.detectors import Detector
from redactkit.errors import OptionError
from redactkit.formats import Preset, read_preset
from redactkit.redaction import (
    Preparation,
    RedactionOptions,
    RedactionReport,
    check_report,
    default_output,
    prepare,
    write_redacted,
)
from redactkit.redaction.plan import IdsLike
from redactkit.runtime.files import check_video_output, make_private
from redactkit.runtime.memory import trim_heap
from redactkit.runtime.progress import ProgressLike, shown
from redactkit.runtime.resources import sample_path
from redactkit.tables import FaceIds
from redactkit.verification import VerificationReport, redact_until_clean, verify

__all__ = ["combined", "demo", "redact", "run_preset", "start_lab"]


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
    shape: str = "rectangle",
    head: bool = False,
    start: float | None = None,
    end: float | None = None,
    ranges: Iterable[Iterable[float]] = (),
    trim: bool = False,
    regions: Iterable[Any] = (),
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
    shape, head, start, end, ranges, trim, regions
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
        If the annotations have no face, a time range holds no box to hide, or no box lies inside the frame, and
        ``allow_nothing`` is false, or an ID list is of other annotations.
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
        shape=shape,
        head=head,
        start=start,
        end=end,
        ranges=ranges,
        trim=trim,
        regions=regions,
        force=force,
        allow_nothing=allow_nothing,
    )
    prepared = prepare(video, annotations, options, ids=ids, include=include, exclude=exclude)
    report = write_redacted(prepared, target, overwrite=overwrite, progress=progress)
    return _checked(report, prepared, progress=progress) if check else report


def _checked(report: RedactionReport, prepared: Preparation, *, progress: ProgressLike = True) -> RedactionReport:
    """Return the report of a redaction with the leak check of its output, which is also added to the saved report."""
    found = _verify_written(report, prepared, progress=progress)
    found.attach()
    return replace(report, check=found)


def _verify_written(report: RedactionReport, prepared: Preparation, *, progress: ProgressLike) -> VerificationReport:
    """Look for leaks in what was written a moment ago."""
    source, written = report.source, report.output
    return verify(source, written, prepared.whole, force=True, fidelity=report.fidelity, progress=progress)


def combined(
    video: str | Path,
    *,
    output: str | Path | None = None,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    detection_size: int | None = None,
    sensitivity: str = "normal",
    detectors: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    check: bool = False,
    hide_found: int = 0,
    progress: ProgressLike = True,
    **blurring: Any,
) -> RedactionReport:
    """Find every face of a video and hide it, with no review in between.

    Parameters
    ----------
    video : path
    output : path, optional
        Default ``foo_redacted.mp4`` beside the source.
    detector, model, detection_size, sensitivity, detectors
        As in `redactkit.analyze`.
    overwrite : bool
        Replace an output that is there.
    check : bool
        Look for leaks too, as in `redactkit.redact`.
    hide_found : int
        Hide what the check finds, and write and check again, so many times at most; see
        `redactkit.verification.redact_until_clean`. Raising it leaves fewer findings, and takes longer.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.
    **blurring
        Further options of `redactkit.redact`, such as ``blur`` and ``margin``.

    Returns
    -------
    RedactionReport

    Raises
    ------
    OptionError
        If ``hide_found`` is negative, or given without ``check``.

    Examples
    --------
    >>> combined("lobby.mp4", blur="High")  # doctest: +SKIP
    """
    target = check_video_output(output or default_output(video), overwrite=overwrite, sources=(Path(video),))
    check_report(target, overwrite=overwrite)
    if hide_found < 0 or (hide_found and not check):
        raise OptionError(f"hide_found must be 0 or more, and goes with check=True; got {hide_found}, check={check}")
    progress = shown(progress)
    how = {"detector": detector, "model": model, "sensitivity": sensitivity, "detectors": detectors}
    annotations = analyze(video, detection_size=detection_size, same_person=False, progress=progress, **how)  # type: ignore[arg-type]
    trim_heap()  # what the detector took
    options = RedactionOptions.named({"allow_nothing": annotations.detections.empty, **blurring})
    prepared: list[Preparation] = []

    def write(given: Annotations) -> RedactionReport:
        prepared.append(prepare(video, given, options, info=given.video))
        return write_redacted(prepared[-1], target, overwrite=overwrite or len(prepared) > 1, progress=progress)

    if not check:
        return write(annotations)
    done = redact_until_clean(
        annotations,
        write=write,
        check=lambda report, _: _verify_written(report, prepared[-1], progress=progress),
        rounds=hide_found,
    )
    report = replace(done.report, notes=(*done.report.notes, *filter(None, [done.summary])))
    report.save()
    done.check.attach()
    return replace(report, check=done.check)


def run_preset(
    video: str | Path,
    preset: str | Path | Mapping[str, Any] | Preset,
    *,
    output: str | Path,
    annotations: str | Path | None = None,
    ids: IdsLike | None = None,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    sensitivity: str = "normal",
    allow_nothing: bool = False,
    overwrite: bool = False,
    progress: ProgressLike = True,
) -> RedactionReport | None:
    """Run a job configuration of the original service.

    Parameters
    ----------
    video : path
    preset : path, mapping or Preset
        ``{"version": "1.0", "options": {"mode": "analyze"}}`` with keys in any case.
    output : path
        Folder for everything the pass writes.
    annotations, ids : optional
        For mode ``redact``: the annotations file (default: what analyze wrote in ``output``), and the faces to hide
        as a path of an ID list, one ID or an iterable of them.
    detector, model, sensitivity
        For the other modes, as in `redactkit.analyze`.
    allow_nothing : bool
        As in `redactkit.redact`.
    overwrite, progress
        As in `redactkit.redact`.

    Returns
    -------
    RedactionReport or None
        None in mode ``analyze``.

    Raises
    ------
    AnnotationError
        If the preset means nothing.
    """
    job = preset if isinstance(preset, Preset) else read_preset(preset)
    folder = make_private(output)
    search: dict[str, Any] = {"detector": detector, "model": model, "sensitivity": sensitivity}
    search["detection_size"] = job.detection_size
    shared: dict[str, Any] = {"overwrite": overwrite, "progress": shown(progress)}
    # Both passes in one go write an output also where no face was found, and say so; only a wish changes more.
    hiding: dict[str, Any] = {"blur": job.blur} | ({"allow_nothing": True} if allow_nothing else {})
    target = folder / default_output(video).name
    if job.mode == "analyze":
        analyze(video, output=folder, **search, **shared)
        return None
    if job.mode == "combined":
        return combined(video, output=target, **search, **hiding, **shared)
    found = annotations or find_annotations(video, folder)
    return redact(video, found, output=target, ids=ids, **hiding, **shared)


def demo(folder: Path, *, progress: ProgressLike = True) -> RedactionReport:
    """Run both passes and the leak check on the sample clip; replaces what an earlier demo left in ``folder``."""
    make_private(folder)
    clip = sample_path()
    progress = shown(progress)
    annotations = analyze(clip, output=folder, overwrite=True, progress=progress)
    target = folder / default_output(clip).name
    return redact(clip, annotations, output=target, overwrite=True, check=True, progress=progress)


def start_lab(folder: str | Path) -> int:
    """Start JupyterLab on a folder, wait until it ends, and return its exit code.

    Raises
    ------
    OptionError
        If JupyterLab cannot be started.
    """
    command = [sys.executable, "-m", "jupyter", "lab", "--notebook-dir", str(folder)]
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as err:
        raise OptionError(f"JupyterLab could not be started ({err}); run: jupyter lab {folder}") from err
