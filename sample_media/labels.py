"""Turn the sample's ground truth into labels for a scorer: ``python sample_media/labels.py > labels.json``.

A face is *clear* where at least half of its box is seen and it is at least 24 pixels wide, *hard* where at least
a quarter is seen, and else to *ignore*. Boxes are cut to the frame.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TRUTH = Path(__file__).with_name("sample_truth_annotations.json")
CLEAR_WIDTH, CLEAR_SHARE, HARD_SHARE = 24, 0.5, 0.25


def kind(width: float, visible: float) -> str:
    """Say how sure a detector should be of a face: clear, hard or ignore.

    >>> kind(30, 0.9), kind(20, 0.9), kind(80, 0.1)
    ('clear', 'hard', 'ignore')
    """
    if visible < HARD_SHARE:
        return "ignore"
    return "clear" if width >= CLEAR_WIDTH and visible >= CLEAR_SHARE else "hard"


def label(face: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    """Return one label from one face of the truth, in pixels, cut to the frame."""
    left, top = face["x"] * width, face["y"] * height
    right, bottom = left + face["width"] * width, top + face["height"] * height
    x, y = max(left, 0.0), max(top, 0.0)
    box = {"x": x, "y": y, "w": min(right, width) - x, "h": min(bottom, height) - y}
    sure = kind(face["width"] * width, face["visible"])
    return {"frame": face["index"], "id": face["id"], **{k: round(v, 2) for k, v in box.items()}, "kind": sure}


def make_labels(truth: dict[str, Any], *, clip: str = "sample.mp4") -> dict[str, Any]:
    """Return labels of every frame in the scorer's form."""
    (fragment,) = truth["fragments"]
    frames = len(fragment["events"])
    width, height = truth["width"], truth["height"]
    return {
        "clip": clip,
        "width": width,
        "height": height,
        "frames_total": frames,
        "time_base": [1, truth["timescale"]],
        "frame_pts": [fragment["start"] + fragment["interval"] * frame for frame in range(frames)],
        "labelled_frames": list(range(frames)),
        "labels": [label(face, width, height) for event in fragment["events"] for face in event],
    }


if __name__ == "__main__":
    json.dump(make_labels(json.loads(TRUTH.read_text())), sys.stdout)
