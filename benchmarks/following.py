"""Score following with exact truth: ``python -m benchmarks.following``.

One true box in the middle of each video is followed in both directions: generated plates, screens, papers and boards
(`benchmarks.moving_things`), and every face of the sample. Beside it stand OpenCV's MIL tracker from the same box, and
linear interpolation between the true boxes of three frames: the middle, and the first and last that show the thing.

*Covered*: of the frames that show a quarter of the thing or more, those whose true box lies by 70 % in the claimed one.
*Drift*: claimed boxes whose IoU with the true one is below 0.3, also where the thing is hidden, has left or is gone.
*Lost*: frames in which it shows and no box is claimed. IoU is the median over the frames in which it shows.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.clips import make_clip
from benchmarks.moving_things import FEW, FRAMES, SCENES, render
from redactkit.boxes import clip, intersections, iou
from redactkit.detectors import load_detector
from redactkit.following import Follower, Start, follow_boxes
from redactkit.formats import read_annotations
from redactkit.runtime.resources import sample_path, sample_truth_path
from redactkit.tables import BOX
from redactkit.video import VideoReader

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]
Places = dict[int, FloatArray]

MIN_SHOWN = 0.25
MIN_COVER = 0.7
DRIFT_IOU = 0.3


def follow(frames: list[Image], box: FloatArray, start: int) -> Places:
    """Follow a flat thing from one box."""
    places: Places = {}
    for step in (1, -1):
        follower = Follower(frames[start], box, frame=start, flat=True, frame_rate=25.0)
        number = start + step
        while 0 <= number < len(frames) and follower.ending is None:
            follower.step(frames[number], number)
            number += step
        places |= {frame: place.box for frame, place in follower.boxes.items()}
    return places


def follow_mil(frames: list[Image], box: FloatArray, start: int) -> Places:
    """Follow by OpenCV's MIL tracker, which never says that it has lost something."""
    places: Places = {}
    for step in (1, -1):
        tracker = cv2.TrackerMIL_create()
        tracker.init(cv2.cvtColor(frames[start], cv2.COLOR_GRAY2BGR), tuple(round(side) for side in box.tolist()))
        for number in range(start + step, len(frames) if step > 0 else -1, step):
            found, here = tracker.update(cv2.cvtColor(frames[number], cv2.COLOR_GRAY2BGR))
            if not found:
                break
            places[number] = np.array(here, np.float64)
    return places


def interpolate(truth: FloatArray, shown: FloatArray, start: int) -> Places:
    """Draw a straight line between the true boxes of the first, the middle and the last frame that show the thing."""
    seen = np.flatnonzero(shown >= MIN_SHOWN)
    knots = [int(seen[0]), start, int(seen[-1])]
    frames = np.setdiff1d(np.arange(knots[0], knots[-1] + 1), [start])
    between = np.stack([np.interp(frames, knots, truth[knots, side]) for side in range(4)], axis=1)
    return dict(zip(frames.tolist(), between, strict=True))


def score(
    places: Places, truth: FloatArray, shown: FloatArray, *, start: int, size: tuple[int, int]
) -> dict[str, float]:
    """Score claimed boxes; NaN rows of the truth are frames without the thing."""
    real = clip(np.nan_to_num(truth), width=size[0], height=size[1])
    visible = set(np.flatnonzero(shown >= MIN_SHOWN).tolist()) - {start}
    overlaps, covered = {}, 0
    for frame, box in places.items():
        here = clip(box[None], width=size[0], height=size[1])
        if here[0, 2:].prod() <= 0:
            continue
        overlaps[frame] = float(iou(here, real[frame][None])[0, 0])
        share = intersections(here, real[frame][None])[0, 0] / max(float(real[frame, 2:].prod()), 1e-9)
        covered += frame in visible and share >= MIN_COVER
    hits = [overlaps[frame] for frame in visible if frame in overlaps]
    return {
        "IoU": float(np.median(hits)) if hits else 0.0,
        "covered": covered,
        "drift": sum(overlap < DRIFT_IOU for overlap in overlaps.values()),
        "claimed": len(overlaps),
        "lost": len(visible) - len(hits),
        "shown": len(visible),
    }


def score_things(names: list[str], *, mil: bool, seed: int) -> pd.DataFrame:
    """Score the generated scenes, one row for each and method."""
    rows = []
    for scene in SCENES:
        if names and scene.name not in names:
            continue
        frames, truth = render(scene, seed=seed)
        start = FRAMES // 2
        shown = truth.shown
        box = truth.boxes[start]
        began = time.process_time()
        methods: dict[str, Callable[[], Places]] = {
            "follow": lambda: follow(frames, box, start),  # noqa: B023
            "linear": lambda: interpolate(truth.boxes, shown, start),  # noqa: B023
        }
        if mil:
            methods["MIL"] = lambda: follow_mil(frames, box, start)  # noqa: B023
        for name, method in methods.items():
            began = time.process_time()
            places = method()
            spent = time.process_time() - began
            told = score(places, truth.boxes, shown, start=start, size=scene.size)
            rows.append({"what": scene.name, "method": name, **told, "ms": 1000 * spent / max(len(places), 1)})
    return pd.DataFrame(rows)


def score_faces(*, mil: bool) -> pd.DataFrame:
    """Score the faces of the sample, each from the box in the middle of one stay in the picture."""
    truth, frames, cuts = _sample()
    size = (frames[0].shape[1], frames[0].shape[0])
    detector = load_detector()
    stays = list(_stays(truth, cuts, len(frames)))
    starts = [
        Start(number, middle, rows.loc[middle, BOX].to_numpy(np.float64), last, kind)
        for number, (rows, middle, low, stop) in enumerate(stays)
        for kind in ("face", "other")
        for last in (low, stop - 1)
    ]
    with VideoReader(sample_path()) as reader:
        found = {kind: [] for kind in ("face", "other")}
        for each in follow_boxes(reader, starts, detector=detector):
            found[each.start.kind].append(each)
    rows_out = []
    for number, (rows, middle, low, stop) in enumerate(stays):
        boxes, shown = _laid_out(rows, len(frames))
        box = boxes[middle]
        places = {
            f"follow{name}": {
                frame: place.box
                for each in found[kind]
                if each.start.object_id == number
                for frame, place in each.boxes.items()
            }
            for kind, name in (("face", ""), ("other", ", no detector"))
        }
        places["linear"] = interpolate(boxes, shown, middle)
        if mil:
            part = follow_mil(frames[low:stop], box, middle - low)
            places["MIL"] = {frame + low: here for frame, here in part.items()}
        for name, claimed in places.items():
            told = score(claimed, boxes, shown, start=middle, size=size)
            rows_out.append({"what": f"face {number}", "method": name, **told})
    return pd.DataFrame(rows_out)


def _sample() -> tuple[pd.DataFrame, list[Image], list[int]]:
    """Return the sample's true boxes with the share of each that shows, its frames, and its cuts."""
    table = json.loads(sample_truth_path().read_text(encoding="utf-8"))
    shown = [event["visible"] for part in table["fragments"] for events in part["events"] for event in events]
    known = read_annotations(sample_truth_path())
    with VideoReader(sample_path()) as reader:
        frames = [frame.luma() for frame in reader.frames()]
    return known.detections.assign(visible=shown), frames, known.cuts.tolist()


def _stays(truth: pd.DataFrame, cuts: list[int], count: int) -> Iterator[tuple[pd.DataFrame, int, int, int]]:
    """Yield for each stay of a face in the picture its rows, a frame in its middle, and the ends of the shot."""
    edges = [0, *cuts, count]
    for _, rows in truth.groupby("face_id"):
        for low, stop in pairwise(edges):
            shot = rows[(rows["frame"] >= low) & (rows["frame"] < stop)].set_index("frame")
            for _, stay in shot.groupby((np.diff(shot.index, prepend=-9) > 1).cumsum()):
                clear = stay.index[(stay["visible"] >= 0.9).to_numpy()]
                if len(clear) >= 10:
                    yield stay, int(clear[len(clear) // 2]), low, stop


def _laid_out(rows: pd.DataFrame, count: int) -> tuple[FloatArray, FloatArray]:
    boxes, shown = np.full((count, 4), np.nan), np.zeros(count)
    boxes[rows.index] = rows[BOX].to_numpy()
    shown[rows.index] = rows["visible"]
    return boxes, shown


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each method over all scenes."""
    sums = table.groupby("method", sort=False)[["covered", "drift", "claimed", "lost", "shown"]].sum()
    return pd.DataFrame(
        {
            "IoU": table.groupby("method", sort=False)["IoU"].median().round(3),
            "covered %": (100 * sums["covered"] / sums["shown"]).round(1),
            "drift %": (100 * sums["drift"] / sums["claimed"]).round(2),
            "lost %": (100 * sums["lost"] / sums["shown"]).round(1),
        }
    )


def time_following(folder: Path, *, objects: int, frames: int = 100) -> tuple[float, float, float]:
    """Return what is followed at 1080p for so many objects.

    Returns
    -------
    tuple of float
        Frames a core-second of frames decoded before, frames a core-second with decoding, and frames a second on the
        clock with decoding.
    """
    video, truth = make_clip(folder / f"follow{objects}.mp4", size="1080p", seconds=5, faces=objects)
    first = truth[truth["frame"] == 0]
    boxes = first[BOX].to_numpy(np.float64)
    with VideoReader(video) as reader:
        pictures = [frame.luma() for frame in reader.frames(0, frames + 1)]
        began = time.process_time()
        followers = [Follower(pictures[0], box, frame=0, flat=True) for box in boxes]
        for number in range(1, frames + 1):
            for follower in followers:
                follower.step(pictures[number], number)
        alone = frames / (time.process_time() - began)
        starts = [Start(k, 0, box, frames, "screen") for k, box in enumerate(boxes)]
        began, clock = time.process_time(), time.perf_counter()
        follow_boxes(reader, starts)
        return alone, frames / (time.process_time() - began), frames / (time.perf_counter() - clock)


def main(arguments: list[str] | None = None) -> None:
    """Print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", action="store_true", help="four scenes only")
    parser.add_argument("--scene", action="append", default=[], help="only this scene; may be given again")
    parser.add_argument("--no-mil", action="store_true", help="leave out OpenCV's MIL tracker, which takes long")
    parser.add_argument("--no-faces", action="store_true", help="generated scenes only")
    parser.add_argument("--faces-only", action="store_true", help="faces of the sample only")
    parser.add_argument("--speed", action="store_true", help="only time following at 1080p")
    parser.add_argument("--seed", type=int, default=0, help="of the textures, backgrounds and paths")
    chosen = parser.parse_args(arguments)
    if chosen.speed:
        with TemporaryDirectory() as folder:
            for objects in (1, 10):
                alone, decoded, clock = time_following(Path(folder), objects=objects)
                rates = f"{clock:.0f} frames a second with decoding, {decoded:.0f} per core-second, {alone:.0f} without"
                print(f"{objects} objects at 1080p: {rates}")
        return
    parts = []
    if not chosen.faces_only:
        names = list(FEW) if chosen.few else chosen.scene
        parts.append(score_things(names, mil=not chosen.no_mil, seed=chosen.seed))
    if not chosen.no_faces:
        parts.append(score_faces(mil=not chosen.no_mil))
    for table in parts:
        print(table.round(3).to_string(index=False), file=sys.stdout)
        print(summarize(table).to_string(), "\n")


if __name__ == "__main__":
    main()
