"""What the commands share: exit codes, and options by the words of the functions they are for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Iterator
from typing import Any

__all__ = [
    "DONE",
    "EXPOSED",
    "FAILED",
    "USAGE",
    "add_check",
    "add_choosing",
    "add_allowing",
    "add_choosing_boxes",
    "add_command",
    "add_detecting",
    "add_detection_size",
    "add_detector",
    "add_detector_name",
    "add_hiding",
    "add_model",
    "add_writing",
    "blur_options",
    "boxes_chosen",
    "detector_options",
    "id_list",
]

DONE, FAILED, USAGE, EXPOSED = range(4)


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """Add one command and return its parser."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(run=run)
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return command


def add_writing(command: argparse.ArgumentParser) -> None:
    """Add what every command that writes takes."""
    command.add_argument("--overwrite", action="store_true", help="replace outputs that are there")
    command.add_argument("--quiet", action="store_true", help="show no progress")


def add_detecting(command: argparse.ArgumentParser) -> None:
    """Add the options of the first pass."""
    add_detector(command)
    add_detection_size(command)


def add_detection_size(command: argparse.ArgumentParser) -> None:
    """Add how large a picture is searched."""
    command.add_argument("--detection-size", type=int, metavar="PX", help="longer side of the picture searched")


def add_detector(command: argparse.ArgumentParser) -> None:
    """Add which detector searches, from what file, and how doubtful a find may be."""
    add_detector_name(command)
    command.add_argument("--sensitivity", default="normal", choices=["high", "normal", "low"])


def add_detector_name(command: argparse.ArgumentParser) -> None:
    """Add which detector searches, and its model file."""
    command.add_argument("--detector", default="centerface", help="centerface (default) or yunet")
    add_model(command)


def add_model(command: argparse.ArgumentParser) -> None:
    """Add the option for the detector's model file."""
    command.add_argument("--model", metavar="FILE", help="the detector's model file, which yunet needs")


def add_hiding(command: argparse.ArgumentParser) -> None:
    """Add the options of the second pass."""
    command.add_argument(
        "--blur", type=_blur, default="Med", metavar="KIND", choices=_BlurKinds(), help="%(choices)s (default Med)"
    )
    command.add_argument("--margin", type=float, default=0.15, help="share added on each side (default 0.15)")
    command.add_argument("--strength", type=float, default=1.0, help="above 1 hides more (default 1)")
    command.add_argument("--shape", default="rectangle", choices=["rectangle", "ellipse"])
    command.add_argument("--head", action="store_true", help="grow the boxes of faces to hair, ears and chin")
    add_ranges(command)
    add_regions(command)
    command.add_argument("--codec", help="encoder, by default libx264 (8 bit) or libx265 (deeper)")
    command.add_argument("--crf", type=float, help="constant rate factor of the encoder")
    command.add_argument("--preset", help="speed preset of the encoder")
    command.add_argument("--audio", default="keep", choices=["keep", "drop"])
    add_repeated(
        command,
        "--mute",
        "mute",
        _range,
        metavar="START-END",
        help="silence the sound from 00:00:05.0-00:00:07.5 or 5-7.5 (seconds); may be repeated",
    )
    add_allowing(command)
    command.add_argument(
        "--no-smart-copy", action="store_true", help="encode every frame, also where nothing is hidden"
    )


def add_start_and_end(command: argparse.ArgumentParser, what: str) -> None:
    """Add the options for one stretch of time."""
    command.add_argument(
        "--from", dest="start", type=_time, metavar="TIME", help=f"{what} only from 00:00:05.0 or 5 on"
    )
    command.add_argument("--to", dest="end", type=_time, metavar="TIME", help=f"{what} only up to this time")


def add_ranges(command: argparse.ArgumentParser) -> None:
    """Add the options for a stretch of time."""
    add_start_and_end(command, "hide")
    add_repeated(command, "--range", "ranges", _range, metavar="START-END", help="hide only there; may be repeated")
    command.add_argument("--trim", action="store_true", help="cut the output down to the time range")


def add_repeated(
    command: argparse.ArgumentParser, flag: str, name: str, parse: Callable[[str], Any], *, metavar: str, help: str
) -> None:
    """Add an option that may be given several times; without it its list is empty."""
    command.add_argument(flag, dest=name, type=parse, action="append", default=[], metavar=metavar, help=help)


def add_object_detectors(command: argparse.ArgumentParser) -> None:
    """Add the option for models that find other things than faces."""
    add_repeated(
        command,
        "--detect",
        "detectors",
        _kind_and_file,
        metavar="KIND=FILE[,NAME=VALUE...]",
        help="find other things too, with a model of yours: plate=plates.onnx, or with how it is read: "
        "plate=plates.onnx,output=yolov5,classes=0+2,threshold=0.3,size=640x640; may be repeated",
    )


_MODEL_VALUES: dict[str, Callable[[str], Any]] = {
    "output": str,
    "classes": lambda text: [int(number) for number in text.split("+")],
    "threshold": float,
    "overlap": float,
    "size": lambda text: tuple(int(side) for side in text.split("x")),
    "mean": float,
    "scale": float,
    "reverse_channels": lambda text: {"yes": True, "no": False}[text],
}


def _kind_and_file(text: str) -> tuple[str, Any]:
    """Read KIND=FILE, and what is said about the model after commas."""
    from redactkit.errors import OptionError

    kind, equals, rest = text.partition("=")
    file, said = rest, {}
    # A file's name may hold commas too.
    while "," in file and file.rpartition(",")[2].partition("=")[0] in _MODEL_VALUES:
        file, _, pair = file.rpartition(",")
        name, _, value = pair.partition("=")
        try:
            said[name] = _MODEL_VALUES[name](value)
        except (ValueError, KeyError):
            raise argparse.ArgumentTypeError(f"{name} of a model means nothing: {value!r}") from None
    if not (kind.strip() and equals and file):
        raise argparse.ArgumentTypeError(f"expected KIND=FILE such as plate=plates.onnx, got {text!r}")
    if not said:
        return kind, file
    from redactkit.detectors.objects import ObjectModel  # with the inference runtime, and wanted only here

    try:
        return kind, ObjectModel(file, **said)
    except OptionError as err:
        raise argparse.ArgumentTypeError(str(err)) from None


def add_regions(command: argparse.ArgumentParser) -> None:
    """Add the option for rectangles of the frame."""
    add_repeated(
        command,
        "--region",
        "regions",
        _region,
        metavar="RULE:X,Y,W,H[@START-END]",
        help="hide, ignore or only, in pixels or percent: hide:20,30,300,80 or ignore:60%%,0%%,40%%,30%%; repeatable",
    )


def _region(text: str) -> dict[str, Any]:
    from redactkit.errors import OptionError
    from redactkit.runtime.timecode import parse_range
    from redactkit.tracking.regions import as_regions

    rule, found, place = text.rpartition(":") if "@" not in text else _parted(text)
    sides, _, when = place.partition("@")
    shares = "%" in sides
    try:
        numbers = [float(side.replace("%", "")) / (100 if shares else 1) for side in sides.split(",")]
        start, end = parse_range(when) if when else (None, None)
        given = {"box": numbers, "rule": rule if found else "hide", "unit": "shares" if shares else "pixels"}
        return as_regions([given | {"start": start, "end": end}])[0].as_dict()
    except ValueError as err:
        why = str(err) if isinstance(err, OptionError) else f"got {text!r}"
        raise argparse.ArgumentTypeError(f"a region is RULE:X,Y,W,H[@START-END]; {why}") from None


def _parted(text: str) -> tuple[str, str, str]:
    """Part a region with times, in which colons are, at the colon of its rule."""
    place, _, when = text.partition("@")
    rule, found, rest = place.rpartition(":")
    return rule, found, f"{rest}@{when}"


def _time(text: str) -> float:
    from redactkit.errors import OptionError
    from redactkit.runtime.timecode import parse_timecode

    try:
        return parse_timecode(text)
    except OptionError as err:
        raise argparse.ArgumentTypeError(str(err)) from None


def add_choosing(command: argparse.ArgumentParser) -> None:
    """Add the three ways of choosing faces."""
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--ids", metavar="FILE", help="ID list: the faces to redact, one a line")
    choice.add_argument("--include", type=id_list, metavar="1,4", help="redact only these faces")
    choice.add_argument("--exclude", type=id_list, metavar="3", help="redact every face but these")


def id_list(text: str) -> list[int]:
    """Return numbers that stand between commas."""
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected whole numbers like 1,4, got {text!r}") from None


def add_check(command: argparse.ArgumentParser, *, hides: bool = False) -> None:
    """Add what asks for the leak check of what was written; where the command ``hides`` what it finds, that too."""
    command.add_argument("--check", action="store_true", help="look for leaks too, as verify does")
    if hides:
        command.add_argument(
            "--hide-found",
            type=int,
            default=0,
            metavar="N",
            help="hide what --check finds, and write and check again, up to N times",
        )


def add_choosing_boxes(command: argparse.ArgumentParser) -> None:
    """Add what says which boxes of an annotation file are meant, and how its frames are numbered."""
    command.add_argument(
        "--label", action="append", metavar="LABEL", help="only boxes with this label, such as face; may be repeated"
    )
    command.add_argument("--video-name", metavar="NAME", help="which video, where the file speaks of several")
    command.add_argument(
        "--first-frame", type=int, metavar="N", help="the number that the file gives the video's first frame"
    )
    command.add_argument(
        "--frame-step", type=int, metavar="N", help="how many frames of the video the file's frames are apart"
    )
    command.add_argument(
        "--units", choices=["pixels", "percent", "shares"], help="of boxes, where the file does not say"
    )


def boxes_chosen(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `redactkit.read_annotations` takes for it."""
    names = ("video_name", "first_frame", "frame_step", "units")
    return {"labels": options.label} | {name: getattr(options, name) for name in names}


def add_allowing(command: argparse.ArgumentParser) -> None:
    """Add the option for who means to hide nothing."""
    command.add_argument(
        "--allow-nothing", action="store_true", help="write an output also where nothing would be hidden"
    )


class _BlurKinds(Collection[str]):
    """The names of the blur kinds, imported only when asked for: effects load NumPy, which would slow every start."""

    def __contains__(self, name: object) -> bool:
        return any(name == kind for kind in self)

    def __iter__(self) -> Iterator[str]:
        from redactkit.effects import BLUR_KINDS

        return iter(BLUR_KINDS)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _blur(text: str) -> str:
    known = {kind.lower(): kind for kind in _BlurKinds()}
    if text.lower() not in known:
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(known.values())}, got {text!r}")
    return known[text.lower()]


def _range(text: str) -> tuple[float, float]:
    from redactkit.errors import OptionError
    from redactkit.runtime.timecode import parse_range

    try:
        return parse_range(text)
    except OptionError as err:
        raise argparse.ArgumentTypeError(str(err)) from None


def detector_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `redactkit.analyze` takes."""
    names = ("detector", "model", "detection_size", "sensitivity", "overwrite")
    return {name: getattr(options, name) for name in names} | {"progress": not options.quiet}


def blur_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return what `redactkit.redact` takes."""
    names = ["blur", "margin", "strength", "shape", "head", "start", "end", "ranges", "trim", "regions"]
    names += ["codec", "crf", "preset", "audio", "mute", "overwrite"]
    chosen = {name: getattr(options, name) for name in names}
    if options.allow_nothing:
        chosen["allow_nothing"] = True
    if getattr(options, "check", False):
        chosen["check"] = True
    if getattr(options, "hide_found", 0):
        chosen["hide_found"] = options.hide_found
    return chosen | {"progress": not options.quiet, "smart_copy": not options.no_smart_copy}
