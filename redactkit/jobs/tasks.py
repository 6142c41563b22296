"""The tasks that workers run: both passes over one video, as a whole or in chunks.

Every function takes a `Spec`, works on files, and returns a small `Outcome`. Tasks are idempotent: complete files are
kept, and the state of a job is nothing but its files.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from redactkit.analysis import analyze
from redactkit.analysis.chunked import analyze_chunk, prepare_analysis, shared_detector
from redactkit.annotations import Annotations
from redactkit.errors import MismatchError, OutputExistsError, VideoError
from redactkit.formats import check_same_video, read_annotations
from redactkit.jobs.heartbeat import follow_progress, record_start, worker_name
from redactkit.jobs.inputs import annotations_of, id_list_of, source_of
from redactkit.jobs.manifest import (
    InputFile,
    JobManifest,
    describe_file,
    done_before,
    job_key,
    outputs_complete,
    read_manifest,
    sizes_of,
)
from redactkit.jobs.object_models import load_models
from redactkit.jobs.spec import Spec
from redactkit.media import FrameRange, VideoInfo
from redactkit.redaction import RedactionOptions, prepare, read_report, write_redacted
from redactkit.redaction.chunked import chunk_files, join_chunks, prepare_chunks, write_chunk
from redactkit.runtime.partial_files import sweep_partial_files
from redactkit.video import probe
from redactkit.video.chunks import split_frames

__all__ = ["Outcome", "close_stage", "do_chunk", "start_job"]


@dataclass(frozen=True)
class Outcome:
    """The result of a task.

    Parameters
    ----------
    stage : str
        The stage whose chunks come next, ``"analyze"`` or ``"redact"``; empty when the job is done.
    chunks : tuple of FrameRange
        The frames of each of those chunks.
    frames, faces : int
        Of the video.
    ok : bool
        Whether the output keeps the source's frames, time and sound.
    nothing_hidden : bool
        Whether the output hides nothing, for instance because no face was found.
    note : str
        A remark for the job's table.
    worker : str
    starts : int
        How often this task was started; more than once if a worker was lost.
    """

    stage: str = ""
    chunks: tuple[FrameRange, ...] = ()
    frames: int = 0
    faces: int = 0
    ok: bool = True
    nothing_hidden: bool = False
    note: str = ""
    worker: str = ""
    starts: int = 1


def start_job(spec: Spec) -> Outcome:
    """Probe the video; do the whole job if it is one chunk, otherwise prepare the first stage and return its chunks."""
    starts = record_start(spec.work, "start")
    for folder in (spec.folder, spec.manifest.parent, spec.work):
        sweep_partial_files(folder)
    source = source_of(spec)
    info = probe(source)
    chunks = tuple(split_frames(info, longest=spec.chunk_frames))
    inputs = _inputs(spec, source, info)
    key = job_key(spec, inputs.values())
    manifest = read_manifest(spec.manifest)
    if manifest is not None and manifest.done and outputs_complete(manifest, spec.outputs, key=key):
        outcome = _close_job(spec, msgspec.structs.replace(manifest, inputs=inputs), note="done before")
    else:
        _claim_outputs(spec, JobManifest(key, inputs, {}, frames=info.frame_count), manifest)
        outcome = _start_next_stage(spec, source, info, chunks) if len(chunks) > 1 else _run_whole(spec, source)
    return _with_worker(outcome, frames=info.frame_count, starts=starts)


def do_chunk(spec: Spec, stage: str, chunk: FrameRange) -> Outcome:
    """Do one chunk of a stage; a chunk that cannot be done by itself is left to `close_stage`."""
    task = f"{stage}-{chunk.start}"
    starts = record_start(spec.work, task)
    source, progress = source_of(spec), follow_progress(spec.work, task)
    note = ""
    try:
        if stage == "analyze":
            analyze_chunk(source, spec.keep, chunk, progress=progress, **_analysis_options(spec))
        else:
            write_chunk(source, _chunks_folder(spec), chunk, progress=progress)
    except (VideoError, MismatchError) as err:
        note = f"frames {chunk.start} to {chunk.stop} cannot be done by themselves: {err}"
    return _with_worker(Outcome(frames=chunk.length, note=note), starts=starts)


def close_stage(spec: Spec, stage: str, chunks: tuple[FrameRange, ...]) -> Outcome:
    """Join the chunks of a stage, and start the next stage or finish the job."""
    starts = record_start(spec.work, f"{stage}-close")
    done = done_before(spec)
    if done is not None:
        return _with_worker(_close_job(spec, done), starts=starts)
    source = source_of(spec)
    if stage == "analyze":
        _analyze(spec, source, f"{stage}-close")
        outcome = _start_next_stage(spec, source, probe(source), chunks)
    else:
        _join(spec, source, chunks)
        outcome = _finish(spec)
    return _with_worker(outcome, starts=starts)


def _with_worker(outcome: Outcome, *, starts: int, frames: int = 0) -> Outcome:
    return replace(outcome, worker=worker_name(), starts=starts, frames=frames or outcome.frames)


def _inputs(spec: Spec, source: Path, info: VideoInfo) -> dict[str, InputFile]:
    """Describe every file that the job reads."""
    inputs = {str(source): describe_file(source, digest=info.sha256)}
    if not spec.analyzes:
        annotations = annotations_of(spec, source)
        ids = id_list_of(annotations, spec)
        inputs |= {str(path): describe_file(path) for path in (annotations, ids) if path is not None}
    return inputs


def _claim_outputs(spec: Spec, state: JobManifest, manifest: JobManifest | None) -> None:
    """Claim the output files for this job; those that the same job has completed before are kept.

    Raises
    ------
    OutputExistsError
        If an output exists that another job, or something else, has made.
    """
    begun = read_manifest(spec.state)
    there = [path for path in spec.outputs if path.exists()]
    ours = begun is not None or (manifest is not None and manifest.key == state.key)
    if there and not ours and not spec.overwrite:
        raise OutputExistsError(
            f"{there[0]} exists and was not made from this video with these settings; "
            "name another output folder or pass overwrite=True (--overwrite)"
        )
    standing: dict[str, int] = {}
    for known in (manifest, begun):
        standing |= {path.name: path.stat().st_size for path in there if outputs_complete(known, [path], key=state.key)}
    msgspec.structs.replace(state, outputs=standing).save(spec.state)


def _outputs_complete(spec: Spec, paths: Iterable[Path]) -> bool:
    state = _state(spec)
    return outputs_complete(state, paths, key=state.key)


def _state(spec: Spec) -> JobManifest:
    state = read_manifest(spec.state)
    if state is None:
        raise OutputExistsError(f"{spec.state} is missing, so it is not known how far {spec.name} was; start it again")
    return state


def _record_outputs(spec: Spec, paths: Iterable[Path]) -> None:
    state = _state(spec)
    msgspec.structs.replace(state, outputs=state.outputs | sizes_of(paths)).save(spec.state)


def _run_whole(spec: Spec, source: Path) -> Outcome:
    if spec.analyzes:
        _analyze(spec, source, "start")
    if spec.redacts:
        _redact(spec, source, "start")
    return _finish(spec)


def _start_next_stage(spec: Spec, source: Path, info: VideoInfo, chunks: tuple[FrameRange, ...]) -> Outcome:
    """Prepare the next stage of a video in chunks, or finish the job."""
    if spec.analyzes and spec.searches_part:  # what is searched is short, and chunks are those of the whole file
        _analyze(spec, source, "start")
    if spec.analyzes and not _outputs_complete(spec, [spec.annotation_file]):
        prepare_analysis(info, spec.keep, **_analysis_options(spec))
        return Outcome("analyze", chunks)
    if spec.redacts and not _outputs_complete(spec, [spec.output, spec.report]):
        annotations, options, ids = _hiding(spec, source, info)
        if options.trim:  # what is cut out is short, and chunks are those of the whole file
            _redact(spec, source, "start")
            return _finish(spec)
        prepare_chunks(prepare(source, annotations, options, info=info, ids=ids), _chunks_folder(spec))
        return Outcome("redact", chunks)
    return _finish(spec)


def _analysis_options(spec: Spec) -> dict[str, Any]:
    """Return the options of the search, with the detector that this process has loaded once."""
    options = {name: spec.analysis[name] for name in ("detection_size", "sensitivity")}
    how = {"model": spec.model, "threads": spec.threads}
    detector = shared_detector(spec.analysis["detector"], options["sensitivity"], **how)
    return {"detector": detector, **options}


def _hiding(spec: Spec, source: Path, info: VideoInfo) -> tuple[Annotations, RedactionOptions, Path | None]:
    """Return the annotations to redact with, on the frames of the video, the options and the ID list."""
    file = annotations_of(spec, source)
    annotations = check_same_video(info, file)
    ids = None if spec.analyzes else id_list_of(file, spec)
    # A combined job writes an output also if no face was found, and says so.
    nothing_found = spec.analyzes and annotations.detections.empty
    options = RedactionOptions.of(spec.hiding)
    return annotations, replace(options, allow_nothing=options.allow_nothing or nothing_found), ids


def _analyze(spec: Spec, source: Path, task: str) -> None:
    if _outputs_complete(spec, [spec.annotation_file]):
        return
    analyze(
        source,
        output=spec.folder,
        padding=spec.analysis["padding"],
        same_person=spec.analysis.get("same_person", True) and not spec.redacts,
        chunk_frames=spec.chunk_frames,
        overwrite=True,
        progress=follow_progress(spec.work, task),
        detectors=load_models(spec.analysis.get("detectors", {})),
        **{name: spec.analysis[name] for name in ("start", "end", "regions") if name in spec.analysis},
        **_analysis_options(spec),
    )
    _record_outputs(spec, [spec.annotation_file])


def _redact(spec: Spec, source: Path, task: str) -> None:
    if _outputs_complete(spec, [spec.output, spec.report]):
        return
    annotations, options, ids = _hiding(spec, source, probe(source))
    prepared = prepare(source, annotations, options, ids=ids)
    write_redacted(prepared, spec.output, overwrite=True, progress=follow_progress(spec.work, task))
    _record_outputs(spec, [spec.output, spec.report])


def _chunks_folder(spec: Spec) -> Path:
    """Return the folder of the redacted chunks; its name holds the job key, so that stale chunks are never joined."""
    return spec.work / f"redact-{_state(spec).key[:20]}"


def _join(spec: Spec, source: Path, chunks: tuple[FrameRange, ...]) -> None:
    """Join the chunks, or redact the whole video if they do not fit together."""
    folder = _chunks_folder(spec)
    if all(path.exists() for chunk in chunks for path in chunk_files(folder, chunk).values()):
        try:
            join_chunks(source, annotations_of(spec, source), folder, chunks=chunks, output=spec.output, overwrite=True)
        except VideoError:
            pass
        else:
            return _record_outputs(spec, [spec.output, spec.report])
    return _redact(spec, source, "redact-close")


def _finish(spec: Spec) -> Outcome:
    """Write the manifest of the finished job and remove its working files."""
    state = _state(spec)
    report = read_report(spec.report) if spec.redacts else {}
    faces = len(report["faces"]) if spec.redacts else len(read_annotations(spec.annotation_file).tracks)
    manifest = msgspec.structs.replace(
        state,
        outputs=sizes_of(spec.outputs),
        done=True,
        faces=faces,
        ok=bool(report.get("ok", True)),
        nothing_hidden=bool(report.get("nothing_hidden", False)),
        worker=worker_name(),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return _close_job(spec, manifest)


def _close_job(spec: Spec, manifest: JobManifest, *, note: str = "") -> Outcome:
    manifest.save(spec.manifest)
    shutil.rmtree(spec.work, ignore_errors=True)
    known = {name: getattr(manifest, name) for name in ("frames", "faces", "ok", "nothing_hidden")}
    return Outcome(note=note, **known)
