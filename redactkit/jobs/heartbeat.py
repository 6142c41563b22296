"""What a job and its workers tell each other while it runs: small files in the job's folder.

Files work alike for every executor and every machine that sees the folder, and outlive both sides.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from redactkit.errors import PassCancelled
from redactkit.runtime.files import make_private, open_to_append, write_text

__all__ = [
    "ProgressStep",
    "ask_to_stop",
    "follow_progress",
    "clear_stop",
    "record_start",
    "read_progress",
    "worker_name",
]

_CANCEL = "cancel"
_EVERY = 0.5


@dataclass(frozen=True)
class ProgressStep:
    """How far one task is: ``done`` of ``total`` frames of ``stage``."""

    stage: str
    done: int
    total: int
    worker: str = ""


def worker_name() -> str:
    """Return the name of this worker: its address in Dask, else machine and process."""
    here = f"{platform.node()}:{os.getpid()}"
    dask = sys.modules.get("distributed")
    if dask is None:
        return here
    try:
        return str(dask.get_worker().address)
    except ValueError:
        return here


def record_start(work: Path, task: str) -> int:
    """Note that a task starts, and return how often it has, this time included.

    Raises
    ------
    PassCancelled
        If the job was asked to stop.
    """
    make_private(work.parent)
    make_private(work)
    if (work / _CANCEL).exists():
        raise PassCancelled(f"{task} was cancelled before it began")
    log = work / f"{task}.log"
    with open_to_append(log) as file:
        file.write(f"{time.time():.3f} {worker_name()}\n".encode())
    return len(log.read_text(encoding="utf-8").splitlines())


def follow_progress(work: Path, task: str) -> Callable[[str, int, int], None]:
    """Return a progress function for a pass: it writes down how far it is, and stops it if asked to."""
    last, worker = 0.0, worker_name()

    def report(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _EVERY and done < total:
            return
        last = now
        if (work / _CANCEL).exists():
            raise PassCancelled(f"{stage} was cancelled after {done} of {total} frames")
        step = json.dumps(asdict(ProgressStep(stage, done, total, worker)))
        with suppress(OSError):  # a full disk stops the work where that writes, not what is told of it
            write_text(work / f"{task}.json", step, overwrite=True)

    return report


def read_progress(work: Path, task: str) -> ProgressStep | None:
    """Return how far a task is, None if it has not said so yet."""
    try:
        return ProgressStep(**json.loads((work / f"{task}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def ask_to_stop(work: Path) -> None:
    """Ask the tasks of a job to stop."""
    if work.is_dir():
        (work / _CANCEL).touch(mode=0o600)


def clear_stop(work: Path) -> None:
    """Take back what `ask_to_stop` asked."""
    (work / _CANCEL).unlink(missing_ok=True)
