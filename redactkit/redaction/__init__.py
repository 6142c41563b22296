"""The second pass: hide the chosen faces and write a new video, its time and sound unchanged."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from redactkit import effects
from redactkit.annotations import Annotations
from redactkit.errors import MismatchError, OptionError
from redactkit.files import check_output
from redactkit.formats import read_annotations
from redactkit.media import VideoInfo
from redactkit.progress import ProgressLike, track
from redactkit.redaction.plan import IdsLike, Plan, check_same_video, make_plan, select_faces
from redactkit.redaction.preview import Preview
from redactkit.redaction.report import RedactionReport, count_faces, make_record, read_report
from redactkit.video import VideoReader, VideoWriter, compare_files, pixel_layout, plane_views, probe

__all__ = [
    "Plan",
    "Preview",
    "RedactionReport",
    "check_same_video",
    "default_output",
    "make_plan",
    "read_report",
    "redact",
    "select_faces",
]


def default_output(video: str | Path) -> Path:
    """Return where the redacted video goes when nobody says: ``foo_redacted.mp4`` beside ``foo``."""
    source = Path(video)
    return source.with_name(f"{source.stem}_redacted.mp4")


def redact(
    video: str | Path,
    annotations: Annotations | str | Path,
    *,
    output: str | Path | None = None,
    ids: IdsLike | None = None,
    include: Iterable[int] | None = None,
    exclude: Iterable[int] | None = None,
    blur: str = "Med",
    margin: float = 0.15,
    strength: float = 1.0,
    codec: str | None = None,
    crf: float | None = None,
    preset: str | None = None,
    audio: Literal["keep", "drop"] = "keep",
    force: bool = False,
    overwrite: bool = False,
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
        Default ``foo_redacted.mp4`` beside the source.
    ids, include, exclude : optional
        Which faces to hide, see `redactkit.redaction.select_faces`; by default what the analyst
        decided in ``annotations``, and every face that nobody decided about.
    blur : str
        Blur kind, in any case: Low, Med, High, Box, Black, Pixelate or Fill.
    margin : float
        Share of the box added on each side, 0 to 2.
    strength : float
        Above 1 hides more than the kind's measured strength, below 1 less.
    codec, crf, preset : optional
        Of the encoder; by default H.264 for 8-bit sources, HEVC Main 10 for deeper ones.
    audio : {"keep", "drop"}
    force : bool
        Take annotations of another video all the same.
    overwrite : bool
        Replace an output that is there.
    progress : bool or callable
        See `redactkit.progress.track`.

    Returns
    -------
    RedactionReport
        Saved beside the output; its ``ok`` says whether the output keeps the source's frames, time and sound.

    Raises
    ------
    OptionError
        For an unknown blur kind, a face ID that is of no face, or a value out of range.
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
    kind = effects.get_kind(blur)
    source, target = Path(video), Path(output or default_output(video))
    check_output(target, overwrite=overwrite, sources=(source,))
    info = probe(source)
    laid = check_same_video(info, _loaded(annotations), force=force)
    faces = select_faces(laid, ids=ids, include=include, exclude=exclude)
    plan = make_plan(laid.detections, info, faces=faces, margin=margin)
    settings = {"blur": kind.name, "margin": margin, "strength": strength, "audio": audio, "force": force}
    settings |= {"codec": codec, "crf": crf, "preset": preset, "faces": faces}
    with VideoWriter(target, info, codec=codec, crf=crf, preset=preset, audio=audio, overwrite=overwrite) as writer:
        odd = _write_frames(info, plan, writer, kind=kind.name, strength=strength, progress=progress)
        notes = (*odd, *writer.notes)
    return _report(info, laid, plan, target, settings=settings, notes=notes)


def _loaded(annotations: Annotations | str | Path) -> Annotations:
    return annotations if isinstance(annotations, Annotations) else read_annotations(annotations)


def _write_frames(
    info: VideoInfo, plan: Plan, writer: VideoWriter, *, kind: str, strength: float, progress: ProgressLike
) -> list[str]:
    """Send every frame to the encoder, hiding on the way; return what was odd about the source."""
    effect: effects.Effect | None = None
    count = 0
    with VideoReader(_path(info), info=info) as reader, track(progress, "redact", total=info.frame_count) as update:
        for frame in reader.frames():
            picture = writer.prepare(frame.picture)
            effect = effect or effects.Effect(kind, pixel_layout(picture), strength=strength)
            boxes, faces = plan.at(frame.index)
            if len(boxes):
                effect.apply(plane_views(picture), boxes, faces=faces, frame=frame.index)
            writer.write(picture, frame.pts)
            count += 1
            update(1)
        odd = list(reader.decode_errors)
    if count != info.frame_count:
        raise MismatchError(
            f"{info.path} gave {count} frames where {info.frame_count} were announced; nothing was written"
        )
    return odd


def _path(info: VideoInfo) -> Path:
    if info.path is None:
        raise OptionError("these annotations name no video file; pass the path of the video")
    return info.path


def _report(
    info: VideoInfo,
    annotations: Annotations,
    plan: Plan,
    target: Path,
    *,
    settings: dict[str, Any],
    notes: tuple[str, ...],
) -> RedactionReport:
    report = RedactionReport(
        source=_path(info),
        output=target,
        settings=settings,
        faces=count_faces(annotations, plan, faces=settings["faces"]),
        fidelity=compare_files(info, target, audio=settings["audio"]),
        notes=notes,
        record=make_record(info.sha256, target, annotations),
    )
    report.save()
    return report
