"""The analyze pass: detect, link, look again, fill, smooth, number, write."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from redactkit.analysis.checkpoint import checkpoint_folder, drop_checkpoint
from redactkit.analysis.chunked import configure_search
from redactkit.analysis.detection import Scan, scan
from redactkit.analysis.thorough_search import search_harder
from redactkit.analysis.thumbnails import save_thumbnails
from redactkit.analysis.track_building import find_tracks
from redactkit.annotations import Annotations, annotations_name, find_thumbnails
from redactkit.detectors import Detector, release
from redactkit.errors import AnnotationError, OutputExistsError
from redactkit.formats import find_id_lists, write_annotations
from redactkit.formats.ids import set_aside
from redactkit.runtime.cores import count_frames, opencv_in_one_thread
from redactkit.runtime.files import check_output, fit_name, locked, make_private, sweep_parts
from redactkit.runtime.memory import limit_arenas, mmap_large_blocks, trim_heap
from redactkit.runtime.progress import ProgressLike, shown
from redactkit.tables import as_decisions
from redactkit.video import VideoReader, probe
from redactkit.video.chunks import CHUNK_FRAMES

__all__ = ["analyze", "default_folder", "find_annotations"]

FRAME_CACHE_LIMITS = (24, 96)
FRAME_CACHE_PIXELS = 24 * 1920 * 1080
"""Frames kept for the walks, which go on or some steps back: the more of them the smaller they are."""


def default_folder(video: str | Path) -> Path:
    """Return where the first pass writes when nobody says: ``foo_analysis`` beside ``foo``."""
    source = Path(video)
    return source.with_name(fit_name(source.stem, "_analysis"))


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
    name = annotations_name(Path(video).stem)
    places = [Path(folder) / name for folder in folders or (default_folder(video), Path(video).parent)]
    for place in places:
        if place.is_file():
            return place
    raise AnnotationError(
        f"no annotations of {video} at {' or '.join(map(str, places))}; "
        "run analyze first or name the file (--annotations)"
    )


@opencv_in_one_thread()
@mmap_large_blocks()
def analyze(
    video: str | Path,
    *,
    output: str | Path | None = None,
    detector: str | Detector = "centerface",
    model: str | Path | None = None,
    detection_size: int | None = None,
    sensitivity: str = "normal",
    roll: float = 0.0,
    part_frames: int = CHUNK_FRAMES,
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
        the rest is, so that an analysis that was stopped goes on. An ID list that is there is of other
        annotations, and is renamed to ``foo_IDList.old.txt``.
    detector : str or Detector
        ``"centerface"``, ``"yunet"``, or any callable from a batch of RGB images to boxes.
    model : path, optional
        Model file of a detector given by name; YuNet needs it here or in the variable ``REDACTKIT_YUNET``.
    detection_size : int, optional
        Longer side in pixels of the picture searched; by default chosen so that a face of 24 pixels is found.
    sensitivity : {"normal", "high", "low"}
        High finds more faces and more that are none, low fewer.
    roll : float
        Seconds by which every track is held before its first and after its last box.
    part_frames : int
        Frames after which what is done of a long video is kept. The outcome does not depend on it.
    overwrite : bool
        Replace annotations that are there.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    Annotations

    Raises
    ------
    VideoError
        If the video cannot be read.
    OptionError
        For an unknown detector or sensitivity, or a model for a detector that is not given by name.
    DetectorError
        If the detector's model is missing or altered.
    OutputExistsError
        If annotations are there and ``overwrite`` is false.

    Examples
    --------
    >>> analyze("lobby.mp4", output="lobby_analysis").tracks  # doctest: +SKIP
    """
    limit_arenas()
    source, progress = Path(video), shown(progress)
    folder = None if output is None else Path(output)
    if folder is not None:
        _check_folder(source, folder, overwrite=overwrite)
    info = probe(source)
    cache = count_frames(FRAME_CACHE_PIXELS, width=info.width, height=info.height, limits=FRAME_CACHE_LIMITS)
    with VideoReader(source, info=info, cache=cache) as reader:
        search = configure_search(reader, detector=detector, model=model, size=detection_size, sensitivity=sensitivity)
        trim_heap()  # what the network took while it was compiled
        keep = None if folder is None else checkpoint_folder(make_private(folder), source.stem)
        stopped = keep is not None and keep.is_dir()
        found = search_harder(reader, scan(reader, search, keep=keep, part_frames=part_frames, progress=progress))
        release(search.detector)
        annotations = _annotate(reader, found, roll=roll, progress=progress)
        if folder is None or keep is None:
            return annotations
        sweep_parts(folder)
        # Of two analyses into one folder, the second finds what the first has written, all of it.
        with locked(keep):
            _check_not_beaten(source, folder, overwrite=overwrite)
            saved = _save(reader, annotations, folder, overwrite=overwrite, stopped=stopped)
            drop_checkpoint(keep)
    return saved


def _annotate(reader: VideoReader, found: Scan, *, roll: float, progress: ProgressLike) -> Annotations:
    kept, discarded = find_tracks(reader, found, roll=roll, progress=progress)
    settings: dict[str, Any] = {**found.settings, "roll": roll}
    if found.errors:
        settings["decode_errors"] = list(found.errors)
    return Annotations(
        video=reader.info,
        detections=kept,
        decisions=as_decisions({}, faces=kept["face_id"].unique().tolist()),
        discarded=discarded,
        cuts=found.cuts,
        settings=settings,
    )


def _check_folder(source: Path, folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder in which something is that will not be replaced, before the video is searched for nothing."""
    check_output(folder / annotations_name(source.stem), overwrite=overwrite)
    ours = overwrite or checkpoint_folder(folder, source.stem).is_dir()
    for thumbnail in () if ours else find_thumbnails(folder, source.stem).values():
        check_output(thumbnail)


def _check_not_beaten(source: Path, folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder to which another analysis has written meanwhile, and leave nothing of this one but its parts."""
    try:
        check_output(folder / annotations_name(source.stem), overwrite=overwrite)
    except OutputExistsError:
        with suppress(OSError):  # there are parts
            checkpoint_folder(folder, source.stem).rmdir()
        raise


def _save(
    reader: VideoReader, annotations: Annotations, folder: Path, *, overwrite: bool, stopped: bool
) -> Annotations:
    """Write thumbnails, then the annotations that stand for them.

    The checkpoint folder stands until both are written, so that a run which finds it knows whose the thumbnails are.
    """
    stem = reader.info.path.stem if reader.info.path else "video"
    if overwrite or stopped:
        # A picture of a face ID that no longer is that face misleads.
        for old in find_thumbnails(folder, stem).values():
            old.unlink()
    save_thumbnails(reader, annotations.detections, annotations.tracks, folder=folder, overwrite=overwrite or stopped)
    for listed in find_id_lists(folder, stem):
        set_aside(listed)
    saved = annotations.replace(thumbnails=folder)
    write_annotations(saved, folder / annotations_name(stem), overwrite=overwrite)
    return saved
