"""Time and memory for the annotations of a two-hour film: ``python -m benchmarks.annotations_at_size``.

500 faces, 500,000 boxes, 180,000 frames at 25 fps; about 100 MB of JSON. Then two files of 200 MB as CVAT writes
them: XML with a box in every frame, and COCO JSON. Every step runs in a process of its own, so that its peak memory
is its own.
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
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.formats import WRITABLE, read_annotations
from redactkit.inspection import inspect
from redactkit.inspection.comparison import compare
from redactkit.media import VideoInfo
from redactkit.tables import as_detections

LIMITS = {"read": (5.0, 1500), "inspect": (10.0, None), "convert": (15.0, None), "theirs": (20.0, 1500)}
"""Seconds and megabytes that a step may take."""

PARTS = ["film", *WRITABLE, "theirs"]
THEIRS_MEGABYTES = 200
_CVAT_HEAD = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task><id>1</id><name>film</name><size>180000</size><mode>interpolation</mode>
      <start_frame>0</start_frame><stop_frame>179999</stop_frame><frame_filter></frame_filter>
      <labels><label><name>face</name></label></labels>
      <original_size><width>1920</width><height>1080</height></original_size></task>
  </meta>
"""
_CVAT_BOX = """    <box frame="{}" keyframe="{}" outside="{}" occluded="{}" xtl="{:.2f}" ytl="{:.2f}" xbr="{:.2f}" ybr="{:.2f}" z_order="0">
      <attribute name="glasses">no</attribute>
    </box>
"""  # noqa: E501 (as CVAT writes it)


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


def _wander(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return a random walk of a point, as two corners."""
    walk: NDArray[np.float64] = np.tile(np.cumsum(random.normal(0, 1, (count, 2)), axis=0), 2)
    return walk


def write_cvat_film(path: Path, megabytes: float) -> None:
    """Write tracks as CVAT for video exports them: a box for every frame of a track, and one that ends it."""
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        file.write(_CVAT_HEAD)
        for track in range(10**6):
            if file.tell() > megabytes * 1e6:
                break
            start, count = int(random.integers(0, 178_000)), 1200
            corners = _wander(random, count) + np.array([400, 300, 480, 400])
            file.write(f'  <track id="{track}" label="face" source="manual">\n')
            for place, box in enumerate(corners.tolist()):
                ends = place == count - 1
                told = (start + place, int(place % 10 == 0 or ends), int(ends), int(place % 7 == 0))
                file.write(_CVAT_BOX.format(*told, *box))
            file.write("  </track>\n")
        file.write("</annotations>\n")


def write_coco_film(path: Path, megabytes: float) -> None:
    """Write COCO JSON as CVAT exports it: an image a frame, identities among the attributes."""
    random = np.random.default_rng(0)
    head = {
        "licenses": [{"name": "", "id": 0, "url": ""}],
        "info": {"contributor": "", "date_created": "", "description": "", "url": "", "version": "", "year": ""},
        "categories": [{"id": 1, "name": "face", "supercategory": ""}],
        "images": [
            {"id": 1 + frame, "width": 1920, "height": 1080, "file_name": f"frame_{frame:06d}.PNG", "license": 0,
             "flickr_url": "", "coco_url": "", "date_captured": 0}
            for frame in range(180_000)
        ],
    }  # fmt: skip
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "annotations": [')
        number = 0
        while file.tell() < megabytes * 1e6:
            start = int(random.integers(0, 178_000))
            boxes = np.round(_wander(random, 1200) * [1, 1, 0, 0] + np.array([400, 300, 80, 100]), 2)
            for place, box in enumerate(boxes.tolist()):
                number += 1
                row = {"id": number, "image_id": 1 + start + place, "category_id": 1, "segmentation": [],
                       "area": box[2] * box[3], "bbox": box, "iscrowd": 0,
                       "attributes": {"occluded": place % 7 == 0, "rotation": 0.0, "track_id": number // 1200,
                                      "keyframe": True}}  # fmt: skip
                file.write((", " if number > 1 else "") + json.dumps(row))
        file.write("]}")


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
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of it, for runs in slices")
    options = parser.parse_args()
    if options.step:
        step, format, source, output = options.step
        print(json.dumps(run_step(step, Path(source), Path(output), format)))
        return
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{options.boxes} boxes of {options.faces} faces in {options.hours:g} h; {os.cpu_count()} cores, {load}")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "film.azure"
        if set(options.only) - {"theirs"}:
            make_film(hours=options.hours, faces=options.faces, boxes=options.boxes).to("azure", source)
        kept = []
        if "film" in options.only:
            kept += [
                report(step, "azure", measure(step, source, source, "azure"), source) for step in ("read", "inspect")
            ]
            report("compare", "azure", measure("compare", source, source, "azure"), source)
        for format in (format for format in WRITABLE if format in options.only):
            output = Path(folder) / f"film-again.{format}"
            kept.append(report("convert", format, measure("convert", source, output, format), output))
            report("read it", format, measure("read", output, output, format), output)
            output.unlink()
        theirs_of = (("cvat", write_cvat_film), ("coco", write_coco_film))
        for format, write in theirs_of if "theirs" in options.only else ():
            theirs = Path(folder) / f"theirs.{format}"
            write(theirs, THEIRS_MEGABYTES)
            kept.append(report("theirs", format, measure("read", theirs, theirs, format), theirs))
            theirs.unlink()
    sys.exit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
