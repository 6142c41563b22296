"""Commands that look after what the passes leave: reproduce and purge."""

from __future__ import annotations

import argparse
from typing import Any

from redactkit.cli.options import DONE, EXPOSED, add_command, add_model

__all__ = ["add_purge", "add_reproduce"]


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
