"""Redact a long video in chunks: prepare once, write the chunks in any process, join them.

What the chunks share is in one folder. Any process or machine that sees it can write a chunk, and a chunk that is
already there is not written again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from redactkit import effects
from redactkit.annotations import Annotations
from redactkit.errors import OptionError, VideoError
from redactkit.formats import check_same_video
from redactkit.formats.video import read_video_header, write_video_header
from redactkit.media import FrameRange
from redactkit.redaction.options import RedactionOptions
from redactkit.redaction.plan import Plan
from redactkit.redaction.preparation import Preparation, prepare, report_of
from redactkit.redaction.rendering import Written, write_frames
from redactkit.redaction.report import RedactionReport
from redactkit.runtime.cores import opencv_in_one_thread
from redactkit.runtime.files import make_private, write_text, writing
from redactkit.runtime.memory import limit_arenas, mmap_large_blocks, small_pages
from redactkit.runtime.progress import ProgressLike
from redactkit.video import VideoWriter
from redactkit.video.joining import join_videos

__all__ = ["join_chunks", "chunk_files", "prepare_chunks", "write_chunk"]


def prepare_chunks(prepared: Preparation, folder: str | Path) -> Path:
    """Write what every chunk needs to ``folder``, and return the folder."""
    home = make_private(folder)
    write_video_header(prepared.info, home / "video.json")
    with writing(home / "plan.npz", overwrite=True) as file:
        np.savez(file, **{name: getattr(prepared.plan, name) for name in ("frames", "faces", "boxes", "look_of")})
    looks = [asdict(look) for look in prepared.plan.looks]
    write_text(home / "looks.json", json.dumps({"looks": looks}), overwrite=True)
    writer = VideoWriter(home / "whole.mp4", prepared.info, prepared.options.writer, smart_copy=prepared.redacted)
    set_id = writer.copying[1].set_id if writer.copied.any() else None
    write_text(home / "runs.json", json.dumps({"set_id": set_id, "encoded": writer.wanted}), overwrite=True)
    write_text(home / "settings.json", json.dumps(prepared.settings), overwrite=True)
    return home


def chunk_files(folder: str | Path, chunk: FrameRange) -> dict[FrameRange, Path]:
    """Return the files of one chunk: one for each run of its frames that is encoded, by its frame range.

    Raises
    ------
    OptionError
        If `prepare_chunks` has not written to ``folder``.
    """
    home = Path(folder)
    runs = [chunk.overlap(FrameRange(*run)) for run in _read_json(home, "runs.json")["encoded"]]
    return {run: home / f"{run.start:09d}-{run.stop:09d}.mp4" for run in runs if run.length > 0}


@opencv_in_one_thread()
@mmap_large_blocks()
@small_pages()
def write_chunk(
    video: str | Path, folder: str | Path, chunk: FrameRange, *, progress: ProgressLike = False
) -> list[Path]:
    """Write the frames of one chunk, except those that are copied or already written.

    Parameters
    ----------
    video : path
    folder : path
        Where `prepare_chunks` has written.
    chunk : FrameRange
    progress : bool or callable

    Returns
    -------
    list of Path
        An mp4 without sound for each run of frames that is encoded; see `chunk_files`.

    Raises
    ------
    VideoError, MismatchError
        If the chunk cannot be decoded or encoded by itself.
    """
    limit_arenas()
    home, files = Path(folder), chunk_files(folder, chunk)
    missing = {run: target for run, target in files.items() if not target.exists()}
    if not missing:
        return list(files.values())
    info = read_video_header(home / "video.json", video=video)
    plan, options = _read_plan(home, info.frame_count), RedactionOptions.of(_read_json(home, "settings.json"))
    # A chunk has no sound: it is carried over when all are joined.
    how = replace(options.writer, audio="drop", mute=(), set_id=_read_json(home, "runs.json")["set_id"])
    for run, target in missing.items():
        with VideoWriter(target, info, how, overwrite=True, frames=run) as writer:
            done = write_frames(info, plan, writer, progress=progress, **options.effect)
            write_text(target.with_suffix(".json"), json.dumps(asdict(done)), overwrite=True)
    return list(files.values())


def join_chunks(
    video: str | Path,
    annotations: Annotations | str | Path,
    folder: str | Path,
    *,
    chunks: Sequence[FrameRange],
    output: str | Path,
    overwrite: bool = False,
) -> RedactionReport:
    """Join the chunks, check the output against its source, and save and return the report.

    Raises
    ------
    VideoError
        If the chunks do not fit together.
    OutputExistsError
        If the output exists and ``overwrite`` is false.
    """
    settings = _read_json(Path(folder), "settings.json")
    info = read_video_header(Path(folder) / "video.json", video=video)
    options = RedactionOptions.of(settings)
    laid = check_same_video(info, annotations, force=options.force)
    visible = set(laid.detections["face_id"]) - set(settings["faces"])
    prepared = prepare(video, laid, options, info=info, exclude=visible)
    how = prepared.options.writer
    writer = VideoWriter(output, info, how, overwrite=overwrite, smart_copy=prepared.redacted)
    files = [path for chunk in chunks for path in chunk_files(folder, chunk).values()]
    written = Written.joined(_read_written(file) for file in files)
    sound = join_videos(files, output, info, how, overwrite=overwrite, copying=writer.copying)
    return report_of(prepared, Path(output), written, notes=(*writer.notes, *sound), copied=writer.copied_ranges)


def _read_plan(folder: Path, frame_count: int) -> Plan:
    with (folder / "plan.npz").open("rb") as file, np.load(file, allow_pickle=False) as data:
        looks = tuple(effects.Look(**look) for look in _read_json(folder, "looks.json")["looks"])
        return Plan(frame_count, data["frames"], data["faces"], data["boxes"], looks, data["look_of"])


def _read_written(chunk: Path) -> Written:
    """Return what was recorded beside a chunk.

    Raises
    ------
    VideoError
        If there is no record, or another version wrote it: then it is not known what was painted.
    """
    try:
        record = json.loads(chunk.with_suffix(".json").read_text("utf-8"))
        painted, frames = ({int(face): int(n) for face, n in record[name].items()} for name in ("painted", "frames"))
        return Written(painted, frames, tuple(map(int, record["left_out"])), tuple(map(str, record["odd"])))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as err:
        raise VideoError(f"{chunk} has no record of what was painted in it ({err}); write the chunk again") from err


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
    except (OSError, ValueError) as err:
        raise OptionError(f"{folder} was not prepared for chunks: {err}; prepare it again") from err
    return found
