"""A small valid file of every format, as bytes, for tests that break them."""

from __future__ import annotations

import json
import tempfile
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

from redactkit.annotations import Annotations
from redactkit.formats import WRITABLE
from redactkit.media import VideoInfo
from redactkit.tables import SOURCES, as_detections
from tests.annotation_tools import TOOLS, Row, zipped

FRAME_SIZE = (640, 360)

REKOGNITION = {
    "Faces": [
        {
            "Timestamp": 40 * frame,
            "Face": {"BoundingBox": {"Left": 0.1, "Top": 0.2, "Width": 0.1, "Height": 0.2}, "Confidence": 99.5},
        }
        for frame in range(3)
    ],
    "JobStatus": "SUCCEEDED",
    "VideoMetadata": {"FrameRate": 25.0, "FrameWidth": 640, "FrameHeight": 360},
}
GOOGLE = {
    "annotationResults": [
        {
            "faceDetectionAnnotations": [
                {
                    "tracks": [
                        {
                            "confidence": 0.9,
                            "timestampedObjects": [
                                {
                                    "normalizedBoundingBox": {"left": 0.1, "top": 0.2, "right": 0.3, "bottom": 0.4},
                                    "timeOffset": f"{frame / 25:g}s",
                                }
                                for frame in range(3)
                            ],
                        }
                    ]
                }
            ]
        }
    ]
}
VIDEOINDEXER = {
    "faces": [
        {"id": 2002, "name": "Unknown #1", "confidence": 0.9, "instances": [{"start": "0:00:01.5", "end": "0:00:02"}]}
    ]
}


def make_annotations(frames: int = 6) -> Annotations:
    """Two faces in six frames, with everything a file can hold."""
    video = VideoInfo(None, *FRAME_SIZE, Fraction(25), Fraction(1, 12800), np.arange(frames) * 512, digest="ab" * 32)
    at = np.array([0, 1, 1, 4])
    table = {
        "frame": at,
        "time": video.times[at],
        "face_id": [1, 1, 2, 1],
        "x": [-3.5, 2, 10, 600],
        "y": [1.5, 2, 3, 4],
        "width": 20.0,
        "height": [30, 1, 50.125, 2],
        "confidence": [0.5, np.nan, 0.25, 1],
        "source": SOURCES[:4],
    }
    rows = as_detections(table)
    decisions = {1: {"redact": False, "reason": "agreed"}, 2: {"label": "a guest"}}
    return Annotations(video, rows, decisions=decisions, discarded=rows, cuts=[4], settings={"detector": "yunet"})


def make_files() -> dict[str, bytes]:
    """Return a valid file of every format that can be read here."""
    files = {
        "rekognition": json.dumps(REKOGNITION).encode(),
        "google": json.dumps(GOOGLE).encode(),
        "videoindexer": json.dumps(VIDEOINDEXER).encode(),
    }
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in WRITABLE:
            files[name] = make_annotations().to(name, Path(folder) / name).read_bytes()
    rows = [Row(0, 1, 1, 2, 30, 40, "face"), Row(1, 1, 2, 2, 30, 40, "face"), Row(1, 2, 90, 2, 30, 40, "person")]
    for name, (make, *_) in TOOLS.items():
        made = make(rows, 3)
        files[name] = next(iter(made.values())).encode() if len(made) == 1 else zipped(made)
    return files
