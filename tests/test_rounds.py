"""What the leak check found is hidden and looked for again, a few times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import OptionError
from redactkit.passes import combined
from redactkit.review import Review
from redactkit.verification import VerificationReport, hide_found, redact_until_clean, take_over
from redactkit.verification.findings import bare_table, leak_table
from redactkit.verification.judging import UnknownFace
from tests.test_widgets_findings import report_of


def report_with(clip: Path, truth: Annotations, *unknown: UnknownFace, fidelity: bool = True) -> VerificationReport:
    """Return a report that found these faces, and nothing else."""
    given = report_of(clip, truth)
    kept = given.fidelity.assign(ok=fidelity)
    nobody = truth.replace(detections=truth.detections.iloc[:0])
    return replace(given, bare=bare_table([]), leaks=leak_table(unknown, nobody), fidelity=kept)


@pytest.fixture
def one(short_truth: Annotations) -> UnknownFace:
    rows = short_truth.detections
    face = rows[(rows["face_id"] == 1) & rows["frame"].between(44, 46)].assign(x=5.0, y=5.0, width=30.0, height=30.0)
    return UnknownFace(face, covered=0.0, support=0.5, near=-1, sure=False)


def test_nothing_found_hides_nothing(short_clip: Path, short_truth: Annotations) -> None:
    after, count = hide_found(short_truth, report_with(short_clip, short_truth))
    assert after is short_truth and count == 0


def test_unknown_face_is_hidden_up_to_where_the_check_searched_next(
    short_clip: Path, short_truth: Annotations, one: UnknownFace
) -> None:
    after, count = hide_found(short_truth, report_with(short_clip, short_truth, one))
    (new,) = set(after.decisions.index) - set(short_truth.decisions.index)
    rows = after.detections[after.detections["face_id"] == new]
    step = round(0.24 * float(short_truth.video.frame_rate))
    assert rows["frame"].tolist() == list(range(44 - step, 46 + step + 1))
    assert rows["source"].eq("manual").all()
    assert (count, after.decisions.loc[new, ["redact", "reason"]].tolist()) == (1, [True, "leak check"])


def test_what_more_boxes_do_not_mend_is_left_to_a_person(short_clip: Path, short_truth: Annotations) -> None:
    given = report_of(short_clip, short_truth)
    bare = replace(given, leaks=given.leaks.iloc[:0])
    assert len(bare.findings) == 2  # a bare box, and the file itself
    assert hide_found(short_truth, bare)[1] == 0


def test_beside_a_face_left_visible_nothing_is_hidden_by_itself(
    short_clip: Path, short_truth: Annotations, one: UnknownFace
) -> None:
    found = report_with(short_clip, short_truth, replace(one, near=2))
    assert hide_found(short_truth, found)[1] == 1
    for decision in ({"redact": False}, {"visible_at": "0-1"}):
        decided = short_truth.decisions.copy()
        decided.loc[2, list(decision)] = list(decision.values())
        assert hide_found(short_truth.replace(decisions=decided), found)[1] == 0


def rounds_of(annotations: Annotations, found: list[VerificationReport], **how: Any) -> tuple[Any, list[int]]:
    """Run the rounds over a redaction that writes nothing; return how they ended, and how many faces each hid."""
    wrote: list[int] = []

    def write(given: Annotations) -> Any:
        wrote.append(len(given.decisions))
        return f"report {len(wrote)}"

    done = redact_until_clean(annotations, write=write, check=lambda *_: found[min(len(wrote), len(found)) - 1], **how)
    return done, wrote


def test_rounds_end_when_nothing_is_found(short_clip: Path, short_truth: Annotations, one: UnknownFace) -> None:
    faces = len(short_truth.decisions)
    dirty, clean = report_with(short_clip, short_truth, one), report_with(short_clip, short_truth)
    seen: list[Any] = []
    done, wrote = rounds_of(short_truth, [dirty, dirty, clean], checked=seen.append)
    assert (wrote, done.hidden, done.report, done.check) == ([faces, faces + 1, faces + 2], (1, 1), "report 3", clean)
    assert [len(each.hidden) for each in seen] == [0, 1, 2]
    assert done.summary == "2 findings were hidden, and the video was written and checked 2 more times"
    assert rounds_of(short_truth, [clean])[0].summary == ""


def test_rounds_are_counted_and_the_last_check_stands(
    short_clip: Path, short_truth: Annotations, one: UnknownFace
) -> None:
    dirty = report_with(short_clip, short_truth, one)
    for rounds in (0, 1, 3):
        done, wrote = rounds_of(short_truth, [dirty], rounds=rounds)
        assert (len(wrote), len(done.hidden), done.check.verdict) == (rounds + 1, rounds, "to be looked at")
    with pytest.raises(OptionError, match="rounds"):
        rounds_of(short_truth, [dirty], rounds=-1)


def test_review_takes_over_what_was_hidden_as_one_edit_beside_its_own(
    short_clip: Path, short_truth: Annotations, one: UnknownFace
) -> None:
    after, _ = hide_found(short_truth, report_with(short_clip, short_truth, one, replace(one, near=-1)))
    review = Review(short_truth)
    drawn = review.add_face([1, 1, 9, 9], frame=3)  # while the video was written
    assert take_over(review, short_truth, short_truth) == 0
    assert take_over(review, short_truth, after) == 2
    new = set(review.decisions.index) - set(short_truth.decisions.index) - {drawn}
    assert len(new) == 2 and (review.decisions.loc[list(new), "reason"] == "leak check").all()
    assert review.history[-1] == "2 faces found by the leak check hidden"
    assert len(review.detections) == len(after.detections) + 1
    review.undo()
    assert set(review.decisions.index) == {*short_truth.decisions.index, drawn}


def test_combined_hides_what_it_finds_and_the_report_says_so(
    short_clip: Path, short_truth: Annotations, one: UnknownFace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [report_with(short_clip, short_truth, one), report_with(short_clip, short_truth)]
    monkeypatch.setattr("redactkit.passes.analyze", lambda *_, **__: short_truth)
    monkeypatch.setattr("redactkit.passes.verify", lambda *_, **__: found.pop(0))
    target = tmp_path / "out.mp4"
    report = combined(short_clip, output=target, check=True, hide_found=2, progress=False)
    assert found == [] and report.check.verdict == "clean" and report.ok
    assert report.faces["reason"].tolist().count("leak check") == 1
    assert report.notes[-1].startswith("1 finding was hidden")
    assert report.notes[-1] in report.path.read_text()
    with pytest.raises(OptionError, match="check"):
        combined(short_clip, output=target, hide_found=2, overwrite=True)


def test_command_line_hides_what_it_finds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: dict[str, Any] = {}

    def combined(video: str, **how: Any) -> Any:
        asked.update(how)
        raise OptionError("enough")

    monkeypatch.setattr("redactkit.passes.combined", combined)
    assert main(["combined", "film.mp4", "--check", "--hide-found", "2"]) == 1
    assert (asked["check"], asked["hide_found"]) == (True, 2)
    assert main(["combined", "film.mp4", "--check"]) == 1
    capsys.readouterr()
