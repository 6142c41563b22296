"""The task graph of one job: a first task; then, for each stage of a long video, its chunks and their join."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redactkit.jobs.spec import Spec
from redactkit.media import FrameRange

__all__ = ["TaskGraph", "Task"]


@dataclass(eq=False)
class Task:
    """One call on a worker. ``frames`` is the length of a chunk, 0 otherwise; ``lost_workers`` counts lost workers."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    stage: str = ""
    frames: int = 0
    lost_workers: int = 0


class TaskGraph:
    """Returns the tasks of a job as their predecessors finish.

    Parameters
    ----------
    spec : Spec
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._stage = ""
        self._chunks: tuple[FrameRange, ...] = ()
        self._left = 0

    def first(self) -> Task:
        """Return the first task of the job."""
        from redactkit.jobs.tasks import start_job

        return Task("start", start_job, (self._spec,))

    def after(self, task: Task, outcome: Any) -> list[Task] | None:
        """Return the tasks that became ready when ``task`` finished, None if the job is done."""
        if task.frames:
            self._left -= 1
            return [] if self._left else [self._join_task()]
        if not outcome.stage:
            return None
        self._stage, self._chunks, self._left = outcome.stage, outcome.chunks, len(outcome.chunks)
        return [self._chunk_task(chunk) for chunk in self._chunks]

    def _chunk_task(self, chunk: FrameRange) -> Task:
        from redactkit.jobs.tasks import do_chunk

        arguments = (self._spec, self._stage, chunk)
        return Task(f"{self._stage}-{chunk.start}", do_chunk, arguments, self._stage, chunk.length)

    def _join_task(self) -> Task:
        from redactkit.jobs.tasks import close_stage

        return Task(f"{self._stage}-close", close_stage, (self._spec, self._stage, self._chunks), self._stage)
