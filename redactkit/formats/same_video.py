"""Are these annotations of this video? One answer for every pass, and the boxes laid on the video's frames."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning, MismatchError
from redactkit.formats.alignment import align
from redactkit.formats.fit import add_doubts
from redactkit.formats.normalize import warn
from redactkit.formats.reading import ReadOptions, load
from redactkit.media import VideoInfo
from redactkit.tables import BOX

__all__ = ["check_same_video", "doubt_boxes", "touching"]

SMALLEST = 2.0
"""Pixels across below which nothing is a face."""
OUTSIDE = 0.2
"""Share of boxes wholly outside the frame above which a file is taken to be of another video."""
BEYOND = (1.0, 2.0)
"""Seconds, and intervals of the file, by which a box may come before the first frame or after the last."""
LONGER = (2.5, 0.1)
"""Seconds, and share of the video, by which a file may run on without a box: some pad their last fragment."""
SQUEEZED = 0.1
"""Share of the time between two frames below which a file's entries do not count in seconds."""
MORE_FRAMES = (2, 0.01)
"""Frames, and share of the video's, that a file may count beyond the video's own: tools round."""


def check_same_video(
    info: VideoInfo, annotations: Annotations | str | Path | Sequence[str | Path], *, force: bool = False
) -> Annotations:
    """Return the annotations laid onto the frames of a video, after holding the two against each other.

    A SHA-256 that is the video's settles it. Without one, what the annotations say of size, length, times
    and places must be possible in this video.

    Parameters
    ----------
    info : VideoInfo
    annotations : Annotations, path or sequence of paths
        A file's size, rate and times are the video's where it has none.
    force : bool
        Take annotations of another video all the same: boxes are scaled to the video's size (turned, where
        they are of its stored frame and not of the displayed one) and laid on its frames by time.

    Raises
    ------
    MismatchError
        If something differs, naming each, unless ``force``; or if no box lies in the video at all.
    AnnotationError
        If the file cannot be read, or has faces without boxes.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_path, sample_truth_path
    >>> from redactkit.video import probe
    >>> len(check_same_video(probe(sample_path()), sample_truth_path()).tracks)
    6
    """
    given = annotations if isinstance(annotations, Annotations) else _read(annotations, info)
    if not given.has_boxes:
        raise AnnotationError("the annotations say when faces are seen but not where; nothing can be hidden from them")
    other = _with_digest(given.video, info)
    faults = _differences(info, other)
    if not faults and not other.digest and not _is_same_file(info, other):
        faults = [*_doubt_length(info, given), *_doubt_times(info, given), *_doubt_squeezed(info, given)]
        faults += doubt_boxes(given.detections, info)
    if faults and not force:
        bare = "have no box, and " if given.detections.empty else ""
        raise MismatchError(
            f"the annotations {bare}were not made from {info.path}: {'; '.join(faults)}; "
            "name the right video, analyze this one, or pass force=True (--force)"
        )
    laid = add_doubts(_scaled(given, info), _compare_names(info, other))
    return laid.replace(video=info) if _same_frames(laid.video, info) else align(laid, info)


def doubt_boxes(detections: pd.DataFrame, info: VideoInfo) -> list[str]:
    """Return why these boxes, in pixels of the displayed frame, cannot be faces of a video; nothing if they can."""
    table = detections[BOX].to_numpy(np.float64)
    if not len(table):
        return []
    largest, corners = table[:, 2:].max(axis=1), bx.to_corners(table)
    if largest.max() < SMALLEST:
        shares = bool((corners >= -0.5).all() and (corners <= 1.5).all())
        hint = "; they look like shares of the frame taken for pixels" if shares else ""
        return [f"no box is as large as {SMALLEST:g} pixels (the largest has {largest.max():.2g}){hint}"]
    outside = ~touching(detections, info)
    if outside.mean() <= OUTSIDE:
        return []
    far = corners[outside]
    hint = ""
    if np.median(np.abs(far).max(axis=1)) > 20 * max(info.width, info.height):
        hint = ", as pixels taken for shares of the frame would be"
    return [
        f"{int(outside.sum())} of {len(table)} boxes lie outside the frame of {info.width}x{info.height} "
        f"(up to x {far[:, 2].max():.0f}, y {far[:, 3].max():.0f}{hint})"
    ]


def touching(detections: pd.DataFrame, info: VideoInfo) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return for every box whether any of it lies inside the displayed frame, shape (N,)."""
    inside = bx.clip(detections[BOX].to_numpy(np.float64), width=info.width, height=info.height)
    return np.asarray((inside[:, 2:] > 0).all(axis=1))


def _read(paths: str | Path | Sequence[str | Path], info: VideoInfo) -> Annotations:
    reading = load(paths, ReadOptions(video=info))
    warn(reading.remarks, path=paths, stacklevel=4)
    return reading.annotations


def _with_digest(other: VideoInfo, info: VideoInfo) -> VideoInfo:
    """Return a header with the SHA-256 of its file, where it names one that is there and is not the video itself."""
    if other.digest is not None or other.path is None or _is_same_file(info, other):
        return other
    return replace(other, digest=other.sha256 if other.path.is_file() else "")


def _is_same_file(info: VideoInfo, other: VideoInfo) -> bool:
    """Return whether both are headers of one file, which need not be hashed to know that."""
    if info.path is None or other.path is None:
        return False
    return info.path.absolute() == other.path.absolute()


def _compare_names(info: VideoInfo, other: VideoInfo) -> list[str]:
    """Say that names differ where nothing better is known, and return it; files are renamed: no reason to refuse."""
    if not other.digest and other.name and PurePath(other.name).stem.lower() != PurePath(info.name).stem.lower():
        text = f"the annotations are of a video called {other.name}, this one is called {info.name}"
        warnings.warn(text, AnnotationWarning, stacklevel=4)
        return [text]
    return []


def _same_frames(first: VideoInfo, second: VideoInfo) -> bool:
    half_tick = float(second.time_base) / 2
    return first.frame_count == second.frame_count and bool((abs(first.times - second.times) <= half_tick).all())


def _differences(info: VideoInfo, other: VideoInfo) -> list[str]:
    """Return what the headers contradict each other in."""
    faults = []
    if other.digest and other.digest != info.sha256:
        faults.append(f"SHA-256 {info.sha256[:12]}... instead of {other.digest[:12]}...")
    if other.width > 0 and (other.width, other.height) != (info.width, info.height):
        turned = " (the frame as stored, not as displayed)" if _is_stored_size(info, other) else ""
        faults.append(f"size {info.width}x{info.height} instead of {other.width}x{other.height}{turned}")
    # A header with a codec came from a video: it counts every frame. Other files count their entries.
    if (other.digest or other.codec) and other.frame_count != info.frame_count:
        faults.append(f"{info.frame_count} frames instead of {other.frame_count}")
    if faults and other.name and other.name != info.name:
        faults.append(f"name {info.name} instead of {other.name}")
    return faults


def _doubt_length(info: VideoInfo, annotations: Annotations) -> list[str]:
    """Return whether the annotations count more frames, or run longer, than the video."""
    other = annotations.video
    if not other.frame_count or not info.frame_count:
        return []
    if not annotations.has_times:
        most = info.frame_count + max(MORE_FRAMES[0], MORE_FRAMES[1] * info.frame_count)
        return [f"{info.frame_count} frames instead of {other.frame_count}"] if other.frame_count > most else []
    over = float(other.times[-1]) - _ends(info)[1]
    if over <= max(LONGER[0], LONGER[1] * info.duration):
        return []
    return [f"the video ends at {_ends(info)[1]:.3f} s, the annotations at {other.times[-1]:.3f} s"]


def _doubt_times(info: VideoInfo, annotations: Annotations) -> list[str]:
    """Return whether boxes lie before the video's first frame or after its last."""
    if not annotations.has_times or annotations.detections.empty or not info.frame_count:
        return []
    grid = annotations.video.times
    slack = max(BEYOND[0], BEYOND[1] * (float(np.median(np.diff(grid))) if len(grid) > 1 else 0.0))
    start, end = _ends(info)
    times = annotations.detections["time"].to_numpy()
    # Some files count from the first frame, others as the container does; which one is seen when they are laid on.
    late = min(times.max() - end, times.max() + start - end)
    early = min(start - times.min(), -times.min())
    if max(late, early) <= slack:
        return []
    hint = "; are these milliseconds taken for seconds?" if late > 100 * max(info.duration, 1.0) else ""
    return [f"boxes from {times.min():.3f} to {times.max():.3f} s, but frames from {start:.3f} to {end:.3f} s{hint}"]


def _doubt_squeezed(info: VideoInfo, annotations: Annotations) -> list[str]:
    """Return whether entries with faces crowd on the frames they touch, as seconds taken for milliseconds would."""
    if not annotations.has_times or info.frame_count < 2:
        return []
    times = np.unique(annotations.detections["time"].to_numpy())
    if len(times) < 3:
        return []
    apart, frames = float(np.median(np.diff(times))), float(np.median(np.diff(info.times)))
    if apart >= SQUEEZED * frames:
        return []
    return [f"boxes {apart:.2g} s apart, but frames {frames:.2g} s apart; are these seconds taken for milliseconds?"]


def _ends(info: VideoInfo) -> tuple[float, float]:
    """Return when the first frame starts and the last one ends, in seconds."""
    return float(info.times[0]), float(info.times[0]) + info.duration


def _is_stored_size(info: VideoInfo, other: VideoInfo) -> bool:
    stored = (info.coded_width, info.coded_height)
    return info.rotation % 180 != 0 and (other.width, other.height) == stored != (info.width, info.height)


def _scaled(annotations: Annotations, info: VideoInfo) -> Annotations:
    """Return boxes in pixels of the video's displayed frame; where no size is known they are."""
    other = annotations.video
    size = (other.width, other.height)
    if size == (info.width, info.height) or 0 in size:
        return annotations
    table = annotations.detections[BOX].to_numpy(np.float64)
    if _is_stored_size(info, other):
        turn = {"rotation": info.rotation, "mirrored": info.mirrored}
        placed = bx.from_coded(table, width=info.width, height=info.height, **turn)  # type: ignore[arg-type]
    else:
        placed = table * np.array([info.width / size[0], info.height / size[1]] * 2)
    return annotations.replace(detections=annotations.detections.assign(**dict(zip(BOX, placed.T, strict=True))))
