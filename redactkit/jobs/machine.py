"""What this machine has to give: cores and memory that this process may use, and how many workers that makes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from redactkit.errors import OptionError
from redactkit.runtime.cores import count_cores

__all__ = ["WORKER_MEMORY", "Share", "free_memory", "plan_workers"]

WORKER_MEMORY = 1_500_000_000
"""Bytes that one worker may need: a compiled detector, and decoder and encoder of 4K video with their frames."""

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Share:
    """How many workers run at once, and the cores that each has."""

    workers: int
    cores: int


def free_memory() -> int | None:
    """Return the bytes of memory that are free to use, None where the system does not say."""
    known = [free for free in (_free_of_machine(), _free_of_container()) if free is not None]
    return min(known) if known else None


def _free_of_machine() -> int | None:
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _free_of_container() -> int | None:
    limit, used = _read(_CGROUP / "memory.max").strip(), _read(_CGROUP / "memory.current").strip()
    return int(limit) - int(used) if limit.isdigit() and used.isdigit() else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def plan_workers(
    workers: int | None = None, *, cores: int | None = None, memory: int | None = None, each: int = WORKER_MEMORY
) -> Share:
    """Decide how many workers to run and divide the cores among them.

    Parameters
    ----------
    workers : int, optional
        How many; by default one to a core, as far as memory goes.
    cores, memory : int, optional
        What there is, memory in bytes; measured where not given.
    each : int
        Bytes of memory that a worker may need.

    Raises
    ------
    OptionError
        If ``workers`` is less than 1.

    Examples
    --------
    >>> plan_workers(cores=16, memory=8_000_000_000)
    Share(workers=5, cores=3)
    """
    if workers is not None and workers < 1:
        raise OptionError(f"workers must be at least 1, got {workers}")
    have = cores or count_cores()
    if workers is None:
        free = memory if memory is not None else free_memory()
        workers = max(1, min(have, have if free is None else free // each))
    return Share(workers, max(1, have // workers))
