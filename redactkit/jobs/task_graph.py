"""The way of one job: a first task, then for a long video its parts and what puts them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redactkit.jobs.spec import Spec

__all__ = ["TaskGraph", "Task"]


@dataclass(eq=False)
class Task:
    """One call on a worker. ``frames`` is what a part counts for; ``losses`` how often its worker was lost."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    stage: str = ""
    frames: int = 0
    losses: int = 0


class TaskGraph:
    """Says which tasks of a job can be done next.

    Parameters
    ----------
    spec : Spec
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._stage = ""
        self._spans: tuple[tuple[int, int], ...] = ()
        self._left = 0

    def first(self) -> Task:
        """Return the task with which the job begins."""
        from redactkit.jobs.tasks import start_job

        return Task("start", start_job, (self._spec,))

    def after(self, task: Task, outcome: Any) -> list[Task] | None:
        """Return the tasks that can be done after one that is, None if the job is done."""
        if task.frames:
            self._left -= 1
            return [] if self._left else [self._closing()]
        if not outcome.stage:
            return None
        self._stage, self._spans, self._left = outcome.stage, outcome.spans, len(outcome.spans)
        return [self._part(span) for span in self._spans]

    def _part(self, span: tuple[int, int]) -> Task:
        from redactkit.jobs.tasks import do_chunk

        arguments = (self._spec, self._stage, span)
        return Task(f"{self._stage}-{span[0]}", do_chunk, arguments, self._stage, span[1] - span[0])

    def _closing(self) -> Task:
        from redactkit.jobs.tasks import close_stage

        return Task(f"{self._stage}-close", close_stage, (self._spec, self._stage, self._spans), self._stage)
