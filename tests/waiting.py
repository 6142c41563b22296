"""Wait for something in another process or thread."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redactkit.jobs.spec import JOBS_FOLDER


def wait_until(true: Callable[[], Any], seconds: float = 120.0) -> Any:
    """Return what ``true()`` says as soon as that is true; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not (said := true()):
        assert time.monotonic() < end, f"waited {seconds} s in vain"
        time.sleep(0.01)
    return said


def stop_at_work(folder: Path, process_of: Callable[[str], int | None]) -> int:
    """Stop a worker that is in the middle of a job whose outputs go to ``folder``; return its process, 0 if none is.

    ``process_of`` gives the process of a worker's name, None for one that is to be left alone.
    """
    for log in folder.rglob(f"{JOBS_FOLDER}/*/start.log"):
        try:
            process = process_of(log.read_text("utf-8").split()[-1])
        except (OSError, IndexError):
            continue
        if process is None:
            continue
        os.kill(process, signal.SIGSTOP)
        if log.exists():  # what a job needs while it runs goes with its end
            return process
        os.kill(process, signal.SIGCONT)
    return 0


def processes_of(session: int) -> list[int]:
    """Return every process of a session but the one that began it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and int(folder.name) != session:
            found.append(int(folder.name))
    return found


def is_alive(process: int) -> bool:
    """Return whether a process runs: one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
