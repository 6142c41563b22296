"""A pool of worker processes on this machine; each runs one task at a time, and a dead one is replaced.

Unlike `concurrent.futures.ProcessPoolExecutor`, which breaks as a whole when one process dies, a lost worker fails only
its own task.
"""

from __future__ import annotations

import multiprocessing
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from redactkit.errors import OptionError, RedactkitError
from redactkit.jobs.machine import Share, plan_workers
from redactkit.jobs.worker import BY_SIGNAL, work

__all__ = ["LocalPool", "WorkerLostError"]

_IDLE_SECONDS = 20.0
"""Idle time after which a process ends. Higher saves starting it again, and keeps its memory longer."""

_GRACE_SECONDS = 1.5
"""Time that a process has to end at each step of `LocalPool.shutdown` before the next, harder one."""


class WorkerLostError(RedactkitError, RuntimeError):
    """A worker ended in the middle of a task."""


@dataclass(frozen=True)
class _Call:
    future: Future[Any]
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


class LocalPool(Executor):
    """An executor of worker processes.

    Processes start when first needed. They end after being idle, with this process, or at `shutdown`.

    Parameters
    ----------
    workers : int, optional
        By default one for each core, as far as memory allows.

    Attributes
    ----------
    share : Share
        How many workers there are, and the cores of each.

    Raises
    ------
    OptionError
        If ``workers`` is less than 1, or a script that starts jobs on import is imported by a worker.

    Examples
    --------
    >>> with LocalPool(1) as pool:
    ...     pool.submit(abs, -3).result()
    3
    """

    def __init__(self, workers: int | None = None) -> None:
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise OptionError(
                "a worker that imported this script came upon the start of jobs; put it under"
                " if __name__ == '__main__':, as for every program of several processes"
            )
        self.share: Share = plan_workers(workers)
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._slots: list[_Slot] = []
        self._closed = False

    @property
    def slots(self) -> int:
        """How many tasks run at once."""
        return self.share.workers

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Run ``function(*arguments)`` in a worker; both must be picklable, functions by their name."""
        if options:
            raise OptionError(f"a task takes no keyword arguments, got {', '.join(options)}")
        with self._lock:
            if self._closed:
                raise RuntimeError("these workers were shut down; submit anew")
            if len(self._slots) < self.slots:
                self._slots.append(_Slot(self._calls, number=len(self._slots), cores=self.share.cores))
            future: Future[Any] = Future()
            self._calls.put(_Call(future, function, arguments))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers after their tasks; with ``cancel_futures`` within four seconds, whatever they do."""
        with self._lock:
            self._closed = True
            if cancel_futures:
                self._drop_calls()
            for _ in self._slots:
                self._calls.put(None)
        if cancel_futures:
            self._end_by_force()
        elif wait:
            _join(self._slots)

    def _end_by_force(self) -> None:
        """Send SIGTERM, on which workers remove unfinished files; then SIGKILL."""
        busy = _join(self._slots, seconds=_GRACE_SECONDS / 3)
        for slot in busy:
            slot.terminate()
        busy = _join(busy, seconds=_GRACE_SECONDS)
        for slot in busy:
            slot.kill()
        _join(busy, seconds=_GRACE_SECONDS)

    def _drop_calls(self) -> None:
        while True:
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return
            if call is not None:
                call.future.cancel()


class _Slot:
    """A thread that sends calls to a process of its own and replaces the process when it is lost."""

    def __init__(self, calls: queue.SimpleQueue[_Call | None], *, number: int, cores: int) -> None:
        self._calls, self._core_share = calls, (number, cores)
        self._process: _Process | None = None
        self._thread = threading.Thread(target=self._serve, name=f"redactkit-slot-{number}", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=_IDLE_SECONDS if self._process else None)
            except queue.Empty:
                self._stop()
                continue
            if call is None:
                return self._stop()
            if call.future.set_running_or_notify_cancel():
                self._run(call)

    def _run(self, call: _Call) -> None:
        try:
            self._process = self._process or _Process(*self._core_share)
            done, value = self._process.run(call.function, call.arguments)
        except (EOFError, OSError) as err:
            call.future.set_exception(
                WorkerLostError(f"worker {self._describe()} was lost: {self._exit_reason() or err}")
            )
            self._process = None
        except Exception as err:
            call.future.set_exception(err)
        else:
            call.future.set_result(value) if done else call.future.set_exception(value)

    def _describe(self) -> str:
        return str(self._process.pid) if self._process else "process"

    def _exit_reason(self) -> str:
        code = self._process.end() if self._process else None
        if code is None:
            return ""
        if code > BY_SIGNAL:
            return f"it was ended by signal {code - BY_SIGNAL}"
        if code >= 0:
            return f"it ended by itself with code {code}"
        return f"killed by signal {-code}" + (", perhaps because memory ran out" if code == -9 else "")

    def _stop(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None

    def join(self, seconds: float | None) -> bool:
        """Wait for the thread, and return whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def terminate(self) -> None:
        """Ask the process to end."""
        process = self._process
        if process is not None:
            process.terminate()

    def kill(self) -> None:
        """End the process at once."""
        process = self._process
        if process is not None:
            process.kill()


def _join(slots: list[_Slot], *, seconds: float | None = None) -> list[_Slot]:
    """Wait for the threads of slots, ``seconds`` at most for all together; return those still running."""
    end = None if seconds is None else time.monotonic() + seconds
    return [slot for slot in slots if not slot.join(None if end is None else max(0.0, end - time.monotonic()))]


class _Process:
    """A worker process and the pipe to it."""

    def __init__(self, number: int, cores: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, child_end = context.Pipe()
        name = f"redactkit-worker-{number}"
        self._process = context.Process(target=work, args=(child_end, number, cores), name=name, daemon=True)
        self._process.start()
        child_end.close()
        self.pid = self._process.pid

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        """Run a call; return (True, value) or (False, error). Raises EOFError if the process ended."""
        self._pipe.send((function, arguments))
        done, value = self._pipe.recv()
        return bool(done), value

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM); it removes what it has begun to write."""
        self._process.terminate()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def end(self) -> int | None:
        """Close the pipe, end the process, and return its exit code; a negative one is a signal."""
        self._pipe.close()
        self._process.join(_GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return self._process.exitcode
