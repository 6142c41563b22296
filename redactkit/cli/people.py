"""The command about people of many clips: a table, a page of suggestions, answers, and decisions for all clips."""

from __future__ import annotations

import argparse
from typing import Any

from redactkit.cli.options import DONE, add_command

__all__ = ["add_people"]


def add_people(commands: Any) -> None:
    """Add the command."""
    command = add_command(
        commands, "people", _people, "who is in which clip of a folder of analyses; decide about people"
    )
    command.add_argument("folder", help="with the annotations of the clips, in folders of their own or not")
    command.add_argument("--page", metavar="FILE", help="write a page on which the suggestions are answered")
    command.add_argument("--answers", metavar="FILE", help="take the answers that the page has saved")
    command.add_argument("--accept-sure", action="store_true", help="accept the suggestions that are called sure")
    command.add_argument("--find", metavar="CLIP:FACE", type=_track, help="list the tracks most like this one")
    command.add_argument(
        "--hide-all-but", metavar="1,4", type=_people_list, help="leave these people visible, redact everybody else"
    )
    command.add_argument("--overwrite", action="store_true", help="replace the page if it is there")


def _people_list(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected numbers of people like 1,4, got {text!r}") from None


def _track(text: str) -> tuple[str, int]:
    clip, _, face = text.rpartition(":")
    if not clip or not face.isdigit():
        raise argparse.ArgumentTypeError(f"expected a clip and a face like lobby:3, got {text!r}")
    return clip, int(face)


def _people(options: argparse.Namespace) -> int:
    from redactkit.people import People

    people = People(options.folder)
    if options.answers:
        print(f"{people.answer(options.answers)} answers taken")
    if options.accept_sure:
        while len(sure := people.suggestions(sure=True)):
            people.accept_suggestion(int(sure["face_id"][0]), int(sure["other_id"][0]))
    if options.hide_all_but:
        people.hide_all_but(options.hide_all_but)
    for path in people.save():
        print(f"written: {path}")
    if options.find:
        print(people.find(people.track(*options.find)).to_string())
    else:
        print(people.people[["clips", "tracks", "seconds", "decision", "label", "faces"]].to_string())
    left = people.suggestions()
    print(f"{len(left)} pairs may be one person, {int(left['sure'].sum())} of them surely; not answered yet")
    if options.page:
        print(f"the page is {people.save_page(options.page, overwrite=options.overwrite)}")
    return DONE
