"""Many jobs at once: hands their tasks to an executor, hears how far they are, and deals with faults."""

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
from redactkit.jobs.executors import MOST_LOSSES, Engine, error_of, in_words
from redactkit.jobs.heartbeat import ask_to_stop, clear_stop, read_progress
from redactkit.jobs.job import ENDED, STATES, Job, as_table, save_table
from redactkit.jobs.listeners import Listener, Listeners
from redactkit.jobs.manifest import done_before
from redactkit.jobs.spec import Spec
from redactkit.jobs.task_graph import Task
from redactkit.jobs.task_queue import TaskQueue
from redactkit.runtime.files import sweep_parts

if TYPE_CHECKING:
    from redactkit.jobs.tasks import Outcome

__all__ = ["Jobs"]

_POLL = 0.5
_GRACE = 2.5
_AT_ONCE = 200
_log = logging.getLogger(__name__)


class Jobs:
    """Jobs under way. Made by `redactkit.submit`; a context manager that ends what still runs.

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
        self._places: dict[tuple[str, str], int] = {}
        self._ready = TaskQueue()
        self._running: dict[Any, tuple[Job, Task]] = {}
        self._listeners = Listeners(every=_POLL)
        self._changed: set[int] = set()
        self._lock = threading.RLock()
        self._settled = threading.Condition(self._lock)
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

    def add(self, specs: Iterable[Spec], *, priority: int = 0) -> list[int]:
        """Queue more jobs and return their numbers.

        Of two videos whose outputs would have one name, the later is refused, as a job that failed.
        """
        with self._lock:
            added = [self._add(spec, priority) for spec in specs]
        self._wake()
        return added

    def _add(self, spec: Spec, priority: int) -> int:
        job = Job(len(self._jobs), spec, priority)
        self._jobs.append(job)
        first = self._places.setdefault((spec.folder, spec.stem), job.id)
        other = self._jobs[first]
        if other is not job and not (other.spec.source == spec.source and other.state in ENDED):
            job.end("failed", error=f"its outputs would have the names of those of {other.spec.source}; rename one")
        else:
            self._ready.push(job.id, None, priority=job.priority)
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
        """Return the seconds until all is done if the rest goes as what ended did; NaN before anything has."""
        with self._lock:
            times = [job.ended - job.began for job in self._jobs if job.state == "done" and job.began]
            left = sum(job.state not in ENDED for job in self._jobs)
        if not left:
            return 0.0
        return sum(times) / len(times) * left / self._engine.slots() if times else float("nan")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until every job has ended, at most ``timeout`` seconds; return whether they have."""
        with self._settled:
            return self._settled.wait_for(self._all_ended, timeout)

    def _all_ended(self) -> bool:
        return self._closed or all(job.state in ENDED for job in self._jobs)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(numbers)`` when jobs change, at most twice a second; return what ends that.

        It is called on a thread of its own: a widget must hand over to its kernel's loop. One that takes long
        hears later of more; one that raises is not called again.
        """
        return self._listeners.add(listener)

    def cancel(self, job: int | None = None) -> None:
        """Cancel a job, or all; one that runs stops at its next frame, and leaves no unfinished output.

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
            self._ready.forget(job.id)
        self._changed.add(job.id)

    def resubmit(self, job: int | None = None) -> None:
        """Queue a job again that has ended, or all that failed or were cancelled; what is done of it is kept.

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
                self._ready.push(one.id, None, priority=one.priority)
                self._changed.add(one.id)
        self._wake()

    def set_priority(self, job: int, priority: int) -> None:
        """Let a job go before all of lower priority; what runs already is not stopped.

        Raises
        ------
        OptionError
            If there is no job of that number.
        """
        with self._lock:
            self._get(job).priority = int(priority)
            self._ready.sort_again(lambda number: self._jobs[number].priority)
            self._changed.add(job)
        self._wake()

    def save_report(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the table as CSV or Parquet, by the name's ending."""
        return save_table(self.table(), path, overwrite=overwrite)

    def close(self) -> None:
        """Cancel what has not ended, and end the workers if they are our own, in ten seconds; safe to call twice."""
        if self._closed:
            return
        self.cancel()
        with self._settled:
            self._settled.wait_for(lambda: not self._running, timeout=_GRACE)
            self._closed = True
        self._wake()
        self._engine.close()
        self._thread.join(timeout=1)
        with self._settled:
            left = [job for job in self._jobs if job.state not in ENDED]
            for job in left:
                job.end("cancelled", error="the worker did not answer")
            self._changed |= {job.id for job in left}
            self._settled.notify_all()
        for job in left:
            _sweep(job.spec)
        self._listeners.tell(self._hear_progress())
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
        """Run on a thread of its own; should it fail, every job fails with it, so that nobody waits in vain."""
        try:
            self._go_round()
        except Exception as err:
            _log.exception("jobs cannot go on")
            with self._settled:
                for job in self._jobs:
                    if job.state not in ENDED:
                        job.end("failed", error=f"jobs cannot go on: {in_words(err)}")
                self._settled.notify_all()

    def _go_round(self) -> None:
        """Take in what has ended, hand over what is ready, tell who listens: a running job changes only here."""
        heard = 0.0
        while not self._closed:
            idle = not self._running and not self._changed and not self._fillable()
            self._take_events(timeout=None if idle else max(0.0, heard + _POLL - time.monotonic()))
            with self._settled:
                self._settle_stopped()
                self._fill()
                self._settled.notify_all()
            if time.monotonic() - heard >= _POLL:
                heard = time.monotonic()
                self._listeners.tell(self._hear_progress())

    def _take_events(self, timeout: float | None) -> None:
        """Wait for a task to end or for a change from outside; take in all there are."""
        try:
            future = self._events.get(timeout=0 if self._fillable() else timeout)
            while True:
                if future is not None:
                    with self._lock:
                        self._end_task(future)
                future = self._events.get_nowait()
        except queue.Empty:
            return

    def _fillable(self) -> bool:
        return len(self._ready) > 0 and len(self._running) < self._engine.slots()

    def _fill(self) -> None:
        """Hand ready tasks over while there is room; leave off now and then, for others want the lock."""
        room = self._engine.slots() - len(self._running) if len(self._ready) and not self._closed else 0
        for _ in range(_AT_ONCE):
            if room <= 0 or not len(self._ready):
                return
            number, task = self._ready.pop()
            job = self._jobs[number]
            if task is not None or self._begins(job):
                assert job.course is not None
                self._hand_over(job, task or job.course.first())
                room -= 1

    def _begins(self, job: Job) -> bool:
        """Whether a queued job has anything to do."""
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

    def _hand_over(self, job: Job, task: Task) -> None:
        try:
            future = self._engine.submit(task, priority=job.priority)
        except Exception as err:
            self._fail(job, f"could not be submitted: {in_words(err)}")
            return
        self._running[future] = (job, task)
        future.add_done_callback(self._events.put)

    def _end_task(self, future: Any) -> None:
        job, task = self._running.pop(future)
        self._hear(job, task)
        job.live.pop(task.name, None)
        self._changed.add(job.id)
        error = error_of(future)
        if error is None:
            self._advance(job, task, future.result())
        elif isinstance(error, PassCancelled):
            job.stopping = True
        elif lost := self._engine.losses(error):
            self._redo(job, task, lost, error)
        else:
            self._fail(job, in_words(error))

    def _advance(self, job: Job, task: Task, outcome: Outcome) -> None:
        """Go on with what is next after a task."""
        job.worker = outcome.worker
        job.finished += task.frames
        job.add_note(outcome.note)
        if outcome.starts > 1:
            job.add_note(f"{task.name} was done again after a worker was lost")
        if job.stopping or job.course is None:
            return
        following = job.course.after(task, outcome)
        if following is None:
            job.learn(outcome)
            job.end("done")
            return
        if outcome.stage:
            job.frames = outcome.spans[-1][1]
            job.finished = job.frames if outcome.stage == "redact" and job.spec.analyzes else 0
        for each in following:
            self._ready.push(job.id, each, priority=job.priority)

    def _redo(self, job: Job, task: Task, lost: int, error: BaseException) -> None:
        task.losses += lost
        job.add_note(f"{task.name}: {in_words(error)}")
        if task.losses >= MOST_LOSSES:
            self._fail(job, f"{task.name} was given up after {task.losses} workers were lost: {in_words(error)}")
        elif not job.stopping:
            self._ready.push(job.id, task, priority=job.priority)

    def _fail(self, job: Job, error: str) -> None:
        """Let a job fail; its other tasks are stopped first."""
        job.error = job.error or error
        job.stopping = True
        self._ready.forget(job.id)
        if any(other is job for other, _ in self._running.values()):
            ask_to_stop(job.spec.work)
        self._changed.add(job.id)

    def _settle_stopped(self) -> None:
        """End the jobs that were to stop and of which nothing runs any more."""
        busy = {job.id for job, _ in self._running.values()}
        for number in [number for number in self._changed if number not in busy]:
            job = self._jobs[number]
            if job.stopping and job.state == "running":
                job.end("failed" if job.error else "cancelled", error=job.error)

    def _hear_progress(self) -> list[int]:
        """Ask how far all running tasks are, and return the jobs about which there is news."""
        with self._lock:
            for job, task in self._running.values():
                self._hear(job, task)
            news, self._changed = sorted(self._changed), set[int]()
        return news

    def _hear(self, job: Job, task: Task) -> None:
        step = read_progress(job.spec.work, task.name)
        if step is not None and job.hear(task.name, step):
            self._changed.add(job.id)


def _sweep(spec: Spec) -> None:
    """Remove the unfinished files of workers that had to be ended, where the outputs of a job go."""
    for folder in (Path(spec.folder), spec.record.parent, spec.work, *spec.work.glob("*/")):
        with suppress(OSError):  # what cannot be removed now is removed by a later run
            sweep_parts(folder)
