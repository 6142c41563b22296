"""Commands for many videos: batch and watch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redactkit.cli.display import Display
from redactkit.cli.ending import ending_soon
from redactkit.cli.options import (
    DONE,
    EXPOSED,
    FAILED,
    add_command,
    add_detecting,
    add_hiding,
    add_object_detectors,
    add_writing,
    blur_options,
    detector_options,
)

__all__ = ["add_batch", "add_watch", "describe_ranges"]


def add_batch(commands: Any) -> None:
    """Add the command that runs a pass over many videos."""
    command = add_command(commands, "batch", _batch, "run a pass over many videos at once; only what is missing")
    command.add_argument("inputs", nargs="+", metavar="INPUT", help="videos, and folders in which to look for them")
    _add_running(command)
    command.add_argument("--priority", type=int, default=0, help="higher goes first")
    command.add_argument("--report", metavar="CSV", help="write the list of jobs to a .csv or .parquet file")


def add_watch(commands: Any) -> None:
    """Add the command that takes videos as they come."""
    command = add_command(commands, "watch", _watch, "run a pass over every video that comes to a folder")
    command.add_argument("folder")
    _add_running(command)
    command.add_argument("--unchanged", type=float, default=10.0, help="seconds for which a file must not grow")


def _add_running(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--output", metavar="DIR", help="default: each video's own folder")
    command.add_argument("--mode", default="combined", choices=["combined", "analyze", "redact"])
    command.add_argument("--glob", action="append", metavar="PATTERN", help="which files of a folder; may be repeated")
    command.add_argument("--annotations", metavar="DIR", help="for mode redact")
    command.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, such as tcp://host:8786")
    command.add_argument("--workers", type=int, help="processes on this machine; default: one to a core")
    command.add_argument("--threads", type=int, help="of a worker's detector; default: as many as it has cores")
    command.add_argument("--fetch", action="store_true", help="let workers fetch addresses such as s3://...")
    add_detecting(command)
    add_object_detectors(command)
    add_hiding(command)
    add_writing(command)


def _running_options(options: argparse.Namespace) -> dict[str, Any]:
    given = detector_options(options) | blur_options(options)
    given.pop("progress")
    names = ("output", "mode", "annotations", "workers", "threads", "fetch")
    given |= {name: getattr(options, name) for name in names} | {"executor": options.scheduler}
    given["detectors"] = dict(options.detectors)
    return given | ({"patterns": options.glob} if options.glob else {})


def _batch(options: argparse.Namespace) -> int:
    from redactkit.jobs import submit

    with ending_soon(), submit(options.inputs, priority=options.priority, **_running_options(options)) as jobs:
        if not len(jobs):
            print("redactkit: no video found; name files, or patterns with --glob", file=sys.stderr)
            return FAILED
        with _display(options, bars=True) as follow:
            follow(jobs)
            jobs.wait()
        if options.report:
            print(f"report: {jobs.save_report(options.report, overwrite=options.overwrite)}")
        ranges = describe_ranges(options)
        if ranges:
            print(ranges)
        return _print_outcome(jobs)


def describe_ranges(options: argparse.Namespace) -> str:
    """Say that the passes are about time ranges alone; "" where they are about whole videos."""
    from redactkit.runtime.timecode import timecode

    ranges = [*options.ranges]
    if options.start is not None or options.end is not None:
        ranges.append((options.start or 0.0, options.end))
    when = ", ".join(f"{timecode(start)} to {'the end' if stop is None else timecode(stop)}" for start, stop in ranges)
    if not when:
        return ""
    if options.mode == "analyze":
        return f"only {when} is searched: faces outside of it are not in the annotations"
    if options.trim:
        return f"cut down to {when}"
    return f"ONLY {when} IS REDACTED: outside of it everybody can be seen"


def _print_outcome(jobs: Any) -> int:
    """Print what came of the jobs and return the exit code."""
    table = jobs.table()
    bare = table[(table["state"] == "done") & (table["nothing_hidden"] | (table["faces"] == 0))]
    for row in bare.itertuples():
        print(f"redactkit: {row.output}: {_why_nothing(row)}", file=sys.stderr)
    for row in table[table["error"] != ""].itertuples():
        print(f"redactkit: {row.video}: {row.error}", file=sys.stderr)
    broken = table[(table["state"] == "done") & (table["ok"] == False)]  # noqa: E712
    for row in broken.itertuples():
        print(f"redactkit: {row.output}: done, but fidelity is broken; see its report", file=sys.stderr)
    before = int((table["note"] == "done before").sum())
    counts = {state: number for state, number in jobs.counts().items() if number}
    print(
        ", ".join(f"{number} {state}" for state, number in counts.items()) + (f" ({before} before)" if before else "")
    )
    if counts.get("done", 0) < len(table):
        return FAILED
    return EXPOSED if len(broken) else DONE


def _why_nothing(row: Any) -> str:
    if row.faces:
        return "NOTHING IS HIDDEN; see its report"
    if row.mode == "analyze":
        return "NO FACE WAS FOUND"
    return "NO FACE WAS FOUND AND NOTHING IS HIDDEN; watch it before you give it away"


def _watch(options: argparse.Namespace) -> int:
    from redactkit.jobs import watch

    ranges = describe_ranges(options)
    if ranges:
        print(ranges, flush=True)
    with ending_soon(), _display(options, bars=False) as follow:

        def heard(jobs: Any, names: list[str]) -> None:
            follow(jobs)
            for name in names:
                print(f"{name}: queued, {jobs.counts()['running']} running", flush=True)

        watch(Path(options.folder), unchanged=options.unchanged, heard=heard, **_running_options(options))
    return DONE


@contextmanager
def _display(options: argparse.Namespace, *, bars: bool) -> Iterator[Callable[[Any], None]]:
    """Yield what shows jobs, if they are to be shown."""
    if options.quiet:
        yield lambda jobs: None
        return
    with Display(bars=bars) as display:
        yield display.follow
