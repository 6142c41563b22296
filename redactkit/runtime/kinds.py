"""What an object is: a face, a number plate, a screen and so on, and what the labels of other tools speak of."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redactkit.errors import OptionError

__all__ = ["FACE", "OBJECT_KINDS", "as_kind", "kind_of_label", "kinds_of_labels"]

FACE = "face"
OBJECT_KINDS = (FACE, "plate", "screen", "document", "person", "other")
"""The kinds that redactkit names; any other word of the user's is a kind too."""

MAX_LETTERS = 40

# The first that a label speaks of counts: "person face" is a face. A headlight and a surface are none.
_WORDS = {
    FACE: r"(?<!sur)(?<!inter)(?<!type)face|head(?!l[ia]|phone|set|board|rest|stone|band|gear)",
    "plate": r"\bplate|licen[cs]e.?plate|number.?plate",
    "screen": r"\b(screen|monitor|display|tv|television)s?\b",
    "document": r"\b(document|paper|passport|letter|id.?card|whiteboard)s?\b",
    "person": r"\b(person|persons|people|pedestrian|pedestrians|human|humans|man|woman|child|rider|cyclist)\b",
}
_PATTERNS = {kind: re.compile(words) for kind, words in _WORDS.items()}
_JOINTS = re.compile(r"(?<=[a-z])(?=[A-Z])|[_\W]+")


def as_kind(text: str) -> str:
    """Return a kind in the form in which tables hold it: in small letters.

    Raises
    ------
    OptionError
        If it is empty, longer than 40 letters, or no text.

    Examples
    --------
    >>> as_kind(" Plate "), as_kind("tattoo")
    ('plate', 'tattoo')
    """
    kind = " ".join(text.split()).casefold() if isinstance(text, str) else ""
    if not kind or len(kind) > MAX_LETTERS:
        raise OptionError(f"kind must be a word such as {', '.join(OBJECT_KINDS)}, or your own, got {text!r:.60}")
    return kind


def kind_of_label(label: str) -> str:
    """Return the kind of which the label of another tool speaks; the label itself where it is none that we name.

    A box without a label is a face: this toolkit is about faces.

    Examples
    --------
    >>> [kind_of_label(label) for label in ("", "HumanHead", "license_plate", "Pedestrian", "Car", "headlight")]
    ['face', 'face', 'plate', 'person', 'car', 'headlight']
    """
    words = _JOINTS.sub(" ", label).casefold().strip()
    if not words:
        return FACE if not label.strip() else "other"
    named = next((kind for kind, pattern in _PATTERNS.items() if pattern.search(words)), None)
    return named or as_kind(words[:MAX_LETTERS])


def kinds_of_labels(labels: NDArray[np.object_]) -> NDArray[np.object_]:
    """Return the kind of each label, shape (N,), as Python strings."""
    if not np.any(labels != ""):
        return np.full(len(labels), FACE, object)
    known: dict[Any, str] = {label: kind_of_label(str(label)) for label in set(labels.tolist())}
    kinds = np.empty(len(labels), object)
    kinds[:] = [known[label] for label in labels.tolist()]
    return kinds
