"""What the leak check catches, and where it cries wolf: ``python -m benchmarks.leaks``.

Leaks of every kind are planted in good redactions (`benchmarks.planting`, `benchmarks.container_leaks`). One counts as
caught where the verdict is not clean and a finding lies in one of its frames. ``--only`` runs a part, ``--alarms``
checks good redactions in every hiding kind.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from benchmarks import patterns
from benchmarks.container_leaks import plant_container
from benchmarks.planting import Leak, Scene, cut_scene, make_scene, plant, plant_cuts
from redactkit import analyze, redact, verify
from redactkit.effects import HIDING_KINDS
from redactkit.runtime.resources import sample_path
from redactkit.verification import VerificationReport

SHARED = Path(__file__).resolve().parents[2] / "shared" / "media"
SIDES = {12: 3, 20: 3, 60: 1, 200: 3, 600: 6}
"""Sides of the made faces in pixels, and which of the leaks each has: every one, every third, every sixth."""

CUTS = {"sample.mp4": ((100, 124), 3), "stage_four_shots.mp4": ((40, 88), 1), "portrait_selfie.mp4": ((0, 20), 4)}
"""Real clips: the frames taken, and which of the leaks each has."""

PARTS = [*(f"{side} px" for side in SIDES), *(Path(name).stem for name in CUTS), "cuts", "container"]

BEFORE = {
    "whole bare face": (9, 9),
    "box partly off the face": (3, 9),
    "weak or altered painting": (0, 5),
    "face of 12 pixels": (0, 1),
    "container": (0, 5),
}
"""Caught and planted before boxes were painted again: 29 other leaks, on the sample."""


def is_caught(leak: Leak, report: VerificationReport) -> bool:
    """Tell whether a finding, sure or to be looked at, lies in one of the leak's frames."""
    found = report.findings
    if leak.kind == "container":
        return report.verdict in ("exposed", "broken")
    if not leak.frames:
        return len(found) > 0
    spans = zip(found["first_frame"], found["last_frame"], strict=True)
    return any(first <= frame <= last for first, last in spans for frame in leak.frames)


def run(leaks: Iterator[Leak]) -> pd.DataFrame:
    """Check every leak and return one row for each."""
    rows = []
    for leak in leaks:
        report = verify(leak.scene.clip, leak.output, leak.given, progress=False)
        caught = is_caught(leak, report)
        rows.append(
            {
                "kind": leak.kind,
                "scene": leak.scene.name,
                "leak": leak.name,
                "verdict": report.verdict,
                "caught": caught,
            }
        )
        print(
            f"{'caught' if caught else 'MISSED'}  {leak.kind}: {leak.name} ({leak.scene.name}), {report.verdict}",
            flush=True,
        )
    return pd.DataFrame(rows)


def false_alarms(folder: Path, clips: Iterator[Path]) -> None:
    """Check good redactions in every hiding kind."""
    for clip in clips:
        found = analyze(clip, progress=False)
        for kind in HIDING_KINDS:
            output = folder / f"{clip.stem}_good_{kind}.mp4"
            redact(clip, found, output=output, blur=kind, progress=False)
            began = time.process_time()
            report = verify(clip, output, found, progress=False)
            told = f"{clip.name}, {kind}: {report.verdict}, {len(report.findings)} findings"
            print(f"{told}, {time.process_time() - began:.1f} s of processor", flush=True)
            output.unlink()


def alarm_clips(folder: Path, named: Sequence[str]) -> Iterator[Path]:
    """Yield the clips that must be clean: those named, or those that are there and a wall of patterns."""
    if named:
        yield from map(Path, named)
        return
    names = ("stage_four_shots.mp4", "one_face_occluded.mp4", "portrait_selfie.mp4", "sign_language.mkv")
    yield from (path for path in (sample_path(), *(SHARED / name for name in names)) if path.is_file())
    name, pan, seed = patterns.WALLS[0]
    wall = folder / f"{name.replace(' ', '_')}.mp4"
    patterns.make_clip(wall, pan=pan, seed=seed)
    yield wall


def make_scenes(folder: Path, parts: Sequence[str]) -> Iterator[tuple[Scene, int]]:
    """Yield the scenes of the parts that are asked for, and how many of the leaks each has."""
    for side, every in SIDES.items():
        if f"{side} px" in parts:
            yield make_scene(folder, side), every
    for name, (span, every) in CUTS.items():
        path = sample_path() if name == sample_path().name else SHARED / name
        if path.stem in parts and path.is_file():
            yield cut_scene(folder, path, span), every


def plant_parts(folder: Path, parts: Sequence[str]) -> Iterator[Leak]:
    """Plant the leaks of the parts that are asked for."""
    for scene, every in make_scenes(folder, parts):
        yield from plant(folder, scene, every=every)
    if "cuts" in parts:
        yield from plant_cuts(folder)
    if "container" in parts:
        (folder / "container").mkdir()
        yield from plant_container(folder, make_scene(folder / "container", 60))


def print_sums(table: pd.DataFrame) -> None:
    """Print what was caught, by kind and by scene, and what was caught before."""
    for by in ("kind", "scene"):
        print(table.groupby(by, sort=False)["caught"].agg(caught="sum", planted="size").to_string())
    print(f"{int(table['caught'].sum())} of {len(table)} caught")
    before = ", ".join(f"{kind} {caught} of {planted}" for kind, (caught, planted) in BEFORE.items())
    total = [sum(column) for column in zip(*BEFORE.values(), strict=True)]
    print(f"before boxes were painted again, of 29 other leaks on the sample: {before}; {total[0]} of {total[1]}")


def main() -> None:
    """Plant, check and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaks", description=__doc__)
    parser.add_argument("--only", nargs="+", default=PARTS, choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--csv", type=Path, help="add the results to this table")
    parser.add_argument("--sum", type=Path, metavar="CSV", help="only print the sums of such a table")
    parser.add_argument("--alarms", nargs="*", metavar="VIDEO", help="only check good redactions, of these clips")
    options = parser.parse_args()
    if options.sum:
        print_sums(pd.read_csv(options.sum))
        return
    with tempfile.TemporaryDirectory(prefix="redactkit-leaks-") as place:
        folder = Path(place)
        if options.alarms is not None:
            false_alarms(folder, alarm_clips(folder, options.alarms))
            return
        table = run(plant_parts(folder, options.only))
    print_sums(table)
    if options.csv:
        table.to_csv(options.csv, mode="a", index=False, header=not options.csv.exists())


if __name__ == "__main__":
    main()
