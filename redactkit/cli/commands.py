"""Read the arguments of a command, run it, and return its exit code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from redactkit import __version__
from redactkit.cli.adding import add_add
from redactkit.cli.checking import add_settle, add_verify, keep_check
from redactkit.cli.ending import INTERRUPTED
from redactkit.cli.jobs import add_batch, add_watch
from redactkit.cli.options import (
    DONE,
    EXPOSED,
    FAILED,
    add_allowing,
    add_check,
    add_choosing,
    add_choosing_boxes,
    add_command,
    add_detecting,
    add_detector,
    add_hiding,
    add_object_detectors,
    add_regions,
    add_start_and_end,
    add_writing,
    blur_options,
    detector_options,
)
from redactkit.cli.people import add_people
from redactkit.cli.reading import add_compare, add_convert, add_inspect, annotations_for
from redactkit.cli.upkeep import add_log, add_purge, add_reproduce
from redactkit.errors import AnnotationWarning
from redactkit.runtime.progress import is_terminal

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say
            warnings.simplefilter("always", AnnotationWarning)
            return int(options.run(options))
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        return FAILED
    except Exception as error:
        if options.debug:
            raise
        return _fail(_one_line(error))


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(message: Warning | str, *origin: Any, **more: Any) -> None:
    """Show a warning as one line, without the place in our code that it comes from."""
    print(f"redactkit: {message}", file=sys.stderr)


def _fail(reason: str) -> int:
    print(f"redactkit: {reason}", file=sys.stderr)
    return FAILED


def _one_line(error: Exception) -> str:
    from redactkit.errors import RedactkitError

    text = " ".join(str(error).split())
    if isinstance(error, RedactkitError):
        return text
    if isinstance(error, ImportError) and ".so" in text:
        return f"{text}; OpenCV misses a system library (on Debian: apt-get install libgl1 libglib2.0-0)"
    return f"{type(error).__name__}: {text} (run again with --debug for the whole story)"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="redactkit",
        description="Redact faces in video in two passes: analyze finds and tracks them, redact hides them.",
        epilog="Exit codes: 0 done, 1 could not, 2 wrong usage, 3 done but exposed, fidelity broken, source damaged.",
    )
    parser.add_argument("--version", action="version", version=f"redactkit {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        _add_analyze,
        add_add,
        _add_redact,
        _add_combined,
        add_verify,
        add_settle,
        _add_run,
        add_inspect,
        add_compare,
        add_convert,
        add_batch,
        add_watch,
        add_log,
        add_reproduce,
        add_people,
        add_purge,
        _add_demo,
        _add_lab,
    ):
        add(commands)
    return parser


def _add_analyze(commands: Any) -> None:
    command = add_command(commands, "analyze", _analyze, "find and track every face; write annotations and thumbnails")
    command.add_argument("video", nargs="+")
    command.add_argument("-o", "--output", metavar="DIR", help="default: STEM_analysis beside the video")
    add_detecting(command)
    add_start_and_end(command, "search")
    add_regions(command)
    add_object_detectors(command)
    command.add_argument("--no-same-person", action="store_true", help="do not suggest which tracks are one person")
    command.add_argument("--embedder", metavar="FILE", help="ONNX network that compares faces (default: extra people)")
    add_writing(command)


def _analyze(options: argparse.Namespace) -> int:
    from redactkit.analysis import analyze, default_folder
    from redactkit.redaction.report import MAX_DAMAGED_FRAMES

    def one(video: str) -> int:
        folder = Path(options.output or default_folder(video))
        people = {"same_person": not options.no_same_person, "embedder": options.embedder, "regions": options.regions}
        people |= {"detectors": dict(options.detectors), "start": options.start, "end": options.end}
        annotations = analyze(video, output=folder, **people, **detector_options(options))
        damage = annotations.settings.get("decode_errors", ())
        broken = len(damage) > MAX_DAMAGED_FRAMES
        if broken:
            print(f"{video}: DAMAGED SOURCE, {len(damage)} packets or frames of it did not decode whole")
        print(
            f"{video}: {len(annotations.tracks)} {_noun(annotations)}, {len(annotations.detections)} boxes "
            f"in {annotations.video.frame_count} frames"
        )
        pairs = len(annotations.pairs)
        if pairs:
            print(f"  {pairs} pairs of tracks may be one person, {annotations.pairs['sure'].sum()} of them surely")
        print(f"  annotations and thumbnails are in {folder}")
        return EXPOSED if broken else DONE

    return _each(options, one)


def _noun(annotations: Any) -> str:
    return "faces" if (annotations.detections["kind"] == "face").all() else "objects"


def _each(options: argparse.Namespace, one: Callable[[str], int]) -> int:
    """Run ``one`` on every video; a video that fails does not stop the rest.

    Of several videos a line says when each has ended, where no bar does.
    """
    if len(options.video) == 1:
        return one(options.video[0])
    codes = []
    for video in options.video:
        codes.append(_guarded(one, video))
        if not (options.quiet or is_terminal(sys.stderr)):
            print(f"{video}: {'failed' if codes[-1] == FAILED else 'done'}", file=sys.stderr, flush=True)
    return max(codes)


def _guarded(one: Callable[[str], int], video: str) -> int:
    from redactkit.errors import RedactkitError

    try:
        return one(video)
    except RedactkitError as error:
        return _fail(_one_line(error))


def _add_redact(commands: Any) -> None:
    command = add_command(commands, "redact", _redact, "hide the chosen faces in a new mp4")
    command.add_argument("video")
    command.add_argument("--annotations", metavar="FILE", help="default: what analyze wrote for this video")
    command.add_argument("-o", "--output", metavar="FILE")
    command.add_argument("--force", action="store_true", help="take annotations of another video all the same")
    add_choosing(command)
    add_choosing_boxes(command)
    add_hiding(command)
    add_check(command)
    add_writing(command)


def _redact(options: argparse.Namespace) -> int:
    from redactkit.passes import redact

    report = redact(
        options.video,
        annotations_for(options),
        output=options.output,
        ids=options.ids,
        include=options.include,
        exclude=options.exclude,
        labels=options.label,
        force=options.force,
        **blur_options(options),
    )
    return _print_outcome(report, options)


_NOTES = 10  # a broken file has hundreds


def _print_outcome(report: Any, options: argparse.Namespace) -> int:
    print(report)
    for note in report.notes[:_NOTES]:
        print(f"  note: {note}")
    if len(report.notes) > _NOTES:
        print(f"  note: {len(report.notes) - _NOTES} more are in the report")
    print(f"  report: {report.path}")
    if report.check is not None:
        print(report.check)
        keep_check(report.check, options)
    return DONE if report.ok else EXPOSED


def _add_combined(commands: Any) -> None:
    command = add_command(commands, "combined", _combined, "find every face and hide it, in one go")
    command.add_argument("video", nargs="+")
    command.add_argument("-o", "--output", metavar="FILE|DIR", help="default: STEM_redacted.mp4 beside the video")
    add_detecting(command)
    add_object_detectors(command)
    add_hiding(command)
    add_check(command, hides=True)
    add_writing(command)


def _combined(options: argparse.Namespace) -> int:
    from redactkit.passes import combined

    shared = detector_options(options) | blur_options(options) | {"detectors": dict(options.detectors)}
    return _each(
        options, lambda video: _print_outcome(combined(video, output=_output_for(video, options), **shared), options)
    )


def _output_for(video: str, options: argparse.Namespace) -> Path | None:
    """Return the file for one video: ``-o`` names a folder when it is one or when there are several videos."""
    from redactkit.redaction import default_output

    if options.output is None:
        return None
    target = Path(options.output)
    named_folder = options.output.endswith(("/", os.sep)) or target.is_dir() or not target.suffix
    if len(options.video) == 1 and not named_folder:
        return target
    return target / default_output(video).name


def _add_run(commands: Any) -> None:
    command = add_command(commands, "run", _run, "run a job configuration: mode and blur from a preset file")
    command.add_argument("video")
    command.add_argument("--config", required=True, metavar="PRESET.json")
    command.add_argument("--annotations", metavar="FILE", help="for mode redact")
    command.add_argument("--ids", metavar="FILE", help="for mode redact")
    command.add_argument("-o", "--output", metavar="DIR", help="default: the video's folder")
    add_detector(command)
    add_allowing(command)
    add_writing(command)


def _run(options: argparse.Namespace) -> int:
    from redactkit.passes import run_preset

    folder = Path(options.output) if options.output else Path(options.video).parent
    names = ("annotations", "ids", "detector", "model", "sensitivity", "allow_nothing", "overwrite")
    given = {name: getattr(options, name) for name in names}
    result = run_preset(options.video, options.config, output=folder, progress=not options.quiet, **given)
    if result is None:
        print(f"{options.video}: annotations and thumbnails are in {folder}")
        return DONE
    return _print_outcome(result, options)


def _add_demo(commands: Any) -> None:
    command = add_command(commands, "demo", _demo, "run both passes on the sample clip")
    command.add_argument("-o", "--output", metavar="DIR", default="redactkit-output")
    command.add_argument("--quiet", action="store_true", help="show no progress")


def _demo(options: argparse.Namespace) -> int:
    from redactkit.passes import demo

    report = demo(Path(options.output), progress=not options.quiet)
    code = _print_outcome(report, options)
    print(f"  annotations, thumbnails and the video are in {Path(options.output).resolve()}")
    print("  open the notebooks with: redactkit lab")
    return code


def _add_lab(commands: Any) -> None:
    command = add_command(commands, "lab", _lab, "open JupyterLab on the notebooks")
    command.add_argument("folder", nargs="?", default=".", help="where the notebooks are, or are copied to")
    command.add_argument("--copy-only", action="store_true", help="put the notebooks there and do not start JupyterLab")


def _lab(options: argparse.Namespace) -> int:
    from redactkit.passes import start_lab
    from redactkit.runtime.resources import copy_notebooks

    notebooks = copy_notebooks(options.folder)
    print(f"the notebooks are in {notebooks}")
    return DONE if options.copy_only else start_lab(notebooks)
