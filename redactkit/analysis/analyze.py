"""The analyze pass: detect, link, look again, fill, smooth, number, write."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike

from redactkit.analysis.checkpoint import checkpoint_folder, drop_checkpoint
from redactkit.analysis.detection import Scan, detect
from redactkit.analysis.thumbnails import save_thumbnails
from redactkit.annotations import Annotations
from redactkit.detectors import Detector
from redactkit.errors import AnnotationError, OutputExistsError
from redactkit.files import make_private, sweep_parts
from redactkit.formats import write_annotations
from redactkit.media import VideoInfo
from redactkit.progress import ProgressLike
from redactkit.tables import as_decisions
from redactkit.tracking import extend, fill_gaps, link, renumber, smooth, split_weak
from redactkit.video import VideoReader, probe

__all__ = ["analyze", "default_folder", "find_annotations", "make_tracks"]

LONGEST_GAP = 2.0
"""Seconds over which a face that was hidden from view may keep its ID, and its box is interpolated."""


def default_folder(video: str | Path) -> Path:
    """Return where the first pass writes when nobody says: ``foo_analysis`` beside ``foo``."""
    source = Path(video)
    return source.with_name(f"{source.stem}_analysis")


def find_annotations(video: str | Path, *folders: str | Path) -> Path:
    """Return the annotations that the first pass wrote for a video.

    Parameters
    ----------
    video : path
    *folders : path
        Where to look; by default ``foo_analysis`` beside the video, then the video's folder.

    Raises
    ------
    AnnotationError
        If there are none; the message names the places.
    """
    name = f"{Path(video).stem}_annotations.json"
    places = [Path(folder) / name for folder in folders or (default_folder(video), Path(video).parent)]
    for place in places:
        if place.is_file():
            return place
    raise AnnotationError(
        f"no annotations of {video} at {' or '.join(map(str, places))}; "
        "run analyze first or name the file (--annotations)"
    )


def analyze(
    video: str | Path,
    *,
    output: str | Path | None = None,
    detector: str | Detector = "centerface",
    detection_size: int | None = None,
    sensitivity: str = "normal",
    roll: float = 0.0,
    overwrite: bool = False,
    progress: ProgressLike = True,
) -> Annotations:
    """Find every face of a video and follow it from frame to frame.

    Parameters
    ----------
    video : path
    output : path, optional
        Folder for ``foo_annotations.json`` and one ``foo_thumb000001.jpg`` per face; made readable to
        its owner alone. Without it nothing is written. What is done of a long video is kept there until
        the rest is, so that an analysis that was stopped goes on.
    detector : str or Detector
        ``"centerface"``, ``"yunet"``, or any callable from a batch of RGB images to boxes.
    detection_size : int, optional
        Longer side in pixels of the picture searched; by default chosen so that a face of 24 pixels is found.
    sensitivity : {"normal", "high", "low"}
        High finds more faces and more that are none, low fewer.
    roll : float
        Seconds by which every track is held before its first and after its last box.
    overwrite : bool
        Replace annotations that are there.
    progress : bool or callable
        See `redactkit.progress.track`.

    Returns
    -------
    Annotations

    Raises
    ------
    VideoError
        If the video cannot be read.
    OptionError
        For an unknown detector or sensitivity.
    OutputExistsError
        If annotations are there and ``overwrite`` is false.

    Examples
    --------
    >>> analyze("lobby.mp4", output="lobby_analysis").tracks  # doctest: +SKIP
    """
    source = Path(video)
    folder = None if output is None else Path(output)
    if folder is not None:
        _check_folder(source, folder, overwrite=overwrite)
    with VideoReader(source, info=probe(source)) as reader:
        if folder is None:
            return _analyzed(reader, None, detector, detection_size, sensitivity, roll, progress)
        sweep_parts(make_private(folder))
        keep = checkpoint_folder(folder, source.stem)
        stopped = keep.is_dir()
        annotations = _analyzed(reader, keep, detector, detection_size, sensitivity, roll, progress)
        make_private(keep)
        saved = _save(reader, annotations, folder, overwrite=overwrite or stopped)
        drop_checkpoint(keep)
    return saved


def _analyzed(
    reader: VideoReader,
    keep: Path | None,
    detector: str | Detector,
    size: int | None,
    sensitivity: str,
    roll: float,
    progress: ProgressLike,
) -> Annotations:
    scan = detect(reader, detector=detector, size=size, sensitivity=sensitivity, keep=keep, progress=progress)
    return _annotate(reader, scan, roll=roll)


def make_tracks(
    detections: pd.DataFrame, info: VideoInfo, *, cuts: ArrayLike, roll: float = 0.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Turn per-frame detections into whole tracks.

    Returns
    -------
    kept, discarded : DataFrame
        Faces 1..n in order of first appearance, and what was too weak to be one, numbered on from n.
    """
    rate = float(info.frame_rate)
    kept, discarded = split_weak(link(detections, frame_rate=rate, cuts=cuts))
    filled = fill_gaps(kept, times=info.times, cuts=cuts, longest=round(LONGEST_GAP * rate))
    held = round(roll * rate)
    rolled = extend(filled, before=held, after=held, times=info.times, cuts=cuts)
    numbered = renumber(smooth(rolled, cuts=cuts))
    return numbered, _numbered_after(numbered, discarded)


def _numbered_after(kept: pd.DataFrame, discarded: pd.DataFrame) -> pd.DataFrame:
    used = int(kept["face_id"].max()) if len(kept) else 0
    later = renumber(discarded)
    return later.assign(face_id=later["face_id"] + used)


def _annotate(reader: VideoReader, scan: Scan, *, roll: float) -> Annotations:
    kept, discarded = make_tracks(scan.detections, reader.info, cuts=scan.cuts, roll=roll)
    settings: dict[str, Any] = {**scan.settings, "roll": roll}
    if scan.errors:
        settings["decode_errors"] = list(scan.errors)
    return Annotations(
        video=reader.info,
        detections=kept,
        decisions=as_decisions({}, faces=kept["face_id"].unique().tolist()),
        discarded=discarded,
        cuts=scan.cuts,
        settings=settings,
    )


def _check_folder(source: Path, folder: Path, *, overwrite: bool) -> None:
    target = folder / f"{source.stem}_annotations.json"
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists; name another folder or pass overwrite=True (--overwrite)")


def _save(reader: VideoReader, annotations: Annotations, folder: Path, *, overwrite: bool) -> Annotations:
    """Write thumbnails, then the annotations that stand for them.

    The checkpoint folder stands until both are written, so that a run which finds it knows whose the thumbnails are.
    """
    stem = reader.info.path.stem if reader.info.path else "video"
    if overwrite:
        _remove_thumbnails(folder, stem)
    save_thumbnails(reader, annotations.detections, annotations.tracks, folder=folder, overwrite=overwrite)
    saved = annotations.replace(thumbnails=folder)
    write_annotations(saved, folder / f"{stem}_annotations.json", overwrite=overwrite)
    return saved


def _remove_thumbnails(folder: Path, stem: str) -> None:
    """Remove what an earlier analysis left: a picture of a face ID that no longer is that face misleads."""
    for old in folder.glob(f"{glob.escape(stem)}_thumb*.jpg"):
        old.unlink()
