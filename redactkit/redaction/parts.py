"""Redact a long video in parts: prepare once, write every part wherever there is room, join.

Everything that the parts share lies in one folder, so that a part can be written by any process or machine
that sees it, and one that is there need not be written again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.files import make_private, replacing, write_text
from redactkit.formats import read_annotations
from redactkit.formats.video import read_video_header, write_video_header
from redactkit.progress import ProgressLike
from redactkit.redaction.frames import write_frames
from redactkit.redaction.plan import Plan
from redactkit.redaction.preparation import Preparation, prepare, report_of
from redactkit.redaction.report import RedactionReport
from redactkit.video import VideoWriter
from redactkit.video.joining import join_videos

__all__ = ["join_parts", "part_file", "prepare_parts", "write_part"]

Span = tuple[int, int]
_ENCODER = ("codec", "crf", "preset")
_OPTIONS = ("blur", "margin", "strength", *_ENCODER, "audio", "mute", "force")


def prepare_parts(prepared: Preparation, folder: str | Path) -> Path:
    """Write down in ``folder`` what every part needs, and return the folder."""
    home = make_private(folder)
    write_video_header(prepared.info, home / "video.json")
    with replacing(home / "plan.npz", overwrite=True) as part, part.open("wb") as file:
        np.savez(file, frames=prepared.plan.frames, faces=prepared.plan.faces, boxes=prepared.plan.boxes)
    write_text(home / "settings.json", json.dumps(prepared.settings), overwrite=True)
    return home


def part_file(folder: str | Path, span: Span) -> Path:
    """Return the file of one part."""
    return Path(folder) / f"{span[0]:09d}-{span[1]:09d}.mp4"


def write_part(video: str | Path, folder: str | Path, span: Span, *, progress: ProgressLike = False) -> Path:
    """Write the frames ``span[0]`` to ``span[1]``, not included, of a redacted video; nothing if they are there.

    Parameters
    ----------
    video : path
    folder : path
        Where `prepare_parts` has written.
    span : (int, int)
    progress : bool or callable

    Returns
    -------
    Path
        The part, an mp4 without sound.

    Raises
    ------
    VideoError, MismatchError
        If the part cannot be decoded or encoded by itself.
    """
    target = part_file(folder, span)
    if target.exists():
        return target
    info = read_video_header(Path(folder) / "video.json", video=video)
    plan, settings = _read_plan(Path(folder), info.frame_count), _read_settings(Path(folder))
    encoder = {name: settings[name] for name in _ENCODER}
    with VideoWriter(target, info, audio="drop", overwrite=True, **encoder) as writer:
        odd = write_frames(
            info, plan, writer, span=span, kind=settings["blur"], strength=settings["strength"], progress=progress
        )
        write_text(target.with_suffix(".json"), json.dumps(odd), overwrite=True)
    return target


def join_parts(
    video: str | Path,
    annotations: Annotations | str | Path,
    folder: str | Path,
    *,
    spans: Sequence[Span],
    output: str | Path,
    overwrite: bool = False,
) -> RedactionReport:
    """Put the parts together, check the whole against its source, and save and return the report.

    Raises
    ------
    VideoError
        If the parts do not fit together.
    OutputExistsError
        If the output exists and ``overwrite`` is false.
    """
    settings = _read_settings(Path(folder))
    info = read_video_header(Path(folder) / "video.json", video=video)
    given = annotations if isinstance(annotations, Annotations) else read_annotations(annotations)
    visible = set(given.detections["face_id"]) - set(settings["faces"])
    prepared = prepare(video, given, info=info, exclude=visible, **{name: settings[name] for name in _OPTIONS})
    encoder = {name: prepared.settings[name] for name in _ENCODER}
    sounding = {"audio": settings["audio"], "mute": prepared.settings["mute"]}
    writer = VideoWriter(output, info, overwrite=overwrite, **sounding, **encoder)
    parts = [part_file(folder, span) for span in spans]
    sound = join_videos(parts, output, info, overwrite=overwrite, **sounding)
    odd = dict.fromkeys(note for part in parts for note in json.loads(part.with_suffix(".json").read_text("utf-8")))
    return report_of(prepared, Path(output), notes=(*odd, *writer.notes, *sound))


def _read_plan(folder: Path, frame_count: int) -> Plan:
    with (folder / "plan.npz").open("rb") as file, np.load(file, allow_pickle=False) as data:
        return Plan(frame_count, data["frames"], data["faces"], data["boxes"])


def _read_settings(folder: Path) -> dict[str, Any]:
    try:
        settings: dict[str, Any] = json.loads((folder / "settings.json").read_text("utf-8"))
    except (OSError, ValueError) as err:
        raise OptionError(f"{folder} was not prepared for parts: {err}; prepare it again") from err
    return settings
