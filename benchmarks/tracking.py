"""Score `redactkit.tracking.link` against online trackers on generated scenes: ``python -m benchmarks.tracking``.

The others are C-BIoU, ByteTrack and SORT of Roboflow's ``trackers``, each at its defaults and with settings that suit
the scenes (any box may start a track, confirmed at once, lost tracks kept for two seconds). IDF1 is by ``motmetrics``;
its ceiling is what true IDs would get, since the dropped boxes count as missed. Needs ``trackers`` and ``motmetrics``,
which no one else here does.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial

import motmetrics
import numpy as np
import pandas as pd
import supervision
import trackers

from benchmarks.scenes import LEVELS, Scene, make_scene
from redactkit.boxes import iou, to_corners
from redactkit.tables import BOX, as_detections
from redactkit.tracking import filter_weak, link

Linker = Callable[[Scene], pd.DataFrame]

EAGER = {"track_activation_threshold": 0.2, "minimum_consecutive_frames": 1}
"""Every box may start a track, as in `link`."""


def link_only(scene: Scene) -> pd.DataFrame:
    """Link every box; none is thrown away."""
    return link(scene.detections, frame_rate=scene.level.frame_rate, cuts=scene.cuts)


def link_and_split(scene: Scene) -> pd.DataFrame:
    """Link, then set weak tracks aside, as the analysis does."""
    linked = link_only(scene)
    return linked[linked["face_id"].isin(filter_weak(linked)[0]["face_id"])]


def true_ids(scene: Scene) -> pd.DataFrame:
    """Give every box its true ID and leave the false ones out."""
    return scene.detections[scene.detections["face_id"] > 0]


def online(scene: Scene, *, tracker: type, seconds: float = 1.0, **options: float) -> pd.DataFrame:
    """Run one of Roboflow's trackers, restarted at every cut; boxes it gives no ID are dropped."""
    frame_rate = scene.level.frame_rate / scene.level.every
    make = partial(tracker, frame_rate=frame_rate, lost_track_buffer=round(30 * seconds), **options)
    state, known, shot, parts = make(), 0, 0, []
    rows = dict(iter(scene.detections.groupby("frame")))
    for frame in range(0, scene.frame_count, scene.level.every):
        if shot < len(scene.cuts) and frame >= scene.cuts[shot]:
            state, shot, known = make(), shot + 1, known + 10_000
        here = rows.get(frame, scene.detections[:0])
        result = state.update(_as_supervision(here))
        number, row = np.asarray(result.tracker_id, int), np.asarray(result.data.get("row", []), int)
        parts.append(pd.DataFrame({"row": row[number >= 0], "face_id": number[number >= 0] + known}))
    ids = pd.concat(parts, ignore_index=True)
    return scene.detections.loc[ids["row"]].assign(face_id=ids["face_id"].to_numpy())


def _as_supervision(rows: pd.DataFrame) -> supervision.Detections:
    return supervision.Detections(
        xyxy=to_corners(rows[BOX].to_numpy()),
        confidence=rows["confidence"].to_numpy(),
        class_id=np.zeros(len(rows), int),
        data={"row": rows.index.to_numpy()},
    )


LINKERS: dict[str, Linker] = {
    "true IDs": true_ids,
    "link": link_only,
    "link + filter_weak": link_and_split,
    "C-BIoU": partial(online, tracker=trackers.CBIoUTracker),
    "C-BIoU, suited": partial(online, tracker=trackers.CBIoUTracker, seconds=2.0, high_conf_det_threshold=0.3, **EAGER),
    "ByteTrack": partial(online, tracker=trackers.ByteTrackTracker),
    "ByteTrack, suited": partial(
        online, tracker=trackers.ByteTrackTracker, seconds=2.0, high_conf_det_threshold=0.3, **EAGER
    ),
    "SORT": partial(online, tracker=trackers.SORTTracker),
    "SORT, suited": partial(online, tracker=trackers.SORTTracker, seconds=2.0, minimum_iou_threshold=0.1, **EAGER),
}


def score(scene: Scene, linked: pd.DataFrame) -> dict[str, float]:
    """Score IDs: IDF1, IDs per appearance, IDs that hold rows of two people, the share of boxes given an ID."""
    true = scene.detections["face_id"].loc[linked.index].to_numpy()
    real = true > 0
    pairs = np.unique(np.stack([true[real], linked["face_id"].to_numpy()[real]]), axis=1)
    appearances = np.unique(pairs[0])
    return {
        "IDF1": idf1(scene, linked),
        "IDs per appearance": pairs.shape[1] / max(len(appearances), 1),
        "mixed IDs": int((np.unique(pairs[1], return_counts=True)[1] > 1).sum()),
        "boxes kept": real.sum() / (scene.detections["face_id"] > 0).sum(),
        "false boxes kept": (~real).sum() / max((scene.detections["face_id"] == 0).sum(), 1),
    }


def idf1(scene: Scene, linked: pd.DataFrame) -> float:
    """IDF1 of the linked rows against the true ones, boxes matched at an IoU of 0.5."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    found = dict(iter(linked.groupby("frame")))
    for frame, rows in scene.truth.groupby("frame"):
        here = found.pop(frame, linked[:0])
        overlap = iou(rows[BOX].to_numpy(), here[BOX].to_numpy())
        accumulator.update(
            rows["face_id"].tolist(), here["face_id"].tolist(), np.where(overlap >= 0.5, 1 - overlap, np.nan)
        )
    for rows in found.values():
        accumulator.update([], rows["face_id"].tolist(), np.zeros((0, len(rows))))
    table = motmetrics.metrics.create().compute(accumulator, metrics=["idf1"], name="scene")
    return float(table["idf1"].iloc[0])


def run(levels: list[str], linkers: list[str], seeds: int) -> pd.DataFrame:
    """Score every linker on every level and seed, one row each."""
    rows = []
    for level in LEVELS:
        if levels and level.name not in levels:
            continue
        for seed in range(seeds):
            scene = make_scene(level, seed=seed)
            for name in linkers:
                began = time.process_time()
                linked = LINKERS[name](scene)
                spent = time.process_time() - began
                frames = scene.frame_count / level.every
                rows.append(
                    {
                        "level": level.name,
                        "linker": name,
                        **score(scene, linked),
                        "frames per CPU second": frames / spent,
                    }
                )
    return pd.DataFrame(rows)


def large_table(boxes: int = 100_000, *, faces: int = 10) -> float:
    """Return the CPU seconds that `link` takes for a long table of wandering faces."""
    random = np.random.default_rng(0)
    frames = boxes // faces
    steps = random.normal(0, 1.5, (frames, faces, 2)).cumsum(axis=0)
    place = np.stack(np.meshgrid(np.arange(faces) * 150.0, [300.0]), axis=-1).reshape(1, faces, 2) + steps
    table = pd.DataFrame({"frame": np.repeat(np.arange(frames), faces), "face_id": 0, "confidence": 0.8})
    table[["x", "y"]] = place.reshape(-1, 2)
    table[["width", "height"]] = 60.0, 75.0
    table = as_detections(table[random.random(len(table)) > 0.15].assign(source="detected"))
    began = time.process_time()
    link(table, frame_rate=25)
    return time.process_time() - began


def main(arguments: list[str] | None = None) -> None:
    """Print the scores as tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--level", action="append", default=[], help="only this level; may be given again")
    parser.add_argument("--linker", action="append", default=[], help="only this linker; may be given again")
    chosen = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", module="motmetrics|trackers|supervision")
    scores = run(chosen.level, chosen.linker or list(LINKERS), chosen.seeds)
    for level, rows in scores.groupby("level", sort=False):
        means = rows.drop(columns="level").groupby("linker", sort=False).mean()
        print(f"\n{level} ({chosen.seeds} scenes)")
        print(means.round(3).to_string())
    print("\nall levels")
    print(scores.drop(columns="level").groupby("linker", sort=False).mean().round(3).to_string())
    print(f"\nlink, 100,000 boxes: {large_table(118_000):.1f} CPU seconds")


if __name__ == "__main__":
    main()
