"""What a fuzzer calls with any bytes: a reader, which may answer with a sound table or one clear error."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

from redactkit.errors import RedactkitError
from redactkit.formats import READABLE, align, read_annotations, read_ids, read_preset
from redactkit.inspection import inspect
from redactkit.inspection.page import page_html
from redactkit.media import VideoInfo
from redactkit.tables import check_detections

VIDEO = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), np.arange(50), digest="")
TARGETS = ["any", *READABLE, "ids", "preset"]


def run_target(data: bytes, path: Path) -> str:
    """Read ``data`` with the reader that its first byte names; return what came of it, in one word.

    Anything but a `RedactkitError` is a fault and goes through.
    """
    target = TARGETS[data[0] % len(TARGETS)] if data else "any"
    path.write_bytes(data[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            _read(target, path)
        except RedactkitError as err:
            assert str(err), "an error must say something"
            return "refused"
    return "read"


def _read(target: str, path: Path) -> None:
    if target == "ids":
        read_ids(path)
        return
    if target == "preset":
        read_preset(path)
        return
    format = None if target == "any" else target
    annotations = read_annotations(path, format=format, frame_size=(640, 360))
    if annotations.has_boxes:
        check_detections(annotations.detections)
    if len(annotations.detections) < 1000:
        report = inspect(annotations)
        str(report)
        page_html(report)
    if annotations.has_boxes and (annotations.has_times or not len(annotations.detections)):
        align(annotations, VIDEO)
