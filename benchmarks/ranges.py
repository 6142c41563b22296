"""What a range of a long video costs, beside the whole of it: ``python -m benchmarks.ranges [--size 1080p]``.

Ten of 120 seconds of five people are redacted, and then all of them, as commands, start-up included. Beside the seconds
of all cores together is the share of frames that are in the range, and that of frames whose pixels are no longer the
source's: of a group of pictures that is left early, the rest is encoded again.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.clips import RATE, SIZES, make_clip
from benchmarks.speed import FOLDER, describe_machine, save_truth
from redactkit.video import VideoReader, plane_views

SECONDS, RANGE = 120, (53, 63)
KEYFRAMES = {"every second": RATE, "every 10 seconds": 10 * RATE}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranges", description=__doc__)
    parser.add_argument("--size", choices=list(SIZES), default="1080p")
    size = parser.parse_args().size
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [measure(size, name) for name in KEYFRAMES]
    print(describe_machine())
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3g}".format))


def measure(size: str, keyframes: str) -> dict[str, object]:
    """Redact the range and the whole of a clip; return what both took."""
    name = f"{size}_{SECONDS}s_ranges_{KEYFRAMES[keyframes]}.mp4"
    clip, truth = make_clip(FOLDER / name, size=size, seconds=SECONDS, faces=5, keyframes=KEYFRAMES[keyframes])
    given = save_truth(clip, truth)
    part, whole = (clip.with_suffix(f".{what}.mp4") for what in ("part", "whole"))
    seconds, cores = _redact(clip, given, part, "--from", str(RANGE[0]), "--to", str(RANGE[1]))
    all_seconds, all_cores = _redact(clip, given, whole)
    return {
        "size": size,
        "keyframe": keyframes,
        "frames in the range": (RANGE[1] - RANGE[0]) / SECONDS,
        "frames that differ": _differing(clip, part),
        "core-s of the range": cores,
        "of the whole": all_cores,
        "s of the range": seconds,
        "s of the whole": all_seconds,
    }


def _redact(clip: Path, annotations: Path, output: Path, *options: str) -> tuple[float, float]:
    """Run the command; return its seconds on the clock and those of all cores together."""
    words = ["redact", str(clip), "--annotations", str(annotations), "-o", str(output), "--overwrite", "--quiet"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "redactkit", *words, *options], check=True, stdout=subprocess.DEVNULL)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _differing(source: Path, output: Path) -> float:
    """Return the share of frames with any pixel that is not the source's."""
    with VideoReader(source) as before, VideoReader(output) as after:
        pairs = zip(before.frames(), after.frames(), strict=True)
        differ = [
            any(not np.array_equal(a, b) for a, b in zip(plane_views(x.picture), plane_views(y.picture), strict=True))
            for x, y in pairs
        ]
    return float(np.mean(differ))


if __name__ == "__main__":
    main()
