import json

import pytest

from redactkit.cli import main
from redactkit.errors import AnnotationError, MismatchError
from redactkit.passes import redact
from redactkit.verification.reproduction import reproduce
from tests.sample_clips import cut_sample, sample_truth


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A clip, its true boxes, and its redaction in which one face is left visible."""
    folder = tmp_path_factory.mktemp("made")
    clip = cut_sample(folder / "clip.mp4", stop=12, width=320, height=180)
    truth = sample_truth(clip)
    first = int(truth.detections["face_id"].iloc[0])
    report = redact(clip, truth, output=folder / "clip_redacted.mp4", exclude=[first], blur="High", progress=False)
    return clip, truth, report


def test_a_redaction_done_again_has_the_same_frames(made):
    _, truth, report = made
    result = reproduce(report.path, annotations=truth, progress=False)
    assert result.ok
    assert result.frames == 12
    assert result.versions == {}


def test_other_boxes_give_other_frames(made, tmp_path):
    _, truth, report = made
    rows = truth.detections.assign(x=truth.detections["x"] + 30)
    result = reproduce(report.path, annotations=truth.replace(detections=rows), progress=False)
    assert not result.ok
    assert "frames differ" in str(result)


def test_another_source_or_a_changed_output_is_refused(made, tmp_path):
    _, truth, report = made
    other = cut_sample(tmp_path / "other.mp4", stop=3, width=320, height=180)
    with pytest.raises(MismatchError, match=r"other\.mp4 is not the file"):
        reproduce(report.path, video=other, annotations=truth, progress=False)
    (tmp_path / "clip_redacted.mp4").write_bytes(report.output.read_bytes()[:-1])
    (tmp_path / "clip_redacted.report.json").write_text(report.path.read_text())
    with pytest.raises(MismatchError, match=r"clip_redacted\.mp4 is not the file"):
        reproduce(tmp_path / "clip_redacted.report.json", annotations=truth, progress=False)


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps({"source": "a"})])
def test_what_is_no_report_is_refused(tmp_path, text):
    (tmp_path / "a.report.json").write_text(text)
    with pytest.raises(AnnotationError, match="is no report"):
        reproduce(tmp_path / "a.report.json", progress=False)


def test_the_command_says_what_came_of_it(made, capsys):
    clip, truth, report = made
    truth.to("azure", clip.with_name("clip_annotations.json"), overwrite=True)
    assert main(["reproduce", str(report.path), "--quiet"]) == 0
    assert "every frame is the same" in capsys.readouterr().out
