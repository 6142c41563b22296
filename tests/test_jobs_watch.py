import threading

import pytest

from redactkit.errors import OptionError
from redactkit.jobs import watch
from redactkit.jobs.watch import Arrivals


def test_an_empty_folder_has_no_arrivals(tmp_path):
    assert Arrivals(tmp_path).new() == []


def test_a_file_is_taken_once_it_has_stopped_growing(tmp_path):
    arrivals, clip = Arrivals(tmp_path, unchanged=10), tmp_path / "clip.mp4"
    clip.write_bytes(b"first")
    assert arrivals.new(now=0) == []
    clip.write_bytes(b"first and more")
    assert arrivals.new(now=9) == []
    assert arrivals.new(now=18) == []
    assert arrivals.new(now=19) == [str(clip)]
    assert arrivals.new(now=40) == []


def test_a_file_that_is_replaced_is_taken_again(tmp_path):
    arrivals, clip = Arrivals(tmp_path, unchanged=1), tmp_path / "clip.mp4"
    clip.write_bytes(b"first")
    arrivals.new(now=0)
    assert arrivals.new(now=2) == [str(clip)]
    clip.write_bytes(b"second one")
    assert arrivals.new(now=3) == []
    assert arrivals.new(now=5) == [str(clip)]


def test_empty_and_other_files_are_left_alone(tmp_path):
    arrivals = Arrivals(tmp_path, unchanged=0)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "notes.txt").write_text("x")
    assert arrivals.new(now=0) == []
    assert arrivals.new(now=9) == []


class NoRoom:
    """An executor that never gets to anything."""

    def submit(self, function, *arguments):
        raise RuntimeError("no room")


def test_watch_queues_what_comes_until_it_is_stopped(tmp_path):
    executor, stop, heard = NoRoom(), threading.Event(), []
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "clip.mp4").write_bytes(b"something")

    def hear(jobs, names):
        heard.extend(names)
        stop.set()

    options = {"output": tmp_path / "out", "unchanged": 0, "every": 0.01, "executor": executor}
    jobs = watch(tmp_path, stop=stop, heard=hear, **options)
    assert heard == [str(tmp_path / "below" / "clip.mp4")]
    assert jobs.table()["output"].tolist() == [str(tmp_path / "out" / "below" / "clip_redacted.mp4")]
    jobs.close()


def test_watch_needs_a_folder_and_options_that_mean_something(tmp_path):
    with pytest.raises(OptionError, match="not a folder"):
        watch(tmp_path / "none")
    with pytest.raises(OptionError, match="Pink"):
        watch(tmp_path, blur="Pink")
