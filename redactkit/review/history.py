"""Undo and redo of tables: what an edit removed and added, not copies of what it left alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.identities import empty_pairs
from redactkit.review.rows import replace_rows, same_column, values_of
from redactkit.tables import DETECTIONS, empty_decisions, empty_detections, row_keys

__all__ = ["Change", "Delta", "History", "State", "difference", "patch"]


BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


class State(NamedTuple):
    """The tables that edits change: rows sorted by frame and face, one per face and frame."""

    detections: pd.DataFrame
    decisions: pd.DataFrame = empty_decisions()
    discarded: pd.DataFrame = empty_detections()
    pairs: pd.DataFrame = empty_pairs()


class Delta(NamedTuple):
    """The rows by which one table differs from another; a changed row is in both."""

    removed: pd.DataFrame
    added: pd.DataFrame

    @property
    def inverse(self) -> Delta:
        """The delta that undoes this one."""
        return Delta(self.added, self.removed)

    @property
    def frames(self) -> IntArray:
        """The frames in which boxes are removed, added or changed, ascending."""
        return np.union1d(self.removed["frame"], self.added["frame"]).astype(np.int64)


@dataclass(frozen=True)
class Change:
    """One edit: its name, who made it and when, and what it did to each table (None: nothing).

    The small tables, ``decisions`` and ``pairs``, are kept whole, before and after; so are the fixed
    ``regions``, as plain values.
    """

    name: str
    detections: Delta | None = None
    decisions: tuple[pd.DataFrame, pd.DataFrame] | None = None
    discarded: Delta | None = None
    at: str = ""
    user: str = ""
    pairs: tuple[pd.DataFrame, pd.DataFrame] | None = None
    regions: tuple[list[dict[str, Any]], list[dict[str, Any]]] | None = None

    @classmethod
    def between(cls, before: State, after: State, *, name: str, at: str = "", user: str = "") -> Change:
        """Return the change that leads from one state to another."""
        return cls(
            name,
            difference(before.detections, after.detections),
            _both(before.decisions, after.decisions),
            difference(before.discarded, after.discarded),
            at,
            user,
            _both(before.pairs, after.pairs),
        )

    @property
    def frames(self) -> IntArray:
        """The frames whose boxes the edit changed, ascending."""
        return np.zeros(0, np.int64) if self.detections is None else self.detections.frames

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        parts = (self.detections, self.decisions, self.discarded, self.pairs, self.regions)
        return all(part is None for part in parts)

    def apply(self, state: State) -> State:
        """Return the state after the change."""
        decisions = state.decisions if self.decisions is None else self.decisions[1]
        pairs = state.pairs if self.pairs is None else self.pairs[1]
        return State(patch(state.detections, self.detections), decisions, patch(state.discarded, self.discarded), pairs)

    @property
    def inverse(self) -> Change:
        """The change that undoes this one."""
        return replace(
            self,
            detections=self.detections and self.detections.inverse,
            decisions=self.decisions and self.decisions[::-1],
            discarded=self.discarded and self.discarded.inverse,
            pairs=self.pairs and self.pairs[::-1],
            regions=self.regions and self.regions[::-1],
        )


@dataclass(frozen=True)
class History:
    """Changes in the order in which they were made; those from ``position`` on are undone."""

    changes: tuple[Change, ...] = ()
    position: int = 0
    limit: int = field(default=1000, kw_only=True)

    def push(self, change: Change) -> History:
        """Return the history with one change more; what was undone can no longer be redone."""
        kept = (*self.changes[: self.position], change)[-self.limit :]
        return replace(self, changes=kept, position=len(kept))

    def moved(self, steps: int) -> History:
        """Return the history with its position moved."""
        return replace(self, position=self.position + steps)

    @property
    def names(self) -> tuple[str, ...]:
        """The changes' names, oldest first."""
        return tuple(change.name for change in self.changes)


def _both(before: pd.DataFrame, after: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return a small table before and after an edit, None where it stays as it was."""
    return None if before is after or before.equals(after) else (before, after)


def difference(before: pd.DataFrame, after: pd.DataFrame) -> Delta | None:
    """Return the rows by which two sorted tables differ, or None where they are equal.

    Examples
    --------
    >>> from redactkit.tables import as_detections
    >>> a = as_detections({"frame": [1, 2], "face_id": 1, "x": 0, "y": 0, "width": 1, "height": 1})
    >>> delta = difference(a, a.assign(x=[0.0, 5.0]))
    >>> delta.removed["frame"].tolist(), delta.added["x"].tolist()
    ([2], [5.0])
    """
    if before is after:
        return None
    if all(np.array_equal(before[name], after[name]) for name in ("frame", "face_id")):
        changed = np.flatnonzero(_changed(before, after))
        lost = added = changed
    else:
        lost, added = _moved(before, after)
    if not (lost.size or added.size):
        return None
    return Delta(before.take(lost).reset_index(drop=True), after.take(added).reset_index(drop=True))


def _moved(before: pd.DataFrame, after: pd.DataFrame) -> tuple[IntArray, IntArray]:
    """Return the rows that only one of two tables has, each in its own; what both begin and end with is not sought."""
    old, new = row_keys(before, after)
    shorter = min(len(old), len(new))
    unlike = np.flatnonzero(old[:shorter] != new[:shorter])
    start = int(unlike[0]) if unlike.size else shorter
    backwards = np.flatnonzero(old[::-1][: shorter - start] != new[::-1][: shorter - start])
    end = int(backwards[0]) if backwards.size else shorter - start
    ends = [(0, start, 0, start), (len(old) - end, len(old), len(new) - end, len(new))]
    same, place = _find(old[start : len(old) - end], new[start : len(new) - end])
    here, there = np.flatnonzero(same) + start, place[same] + start
    differ = np.zeros(len(old), bool)
    differ[start : len(old) - end] = ~same
    missing = np.zeros(len(new), bool)
    missing[start : len(new) - end] = True
    missing[there] = False
    unequal = _changed(before.take(here), after.take(there))
    differ[here[unequal]] = missing[there[unequal]] = True
    for first, last, other, stop in ends:
        unequal = _changed(before.iloc[first:last], after.iloc[other:stop])
        differ[first:last], missing[other:stop] = unequal, unequal
    return np.flatnonzero(differ), np.flatnonzero(missing)


def patch(table: pd.DataFrame, delta: Delta | None) -> pd.DataFrame:
    """Return ``table`` without a delta's removed rows and with its added ones."""
    if delta is None:
        return table
    keys, removed = row_keys(table, delta.removed)
    there, place = _find(removed, keys)
    gone = np.zeros(len(table), bool)
    gone[place[there]] = True
    return replace_rows(table, gone, delta.added)


def _find(keys: IntArray, among: IntArray) -> tuple[BoolArray, IntArray]:
    """Return which keys are in the ascending ``among``, and where."""
    if not len(among):
        return np.zeros(len(keys), bool), np.zeros(len(keys), np.int64)
    place = np.minimum(np.searchsorted(among, keys), len(among) - 1)
    return among[place] == keys, place


def _changed(left: pd.DataFrame, right: pd.DataFrame) -> BoolArray:
    """Return which rows of two tables with the same faces and frames differ."""
    changed = np.zeros(len(left), bool)
    for name in DETECTIONS:
        if same_column(left, right, name):
            continue
        a, b = values_of(name, left, right)
        unlike = a != b
        if unlike.any():  # two unknown numbers are alike
            changed |= unlike & ((a == a) | (b == b))
    return changed
