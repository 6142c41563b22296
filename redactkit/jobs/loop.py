"""The loop that submits the tasks of jobs to an executor, follows them, retries lost ones and records failures."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from redactkit.errors import PassCancelled
from redactkit.jobs.executors import MAX_WORKER_LOSSES, Engine, describe_error, exception_of
from redactkit.jobs.heartbeat import ask_to_stop, clear_stop, read_progress
from redactkit.jobs.job import ENDED, Job
from redactkit.jobs.listeners import Listeners
from redactkit.jobs.manifest import done_before
from redactkit.jobs.task_graph import Task
from redactkit.jobs.task_queue import TaskQueue

if TYPE_CHECKING:
    from redactkit.jobs.tasks import Outcome

__all__ = ["JobLoop"]

_POLL_SECONDS = 0.5
"""Time between two readings of the heartbeats. Lower updates tables sooner and reads more files."""

_MAX_SUBMITTED_AT_ONCE = 200
"""Tasks submitted before the lock is released once, so that other threads are served."""

_log = logging.getLogger(__name__)


class JobLoop:
    """What runs behind `redactkit.jobs.Jobs`: a thread that waits for tasks to end, and the state that it changes.

    Callers change jobs under ``_lock`` and call ``_wake``; the rest happens on the thread.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._jobs: list[Job] = []
        self._queue = TaskQueue()
        self._running: dict[Any, tuple[Job, Task]] = {}
        self._listeners = Listeners(every=_POLL_SECONDS)
        self._changed: set[int] = set()
        self._lock = threading.RLock()
        self._jobs_ended = threading.Condition(self._lock)
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._manage, name="redactkit-jobs", daemon=True)

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
        elif lost := self._engine.lost_workers(error):
            self._retry(job, task, lost, error)
        else:
            self._fail(job, describe_error(error))

    def _advance(self, job: Job, task: Task, outcome: Outcome) -> None:
        """Note a task's outcome, and queue the tasks that follow it."""
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
        task.lost_workers += lost
        job.add_note(f"{task.name}: {describe_error(error)}")
        if task.lost_workers >= MAX_WORKER_LOSSES:
            self._fail(
                job, f"{task.name} was given up after {task.lost_workers} workers were lost: {describe_error(error)}"
            )
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
