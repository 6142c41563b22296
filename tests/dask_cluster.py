"""A Dask scheduler and its workers, each a process of its own, started as docs/scaling.md says."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.waiting import wait_until


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    script = "import sys; from dask.__main__ import main; sys.argv[0] = 'dask'; main()"
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def open_cluster(folder: Path) -> Iterator[tuple[str, Callable[[], subprocess.Popen[bytes]]]]:
    """Yield the address of a scheduler, and a function that starts one more worker."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    started = [_start("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")]

    def add_worker() -> subprocess.Popen[bytes]:
        local = ["--local-directory", str(folder / "dask"), "--no-dashboard", "--no-nanny"]
        started.append(_start("worker", address, "--nthreads", "1", "--nworkers", "1", *local))
        return started[-1]

    try:
        yield address, add_worker
    finally:
        for process in started:
            _end(process)


def connect(address: str) -> Any:
    """Return a client, once the scheduler answers."""
    from distributed import Client

    client = None

    def answers() -> bool:
        nonlocal client
        try:
            client = Client(address, timeout=5, set_as_default=False)
        except OSError:
            return False
        return True

    wait_until(answers, 60)
    return client
