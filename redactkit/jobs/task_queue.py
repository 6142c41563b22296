"""A priority queue of the tasks that are ready to run."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

from redactkit.jobs.task_graph import Task

__all__ = ["TaskQueue"]


class TaskQueue:
    """Orders tasks by priority; then those of running jobs before the first tasks of others; then first in, first out.

    Examples
    --------
    >>> tasks = TaskQueue()
    >>> for job, priority in [(0, 0), (1, 5), (2, 0)]:
    ...     tasks.push(job, None, priority=priority)
    >>> [tasks.pop()[0] for _ in range(len(tasks))]
    [1, 0, 2]
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, bool, int, int, Task | None]] = []
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, job: int, task: Task | None, *, priority: int) -> None:
        """Add a task of a job; None stands for its first one."""
        heapq.heappush(self._heap, (-priority, task is None, job, next(self._count), task))

    def pop(self) -> tuple[int, Task | None]:
        """Take the next task, with the number of its job."""
        _, _, job, _, task = heapq.heappop(self._heap)
        return job, task

    def forget(self, job: int) -> None:
        """Drop the tasks of a job."""
        self._heap = [entry for entry in self._heap if entry[2] != job]
        heapq.heapify(self._heap)

    def sort_again(self, priority_of: Callable[[int], int]) -> None:
        """Reorder the queue by new priorities of the jobs."""
        self._heap = [(-priority_of(job), first, job, count, task) for _, first, job, count, task in self._heap]
        heapq.heapify(self._heap)
