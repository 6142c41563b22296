"""How fast each pass is beside decoding, transcoding and the package ``deface``, all in one run on the same clips.

``python -m benchmarks [--sizes 1080p] [--seconds 10] [--faces 5] [--steps combined,deface] [--rounds 3] [--json F]``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.clips import RATE, make_clip
from benchmarks.steps import STEPS
from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.formats import read_annotations
from redactkit.tables import BOX
from redactkit.video import VideoReader, probe

FOLDER = Path(os.environ.get("REDACTKIT_BENCHMARKS", "/tmp/redactkit-benchmarks"))
BASES = ("decode", "detector", "transcode", "deface", "deface 640x360")
_READING = """Every row of a table was taken in one run, one step after the other, each in a process of
its own; frames a second are of the whole step without imports. `/ decode` and so on are ratios of frames a second. Peak
memory is that of the process and its children. SSIM is of luma outside the faces; coverage is the share of true boxes
of which the boxes found hide 70 %. With `--rounds` the steps were taken in turn so often, and each row is the run of
median time (of an even number the quicker of the two in the middle) with the largest peak."""
_ENCODED = {"transcode", "redact", "redact no copy", "combined", "deface", "deface 640x360"}


def main() -> None:
    options = _parse()
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = []
    for size in options.sizes:
        for seconds in options.seconds:
            for faces in options.faces:
                rows += run_clip(size, seconds, faces, share=options.share, steps=options.steps, rounds=options.rounds)
    table = pd.DataFrame(rows)
    print(_markdown(table))
    if options.json:
        Path(options.json).write_text(table.to_json(orient="records", indent=1))
    if options.markdown:
        _write_markdown(Path(options.markdown), table, append=options.append)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=lambda text: text.split(","), default=["360p", "720p", "1080p"])
    parser.add_argument("--seconds", type=_numbers, default=[10])
    parser.add_argument("--faces", type=_numbers, default=[5])
    parser.add_argument("--share", type=float, default=1.0, help="part of the clip in which faces are to be seen")
    parser.add_argument("--steps", type=lambda text: text.split(","), default=list(STEPS))
    parser.add_argument("--rounds", type=int, default=1, help="take the steps in turn so often, and the median time")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--append", action="store_true", help="put the table after those that are in FILE")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def run_clip(
    size: str, seconds: int, faces: int, *, share: float, steps: list[str], rounds: int = 1
) -> list[dict[str, Any]]:
    """Run every step on one clip, one after the other, in several rounds, and return a row for each."""
    clip, truth = make_clip(
        FOLDER / f"{size}_{seconds}s_{faces}_{share:g}.mp4", size=size, seconds=seconds, faces=faces, share=share
    )
    save_truth(clip, truth)
    outputs = {step: clip.with_name(f"{clip.stem}.{step.replace(' ', '-').replace(',', '')}.mp4") for step in steps}
    results = [{step: run_step(step, clip, outputs[step]) for step in steps} for _ in range(rounds)]
    rows = []
    for step, output in outputs.items():
        result = _median([each[step] for each in results])
        row = {
            "clip": f"{size} {seconds} s, {faces} faces",
            "step": step,
            "fps": seconds * RATE / result["seconds"],
            **result,
        }
        rows.append(row | _measures(step, clip, output, truth))
    rates = {row["step"]: row["fps"] for row in rows}
    for row in rows:
        row |= {f"/ {base}": row["fps"] / rates[base] for base in BASES if base in rates}
    return rows


def _median(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the result of the run of median time, with the largest peak of all."""
    by_time = sorted(results, key=lambda result: result["seconds"])
    return by_time[(len(by_time) - 1) // 2] | {"peak": max(result["peak"] for result in results)}


def run_step(step: str, clip: Path, output: Path) -> dict[str, Any]:
    """Run a step in a process of its own and return what it printed, with the peak memory of its process tree."""
    command = [sys.executable, "-m", "benchmarks.steps", step, str(clip), str(output)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = PeakMemory(process.pid)
    text, errors = process.communicate()
    peak.stop()
    if process.returncode:
        raise SystemExit(f"{step} failed on {clip}:\n{errors[-2000:]}")
    result: dict[str, Any] = json.loads(text.splitlines()[-1])
    print(f"{clip.stem}: {step}: {result['seconds']:.2f} s, {peak.megabytes:.0f} MB", file=sys.stderr, flush=True)
    return result | {"peak": peak.megabytes}


_GROWN = 1.002


class PeakMemory:
    """Samples the resident memory of a process and its children, shared pages counted once.

    Counting shared pages costs some ten milliseconds, so it is done only where the memory, counted simply, has grown.
    """

    def __init__(self, pid: int) -> None:
        self.megabytes = 0.0
        self._highest = 0.0
        self._pid, self._done = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            pids = _tree(self._pid)
            resident = sum(_resident(pid) for pid in pids)
            if resident > _GROWN * self._highest:
                self._highest = resident
                self.megabytes = max(self.megabytes, _megabytes(pids))

    def stop(self) -> None:
        """Stop sampling."""
        self._done.set()
        self._thread.join()


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(found for child in children for found in _tree(int(child)))]


def _resident(pid: int) -> int:
    """Return the pages that a process has in memory, shared ones too."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0


def _megabytes(pids: list[int]) -> float:
    """Return the memory of processes: what is their own, shares of what they share, and the files of one of them.

    Pages of programs and libraries count in full, whoever else has them mapped at the time.
    """
    own, files = 0.0, [0.0]
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue
        kilobytes = {line.split(":")[0]: float(line.split()[1]) for line in lines}
        own += kilobytes.get("Pss_Anon", 0.0)
        files.append(kilobytes.get("Rss", 0.0) - kilobytes.get("Anonymous", 0.0))
    return (own + max(files)) / 1024


def save_truth(clip: Path, truth: pd.DataFrame) -> Path:
    """Write the true boxes beside a clip as annotations, unless they are there, and return the file."""
    path = clip.with_suffix(".truth.json")
    if not path.exists():
        Annotations(video=probe(clip), detections=truth).to("azure", path)
    return path


def _measures(step: str, clip: Path, output: Path, truth: pd.DataFrame) -> dict[str, Any]:
    measures: dict[str, Any] = {}
    if step in _ENCODED:
        measures["SSIM outside"] = outside_similarity(clip, output, truth)
    if step == "analyze":
        found = read_annotations(output.with_suffix(".json")).detections
        measures["coverage"] = coverage(truth, found)
    return measures


def coverage(truth: pd.DataFrame, found: pd.DataFrame, *, share: float = 0.7) -> float:
    """Return the share of true boxes of which the union of the found ones covers at least ``share``."""
    covered = []
    by_frame = dict(list(found.groupby("frame")))
    for frame, rows in truth.groupby("frame"):
        here = by_frame.get(frame, found.iloc[:0])
        covered.append(bx.union_cover(rows[BOX].to_numpy(), here[BOX].to_numpy()) >= share)
    return float(np.concatenate(covered).mean()) if covered else float("nan")


def outside_similarity(clip: Path, output: Path, truth: pd.DataFrame, *, every: int = 25) -> float:
    """Return the mean structural similarity of the luma outside all faces, of every 25th frame.

    An output of another size (``deface`` stretches 1080 rows to 1088) is compared at that of the clip.
    """
    from skimage.metrics import structural_similarity

    values = []
    with VideoReader(clip) as before, VideoReader(output) as after:
        for index in range(0, min(before.info.frame_count, after.info.frame_count), every):
            source = before.frame_at(index).gray()
            result = after.frame_at(index).gray(width=source.shape[1], height=source.shape[0])
            _, scores = structural_similarity(source, result, data_range=255, full=True)
            values.append(scores[_outside(source.shape, truth[truth["frame"] == index])].mean())
    return float(np.mean(values))


def _outside(shape: tuple[int, ...], rows: pd.DataFrame) -> Any:
    mask = np.ones(shape, bool)
    corners = bx.to_corners(bx.expand(rows[BOX].to_numpy(), share=0.8))
    for left, top, right, bottom in np.clip(corners, 0, None).astype(int):
        mask[top:bottom, left:right] = False
    return mask


def describe_machine() -> str:
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    day = time.strftime("%Y-%m-%d")
    return f"{cpu or platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, {day}"


def _write_markdown(path: Path, table: pd.DataFrame, *, append: bool) -> None:
    """Write a page with the table and the command that made it, or add both to the page."""
    page = path.read_text() if append and path.exists() else f"# How fast it is\n\n{describe_machine()}. {_READING}\n"
    given = [word for word in sys.argv[1:] if word not in ("--markdown", "--append", str(path))]
    path.write_text(f"{page}\n`{shlex.join(['python', '-m', 'benchmarks', *given])}`\n\n{_markdown(table)}\n")


def _markdown(table: pd.DataFrame) -> str:
    shown = [
        name
        for name in (
            "clip",
            "step",
            "fps",
            *(f"/ {base}" for base in BASES),
            "peak",
            "bytes",
            "SSIM outside",
            "coverage",
        )
        if name in table
    ]
    head = "| " + " | ".join({"peak": "peak MB", "bytes": "MB"}.get(name, name) for name in shown) + " |"
    lines = [head, "|" + "---|" * len(shown)]
    lines += ["| " + " | ".join(_cell(name, row[name]) for name in shown) + " |" for row in table.to_dict("records")]
    return "\n".join(lines)


def _cell(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    form = {"fps": ".1f", "peak": ".0f", "SSIM outside": ".4f", "coverage": ".4f"}.get(name, ".2f")
    return format(value / 1e6 if name == "bytes" else value, form)


if __name__ == "__main__":
    main()
