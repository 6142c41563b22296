"""Commands that run for long end soon after a signal, whatever the main thread is in the middle of."""

import functools
import signal
import subprocess
import sys
import threading
import time

import pytest

from redactkit.cli.ending import ending_soon

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals")

BEGIN = """if True:
    import sys, time, threading
    from redactkit.cli.ending import ending_soon
    def ready():
        print("ready", flush=True)
"""


def run(body, *, number=signal.SIGTERM, times=1):
    """Run a script, send it a signal when it is ready, and return its exit code and what it said."""
    heed = functools.partial(signal.signal, number, signal.SIG_DFL)  # what runs in the background ignores SIGINT
    command = [sys.executable, "-c", BEGIN + body]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    assert process.stdout.readline() == "ready\n"
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.05)
    _, said = process.communicate(timeout=30)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_an_interrupt(number):
    body = """
    try:
        with ending_soon():
            ready()
            time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(7)
    """
    assert run(body, number=number) == (7, "")


def test_further_signals_do_not_disturb_the_tidying_up():
    body = """
    try:
        with ending_soon():
            try:
                ready()
                time.sleep(60)
            finally:
                time.sleep(0.5)
    except KeyboardInterrupt:
        time.sleep(0.3)
        sys.exit(7)
    """
    assert run(body, times=5) == (7, "")


def test_what_goes_on_all_the_same_is_ended():
    body = """
    with ending_soon(latest=0.3):
        while True:
            try:
                ready()
                time.sleep(60)
            except KeyboardInterrupt:
                time.sleep(60)
    """
    assert run(body) == (1, "redactkit: interrupted; no unfinished output was left\n")


def test_a_main_thread_that_no_signal_reaches_is_ended():
    body = """
    import os
    reads, writes = os.pipe()
    full = os.fdopen(writes, "wb")
    def block():
        full.write(bytes(300_000))
        full.flush()
    with ending_soon(latest=0.3):
        threading.Thread(target=block, daemon=True).start()
        time.sleep(0.3)
        threading.Timer(0.3, ready).start()  # said once the main thread waits below
        full.write(b"waits for the lock of the file, out of which no handler can call it")
    """
    assert run(body)[0] == 1


def test_all_is_as_before_where_no_signal_came():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    descriptor = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(descriptor)
    with ending_soon():
        assert signal.getsignal(signal.SIGTERM) is not before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(descriptor) == descriptor
    for thread in threading.enumerate():
        if thread.name == "redactkit-ending":
            thread.join(5)
            assert not thread.is_alive()


def test_other_threads_hear_of_no_signal():
    entered = []

    def enter():
        with ending_soon():
            entered.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [before]
