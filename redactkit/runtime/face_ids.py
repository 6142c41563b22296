"""Face IDs as callers hand them over: one or many, of any kind of list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from redactkit.errors import OptionError

__all__ = ["FaceIds", "as_face_ids", "known_face_ids"]

FaceIds = int | Iterable[int]
"""One face ID, or any number of them: a list, a set, a NumPy array, a pandas Series or Index."""


def as_face_ids(given: FaceIds, *, name: str = "ids") -> list[int]:
    """Return face IDs as a list of plain integers, in the order given.

    Parameters
    ----------
    given : int or iterable of int
        One ID, or any iterable of them: list, set, range, generator, NumPy array, pandas Series or Index.
    name : str
        How an error calls it.

    Raises
    ------
    OptionError
        For anything that is no whole number: a text, a truth value, a number with a fraction.

    Examples
    --------
    >>> as_face_ids(np.array([0])), as_face_ids(pd.Index([3, 1])), as_face_ids(7)
    ([0], [3, 1], [7])
    """
    single = isinstance(given, Integral) or (isinstance(given, np.ndarray) and not given.ndim)
    whole: Any = [np.asarray(given)[()]] if single else given
    if isinstance(whole, str | bytes | Mapping | pd.DataFrame) or not isinstance(whole, Iterable):
        raise OptionError(f"{name} must be whole numbers, such as [1, 4], got {given!r:.80}")
    items: list[Any] = list(whole)
    for item in items:
        # A mask of true and false is no list of IDs, and 1.5 is no face.
        if isinstance(item, bool) or not isinstance(item, Integral):
            raise OptionError(f"{name} must be whole numbers, got {item!r:.80}; take them from tracks.index")
    return [int(item) for item in items]


def known_face_ids(given: FaceIds, faces: Iterable[int], *, name: str = "ids") -> list[int]:
    """Return face IDs as `as_face_ids` does; each must be that of a face.

    Parameters
    ----------
    given : int or iterable of int
    faces : iterable of int
        The IDs that there are.
    name : str
        How an error calls ``given``.

    Raises
    ------
    OptionError
        If an ID is no whole number, or no face has it.

    Examples
    --------
    >>> known_face_ids({2}, [1, 2, 3])
    [2]
    """
    ids = as_face_ids(given, name=name)
    known = {int(face) for face in faces}
    unknown = sorted(set(ids) - known)
    if unknown:
        raise OptionError(f"no face has the ID {_listed(unknown)}; the faces are {_listed(sorted(known))}")
    return ids


def _listed(ids: list[int], most: int = 20) -> str:
    text = ", ".join(map(str, ids[:most]))
    return f"{text} and {len(ids) - most} more" if len(ids) > most else text or "none"
