"""Which file a session's edits are added to when nobody named one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from redactkit.errors import AnnotationError
from redactkit.review.history import History, State
from redactkit.review.journal import Journal
from redactkit.runtime.files import fit_name

__all__ = ["move_autosave", "open_autosave"]


def open_autosave(folder: str | Path, stem: str, state: State, *, anew: bool = False) -> tuple[Journal, State, History]:
    """Return the autosave in a folder that belongs to some tables, with what it holds; a new one where none does.

    A file that belongs to other tables stays as it is, unless all that it held was saved elsewhere: then it is begun
    anew. One that another process holds is left to it. Files are called ``foo_autosave.jsonl``,
    ``foo_autosave2.jsonl`` and so on.

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
    beside_another = False
    for path in _paths(folder, stem):
        journal = Journal(path, state)
        journal.is_beside_another = beside_another
        if not path.exists():
            return journal, state, History()
        if not journal.hold():
            beside_another = True  # of a session that runs in another process
            continue
        if journal.is_spent:
            path.unlink()
            begun = Journal(path, state)
            begun.is_beside_another = beside_another
            return begun, state, History()
        if anew:
            continue
        try:
            return journal, *journal.recover()
        except AnnotationError:
            continue  # it belongs to other tables, whose edits nobody has saved yet
    raise AssertionError("numbers do not end")


def move_autosave(folder: str | Path, stem: str, journal: Journal) -> Journal:
    """Return a journal that goes on in the first file that is not there: somebody else began its own meanwhile."""
    return journal.moved_to(next(path for path in _paths(folder, stem) if not path.exists()))


def _paths(folder: str | Path, stem: str) -> Iterator[Path]:
    for number in count(1):
        yield Path(folder) / fit_name(stem, f"_autosave{number if number > 1 else ''}.jsonl")
