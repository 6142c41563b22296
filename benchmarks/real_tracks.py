"""Score linking on true face tracks of real crowds: ``python -m benchmarks.real_tracks``.

The tracks, boxes with identities but no pictures, lie in ``../shared/eval/tracks`` with the scripts that make
detections of them and score what was linked; both are used as they are, and nothing is done where the folder is
missing. *a* is clean, *b* has dropped, shaken and false boxes, *c* is b at every third frame. The scorer asks for boxes
in every frame, so in c the boxes between those of an ID are interpolated, for every linker alike.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.scenes import Level, Scene
from benchmarks.tracking import LINKERS
from redactkit.tables import BOX, as_detections

__all__ = ["load_scenes", "main", "run"]

FOLDER = Path(__file__).resolve().parents[2] / "shared/eval/tracks"
FRAME_RATE = 25.0
EVERY = {"a": 1, "b": 1, "c": 3}
FILLED = {"a": 0, "b": 0, "c": 12}
"""Missing frames between two boxes of an ID that are interpolated before scoring."""
COLUMNS = ["frame", "face_id", *BOX]


def load_scenes(folder: Path, *, seed: int = 0) -> dict[tuple[str, str], Scene]:
    """Return the scene of each sequence and condition, made as the folder's own script makes it.

    ``face_id`` of the detections is the true appearance, 0 for a false box.
    """
    ltft, making, scoring = (_script(folder, name) for name in ("ltft", "make_detections", "score_tracks"))
    scenes = {}
    for path in sorted(folder.glob("*.txt")):
        frame_count, rows, _ = ltft.load(str(path))
        random = np.random.default_rng([seed, zlib.crc32(path.stem.encode())])
        appearance = scoring.appearances(rows[:, :6]) + 1
        known = dict(zip(map(tuple, rows[:, :2]), appearance, strict=True))
        truth = _as_table(rows[:, 0], rows[:, 2:6], np.ones(len(rows)), appearance)
        for condition, found in making.conditions(rows, frame_count, ltft.size(path.stem), random).items():
            number = np.array([known.get((row[0], row[6]), 0) for row in found])
            level = Level(condition, frame_rate=FRAME_RATE, every=EVERY[condition])
            detections = _as_table(found[:, 0], found[:, 1:5].round(3), found[:, 5].round(4), number)
            scenes[path.stem, condition] = Scene(level, truth, detections, (), frame_count)
    return scenes


def run(folder: Path, *, linkers: list[str], seed: int = 0) -> pd.DataFrame:
    """Score linkers on every sequence and condition, one row each."""
    scoring = _script(folder, "score_tracks")
    rows = []
    for (sequence, condition), scene in load_scenes(folder, seed=seed).items():
        for name in linkers:
            began = time.process_time()
            linked = LINKERS[name](scene)
            spent = time.process_time() - began
            tracks = linked[COLUMNS].to_numpy(float)
            result = scoring.score(str(folder / f"{sequence}.txt"), tracks, interp=FILLED[condition])
            rows.append(
                {
                    "condition": condition,
                    "sequence": sequence,
                    "linker": name,
                    "IDF1": result["idf1"],
                    "IDs per appearance": result["ids_per_appearance"],
                    "mixed IDs": result["mixed_ids"],
                    "missed appearances": result["missed_appearances"],
                    "frames per CPU second": scene.detections["frame"].nunique() / spent,
                }
            )
    return pd.DataFrame(rows)


def _script(folder: Path, name: str) -> Any:
    """Import one of the folder's scripts, which import each other by name."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return importlib.import_module(name)


def _as_table(frame: Any, boxes: Any, confidence: Any, face: Any) -> pd.DataFrame:
    columns = dict(zip(BOX, np.asarray(boxes).T, strict=True))
    frame = np.asarray(frame, np.int64)
    return as_detections(
        {"frame": frame, "time": frame / FRAME_RATE, "face_id": face, **columns, "confidence": confidence}
    )


def main(arguments: list[str] | None = None) -> None:
    """Print the scores by sequence and their means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder with the tracks and their scripts")
    parser.add_argument("--linker", action="append", default=[], help="only this linker; may be given again")
    parser.add_argument("--seed", type=int, default=0, help="of the detections that are made")
    chosen = parser.parse_args(arguments)
    if not chosen.folder.is_dir():
        print(f"real tracks: {chosen.folder} is not there")
        return
    warnings.filterwarnings("ignore", module="trackers|supervision")
    scores = run(chosen.folder, linkers=chosen.linker or list(LINKERS), seed=chosen.seed)
    for condition, rows in scores.groupby("condition"):
        print(f"\n{condition}, means of {rows['sequence'].nunique()} sequences")
        means = rows.drop(columns=["condition", "sequence"]).groupby("linker", sort=False).mean()
        print(means.round(3).to_string())
        print(rows.pivot(index="linker", columns="sequence", values="IDF1").round(3).to_string())


if __name__ == "__main__":
    main()
