import os
import subprocess
import sys

import pytest

from redactkit.errors import OutputExistsError
from redactkit.files import PART, make_private, part_path, replacing, sweep_parts, write_text


@pytest.fixture
def dead_process():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_sweep_of_an_empty_folder_removes_nothing(tmp_path):
    assert sweep_parts(tmp_path) == []


def test_sweep_removes_what_a_dead_process_left(tmp_path, dead_process):
    mine = part_path(tmp_path / "a.mp4")
    left = mine.with_name(mine.name.replace(f"-{os.getpid()}{PART}", f"-{dead_process}{PART}"))
    mine.touch()
    left.touch()
    assert sweep_parts(tmp_path) == [left]
    assert mine.exists()


def test_sweep_leaves_what_another_machine_may_be_writing(tmp_path, dead_process):
    fresh, old = (tmp_path / f".{name}.mp4.elsewhere-{dead_process}{PART}.mp4" for name in ("fresh", "old"))
    fresh.touch()
    old.touch()
    os.utime(old, (0, 0))
    assert sweep_parts(tmp_path) == [old]


def test_sweep_leaves_files_that_are_no_parts(tmp_path):
    (tmp_path / ".hidden").touch()
    (tmp_path / "clip.mp4").touch()
    assert sweep_parts(tmp_path) == []


def test_replacing_leaves_nothing_after_an_exception(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_replacing_refuses_to_overwrite(tmp_path):
    write_text(tmp_path / "a.txt", "first")
    with pytest.raises(OutputExistsError, match=r"a\.txt exists"):
        write_text(tmp_path / "a.txt", "second")
    assert (tmp_path / "a.txt").read_text() == "first"


def test_make_private_keeps_others_out(tmp_path):
    folder = make_private(tmp_path / "deep" / "inside")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "deep").stat().st_mode & 0o700 == 0o700
