"""Partial files: unfinished, created exclusively and locked while they are written, and removed when abandoned."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path

from redactkit.errors import OptionError

with suppress(ImportError):  # on Windows there is none, and a file that is open cannot be removed
    import fcntl

__all__ = [
    "OPEN_NEW",
    "PARTIAL_SUFFIX",
    "PRIVATE_FILE",
    "is_same",
    "lock",
    "make_partial_file",
    "remove_partial_file",
    "set_mode",
    "sweep_partial_files",
]

PARTIAL_SUFFIX = ".redactkit-part"
"""What the names of partial files end with."""

PRIVATE_FILE = 0o600
"""Permissions of a file that only its owner may read."""

_ABANDONED_SECONDS = 24 * 3600
"""Age at which a partial file of another machine is removed, since its lock cannot be seen from here."""

_MAX_NAME_TRIES = 100
_WINDOWS = os.name == "nt"
_OPEN_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
OPEN_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | _OPEN_NOFOLLOW | getattr(os, "O_BINARY", 0)
"""Flags to create a file that is not there yet."""


def make_partial_file(folder: Path, *, mode: int = PRIVATE_FILE) -> tuple[Path, int]:
    """Create a partial file in a folder, and return it open and locked."""
    for _ in range(_MAX_NAME_TRIES):
        part = folder / f".{_machine_prefix()}{secrets.token_hex(8)}{PARTIAL_SUFFIX}"
        try:
            descriptor = os.open(part, OPEN_NEW, mode)
            if mode == PRIVATE_FILE and stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
                with suppress(OSError):  # of file systems that know no permissions
                    set_mode(part, descriptor, mode)
            # A concurrent `sweep_partial_files` may have locked and removed it first; then try another name.
            if lock(descriptor) is not False and is_same(part, descriptor):
                return part, descriptor
            os.close(descriptor)
        except FileExistsError:
            continue
        except BaseException:
            # An interrupt may come as soon as the file is there. Nobody else makes up the same name.
            part.unlink(missing_ok=True)
            raise
    raise OptionError(
        f"no file can be made in {folder}: each of {_MAX_NAME_TRIES} names was taken; look who else writes there"
    )


def set_mode(part: Path, descriptor: int, mode: int) -> None:
    """Set permissions of the open file, not of another file that has its name by now."""
    if _WINDOWS:
        part.chmod(mode)
    else:
        os.fchmod(descriptor, mode)


def lock(descriptor: int) -> bool | None:
    """Lock a file until it is closed; return False if another process holds the lock, None if locks do not work."""
    if _WINDOWS:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_same(path: Path, descriptor: int) -> bool:
    """Return whether the path still names the open file, and is no link."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))
    except OSError:
        return False


def sweep_partial_files(folder: str | Path) -> list[Path]:
    """Remove partial files in ``folder`` whose writers have ended; return what was removed.

    Partial files of another machine are removed after a day: whether their writer still runs cannot be seen here.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sweep_partial_files(folder)
    []
    """
    return [part for part in Path(folder).glob(f".*{PARTIAL_SUFFIX}*") if remove_partial_file(part)]


def remove_partial_file(part: Path, *, dry_run: bool = False) -> bool:
    """Remove a partial file if its writer has ended; return whether it has."""
    try:
        descriptor = os.open(part, os.O_RDWR | _OPEN_NOFOLLOW | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return False
        free = lock(descriptor) if part.name.startswith(f".{_machine_prefix()}") else None
        ended = free is True or (free is None and time.time() - status.st_mtime >= _ABANDONED_SECONDS)
        # Removed while locked: a writer that has just made it notices and makes another.
        if ended and not dry_run:
            with suppress(FileNotFoundError):
                part.unlink()
        return ended
    finally:
        os.close(descriptor)


def _machine_prefix() -> str:
    """Return a short hash of this machine's name, since several machines may write to one shared folder."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]
