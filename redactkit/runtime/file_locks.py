"""Which process a file belongs to while it runs: advisory locks, which end with the process however it ends."""

from __future__ import annotations

import os
import weakref
from pathlib import Path

__all__ = ["FileLock", "lock_file"]

_WINDOWS = os.name == "nt"
if not _WINDOWS:
    import fcntl


class FileLock:
    """A file that this process holds, until nobody in it refers to the lock any more.

    Parameters
    ----------
    descriptor : int
        Of the open file, closed with the lock.
    """

    def __init__(self, descriptor: int) -> None:
        weakref.finalize(self, os.close, descriptor)


_HELD: weakref.WeakValueDictionary[tuple[int, int], FileLock] = weakref.WeakValueDictionary()
"""What this process holds, by device and inode: `flock` would refuse it a second time."""


def lock_file(path: str | Path) -> FileLock | None:
    """Return a lock on a file that is there; None where another process holds it.

    Who holds it in this process already gets the same lock. On Windows, and on file systems without locks, nobody is
    ever refused.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    facts = os.fstat(descriptor)
    held = _HELD.get((facts.st_dev, facts.st_ino))
    if held is not None and not _WINDOWS:
        os.close(descriptor)
        return held
    if not _WINDOWS:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            pass  # a file system without locks
    lock = _HELD[facts.st_dev, facts.st_ino] = FileLock(descriptor)
    return lock
