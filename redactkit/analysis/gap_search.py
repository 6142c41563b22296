"""A second look at linked tracks: in their gaps, before their first box, after their last, and at who is who."""

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
"""Frames by which a walk may overshoot the end of the track it meets."""

RUNS_PER_READER = 3
"""Runs of groups for each reader from which they are handed out, and not single groups."""

Step = tuple[FloatArray, float, str]
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
    """Look again where a track predicts a face but the detector was silent.

    From every box next to a gap, before a track's first box and after its last one, the face is followed
    frame by frame: the pixels say where it went, and a detector with a low threshold looks at that place
    closely. It ends where neither bears it out, at another face, and at a scene cut. Two tracks that meet
    that way from both sides are one face.

    Parameters
    ----------
    reader : VideoReader
    detections : DataFrame
        Linked tracks.
    detector : Detector
        With a threshold no higher than ``options.confidence``.
    cuts : array_like of int
        Frames that start a new shot.
    options : PropagationOptions, optional
    progress : bool or callable
        See `redactkit.runtime.progress.track`.

    Returns
    -------
    DataFrame
        All rows of ``detections`` and those that were found: of source ``detected`` where the closer look
        saw the face, ``tracked`` where only its pixels were followed.
    """
    options = options or PropagationOptions()
    walks = list(_plan(detections, np.asarray(cuts, np.int64), reader.info.frame_count))
    taken = OccupiedBoxes(detections)
    reach = round(options.unseen * float(reader.info.frame_rate))
    groups = list(_neighbours(walks, reach=reach))
    with ExitStack() as stack, track(progress, "refine", total=len(walks)) as update:
        readers = [stack.enter_context(other) for other in open_readers(reader, detector, tasks=len(groups))]
        left = iter(_runs(groups, reader.info.keyframes, least=RUNS_PER_READER * len(readers), reach=reach))
        if readers:
            reader.rest()
        walking = [
            _walk_runs(each, left, taken=taken, detector=detector, options=options) for each in readers or [reader]
        ]
        for ended in stack.enter_context(closing(side_by_side(walking))):
            update(ended)
    whole = pd.concat([detections, _rows(walks, taken, reader.info)], ignore_index=True)
    return _one_box_each(whole.assign(face_id=whole["face_id"].replace(_same_faces(walks, detections))))


def _walk_runs(
    reader: VideoReader,
    runs: Iterator[list[Group]],
    *,
    taken: OccupiedBoxes,
    detector: Detector,
    options: PropagationOptions,
) -> Iterator[int]:
    """Walk one group after the other, as long as there are any runs of them left; yield how many walks ended."""
    for near in chain.from_iterable(runs):
        for step in (1, -1):
            one_way = [walk for walk in near if walk.step == step]
            yield from propagate_all(reader, one_way, taken=taken, detector=detector, options=options)


def _plan(
    detections: pd.DataFrame, cuts: np.ndarray[tuple[int], np.dtype[np.int64]], frames: int
) -> Iterator[Propagation]:
    """Yield the walks into every gap from both sides, and out of both ends of every track."""
    edges = np.concatenate([[0], cuts, [frames]])
    for face, rows in detections.sort_values("frame").groupby("face_id"):
        frame, box = rows["frame"].to_numpy(), rows[BOX].to_numpy()
        confidence = rows["confidence"].fillna(0.5).to_numpy()
        shot = np.searchsorted(edges, frame, side="right")
        first, last = edges[shot - 1], edges[shot] - 1
        before = np.maximum(np.append(first[0], frame[:-1] + 1), first)
        after = np.minimum(np.append(frame[1:] - 1, last[-1]), last)
        for k in np.flatnonzero((after > frame) | (before < frame)):
            for step, end in ((1, after[k]), (-1, before[k])):
                if step * (end - frame[k]) > 0:
                    yield Propagation(int(str(face)), step, int(frame[k]), int(end), box[k], float(confidence[k]))


def _neighbours(walks: Sequence[Propagation], *, reach: int) -> Iterator[Group]:
    """Yield the walks in groups that look at frames near each other, so that a frame is decoded once for both ways."""
    ends = [walk.frame + walk.step * _length(walk, reach) for walk in walks]
    spans = {place: sorted((walk.frame, end)) for place, (walk, end) in enumerate(zip(walks, ends, strict=True))}
    group: Group = []
    end = -1
    for place, (first, last) in sorted(spans.items(), key=lambda item: item[1]):
        if group and first > end:
            yield group
            group = []
        group.append(walks[place])
        end = max(end, last)
    if group:
        yield group


def _length(walk: Propagation, reach: int) -> int:
    return min(reach, abs(walk.last - walk.frame))


def _runs(groups: Sequence[Group], keyframes: NDArray[np.int64], *, least: int, reach: int) -> list[list[Group]]:
    """Return groups in runs that begin after the same keyframe, so that one reader decodes what lies between them.

    Those with most to walk come first, so that no reader waits long for the last run. Where there are fewer than
    ``least``, each group is one, in order, so that readers need not go back in what they decode.
    """
    starts = [min(walk.frame for walk in group) for group in groups]
    keyed = zip(np.searchsorted(keyframes, starts, side="right").tolist(), groups, strict=True)
    runs = [[group for _, group in run] for _, run in groupby(keyed, key=itemgetter(0))]
    if len(runs) < least:
        return [[group] for group in groups]
    return sorted(runs, key=lambda run: -sum(_length(walk, reach) for group in run for walk in group))


def _rows(walks: Iterable[Propagation], taken: OccupiedBoxes, info: VideoInfo) -> pd.DataFrame:
    """Return what the walks found as detections; where two of one face come to a frame, one row."""
    found: dict[tuple[int, int], Step] = {}
    for walk in walks:
        for frame, step in walk.steps.items():
            place = (frame, walk.face)
            found[place] = _agreed(found[place], step) if place in found else step
    places = list(found)
    steps = [found[place] for place in places]
    frames = np.array([frame for frame, _ in places], np.int64)
    columns = {"frame": frames, "time": info.times[frames], "face_id": [face for _, face in places]}
    boxes = np.array([box for box, _, _ in steps]).reshape(-1, 4)
    columns |= dict(zip(BOX, boxes.T, strict=True))
    return as_detections({**columns, "confidence": [step[1] for step in steps], "source": [step[2] for step in steps]})


def _agreed(first: Step, second: Step) -> Step:
    """Choose between what two walks of one face found in one frame: what was seen, else both."""
    if first[2] != second[2] or first[2] == "detected":
        return max(first, second, key=lambda step: (step[2] == "detected", step[1]))
    return hull([first[0]], [second[0]])[0], max(first[1], second[1]), first[2]


def _same_faces(walks: Sequence[Propagation], detections: pd.DataFrame) -> dict[int, int]:
    """Return which faces are really earlier ones: each walked into the near end of the other."""
    frames = detections.groupby("face_id")["frame"].agg(["min", "max"])
    met = {(walk.face, walk.met[0], walk.step): walk.met[1] for walk in walks if walk.met is not None}
    same: dict[int, int] = {}
    for (early, late, step), frame in sorted(met.items()):
        back = met.get((late, early, -1))
        if step != 1 or back is None or frames["max"][early] >= frames["min"][late]:
            continue
        if frame - frames["min"][late] <= MAX_OFFSET_FRAMES and frames["max"][early] - back <= MAX_OFFSET_FRAMES:
            same[late] = early
    return {late: _root(late, same) for late in same}


def _root(face: int, same: dict[int, int]) -> int:
    while face in same:
        face = same[face]
    return face


def _one_box_each(detections: pd.DataFrame) -> pd.DataFrame:
    """Keep the surest box of each face in each frame."""
    order = detections.assign(seen=detections["source"] != "tracked").sort_values(
        ["frame", "face_id", "seen", "confidence"], ascending=[True, True, False, False], kind="stable"
    )
    return sort_detections(order.drop_duplicates(["frame", "face_id"]).drop(columns="seen"))
