"""Many jobs as one object: their table, and how to add, cancel, resubmit and wait for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pandas as pd

from redactkit.errors import AnnotationError, OptionError
from redactkit.jobs.executors import Engine
from redactkit.jobs.heartbeat import ask_to_stop, clear_stop
from redactkit.jobs.inputs import annotations_of
from redactkit.jobs.job import ENDED, STATES, Job, as_table, save_table, show_jobs
from redactkit.jobs.listeners import Listener
from redactkit.jobs.loop import JobLoop
from redactkit.jobs.spec import Spec
from redactkit.runtime.partial_files import sweep_partial_files

__all__ = ["Jobs"]

_CANCEL_SECONDS = 2.5
"""Time that running tasks have to stop by themselves when `Jobs.close` cancels them."""


class Jobs(JobLoop):
    """A set of jobs, made by `redactkit.submit`; a context manager that cancels what still runs.

    Every method may be called from any thread, while jobs run and after.

    Parameters
    ----------
    specs : iterable of Spec
    engine : Engine
    priority : int
        Of all of them; higher goes first.

    Examples
    --------
    >>> with redactkit.submit(["lobby.mp4", "yard.mp4"], blur="High") as jobs:  # doctest: +SKIP
    ...     jobs.wait()
    ...     print(jobs.table())
    """

    def __init__(self, specs: Iterable[Spec], engine: Engine, *, priority: int = 0) -> None:
        super().__init__(engine)
        self._first_job_of_outputs: dict[tuple[str, str], int] = {}
        self.add(specs, priority=priority)
        self._thread.start()

    @property
    def dashboard(self) -> str | None:
        """Address of the Dask dashboard, None without Dask."""
        return self._engine.dashboard

    def __len__(self) -> int:
        return len(self._jobs)

    def __repr__(self) -> str:
        counted = [f"{count} {state}" for state, count in self.counts().items() if count]
        videos = "1 video" if len(self) == 1 else f"{len(self)} videos"
        return f"<Jobs: {', '.join([videos, *counted])}>"

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

    def annotations_of(self, job: int) -> Path:
        """Return the annotations file that a job has made, or redacts with.

        Raises
        ------
        OptionError
            If there is no job of that number.
        AnnotationError
            If there is no such file yet.
        """
        spec = self._get(job).spec
        found = annotations_of(spec, Path(spec.source))
        if not found.is_file():
            raise AnnotationError(f"{found} is not there yet: {spec.name} is to be analyzed first")
        return found

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


def _sweep(spec: Spec) -> None:
    """Remove the unfinished files that ended workers left in the folders of a job."""
    for folder in (Path(spec.folder), spec.manifest.parent, spec.work, *spec.work.glob("*/")):
        with suppress(OSError):  # a later run removes what cannot be removed now
            sweep_partial_files(folder)
