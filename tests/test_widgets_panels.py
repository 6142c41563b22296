"""Tests of the panels that run passes, without a browser."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from redactkit import formats
from redactkit.annotations import Annotations
from redactkit.errors import OptionError, PassCancelled
from redactkit.review import Review
from redactkit.runtime.progress import ProgressLike
from redactkit.video import probe
from redactkit.widgets import AnalyzePanel, RedactPanel, Runner, Workbench
from redactkit.widgets import export as export_module
from redactkit.widgets import open as open_workbench
from redactkit.widgets import panels as panels_module
from redactkit.widgets import playback as playback_module
from redactkit.widgets.progress import PassBar, describe_pass
from tests.test_widgets_findings import report_of


@pytest.fixture
def review(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> Any:
    opened = Review.open(short_clip, short_truth)
    opened.folder = tmp_path
    yield opened
    opened.close()


def steps(count: int, gate: threading.Event | None = None) -> Any:
    def work(progress: ProgressLike) -> int:
        assert callable(progress)
        for number in range(count):
            progress("count", number, count)
            if gate is not None:
                gate.wait(10)
        return count

    return work


def test_runner_of_no_job_is_idle() -> None:
    runner = Runner()
    runner.cancel_all()
    assert runner.jobs == ()


def test_jobs_run_one_after_another_and_tell_how_they_ended() -> None:
    runner, ended = Runner(), []
    jobs = [runner.submit(f"job {n}", steps(n), finished=lambda job: ended.append(job.name)) for n in (3, 2)]
    assert all(job.over.wait(10) for job in jobs)
    assert [(job.state, job.result, job.share) for job in jobs] == [("done", 3, 1.0), ("done", 2, 1.0)]
    assert ended == ["job 3", "job 2"]


def test_running_and_waiting_jobs_are_cancelled() -> None:
    runner, gate = Runner(), threading.Event()
    running, waiting = runner.submit("first", steps(100, gate)), runner.submit("second", steps(1))
    runner.cancel(waiting)
    assert waiting.over.wait(10)
    runner.cancel(running)
    gate.set()
    assert running.over.wait(10)
    assert (running.state, waiting.state) == ("cancelled", "cancelled")


@pytest.mark.parametrize(
    ("fault", "told"), [(OptionError("no <b>such</b> thing"), "no <b>such"), (KeyError("x"), "KeyError")]
)
def test_failed_job_tells_why_and_the_next_one_runs(fault: Exception, told: str) -> None:
    def work(progress: ProgressLike) -> None:
        raise fault

    runner = Runner()
    job, following = runner.submit("bad", work), runner.submit("good", steps(1))
    assert following.over.wait(10)
    assert (job.state, following.state) == ("failed", "done")
    assert told in job.error


def test_running_job_tells_rate_and_time_left() -> None:
    runner, gate = Runner(), threading.Event()

    def work(progress: ProgressLike) -> None:
        assert callable(progress)
        progress("detect", 0, 100)
        gate.wait(0.2)
        progress("detect", 50, 100)
        gate.wait(10)

    job = runner.submit("job", work)
    while job.done < 50:
        gate.wait(0.01)
    assert describe_pass(job).startswith("detect: 50 of 100 frames")
    assert describe_pass(job).endswith(" left")
    gate.set()
    assert job.over.wait(10)


def test_a_job_with_a_warning_is_no_success(review: Review) -> None:
    runner = Runner()
    bar = PassBar(runner)
    job = runner.submit("film", steps(1, None))
    assert job.over.wait(10)
    bar.follow(job)
    assert (bar.bar.bar_style, describe_pass(job)) == ("success", "done")
    job.warning = "exposed"
    bar.refresh()
    assert (bar.bar.bar_style, describe_pass(job)) == ("danger", "done, but exposed")
    assert "rk-bad" in bar.text.value


def test_redact_panel_writes_shows_and_checks(review: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        export_module,
        "verify",
        lambda *_, **__: SimpleNamespace(_repr_html_=lambda: "no leak", ok=True, verdict="clean", findings=()),
    )
    panel = RedactPanel(review)
    visible = review.selected_ids[0]
    review.decide([visible], redact=False)
    panel.kinds["Black"][2].click()
    panel.mute.value = "soon"
    panel.run_button.click()
    assert "a time range is START-END" in panel.message.value
    panel.mute.value = "0:00.5-0:01; 2-2.2"
    panel.margin.value = 30
    assert (review.blur, review.margin) == ("Black", 0.3)
    assert panel.output.value == str(tmp_path / "short_redacted.mp4")
    job = panel.run()
    assert job.over.wait(120)
    assert (job.state, job.error) == ("done", "")
    report, leaks = job.result
    assert report.ok
    assert leaks._repr_html_() in panel.report.value
    assert report.settings["blur"] == "Black"
    assert report.settings["mute"] == [[0.5, 1.0], [2.0, 2.2]]
    assert not report.faces.loc[visible, "redact"]
    assert "short_redacted.mp4" in panel.report.value
    assert panel.player.children[0].value == (tmp_path / "short_redacted.mp4").read_bytes()
    assert panel.wait(240)
    assert all(image.value for _, image, _ in panel.kinds.values())
    assert "rk-said-good" in panel.verdict.value
    again = panel.ask_and_run()  # what this panel wrote it may replace
    assert again is not None and again.over.wait(240)
    assert again.state == "done"
    other = RedactPanel(review, examples=False)
    other.ask_and_run()
    assert "Press again to replace it" in other.message.value
    assert other.bar.job is None
    panel.close()
    other.close()


def test_part_of_the_video_and_its_sound_are_chosen_in_words(review: Review) -> None:
    panel = RedactPanel(review, examples=False)
    assert (panel.settings["audio"], "ranges" in panel.settings) == ("keep", False)
    assert (panel.range.layout.display, panel.mute.layout.display) == ("none", "none")
    panel.part.value = panel.part.options[2]
    review.current_frame = 25
    panel.range.children[1].click()
    assert panel.start.value == "00:01.000"
    panel.end.value = "0:02"
    assert (panel.settings["ranges"], panel.settings["trim"]) == ([(1.0, 2.0)], True)
    panel.part.value = panel.part.options[1]
    assert panel.settings["trim"] is False
    panel.audio.value = "mute"
    panel.mute.value = "0-0.5"
    assert (panel.mute.layout.display, panel.settings["mute"]) == ("", ((0.0, 0.5),))
    panel.audio.value = "drop"
    assert (panel.settings["audio"], panel.settings["mute"]) == ("drop", ())
    panel.end.value = "soon"
    panel.run_button.click()
    assert "soon" in panel.message.value
    panel.close()


def test_draft_has_a_name_of_its_own_and_is_never_called_hidden(review: Review, tmp_path: Path) -> None:
    panel = RedactPanel(review, examples=False)
    panel.draft.value = "Box"
    assert (review.blur, panel.output.value) == ("Box", str(tmp_path / "short_outlines.mp4"))
    job = panel.run()
    assert job.over.wait(120)
    assert (job.state, job.error) == ("done", "")
    assert "Draft" in panel.verdict.value and "rk-said-doubtful" in panel.verdict.value
    panel.output.value = "mine.mp4"
    panel.draft.value = ""
    assert (review.blur, panel.output.value, panel.draft.value) == ("Med", "mine.mp4", "")
    panel.close()


def test_export_of_an_exposed_result_asks_again(review: Review, monkeypatch: pytest.MonkeyPatch) -> None:
    found = SimpleNamespace(_repr_html_=lambda: "", ok=False, verdict="exposed", findings=[1])
    monkeypatch.setattr(export_module, "verify", lambda *_, **__: found)
    told: list[Any] = []
    panel = RedactPanel(review, examples=False, checked=told.append)
    panel.hide_found.value = False
    job = panel.run()
    assert job.over.wait(120)
    assert "rk-said-bad" in panel.verdict.value and told == [found]
    assert panel.ask_and_run() is None
    assert "left a face bare" in panel.message.value
    again = panel.ask_and_run()
    assert again is not None and again.over.wait(120)
    review.add_face([5, 5, 20, 20], frame=0)
    changed = panel.ask_and_run()
    assert changed is not None and changed.over.wait(120)
    panel.close()


def test_what_the_check_finds_is_hidden_and_looked_for_again(
    review: Review, short_clip: Path, short_truth: Annotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = report_of(short_clip, short_truth)
    dirty = replace(given, bare=given.bare.iloc[:0], fidelity=given.fidelity.assign(ok=True))
    found = [dirty, replace(dirty, leaks=dirty.leaks.iloc[:0])]
    wrote: list[int] = []

    def redact(*given: Any, **how: Any) -> Any:
        wrote.append(len(given[1].decisions))
        return export_module_redact(*given, **how)

    export_module_redact = export_module.redact
    monkeypatch.setattr(export_module, "redact", redact)
    monkeypatch.setattr(export_module, "verify", lambda *_, **__: found[len(wrote) - 1])
    told: list[Any] = []
    panel = RedactPanel(review, examples=False, checked=told.append)
    before, position = set(review.decisions.index), review.history_position
    job = panel.run()
    assert job.over.wait(120)
    assert (job.state, job.error, wrote) == ("done", "", [len(before), len(before) + 1])
    assert "Clean" in panel.verdict.value and "1 finding was hidden" in panel.verdict.value
    assert told == [found[1]] and job.result[1] is found[1]
    assert review.history_position == position + 1
    (new,) = set(review.decisions.index) - before
    assert review.decisions.loc[new, ["redact", "reason"]].tolist() == [True, "leak check"]
    panel.close()


def test_stopped_while_it_is_hidden_says_what_the_file_there_shows(
    review: Review, short_clip: Path, short_truth: Annotations, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = report_of(short_clip, short_truth)
    wrote: list[int] = []

    def redact(*given: Any, **how: Any) -> Any:
        wrote.append(1)
        if len(wrote) > 1:
            raise PassCancelled("stopped")
        return export_module_redact(*given, **how)

    export_module_redact = export_module.redact
    monkeypatch.setattr(export_module, "redact", redact)
    monkeypatch.setattr(export_module, "verify", lambda *_, **__: given)
    told: list[Any] = []
    panel = RedactPanel(review, examples=False, checked=told.append)
    job = panel.run()
    assert job.over.wait(120)
    assert (job.state, told) == ("cancelled", [given])
    assert "Stopped" in panel.verdict.value and "rk-said-bad" in panel.verdict.value
    assert review.history == ()
    panel.close()


@pytest.mark.parametrize(("stopped_in", "hidden"), [(1, 0), (2, 1)])
def test_file_whose_check_was_stopped_has_no_verdict_of_an_earlier_one_and_is_written_again(
    review: Review,
    short_clip: Path,
    short_truth: Annotations,
    monkeypatch: pytest.MonkeyPatch,
    stopped_in: int,
    hidden: int,
) -> None:
    given = report_of(short_clip, short_truth)
    dirty = replace(given, bare=given.bare.iloc[:0], fidelity=given.fidelity.assign(ok=True))
    clean = replace(dirty, leaks=dirty.leaks.iloc[:0])
    checks: list[int] = []

    def verify(*_: Any, **__: Any) -> Any:
        checks.append(1)
        if len(checks) == stopped_in:
            raise PassCancelled("stopped")
        return dirty if len(checks) < stopped_in else clean

    monkeypatch.setattr(export_module, "verify", verify)
    told: list[Any] = []
    panel = RedactPanel(review, examples=False, checked=told.append)
    before = len(review.decisions)
    job = panel.run()
    assert job.over.wait(120)
    assert (job.state, job.warning, told) == ("cancelled", "", [None])
    assert panel.state == ("stopped", "doubtful")
    assert "short_redacted.mp4 was written before" in panel.verdict.value and "not checked" in panel.verdict.value
    assert len(review.decisions) == before + hidden  # what the file that is there hides, the review has
    again = panel.ask_and_run()
    assert again is not None and again.over.wait(120)
    assert (again.state, panel.state[1], told[1:]) == ("done", "good", [clean])
    monkeypatch.setattr(export_module, "redact", verify)
    stopped_in = len(checks) + 1
    last = panel.ask_and_run()
    assert last is not None and last.over.wait(120)
    assert "nothing was written. short_redacted.mp4 is of an export before" in panel.verdict.value
    panel.close()


def test_cancelled_pass_leaves_no_file(review: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "redactkit.widgets.runner._NOTIFY_SECONDS", 0.0
    )  # or a quick pass is over before anybody is notified of
    panel = RedactPanel(review, examples=False)

    def cancel_once_it_runs(_: Any) -> None:
        if panel.bar.job is not None and panel.bar.job.done > 3:
            panel.bar.cancel()

    panel.runner.observe(cancel_once_it_runs, "revision")
    panel.run()
    assert panel.bar.job is not None
    assert panel.bar.job.over.wait(240)
    assert panel.bar.job.state == "cancelled"
    assert list(tmp_path.iterdir()) == []
    assert panel.report.value == ""
    panel.close()


def test_redact_panel_says_what_is_missing(short_truth: Annotations) -> None:
    panel = RedactPanel(Review(short_truth.replace(video=replace(short_truth.video, path=None))))
    panel.run_button.click()
    assert "name the output" in panel.message.value
    panel.close()


def test_analyze_panel_tells_faults_of_the_configuration_while_it_is_typed(review: Review) -> None:
    panel = AnalyzePanel(review)
    assert panel.read().mode == "analyze"
    for text in ("{", "[1]", '{"options": {"mode": "<i>erase</i>"}}', '{"options": {"what": 1}}', '"x"'):
        panel.preset.value = text
        assert panel.fault.value
        assert "<i>" not in panel.fault.value
        assert panel.run_button.disabled
    panel.preset.value = '{"Version": "1.0", "OPTIONS": {"Mode": "Analyze"}}'
    assert (panel.fault.value, panel.run_button.disabled) == ("", False)
    panel.close()


def test_analyze_panel_loads_what_it_found(short_clip: Path, tmp_path: Path) -> None:
    review = Review.open(short_clip)
    panel = AnalyzePanel(review)
    panel.output.value = str(tmp_path / "found")
    job = panel.run()
    assert job.over.wait(120)
    assert (job.state, job.error) == ("done", "")
    assert len(review.tracks) > 0
    assert review.selected_ids == review.tracks.index.tolist()
    assert review.save().parent == tmp_path / "found"
    read = formats.read_annotations(tmp_path / "found" / "short_annotations.json", video=probe(short_clip))
    assert read.selected_ids == review.selected_ids
    panel.close()
    review.close()


def test_analyze_panel_keeps_edits_and_tells_of_a_video_that_is_not_there(
    short_clip: Path, short_truth: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def analyze(video: Path, **options: Any) -> Annotations:
        given.append((video.name, options["output"].name, options["detection_size"]))
        probe(video)
        return short_truth

    monkeypatch.setattr(panels_module, "analyze", analyze)
    review = Review.open(short_clip)
    review.add_face([10, 10, 30, 30])
    panel = AnalyzePanel(review)
    panel.preset.value = '{"options": {"mode": "analyze", "resolution": "StandardDefinition"}}'
    jobs = [panel.run()]
    panel.video.value, panel.output.value = str(tmp_path / "absent.mp4"), ""
    jobs.append(panel.run())
    assert all(job.over.wait(120) for job in jobs)
    assert [job.state for job in jobs] == ["done", "failed"]
    assert "absent.mp4" in jobs[1].error
    assert given == [("short.mp4", "short_analysis", 640), ("absent.mp4", "absent_analysis", 640)]
    assert review.selected_ids == [1]
    assert "your edits are kept" in panel.message.value
    panel.close()
    review.close()


def test_search_again_asks_before_it_replaces_and_keeps_what_edits_are_about(
    short_clip: Path, short_truth: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote: list[tuple[str, bool]] = []

    def analyze(video: Path, **options: Any) -> Annotations:
        folder = options["output"]
        wrote.append((folder.name, options["overwrite"]))
        folder.mkdir(exist_ok=True)
        (folder / f"{video.stem}_annotations.json").write_text("{}")
        return short_truth

    monkeypatch.setattr(panels_module, "analyze", analyze)
    review = Review.open(short_clip)
    panel = AnalyzePanel(review)
    panel.output.value = str(tmp_path / "found")

    def press() -> bool:
        before = panel.bar.job
        panel.run_button.click()
        if panel.bar.job is before:
            return False
        assert panel.bar.job is not None and panel.bar.job.over.wait(60)
        assert panel.bar.job.state == "done"
        return True

    assert press() and not press()
    assert "was searched before" in panel.message.value and "overwrite" not in panel.message.value
    assert press()
    review.decide([review.selected_ids[0]], redact=False)
    assert press() and press()
    assert wrote == [("found", False), ("found", True), ("found_2", False), ("found_3", False)]
    assert "your edits are kept" in panel.message.value
    panel.close()
    review.close()


def test_open_finds_what_the_first_pass_wrote(short_clip: Path, short_truth: Annotations, tmp_path: Path) -> None:
    clip = tmp_path / "film.mp4"
    clip.write_bytes(short_clip.read_bytes())
    room = open_workbench(clip)
    assert room.review.detections.empty
    assert room.step == "Find"
    room.close()
    folder = tmp_path / "film_analysis"
    folder.mkdir()
    formats.write_annotations(short_truth.replace(video=probe(clip)), folder / "film_annotations.json")
    room = open_workbench(clip, autosave=tmp_path / "film.jsonl")
    assert room.review.selected_ids == short_truth.selected_ids
    assert room.step == "Who"
    room.review.decide([room.review.selected_ids[0]], redact=False)
    assert (tmp_path / "film.jsonl").exists()
    room.close()
    room.review.close()


def test_closing_the_workbench_cancels_a_running_pass(review: Review) -> None:
    room, gate = Workbench(review), threading.Event()
    job = room.runner.submit("long", steps(1000, gate))
    room.close()
    gate.set()
    assert job.over.wait(10)
    assert job.state == "cancelled"


def test_large_video_is_not_sent_to_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = tmp_path / "<b>film.mp4"
    film.write_bytes(b"x" * 100)
    monkeypatch.setattr(playback_module, "_MOST_BYTES", 10)
    shown = playback_module.as_video(film).value
    assert "too large" in shown
    assert "<b>film" not in shown


def test_pass_cancelled_is_told_apart_from_a_fault() -> None:
    def work(progress: ProgressLike) -> None:
        raise PassCancelled("stopped")

    job = Runner().submit("job", work)
    assert job.over.wait(10)
    assert (job.state, job.error) == ("cancelled", "")


def test_workbench_keeps_decisions_and_goes_on_from_them_in_another_session(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    def open_room() -> Workbench:
        review = Review.open(short_clip, short_truth)
        review.folder = tmp_path / "decided"
        return Workbench(review)

    first = open_room()
    assert not (tmp_path / "decided").exists()
    first.review.decide([1], redact=False, label="Ana")
    first.review.decide([2], redact=False)
    first.review.undo()
    assert first.viewer.stage.saved > 0
    assert (tmp_path / "decided" / "short_autosave.jsonl").exists()
    second = open_room()  # as after a kernel that was killed: nothing was saved or closed
    assert second.review.decisions.loc[1, ["redact", "label"]].tolist() == [False, "Ana"]
    assert "opened again with 2 edits" in second.viewer.stage.note["text"]
    second.review.redo()
    assert 2 not in second.review.selected_ids
    second.review.save()
    third = open_room()  # from the annotations of the beginning, whose edits were saved elsewhere
    assert third.review.history == ()
    for room in (first, second, third):
        room.close()
        room.review.close()


def test_autosave_of_other_annotations_stays_and_edits_made_before_are_kept_too(
    short_truth: Annotations, tmp_path: Path
) -> None:
    one = Review(short_truth)
    one.keep_autosave(tmp_path, stem="short")
    one.decide([1], redact=False)
    before = (tmp_path / "short_autosave.jsonl").read_bytes()
    fewer = short_truth.replace(detections=short_truth.detections.query("face_id != 3").reset_index(drop=True))
    other = Review(fewer)
    other.decide([2], redact=False)
    other.decide([4], redact=False)
    other.undo()
    assert other.keep_autosave(tmp_path, stem="short") == 0
    assert (tmp_path / "short_autosave.jsonl").read_bytes() == before
    again = Review(fewer)
    assert again.keep_autosave(tmp_path, stem="short") == 2
    assert again.selected_ids == other.selected_ids
    again.load(short_truth)
    assert again.selected_ids == one.selected_ids


def test_folder_that_cannot_be_written_to_is_told_and_edits_go_on(short_truth: Annotations, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    review = Review(short_truth)
    with pytest.raises(OptionError, match="nothing can be written"):
        review.keep_autosave(tmp_path / "file" / "inside", stem="short")
    review.decide([1], redact=False)
    assert review.autosave is None
