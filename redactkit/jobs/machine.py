"""Cores and memory that this process may use, and how many workers they allow."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from redactkit.errors import OptionError
from redactkit.runtime.cores import count_cores

__all__ = ["WORKER_MEMORY_BYTES", "Share", "free_memory", "plan_workers"]

WORKER_MEMORY_BYTES = 1_500_000_000
"""Memory of one worker: a compiled detector, and decoder and encoder of 4K video with their frames. Higher starts
fewer workers."""

_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Share:
    """How many workers run at once, and the cores that each has."""

    workers: int
    cores: int


def free_memory() -> int | None:
    """Return the bytes of memory that are free, None if the system does not report it."""
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
    workers: int | None = None, *, cores: int | None = None, memory: int | None = None, each: int = WORKER_MEMORY_BYTES
) -> Share:
    """Choose the number of workers and divide the cores among them.

    Parameters
    ----------
    workers : int, optional
        By default one for each core, as far as memory allows.
    cores, memory : int, optional
        What is available, memory in bytes; measured if not given.
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
