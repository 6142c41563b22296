"""The autosave of a review: one line of JSON for each edit, added to a file as the edit is made.

A crash loses at most the edit that was being written: a last line that is not whole is dropped when the
file is next opened. The file belongs to the tables from which the session began, known by their hash; or,
where a crash came while the session was being saved, to the tables that were being saved.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from redactkit.errors import AnnotationError, TableError
from redactkit.identities import PAIRS, as_pairs
from redactkit.review.history import Change, Delta, History, State
from redactkit.runtime.file_locks import FileLock, lock_file
from redactkit.runtime.files import make_private, open_to_append, write_text
from redactkit.runtime.partial_files import sweep_partial_files
from redactkit.tables import DECISIONS, DETECTIONS, SOURCES, TEXTS, as_decisions, as_detections
from redactkit.tracking.regions import as_regions

__all__ = ["Journal", "fingerprint"]

JOURNAL_VERSION = 1


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    journal: int
    base: str


class _Rows(msgspec.Struct, forbid_unknown_fields=True):
    removed: dict[str, list[int]]
    added: dict[str, list[Any]]


class _Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    do: str = ""
    at: str = ""
    user: str = ""
    detections: _Rows | None = None
    decisions: dict[str, list[Any]] | None = None
    discarded: _Rows | None = None
    move: int = 0
    saving: str = ""
    pairs: dict[str, list[Any]] | None = None
    regions: list[list[dict[str, Any]]] | None = None


def fingerprint(state: State) -> str:
    """Return a hash of which rows and decisions a state has, in hex.

    The boxes' numbers are left out: they may come back from a file with another last digit.
    """
    digest = hashlib.sha256()
    for table in (state.detections, state.discarded):
        for column in (table["frame"], table["face_id"], table["source"].cat.codes):
            digest.update(np.ascontiguousarray(column.to_numpy()).tobytes())
    # People and pairs count where there are any, so that autosaves from before there were still fit.
    persons = state.decisions["person_id"]
    unsaid = [name for name in ("visible_at", "look") if not (state.decisions[name] != "").any()]
    digest.update(state.decisions.drop(columns=["person_id", *unsaid]).to_csv().encode())
    digest.update(persons[persons != persons.index].to_csv(header=False).encode())
    digest.update(state.pairs[["face_id", "other_id", "answer"]].to_csv(header=False).encode())
    return digest.hexdigest()


class Journal:
    """The autosave file of one session.

    Parameters
    ----------
    path : path
        Made when first written to, and then held by this process while it runs.
    base : State
        The tables from which the session began.

    Attributes
    ----------
    is_beside_another : bool
        Whether another process holds the autosave of the same review.
    """

    def __init__(self, path: str | Path, base: State) -> None:
        self.path = Path(path)
        self._base = base
        self._fingerprint = fingerprint(base)
        self._restarted = False
        self._lock: FileLock | None = None
        self.is_beside_another = False

    def hold(self) -> bool:
        """Keep a file that is there for this process; return whether no other process has it."""
        self._lock = lock_file(self.path)
        return self._lock is not None

    @property
    def is_taken(self) -> bool:
        """Whether somebody else began the file since this session looked for it."""
        return self._lock is None and self.path.exists()

    def moved_to(self, path: Path) -> Journal:
        """Return a journal that goes on from the same tables in another file."""
        other = Journal(path, self._base)
        other._restarted, other.is_beside_another = self._restarted, True
        return other

    @property
    def is_spent(self) -> bool:
        """Whether the file holds no edit: all that it held was saved elsewhere."""
        return self.path.exists() and len(self._whole_lines()) == 1

    def recover(self) -> tuple[State, History]:
        """Return the state and history that the file holds; those of the beginning where there is no file.

        Raises
        ------
        AnnotationError
            If the file is no journal, is damaged other than at its end, or began from other tables.
        """
        state, history = self._base, History()
        if not self.path.exists():
            return state, history
        if not self.hold():
            raise AnnotationError(
                f"{self.path} is written to by another session that runs; end it, or name another file"
            )
        lines = self._whole_lines()
        for number, line in self._edits(lines):
            try:
                state, history = _replay(msgspec.json.decode(line, type=_Line), state, history)
            except (msgspec.MsgspecError, TableError, ValueError, LookupError, TypeError) as err:
                raise AnnotationError(f"{self.path}, line {number}: not an edit of this session ({err})") from err
        return state, history

    def add(self, change: Change) -> None:
        """Write an edit."""
        self._append(_encode(change))

    def move(self, change: Change, step: int) -> None:
        """Write that an edit was undone (-1) or redone (1)."""
        if self._restarted:
            name = f"{'undone' if step < 0 else 'redone'}: {change.name}"
            self.add(replace(change.inverse if step < 0 else change, name=name))
        else:
            self._append(_Line(move=step))

    def announce(self, state: State) -> None:
        """Write that ``state`` is about to be saved elsewhere; `restart` follows when it is."""
        if self.path.exists() and not self.is_taken:
            self._append(_Line(saving=fingerprint(state)))
            self._restarted = True  # what follows may be read without the edits before

    def restart(self, base: State) -> None:
        """Drop what is saved elsewhere by now; from here on the file belongs to the tables ``base``."""
        self._base, self._fingerprint, self._restarted = base, fingerprint(base), True
        if not self.is_taken:
            self._write_header()

    def _append(self, line: _Line) -> None:
        if self.is_taken:
            raise AnnotationError(f"{self.path} was begun by another session meanwhile; name another file")
        if not self.path.exists():
            self._write_header()
        with open_to_append(self.path) as file:
            file.write(msgspec.json.encode(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _write_header(self) -> None:
        sweep_partial_files(make_private(self.path.parent))
        header = msgspec.json.encode(_Header(JOURNAL_VERSION, self._fingerprint))
        write_text(self.path, header.decode() + "\n", overwrite=True)
        self._lock = lock_file(self.path)

    def _whole_lines(self) -> list[bytes]:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole and whole < len(data):
            with self.path.open("r+b") as file:
                file.truncate(whole)
        return data[:whole].splitlines()

    def _edits(self, lines: list[bytes]) -> list[tuple[int, bytes]]:
        """Return the edits that were made after the tables of the beginning, each with the number of its line."""
        try:
            header = msgspec.json.decode(lines[0] if lines else b"", type=_Header)
        except msgspec.MsgspecError as err:
            raise AnnotationError(f"{self.path} is not an autosave of a review ({err}); name another file") from err
        numbered = list(enumerate(lines, start=1))[1:]
        if (header.journal, header.base) == (JOURNAL_VERSION, self._fingerprint):
            return numbered
        saving = msgspec.json.encode(_Line(saving=self._fingerprint))
        saved = [number for number, line in numbered if line == saving]
        if header.journal != JOURNAL_VERSION or not saved:
            raise AnnotationError(
                f"{self.path} was begun from other annotations than these; open those, or name another file"
            )
        return numbered[saved[-1] - 1 :]


def _encode(change: Change) -> _Line:
    decided = None if change.decisions is None else _decision_columns(change.decisions[1])
    rows = [_encode_rows(delta) for delta in (change.detections, change.discarded)]
    pairs = None if change.pairs is None else {name: change.pairs[1][name].tolist() for name in PAIRS}
    regions = None if change.regions is None else [*change.regions]
    return _Line(change.name, change.at, change.user, rows[0], decided, rows[1], pairs=pairs, regions=regions)


def _encode_rows(delta: Delta | None) -> _Rows | None:
    if delta is None:
        return None
    added = delta.added.astype({"source": "object"})
    return _Rows(
        {name: delta.removed[name].tolist() for name in ("frame", "face_id")},
        {name: added[name].tolist() for name in DETECTIONS},
    )


def _decision_columns(decisions: pd.DataFrame) -> dict[str, list[Any]]:
    return {"face_id": decisions.index.tolist(), **{name: decisions[name].tolist() for name in DECISIONS}}


def _replay(line: _Line, state: State, history: History) -> tuple[State, History]:
    if line.saving:
        return state, history
    if line.move < 0:
        change = history.changes[: history.position][-1]
        return change.inverse.apply(state), history.moved(-1)
    if line.move > 0:
        return history.changes[history.position].apply(state), history.moved(1)
    change = _decode(line, state)
    return change.apply(state), history.push(change)


def _decode(line: _Line, state: State) -> Change:
    decided = None if line.decisions is None else (state.decisions, _as_decisions(line.decisions))
    detections = _decode_rows(line.detections, state.detections)
    discarded = _decode_rows(line.discarded, state.discarded)
    pairs = None if line.pairs is None else (state.pairs, as_pairs(line.pairs))
    return Change(line.do, detections, decided, discarded, line.at, line.user, pairs, _decode_regions(line.regions))


def _decode_regions(regions: list[list[dict[str, Any]]] | None) -> tuple[list[Any], list[Any]] | None:
    if regions is None:
        return None
    before, after = ([region.as_dict() for region in as_regions(each)] for each in regions)
    return before, after


def _as_decisions(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    table = pd.DataFrame(columns).set_index("face_id")
    if not set(map(type, table["redact"])) <= {bool}:
        raise TableError("redact must be true or false")
    return as_decisions(table.astype({name: "str" for name in TEXTS if name in table}))


def _decode_rows(rows: _Rows | None, table: pd.DataFrame) -> Delta | None:
    if rows is None:
        return None
    keys = pd.MultiIndex.from_arrays([rows.removed["frame"], rows.removed["face_id"]])
    gone = pd.MultiIndex.from_arrays([table["frame"], table["face_id"]]).isin(keys)
    if gone.sum() != len(keys):
        raise TableError(f"it replaces {len(keys)} boxes of which {gone.sum()} are there")
    unknown = set(rows.added["source"]) - set(SOURCES)
    if unknown:
        raise TableError(f"unknown source {sorted(map(str, unknown))}")
    return Delta(table[gone].reset_index(drop=True), as_detections(rows.added))
