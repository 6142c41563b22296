"""Cards of the places to check: one for each place, a contact sheet of many like it, and what is folded away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from redactkit.review import Review
from redactkit.widgets.cards import CardAction
from redactkit.widgets.markup import timecode

__all__ = ["ACTIONS", "COVERS", "SHEET", "fold_card", "kind_of", "nothing_left_card", "place_card", "sheet_card"]

ACTIONS = (
    CardAction("hide", "Hide", "hide it", "enter"),
    CardAction("fill", "Cover the gap", "follow the face into the frames without a box, and hide it there", "enter"),
    CardAction("on", "Follow on", "follow the face further from here, and hide it there", "enter"),
    CardAction("no-face", "No face", "it is no face", "n"),
    CardAction("fine", "Fine", "nothing is to be done", "f"),
    CardAction("visible", "Leave visible", "it may be seen", "v"),
    CardAction("hide-all", "Hide all like this", "hide all places left with this reason", "shift+enter"),
    CardAction("cover-all", "Cover all like this", "follow the faces at all places with this reason", "shift+enter"),
    CardAction("fine-all", "All like this fine", "nothing is to be done about places with this reason", "shift+f"),
    CardAction("sheet-hide-all", "Hide all (Enter)", "hide all on this sheet that were not taken out", "enter"),
    CardAction("sheet-cover-all", "Cover all (Enter)", "follow the faces on this sheet, and hide them", "enter"),
    CardAction("sheet-no-face-all", "None is a face (N)", "what is on this sheet is no face", "n", looks=True),
    CardAction("sheet-fine-all", "All are fine (F)", "nothing is to be done about this sheet", "f", looks=True),
    CardAction("open", "Look at them", "show what is folded here, or hide it again", "enter", advances=False),
    CardAction("export", "Go on to Export", "nothing is left to check", "enter", advances=False),
)
"""Everything that can be done about a card. Names that end with ``-all`` answer many places at once."""

COVERS = {"gap": "fill", "track ends inside the frame": "on", "track starts inside the frame": "on"}
"""Reasons whose answer is more boxes, and the action that draws them."""

SHEET = 96
"""Most crops on one sheet; the rest comes on the next. Raising it makes longer sheets."""

_SENTENCES = {
    "gap": "{name} has no box for {frames} frames",
    "track ends inside the frame": "{name} is lost here, inside the picture",
    "track starts inside the frame": "{name} is first found here, inside the picture",
    "followed in doubt": "{name} was followed in doubt",
    "short track": "{name} is seen for {frames} frames only",
    "filled gap": "{name}: boxes filled in between two sightings",
    "confidence dip": "{name} is hard to see here",
    "crossing": "{name} meets another face",
    "discarded track": "{name} was set aside as no face",
    "touches the edge": "{name} is at the edge of the picture",
}
_SHEETS = {
    "gap": "{count} gaps: faces that have no box for some frames",
    "track ends inside the frame": "{count} faces are lost inside the picture",
    "track starts inside the frame": "{count} faces are first found inside the picture",
    "followed in doubt": "{count} places were followed in doubt",
    "crossing": "{count} faces meet one that is decided otherwise",
    "discarded track": "{count} tracks were taken for no face",
}


def kind_of(key: str, row: Any) -> tuple[str, ...]:
    """Return what places have in common that get one answer."""
    return ("leak", str(row.verdict), str(row.what)) if key.startswith("leak") else (str(row.reason),)


def place_card(review: Review, key: str, row: Any, *, answer: str = "", alike: int = 1) -> dict[str, Any]:
    """Return the card of one place.

    Parameters
    ----------
    review : Review
    key : str
        Begins with ``leak`` for a finding of the leak check.
    row : named tuple
        Of the review queue, or of the findings.
    answer : str
        What was answered, empty where nothing was.
    alike : int
        How many places without an answer have its reason.
    """
    leak = key.startswith("leak")
    hide = _hiding(review, key, row)
    actions = [hide, "no-face", "visible" if leak else "fine"]
    title, lines = _finding(row) if leak else _queued(review, row)
    if leak and not row.frames:
        actions = ["fine"]  # what is wrong with the file has no place, and no answer but another export
    elif alike > 1 and not answer:
        actions += ["hide-all" if hide == "hide" else "cover-all", *([] if leak else ["fine-all"])]
    return {
        "key": key,
        "title": title,
        "lines": lines,
        "badge": answer,
        "state": "done" if answer else "hide" if leak and row.verdict == "exposed" else "plain",
        "pictures": 2 if leak else 1,
        "group": " ".join(kind_of(key, row)),
        "actions": actions,
    }


def sheet_card(review: Review, places: Mapping[str, Any], *, out: Iterable[str] = ()) -> dict[str, Any]:
    """Return the contact sheet of many places of one kind; those in ``out`` are answered after the others."""
    shown, taken = list(places.items())[:SHEET], set(out)
    key, row = shown[0]
    kind, leak = kind_of(key, row), key.startswith("leak")
    count = f"{len(shown)} of {len(places)}" if len(shown) < len(places) else f"{len(places)}"
    if leak:
        title = f"{count} times {row.verdict}: {row.what}"
    else:
        title = _SHEETS.get(str(row.reason), "{count} places: {reason}").format(count=count, reason=row.reason)
    hide = "sheet-hide-all" if _hiding(review, key, row) == "hide" else "sheet-cover-all"
    none = "sheet-no-face-all" if leak or row.reason == "discarded track" else "sheet-fine-all"
    aside = sum(one in taken for one, _ in shown)
    hint = f"{aside} taken out: asked about afterwards." if aside else "Click those that need another answer."
    return {
        "key": "sheet " + " ".join(kind),
        "title": title,
        "lines": [hint],
        "badge": "",
        "state": "hide" if leak and row.verdict == "exposed" else "plain",
        "pictures": 0,
        "crops": [_crop(review, one, each, out=one in taken) for one, each in shown],
        "group": " ".join(kind),
        "actions": [hide, none],
    }


def fold_card(name: str, title: str, reasons: Iterable[str], *, why: str, is_open: bool) -> dict[str, Any]:
    """Return the head of places that are folded away; ``why`` says the reason."""
    counts = Counter(reasons).most_common()
    listed = ", ".join(f"{count} {reason}" for reason, count in counts)
    return {
        "key": f"fold {name}",
        "title": title,
        "lines": [why, listed],
        "badge": "",
        "state": "fold",
        "pictures": 0,
        "open": is_open,
        "group": "",
        "actions": ["open"],
    }


def nothing_left_card(*, goes_on: bool) -> dict[str, Any]:
    """Return what stands where nothing is left to answer."""
    return {
        "key": "nothing left",
        "title": "Nothing is left to check",
        "lines": ["The leak check after the export looks once more."],
        "badge": "",
        "state": "good",
        "pictures": 0,
        "group": "",
        "actions": ["export"] if goes_on else [],
    }


def _hiding(review: Review, key: str, row: Any) -> str:
    """Return the action that hides what is at a place."""
    return "hide" if key.startswith("leak") or review.reader is None else COVERS.get(str(row.reason), "hide")


def _crop(review: Review, key: str, row: Any, *, out: bool) -> dict[str, Any]:
    leak = key.startswith("leak")
    title, lines = _finding(row) if leak else _queued(review, row)
    when = row.start if leak else row.time
    return {
        "key": key,
        "title": ", ".join([title, *lines]),
        "caption": timecode(when)[4:10] if when == when else "",
        "pictures": 2 if leak else 1,
        "out": out,
    }


def _finding(row: Any) -> tuple[str, list[str]]:
    whose = f" {'near' if row.leak >= 0 else 'of'} face {row.face_id}" if row.face_id >= 0 else ""
    span = [f"{row.frames} frames from {timecode(row.start)}, source and output"] if row.frames else []
    return f"{row.verdict.capitalize()}: {row.what}{whose}", [*span, *([row.note] if row.note else [])]


def _queued(review: Review, row: Any) -> tuple[str, list[str]]:
    label = review.decisions["label"].get(row.face_id, "") or f"Face {row.face_id}"
    sentence = _SENTENCES.get(str(row.reason), f"{{name}}: {row.reason}").format(name=label, frames=row.frames)
    span = f" to {row.frame + row.frames - 1}" if row.frames > 1 else ""
    return sentence, [f"at {timecode(row.time)[3:10]}, frame{'s' * (row.frames > 1)} {row.frame}{span}"]
