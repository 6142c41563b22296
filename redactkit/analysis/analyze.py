"""The analyze pass: scan the video, build tracks, write annotations and thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from redactkit.analysis.checkpoint import checkpoint_folder, drop_checkpoint
from redactkit.analysis.chunked import compiling
from redactkit.analysis.detection import Scan, scan
from redactkit.analysis.object_search import add_objects
from redactkit.analysis.rotation import RotationSamples, find_rotations
from redactkit.analysis.same_person import choose_embedder, find_pairs
from redactkit.analysis.scan_result import ScanResult
from redactkit.analysis.search import Search, plan_search
from redactkit.analysis.shot_tracking import ShotTracker
from redactkit.analysis.thumbnails import KeptCrops, frames_to_decode, save_thumbnails
from redactkit.analysis.track_building import find_tracks
from redactkit.annotations import Annotations, annotations_name, find_thumbnails
from redactkit.boxes import FloatArray
from redactkit.detectors import Detector, release
from redactkit.errors import AnnotationError, OptionError, OutputExistsError
from redactkit.formats import find_id_lists, write_annotations
from redactkit.formats.ids import set_aside
from redactkit.media import FrameRange, VideoInfo, frames_in_ranges
from redactkit.people.embedder import Embedder
from redactkit.people.storage import keep_vectors
from redactkit.people.vectors import FaceVectors
from redactkit.review.fixed_regions import with_regions
from redactkit.runtime.cores import count_frames, opencv_in_one_thread
from redactkit.runtime.files import check_output, fit_name, locked, make_private
from redactkit.runtime.kinds import as_kind
from redactkit.runtime.memory import limit_arenas, mmap_large_blocks, trim_heap
from redactkit.runtime.partial_files import sweep_partial_files
from redactkit.runtime.progress import ProgressLike, shown
from redactkit.runtime.timecode import check_ranges
from redactkit.tables import as_decisions
from redactkit.tracking.regions import as_regions
from redactkit.video import KeptFrame, VideoReader, probe
from redactkit.video.chunks import CHUNK_FRAMES
from redactkit.video.muting import span_of

__all__ = ["analyze", "default_folder", "find_annotations"]

FRAME_CACHE_LIMITS = (24, 96)
"""Fewest and most decoded frames kept in memory where there is no room on the disk, whatever their size."""

FRAME_CACHE_PIXELS = 24 * 1920 * 1080
"""Pixels of these frames. Raising it decodes fewer frames twice, and takes memory."""

FRAMES_ON_DISK = 96
"""Decoded frames kept for propagation on the disk. Raising it decodes fewer frames twice, and takes disk space."""

MAX_SAMPLED_SHARE = 0.1
"""Share of the frames up to which they are decoded to tell the rotation of the footage before it is scanned."""


def default_folder(video: str | Path) -> Path:
    """Return the folder to which the first pass writes by default: ``foo_analysis`` beside ``foo``."""
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
        If there are none; the message names the files looked for.
    """
    name = annotations_name(Path(video).stem)
    candidates = [Path(folder) / name for folder in folders or (default_folder(video), Path(video).parent)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    missing = "" if Path(video).exists() else ", and no such file is there"
    raise AnnotationError(
        f"no annotations of {video}{missing}; looked for at {' or '.join(map(str, candidates))}; "
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
    padding: float = 0.0,
    start: float | None = None,
    end: float | None = None,
    regions: Iterable[Any] = (),
    detectors: Mapping[str, Any] | None = None,
    chunk_frames: int = CHUNK_FRAMES,
    same_person: bool = True,
    embedder: str | Path | Embedder | None = None,
    overwrite: bool = False,
    progress: ProgressLike = True,
    watch: Callable[[Mapping[int, FloatArray]], None] | None = None,
) -> Annotations:
    """Find every face of a video and track it from frame to frame.

    The detector searches sampled frames, and more of the frames between where faces do not move as predicted. Boxes
    are linked to tracks; tracks are propagated into their gaps, interpolated, extended and smoothed.

    Parameters
    ----------
    video : path
    output : path, optional
        Folder for ``foo_annotations.json`` and one ``foo_thumb000001.jpg`` per face. It is made readable to its owner
        alone. Without it nothing is written. Finished chunks of a long video are kept there until all are done, so
        that an analysis that was stopped goes on. An ID list found there belongs to other annotations, and is renamed
        to ``foo_IDList.old.txt``.
    detector : str or Detector
        ``"centerface"``, ``"yunet"``, ``"scrfd"``, or any callable from a batch of RGB images to boxes.
    model : path, optional
        Model file of a detector given by name; YuNet needs it here or in the variable ``REDACTKIT_YUNET``, SCRFD here.
    detection_size : int, optional
        Longer side of the detector input in pixels, by default such that a face of 24 pixels is found. Raising it
        finds smaller faces, and takes longer.
    sensitivity : {"normal", "high", "low"}
        High finds more faces and more that are none, low fewer.
    padding : float
        Seconds by which every track is extended before its first and after its last box. Raising it covers more.
    start, end : float, optional
        Search only from one second to another; the annotations say so, and a redaction that reaches beyond is refused.
    regions : iterable of FixedRegion or mapping
        Rectangles of the frame in which nothing counts as found, or nothing else does, or that are always hidden:
        see `redactkit.tracking.regions.FixedRegion`. Tracks that live in them are set aside.
    detectors : mapping, optional
        What else is to be found, by its kind: ``{"plate": "plates.onnx"}``. Each is a model file of yours, an
        `redactkit.detectors.objects.ObjectModel` that describes one, or a callable as ``detector`` may be. Each
        searches the video once more.
    chunk_frames : int
        Frames of a chunk, after which the work done is kept. The outcome does not depend on it.
    same_person : bool
        Suggest which tracks may be one person, in ``pairs``; nothing is joined. With the extra ``people``, or an
        ``embedder``, faces are compared, and their vectors are kept in ``output`` as ``foo_embeddings.npz``, readable
        to its owner alone: they are personal data. Without, only colours of head and clothes are compared.
    embedder : str, path or Embedder, optional
        What compares faces, see `redactkit.people.load_embedder`; the extra's where it is installed.
    overwrite : bool
        Replace annotations that are there.
    progress : bool or callable
        See `redactkit.runtime.progress.track`.
    watch : callable, optional
        Takes what was found in some frames, as the search comes to them: from a frame's number to its boxes, shape
        (N, 5): x, y, width, height, confidence. They are neither tracked nor sorted out, and for looking at only.

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
        If the detector's model is missing or altered, or the embedder's.
    OutputExistsError
        If annotations are there and ``overwrite`` is false.

    Examples
    --------
    >>> analyze("lobby.mp4", output="lobby_analysis").tracks  # doctest: +SKIP
    """
    limit_arenas()
    source, progress, held = Path(video), shown(progress), as_regions(regions)
    others = _others(detectors)
    folder = None if output is None else Path(output)
    if folder is not None:
        _check_folder(source, folder, overwrite=overwrite)
    compare = choose_embedder(embedder) if same_person else None
    whole = probe(source)
    frames = None if start is None and end is None else _frames_between(whole, start, end)
    info = whole if frames is None else whole.of_part(frames)
    cache = count_frames(FRAME_CACHE_PIXELS, width=info.width, height=info.height, limits=FRAME_CACHE_LIMITS)
    with ExitStack() as stack:
        reader = stack.enter_context(VideoReader(source, info=info, cache=cache, on_disk=FRAMES_ON_DISK))
        search = plan_search(reader.info, detector=detector, model=model, size=detection_size, sensitivity=sensitivity)
        chunk_folder = None if folder is None else checkpoint_folder(make_private(folder), source.stem)
        stopped = chunk_folder is not None and chunk_folder.is_dir()
        # Chunks that are kept are those of the whole video.
        chunks = chunk_folder if frames is None else None
        found, tracker = _scan(
            reader,
            search,
            chunk_folder=chunks,
            chunk_frames=chunk_frames,
            progress=progress,
            seen=_moved(watch, frames),
            keep_crops=same_person or folder is not None,
        )
        found = tracker.search_isolated(found)
        release(search.detector)
        annotations = _annotate(reader, found, tracker, padding=padding, progress=progress)
        vectors = FaceVectors()
        # What follows asks for some frames in order: none need be held for going back, nor many by decoder threads.
        reader.rest()
        ordered = stack.enter_context(reader.another(threads=1, share=FRAMES_ON_DISK))
        if same_person:
            pairs, vectors = find_pairs(
                ordered,
                annotations,
                embedder=compare,
                detector=search.detector,
                crops=tracker.crops,
                later=() if folder is None else frames_to_decode(annotations.detections, tracker.crops),
                progress=progress,
            )
            annotations = annotations.replace(pairs=pairs)
        how: dict[str, Any] = {"size": detection_size, "sensitivity": sensitivity, "progress": progress}
        annotations = with_regions(add_objects(reader, annotations, others, **how), held)
        final = annotations if frames is None else _laid_back(annotations, whole, frames)
        if folder is None or chunk_folder is None:
            return final
        sweep_partial_files(folder)
        # Two analyses may write to one folder at once: the second waits, and then finds all files of the first.
        with locked(chunk_folder):
            _check_still_free(source, folder, overwrite=overwrite)
            saved = _save(
                ordered, annotations, tracker.crops, folder, overwrite=overwrite, stopped=stopped, final=final
            )
            moved = vectors if frames is None else replace(vectors, frame=vectors.frame + frames.start)
            keep_vectors(moved, folder, source.stem)
            drop_checkpoint(chunk_folder)
    return saved


def _moved(
    watch: Callable[[Mapping[int, FloatArray]], None] | None, frames: FrameRange | None
) -> Callable[[Mapping[int, FloatArray]], None] | None:
    """Return ``watch`` such that it is given the frames of the whole video."""
    if watch is None or frames is None:
        return watch
    return lambda found: watch({number + frames.start: boxes for number, boxes in found.items()})


def _scan(
    reader: VideoReader,
    search: Search,
    *,
    chunk_folder: Path | None,
    chunk_frames: int,
    progress: ProgressLike,
    seen: Callable[[Mapping[int, FloatArray]], None] | None = None,
    keep_crops: bool = True,
) -> tuple[Scan, ShotTracker]:
    """Scan the video in the rotation of its footage, and track the shots that are over meanwhile.

    Where the frames from which the rotation is told are dear to get at, since there are few keyframes, they are taken
    from the scan: footage is upright as a rule. Where it is not, it is scanned again.
    """
    samples = RotationSamples(reader.info, search.detector, search.letterboxes[0])
    numbers = set(samples.numbers)
    later = samples.decoded > MAX_SAMPLED_SHARE * reader.info.frame_count
    with compiling(search):
        turned = search if later else search.with_rotations(find_rotations(reader, samples))
    trim_heap()  # compiling the network took memory that is free now
    tracker = ShotTracker(reader, turned, keep_crops=keep_crops)

    def watch(batch: list[KeptFrame], found: ScanResult) -> None:
        for frame in batch if later else ():
            if frame.index in numbers:
                samples.add(frame.load())
        tracker.watch(batch, found)
        if seen is not None:
            seen({frame.index: found.faces[frame.index] for frame in batch if frame.index in found.faces})

    how: dict[str, Any] = {"chunk_folder": chunk_folder, "chunk_frames": chunk_frames, "progress": progress}
    scanned = scan(reader, turned, watch=watch, **how)
    rotations = find_rotations(reader, samples) if later else ()
    if not rotations:
        return scanned, tracker
    tracker = ShotTracker(reader, search.with_rotations(rotations), keep_crops=keep_crops)
    return scan(reader, search.with_rotations(rotations), watch=tracker.watch, **how), tracker


def _frames_between(info: VideoInfo, start: float | None, end: float | None) -> FrameRange:
    """Return the frames that are shown from one second to another.

    Raises
    ------
    OptionError
        If there are none.
    """
    begin, last = span_of(info)
    ((first, stop),) = check_ranges([(start or begin, last if end is None else end)], start=begin, end=last)
    shown_there = np.flatnonzero(frames_in_ranges(info, [(-np.inf if start is None else first, stop)]))
    if not len(shown_there):
        raise OptionError(f"no frame of {info.name} is shown from {first:g} to {stop:g} s; name another range")
    return FrameRange(int(shown_there[0]), int(shown_there[-1]) + 1)


def _laid_back(annotations: Annotations, whole: VideoInfo, frames: FrameRange) -> Annotations:
    """Return annotations of a part on the frames of the whole video, with the seconds that were searched."""
    moved = {name: getattr(annotations, name) for name in ("detections", "discarded")}
    moved = {name: table.assign(frame=table["frame"] + frames.start) for name, table in moved.items()}
    times = annotations.video.part_times
    assert times is not None
    searched = [float(time) for time in times]
    settings = {**annotations.settings, "searched": searched}
    return annotations.replace(video=whole, cuts=annotations.cuts + frames.start, settings=settings, **moved)


def _others(detectors: Mapping[str, Any] | None) -> dict[str, Detector]:
    """Return the detectors of other things than faces, loaded."""
    if not detectors:
        return {}
    from redactkit.detectors.objects import as_detectors  # with the inference runtime, and wanted only here

    return as_detectors({as_kind(kind): one for kind, one in detectors.items()})


def _annotate(
    reader: VideoReader, found: Scan, tracker: ShotTracker, *, padding: float, progress: ProgressLike
) -> Annotations:
    kept, discarded = find_tracks(reader, found, padding=padding, progress=progress, tracker=tracker)
    settings: dict[str, Any] = {**found.settings, "roll": padding}
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
    """Refuse a folder that holds outputs which must not be replaced, before the video is searched for nothing."""
    check_output(folder / annotations_name(source.stem), overwrite=overwrite)
    ours = overwrite or checkpoint_folder(folder, source.stem).is_dir()
    for thumbnail in () if ours else find_thumbnails(folder, source.stem).values():
        check_output(thumbnail)


def _check_still_free(source: Path, folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder to which another analysis has written meanwhile; remove the checkpoint folder if it is empty."""
    try:
        check_output(folder / annotations_name(source.stem), overwrite=overwrite)
    except OutputExistsError:
        with suppress(OSError):  # it holds chunks
            checkpoint_folder(folder, source.stem).rmdir()
        raise


def _save(
    reader: VideoReader,
    annotations: Annotations,
    crops: KeptCrops,
    folder: Path,
    *,
    overwrite: bool,
    stopped: bool,
    final: Annotations,
) -> Annotations:
    """Write the thumbnails, then the annotations; ``final`` are those on the frames of the whole video.

    The checkpoint folder stays until both are written. A later run that finds it knows that the thumbnails were left by
    a stopped run, and may replace them.
    """
    stem = reader.info.path.stem if reader.info.path else "video"
    if overwrite or stopped:
        # A face ID may now be another face, so its old thumbnail would mislead.
        for old in find_thumbnails(folder, stem).values():
            old.unlink()
    save_thumbnails(
        reader, annotations.detections, annotations.tracks, folder=folder, overwrite=overwrite or stopped, kept=crops
    )
    for path in find_id_lists(folder, stem):
        set_aside(path)
    saved = final.replace(thumbnails=folder)
    write_annotations(saved, folder / annotations_name(stem), overwrite=overwrite)
    return saved
