"""Files that are whole or absent: written beside the target, renamed when complete."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redactkit.errors import OutputExistsError

__all__ = ["PART", "check_output", "make_private", "part_path", "replacing", "sweep_parts", "write_text"]

PART = ".redactkit-part"
_PRIVATE = 0o700
_FORSAKEN = 24 * 3600


def check_output(path: str | Path, *, overwrite: bool = False, sources: tuple[Path, ...] = ()) -> Path:
    """Return ``path`` if a file may be written there.

    Raises
    ------
    OutputExistsError
        If the file exists and ``overwrite`` is false, or it is one of ``sources`` (always).
    """
    target = Path(path)
    if any(source.exists() and target.exists() and source.samefile(target) for source in sources):
        raise OutputExistsError(f"{target} is the source itself, which is never written to; name another output")
    if target.exists() and not overwrite:
        raise OutputExistsError(f"{target} exists; name another output or pass overwrite=True (--overwrite)")
    return target


def part_path(path: str | Path) -> Path:
    """Return the temporary file beside ``path`` in which this process builds it."""
    target = Path(path)
    return target.with_name(f".{target.name}.{_machine()}-{os.getpid()}{PART}{target.suffix}")


def _machine() -> str:
    """Return a short name of this machine, since several may write to one shared folder."""
    return re.sub(r"[^A-Za-z0-9]", "", platform.node().partition(".")[0])[:20] or "here"


def make_private(folder: str | Path) -> Path:
    """Make a folder that its owner alone may look into; one that is there stays as it is."""
    path = Path(folder)
    path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    return path


@contextmanager
def replacing(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path; on a clean exit it becomes ``path``, on an exception it is removed.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as part:
    ...     _ = part.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    target = check_output(path, overwrite=overwrite)
    part = part_path(target)
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str, *, overwrite: bool = False) -> Path:
    """Write ``text`` as UTF-8, whole or not at all."""
    with replacing(path, overwrite=overwrite) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def sweep_parts(folder: str | Path) -> list[Path]:
    """Remove temporary files that processes no longer alive left in ``folder``; return what was removed.

    What another machine left is removed after a day, for whether it still runs cannot be known here.
    """
    left = [part for part in Path(folder).glob(f".*{PART}*") if not _alive(part)]
    for part in left:
        part.unlink(missing_ok=True)
    return left


def _alive(part: Path) -> bool:
    machine, _, process = part.name.split(PART)[0].rpartition(".")[2].rpartition("-")
    if machine != _machine():
        return _changed_within(part, _FORSAKEN)
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _changed_within(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime < seconds
    except FileNotFoundError:
        return False
