"""ID lists: the faces an analyst wants redacted, one ID per line, and what they were written for.

An ID means a face only in the annotations that it was read from: after another analysis it may be somebody
else's. So beside a list lies ``foo_IDList.txt.json`` with a hash of each face that its writer saw. A list of
another tool, or written by hand, has none, and is taken as it is.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.formats.source import load_bytes, to_utf8
from redactkit.runtime.files import check_output, fit_name, write_bytes, write_text
from redactkit.runtime.marks import ID_LIST_MARK
from redactkit.tables import BOX, FaceIds, as_face_ids

__all__ = [
    "binding_path",
    "faces_of_list",
    "find_id_lists",
    "id_list_name",
    "read_ids",
    "remove_ids",
    "set_aside",
    "write_ids",
]

_MOST_BYTES = 16 * 2**20
_SEPARATORS = re.compile(r"[\s,;]+")
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_ENDING = "_IDList.txt"
_FIGURES = 16  # of a face's hash
_NAMED = 5  # faces in a message
# Boxes are compared in quarters of a pixel, not at round numbers, where the last digit of a file would decide.
_STEPS, _SHIFT = 4.0, 0.3142
_NOWHERE = -(2.0**40)


class _Binding(Struct, forbid_unknown_fields=True):
    """What a list was written for: its faces by ID, each with its hash."""

    redactkit: str
    version: int
    faces: dict[str, str]


def id_list_name(stem: str) -> str:
    """Return the name of a video's ID list.

    Examples
    --------
    >>> id_list_name("foo")
    'foo_IDList.txt'
    """
    return fit_name(stem, _ENDING)


def binding_path(path: str | Path) -> Path:
    """Return where it is written what an ID list was written for."""
    listed = Path(path)
    return listed.with_name(fit_name(listed.name, ".json"))


def find_id_lists(folder: str | Path, stem: str) -> list[Path]:
    """Return the ID lists of a video in a folder; the original system's users wrote ``idlist`` in any case.

    Examples
    --------
    >>> find_id_lists("lobby_analysis/", "lobby")  # doctest: +SKIP
    """
    name = id_list_name(stem)
    kept = name.removesuffix(_ENDING)
    home = Path(folder)
    found = sorted(home.iterdir()) if home.is_dir() else []
    wanted = _ENDING.lower()
    return [path for path in found if path.name[: len(kept)] == kept and path.name[len(kept) :].lower() == wanted]


def set_aside(path: Path) -> Path:
    """Rename an ID list whose annotations are about to be replaced, so that nothing takes it for theirs."""
    aside = path.with_name(fit_name(path.stem, f".old{path.suffix}"))
    path.replace(aside)
    bound = binding_path(path)
    if bound.exists():
        bound.replace(binding_path(aside))
    else:
        binding_path(aside).unlink(missing_ok=True)
    return aside


def remove_ids(path: Path) -> None:
    """Remove an ID list, if it is there, and what it was written for."""
    path.unlink(missing_ok=True)
    binding_path(path).unlink(missing_ok=True)


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


def write_ids(
    path: str | Path, ids: FaceIds, *, annotations: Annotations | None = None, overwrite: bool = False
) -> Path:
    """Write an ID list in plain ASCII, one ID a line.

    Parameters
    ----------
    path : path
    ids : iterable of int
    annotations : Annotations, optional
        Those that the IDs are of; the list is then refused with others. See `faces_of_list`.
    overwrite : bool

    Raises
    ------
    AnnotationError
        If ``ids`` is empty: a blank list would select every face; leave the file out instead.
    OutputExistsError
        If the file exists and ``overwrite`` is false.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_ids(f"{folder}/lobby_IDList.txt", [1, 3]).read_text().split()
    ['1', '3']
    """
    lines = [f"{face}\n" for face in as_face_ids(ids)]
    if not lines:
        raise AnnotationError(f"{path}: an ID list of no faces would mean every face; write none, or name the faces")
    target = check_output(path, overwrite=overwrite)
    bound = binding_path(target)
    # If this is stopped half way, the list that is there does not go with what it was written for, and is refused.
    if annotations is not None:
        binding = _Binding(ID_LIST_MARK, 1, {str(face): digest for face, digest in _hash_faces(annotations).items()})
        write_bytes(bound, msgspec.json.encode(binding), overwrite=True)
    write_text(target, "".join(lines), overwrite=overwrite)
    if annotations is None:
        bound.unlink(missing_ok=True)
    return target


def faces_of_list(path: str | Path, annotations: Annotations) -> list[int]:
    """Return the faces that an ID list selects: those it names, and those that its writer never saw.

    Raises
    ------
    AnnotationError
        If the list cannot be read, was written for other annotations, or names no face of these.

    Examples
    --------
    >>> faces_of_list("lobby_IDList.txt", annotations)  # doctest: +SKIP
    [1, 2, 4]
    """
    wanted = read_ids(path)
    if not wanted:
        return []
    now = _hash_faces(annotations)
    then = _read_binding(binding_path(path))
    if then is not None:
        _check_binding(path, then, now)
    if now and not set(wanted) & set(now):
        raise AnnotationError(
            f"{path} names {_listed(wanted)}, and the annotations have only {_listed(sorted(now))}, so that it is a "
            "list of others; write a new one, or leave it away to redact every face"
        )
    unseen = [] if then is None else [face for face in now if face not in then]
    return list(dict.fromkeys([*wanted, *unseen]))


def _check_binding(path: str | Path, then: dict[int, str], now: dict[int, str]) -> None:
    gone = [face for face in then if face not in now]
    other = [face for face in then if face in now and now[face] != then[face]]
    if gone or other:
        what = f"{_listed(gone)} is gone" if gone else f"{_listed(other)} has other boxes now"
        raise AnnotationError(
            f"{path} was written for other annotations than these: {what}; look at the faces and save the list "
            "anew, or leave it away to redact as the annotations say"
        )


def _listed(faces: list[int]) -> str:
    more = f" and {len(faces) - _NAMED} more" if len(faces) > _NAMED else ""
    return f"face {', '.join(map(str, faces[:_NAMED]))}{more}"


def _read_binding(path: Path) -> dict[int, str] | None:
    if not path.exists():
        return None
    try:
        binding = msgspec.json.decode(load_bytes(path, most=_MOST_BYTES), type=_Binding)
        return {int(face): digest for face, digest in binding.faces.items()}
    except (msgspec.MsgspecError, ValueError) as err:
        raise AnnotationError(
            f"{path} should say what the list beside it was written for, and cannot be read: {err}; "
            "save the list anew, or remove this file if the list is right"
        ) from err


def _hash_faces(annotations: Annotations) -> dict[int, str]:
    """Return for each face a hash of where it is in which frame."""
    table = annotations.detections
    if table.empty:
        return {}
    frames, faces = table["frame"].to_numpy(np.int64), table["face_id"].to_numpy(np.int64)
    steps = np.floor(table[BOX].to_numpy(np.float64) * _STEPS + _SHIFT)
    steps = np.nan_to_num(steps, nan=_NOWHERE, posinf=-_NOWHERE, neginf=_NOWHERE)
    rows = np.column_stack([frames, steps.astype(np.int64)])
    order = np.lexsort((frames, faces))
    known, starts = np.unique(faces[order], return_index=True)
    parts = np.split(rows[order], starts[1:])
    return {
        face: hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest()[:_FIGURES]
        for face, part in zip(known.tolist(), parts, strict=True)
    }
