"""What a person waits for however long the video is: the import, the command line's help, a frame anywhere.

``python -m benchmarks.waits [--markdown FILE]``; the table is put at the end of FILE.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.clips import make_clip
from benchmarks.speed import FOLDER
from redactkit.video import VideoReader, probe

STARTS = 9
SEEKS = 40
GROUP = 250
FAR = 64
"""Frames from one sought frame to the next, so that none is at hand from the one before."""


def start(*arguments: str) -> list[float]:
    """Return the seconds that a new Python takes for something, one value for each start."""
    seconds = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - began)
    return seconds


def seek() -> tuple[list[float], list[float]]:
    """Return the seconds to a frame chosen by chance, and from there to one that was decoded on the way."""
    clip, _ = make_clip(FOLDER / "seek.mp4", size="1080p", seconds=40, faces=5, keyframes=GROUP)
    chance = np.random.default_rng(11)
    cold, near = [], []
    with VideoReader(clip, info=probe(clip)) as reader:
        numbers = chance.integers(1, reader.info.frame_count, 2 * SEEKS)
        far = np.abs(np.diff(numbers, prepend=-FAR)) >= FAR
        for number in numbers[far][:SEEKS]:
            began = time.perf_counter()
            reader.frame_at(int(number))
            middle = time.perf_counter()
            reader.frame_at(int(number) - 1)
            cold.append(middle - began)
            near.append(time.perf_counter() - middle)
    return cold, near


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waits", description=__doc__)
    parser.add_argument("--markdown", metavar="FILE")
    options = parser.parse_args()
    cold, near = seek()
    rows = {
        "python alone": start("-c", "pass"),
        "import redactkit": start("-c", "import redactkit"),
        "redactkit --help": start("-m", "redactkit.cli", "--help"),
        f"frame_at anywhere, 1080p, a keyframe every {GROUP} frames": cold,
        "frame_at of the frame before": near,
    }
    lines = ["| wait | median ms | longest ms |", "|---|---|---|"]
    lines += [f"| {name} | {1000 * np.median(each):.1f} | {1000 * max(each):.1f} |" for name, each in rows.items()]
    print("\n".join(lines))
    if options.markdown:
        with Path(options.markdown).open("a") as page:
            page.write("\n`python -m benchmarks.waits`\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
