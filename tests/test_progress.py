"""Showing progress never breaks the work."""

import io
import sys

import pytest

from redactkit.errors import PassCancelled
from redactkit.progress import is_terminal, track


def test_a_callable_that_fails_is_dropped_with_one_warning() -> None:
    calls = []

    def fail(*step: object) -> None:
        calls.append(step)
        raise ValueError("no display")

    with (
        pytest.warns(RuntimeWarning, match="progress cannot be shown any more") as warned,
        track(fail, "a", total=3) as update,
    ):
        for _ in range(3):
            update(1)
    assert len(calls) == 1 and len(warned) == 1


def test_a_callable_may_cancel() -> None:
    def cancel(stage: str, done: int, total: int) -> None:
        if done:
            raise PassCancelled("enough")

    with pytest.raises(PassCancelled), track(cancel, "a", total=3) as update:
        update(1)


def test_nothing_is_shown_where_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with track(True, "a", total=3) as update:
        update(3)
    assert stream.getvalue() == ""


def test_a_closed_or_missing_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream) and not is_terminal(None)
