"""The command that looks for leaks in a redacted video."""

from __future__ import annotations

import argparse
from typing import Any

from redactkit.cli.options import DONE, EXPOSED, add_choosing, add_choosing_boxes, add_command
from redactkit.cli.reading import annotations_for

__all__ = ["add_verify"]


def add_verify(commands: Any) -> None:
    """Add ``verify``."""
    command = add_command(commands, "verify", _verify, "look for faces left bare in a redacted video")
    command.add_argument("video")
    command.add_argument("redacted")
    command.add_argument("--annotations", metavar="FILE", help="default: what analyze wrote for this video")
    add_choosing(command)
    add_choosing_boxes(command)
    command.add_argument("--json", action="store_true", help="print the whole report as JSON")
    command.add_argument("--page", metavar="HTML", help="save the findings with their pictures as one page")
    command.add_argument("--csv", metavar="CSV", help="save the findings as a table")
    command.add_argument("--sheet", metavar="PNG", help="save a picture of the worst frames")
    command.add_argument("--force", action="store_true", help="take annotations of another video all the same")
    command.add_argument("--overwrite", action="store_true", help="replace a page, table or sheet that is there")
    command.add_argument("--quiet", action="store_true", help="show no progress")


def _verify(options: argparse.Namespace) -> int:
    from redactkit.runtime.files import check_output
    from redactkit.verification import verify

    for path in filter(None, (options.sheet, options.page, options.csv)):
        check_output(path, overwrite=options.overwrite)
    chosen = {name: getattr(options, name) for name in ("ids", "include", "exclude")} | {"labels": options.label}
    shared = {"force": options.force, "progress": not options.quiet}
    report = verify(options.video, options.redacted, annotations_for(options), **chosen, **shared)
    print(report.to_json() if options.json else report)
    report.attach()
    if options.page:
        report.save_page(options.page, overwrite=options.overwrite)
    if options.csv:
        report.save_csv(options.csv, overwrite=options.overwrite)
    if options.sheet:
        report.contact_sheet().savefig(options.sheet, overwrite=options.overwrite)
    return DONE if report.ok else EXPOSED
