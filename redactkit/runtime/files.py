"""Atomic writing: a file is complete or absent. It is written under a random name and renamed when complete.

The unfinished file, the *partial file*, is created exclusively and locked (``flock``) while it is written. If the lock
is free, its writer has ended. Files are readable by their owner alone, unless they are public. Without ``overwrite``
the last step is a hard link, which never replaces a file that appeared meanwhile.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from redactkit.errors import OptionError, OutputExistsError, RedactkitError
from redactkit.runtime.partial_files import OPEN_NEW, PRIVATE_FILE, is_same, make_partial_file, set_mode

with suppress(ImportError):  # on Windows there is none, and a file that is open cannot be removed
    import fcntl

__all__ = [
    "CHECKPOINT",
    "Stamp",
    "JOBS_FOLDER",
    "MAX_NAME_BYTES",
    "check_output",
    "check_path",
    "check_video_output",
    "fit_name",
    "locked",
    "check_writable",
    "make_private",
    "may_write",
    "open_to_append",
    "replacing",
    "stamp",
    "report_path",
    "write_bytes",
    "write_text",
    "writing",
]

CHECKPOINT, JOBS_FOLDER = ".redactkit-checkpoint", ".redactkit-jobs"
"""Names of intermediate files: checkpoints of an analysis, and the working folder of jobs."""
MAX_NAME_BYTES = 255
"""Bytes of the longest file name that common file systems take."""

_PRIVATE, _ORDINARY_FILE = 0o700, 0o666

_VIDEO, _REPORT, _CHECK = ".mp4", ".report", ".check"
_WINDOWS = os.name == "nt"
_OPEN_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def check_output(path: str | Path, *, overwrite: bool = False, sources: tuple[Path, ...] = ()) -> Path:
    """Return ``path`` if a file may be written there.

    Raises
    ------
    OutputExistsError
        If the file exists and ``overwrite`` is false, or, always, if it is a folder, a device or one of ``sources``.
    OptionError
        If the name is longer than a file system takes.
    """
    target = Path(path)
    length = len(os.fsencode(target.name))
    if length > MAX_NAME_BYTES:
        raise OptionError(
            f"a file's name has at most {MAX_NAME_BYTES} bytes, got {length} in {target.name[:40]}...; shorten it"
        )
    if any(source.exists() and target.exists() and source.samefile(target) for source in sources):
        raise OutputExistsError(f"{target} is the source itself, which is never written to; name another output")
    if target.is_dir():
        raise OutputExistsError(f"{target} is a folder; name a file in it")
    if target.exists() and not target.is_file():
        raise OutputExistsError(
            f"{target} is a device or a pipe, which would be replaced by a file; name another output"
        )
    # A dangling link counts as a file: whoever made it may want it to be written through.
    if os.path.lexists(target) and not overwrite:
        raise _taken(target)
    return target


def _taken(target: Path) -> OutputExistsError:
    return OutputExistsError(f"{target} exists; name another output or pass overwrite=True (--overwrite)")


def check_video_output(path: str | Path, *, overwrite: bool = False, sources: tuple[Path, ...] = ()) -> Path:
    """Return ``path`` if a redacted video may be written there; errors as of `check_output`.

    Raises
    ------
    OptionError
        If its name does not end in ``.mp4``, in any case.
    """
    target = Path(path)
    if target.suffix.lower() != _VIDEO:
        raise OptionError(
            f"a redacted video is an mp4, and players go by the ending, so that its name must end in {_VIDEO}; "
            f"got {target.name!r}, name it {target.stem + _VIDEO!r}"
        )
    return check_output(target, overwrite=overwrite, sources=sources)


def fit_name(stem: str, ending: str) -> str:
    """Return a file's name; a stem that is too long is shortened and gets its hash, so that names stay unique.

    Examples
    --------
    >>> fit_name("foo", "_redacted.mp4")
    'foo_redacted.mp4'
    >>> len(fit_name("f" * 250, "_redacted.mp4"))
    255
    """
    name = stem + ending
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return name
    mark = f"~{hashlib.sha256(os.fsencode(stem)).hexdigest()[:12]}"
    room = MAX_NAME_BYTES - len(os.fsencode(mark + ending))
    # Remove whole characters: a part of one is not a valid name on some systems.
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + mark + ending


def report_path(output: str | Path) -> Path:
    """Return where the report of a redacted video is saved: ``foo.report.json`` for ``foo.mp4``.

    No two outputs share one: a suffix other than lower-case ``.mp4`` is part of the report's suffix.

    Examples
    --------
    >>> report_path("foo_redacted.mp4").name, report_path("foo.x.mp4").name, report_path("foo.MP4").name
    ('foo_redacted.report.json', 'foo.x.report.json', 'foo.report.MP4.json')
    """
    return _beside(output, _REPORT)


def check_path(output: str | Path) -> Path:
    """Return where the leak check of a video is kept: ``foo.check.json`` for ``foo.mp4``; as of `report_path`."""
    return _beside(output, _CHECK)


def _beside(output: str | Path, kind: str) -> Path:
    video = Path(output)
    suffix = "" if video.suffix == _VIDEO else video.suffix
    return video.with_name(fit_name(video.stem, f"{kind}{suffix}.json"))


def check_writable(folder: str | Path) -> None:
    """Refuse a folder in which no file can be made, or which cannot be made itself; nothing is made yet.

    Raises
    ------
    OptionError
        If it, or the nearest folder above it that is there, may not be written to.
    """
    if not may_write(folder):
        raise OptionError(f"nothing can be written to {folder}; name another folder")


def may_write(folder: str | Path) -> bool:
    """Return whether files can be made in a folder, or in the nearest one above it that is there."""
    there = Path(folder).absolute()
    while not there.exists() and there.parent != there:
        there = there.parent
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


Stamp: TypeAlias = tuple[int, int, int] | None


def stamp(path: Path) -> Stamp:
    """Return by which a file is known to be as it was: time, size and inode; None where none is there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def make_private(folder: str | Path) -> Path:
    """Make a folder with permissions for its owner alone, with its parents; an existing one is not changed.

    Raises
    ------
    OptionError
        If it cannot be made, or a file is in its place.
    """
    path = Path(folder)
    try:
        if path.is_dir():
            return path
        if path.parent != path:
            make_private(path.parent)
        path.mkdir(mode=_PRIVATE, exist_ok=True)
        if stat.S_IMODE(path.stat().st_mode) & _PRIVATE != _PRIVATE:  # the umask removed permissions of the owner
            path.chmod(_PRIVATE)
    except OSError as err:
        raise OptionError(f"{path} cannot be made a folder: {err.strerror or err}; name another one") from err
    return path


@contextmanager
def writing(path: str | Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Yield a file to write to; on a clean exit it becomes ``path``, on an exception it is removed.

    Its folder is made if it is missing. The file is readable by its owner alone, from its first byte.

    Raises
    ------
    OutputExistsError
        If a file exists and ``overwrite`` is false, also one that appeared during the writing.
    OptionError
        If it cannot be written, as on a full disk.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with writing(target) as file:
    ...     _ = file.write(b"whole")
    >>> target.read_text()
    'whole'
    """
    with _unfinished(path, overwrite=overwrite) as (_, descriptor):
        try:
            with open(descriptor, "r+b", closefd=False) as file:
                yield file
        except OSError as err:
            # An error of writing names no file; one that does is of something else that was opened meanwhile.
            if isinstance(err, RedactkitError) or err.filename is not None:
                raise
            raise _unwritable(path, err) from err


@contextmanager
def replacing(path: str | Path, *, overwrite: bool = False, public: bool = False) -> Iterator[Path]:
    """Yield the path of the partial file, for writers that open files by name; otherwise like `writing`.

    ``public`` gives the complete file the permissions of ordinary new files (the umask's).
    """
    with _unfinished(path, overwrite=overwrite, public=public) as (part, _):
        yield part


@contextmanager
def _unfinished(path: str | Path, *, overwrite: bool, public: bool = False) -> Iterator[tuple[Path, int]]:
    target = check_output(path, overwrite=overwrite)
    try:
        part, descriptor = make_partial_file(make_private(target.parent))
    except OSError as err:
        if isinstance(err, RedactkitError):
            raise
        raise _unwritable(path, err) from err
    try:
        yield part, descriptor
        if not is_same(part, descriptor):
            raise OutputExistsError(f"{part} was replaced by another file while {target} was written; nothing is kept")
        if public:
            with suppress(PermissionError):  # of file systems that know no permissions
                set_mode(part, descriptor, _ordinary_mode(target.parent))
        if _WINDOWS:  # where a file that is open cannot be renamed
            os.close(descriptor)
            descriptor = -1
        _give_name(part, target, overwrite=overwrite)
    finally:
        if descriptor == -1 or is_same(part, descriptor):
            part.unlink(missing_ok=True)
        if descriptor != -1:
            os.close(descriptor)


def _unwritable(path: str | Path, err: OSError) -> OptionError:
    return OptionError(f"{path} cannot be written: {err.strerror or err}; make room, or name another output")


def _ordinary_mode(folder: Path) -> int:
    """Return the permissions of a new file here.

    The umask can only be read by setting it, which other threads would notice; so an empty file is made instead.
    """
    probe, descriptor = make_partial_file(folder, mode=_ORDINARY_FILE)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


def _give_name(part: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(target)
        return
    try:
        os.link(part, target, follow_symlinks=False)
    except FileExistsError:
        raise _taken(target) from None
    except (OSError, NotImplementedError):  # a file system without hard links
        _reserve(target)
        try:
            part.replace(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _reserve(target: Path) -> None:
    """Create an empty file of this name; of several writers one succeeds."""
    try:
        os.close(os.open(target, OPEN_NEW, PRIVATE_FILE))
    except FileExistsError:
        raise _taken(target) from None


def write_bytes(path: str | Path, data: bytes, *, overwrite: bool = False) -> Path:
    """Write ``data``, whole or not at all, for its owner alone."""
    with writing(path, overwrite=overwrite) as file:
        file.write(data)
    return Path(path)


def write_text(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write ``text`` as UTF-8, whole or not at all, for its owner alone."""
    return write_bytes(path, text.encode("utf-8"), overwrite=overwrite)


def open_to_append(path: str | Path) -> BinaryIO:
    """Open a file for appending, created if missing, with permissions for its owner alone.

    Raises
    ------
    OptionError
        If it is a link, or cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _OPEN_NOFOLLOW | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, PRIVATE_FILE)
    except OSError as err:
        reason = "it is a link" if err.errno == errno.ELOOP else err.strerror or str(err)
        raise OptionError(f"{path} cannot be added to: {reason}; name another file") from err
    if not _WINDOWS and os.fstat(descriptor).st_mode & 0o077:
        with suppress(OSError):
            os.fchmod(descriptor, PRIVATE_FILE)
    return os.fdopen(descriptor, "ab")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an exclusive lock on a folder; other processes that lock it wait.

    A folder that was removed meanwhile is made again, so that all lock the same one.
    """
    descriptor = -1
    while not _WINDOWS:
        descriptor = os.open(make_private(folder), os.O_RDONLY | os.O_DIRECTORY | _OPEN_NOFOLLOW)
        with suppress(OSError):  # of file systems without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if is_same(folder, descriptor):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        if descriptor != -1:
            os.close(descriptor)
