"""Jobs without processes: a stand-in for the executor that does what a test tells it to."""

import json
import tracemalloc
from concurrent.futures import Future

import numpy as np
import pandas as pd
import pytest

from redactkit.errors import OptionError, OutputExistsError, PassCancelled, VideoError
from redactkit.jobs import Jobs, submit
from redactkit.jobs.executors import open_engine
from redactkit.jobs.heartbeat import ask_to_stop, follow_progress, read_progress, record_start
from redactkit.jobs.job import TABLE, as_table, save_table
from redactkit.jobs.local import WorkerLostError
from redactkit.jobs.machine import Share, plan_workers
from redactkit.jobs.spec import Spec
from redactkit.jobs.submit import make_specs
from redactkit.jobs.task_graph import TaskGraph
from redactkit.jobs.tasks import Outcome
from redactkit.media import FrameRange
from tests.waiting import wait_until

CHUNKS = (FrameRange(0, 40), FrameRange(40, 80), FrameRange(80, 100))


class Engine:
    """Keeps what is handed over; a test ends it as it likes."""

    dashboard = None

    def __init__(self, slots=2):
        self.room, self.tasks, self.futures, self.closed = slots, [], [], False

    def slots(self):
        return self.room

    def submit(self, task, *, priority):
        self.tasks.append(task)
        self.futures.append(Future())
        return self.futures[-1]

    def lost_workers(self, error):
        return int(isinstance(error, WorkerLostError))

    def stop(self):
        for future in self.futures:
            if not future.done():
                future.set_exception(PassCancelled("the end"))

    def close(self):
        self.closed = True

    def names(self):
        return [f"{task.arguments[0].stem}:{task.name}" for task in self.tasks]

    def wait_for(self, count):
        wait_until(lambda: len(self.tasks) >= count)
        return self.names()[count - 1]


def specs(folder, count, **options):
    return [Spec(f"/videos/clip{number}.mp4", str(folder), **options) for number in range(count)]


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def start(engine, tmp_path):
    opened = []

    def starter(count, **options):
        priority = options.pop("priority", 0)
        opened.append(Jobs(specs(tmp_path, count, **options), engine, priority=priority))
        return opened[-1]

    yield starter
    engine.room = 0
    engine.stop()
    for jobs in opened:
        jobs.close()


def states(jobs):
    return jobs.table()["state"].tolist()


def test_no_jobs_have_a_table_with_its_columns_and_are_over_at_once(engine):
    with Jobs([], engine) as jobs:
        assert jobs.wait(1)
        assert jobs.table().dtypes.to_dict() == TABLE
        assert len(jobs.table()) == 0
        assert jobs.time_left() == 0
    assert engine.closed


def test_jobs_start_in_their_order_as_far_as_there_is_room(start, engine):
    jobs = start(3)
    engine.wait_for(2)
    assert states(jobs) == ["running", "running", "queued"]
    engine.futures[1].set_result(Outcome(frames=100, faces=2))
    assert engine.wait_for(3) == "clip2:start"
    assert states(jobs) == ["running", "done", "running"]
    assert jobs.table().loc[1, ["frames", "faces", "progress"]].tolist() == [100, 2, 1.0]


def test_a_long_video_goes_through_chunks_and_what_joins_them(start, engine):
    jobs = start(1)
    engine.wait_for(1)
    engine.room = 8
    engine.futures[0].set_result(Outcome("analyze", CHUNKS))
    assert engine.wait_for(4) == "clip0:analyze-80"
    for future in engine.futures[3:0:-1]:
        future.set_result(Outcome())
    assert engine.wait_for(5) == "clip0:analyze-close"
    assert jobs.table()["progress"].tolist() == [0.5]
    engine.futures[4].set_result(Outcome("redact", CHUNKS))
    engine.wait_for(8)
    for future in engine.futures[5:8]:
        future.set_result(Outcome())
    assert engine.wait_for(9) == "clip0:redact-close"
    assert not jobs.wait(0)
    engine.futures[8].set_result(Outcome(frames=100, faces=1))
    assert jobs.wait(5)
    assert states(jobs) == ["done"]


def test_chunks_of_what_has_begun_go_before_other_jobs(start, engine):
    start(4)
    engine.wait_for(2)
    engine.futures[0].set_result(Outcome("analyze", CHUNKS))
    assert engine.wait_for(3) == "clip0:analyze-0"
    engine.futures[1].set_result(Outcome(frames=1))
    assert engine.wait_for(4) == "clip0:analyze-40"


def test_priority_lets_a_job_go_first(start, engine):
    jobs = start(5)
    engine.wait_for(2)
    jobs.set_priority(4, 7)
    jobs.set_priority(3, -1)
    for future in engine.futures[:2]:
        future.set_result(Outcome(frames=1))
    engine.wait_for(4)
    assert engine.names()[2:] == ["clip4:start", "clip2:start"]
    assert jobs.table()["priority"].tolist() == [0, 0, 0, -1, 7]


def test_a_lost_worker_costs_its_task_only(start, engine):
    jobs = start(1)
    engine.wait_for(1)
    engine.futures[0].set_exception(WorkerLostError("worker 7 was lost: killed by signal 9"))
    assert engine.wait_for(2) == "clip0:start"
    engine.futures[1].set_result(Outcome(frames=10))
    assert jobs.wait(5)
    row = jobs.table().loc[0]
    assert row["state"] == "done"
    assert "killed by signal 9" in row["note"]


def test_a_task_that_kills_its_workers_is_given_up(start, engine):
    jobs = start(2)
    for number in (0, 2, 3):
        engine.wait_for(number + 1)
        engine.futures[number].set_exception(WorkerLostError("worker was lost"))
    engine.futures[1].set_result(Outcome(frames=10))
    assert jobs.wait(5)
    assert states(jobs) == ["failed", "done"]
    assert "given up after 3 workers" in jobs.table().loc[0, "error"]


def test_a_fault_of_one_job_leaves_the_others_alone(start, engine):
    jobs = start(3)
    engine.wait_for(2)
    engine.futures[0].set_exception(VideoError("clip0.mp4 is empty"))
    engine.futures[1].set_exception(ZeroDivisionError("by zero"))
    engine.wait_for(3)
    engine.futures[2].set_result(Outcome(frames=10))
    assert jobs.wait(5)
    assert states(jobs) == ["failed", "failed", "done"]
    assert jobs.table()["error"].tolist() == ["clip0.mp4 is empty", "ZeroDivisionError: by zero", ""]


def test_a_chunk_that_fails_stops_the_chunks_beside_it(start, engine, tmp_path):
    jobs = start(1)
    engine.wait_for(1)
    record_start(jobs._jobs[0].spec.work, "start")
    engine.futures[0].set_result(Outcome("analyze", CHUNKS))
    engine.wait_for(3)
    engine.futures[1].set_exception(OSError(28, "No space left on device"))
    with pytest.raises(PassCancelled):
        wait_until(lambda: record_start(jobs._jobs[0].spec.work, "analyze-40") < 0)
    assert states(jobs) == ["running"]
    engine.futures[2].set_exception(PassCancelled("stopped"))
    assert jobs.wait(5)
    assert states(jobs) == ["failed"]
    assert "No space left" in jobs.table().loc[0, "error"]
    assert len(engine.tasks) == 3


def test_a_queued_job_is_cancelled_at_once_and_can_come_again(start, engine):
    jobs = start(3)
    engine.wait_for(2)
    jobs.cancel(2)
    assert states(jobs) == ["running", "running", "cancelled"]
    jobs.resubmit(2)
    for future in engine.futures[:2]:
        future.set_result(Outcome(frames=1))
    assert engine.wait_for(3) == "clip2:start"


def test_a_running_job_is_asked_to_stop(start, engine):
    jobs = start(1)
    engine.wait_for(1)
    work = jobs._jobs[0].spec.work
    record_start(work, "start")
    jobs.cancel(0)
    with pytest.raises(PassCancelled, match="after 5 of 10 frames"):
        follow_progress(work, "start")("analyze", 5, 10)
    engine.futures[0].set_exception(PassCancelled("stopped"))
    assert jobs.wait(5)
    assert states(jobs) == ["cancelled"]
    jobs.resubmit()
    engine.wait_for(2)
    follow_progress(work, "start")("analyze", 5, 10)
    wait_until(lambda: jobs.table().loc[0, "progress"] == 0.25)
    assert jobs.table().loc[0, ["stage", "tries"]].tolist() == ["analyze", 2]
    assert jobs.table().loc[0, "left"] > 0


def test_what_runs_cannot_be_resubmitted(start, engine):
    jobs = start(1)
    engine.wait_for(1)
    with pytest.raises(OptionError, match="has not ended"):
        jobs.resubmit(0)


@pytest.mark.parametrize("call", ["cancel", "resubmit"])
def test_jobs_that_are_not_there_are_refused(start, call):
    with pytest.raises(OptionError, match="there is no job 9; there are 1"):
        getattr(start(1), call)(9)


def test_listeners_hear_of_changes_until_they_do_not_want_to(start, engine):
    jobs = start(2)
    heard = []
    forget = jobs.on_change(heard.append)
    engine.wait_for(2)
    engine.futures[1].set_result(Outcome(frames=1))
    wait_until(lambda: any(1 in numbers for numbers in heard))
    forget()
    seen = len(heard)
    engine.futures[0].set_result(Outcome(frames=1))
    assert jobs.wait(5)
    assert len(heard) == seen


def test_a_listener_that_raises_does_not_stop_the_jobs(start, engine):
    jobs = start(2)
    jobs.on_change(lambda numbers: 1 / 0)
    engine.wait_for(2)
    for future in engine.futures:
        future.set_result(Outcome(frames=1))
    assert jobs.wait(5)


def test_an_executor_that_breaks_down_fails_the_jobs_and_keeps_nobody_waiting(tmp_path):
    class Broken(Engine):
        def slots(self):
            raise ConnectionError("the scheduler is gone")

    with Jobs(specs(tmp_path, 2), Broken()) as jobs:
        assert jobs.wait(5)
        assert states(jobs) == ["failed", "failed"]
        assert "the scheduler is gone" in jobs.table().loc[0, "error"]


def test_two_videos_whose_outputs_would_have_one_name_are_not_both_done(engine, tmp_path):
    pair = [Spec("/videos/a.mp4", str(tmp_path)), Spec("/other/a.mov", str(tmp_path))]
    with Jobs(pair, engine) as jobs:
        engine.wait_for(1)
        assert states(jobs) == ["running", "failed"]
        assert "/videos/a.mp4" in jobs.table().loc[1, "error"]
        engine.stop()


def test_closing_cancels_what_is_left(engine, tmp_path):
    jobs = Jobs(specs(tmp_path, 4), engine)
    engine.wait_for(2)
    engine.stop()
    jobs.close()
    jobs.close()
    assert set(states(jobs)) == {"cancelled"}
    assert engine.closed


def test_ten_thousand_queued_videos_take_little_memory(engine, tmp_path):
    made = make_specs([f"/videos/{number:05d}.mp4" for number in range(10)], output=tmp_path)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    names = (f"/videos/{number:05d}.mp4" for number in range(10_000))
    with Jobs(make_specs(names, output=tmp_path), engine) as jobs:
        engine.wait_for(2)
        held = tracemalloc.get_traced_memory()[0] - before
        assert len(jobs.table()) == 10_000
        after = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert len(engine.tasks) == 2
        engine.room = 0
        engine.stop()
    assert held < 20_000_000
    assert after < 20_000_000
    assert made[0].analysis is made[9].analysis
    assert made[0].hiding is made[9].hiding


def test_table_tells_rate_and_time_left(tmp_path):
    import time

    from redactkit.jobs.heartbeat import ProgressStep
    from redactkit.jobs.job import Job

    job = Job(0, specs(tmp_path, 1)[0])
    job.begin()
    job.began = time.time() - 10
    assert job.hear("start", ProgressStep("analyze", 50, 100, "w"))
    assert not job.hear("start", ProgressStep("analyze", 50, 100, "w"))
    row = as_table([job]).loc[0]
    assert row["progress"] == 0.25
    np.testing.assert_allclose([row["rate"], row["left"]], [5, 30], rtol=0.1)
    job.hear("start", ProgressStep("redact", 50, 100, "w"))
    assert as_table([job]).loc[0, "progress"] == 0.75
    assert isinstance(row["started"], pd.Timestamp)


def test_report_is_a_table_to_be_read_again(start, engine, tmp_path):
    jobs = start(2)
    path = jobs.save_report(tmp_path / "report.csv")
    table = pd.read_csv(path, index_col="job")
    assert table["video"].tolist() == ["/videos/clip0.mp4", "/videos/clip1.mp4"]
    with pytest.raises(OutputExistsError):
        jobs.save_report(path)
    with pytest.raises(OptionError, match=r"\.csv or \.parquet"):
        jobs.save_report(tmp_path / "report.xls")


def test_report_says_what_parquet_needs(tmp_path, monkeypatch):
    def missing(*args, **options):
        raise ImportError

    monkeypatch.setattr(pd.DataFrame, "to_parquet", missing)
    with pytest.raises(OptionError, match="pyarrow"):
        save_table(as_table([]), tmp_path / "report.parquet")
    assert list(tmp_path.iterdir()) == []


def test_progress_that_is_not_there_or_damaged_is_none(tmp_path):
    assert read_progress(tmp_path, "start") is None
    (tmp_path / "start.json").write_text(json.dumps({"what": 1}))
    assert read_progress(tmp_path, "start") is None


def test_asking_a_job_without_a_folder_to_stop_does_nothing(tmp_path):
    ask_to_stop(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_starts_are_counted(tmp_path):
    assert [record_start(tmp_path / "jobs" / "clip", "start") for _ in range(3)] == [1, 2, 3]
    assert (tmp_path / "jobs").stat().st_mode & 0o777 == 0o700


def test_course_of_a_short_video_is_one_task(tmp_path):
    task_graph = TaskGraph(specs(tmp_path, 1)[0])
    assert task_graph.after(task_graph.first(), Outcome()) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cores": 2, "memory": 10**12}, Share(2, 1)),
        ({"cores": 64, "memory": 10**10}, Share(6, 10)),
        ({"cores": 4, "memory": 1}, Share(1, 4)),
        ({"workers": 3, "cores": 2}, Share(3, 1)),
        ({"workers": 1, "cores": 8}, Share(1, 8)),
    ],
)
def test_workers_are_sized_by_cores_and_memory(given, expected):
    assert plan_workers(**given) == expected


def test_workers_of_this_machine_are_at_least_one():
    assert plan_workers().workers >= 1
    with pytest.raises(OptionError, match="at least 1"):
        plan_workers(0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "blur"}, "mode must be one of combined, analyze, redact"),
        ({"blur": "Pink"}, "Pink"),
        ({"detector": "eyes"}, "centerface, scrfd, yunet"),
        ({"chunk_frames": 0}, "at least 1"),
        ({"mute": [(3, 2)]}, "does not end after its start"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_runs(tmp_path, options, message):
    with pytest.raises(OptionError, match=message):
        submit("/videos/a.mp4", output=tmp_path, **options)


def test_executors_that_are_none_are_refused():
    with pytest.raises(OptionError, match="submit method"):
        open_engine(3)
    with pytest.raises(OptionError, match="brings its own"):
        open_engine(Engine(), workers=2)


def test_settings_decide_what_a_job_is(tmp_path):
    def key(**options):
        return make_specs("/videos/a.mp4", output=tmp_path, **options)[0].settings_key

    assert key() == key(overwrite=True, threads=3)
    others = [{"blur": "High"}, {"detection_size": 640}, {"mode": "analyze"}, {"mute": [(1, 2)]}, {"chunk_frames": 500}]
    assert len({key(), *(key(**options) for options in others)}) == 6
