"""Files that are whole or absent: written beside the target under a name nobody can foresee, named when complete.

The unfinished file, the *part*, is made exclusively and locked (``flock``) for as long as it is written, so that
a lock that can be had tells that whoever wrote it is gone. What is written is readable by its owner alone, unless
it is for the public. Without ``overwrite`` the last step is a hard link, which never replaces a file that came
meanwhile.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from redactkit.errors import OptionError, OutputExistsError

with suppress(ImportError):  # on Windows there is none, and a file that is open cannot be removed
    import fcntl

__all__ = [
    "CHECKPOINT",
    "JOBS_FOLDER",
    "LONGEST_NAME",
    "PART",
    "check_output",
    "check_video_output",
    "fit_name",
    "locked",
    "make_private",
    "open_to_append",
    "remove_part",
    "replacing",
    "report_path",
    "sweep_parts",
    "write_bytes",
    "write_text",
    "writing",
]

PART, CHECKPOINT, JOBS_FOLDER = ".redactkit-part", ".redactkit-checkpoint", ".redactkit-jobs"
"""Names of what a pass needs on its way: unfinished files, parts of an analysis, and of a job."""
LONGEST_NAME = 255
"""Bytes of the longest file name that common file systems take."""

_PRIVATE, _PRIVATE_FILE, _ORDINARY_FILE = 0o700, 0o600, 0o666
_FORSAKEN = 24 * 3600
_TRIES = 100
_VIDEO, _REPORT = ".mp4", ".report"
_WINDOWS = os.name == "nt"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | _NO_LINK | getattr(os, "O_BINARY", 0)


def check_output(path: str | Path, *, overwrite: bool = False, sources: tuple[Path, ...] = ()) -> Path:
    """Return ``path`` if a file may be written there.

    Raises
    ------
    OutputExistsError
        If the file exists and ``overwrite`` is false, it is a folder, or it is one of ``sources`` (always).
    OptionError
        If the name is longer than a file system takes.
    """
    target = Path(path)
    length = len(os.fsencode(target.name))
    if length > LONGEST_NAME:
        raise OptionError(
            f"a file's name has at most {LONGEST_NAME} bytes, got {length} in {target.name[:40]}...; shorten it"
        )
    if any(source.exists() and target.exists() and source.samefile(target) for source in sources):
        raise OutputExistsError(f"{target} is the source itself, which is never written to; name another output")
    if target.is_dir():
        raise OutputExistsError(f"{target} is a folder; name a file in it")
    # A link that leads nowhere is there too: whoever put it there may have wanted it to be written through.
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
    """Return a file's name, the stem shortened and told apart by its hash where the whole is too long.

    Examples
    --------
    >>> fit_name("foo", "_redacted.mp4")
    'foo_redacted.mp4'
    >>> len(fit_name("f" * 250, "_redacted.mp4"))
    255
    """
    name = stem + ending
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    mark = f"~{hashlib.sha256(os.fsencode(stem)).hexdigest()[:12]}"
    room = LONGEST_NAME - len(os.fsencode(mark + ending))
    # Whole characters go, since half of one is no name on some systems.
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + mark + ending


def report_path(output: str | Path) -> Path:
    """Return where the report of a redacted video is saved: ``foo.report.json`` for ``foo.mp4``.

    No two outputs share one: an ending other than ``.mp4`` in small letters stands in the report's own.

    Examples
    --------
    >>> report_path("foo_redacted.mp4").name, report_path("foo.x.mp4").name, report_path("foo.MP4").name
    ('foo_redacted.report.json', 'foo.x.report.json', 'foo.report.MP4.json')
    """
    video = Path(output)
    told = "" if video.suffix == _VIDEO else video.suffix
    return video.with_name(fit_name(video.stem, f"{_REPORT}{told}.json"))


def make_private(folder: str | Path) -> Path:
    """Make a folder that its owner alone may look into, and those above it; one that is there stays as it is.

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
        if stat.S_IMODE(path.stat().st_mode) & _PRIVATE != _PRIVATE:  # an umask that takes from the owner too
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
        If a file is there and ``overwrite`` is false, also one that came while this one was written.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with writing(target) as file:
    ...     _ = file.write(b"whole")
    >>> target.read_text()
    'whole'
    """
    with _unfinished(path, overwrite=overwrite) as (_, descriptor), open(descriptor, "r+b", closefd=False) as file:
        yield file


@contextmanager
def replacing(path: str | Path, *, overwrite: bool = False, public: bool = False) -> Iterator[Path]:
    """Yield the path of the unfinished file, for writers that open files by name; else as `writing`.

    ``public`` gives the whole file the permissions that the umask leaves to new files.
    """
    with _unfinished(path, overwrite=overwrite, public=public) as (part, _):
        yield part


@contextmanager
def _unfinished(path: str | Path, *, overwrite: bool, public: bool = False) -> Iterator[tuple[Path, int]]:
    target = check_output(path, overwrite=overwrite)
    part, descriptor = _make_part(make_private(target.parent))
    try:
        yield part, descriptor
        if not _is_same(part, descriptor):
            raise OutputExistsError(f"{part} was replaced by another file while {target} was written; nothing is kept")
        if public:
            with suppress(PermissionError):  # of file systems that know no permissions
                _permit(part, descriptor, _ordinary_mode(target.parent))
        if _WINDOWS:  # where a file that is open cannot be renamed
            os.close(descriptor)
            descriptor = -1
        _give_name(part, target, overwrite=overwrite)
    finally:
        if descriptor == -1 or _is_same(part, descriptor):
            part.unlink(missing_ok=True)
        if descriptor != -1:
            os.close(descriptor)


def _make_part(folder: Path, *, mode: int = _PRIVATE_FILE) -> tuple[Path, int]:
    """Make a part in a folder, and return it open and locked."""
    for _ in range(_TRIES):
        part = folder / f".{_machine()}{secrets.token_hex(8)}{PART}"
        try:
            descriptor = os.open(part, _NEW, mode)
        except FileExistsError:
            continue
        if mode == _PRIVATE_FILE and stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
            with suppress(OSError):  # of file systems that know no permissions
                _permit(part, descriptor, mode)
        # Who sweeps may have taken the lock first, and removes the part: then it takes another.
        if _lock(descriptor) is not False and _is_same(part, descriptor):
            return part, descriptor
        os.close(descriptor)
    raise OptionError(f"no file can be made in {folder}: each of {_TRIES} names was taken; look who else writes there")


def _permit(part: Path, descriptor: int, mode: int) -> None:
    """Set permissions of the file that is open, not of whatever has its name by now."""
    if _WINDOWS:
        part.chmod(mode)
    else:
        os.fchmod(descriptor, mode)


def _lock(descriptor: int) -> bool | None:
    """Lock a file until it is closed; return whether nobody else holds it, None where it cannot be locked."""
    if _WINDOWS:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _is_same(path: Path, descriptor: int) -> bool:
    """Return whether the name still is of the file that is open, and no link."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def _ordinary_mode(folder: Path) -> int:
    """Return the permissions of a new file here.

    The umask can be asked for only by setting it, which other threads would see; so an empty file is made.
    """
    probe, descriptor = _make_part(folder, mode=_ORDINARY_FILE)
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
        _claim(target)
        try:
            part.replace(target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def _claim(target: Path) -> None:
    """Make an empty file of this name, which of several writers one can."""
    try:
        os.close(os.open(target, _NEW, _PRIVATE_FILE))
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
    """Open a file to add to its end; it is made if it is missing, and made its owner's alone if it is not yet.

    Raises
    ------
    OptionError
        If it is a link, or cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, _PRIVATE_FILE)
    except OSError as err:
        reason = "it is a link" if err.errno == errno.ELOOP else err.strerror or str(err)
        raise OptionError(f"{path} cannot be added to: {reason}; name another file") from err
    if not _WINDOWS and os.fstat(descriptor).st_mode & 0o077:
        with suppress(OSError):
            os.fchmod(descriptor, _PRIVATE_FILE)
    return os.fdopen(descriptor, "ab")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time in, of those that lock this folder; the others wait.

    A folder that was removed meanwhile is made anew, so that all lock the same one.
    """
    descriptor = -1
    while not _WINDOWS:
        descriptor = os.open(make_private(folder), os.O_RDONLY | os.O_DIRECTORY | _NO_LINK)
        with suppress(OSError):  # of file systems without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_same(folder, descriptor):
            break
        os.close(descriptor)
    try:
        yield
    finally:
        if descriptor != -1:
            os.close(descriptor)


def sweep_parts(folder: str | Path) -> list[Path]:
    """Remove unfinished files in ``folder`` whose writers are gone; return what was removed.

    What another machine left is removed after a day, for whether it still runs cannot be known here.
    """
    return [part for part in Path(folder).glob(f".*{PART}*") if remove_part(part)]


def remove_part(part: Path, *, dry_run: bool = False) -> bool:
    """Remove an unfinished file if whoever wrote it is gone; return whether that is so."""
    try:
        descriptor = os.open(part, os.O_RDWR | _NO_LINK | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return False
        free = _lock(descriptor) if part.name.startswith(f".{_machine()}") else None
        gone = free is True or (free is None and time.time() - status.st_mtime >= _FORSAKEN)
        # Removed while locked: who has just made it sees that, and makes another.
        if gone and not dry_run:
            with suppress(FileNotFoundError):
                part.unlink()
        return gone
    finally:
        os.close(descriptor)


def _machine() -> str:
    """Return a few letters for this machine, since several may write to one shared folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]
