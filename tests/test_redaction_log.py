"""Why: the redaction log, its chain of hashes, its reasons, and its page."""

from __future__ import annotations

import csv
import json
import re

import pytest

import redactkit as rk
from redactkit.cli import main
from redactkit.errors import MismatchError, OptionError, OutputExistsError
from redactkit.redaction.log import COLUMNS, check_log, read_codes, redaction_log
from redactkit.review import Review
from redactkit.runtime.marks import MARK

CODES = {"b6": "Personal privacy", "b6x": "Privacy of a minor", "b0": "Released by consent"}


@pytest.fixture(scope="module")
def redacted(short_clip, short_truth, tmp_path_factory):
    review = Review(short_truth)
    first, second = review.tracks.index[:2].tolist()
    review.decide([first], redact=False, reason="b0 agreed in writing")
    review.decide(
        [second], reason="b6x: pupil", visible=[(0.4, 0.8, "b0 on stage")], look={"blur": "Black", "shape": "ellipse"}
    )
    review.add_region([10, 20, 60, 40], kind="document", reason="b6")
    output = tmp_path_factory.mktemp("log") / "short_redacted.mp4"
    rk.redact(short_clip, review.annotations, output=output, progress=False)
    return output


def by_action(log, action):
    return log.lines[log.lines["action"] == action]


def test_log_says_what_was_hidden_what_not_and_why(redacted):
    log = redaction_log(redacted, codes=CODES, reason="b6")
    assert list(log.lines.columns) == list(COLUMNS)
    visible, ranged = by_action(log, "left visible").iloc[0], by_action(log, "visible in a range").iloc[0]
    assert (visible["code"], visible["reason"]) == ("b0", "Released by consent: agreed in writing")
    assert (ranged["start"], ranged["end"], ranged["reason"]) == ("0.4", "0.8", "Released by consent: on stage")
    hidden = by_action(log, "hidden")
    assert hidden["code"].value_counts().to_dict() == {"b6": len(hidden) - 1, "b6x": 1}
    assert hidden.loc[hidden["code"] == "b6x", ["reason", "how"]].values.tolist() == [
        ["Privacy of a minor: pupil", "Black shape=ellipse"]
    ]
    assert set(hidden.loc[hidden["code"] == "b6", "how"]) == {"Med", "Med margin=0 shape=rectangle"}
    assert hidden["kind"].tolist()[-1] == "document"
    facts = json.loads(log.lines["details"].iloc[0])
    assert {"source_sha256", "output_sha256", "settings", "versions"} <= set(facts)
    assert (log.lines.loc[log.lines["entry"] == "edit", "by"] != "").all()


def test_object_that_ranges_leave_bare_has_a_line_for_each_stretch(short_clip, short_truth, tmp_path):
    first, *others = short_truth.tracks.index.tolist()
    review = Review(short_truth)
    review.decide([first], reason='=HYPERLINK("http://a")')
    review.decide(others, redact=False)
    report = rk.redact(
        short_clip, review.annotations, ranges=[(0, 0.2), (0.8, 1.2)], output=tmp_path / "a.mp4", progress=False
    )
    hidden = by_action(redaction_log(report.output), "hidden")
    assert hidden[["start", "end"]].values.tolist() == [["0", "0.2"], ["0.8", "1.2"]]
    assert hidden["boxes"].tolist() == ["15", ""], "the boxes of all stretches stand once"
    # A spreadsheet would run it.
    assert set(hidden["reason"]) == {'\'=HYPERLINK("http://a")'}


def test_reason_that_is_no_code_is_refused_and_the_object_named(redacted):
    with pytest.raises(OptionError, match=r"object \d+ .hidden. has the reason '', which is none of b6, b6x, b0"):
        redaction_log(redacted, codes=CODES)
    free = redaction_log(redacted)
    assert (free.lines["code"] == "").all()


def test_object_has_a_line_for_each_run_of_its_boxes(short_clip, short_truth, tmp_path):
    """Between them it is bare, and no leak check looks for what is no face: the report says so."""
    review = Review(short_truth)
    board = review.add_face([10, 10, 60, 40], frame=2, kind="document")
    review.copy_box(8, face_id=board, frame=2)
    review.delete_boxes(faces=[board], start=5, stop=8)
    review.decide([board], reason="b6: number", visible=[(0.32, 0.36)])
    report = rk.redact(short_clip, review.annotations, output=tmp_path / "a.mp4", progress=False)
    lines = redaction_log(report.output).lines.query(f"object == '{board}'")
    assert lines["action"].tolist() == ["hidden", "hidden", "visible in a range"]
    assert lines[["start", "end"]].values.tolist() == [["0.08", "0.2"], ["0.36", "0.44"], ["0.32", "0.36"]]
    assert lines["reason"].tolist()[-1] == "", "why it is hidden is no reason to show it"
    assert any(f"document {board} has no box in 3 of the frames 2 to 10" in note for note in report.notes)


@pytest.mark.parametrize("mark", [" ", ": ", ", ", "; "])
def test_words_may_follow_a_code(short_clip, short_truth, tmp_path, mark):
    review = Review(short_truth)
    review.decide(review.tracks.index.tolist(), reason=f"b6{mark}text")
    report = rk.redact(short_clip, review.annotations, output=tmp_path / "a.mp4", progress=False)
    hidden = by_action(redaction_log(report.output, codes=CODES), "hidden")
    assert set(hidden["code"]) == {"b6"}
    assert set(hidden["reason"]) == {f"{CODES['b6']}: text"}


def test_log_of_another_video_is_found(short_clip, short_truth, tmp_path):
    report = rk.redact(short_clip, short_truth, output=tmp_path / "a.mp4", progress=False)
    csv_file = next(path for path in redaction_log(report.output).save() if path.suffix == ".csv")
    assert check_log(csv_file) == []
    with report.output.open("ab") as file:
        file.write(b"x")
    assert ["is not the video" in fault for fault in check_log(csv_file)] == [True]
    report.output.unlink()
    assert check_log(csv_file) == [], "a log alone can be checked too"


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_every_changed_line_is_found(redacted, tmp_path, ending):
    log = redaction_log(redacted)
    path = tmp_path / f"a.{ending}"
    path.write_text(log.to_csv() if ending == "csv" else log.to_json())
    assert check_log(path, last_hash=log.last_hash) == []
    rows = log.lines.to_dict(orient="records")
    for place, name in [(0, "by"), (1, "reason"), (len(rows) - 1, "at")]:
        changed = [dict(row) for row in rows]
        changed[place][name] += "x"
        _write(path, changed)
        assert check_log(path)[0].startswith(f"line {place + 1} was changed")
    _write(path, [rows[0], *rows[2:]])
    assert any("does not follow" in fault for fault in check_log(path))
    _write(path, rows[:-1])
    assert any("taken out" in fault for fault in check_log(path))
    added = [dict(row) for row in rows]
    added[1]["remark"] = "agreed"
    _write(path, added)
    assert "line 2 has 'remark', which no log has" in check_log(path)
    _write(path, rows)
    assert check_log(path, last_hash="0" * 64) == [f"the last hash is {log.last_hash}, and not {'0' * 64}"]


def _write(path, rows):
    if path.suffix == ".json":
        path.write_text(json.dumps({MARK: "redaction log", "video": "short_redacted.mp4", "lines": rows}))
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, {name: "" for row in rows for name in row})
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("was", "now", "fault"),
    [
        ('"video": "short_redacted.mp4"', '"video": "other.mp4"', "calls itself the log of 'other.mp4'"),
        ('"lines": [', '"approved": "yes", "lines": [', "it has 'approved', which no log has"),
        ('"action": "hidden"', '"action": "left visible", "action": "hidden"', "'action' stands there twice"),
        ('"redaction log"', '"a log"', "does not say that it is a redaction log"),
    ],
)
def test_what_stands_beside_the_lines_is_looked_at_too(redacted, tmp_path, was, now, fault):
    text = redaction_log(redacted).to_json()
    (tmp_path / "a.json").write_text(text.replace(was, now, 1))
    assert [fault in each for each in check_log(tmp_path / "a.json")] == [True]


def test_column_that_stands_twice_is_found(redacted, tmp_path):
    head, *rest = redaction_log(redacted).to_csv().splitlines()
    lines = [f"reason,{head}", *(f"agreed,{line}" for line in rest)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert "the column 'reason' stands there twice" in check_log(tmp_path / "a.csv")


def test_page_shows_no_picture_and_escapes_what_was_typed(redacted):
    log = redaction_log(redacted, reason="<b>why</b>")
    page = log.to_html()
    assert "<img" not in page and "data:image" not in page and "<svg" not in page
    assert "<b>why</b>" not in page and "&lt;b&gt;why&lt;/b&gt;" in page
    assert log.last_hash in page
    assert re.search(r"@media print", page)


def test_object_outside_the_ranges_is_not_called_hidden(short_clip, short_truth, tmp_path):
    late = short_truth.detections["frame"] >= 30
    faces = set(short_truth.detections.loc[late, "face_id"]) - set(short_truth.detections.loc[~late, "face_id"])
    report = rk.redact(short_clip, short_truth, end=1.0, output=tmp_path / "a.mp4", progress=False)
    log = redaction_log(report.output)
    assert set(by_action(log, "not hidden")["object"]) == {str(face) for face in faces}
    assert by_action(log, "redacted only here")["end"].item() == "1"


def test_log_of_another_file_is_refused(redacted, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(OptionError, match="no report of"):
        redaction_log(tmp_path / "a.mp4")
    (tmp_path / "a.report.json").write_text(redacted.with_suffix(".report.json").read_text())
    with pytest.raises(MismatchError, match="is not the file of its report"):
        redaction_log(tmp_path / "a.mp4")


@pytest.mark.parametrize(
    "text", ["code,text\nb6,Personal privacy\n", "b6 Personal privacy\n\n", json.dumps({"b6": "Personal privacy"})]
)
def test_codes_are_read_from_csv_lines_and_json(tmp_path, text):
    (tmp_path / "codes").write_text(text)
    assert read_codes(tmp_path / "codes") == {"b6": "Personal privacy"}


def test_command_writes_and_checks(redacted, tmp_path, capsys):
    codes = tmp_path / "codes.csv"
    codes.write_text("".join(f"{code},{text}\n" for code, text in CODES.items()))
    assert main(["log", str(redacted), "--codes", str(codes), "--reason", "b6"]) == 0
    last = capsys.readouterr().out.rpartition(" ")[2].strip()
    saved = redacted.with_name("short_redacted.log.csv")
    assert main(["log", str(saved), "--check", "--last-hash", last]) == 0
    saved.write_text(saved.read_text().replace("Personal privacy", "Personal safety", 1))
    assert main(["log", str(saved), "--check"]) == 3
    assert "was changed" in capsys.readouterr().out
    assert main(["log", str(redacted)]) == 1
    with pytest.raises(OutputExistsError):
        redaction_log(redacted).save()
