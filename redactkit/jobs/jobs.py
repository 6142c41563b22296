"""Run many jobs: submit their tasks to an executor, follow their progress, retry lost tasks, and report failures."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from redactkit.errors import OptionError, PassCancelled
from redactkit.jobs.executors import MAX_WORKER_LOSSES, Engine, describe_error, exception_of
from redactkit.jobs.heartbeat import ask_to_stop, clear_stop, read_progress
from redactkit.jobs.job import ENDED, STATES, Job, as_table, save_table, show_jobs
from redactkit.jobs.listeners import Listener, Listeners
from redactkit.jobs.manifest import done_before
from redactkit.jobs.spec import Spec
from redactkit.jobs.task_graph import Task
from redactkit.jobs.task_queue import TaskQueue
from redactkit.runtime.files import sweep_parts

if TYPE_CHECKING:
    from redactkit.jobs.tasks import Outcome

__all__ = ["Jobs"]

_POLL_SECONDS = 0.5
"""Time between two readings of the heartbeats. Lower updates tables sooner and reads more files."""

_CANCEL_SECONDS = 2.5
"""Time that running tasks have to stop by themselves when `Jobs.close` cancels them."""

_MAX_SUBMITTED_AT_ONCE = 200
"""Tasks submitted before the lock is released once, so that other threads are served."""

_log = logging.getLogger(__name__)


class Jobs:
    """A set of jobs, made by `redactkit.submit`; a context manager that cancels what still runs.

    Every method may be called from any thread, while jobs run and after.

    Parameters
    ----------
    specs : iterable of Spec
    engine : Engine
    priority : int
        Of all of them; higher goes first.
    """

    def __init__(self, specs: Iterable[Spec], engine: Engine, *, priority: int = 0) -> None:
        self._engine = engine
        self._jobs: list[Job] = []
        self._first_job_of_outputs: dict[tuple[str, str], int] = {}
        self._queue = TaskQueue()
        self._running: dict[Any, tuple[Job, Task]] = {}
        self._listeners = Listeners(every=_POLL_SECONDS)
        self._changed: set[int] = set()
        self._lock = threading.RLock()
        self._jobs_ended = threading.Condition(self._lock)
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._closed = False
        self.add(specs, priority=priority)
        self._thread = threading.Thread(target=self._manage, name="redactkit-jobs", daemon=True)
        self._thread.start()

    @property
    def dashboard(self) -> str | None:
        """Address of the Dask dashboard, None without Dask."""
        return self._engine.dashboard

    def __len__(self) -> int:
        return len(self._jobs)

    def __repr__(self) -> str:
        told = [f"{count} {state}" for state, count in self.counts().items() if count]
        return f"<Jobs: {', '.join([f'{len(self)} videos', *told])}>"

    def _repr_html_(self) -> str:
        return show_jobs(self.table(), self.counts(), left=self.time_left())

    def add(self, specs: Iterable[Spec], *, priority: int = 0) -> list[int]:
        """Queue more jobs and return their numbers.

        Of two videos whose outputs would have one name, the later one is refused: its job fails.
        """
        with self._lock:
            added = [self._add(spec, priority) for spec in specs]
        self._wake()
        return added

    def _add(self, spec: Spec, priority: int) -> int:
        job = Job(len(self._jobs), spec, priority)
        self._jobs.append(job)
        first = self._first_job_of_outputs.setdefault((spec.folder, spec.stem), job.id)
        other = self._jobs[first]
        if other is not job and not (other.spec.source == spec.source and other.state in ENDED):
            job.end("failed", error=f"its outputs would have the names of those of {other.spec.source}; rename one")
        else:
            self._queue.push(job.id, None, priority=job.priority)
        self._changed.add(job.id)
        return job.id

    def table(self, jobs: Iterable[int] | None = None) -> pd.DataFrame:
        """Return one row per job, or for some of them: index ``job``; columns of `redactkit.jobs.job.TABLE`."""
        with self._lock:
            return as_table(self._jobs if jobs is None else [self._get(job) for job in jobs])

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each state."""
        with self._lock:
            found = Counter(job.state for job in self._jobs)
        return {state: found[state] for state in STATES}

    def time_left(self) -> float:
        """Return the seconds until all is done, by the mean time of finished jobs; NaN before the first one."""
        with self._lock:
            times = [job.ended - job.began for job in self._jobs if job.state == "done" and job.began]
            left = sum(job.state not in ENDED for job in self._jobs)
        if not left:
            return 0.0
        return sum(times) / len(times) * left / self._engine.slots() if times else float("nan")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every job has ended, at most ``timeout`` seconds; return whether they have."""
        with self._jobs_ended:
            return self._jobs_ended.wait_for(self._all_ended, timeout)

    def _all_ended(self) -> bool:
        return self._closed or all(job.state in ENDED for job in self._jobs)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(numbers)`` when jobs change, at most twice a second; return a function that ends that.

        It is called on a thread of its own: a widget must pass the call on to its kernel's loop. A slow listener
        gets several changes in one call; one that raises is not called again.
        """
        return self._listeners.add(listener)

    def cancel(self, job: int | None = None) -> None:
        """Cancel a job, or all; a running one stops at its next frame and leaves no unfinished output.

        Raises
        ------
        OptionError
            If there is no job of that number.
        """
        with self._lock:
            for one in self._jobs if job is None else [self._get(job)]:
                self._cancel(one)
        self._wake()

    def _cancel(self, job: Job) -> None:
        if job.state == "queued":
            job.end("cancelled")
        elif job.state == "running":
            job.stopping = True
            ask_to_stop(job.spec.work)
            self._queue.forget(job.id)
        self._changed.add(job.id)

    def resubmit(self, job: int | None = None) -> None:
        """Queue a job again that has ended, or all that failed or were cancelled; finished chunks are kept.

        Raises
        ------
        OptionError
            If there is no job of that number, or it has not ended.
        """
        with self._lock:
            if job is not None and self._get(job).state not in ENDED:
                raise OptionError(f"job {job} has not ended; cancel it first")
            again = [one for one in self._jobs if one.state in ("failed", "cancelled")]
            for one in again if job is None else [self._get(job)]:
                clear_stop(one.spec.work)
                one.requeue()
                self._queue.push(one.id, None, priority=one.priority)
                self._changed.add(one.id)
        self._wake()

    def set_priority(self, job: int, priority: int) -> None:
        """Set a job's priority; higher goes first. Running tasks are not stopped.

        Raises
        ------
        OptionError
            If there is no job of that number.
        """
        with self._lock:
            self._get(job).priority = int(priority)
            self._queue.sort_again(lambda number: self._jobs[number].priority)
            self._changed.add(job)
        self._wake()

    def save_report(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the table as CSV or Parquet, by the name's ending."""
        return save_table(self.table(), path, overwrite=overwrite)

    def close(self) -> None:
        """Cancel what has not ended and end own workers, within ten seconds; safe to call twice."""
        if self._closed:
            return
        self.cancel()
        with self._jobs_ended:
            self._jobs_ended.wait_for(lambda: not self._running, timeout=_CANCEL_SECONDS)
            self._closed = True
        self._wake()
        self._engine.close()
        self._thread.join(timeout=1)
        with self._jobs_ended:
            left = [job for job in self._jobs if job.state not in ENDED]
            for job in left:
                job.end("cancelled", error="the worker did not answer")
            self._changed |= {job.id for job in left}
            self._jobs_ended.notify_all()
        for job in left:
            _sweep(job.spec)
        self._listeners.notify(self._read_all_progress())
        self._listeners.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, job: int) -> Job:
        if not 0 <= job < len(self._jobs):
            raise OptionError(f"there is no job {job}; there are {len(self._jobs)}, from 0")
        return self._jobs[job]

    def _wake(self) -> None:
        self._events.put(None)

    def _manage(self) -> None:
        """Run the loop on a thread; if it fails, all jobs fail with it, so that nobody waits forever."""
        try:
            self._run_loop()
        except Exception as err:
            _log.exception("jobs cannot go on")
            with self._jobs_ended:
                for job in self._jobs:
                    if job.state not in ENDED:
                        job.end("failed", error=f"jobs cannot go on: {describe_error(err)}")
                self._jobs_ended.notify_all()

    def _run_loop(self) -> None:
        """Process finished tasks, submit ready ones, notify listeners: the only place where running jobs change."""
        heard = 0.0
        while not self._closed:
            idle = not self._running and not self._changed and not self._can_submit()
            self._take_events(timeout=None if idle else max(0.0, heard + _POLL_SECONDS - time.monotonic()))
            with self._jobs_ended:
                self._end_stopped_jobs()
                self._submit_ready()
                self._jobs_ended.notify_all()
            if time.monotonic() - heard >= _POLL_SECONDS:
                heard = time.monotonic()
                self._listeners.notify(self._read_all_progress())

    def _take_events(self, timeout: float | None) -> None:
        """Wait until a task ends or a caller changes something; process all such events."""
        try:
            future = self._events.get(timeout=0 if self._can_submit() else timeout)
            while True:
                if future is not None:
                    with self._lock:
                        self._end_task(future)
                future = self._events.get_nowait()
        except queue.Empty:
            return

    def _can_submit(self) -> bool:
        return len(self._queue) > 0 and len(self._running) < self._engine.slots()

    def _submit_ready(self) -> None:
        """Submit ready tasks while the executor has free slots."""
        room = self._engine.slots() - len(self._running) if len(self._queue) and not self._closed else 0
        for _ in range(_MAX_SUBMITTED_AT_ONCE):
            if room <= 0 or not len(self._queue):
                return
            number, task = self._queue.pop()
            job = self._jobs[number]
            if task is not None or self._begins(job):
                assert job.task_graph is not None
                self._submit(job, task or job.task_graph.first())
                room -= 1

    def _begins(self, job: Job) -> bool:
        """Begin a queued job; return False if it was done before or is no longer queued."""
        if job.state != "queued":
            return False
        record = done_before(job.spec)
        if record is None:
            clear_stop(job.spec.work)
            job.begin()
        else:
            job.learn(record)
            job.add_note("done before")
            job.end("done")
        self._changed.add(job.id)
        return record is None

    def _submit(self, job: Job, task: Task) -> None:
        try:
            future = self._engine.submit(task, priority=job.priority)
        except Exception as err:
            self._fail(job, f"could not be submitted: {describe_error(err)}")
            return
        self._running[future] = (job, task)
        future.add_done_callback(self._events.put)

    def _end_task(self, future: Any) -> None:
        job, task = self._running.pop(future)
        self._read_progress_of(job, task)
        job.live.pop(task.name, None)
        self._changed.add(job.id)
        error = exception_of(future)
        if error is None:
            self._advance(job, task, future.result())
        elif isinstance(error, PassCancelled):
            job.stopping = True
        elif lost := self._engine.losses(error):
            self._retry(job, task, lost, error)
        else:
            self._fail(job, describe_error(error))

    def _advance(self, job: Job, task: Task, outcome: Outcome) -> None:
        """Record a task's outcome, and queue the tasks that follow it."""
        job.worker = outcome.worker
        job.finished += task.frames
        job.add_note(outcome.note)
        if outcome.starts > 1:
            job.add_note(f"{task.name} was done again after a worker was lost")
        if job.stopping or job.task_graph is None:
            return
        following = job.task_graph.after(task, outcome)
        if following is None:
            job.learn(outcome)
            job.end("done")
            return
        if outcome.stage:
            job.frames = outcome.chunks[-1].stop
            job.finished = job.frames if outcome.stage == "redact" and job.spec.analyzes else 0
        for each in following:
            self._queue.push(job.id, each, priority=job.priority)

    def _retry(self, job: Job, task: Task, lost: int, error: BaseException) -> None:
        task.losses += lost
        job.add_note(f"{task.name}: {describe_error(error)}")
        if task.losses >= MAX_WORKER_LOSSES:
            self._fail(job, f"{task.name} was given up after {task.losses} workers were lost: {describe_error(error)}")
        elif not job.stopping:
            self._queue.push(job.id, task, priority=job.priority)

    def _fail(self, job: Job, error: str) -> None:
        """Mark a job as failing; its other tasks are stopped before it ends."""
        job.error = job.error or error
        job.stopping = True
        self._queue.forget(job.id)
        if any(other is job for other, _ in self._running.values()):
            ask_to_stop(job.spec.work)
        self._changed.add(job.id)

    def _end_stopped_jobs(self) -> None:
        """End the jobs that are stopping and have no running task any more."""
        busy = {job.id for job, _ in self._running.values()}
        for number in [number for number in self._changed if number not in busy]:
            job = self._jobs[number]
            if job.stopping and job.state == "running":
                job.end("failed" if job.error else "cancelled", error=job.error)

    def _read_all_progress(self) -> list[int]:
        """Read the progress of all running tasks, and return the jobs that have changed."""
        with self._lock:
            for job, task in self._running.values():
                self._read_progress_of(job, task)
            news, self._changed = sorted(self._changed), set[int]()
        return news

    def _read_progress_of(self, job: Job, task: Task) -> None:
        step = read_progress(job.spec.work, task.name)
        if step is not None and job.hear(task.name, step):
            self._changed.add(job.id)


def _sweep(spec: Spec) -> None:
    """Remove the unfinished files that ended workers left in the folders of a job."""
    for folder in (Path(spec.folder), spec.manifest.parent, spec.work, *spec.work.glob("*/")):
        with suppress(OSError):  # a later run removes what cannot be removed now
            sweep_parts(folder)
