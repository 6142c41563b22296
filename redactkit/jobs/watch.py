"""Watch a folder, and process the videos that arrive in it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redactkit.errors import OptionError
from redactkit.jobs.executors import open_engine
from redactkit.jobs.inputs import PATTERNS, find_videos
from redactkit.jobs.jobs import Jobs
from redactkit.jobs.submit import make_specs
from redactkit.runtime.progress import Drawing

__all__ = ["Arrivals", "watch"]


@dataclass(frozen=True)
class _FileStatus:
    """Size and modification time of a file, and since when they have not changed."""

    size: int
    changed: int
    since: float


class Arrivals:
    """Finds the files of a folder that have arrived and stopped growing.

    Parameters
    ----------
    folder : path
    unchanged : float
        Seconds for which a file must not have changed.
    patterns : iterable of str
        Which files are videos.
    """

    def __init__(self, folder: str | Path, *, unchanged: float = 10.0, patterns: Iterable[str] = PATTERNS) -> None:
        self._folder, self._unchanged, self._patterns = Path(folder), unchanged, tuple(patterns)
        self._seen: dict[str, _FileStatus] = {}
        self._taken: dict[str, tuple[int, int]] = {}

    def new(self, *, now: float | None = None) -> list[str]:
        """Return the files that are complete and were not returned before in their present state."""
        moment = time.monotonic() if now is None else now
        present = dict(self._scan(moment))
        self._seen = present
        ready = [
            name
            for name, status_since in present.items()
            if moment - status_since.since >= self._unchanged and status_since.size
        ]
        fresh = [name for name in ready if self._taken.get(name) != (present[name].size, present[name].changed)]
        self._taken |= {name: (present[name].size, present[name].changed) for name in fresh}
        return fresh

    def _scan(self, now: float) -> Iterable[tuple[str, _FileStatus]]:
        for name, _ in find_videos([self._folder], patterns=self._patterns):
            try:
                status = Path(name).stat()
            except OSError:
                continue
            known = self._seen.get(name)
            same = known is not None and (known.size, known.changed) == (status.st_size, status.st_mtime_ns)
            yield name, known if same and known else _FileStatus(status.st_size, status.st_mtime_ns, now)


def watch(
    folder: str | Path,
    *,
    output: str | Path | None = None,
    unchanged: float = 10.0,
    every: float = 2.0,
    executor: Any = None,
    workers: int | None = None,
    stop: threading.Event | None = None,
    heard: Callable[[Jobs, list[str]], None] | None = None,
    **options: Any,
) -> Jobs:
    """Run a pass over every video that arrives in a folder, until stopped.

    Parameters
    ----------
    folder : path
        Watched with its subfolders. Videos that are already done are not done again.
    output : path, optional
        Folder for the outputs; by default each video's own.
    unchanged : float
        Seconds for which a file must not have changed. Higher is safer with slow copies, and starts later.
    every : float
        Seconds between two scans of the folder.
    executor, workers, **options
        As of `redactkit.submit`.
    stop : threading.Event, optional
        Ends the watch when set; without it a KeyboardInterrupt does.
    heard : callable, optional
        Called with the jobs and the files just taken, on a thread of its own; if it raises it is not called again.

    Returns
    -------
    Jobs
        What was taken; jobs may still run.

    Raises
    ------
    OptionError
        If ``folder`` is none, or an option means nothing.

    Examples
    --------
    >>> watch("incoming/", output="redacted/", blur="High")  # doctest: +SKIP
    """
    home = Path(folder)
    if not home.is_dir():
        raise OptionError(f"{home} is not a folder that can be watched")
    # Options are read again for every file, and an iterator could be read but once.
    options = {name: tuple(value) if isinstance(value, Iterator) else value for name, value in options.items()}
    patterns = options.get("patterns", PATTERNS)
    arrivals, ended = Arrivals(home, unchanged=unchanged, patterns=patterns), stop or threading.Event()
    make_specs([], output=output, **options)
    jobs = Jobs([], open_engine(executor, workers=workers))
    notifier = _ArrivalNotifier(jobs, heard)
    try:
        while not ended.is_set():
            names = arrivals.new()
            for name in names:
                below = Path(name).parent.relative_to(home.absolute())
                jobs.add(make_specs(name, output=None if output is None else Path(output) / below, **options))
            notifier.notify(names)
            ended.wait(every)
    except BaseException:
        jobs.close()
        raise
    finally:
        notifier.close()
    return jobs


class _ArrivalNotifier:
    """Calls ``heard`` on a thread of its own, so that a slow callable does not delay the watch."""

    def __init__(self, jobs: Jobs, heard: Callable[[Jobs, list[str]], None] | None) -> None:
        self._jobs, self._heard = jobs, heard
        self._names: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        self._drawing = Drawing(self._draw, every=0, what="files that came")

    def notify(self, names: list[str]) -> None:
        if names:
            self._names.put(names)
            self._drawing.ask()

    def close(self) -> None:
        self._drawing.close()

    def _draw(self) -> None:
        while not self._names.empty():
            names = self._names.get()
            if self._heard is not None:
                self._heard(self._jobs, names)
