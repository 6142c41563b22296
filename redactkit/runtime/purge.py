"""Find and remove the files of redactkit that show or name persons.

A file is recognized by its content, not by its name: the mark that redactkit writes (`redactkit.runtime.marks`), or a
format that only redactkit uses. So files of others are never removed, and renamed ones are found.
"""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from redactkit.errors import OptionError
from redactkit.runtime.files import CHECKPOINT, JOBS_FOLDER, report_path
from redactkit.runtime.marks import (
    CHECK_MARK,
    COCO_CONTRIBUTOR,
    EMBEDDINGS_MARK,
    ID_LIST_MARK,
    MARK,
    MOT_MARK,
    PEOPLE_MARK,
    XML_MARK,
    YAML_MARK,
    is_csv_header,
    is_marked_jpeg,
    is_marked_png,
)
from redactkit.runtime.partial_files import PARTIAL_SUFFIX, remove_partial_file

__all__ = ["files_left", "purge"]

_HEAD_BYTES, _TAIL_BYTES, _MAX_READ_BYTES = 1 << 16, 1 << 12, 1 << 30
_ID_LIST = re.compile(r".*_idlist(\.old)?\.txt", re.DOTALL | re.IGNORECASE)
_IDS = re.compile(rb"[0-9\s,;]+")
_MOT_LINE = re.compile(rb"\d+,-?\d+(,[-+.\deE]+){5},(-1|0),-1,-1(\.00)?\n")
_BY_NAME = re.compile(r".*(_thumb\d{6}\.jpe?g|_annotations\.json|_idlist(\.old)?\.txt)", re.DOTALL | re.IGNORECASE)
_REPORT = {"source", "output", "settings", "faces", "fidelity"}
_UNREADABLE = "cannot be looked into"


class _Autosave(Struct, forbid_unknown_fields=True):
    """The first line of a review's autosave."""

    journal: int
    base: str


class _Azure(Struct):
    """What only redactkit's Azure files have: the format's time scale, and an object of its own."""

    timescale: int
    fragments: Raw
    redactkit: _Header


class _Header(Struct):
    schema: int
    video: Raw


class _Coco(Struct):
    info: _Info
    annotations: Raw


class _Info(Struct):
    contributor: str


class _Named(Struct):
    redactkit: str


class _Cell(Struct):
    outputs: list[Raw] = []


class _Notebook(Struct):
    cells: list[_Cell] = []
    metadata: dict[str, Raw] = {}


def purge(folder: str | Path, *, dry_run: bool = False) -> list[Path]:
    """Remove what redactkit wrote that shows or names faces, and unfinished work, in a folder and all below it.

    Removed are thumbnails, contact sheets, annotations of every format, vectors of faces, ID lists, leak checks,
    autosaves, and intermediate files of work that has ended. `files_left` lists what stays and may show faces too.
    Links are not followed.

    Parameters
    ----------
    folder : path
    dry_run : bool
        Only list what would be removed.

    Returns
    -------
    list of Path
        What was removed, files and whole folders.

    Raises
    ------
    OptionError
        If ``folder`` is none, or something in it may not be removed.

    Examples
    --------
    >>> purge("lobby_analysis/", dry_run=True)  # doctest: +SKIP
    """
    found = _own_files(_checked(folder))
    for path in () if dry_run else found:
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        except OSError as err:
            raise OptionError(f"{path} cannot be removed: {err.strerror or err}; change its permissions") from err
    return found


def files_left(folder: str | Path) -> list[tuple[Path, str]]:
    """Return what `purge` leaves in a folder although it may show or name faces, each with what it is.

    Listed are redacted videos and their reports, notebooks with outputs, files that have a name of redactkit's but
    not its mark, partial files that are still written, and what cannot be read. Videos of others are not listed.

    Raises
    ------
    OptionError
        If ``folder`` is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files_left(folder)
    []
    """
    home = _checked(folder)
    own = set(_own_files(home))
    found = [(path, _suspicion(path)) for path in _walk(home) if path not in own]
    return [(path, reason) for path, reason in found if reason]


def _checked(folder: str | Path) -> Path:
    home = Path(folder)
    if not home.is_dir():
        raise OptionError(f"{home} is not a folder")
    return home


def _own_files(home: Path) -> list[Path]:
    """Return what is to be removed; an ID list of any name is recognized by the file beside it."""
    paths = list(_walk(home))
    found = {path for path in paths if _is_own(path)}
    listed = {path.with_name(path.name.removesuffix(".json")) for path in found if path.suffix == ".json"}
    return sorted(found | {path for path in listed & set(paths) if _holds_ids(path)})


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, and as a whole folders of unfinished work and those that cannot be read."""
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        yield folder
        return
    for path in paths:
        if path.is_symlink():
            continue
        if path.is_dir() and not _is_work(path):
            yield from _walk(path)
        elif path.is_dir() or path.is_file():
            yield path


def _is_work(path: Path) -> bool:
    """Return whether a folder holds intermediate files of a pass or job."""
    return path.name == JOBS_FOLDER or (path.name.startswith(".") and path.name.endswith(CHECKPOINT))


def _is_own(path: Path) -> bool:
    if path.is_dir():
        return _is_work(path)
    if _is_part(path):
        return remove_partial_file(path, dry_run=True)
    try:
        return _has_mark(path, _read(path, _HEAD_BYTES))
    except OSError:
        return False


def _has_mark(path: Path, head: bytes) -> bool:
    if head.startswith((b"\xff\xd8", b"\x89PNG")):
        return is_marked_jpeg(head) or is_marked_png(head)
    if head.startswith(b"PK\x03\x04"):
        return YAML_MARK.encode() in head or f"{EMBEDDINGS_MARK}.npy".encode() in head[:100]
    if head.startswith(b"PAR1"):
        return _is_parquet(path)
    if head.startswith(b"{"):
        return _is_json(path, head)
    if head.startswith(b"<"):
        return XML_MARK.encode() in head
    if is_csv_header(head.split(b"\n", 1)[0].rstrip(b"\r").replace(b'"', b"").decode("utf-8", "replace")):
        return True
    if _MOT_LINE.match(head):
        return _read(path, -_TAIL_BYTES).endswith(f",{MOT_MARK}\n".encode())
    return bool(_ID_LIST.fullmatch(path.name)) and _holds_ids(path)


def _is_part(path: Path) -> bool:
    return path.name.startswith(".") and path.name.endswith(PARTIAL_SUFFIX)


def _is_json(path: Path, head: bytes) -> bool:
    """Recognize an autosave by its first line, annotations, a leak check and an ID list's other file by their mark."""
    if _decodes(head.split(b"\n", 1)[0], _Autosave) is not None:
        return True
    data = _read(path, _MAX_READ_BYTES)
    if MARK.encode() not in data:
        return False
    coco, binding = _decodes(data, _Coco), _decodes(data, _Named)
    return (
        _decodes(data, _Azure) is not None
        or (coco is not None and coco.info.contributor == COCO_CONTRIBUTOR)
        or (binding is not None and binding.redactkit in (ID_LIST_MARK, CHECK_MARK, PEOPLE_MARK))
    )


def _decodes(data: bytes, kind: Any) -> Any:
    """Return JSON as a value of a kind, None if it is none."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _holds_ids(path: Path) -> bool:
    return path.is_file() and _IDS.fullmatch(_read(path, _MAX_READ_BYTES)) is not None


def _is_parquet(path: Path) -> bool:
    """Return whether the key ``redactkit`` stands in the footer; strings there are a length and the bytes.

    References
    ----------
    Apache Parquet, "File format"; Thrift compact protocol: 0x18 is the type of a binary field after the one before.
    """
    end = _read(path, -8)
    length = struct.unpack("<I", end[:4])[0] if len(end) == 8 and end.endswith(b"PAR1") else 0
    key = MARK.encode()
    return b"\x18" + bytes([len(key)]) + key + b"\x18" in _read(path, -8 - min(length, _MAX_READ_BYTES))


def _suspicion(path: Path) -> str:
    """Return why a file that is not removed may show or name faces; empty if it is not known to."""
    if path.is_dir():
        return _UNREADABLE
    if _is_part(path):
        return "unfinished file that is still written, or of another machine"
    try:
        return _of_content(path)
    except OSError:
        return _UNREADABLE


def _of_content(path: Path) -> str:
    ending = path.suffix.lower()
    if ending == ".ipynb":
        return _of_notebook(path)
    if ending == ".mp4":
        return "redacted video" if path.stem.endswith("_redacted") or report_path(path).is_file() else ""
    if _BY_NAME.fullmatch(path.name):
        return "named like a file of redactkit, but without its mark"
    if ending == ".json" and set(_decodes(_read(path, _MAX_READ_BYTES), dict[str, Raw]) or {}) >= _REPORT:
        return "report of a redaction"
    return ""


def _of_notebook(path: Path) -> str:
    notebook = _decodes(_read(path, _MAX_READ_BYTES), _Notebook)
    if notebook is None:
        return "notebook that cannot be read"
    shown = "widgets" in notebook.metadata or any(cell.outputs for cell in notebook.cells)
    return "notebook with outputs; nbstripout takes them out" if shown else ""


def _read(path: Path, count: int) -> bytes:
    """Return the first ``count`` bytes, or the last ones if it is negative."""
    with path.open("rb") as file:
        if count < 0:
            file.seek(max(0, path.stat().st_size + count))
        return file.read(abs(count))
