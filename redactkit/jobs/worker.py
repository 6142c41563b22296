"""What a local worker process does: take a call from its pipe, run it, send back what came of it."""

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
"""Added to a signal's number it is the exit code of a worker that the signal has ended, as in a shell."""


def work(pipe: Connection, number: int, cores: int) -> None:
    """Serve calls until the pipe is closed.

    Parameters
    ----------
    pipe : Connection
    number, cores : int
        The worker's number from 0, and how many cores it has.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key press goes to the whole group; the parent decides
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
    """End as by an exception, so that what is being written is removed on the way."""
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
    """End this process when its parent ends, however that came."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _stay_on(number: int, cores: int) -> None:
    """Keep to this worker's cores, so that decoder, detector and encoder each start no more threads than those.

    Where a container has less than all the cores it sees, which ones is not ours to say.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    mine = sorted(os.sched_getaffinity(0))
    if count_cores() < len(mine) or cores >= len(mine):
        return
    first = number * cores % len(mine)
    os.sched_setaffinity(0, (mine + mine)[first : first + cores])
