"""Attributes of boxes in files of other tools: what an analyst decided about a face, and who it is.

A format that has no field for them takes attributes by free names; these are the names that we give them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import pandas as pd

from redactkit.effects.look import parse_look
from redactkit.errors import OptionError
from redactkit.identities import joined_faces
from redactkit.runtime.visible import parse_visible

__all__ = ["FACE_LABEL", "READ", "attributes_of", "decision_of", "is_no", "person_of"]

FACE_LABEL = "face_label"
"""The name that an analyst gave a face, where ``label`` is the class of the box."""

_NO = {"false", "0", "0.0", "no", "f", "n"}
_PERSON_ID = "person_id"
_TEXT = {FACE_LABEL: "label", "reason": "reason"}
_OURS = {"visible_at": parse_visible, "look": parse_look}
_PERSON = ("person", "person_name", "identity")
READ = {"redact", _PERSON_ID, *_TEXT, *_OURS, *_PERSON}
"""The names that are read."""


def is_no(value: Any) -> bool:
    """Return whether a value of a file says no: false, 0, or a word for it.

    Examples
    --------
    >>> [is_no(value) for value in (False, "No", "0", True, "", None)]
    [True, True, True, False, False, False]
    """
    return str(value).strip().lower() in _NO


def person_of(attributes: Mapping[str, Any]) -> str:
    """Return who the face is, "" where the attributes do not say."""
    values = (attributes.get(name) for name in _PERSON)
    return next((str(value) for value in values if isinstance(value, str | int) and str(value)), "")


def decision_of(boxes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the attributes of all boxes of one face say; it stays visible only if those of every box say so.

    Examples
    --------
    >>> decision_of([{"redact": "false", "reason": "agreed"}, {"redact": "false"}])
    {'redact': False, 'reason': 'agreed'}
    >>> decision_of([{"redact": "false"}, {}])
    {}
    """
    values = list(boxes)
    decided: dict[str, Any] = {"redact": False} if values and all(is_no(one.get("redact")) for one in values) else {}
    for name, column in _TEXT.items():
        text = next((str(one[name]) for one in values if one.get(name) not in (None, "")), "")
        if text:
            decided[column] = text
    for name, parse in _OURS.items():
        # In a file of another tool the name may mean anything.
        with suppress(OptionError):
            text = next((str(one[name]) for one in values if one.get(name) and parse(str(one[name]))), "")
            decided |= {name: text} if text else {}
    number = next((str(one[_PERSON_ID]) for one in values if str(one.get(_PERSON_ID)).isdecimal()), "")
    return decided | ({_PERSON_ID: int(number)} if number and len(number) < 19 else {})


def attributes_of(decisions: pd.DataFrame) -> dict[int, dict[str, Any]]:
    """Return the attributes of each face about which something was decided, as `decision_of` reads them."""
    found: dict[int, dict[str, Any]] = {}
    people = joined_faces(decisions)
    columns = ["redact", "label", "reason", *_OURS]
    for face, redact, label, reason, visible, look in decisions[columns].itertuples(name=None):
        values = {FACE_LABEL: label, "reason": reason, "visible_at": visible, "look": look}
        given = ({} if redact else {"redact": False}) | {name: text for name, text in values.items() if text}
        given |= {_PERSON_ID: people[int(face)]} if int(face) in people else {}
        if given:
            found[int(face)] = given
    return found
