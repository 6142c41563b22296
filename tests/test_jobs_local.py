"""Worker processes of this machine, real ones."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from redactkit.errors import OptionError, VideoError
from redactkit.jobs.local import LocalPool, WorkerLostError
from tests.waiting import wait_until


def pid():
    return os.getpid()


def ready_then_sleep(path, seconds):
    path.write_text(str(os.getpid()))
    time.sleep(seconds)


def fail(kind, *arguments):
    raise kind(*arguments)


def cores():
    return len(os.sched_getaffinity(0))


def unpicklable():
    return lambda: None


@pytest.fixture(scope="module")
def pool():
    with LocalPool(2) as opened:
        yield opened


@pytest.mark.slow
def test_calls_run_in_processes_of_their_own(pool):
    found = {future.result(60) for future in [pool.submit(pid) for _ in range(4)]}
    assert os.getpid() not in found
    assert 1 <= len(found) <= 2


def test_errors_come_back_as_they_are(pool):
    with pytest.raises(VideoError, match=r"clip\.mp4 is empty"):
        pool.submit(fail, VideoError, "clip.mp4 is empty").result(60)
    with pytest.raises(ZeroDivisionError) as caught:
        pool.submit(fail, ZeroDivisionError, "by zero").result(60)
    assert "in fail" in caught.value.__notes__[0]


def test_what_cannot_be_sent_back_is_an_error(pool):
    with pytest.raises(Exception, match="function"):
        pool.submit(unpicklable).result(60)
    assert pool.submit(pid).result(60)


def test_calls_take_no_keywords(pool):
    with pytest.raises(OptionError, match="key"):
        pool.submit(pid, key=1)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="cores cannot be divided here")
def test_each_worker_keeps_to_its_share_of_the_cores(pool):
    assert pool.submit(cores).result(60) == pool.share.cores


def test_a_killed_worker_takes_only_its_own_call_with_it(pool, tmp_path):
    lost = pool.submit(ready_then_sleep, tmp_path / "a", 60)
    other = pool.submit(ready_then_sleep, tmp_path / "b", 0.5)
    wait_until((tmp_path / "a").exists)
    wait_until(lambda: (tmp_path / "a").read_text())
    os.kill(int((tmp_path / "a").read_text()), signal.SIGKILL)
    with pytest.raises(WorkerLostError, match="killed by signal 9"):
        lost.result(60)
    assert other.result(60) is None
    assert pool.submit(pid).result(60) != int((tmp_path / "a").read_text())


@pytest.mark.slow
def test_shutdown_ends_what_hangs(tmp_path):
    pool = LocalPool(1)
    hangs, waits = pool.submit(ready_then_sleep, tmp_path / "a", 60), pool.submit(pid)
    wait_until((tmp_path / "a").exists)
    began = time.monotonic()
    pool.shutdown(cancel_futures=True)
    assert time.monotonic() - began < 20
    assert waits.cancelled()
    with pytest.raises(WorkerLostError):
        hangs.result(1)
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(pid)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux to look at processes")
def test_workers_end_with_the_process_that_started_them(tmp_path):
    script = f"""if True:
        import time
        from pathlib import Path
        from redactkit.jobs import LocalPool
        from tests.test_jobs_local import ready_then_sleep
        if __name__ == "__main__":
            LocalPool(1).submit(ready_then_sleep, Path({str(tmp_path / "a")!r}), 600)
            time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "a").read_text(), 60)
    finally:
        parent.kill()
        parent.wait()
    worker = int((tmp_path / "a").read_text())
    wait_until(lambda: not _alive(worker), 10)


def _alive(process):
    status = Path(f"/proc/{process}/stat")
    return status.exists() and ") Z " not in status.read_text()


@pytest.mark.slow
def test_a_script_that_starts_jobs_on_import_is_told_what_is_wrong(tmp_path):
    (tmp_path / "script.py").write_text(
        "from redactkit.jobs import LocalPool\n"
        "import os\n"
        "try:\n"
        "    LocalPool(1).submit(os.getpid).result(60)\n"
        "except Exception as err:\n"
        "    print(err)\n"
    )
    done = subprocess.run([sys.executable, str(tmp_path / "script.py")], capture_output=True, text=True, timeout=240)
    assert "__name__ == '__main__'" in done.stdout + done.stderr
