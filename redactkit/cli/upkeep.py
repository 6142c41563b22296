"""Commands that look after what the passes leave: log, reproduce and purge."""

from __future__ import annotations

import argparse
from typing import Any

from redactkit.cli.options import DONE, EXPOSED, add_command, add_model

__all__ = ["add_log", "add_purge", "add_reproduce"]


def add_log(commands: Any) -> None:
    """Add the command that writes the redaction log, and checks one."""
    command = add_command(commands, "log", _log, "write what was hidden, why and by whom, as CSV, JSON and a page")
    command.add_argument("video", help="foo_redacted.mp4; with --check, the CSV or JSON of a log")
    command.add_argument("--codes", metavar="FILE", help="the reasons there are: lines of code,text, or JSON")
    command.add_argument("--reason", default="", help="why objects are hidden of which no decision says it")
    command.add_argument("--check", action="store_true", help="find lines of a log that were changed")
    command.add_argument("--last-hash", default="", metavar="HASH", help="with --check: the last hash, kept apart")
    command.add_argument("--overwrite", action="store_true", help="replace a log that is there")


def _log(options: argparse.Namespace) -> int:
    from redactkit.redaction.log import check_log, logged_video, redaction_log

    if options.check:
        faults = check_log(options.video, last_hash=options.last_hash)
        for fault in faults:
            print(f"{options.video}: {fault}")
        if not faults:
            video = logged_video(options.video)
            beside = "is the video that it is of" if video.is_file() else "is not beside it, and was not compared"
            print(f"{options.video}: every line is as it was written; {video.name} {beside}")
        return EXPOSED if faults else DONE
    log = redaction_log(options.video, codes=options.codes, reason=options.reason)
    for path in log.save(overwrite=options.overwrite):
        print(path)
    print(f"last hash, to be kept apart: {log.last_hash}")
    return DONE


def add_reproduce(commands: Any) -> None:
    """Add the command that does a redaction again and compares."""
    command = add_command(commands, "reproduce", _reproduce, "do a redaction again from its report and compare frames")
    command.add_argument("report", help="foo_redacted.report.json")
    command.add_argument("--video", help="the source, if it has moved")
    command.add_argument("--annotations", metavar="FILE", help="default: those beside, else analyzed anew")
    add_model(command)
    command.add_argument("--quiet", action="store_true", help="show no progress")


def _reproduce(options: argparse.Namespace) -> int:
    from redactkit.verification.reproduction import reproduce

    named = {name: getattr(options, name) for name in ("video", "annotations", "model")}
    result = reproduce(options.report, **named, progress=not options.quiet)
    print(result)
    return DONE if result.ok else EXPOSED


def add_purge(commands: Any) -> None:
    """Add the command that removes personal data."""
    command = add_command(
        commands, "purge", _purge, "remove thumbnails, annotations and what else shows or names faces"
    )
    command.add_argument("folder")
    command.add_argument("--dry-run", action="store_true", help="only say what would be removed")


def _purge(options: argparse.Namespace) -> int:
    from redactkit.runtime.purge import files_left, purge

    removed = purge(options.folder, dry_run=options.dry_run)
    for path in removed:
        print(path)
    left = files_left(options.folder)
    for path, reason in left:
        print(f"left: {path}: {reason}")
    print(f"{len(removed)} {'would be removed' if options.dry_run else 'removed'}")
    if left:
        print(f"{len(left)} left that may show or name faces, beside videos; look at them before you share the folder")
    return DONE
