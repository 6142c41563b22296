"""ID lists: the faces an analyst wants redacted, one ID per line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from redactkit.errors import AnnotationError
from redactkit.files import write_text
from redactkit.formats.source import load_bytes, to_utf8

__all__ = ["read_ids", "write_ids"]

_MOST_BYTES = 16 * 2**20
_SEPARATORS = re.compile(r"[\s,;]+")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")


def read_ids(path: str | Path) -> list[int]:
    r"""Read an ID list.

    Parameters
    ----------
    path : path
        Text in ASCII, ANSI, UTF-8 or UTF-16, with any line ends; IDs one a line, or separated by
        commas as in ``1, 4, 7``.

    Returns
    -------
    list of int
        Each ID once, in the file's order; empty for a blank list, which selects every face.

    Raises
    ------
    AnnotationError
        If the file cannot be read or a word is no whole number; the line is named.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "foo_IDList.txt"
    >>> path.write_bytes(b"1\r\n4, 7\r\n")
    9
    >>> read_ids(path)
    [1, 4, 7]
    """
    data = to_utf8(load_bytes(path, most=_MOST_BYTES), path=path)
    text = data.decode("cp1252", "replace").replace("\x1a", "").replace("\xa0", " ")
    ids: dict[int, None] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        for word in filter(None, _SEPARATORS.split(line)):
            if _NUMBER.fullmatch(word) is None:
                raise AnnotationError(f"{path}: line {number}: expected a face ID, got {word[:40]!r}")
            ids[int(word)] = None
    return list(ids)


def write_ids(path: str | Path, ids: Iterable[int], *, overwrite: bool = False) -> Path:
    """Write an ID list in plain ASCII, one ID a line.

    Raises
    ------
    AnnotationError
        If ``ids`` is empty: a blank list would select every face; leave the file out instead.
    OutputExistsError
        If the file exists and ``overwrite`` is false.
    """
    lines = [f"{int(face)}\n" for face in ids]
    if not lines:
        raise AnnotationError(f"{path}: an ID list of no faces would mean every face; write none, or name the faces")
    return write_text(path, "".join(lines), overwrite=overwrite)
