"""One interface to every executor: local processes, Dask, or any executor of `concurrent.futures`."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import suppress
from typing import Any, Protocol

from redactkit.errors import OptionError, RedactkitError
from redactkit.jobs.local import LocalPool, WorkerLostError
from redactkit.jobs.task_graph import Task
from redactkit.runtime.cores import count_cores

__all__ = ["MAX_WORKER_LOSSES", "Engine", "exception_of", "describe_error", "open_engine"]

MAX_WORKER_LOSSES = 3
"""Workers lost over one task after which it fails: it may be what kills them. Higher retries more often."""

_TASKS_PER_THREAD = 2
"""Tasks submitted to Dask for each of its threads. More leave no thread waiting; fewer let priorities act sooner."""

_ASK_INTERVAL_SECONDS, _ASK_TIMEOUT_SECONDS = 1.0, 2.0


class Engine(Protocol):
    """The interface of an executor that `Jobs` uses."""

    dashboard: str | None

    def slots(self) -> int:
        """Return how many tasks may be submitted at once."""
        ...

    def submit(self, task: Task, *, priority: int) -> Any:
        """Start a task and return its future."""
        ...

    def lost_workers(self, error: BaseException) -> int:
        """Return how many workers were lost over a task, by its error; 0 if the work itself failed."""
        ...

    def close(self) -> None:
        """Shut the executor down if it was made here."""
        ...


class _Futures:
    """An executor with ``submit(function, *arguments)``."""

    dashboard: str | None = None

    def __init__(self, executor: Any, *, own: bool) -> None:
        self._executor, self._own = executor, own

    def slots(self) -> int:
        known = getattr(self._executor, "slots", None) or getattr(self._executor, "_max_workers", None)
        return int(known or count_cores())

    def submit(self, task: Task, *, priority: int) -> Any:
        return self._executor.submit(task.function, *task.arguments)

    def lost_workers(self, error: BaseException) -> int:
        return int(isinstance(error, WorkerLostError | BrokenExecutor))

    def close(self) -> None:
        if self._own:
            self._executor.shutdown(wait=False, cancel_futures=True)


class _Dask:
    """A ``dask.distributed.Client``; more tasks are submitted than it has threads, so that no thread waits."""

    def __init__(self, client: Any, *, own: bool) -> None:
        self._client, self._own = client, own
        self._count = itertools.count()
        self._slots, self._asked = _TASKS_PER_THREAD, -_ASK_INTERVAL_SECONDS
        self.dashboard: str | None = client.dashboard_link

    def slots(self) -> int:
        """Ask the scheduler, at most once a second and with a timeout: nothing else of the jobs goes on meanwhile."""
        if time.monotonic() - self._asked >= _ASK_INTERVAL_SECONDS:
            with suppress(TimeoutError):
                threads: dict[str, int] = self._client.nthreads(callback_timeout=_ASK_TIMEOUT_SECONDS)
                self._slots = _TASKS_PER_THREAD * max(1, sum(threads.values()))
            self._asked = time.monotonic()
        return self._slots

    def submit(self, task: Task, *, priority: int) -> Any:
        video = getattr(task.arguments[0], "name", "")
        key = f"redactkit-{task.name}-{video}-{self._client.id[-8:]}-{next(self._count)}"
        return self._client.submit(task.function, *task.arguments, key=key, priority=priority, pure=False)

    def lost_workers(self, error: BaseException) -> int:
        from distributed import KilledWorker

        if isinstance(error, KilledWorker):  # Dask has already retried and given up
            return MAX_WORKER_LOSSES
        return int(isinstance(error, CancelledError) or type(error).__name__ == "FutureCancelledError")

    def close(self) -> None:
        if self._own:
            with suppress(TimeoutError):  # the scheduler does not answer; it notices the lost connection itself
                self._client.close(timeout=_ASK_TIMEOUT_SECONDS)


def open_engine(executor: Any = None, *, workers: int | None = None) -> Engine:
    """Return the engine for an executor that a user passes.

    Parameters
    ----------
    executor : optional
        None for processes on this machine, the address of a Dask scheduler, a ``dask.distributed.Client``, or
        any executor of `concurrent.futures`.
    workers : int, optional
        Number of processes, for those on this machine.

    Raises
    ------
    OptionError
        If it is none of these, ``workers`` is given for an executor that has its own, or the scheduler
        does not answer.
    """
    if executor is None:
        return _Futures(LocalPool(workers), own=True)
    if workers is not None:
        raise OptionError("workers is for processes on this machine; an executor brings its own")
    if isinstance(executor, str):
        return _Dask(_connect(executor), own=True)
    if hasattr(executor, "scheduler_info"):
        return _Dask(executor, own=False)
    if not isinstance(getattr(executor, "submit", None), Callable):  # type: ignore[arg-type]
        raise OptionError(f"executor must have a submit method, as those of concurrent.futures, got {executor!r}")
    return _Futures(executor, own=False)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as err:
        raise OptionError("a scheduler's address needs Dask; install redactkit[dask]") from err
    try:
        return Client(address, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as err:
        raise OptionError(f"no Dask scheduler answers at {address} ({err}); start one with: dask scheduler") from err


def exception_of(future: Any) -> BaseException | None:
    """Return the exception of a finished future, None if there is none."""
    try:
        error: BaseException | None = future.exception()
    except CancelledError as err:
        return err
    return error


def describe_error(error: BaseException) -> str:
    """Return an error in one line, with its type unless it is redactkit's own."""
    text = " ".join(str(error).split())
    return text if isinstance(error, RedactkitError) else f"{type(error).__name__}: {text}"
