"""Search the gaps of linked tracks again, and the frames before their first and after their last box.

Every box next to a frame without one is propagated into the gap (see `redactkit.analysis.propagation`), from both
sides. Tracks whose propagations run into each other are the same face and get one ID.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import chain, groupby
from operator import itemgetter

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from redactkit.analysis.propagation import OccupiedBoxes, Propagation, PropagationOptions, propagate_all
from redactkit.analysis.readers import open_readers
from redactkit.boxes import FloatArray, hull
from redactkit.detectors import Detector
from redactkit.media import VideoInfo
from redactkit.runtime.progress import ProgressLike, track
from redactkit.runtime.streams import side_by_side
from redactkit.tables import BOX, as_detections, sort_detections
from redactkit.video import VideoReader

__all__ = ["PropagationOptions", "refine"]

MAX_OFFSET_FRAMES = 2
"""Frames by which a propagation may run past the end of the track it collides with and still join it.

Raising it joins more tracks.
"""

MIN_RUNS_PER_READER = 3
"""Runs of groups for each reader from which whole runs are handed out, and not single groups.

Raising it balances the readers better, and decodes more frames twice.
"""

FoundBox = tuple[FloatArray, float, str]
"""Box, confidence and source."""

Group = list[Propagation]


def refine(
    reader: VideoReader,
    detections: pd.DataFrame,
    *,
    detector: Detector,
    cuts: ArrayLike = (),
    options: PropagationOptions | None = None,
    progress: ProgressLike = False,
) -> pd.DataFrame:
    """Propagate tracks into their gaps and beyond both ends.

    Optical flow moves a box to the next frame, and a detector with a low threshold searches a crop there.
    Propagation ends where neither finds the face, at another face, and at a shot boundary. Two tracks whose
    propagations run into each other become one.

    Parameters
    ----------
    reader : VideoReader
    detections : DataFrame
        Linked tracks.
    detector : Detector
        With a threshold no higher than ``options.min_confidence``.
    cuts : array_like of int
        Frames that start a new shot.
    options : PropagationOptions, optional
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    DataFrame
        All rows of ``detections`` and the new ones: with source ``detected`` where the detector found the face in
        the crop, ``tracked`` where only the flow followed it.
    """
    options = options or PropagationOptions()
    propagations = list(_plan(detections, np.asarray(cuts, np.int64), reader.info.frame_count))
    occupied = OccupiedBoxes(detections)
    reach = round(options.max_flow_seconds * float(reader.info.frame_rate))
    groups = list(_group_by_frames(propagations, reach=reach))
    with ExitStack() as stack, track(progress, "refine", total=len(propagations)) as update:
        readers = [stack.enter_context(other) for other in open_readers(reader, detector, tasks=len(groups))]
        # All workers take from one iterator, so that whoever is done first takes the next run.
        left = iter(_runs(groups, reader.info.keyframes, least=MIN_RUNS_PER_READER * len(readers), reach=reach))
        if readers:
            reader.rest()
        workers = [
            _propagate_runs(each, left, occupied=occupied, detector=detector, options=options)
            for each in readers or [reader]
        ]
        for ended in stack.enter_context(closing(side_by_side(workers))):
            update(ended)
    # Merge what was found, the tracks that collided, and double boxes of one face in one frame.
    whole = pd.concat([detections, _rows(propagations, reader.info)], ignore_index=True)
    same = _same_faces(propagations, detections)
    return _one_box_each(whole.assign(face_id=whole["face_id"].replace(same)))


def _propagate_runs(
    reader: VideoReader,
    runs: Iterator[list[Group]],
    *,
    occupied: OccupiedBoxes,
    detector: Detector,
    options: PropagationOptions,
) -> Iterator[int]:
    """Propagate group after group while there are runs left; yield how many propagations ended."""
    for group in chain.from_iterable(runs):
        for step in (1, -1):
            one_way = [each for each in group if each.step == step]
            yield from propagate_all(reader, one_way, occupied=occupied, detector=detector, options=options)


def _plan(
    detections: pd.DataFrame, cuts: np.ndarray[tuple[int], np.dtype[np.int64]], frames: int
) -> Iterator[Propagation]:
    """Yield the propagations into every gap from both sides, and out of both ends of every track."""
    edges = np.concatenate([[0], cuts, [frames]])
    for face, rows in detections.sort_values("frame").groupby("face_id"):
        frame, box = rows["frame"].to_numpy(), rows[BOX].to_numpy()
        confidence = rows["confidence"].fillna(0.5).to_numpy()
        shot = np.searchsorted(edges, frame, side="right")
        first, last = edges[shot - 1], edges[shot] - 1
        # How far back and ahead each box may go: to the face's next box, or to the edge of the shot.
        before = np.maximum(np.append(first[0], frame[:-1] + 1), first)
        after = np.minimum(np.append(frame[1:] - 1, last[-1]), last)
        for k in np.flatnonzero((after > frame) | (before < frame)):
            for step, end in ((1, after[k]), (-1, before[k])):
                if step * (end - frame[k]) > 0:
                    yield Propagation(int(str(face)), step, int(frame[k]), int(end), box[k], float(confidence[k]))


def _group_by_frames(propagations: Sequence[Propagation], *, reach: int) -> Iterator[Group]:
    """Yield groups of propagations that need the same frames, so that a frame is decoded once for both directions.

    How far a propagation gets is not known yet. The guess is ``reach`` frames, as far as flow alone may go.
    """
    ends = [each.frame + each.step * _length(each, reach) for each in propagations]
    ranges = {k: sorted((each.frame, end)) for k, (each, end) in enumerate(zip(propagations, ends, strict=True))}
    group: Group = []
    end = -1
    # A sweep over the frame ranges in order: those that overlap the ones before belong to one group.
    for k, (first, last) in sorted(ranges.items(), key=lambda item: item[1]):
        if group and first > end:
            yield group
            group = []
        group.append(propagations[k])
        end = max(end, last)
    if group:
        yield group


def _length(propagation: Propagation, reach: int) -> int:
    return min(reach, abs(propagation.last - propagation.frame))


def _runs(groups: Sequence[Group], keyframes: NDArray[np.int64], *, least: int, reach: int) -> list[list[Group]]:
    """Return runs of groups that begin after the same keyframe, so that one reader decodes what lies between them.

    The longest come first, so that no reader waits long for the last run. Where there are fewer than ``least``, each
    group is a run of its own, in order, so that readers never seek backwards.
    """
    # The number of keyframes before a group tells which of them decoding starts at.
    starts = [min(each.frame for each in group) for group in groups]
    keyed = zip(np.searchsorted(keyframes, starts, side="right").tolist(), groups, strict=True)
    runs = [[group for _, group in run] for _, run in groupby(keyed, key=itemgetter(0))]
    if len(runs) < least:
        return [[group] for group in groups]
    return sorted(runs, key=lambda run: -sum(_length(each, reach) for group in run for each in group))


def _rows(propagations: Iterable[Propagation], info: VideoInfo) -> pd.DataFrame:
    """Return the found boxes as detections, one row where two propagations of a face reach one frame."""
    found: dict[tuple[int, int], FoundBox] = {}
    for each in propagations:
        for frame, box in each.found.items():
            key = (frame, each.face)
            found[key] = _agreed(found[key], box) if key in found else box
    keys = list(found)
    entries = [found[key] for key in keys]
    frames = np.array([frame for frame, _ in keys], np.int64)
    columns = {"frame": frames, "time": info.times[frames], "face_id": [face for _, face in keys]}
    boxes = np.array([box for box, _, _ in entries]).reshape(-1, 4)
    columns |= dict(zip(BOX, boxes.T, strict=True))
    confidence, source = [entry[1] for entry in entries], [entry[2] for entry in entries]
    return as_detections({**columns, "confidence": confidence, "source": source})


def _agreed(first: FoundBox, second: FoundBox) -> FoundBox:
    """Choose between the boxes of two propagations of one face in one frame: a detection, else the hull of both."""
    if first[2] != second[2] or first[2] == "detected":
        return max(first, second, key=lambda entry: (entry[2] == "detected", entry[1]))
    return hull([first[0]], [second[0]])[0], max(first[1], second[1]), first[2]


def _same_faces(propagations: Sequence[Propagation], detections: pd.DataFrame) -> dict[int, int]:
    """Return which later tracks are which earlier ones: the two collided with each other's near ends."""
    frames = detections.groupby("face_id")["frame"].agg(["min", "max"])
    collisions = {
        (each.face, each.collision[0], each.step): each.collision[1]
        for each in propagations
        if each.collision is not None
    }
    same: dict[int, int] = {}
    for (early, late, step), frame in sorted(collisions.items()):
        # The later track must also have run back into the earlier one, and the two must not overlap in time.
        back = collisions.get((late, early, -1))
        if step != 1 or back is None or frames["max"][early] >= frames["min"][late]:
            continue
        if frame - frames["min"][late] <= MAX_OFFSET_FRAMES and frames["max"][early] - back <= MAX_OFFSET_FRAMES:
            same[late] = early
    return {late: _root(late, same) for late in same}


def _root(face: int, same: dict[int, int]) -> int:
    """Follow a chain of joins to its first track."""
    while face in same:
        face = same[face]
    return face


def _one_box_each(detections: pd.DataFrame) -> pd.DataFrame:
    """Keep one box of each face in each frame: a detection before a tracked box, then the most confident."""
    order = detections.assign(detected=detections["source"] != "tracked").sort_values(
        ["frame", "face_id", "detected", "confidence"], ascending=[True, True, False, False], kind="stable"
    )
    return sort_detections(order.drop_duplicates(["frame", "face_id"]).drop(columns="detected"))
