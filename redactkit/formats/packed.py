"""Archives, compressed files and folders: the text files in them, in memory and within bounds.

Nothing is ever unpacked to disk: a name inside an archive is only a name, so one with ``..`` or a drive in it reaches
nothing.
"""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from redactkit.errors import AnnotationError
from redactkit.formats.source import MAX_BYTES, load_bytes

__all__ = ["MAX_FILES", "is_gzip", "is_zip", "read_folder", "unpack_gzip", "unpack_zip"]

MAX_FILES = 200_000
_DEEPEST = 8
_TEXTS = {
    ".xml", ".json", ".jsonl", ".ndjson", ".txt", ".csv", ".tsv", ".ini", ".yaml", ".yml", ".names", ".data",
    ".parquet", ".mat",
}  # fmt: skip
_CHUNK = 1 << 20
_ENTRY = b"PK\x01\x02"
_FAULTS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    NotImplementedError,
)

Files = dict[str, bytes]


def is_gzip(data: bytes) -> bool:
    """Return whether bytes are those of a gzip file."""
    return data[:3] == b"\x1f\x8b\x08"


def is_zip(data: bytes) -> bool:
    """Return whether bytes are those of a ZIP archive."""
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def unpack_gzip(data: bytes, *, path: str | Path) -> bytes:
    """Return what a gzip file holds.

    Raises
    ------
    AnnotationError
        If it is damaged, or larger than `MAX_BYTES` when unpacked.

    Examples
    --------
    >>> import gzip
    >>> unpack_gzip(gzip.compress(b"1,1,10,10,20,20"), path="a.txt.gz")
    b'1,1,10,10,20,20'
    """
    parts: list[bytes] = []
    size, rest = 0, data
    try:
        while rest.lstrip(b"\0"):  # a file may hold several streams, and be padded
            stream = zlib.decompressobj(wbits=31)
            while not stream.eof:
                parts.append(stream.decompress(rest, _CHUNK))
                size += len(parts[-1])
                rest = stream.unconsumed_tail
                if size > MAX_BYTES:
                    raise AnnotationError(f"{path}: unpacked it has more than the {MAX_BYTES} bytes this reader takes")
                if not rest and not stream.eof:
                    raise AnnotationError(f"{path}: the gzip file is cut off; download it again")
            rest = stream.unused_data
    except zlib.error as err:
        raise AnnotationError(f"{path}: the gzip file is damaged: {err}") from err
    return b"".join(parts)


def unpack_zip(data: bytes, *, path: str | Path) -> Files:
    """Return the text files of a ZIP archive by their names.

    Raises
    ------
    AnnotationError
        If it is damaged, needs a password, has more than `MAX_FILES` entries, or its text files have more than
        `MAX_BYTES` bytes.
    """
    # Counted before the names are read, which alone could fill the memory.
    if data.count(_ENTRY) > MAX_FILES:
        raise AnnotationError(f"{path}: the archive has more than the {MAX_FILES} files this reader takes")
    files: Files = {}
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                if not _is_text(entry.filename) or entry.is_dir():
                    continue
                if entry.flag_bits & 1:
                    raise AnnotationError(f"{path}: {entry.filename[:80]} in the archive needs a password; unpack it")
                files[entry.filename] = _read_entry(archive, entry, left, path)
                left -= len(files[entry.filename])
    except _FAULTS as err:
        if isinstance(err, AnnotationError):
            raise
        raise AnnotationError(f"{path}: the ZIP archive is cut off or damaged ({err}); download it again") from err
    return files


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, left: int, path: str | Path) -> bytes:
    """Return a file of an archive, whatever the archive says of its size."""
    with archive.open(entry) as file:
        data = file.read(left + 1)
    if len(data) > left:
        raise AnnotationError(f"{path}: unpacked it has more than the {MAX_BYTES} bytes this reader takes")
    return data


def _is_text(name: str) -> bool:
    path = PurePosixPath(name.replace("\\", "/"))
    hidden = any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in path.parts)
    return path.suffix.lower() in _TEXTS and not hidden


def read_folder(folder: Path) -> Files:
    """Return the text files in a folder and below by their names in it; links are not followed.

    Raises
    ------
    AnnotationError
        If it cannot be read, or has more files or bytes than `unpack_zip` takes.
    """
    files: Files = {}
    left = MAX_BYTES
    for number, file in enumerate(_walk(folder, _DEEPEST)):
        if number >= MAX_FILES:
            raise AnnotationError(f"{folder}: the folder has more than the {MAX_FILES} files this reader takes")
        name = file.relative_to(folder).as_posix()
        if _is_text(name):
            files[name] = load_bytes(file, most=left)
            left -= len(files[name])
    return files


def _walk(folder: Path, deepest: int) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as err:
        raise AnnotationError(f"{folder}: cannot be read: {err}") from err
    for path in paths:
        if path.is_symlink():
            continue
        if path.is_dir():
            if deepest and not path.name.startswith("."):
                yield from _walk(path, deepest - 1)
        elif path.is_file():
            yield path
