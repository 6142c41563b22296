"""A person who edits without a pause, to be run in a kernel that a test kills."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import count
from pathlib import Path

from redactkit.review import Review
from redactkit.tables import BOX
from redactkit.widgets import Workbench


def edit_on(clip: str, folder: str) -> None:
    """Drag, decide and name for ever, by the messages that the page sends; write down each edit that is done."""
    review = Review.open(clip, Path(folder, "short_annotations.json"))
    room = Workbench(review)
    stage, cards = room.viewer.stage, room.people.cards
    with Path(folder, "done.jsonl").open("ab") as log:
        for number in count(1):
            face = number % 2 + 1
            box = [100.0 + number, 50.0, 60.0, 80.0]
            messages = {
                0: (stage, {"do": "edit", "frame": number % 20, "face": face, "box": box, "edit": number}),
                1: (cards, {"do": "visible" if number % 2 else "hide", "key": f"f{face}"}),
                2: (cards, {"do": "name", "key": f"f{face}", "text": f"name {number}"}),
            }
            widget, message = messages[number % 3]
            widget._receive(widget, message)
            told = {"edits": review.history_position, "digest": digest(review)}
            log.write(json.dumps(told).encode() + b"\n")
            log.flush()
            os.fsync(log.fileno())


def digest(review: Review) -> str:
    """Return a hash of all boxes and decisions."""
    boxes = review.detections[["frame", "face_id", *BOX]].round(6).to_csv(index=False)
    return hashlib.sha256((boxes + review.decisions.to_csv()).encode()).hexdigest()
