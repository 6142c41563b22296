"""Time and memory for the annotations of a two-hour film: ``python -m benchmarks.annotations_at_size``.

500 faces, 500,000 boxes, 180,000 frames at 25 fps; about 100 MB of JSON. Every step runs in a process of its
own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from redactkit.annotations import Annotations
from redactkit.formats import WRITABLE, read_annotations
from redactkit.inspection import inspect
from redactkit.inspection.comparison import compare
from redactkit.media import VideoInfo
from redactkit.tables import as_detections

LIMITS = {"read": (5.0, 1500), "inspect": (10.0, None), "convert": (15.0, None)}
"""Seconds and megabytes that a step may take."""


def make_film(*, hours: float, faces: int, boxes: int) -> Annotations:
    """Faces that wander, each seen once without a gap."""
    random = np.random.default_rng(0)
    frames, each = round(hours * 3600 * 25), boxes // faces
    starts = np.sort(random.integers(0, frames - each, faces))
    frame = (starts[:, None] + np.arange(each)).ravel()
    steps = np.cumsum(random.normal(0, 1, (2, faces, each)), axis=2)
    video = VideoInfo(None, 1920, 1080, Fraction(25), Fraction(1, 12800), np.arange(frames) * 512, digest="")
    table = {
        "frame": frame,
        "time": video.times[frame],
        "face_id": np.repeat(np.arange(1, faces + 1), each),
        "x": (random.uniform(200, 1600, (faces, 1)) + steps[0]).ravel(),
        "y": (random.uniform(200, 800, (faces, 1)) + steps[1]).ravel(),
        "width": random.uniform(40, 90, len(frame)),
        "height": random.uniform(50, 100, len(frame)),
        "confidence": random.uniform(0.3, 1, len(frame)),
        "source": np.full(len(frame), "detected", object),
    }
    return Annotations(video, as_detections(table))


def run_step(step: str, source: Path, output: Path, format: str) -> dict[str, Any]:
    """Do one step here and return its seconds, those of the processor, and this process's peak memory in MB."""
    start, worked = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if step == "inspect":
            str(inspect(source, frame_size=(1920, 1080)))
        elif step == "compare":
            compare(source, source)
        else:
            annotations = read_annotations(source, frame_size=(1920, 1080), frame_rate=25)
            if step == "convert":
                annotations.to(format, output, overwrite=True)
    taken = {"seconds": time.perf_counter() - start, "processor": time.process_time() - worked}
    return {**taken, "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def measure(step: str, source: Path, output: Path, format: str) -> dict[str, Any]:
    """Do one step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.annotations_at_size", "--step", step, format, str(source), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def report(step: str, format: str, measured: dict[str, Any], file: Path) -> bool:
    """Print one line; return whether the step kept its limit."""
    seconds, megabytes = LIMITS.get(step, (None, None))
    kept = (seconds is None or measured["seconds"] < seconds) and (
        megabytes is None or measured["megabytes"] < megabytes
    )
    limit = "" if seconds is None else f"  (limit {seconds:g} s" + (f", {megabytes} MB)" if megabytes else ")")
    size = f"{file.stat().st_size / 1e6:7.1f} MB" if file.exists() else " " * 10
    taken = f"{measured['seconds']:6.2f} s, {measured['processor']:5.2f} s of processor"
    print(
        f"{step:8} {format:8} {size} file {taken}, {measured['megabytes']:4.0f} MB peak{limit}"
        f"{'' if kept else '  MISSED'}"
    )
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.annotations_at_size", description=__doc__)
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--faces", type=int, default=500)
    parser.add_argument("--boxes", type=int, default=580_000, help="580,000 make 100 MB of JSON")
    options = parser.parse_args()
    if options.step:
        step, format, source, output = options.step
        print(json.dumps(run_step(step, Path(source), Path(output), format)))
        return
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{options.boxes} boxes of {options.faces} faces in {options.hours:g} h; {os.cpu_count()} cores, {load}")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "film.azure"
        make_film(hours=options.hours, faces=options.faces, boxes=options.boxes).to("azure", source)
        kept = [report("read", "azure", measure("read", source, source, "azure"), source)]
        kept.append(report("inspect", "azure", measure("inspect", source, source, "azure"), source))
        report("compare", "azure", measure("compare", source, source, "azure"), source)
        for format in WRITABLE:
            output = Path(folder) / f"film-again.{format}"
            kept.append(report("convert", format, measure("convert", source, output, format), output))
            report("read it", format, measure("read", output, output, format), output)
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
