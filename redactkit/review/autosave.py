"""Which file a session's edits are added to when nobody named one."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from redactkit.errors import AnnotationError
from redactkit.review.history import History, State
from redactkit.review.journal import Journal
from redactkit.runtime.files import fit_name

__all__ = ["open_autosave"]


def open_autosave(folder: str | Path, stem: str, state: State, *, anew: bool = False) -> tuple[Journal, State, History]:
    """Return the autosave in a folder that belongs to some tables, with what it holds; a new one where none does.

    A file that belongs to other tables stays as it is, unless all that it held was saved elsewhere: then it is begun
    anew. Files are called ``foo_autosave.jsonl``, ``foo_autosave2.jsonl`` and so on.

    Parameters
    ----------
    folder : path
    stem : str
        The video's name without its suffix.
    state : State
        The tables from which the session began.
    anew : bool
        Go on from no file that holds edits.
    """
    for number in count(1):
        path = Path(folder) / fit_name(stem, f"_autosave{number if number > 1 else ''}.jsonl")
        journal = Journal(path, state)
        if not path.exists():
            return journal, state, History()
        if journal.is_spent:
            path.unlink()
            return journal, state, History()
        if anew:
            continue
        try:
            return journal, *journal.recover()
        except AnnotationError:
            continue  # it belongs to other tables, whose edits nobody has saved yet
    raise AssertionError("numbers do not end")
