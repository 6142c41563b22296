"""Files that are whole or absent: names, races, links, permissions, and what is left by who is gone."""

import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from redactkit.errors import OptionError, OutputExistsError
from redactkit.runtime import partial_files
from redactkit.runtime.files import (
    MAX_NAME_BYTES,
    check_output,
    check_video_output,
    fit_name,
    locked,
    make_private,
    open_to_append,
    replacing,
    report_path,
    write_text,
    writing,
)
from redactkit.runtime.partial_files import PARTIAL_SUFFIX, remove_partial_file, sweep_partial_files
from tests.waiting import wait_until

posix = pytest.mark.skipif(os.name == "nt", reason="needs the permissions, links and locks of POSIX")

HOLDING = """
import sys, time
from redactkit.runtime.files import replacing
with replacing(sys.argv[1]) as part:
    part.write_text("half")
    print(part, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def umask():
    """Set the umask for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def left_by_the_dead(target):
    """Start writing ``target`` in a process that is killed in the middle; return what it leaves."""
    command = [sys.executable, "-c", HOLDING, str(target)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        part = process.stdout.readline().strip()
        assert part
        os.kill(process.pid, signal.SIGKILL)
    return target.with_name(part.rpartition(os.sep)[2])


def test_sweep_of_an_empty_folder_removes_nothing(tmp_path):
    assert sweep_partial_files(tmp_path) == []
    assert sweep_partial_files(tmp_path / "none") == []


@posix
def test_sweep_removes_what_a_killed_process_left_and_not_what_is_being_written(tmp_path):
    left = left_by_the_dead(tmp_path / "a.mp4")
    assert left.read_text() == "half"
    with replacing(tmp_path / "b.mp4") as mine:
        assert remove_partial_file(left, dry_run=True)
        assert sweep_partial_files(tmp_path) == [left]
        assert mine.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4"]


@posix
def test_sweep_sees_the_writers_of_other_processes(tmp_path):
    command = [sys.executable, "-c", HOLDING, str(tmp_path / "a.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()
        assert sweep_partial_files(tmp_path) == []
        process.kill()
    assert len(sweep_partial_files(tmp_path)) == 1


@posix
def test_sweep_leaves_what_another_machine_may_be_writing(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    fresh, old = (left_open(tmp_path) for _ in range(2))
    os.utime(old, (0, 0))
    monkeypatch.setattr("platform.node", lambda: "here")
    assert sweep_partial_files(tmp_path) == [old]
    assert fresh.exists()


def left_open(folder):
    part, descriptor = partial_files.make_partial_file(folder)
    os.close(descriptor)
    return part


def test_sweep_leaves_files_that_are_not_partial(tmp_path):
    (tmp_path / ".hidden").touch()
    (tmp_path / "clip.mp4").touch()
    (tmp_path / f".folder{PARTIAL_SUFFIX}").mkdir()
    assert sweep_partial_files(tmp_path) == []


@posix
def test_sweep_never_goes_through_a_link_or_waits_for_a_pipe(tmp_path):
    (tmp_path / "precious").write_text("kept")
    link, pipe = (left_open(tmp_path) for _ in range(2))
    link.unlink()
    pipe.unlink()
    link.symlink_to(tmp_path / "precious")
    os.mkfifo(pipe)
    assert sweep_partial_files(tmp_path) == []
    assert (tmp_path / "precious").read_text() == "kept"


@posix
def test_a_partial_file_that_is_swept_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    lock, swept = partial_files.lock, []

    def late(descriptor):
        if not swept:
            swept.append(True)
            swept.extend(sweep_partial_files(tmp_path))
        return lock(descriptor)

    monkeypatch.setattr(partial_files, "lock", late)
    write_text(tmp_path / "a.txt", "whole")
    assert len(swept) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"


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


def test_replacing_makes_the_folders_that_are_missing(tmp_path):
    write_text(tmp_path / "new" / "dir" / "a.txt", "whole")
    assert (tmp_path / "new" / "dir" / "a.txt").read_text() == "whole"
    assert mode_of(tmp_path / "new") == mode_of(tmp_path / "new" / "dir") == 0o700


def test_an_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot be made a folder"):
        write_text(tmp_path / "file" / "a.txt", "whole")


def test_a_folder_is_no_output(tmp_path):
    with pytest.raises(OutputExistsError, match="is a folder"):
        check_output(tmp_path, overwrite=True)


@pytest.mark.parametrize("linking", [True, False])
def test_what_came_meanwhile_is_not_replaced(tmp_path, monkeypatch, linking):
    if not linking:
        monkeypatch.setattr("os.link", refuse_links)
    with pytest.raises(OutputExistsError, match=r"a\.txt exists"), writing(tmp_path / "a.txt") as file:
        file.write(b"mine")
        (tmp_path / "a.txt").write_text("came meanwhile")
    assert (tmp_path / "a.txt").read_text() == "came meanwhile"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def refuse_links(*names, **options):
    raise PermissionError(1, "Operation not permitted")


@posix
def test_a_device_or_a_pipe_is_no_output(tmp_path):
    with pytest.raises(OutputExistsError, match="/dev/null is a device or a pipe"):
        check_output("/dev/null", overwrite=True)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputExistsError, match="pipe is a device or a pipe"):
        write_text(tmp_path / "pipe", "x", overwrite=True)


def test_a_full_disk_is_told_with_the_file_and_leaves_nothing(tmp_path):
    told = r"a\.txt cannot be written: No space left on device; make room"
    with pytest.raises(OptionError, match=told), writing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_an_error_of_another_file_while_writing_is_not_taken_for_one_of_writing(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"), writing(tmp_path / "a.txt"):
        (tmp_path / "absent").read_bytes()


def test_without_hard_links_files_are_written_too(tmp_path, monkeypatch):
    monkeypatch.setattr("os.link", refuse_links)
    write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("linking", [True, False])
def test_of_many_threads_one_wins_whole_and_the_others_are_told(tmp_path, monkeypatch, linking):
    if not linking:
        monkeypatch.setattr("os.link", refuse_links)
    ready, told, won = threading.Barrier(8), [], []

    def write(number):
        try:
            with writing(tmp_path / "a.txt") as file:
                ready.wait()
                file.write(f"{number}".encode() * 1000)
            won.append(number)
        except OutputExistsError:
            told.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1 and len(told) == 7
    assert (tmp_path / "a.txt").read_text() == f"{won[0]}" * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def write_when_all_are_ready(path, number, ready):
    try:
        with writing(path) as file:
            file.write(f"{number}".encode() * 1000)
            ready.wait(60)
    except OutputExistsError:
        sys.exit(17)


@pytest.mark.slow
def test_of_many_processes_one_wins_whole_and_the_others_are_told(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(3)
    target = tmp_path / "a.txt"
    processes = [context.Process(target=write_when_all_are_ready, args=(target, n, ready)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    codes = [process.exitcode for process in processes]
    assert sorted(codes) == [0, 17, 17]
    assert target.read_text() == f"{codes.index(0)}" * 1000
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@posix
def test_a_target_that_is_a_link_is_never_written_through(tmp_path):
    precious = tmp_path / "precious"
    for there in (False, True):
        link = tmp_path / f"link{there}"
        link.symlink_to(precious)
        if there:
            precious.write_text("kept")
        with pytest.raises(OutputExistsError):
            write_text(link, "new")
        assert precious.exists() is there
        write_text(link, "new", overwrite=True)
        assert not link.is_symlink() and link.read_text() == "new"
    assert precious.read_text() == "kept"


@posix
def test_a_partial_file_is_never_made_through_a_link(tmp_path, monkeypatch):
    precious = tmp_path / "precious"
    precious.write_text("kept")
    names = iter(["a", "a", "b"])
    monkeypatch.setattr("secrets.token_hex", lambda size: next(names))
    guessed = left_open(tmp_path)
    guessed.unlink()
    guessed.symlink_to(precious)
    write_text(tmp_path / "a.txt", "whole")
    assert precious.read_text() == "kept"
    assert guessed.is_symlink()
    assert (tmp_path / "a.txt").read_text() == "whole"


@posix
def test_a_folder_full_of_taken_names_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda size: "a")
    left_open(tmp_path)
    with pytest.raises(OptionError, match="each of 100 names was taken"):
        write_text(tmp_path / "a.txt", "whole")


@posix
def test_a_partial_file_that_another_file_took_the_place_of_is_not_kept(tmp_path):
    (tmp_path / "theirs").write_text("theirs")
    with pytest.raises(OutputExistsError, match="was replaced by another file"), replacing(tmp_path / "a.txt") as part:
        part.write_text("mine")
        part.unlink()
        part.symlink_to(tmp_path / "theirs")
    assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_names_of_partial_files_are_short_and_never_the_same(tmp_path):
    target = tmp_path / "a.mp4"
    with replacing(target, overwrite=True) as one, replacing(target, overwrite=True) as other:
        assert one.name != other.name
        assert len(one.name) < 50 and "a.mp4" not in one.name
        one.write_text("one")
        other.write_text("other")


@posix
@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o777])
def test_whatever_the_umask_files_are_their_owners_from_the_first_byte(tmp_path, umask, mask):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    umask(mask)
    with writing(folder / "new" / "a.txt") as file:
        (part,) = (folder / "new").iterdir()
        assert mode_of(part) == 0o600
        file.write(b"secret")
    assert mode_of(folder / "new" / "a.txt") == 0o600
    assert mode_of(folder / "new") == 0o700


@posix
@pytest.mark.parametrize(("mask", "mode"), [(0, 0o666), (0o022, 0o644), (0o077, 0o600)])
def test_what_is_for_the_public_has_ordinary_permissions_once_it_is_whole(tmp_path, umask, mask, mode):
    umask(mask)
    with replacing(tmp_path / "a.mp4", public=True) as part:
        assert mode_of(part) == 0o600
        part.write_text("whole")
        assert mode_of(part) == 0o600
    assert mode_of(tmp_path / "a.mp4") == mode
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@posix
def test_a_file_that_is_replaced_does_not_keep_open_permissions(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    (tmp_path / "a.txt").chmod(0o666)
    write_text(tmp_path / "a.txt", "new", overwrite=True)
    assert mode_of(tmp_path / "a.txt") == 0o600


@pytest.mark.parametrize("letter", ["x", "é", "語", "🎬"])
def test_names_of_255_bytes_are_written(tmp_path, letter):
    size = len(letter.encode())
    name = letter * ((MAX_NAME_BYTES - 4) // size)
    name += "x" * (MAX_NAME_BYTES - 4 - len(name.encode())) + ".txt"
    assert len(os.fsencode(name)) == MAX_NAME_BYTES
    write_text(tmp_path / name, "whole")
    assert (tmp_path / name).read_text() == "whole"
    with pytest.raises(OptionError, match="at most 255 bytes, got 256"):
        write_text(tmp_path / f"x{name}", "whole")


@pytest.mark.parametrize("letter", ["x", "é", "語", "🎬"])
def test_fit_name_shortens_between_characters_and_keeps_stems_apart(tmp_path, letter):
    stem = letter * (250 // len(letter.encode()))
    names = {fit_name(stem + end, "_annotations.json") for end in ("", "1", "2")}
    assert len(names) == 3
    for name in names:
        assert len(os.fsencode(name)) <= MAX_NAME_BYTES
        assert name.endswith("_annotations.json") and name[0] == letter
        (tmp_path / name).touch()
    assert fit_name(stem, "_annotations.json") == fit_name(stem, "_annotations.json")


def test_two_outputs_never_share_a_report(tmp_path):
    outputs = ["foo.mp4", "foo.x.mp4", "foo.MP4", "foo.Mp4", "foo.mp4.mp4", "foo.MP4.mp4", "foo.report.mp4"]
    outputs += ["foo.report.MP4.mp4", f"{'x' * 251}.mp4", f"{'x' * 250}y.mp4", f"{'x' * 251}.MP4"]
    reports = {report_path(tmp_path / name) for name in outputs}
    assert len(reports) == len(outputs)
    assert all(len(os.fsencode(report.name)) <= MAX_NAME_BYTES for report in reports)
    assert report_path("a/foo_redacted.mp4").as_posix() == "a/foo_redacted.report.json"


@pytest.mark.parametrize("name", ["a.mp4", "a.MP4", "a.b.Mp4"])
def test_redacted_videos_end_in_mp4_in_any_case(tmp_path, name):
    assert check_video_output(tmp_path / name) == tmp_path / name


@pytest.mark.parametrize("name", ["a", "a.mov", "a.mkv", "a.mp4.txt", ".mp4", "a."])
def test_other_endings_of_redacted_videos_are_refused_with_the_reason(tmp_path, name):
    with pytest.raises(OptionError, match=r"must end in \.mp4"):
        check_video_output(tmp_path / name)


def test_make_private_keeps_others_out(tmp_path):
    folder = make_private(tmp_path / "deep" / "inside")
    assert mode_of(folder) == mode_of(tmp_path / "deep") == 0o700
    assert make_private(folder) == folder


@posix
def test_open_to_append_closes_the_file_to_others_and_refuses_links(tmp_path):
    log = tmp_path / "log"
    log.write_text("a")
    log.chmod(0o644)
    with open_to_append(log) as file:
        file.write(b"b")
    assert log.read_text() == "ab" and mode_of(log) == 0o600
    (tmp_path / "link").symlink_to(log)
    with pytest.raises(OptionError, match="it is a link"):
        open_to_append(tmp_path / "link")


@posix
def test_one_at_a_time_is_let_into_a_locked_folder_also_if_it_is_removed(tmp_path):
    inside, most, folder = [], [], tmp_path / "turn"

    def enter():
        with locked(folder):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()
            folder.rmdir()

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(most) == 6, 30)
    for thread in threads:
        thread.join()
    assert max(most) == 1


def test_an_interrupt_while_a_partial_file_is_made_leaves_none(tmp_path, monkeypatch):
    def interrupt(_):
        assert list(tmp_path.iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(partial_files, "lock", interrupt)
    with pytest.raises(KeyboardInterrupt), writing(tmp_path / "a.txt"):
        pass
    assert not list(tmp_path.iterdir())
