"""Progress that fails, hangs or goes nowhere must leave the work alone."""

import io
import logging
import os
import pty
import select
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from tqdm import tqdm

from redactkit.errors import PassCancelled
from redactkit.runtime import progress as progress_module
from redactkit.runtime.progress import Bar, Drawing, TerminalBar, is_terminal, shown, track
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")


def run(progress, *, steps=100, stage="analyze", total=None):
    with track(progress, stage, total=steps if total is None else total) as update:
        for _ in range(steps):
            update(1)


def test_no_steps_are_told_once():
    seen = []
    run(lambda *step: seen.append(step), steps=0)
    assert seen == [("analyze", 0, 0)]


def test_quick_callables_hear_of_every_step():
    seen = []
    run(lambda *step: seen.append(step[1]))
    assert seen == list(range(101))


def test_a_callable_that_fails_is_left_out_with_one_warning_in_all_stages():
    called = []

    def failing(stage, done, total):
        called.append(stage)
        raise KeyError("no such label")

    progress = shown(failing)
    with pytest.warns(RuntimeWarning, match="progress cannot be shown any more .KeyError: 'no such label'.") as warned:
        run(progress)
        run(progress, stage="refine")
    assert called == ["analyze"]
    assert len(warned) == 1


def test_a_warning_that_is_an_error_does_not_break_the_work(caplog):
    run(lambda *step: 1 / 0)
    assert [record.getMessage() for record in caplog.records] == [
        "progress cannot be shown any more (ZeroDivisionError: division by zero); the work goes on"
    ]


def test_a_callable_cancels_by_raising_so():
    def stop(stage, done, total):
        if done == 3:
            raise PassCancelled("enough")

    with pytest.raises(PassCancelled, match="enough"):
        run(stop)


def test_a_slow_callable_is_called_seldom_and_at_the_end():
    seen = []

    def slow(stage, done, total):
        seen.append(done)
        time.sleep(0.05)

    began = time.monotonic()
    run(slow, steps=1000)
    assert time.monotonic() - began < 10
    assert len(seen) < 20
    assert seen[-1] == 1000


def test_no_bar_is_drawn_where_stderr_is_no_terminal(capfd):
    run(True)
    assert capfd.readouterr() == ("", "")


class Terminal:
    """A pseudo-terminal in the place of stderr."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()

    def read(self):
        shown = b""
        while select.select([self.ours], [], [], 0.2)[0]:  # a terminal hands on what is written a little later
            shown += os.read(self.ours, 65536)
        return shown.decode()


@contextmanager
def terminal():
    opened = Terminal()
    with os.fdopen(opened.theirs, "w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", file)
        yield opened
    os.close(opened.ours)


def drawing_threads():
    return [thread for thread in threading.enumerate() if thread.name == "redactkit-drawing"]


def test_a_bar_is_drawn_on_a_terminal():
    with terminal() as shows:
        run(True)
        assert "analyze: 100%" in shows.read()
    assert drawing_threads() == []


def test_a_terminal_that_takes_no_more_does_not_hold_the_work_up():
    with terminal() as shows:
        os.set_blocking(shows.theirs, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(shows.theirs, b"x" * 1000)
        os.set_blocking(shows.theirs, True)
        began = time.monotonic()
        run(True)
        assert time.monotonic() - began < 5
        wait_until(lambda: not (shows.read() or drawing_threads()), 30)


@pytest.mark.parametrize("when", ["__init__", "refresh", "close"])
def test_a_bar_that_fails_is_left_out_and_leaves_the_bars_of_others_alone(monkeypatch, caplog, when):
    """tqdm keeps its lock when it fails while it draws."""

    def failing(self, *args, **options):
        self.get_lock().acquire()
        raise AttributeError("no attribute 'nrows'")

    with terminal(), monkeypatch.context() as patch:
        patch.setattr(tqdm, when, failing)
        run(True)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "progress cannot be shown any more (AttributeError: no attribute 'nrows'); the work goes on"
    ]
    acquired = []

    def draw():
        for lock in tqdm.get_lock().locks:
            acquired.append(lock.acquire(timeout=5))
            lock.release()

    other = threading.Thread(target=draw)
    other.start()
    other.join()
    assert acquired == [True, True]
    assert drawing_threads() == []


def test_a_bar_can_be_drawn_anew_after_it_was_made():
    file = io.StringIO()
    bar = TerminalBar(total=10, file=file, leave=True)
    bar.show(5, "clip.mp4 analyze")
    bar.close()
    assert "clip.mp4 analyze" in file.getvalue()
    assert "50%" in file.getvalue()


def test_a_drawing_draws_what_is_newest_and_ends():
    numbers, drawn, newest = threading.Event(), [], [0]

    def draw():
        drawn.append(newest[0])
        numbers.wait(10)

    drawing = Drawing(draw, every=0, what="a test")
    drawing.ask()
    wait_until(lambda: drawn == [0])
    for number in range(1, 50):
        newest[0] = number
        drawing.ask()
    numbers.set()
    assert drawing.close(timeout=10)
    assert drawn[-1] == 49
    assert len(drawn) <= 3


def test_a_drawing_that_hangs_is_not_waited_for():
    hang = threading.Event()
    drawing = Drawing(lambda: hang.wait(60) and None, what="a test")
    drawing.ask()
    began = time.monotonic()
    assert not drawing.close(timeout=0.1)
    assert time.monotonic() - began < 5
    hang.set()


def test_a_closed_or_missing_stream_is_no_terminal():
    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream)
    assert not is_terminal(None)


def test_bars_without_a_stderr_go_nowhere(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    run(True)
    bar = Bar("analyze", 10)
    bar.update(10)
    bar.close()
    assert drawing_threads() == []


def test_bars_do_not_bring_the_widgets_in():
    code = "import sys, redactkit.runtime.progress; sys.exit('ipywidgets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_bar_of_a_notebook_is_drawn_by_the_thread_that_works(monkeypatch):
    drawn = []

    class Widget(tqdm):
        def refresh(self, *args, **options):
            drawn.append(threading.current_thread())

    monkeypatch.setattr(progress_module, "tqdm", Widget)
    monkeypatch.setattr(progress_module, "in_notebook", lambda: True)
    with shown(True).stage("analyze", 3) as update:
        update(3)
    assert set(drawn) == {threading.current_thread()}
