"""Commands that read annotation files, inspect and convert, and the options that say how files are to be read."""

from __future__ import annotations

import argparse
from fractions import Fraction
from typing import Any

from redactkit.cli.options import DONE, add_choosing_boxes, add_command, boxes_chosen

__all__ = ["add_compare", "add_convert", "add_inspect", "annotations_for"]

FORMATS = ["azure", "cvat", "mot", "coco", "yolo", "csv", "parquet"]


def add_inspect(commands: Any) -> None:
    """Add the command that looks into an annotation file."""
    command = add_command(commands, "inspect", _inspect, "say what is in an annotation file and what is odd about it")
    command.add_argument("annotations")
    _add_reading(command)
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument(
        "--html",
        metavar="FILE",
        help="save timeline, heat map, labels and suspicious rows as one page, with pictures where --video is given",
    )
    command.add_argument("--overwrite", action="store_true", help="replace a page that is there")


def _add_reading(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", help="of the input; default: recognised by content")
    command.add_argument("--size", type=_size, metavar="WxH", help="frame size, where the file has none")
    command.add_argument(
        "--frame-rate", type=_rate, metavar="FPS", help="like 25 or 30000/1001, where the file has none"
    )
    command.add_argument("--video", metavar="FILE", help="the video the file is about, for its size, rate and times")
    add_choosing_boxes(command)


def _rate(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected frames per second like 25 or 30000/1001, got {text!r}") from None


def _known(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the user knows of the video, as the readers take it."""
    from redactkit.video import probe

    video = None if options.video is None else probe(options.video)
    known = {"format": options.format, "video": video, "frame_size": options.size, "frame_rate": options.frame_rate}
    return known | boxes_chosen(options)


def _read(options: argparse.Namespace) -> Any:
    from redactkit.formats import read_annotations

    return read_annotations(options.annotations, **_known(options))


def _inspect(options: argparse.Namespace) -> int:
    from redactkit.inspection import inspect
    from redactkit.runtime.files import check_output

    if options.html:
        check_output(options.html, overwrite=options.overwrite)
    report = inspect(options.annotations, **_known(options))
    print(report.to_json() if options.json else report)
    if options.html:
        report.save_page(options.html, overwrite=options.overwrite)
    return DONE


def add_compare(commands: Any) -> None:
    """Add the command that compares two annotation files of one video."""
    command = add_command(commands, "compare", _compare, "say how two annotation files of one video agree")
    command.add_argument("a", help="what b is held against: the truth, or the state before an edit")
    command.add_argument("b")
    _add_reading(command)
    command.add_argument("--iou", type=float, default=0.5, help="from which overlap on boxes match (default 0.5)")
    command.add_argument("--json", action="store_true", help="print everything as JSON, with scores (needs trackeval)")
    command.add_argument("--html", metavar="FILE", help="save what differs as one page")
    command.add_argument("--csv", metavar="FILE", help="save the frames that differ as a table")
    command.add_argument("--overwrite", action="store_true", help="replace a page or table that is there")


def _compare(options: argparse.Namespace) -> int:
    from redactkit.formats import read_annotations
    from redactkit.inspection.comparison import compare
    from redactkit.runtime.files import check_output

    for path in filter(None, (options.html, options.csv)):
        check_output(path, overwrite=options.overwrite)
    known = _known(options)
    a, b = (read_annotations(path, **known) for path in (options.a, options.b))
    comparison = compare(a, b, iou=options.iou)
    print(comparison.to_json() if options.json else comparison)
    if options.html:
        comparison.save_page(options.html, overwrite=options.overwrite)
    if options.csv:
        comparison.save_csv(options.csv, overwrite=options.overwrite)
    return DONE


def add_convert(commands: Any) -> None:
    """Add the command that writes an annotation file in another format."""
    command = add_command(commands, "convert", _convert, "write an annotation file in another format")
    command.add_argument("annotations")
    command.add_argument("output")
    command.add_argument("--to", required=True, choices=FORMATS)
    _add_reading(command)
    command.add_argument(
        "--query", metavar="CONDITION", help="only boxes that fit, such as \"label == 'face' and duration > 2\""
    )
    command.add_argument("--overwrite", action="store_true")


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a size like 1280x720, got {text!r}") from None
    return width, height


def _convert(options: argparse.Namespace) -> int:
    from redactkit.formats import query, write_annotations

    annotations = _read(options)
    if options.query is not None:
        annotations = query(annotations, options.query)
    write_annotations(annotations, options.output, format=options.to, overwrite=options.overwrite)
    print(f"{options.output}: {len(annotations.detections)} boxes of {len(annotations.tracks)} faces")
    return DONE


def annotations_for(options: argparse.Namespace) -> Any:
    """Return the file of the annotations, or what is in it where the user says how it is to be read."""
    from redactkit.analysis import find_annotations
    from redactkit.formats import ReadOptions, load
    from redactkit.formats.normalize import warn
    from redactkit.video import probe

    path = options.annotations or find_annotations(options.video)
    chosen = {name: value for name, value in boxes_chosen(options).items() if name != "labels"}
    if not any(value is not None for value in chosen.values()):
        return path
    reading = load(path, ReadOptions(video=probe(options.video), **chosen))
    warn(reading.remarks, path=path)
    return reading.annotations
