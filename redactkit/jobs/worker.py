"""The main loop of a local worker process: receive a call from the pipe, run it, send the result back."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from redactkit.errors import RedactkitError
from redactkit.runtime.cores import count_cores

__all__ = ["BY_SIGNAL", "work"]

BY_SIGNAL = 128
"""Exit code of a worker that a signal ended, less the signal's number, as in a shell."""


def work(pipe: Connection, number: int, cores: int) -> None:
    """Serve calls until the pipe is closed.

    Parameters
    ----------
    pipe : Connection
    number, cores : int
        The worker's number from 0, and how many cores it has.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole process group; the parent decides
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_parent, name="redactkit-parent", daemon=True).start()
    _stay_on(number, cores)
    while True:
        try:
            function, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        _send(pipe, *_outcome(function, arguments))


def _end(number: int, frame: FrameType | None) -> None:
    """Exit by an exception, so that unfinished files are removed on the way."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(BY_SIGNAL + number)


def _outcome(function: Any, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    try:
        return True, function(*arguments)
    except Exception as error:
        if not isinstance(error, RedactkitError):
            error.add_note("".join(traceback.format_exception(error)))
        return False, error


def _send(pipe: Connection, done: bool, value: Any) -> None:
    try:
        pipe.send((done, value))
    except (pickle.PicklingError, TypeError, AttributeError):
        pipe.send((False, RedactkitError(f"{type(value).__name__}: {value}")))


def _end_with_parent() -> None:
    """End this process when its parent ends, in whatever way."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _stay_on(number: int, cores: int) -> None:
    """Set the CPU affinity, so that decoder, detector and encoder each start no more threads than the worker's cores.

    Not in a container whose CPU quota is below the cores it sees: the kernel then chooses which cores.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    mine = sorted(os.sched_getaffinity(0))
    if count_cores() < len(mine) or cores >= len(mine):
        return
    first = number * cores % len(mine)
    os.sched_setaffinity(0, (mine + mine)[first : first + cores])
