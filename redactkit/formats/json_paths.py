"""Places in JSON text: from a byte to the JSON path there, and back."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["byte_at_json_path", "json_path_at"]

_MOST_BYTES = 20_000_000
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

Steps = list[str | int]


def json_path_at(text: bytes, byte: int) -> str | None:
    """Return the JSON path of the value at or after ``byte``; None beyond the first 20 MB.

    Examples
    --------
    >>> json_path_at(b'{"a": [1, NaN]}', 10)
    '$.a[1]'
    """
    if byte > _MOST_BYTES:
        return None
    last: Steps = []
    for start, steps in _values(text[: byte + 100]):
        last = steps.copy()
        if start >= byte:
            break
    return _spell(last)


def byte_at_json_path(text: bytes, path: str) -> int | None:
    """Return the byte at which the value of a JSON path starts; None if it is not in the first 20 MB.

    Examples
    --------
    >>> byte_at_json_path(b'{"a": [1, true]}', "$.a[1]")
    10
    """
    wanted: Steps = [int(place) if place else key for key, place in _STEP.findall(path)]
    if _spell(wanted) != path:
        return None
    return next((start for start, steps in _values(text[:_MOST_BYTES]) if steps == wanted), None)


def _spell(steps: Steps) -> str:
    return "$" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _values(text: bytes) -> Iterator[tuple[int, Steps]]:
    """Traverse JSON, which may be broken, and yield the start and the path of every value.

    The list of steps is the same object each time, changed in place.
    """
    steps: Steps = []
    key = False
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in (b"]", b"}"):
            steps[-1:] = []
            key = False
        elif mark == b",":
            if steps and isinstance(steps[-1], int):
                steps[-1] += 1
            else:
                key = bool(steps)
        elif mark == b":":
            key = False
        elif key:
            steps[-1:] = [mark.strip(b'"').decode("utf-8", "replace")]
        else:
            yield token.start(), steps
            if mark == b"[":
                steps.append(0)
            elif mark == b"{":
                steps.append("")
                key = True
