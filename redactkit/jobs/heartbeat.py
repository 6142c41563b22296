"""Heartbeats: small files in the job's folder by which workers report progress and are asked to stop.

Files work the same for every executor and every machine that sees the folder, and survive a crash of either side.
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

_CANCEL_FILE = "cancel"
_WRITE_INTERVAL_SECONDS = 0.5
"""Least time between two progress files of a task; a request to stop is noticed as late. Lower writes more often."""


@dataclass(frozen=True)
class ProgressStep:
    """Progress of one task: ``done`` of ``total`` frames of ``stage``."""

    stage: str
    done: int
    total: int
    worker: str = ""


def worker_name() -> str:
    """Return the name of this worker: its address in Dask, otherwise host and process ID."""
    here = f"{platform.node()}:{os.getpid()}"
    dask = sys.modules.get("distributed")
    if dask is None:
        return here
    try:
        return str(dask.get_worker().address)
    except ValueError:
        return here


def record_start(work: Path, task: str) -> int:
    """Count a start of a task, and return how often it was started, this time included.

    Raises
    ------
    PassCancelled
        If the job was asked to stop.
    """
    make_private(work.parent)
    make_private(work)
    if (work / _CANCEL_FILE).exists():
        raise PassCancelled(f"{task} was cancelled before it began")
    log = work / f"{task}.log"
    with open_to_append(log) as file:
        file.write(f"{time.time():.3f} {worker_name()}\n".encode())
    return len(log.read_text(encoding="utf-8").splitlines())


def follow_progress(work: Path, task: str) -> Callable[[str, int, int], None]:
    """Return a progress callable for a pass: it writes heartbeats, and cancels the pass if asked to stop."""
    last, worker = 0.0, worker_name()

    def report(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _WRITE_INTERVAL_SECONDS and done < total:
            return
        last = now
        if (work / _CANCEL_FILE).exists():
            raise PassCancelled(f"{stage} was cancelled after {done} of {total} frames")
        step = json.dumps(asdict(ProgressStep(stage, done, total, worker)))
        with suppress(OSError):  # a full disk must stop the work where it writes, not where it reports
            write_text(work / f"{task}.json", step, overwrite=True)

    return report


def read_progress(work: Path, task: str) -> ProgressStep | None:
    """Return the progress of a task, None if it has not reported any."""
    try:
        return ProgressStep(**json.loads((work / f"{task}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def ask_to_stop(work: Path) -> None:
    """Ask the tasks of a job to stop."""
    if work.is_dir():
        (work / _CANCEL_FILE).touch(mode=0o600)


def clear_stop(work: Path) -> None:
    """Withdraw the request of `ask_to_stop`."""
    (work / _CANCEL_FILE).unlink(missing_ok=True)
