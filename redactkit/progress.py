"""Progress of long work: a tqdm bar, silence, or any callable that may also cancel."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm.auto import tqdm

from redactkit.errors import RedactkitError

__all__ = ["ProgressLike", "Update", "is_terminal", "track"]

ProgressLike = bool | Callable[[str, int, int], None]
Update = Callable[[int], None]


@contextmanager
def track(progress: ProgressLike, stage: str, *, total: int) -> Iterator[Update]:
    """Yield a function that is told how many frames more are done.

    Parameters
    ----------
    progress : bool or callable
        True shows a tqdm bar in a terminal and a widget in a notebook, and nothing where stderr is neither;
        False nothing. A callable gets ``(stage, done, total)`` and cancels the work by raising
        `redactkit.errors.PassCancelled`. Any other exception of it drops it, with one warning: what only
        shows progress never breaks the work.
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
    with tqdm(total=total, desc=stage, unit="frame", disable=not (progress and _has_viewer())) as bar:
        yield _guarded(lambda count: _advance(bar, count))


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; one that is closed or missing is none."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def _has_viewer() -> bool:
    in_notebook = any(base.__name__ == "tqdm_notebook" for base in tqdm.__mro__)
    return in_notebook or is_terminal(sys.stderr)


def _advance(bar: tqdm[None], count: int) -> None:
    bar.update(count)


def _guarded(show: Callable[..., None]) -> Callable[..., None]:
    """Return ``show``, dropped with one warning once it fails; an error of ours is a wish to stop and passes."""
    failed = False

    def call(*step: Any) -> None:
        nonlocal failed
        if failed:
            return
        try:
            show(*step)
        except RedactkitError:
            raise
        except Exception as err:
            failed = True
            text = f"progress cannot be shown any more ({type(err).__name__}: {err}); the work goes on"
            warnings.warn(text, RuntimeWarning, stacklevel=2)

    return call


def _reporter(report: Callable[[str, int, int], None], stage: str, total: int) -> Update:
    done = 0
    report = _guarded(report)

    def update(count: int) -> None:
        nonlocal done
        done += count
        report(stage, done, total)

    report(stage, done, total)
    return update
