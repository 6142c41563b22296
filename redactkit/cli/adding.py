"""The command that adds what was not found: a box, which is followed through the video."""

from __future__ import annotations

import argparse
from typing import Any

from redactkit.cli.options import DONE, EXPOSED, add_command

__all__ = ["add_add"]


def add_add(commands: Any) -> None:
    """Add the command that adds objects to annotations."""
    command = add_command(commands, "add", _add, "add a box of anything to the annotations, and follow it")
    command.add_argument("video")
    command.add_argument(
        "--box", type=_box, action="append", required=True, metavar="X,Y,W,H", help="in pixels; may be repeated"
    )
    command.add_argument("--frame", type=int, required=True, metavar="N", help="the frame of the box, from 0")
    command.add_argument(
        "--kind", default="face", help="face (default), plate, screen, document, person, other, or a word"
    )
    command.add_argument("--label", default="", help="a name for it")
    command.add_argument("--follow", action="store_true", help="follow it through the video, in both directions")
    command.add_argument("--direction", default="both", choices=["both", "forward", "backward"])
    command.add_argument("--until", type=int, metavar="N", help="the last frame to be followed to")
    command.add_argument("--across-shots", action="store_true", help="follow it over cuts")
    command.add_argument("--annotations", metavar="FILE", help="default: what analyze wrote for this video")
    command.add_argument("--new", action="store_true", help="begin without an analysis: no face is known then")
    command.add_argument("--overwrite", action="store_true", help="replace other annotations that are there")
    command.add_argument("--quiet", action="store_true", help="show no progress")


def _box(text: str) -> list[float]:
    try:
        x, y, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a box like 10,20,80,40, got {text!r}") from None
    if width <= 0 or height <= 0:
        raise argparse.ArgumentTypeError(f"a box is wider and higher than 0, got {text!r}")
    return [x, y, width, height]


def _add(options: argparse.Namespace) -> int:
    from redactkit.analysis import find_annotations
    from redactkit.review import Review

    path = None if options.new else options.annotations or find_annotations(options.video)
    review = Review.open(options.video, path)
    try:
        added = [review.add_face(box, frame=options.frame, kind=options.kind) for box in options.box]
        if options.label:
            review.decide(added, label=options.label)
        lost, lines = _follow(review, added, options) if options.follow else (False, [])
        saved = review.save(overwrite=options.overwrite)
        print(f"{options.video}: {options.kind} {', '.join(map(str, added))} added in frame {options.frame}")
        print(*lines, f"  annotations: {saved}", sep="\n")
    finally:
        review.close()
    return EXPOSED if lost else DONE


def _follow(review: Any, added: list[int], options: argparse.Namespace) -> tuple[bool, list[str]]:
    """Follow the new objects; return whether one was lost, and lines that say how it ended for each."""
    from redactkit.following import Ending

    outcome = review.follow(
        added,
        options.frame,
        direction=options.direction,
        until=options.until,
        within_shot=not options.across_shots,
        progress=not options.quiet,
    )
    lines = []
    for face, start, end, frames, doubtful, ending, removed in outcome.itertuples(index=False):
        way = f"forwards to frame {end}" if end > start else f"backwards to frame {end}" if end < start else "nowhere"
        doubt = f", {doubtful} of them in doubt" if doubtful else ""
        gone = f"; {removed} boxes of before are gone" if removed else ""
        lines.append(f"  {face}: followed {way}: {frames} boxes{doubt}; {ending}{gone}")
    lost = outcome.loc[outcome["ending"] == Ending.LOST, "face_id"].unique().tolist()
    if lost:
        lines.append(f"  LOST: {', '.join(map(str, lost))}; draw it where it shows after that, or it is bare there")
    return bool(lost), lines
