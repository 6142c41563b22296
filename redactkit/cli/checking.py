"""The commands that look for leaks in a redacted video, and that answer what was found."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from redactkit.cli.options import (
    DONE,
    EXPOSED,
    add_choosing,
    add_choosing_boxes,
    add_command,
    add_detection_size,
    add_detector_name,
    id_list,
)
from redactkit.cli.reading import annotations_for

__all__ = ["add_settle", "add_verify", "keep_check"]


def add_verify(commands: Any) -> None:
    """Add ``verify``."""
    command = add_command(commands, "verify", _verify, "look for faces left bare in a redacted video")
    command.add_argument("video")
    command.add_argument("redacted")
    command.add_argument("--annotations", metavar="FILE", help="default: what analyze wrote for this video")
    add_choosing(command)
    add_choosing_boxes(command)
    add_detector_name(command)
    add_detection_size(command)
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
    names = ("ids", "include", "exclude", "detector", "model", "detection_size", "force")
    chosen = {name: getattr(options, name) for name in names} | {"labels": options.label}
    report = verify(options.video, options.redacted, annotations_for(options), **chosen, progress=not options.quiet)
    print(report.to_json() if options.json else report)
    report.attach()
    keep_check(report, options, quiet=options.json)
    if options.page:
        report.save_page(options.page, overwrite=options.overwrite)
    if options.csv:
        report.save_csv(options.csv, overwrite=options.overwrite)
    if options.sheet:
        report.contact_sheet().savefig(options.sheet, overwrite=options.overwrite)
    return DONE if report.ok else EXPOSED


def keep_check(report: Any, options: argparse.Namespace, *, quiet: bool = False) -> None:
    """Keep a leak check beside the redacted video, and say how its findings are answered, if it has any."""
    from redactkit.analysis import find_annotations
    from redactkit.verification import save_check

    known = hasattr(options, "annotations")  # both passes in one go leave none
    save_check(report, annotations=(options.annotations or find_annotations(options.video)) if known else None)
    if known and not quiet and (report.findings["frames"] > 0).any():
        print(f"  answer by number: redactkit settle {report.redacted} --hide N --not-a-face N --leave N")


def add_settle(commands: Any) -> None:
    """Add ``settle``."""
    text = "answer what the leak check found: hide it, it is no face, leave it visible"
    command = add_command(commands, "settle", _settle, text)
    command.add_argument("redacted", help="the video that was checked")
    command.add_argument("--hide", type=id_list, default=[], metavar="1,3", help="findings to be hidden")
    command.add_argument("--not-a-face", type=id_list, default=[], metavar="5", help="never ask about these again")
    command.add_argument("--leave", type=id_list, default=[], metavar="7", help="findings that may be seen")
    command.add_argument("--video", metavar="FILE", help="the source, if it has moved")
    command.add_argument("--annotations", metavar="FILE", help="default: those that the check was given")
    command.add_argument("--force", action="store_true", help="take annotations of another video all the same")
    command.add_argument("--overwrite", action="store_true", help="replace annotations that are there")


def _settle(options: argparse.Namespace) -> int:
    from redactkit.analysis import find_annotations
    from redactkit.errors import OptionError
    from redactkit.review import Review
    from redactkit.verification import read_check

    kept = read_check(options.redacted)
    report = kept.report
    answers = {"hide": options.hide, "no face": options.not_a_face, "leave visible": options.leave}
    numbers = [number for each in answers.values() for number in each]
    if not numbers:
        raise OptionError("no answer was given; say --hide, --not-a-face or --leave with the numbers of findings")
    kept.check_open(numbers)
    video = Path(options.video) if options.video else report.source
    given = options.annotations or report.settings.get("annotations") or find_annotations(video)
    review = Review.open(video, given, force=options.force)
    done = {}
    for action, chosen in answers.items():
        for number in chosen:
            report.settle(review, number, action)  # type: ignore[arg-type]
            done[number] = action
            row = report.findings.loc[number]
            print(f"finding {number}, {row['what']} from {row['start']:.3f} s: {action}")
    saved = review.save(overwrite=options.overwrite)
    kept.save(done, annotations=saved)  # type: ignore[arg-type]
    print(f"{saved}: saved; {len(report.findings) - len(kept.answers) - len(done)} findings are left")
    again = f"redactkit redact {video} --annotations {saved} -o {options.redacted} --overwrite --check"
    print(f"  then redact again as before: {again}")
    return DONE
