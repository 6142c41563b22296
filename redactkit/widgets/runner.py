"""Passes over the review's own video, one after another in a thread of this kernel, with progress and cancel.

They work on the tables in memory, with edits that are in no file yet. Many videos are for `redactkit.jobs`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import traitlets

from redactkit.errors import PassCancelled, RedactkitError
from redactkit.runtime.progress import ProgressLike

__all__ = ["BackgroundPass", "Runner"]

_NOTIFY_SECONDS = 0.2
Work = Callable[[ProgressLike], Any]


@dataclass(eq=False)
class BackgroundPass:
    """One pass: waiting, running, done, failed or cancelled.

    Parameters
    ----------
    name : str
    work : callable
        Takes a progress callable, as `redactkit.analyze` does, and returns the pass's result.
    finished : callable or None
        Called in the runner's thread with the job when it is over, however it ended.
    warning : str
        What is wrong with what a job that is done has made; views show it instead of success.
    """

    name: str
    work: Work
    finished: Callable[[BackgroundPass], None] | None = None
    state: str = "waiting"
    stage: str = ""
    done: int = 0
    total: int = 0
    started: float = 0.0
    ended: float = 0.0
    result: Any = None
    error: str = ""
    warning: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> float:
        """How much of the stage is done, 0 to 1."""
        return 1.0 if self.state == "done" else self.done / self.total if self.total else 0.0

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (self.ended or time.monotonic()) - self.started if self.started else 0.0

    @property
    def rate(self) -> float:
        """Frames a second in this stage."""
        return self.done / self.seconds if self.done and self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that are probably left; None where nobody can say."""
        return (self.total - self.done) / self.rate if self.state == "running" and self.rate else None


class Runner(traitlets.HasTraits):
    """Runs jobs one at a time, in the order in which they came.

    Attributes
    ----------
    jobs : tuple of BackgroundPass
    revision : int
        Counts up when a job's state changes, and a few times a second while one runs.
    """

    jobs = traitlets.Tuple()
    revision = traitlets.Int(0)

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._notified = 0.0

    def submit(
        self, name: str, work: Work, *, finished: Callable[[BackgroundPass], None] | None = None
    ) -> BackgroundPass:
        """Put a job at the end of the queue and return it at once."""
        job = BackgroundPass(name, work, finished)
        with self._lock:
            self.jobs = (*self.jobs, job)
            self._start()
        self._notify(now=True)
        return job

    def cancel(self, job: BackgroundPass) -> None:
        """Stop a job: at once where it waits, at its next frame where it runs."""
        if job.cancelled.is_set():
            return
        job.cancelled.set()
        with self._lock:
            if job.state == "waiting":
                self._end(job, "cancelled")
        self._notify(now=True)

    def cancel_all(self) -> None:
        """Stop every job."""
        for job in self.jobs:
            if job.state in ("waiting", "running"):
                self.cancel(job)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="redactkit-passes", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            while (job := self._next()) is not None:
                self._do(job)
                self._conclude(job)
        except BaseException:
            self._thread = None
            raise

    def _conclude(self, job: BackgroundPass) -> None:
        try:
            self._notify(now=True)
            if job.finished is not None:
                job.finished(job)
        finally:
            job.over.set()

    def _next(self) -> BackgroundPass | None:
        with self._lock:
            job: BackgroundPass | None = next((job for job in self.jobs if job.state == "waiting"), None)
            if job is None:
                self._thread = None
                return None
            job.state, job.started = "running", time.monotonic()
            return job

    def _do(self, job: BackgroundPass) -> None:
        self._notify(now=True)
        try:
            job.result = job.work(lambda stage, done, total: self._advance(job, stage, done, total))
        except PassCancelled:
            self._end(job, "cancelled")
        except (RedactkitError, OSError) as err:
            self._end(job, "failed", error=str(err))
        except Exception as err:
            self._end(job, "failed", error=f"{type(err).__name__}: {err}")
        else:
            self._end(job, "done")

    def _advance(self, job: BackgroundPass, stage: str, done: int, total: int) -> None:
        if job.cancelled.is_set():
            raise PassCancelled(f"{job.name} was cancelled; no output was left")
        if stage != job.stage:
            job.stage, job.started = stage, time.monotonic()
        job.done, job.total = done, total
        self._notify()

    def _end(self, job: BackgroundPass, state: str, *, error: str = "") -> None:
        job.state, job.error, job.ended = state, error, time.monotonic()
        if job.started == 0.0:
            job.over.set()

    def _notify(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._notified >= _NOTIFY_SECONDS:
            self._notified = time.monotonic()
            self.revision += 1
