"""The state of a review: tables that change by whole edits, under a lock, with undo, autosave and notification."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from redactkit.annotations import Annotations
from redactkit.identities import as_pairs, empty_pairs
from redactkit.review.autosave import move_autosave, open_autosave
from redactkit.review.history import Change, History, State
from redactkit.review.journal import Journal
from redactkit.runtime.files import check_writable
from redactkit.tables import (
    BOX,
    as_decisions,
    check_detections,
    empty_decisions,
    empty_detections,
    sort_detections,
    summarize_tracks,
)

__all__ = ["Session"]


class _Table(traitlets.TraitType[pd.DataFrame, pd.DataFrame]):
    """A whole table: assigning one is an edit."""

    def set(self, obj: Any, value: Any) -> None:
        obj.edit(f"{self.name} set in code", **{str(self.name): value})


class Session(traitlets.HasTraits):
    """Annotations that change only by whole edits; see `redactkit.review.Review`."""

    detections = _Table(empty_detections())
    decisions = _Table(empty_decisions())
    discarded = _Table(empty_detections())
    pairs = _Table(empty_pairs())
    revision = traitlets.Int(0)
    history = traitlets.Tuple()
    history_position = traitlets.Int(0)

    def __init__(self, annotations: Annotations, *, autosave: str | Path | None = None) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self._autosave = autosave
        self._autosave_folder: tuple[Path, str] | None = None
        self.load(annotations)

    def load(self, annotations: Annotations) -> None:
        """Begin anew with other annotations of the same video; earlier edits can no longer be undone.

        Raises
        ------
        TableError
            If the tables break the schema.
        AnnotationError
            If the autosave file was begun from other annotations.
        """
        state = _tidied(State(annotations.detections, annotations.decisions, annotations.discarded, annotations.pairs))
        journal, recovered, done = self._recovered(state)
        with self.lock:
            self._base, self._journal, self._past, self._begun = annotations, journal, done, state
            self._regions = self._regions_after(done)
            self._summary: pd.DataFrame | None = None
            self._touched: set[int] = set()
            self._show(recovered)

    def _recovered(self, state: State) -> tuple[Journal | None, State, History]:
        if self._autosave is not None:
            journal = Journal(self._autosave, state)
            return journal, *journal.recover()
        if self._autosave_folder is not None:
            return open_autosave(*self._autosave_folder, state)
        return None, state, History()

    def keep_autosave(self, folder: str | Path, *, stem: str) -> int:
        """Add each edit to a file in a folder as it is made, where no autosave was named; see `autosave`.

        Edits that were made before are written too. Where none were made, and the folder holds an autosave that was
        begun from the same tables, the session goes on from it.

        Parameters
        ----------
        folder : path
            Made with the first edit, for its owner alone, if missing.
        stem : str
            What the file's name begins with.

        Returns
        -------
        int
            How many edits were taken over from a file.

        Raises
        ------
        OptionError
            If the folder cannot be made or written to.
        """
        with self.lock:
            if self._journal is not None:
                return 0
            check_writable(folder)
            self._autosave_folder = (Path(folder), stem)
            made, position = self._past.changes, self._past.position
            self._journal, recovered, done = open_autosave(*self._autosave_folder, self._begun, anew=bool(made))
            if made:
                for change in made:
                    self._journal.add(change)
                for change in reversed(made[position:]):
                    self._journal.move(change, -1)
                return 0
            if len(done.changes):
                self._past = done
                self._regions = self._regions_after(done)
                self._summary = None
                self._show(recovered)
            return len(done.changes)

    def _own_journal(self) -> Journal | None:
        """Return where the next edit is written; another file where somebody else began the one looked for."""
        if self._journal is not None and self._journal.is_taken and self._autosave_folder is not None:
            self._journal = move_autosave(*self._autosave_folder, self._journal)
        return self._journal

    @property
    def is_open_elsewhere(self) -> bool:
        """Whether another process that runs has the autosave of this review: each writes a file of its own."""
        return self._journal is not None and self._journal.is_beside_another

    @property
    def autosave(self) -> Path | None:
        """The file to which edits are added; None where there is none."""
        return None if self._journal is None else self._journal.path

    @property
    def annotations(self) -> Annotations:
        """The annotations as they are now, with the edits made in ``settings["edits"]``."""
        with self.lock:
            edits = [{"name": edit.name, "at": edit.at, "user": edit.user} for edit in self.edits]
            settings = dict(self._base.settings)
            if edits:
                settings["edits"] = [*settings.get("edits", []), *edits]
            if self._regions != list(settings.get("regions", ())):
                settings["regions"] = list(self._regions)
            return self._base.replace(**self._state._asdict(), settings=settings)

    @property
    def tracks(self) -> pd.DataFrame:
        """One row per face, columns of `redactkit.tables.TRACKS`; a fresh copy."""
        with self.lock:
            self._summary = summary = _summarized(self.detections, self._summary, self._touched)
            self._touched = set()
            decisions = self.decisions
        decided = as_decisions(decisions, faces=summary.index).loc[summary.index]
        return summary.assign(**{str(name): decided[name] for name in decided})

    @property
    def selected_ids(self) -> list[int]:
        """The faces that will be redacted."""
        decisions = self.decisions
        return [int(face) for face in decisions.index[decisions["redact"].to_numpy()]]

    @property
    def ids(self) -> str:
        """The ID list in the file's form: the faces to redact, one ID a line."""
        return "".join(f"{face}\n" for face in self.selected_ids)

    @property
    def edits(self) -> tuple[Change, ...]:
        """The edits that hold now, oldest first."""
        with self.lock:
            return self._past.changes[: self._past.position]

    def edit(self, name: str, **tables: pd.DataFrame) -> None:
        """Replace tables as one edit, which can be undone.

        Parameters
        ----------
        name : str
            How the history calls it.
        **tables : DataFrame
            ``detections``, ``decisions``, ``discarded`` or ``pairs``.

        Raises
        ------
        TableError
            If the tables break the schema; nothing changes then.
        """
        self._edit(name, tables)

    def _edit(
        self, name: str, tables: Mapping[str, pd.DataFrame], *, regions: list[dict[str, Any]] | None = None
    ) -> None:
        """Replace tables, and the regions that hold as in ``settings["regions"]``, as one edit."""
        with self.lock:
            before = self._state
            after = _tidied(before._replace(**tables), known=before)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            change = Change.between(before, after, name=name, at=now, user=_user())
            if regions is not None and regions != self._regions:
                change = replace(change, regions=(self._regions, regions))
            if change.is_empty:
                return
            if (journal := self._own_journal()) is not None:
                journal.add(change)
            self._past = self._past.push(change)
            self._regions = change.regions[1] if change.regions else self._regions
            self._touched |= _faces_of(change)
            self._show(after)

    def undo(self) -> None:
        """Take back the last edit; nothing happens where there is none."""
        self._move_in_history(-1)

    def redo(self) -> None:
        """Make the edit last undone again; nothing happens where there is none."""
        self._move_in_history(1)

    @property
    def _state(self) -> State:
        return State(self.detections, self.decisions, self.discarded, self.pairs)

    def _regions_after(self, done: History) -> list[dict[str, Any]]:
        """Return the regions that hold after a history."""
        made = [change.regions for change in done.changes[: done.position] if change.regions is not None]
        return made[-1][1] if made else list(self._base.settings.get("regions", ()))

    def _move_in_history(self, step: int) -> None:
        with self.lock:
            past = self._past.moved(step)
            if not 0 <= past.position <= len(past.changes):
                return
            change = past.changes[min(past.position, self._past.position)]
            if (journal := self._own_journal()) is not None:
                journal.move(change, step)
            self._past = past
            if change.regions:
                self._regions = change.regions[step > 0]
            self._touched |= _faces_of(change)
            self._show((change if step > 0 else change.inverse).apply(self._state))

    def _show(self, state: State) -> None:
        """Set all tables, then notify observers, so that none sees a new table beside an old one."""
        before = self._trait_values.copy()
        self._trait_values.update(state._asdict())
        for name, table in state._asdict().items():
            if before.get(name) is not table:
                self._notify_trait(name, before.get(name), table)
        self.history = self._past.names
        self.history_position = self._past.position
        self.revision += 1


def _faces_of(change: Change) -> set[int]:
    """Return the faces whose boxes a change removes, adds or alters."""
    parts = change.detections or ()
    return {int(face) for part in parts for face in part["face_id"].unique()}


def _summarized(detections: pd.DataFrame, before: pd.DataFrame | None, touched: set[int]) -> pd.DataFrame:
    """Return the table of tracks; only the faces in ``touched`` are computed anew, unless they are many."""
    if before is None or len(touched) * 4 > len(before):
        return summarize_tracks(detections)
    if not touched:
        return before
    fresh = summarize_tracks(detections[np.isin(detections["face_id"].to_numpy(), list(touched))])
    kept = before[~before.index.isin(touched)]
    return pd.concat([kept, fresh]).sort_index() if len(fresh) else kept


def _tidied(state: State, *, known: State | None = None) -> State:
    """Check and sort the tables that are new, and give each face with a box, and only those, a decision."""
    if known is None or state.detections is not known.detections:
        state = state._replace(detections=_checked(state.detections))
    if known is None or state.discarded is not known.discarded:
        state = state._replace(discarded=_checked(state.discarded))
    if known is None or state.pairs is not known.pairs:
        state = state._replace(pairs=as_pairs(state.pairs))
    faces = sorted(state.detections["face_id"].unique().tolist())
    if state.decisions.index.tolist() != faces:
        # People are called by the lowest of their faces, which may be gone.
        state = state._replace(decisions=as_decisions(as_decisions(state.decisions, faces=faces).loc[faces]))
    return state


def _checked(detections: pd.DataFrame) -> pd.DataFrame:
    """Return the table sorted, its boxes checked; rows without a box are kept, as a file may say when and not where."""
    table = sort_detections(detections)
    placed = ~np.logical_or.reduce([np.isnan(table[name].to_numpy(np.float64)) for name in BOX])
    check_detections(table if placed.all() else table[placed])
    return table


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid()) if hasattr(os, "getuid") else ""
