"""Progress of long work: a tqdm bar, silence, or any callable that may also cancel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

__all__ = ["ProgressLike", "Update", "track"]

ProgressLike = bool | Callable[[str, int, int], None]
Update = Callable[[int], None]


@contextmanager
def track(progress: ProgressLike, stage: str, *, total: int) -> Iterator[Update]:
    """Yield a function that is told how many frames more are done.

    Parameters
    ----------
    progress : bool or callable
        True shows a tqdm bar (a widget in a notebook), False nothing. A callable gets
        ``(stage, done, total)`` and cancels the work by raising `redactkit.errors.PassCancelled`.
    stage : str
        What is being done, in one word.
    total : int
        Frames in all.

    Examples
    --------
    >>> seen = []
    >>> with track(lambda *step: seen.append(step), "analyze", total=2) as update:
    ...     update(1)
    >>> seen
    [('analyze', 0, 2), ('analyze', 1, 2)]
    """
    if callable(progress):
        yield _reporter(progress, stage, total)
        return
    with tqdm(total=total, desc=stage, unit="frame", disable=not progress) as bar:
        yield lambda count: _advance(bar, count)


def _advance(bar: tqdm[None], count: int) -> None:
    bar.update(count)


def _reporter(report: Callable[[str, int, int], None], stage: str, total: int) -> Update:
    done = 0

    def update(count: int) -> None:
        nonlocal done
        done += count
        report(stage, done, total)

    report(stage, done, total)
    return update
