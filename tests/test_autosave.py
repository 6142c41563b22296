"""Where a session's edits are kept, and what a second session on the same review does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from redactkit.annotations import Annotations
from redactkit.errors import OutputExistsError
from redactkit.formats import read_annotations, write_annotations
from redactkit.review import Review
from redactkit.runtime.resources import sample_path, sample_truth_path
from redactkit.widgets import Workbench

HOLD = """
import sys
from redactkit.review import Review
review = Review.open(sys.argv[1], sys.argv[2])
review.keep_autosave(review.home, stem="short")
review.decide([2], redact=False)
print("held", flush=True)
for line in sys.stdin:
    review.save()
    print("saved", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_review_open_in_another_kernel_is_told_and_neither_replaces_what_the_other_decided(
    short_clip: Path, short_truth: Annotations, tmp_path: Path
) -> None:
    given = write_annotations(short_truth, tmp_path / "short_annotations.json")
    waiting = Review.open(short_clip, given)
    waiting.keep_autosave(waiting.home, stem="short")  # before the other began its file
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(short_clip), str(given)], **pipes) as other:
        assert other.stdout.readline() == "held\n"
        room = Workbench(Review.open(short_clip, given))
        assert room.review.history == ()
        assert "open in another notebook" in room.viewer.stage.note["text"]
        room.review.decide([1], redact=False)
        assert room.review.autosave.name == "short_autosave2.jsonl"
        waiting.decide([3], redact=False)
        assert waiting.autosave.name == "short_autosave3.jsonl" and waiting.is_open_elsewhere
        print("save", file=other.stdin, flush=True)
        assert other.stdout.readline() == "saved\n"
        with pytest.raises(OutputExistsError, match="another session"):
            room.review.save()
        room.review.save(tmp_path / "mine")
        other.stdin.close()
    assert read_annotations(given).selected_ids == [face for face in short_truth.selected_ids if face != 2]
    room.close()
    room.review.close()
    waiting.close()


def test_sample_and_folders_that_nobody_may_write_to_keep_their_work_in_the_working_directory(
    short_clip: Path, short_truth: Annotations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reviews = {
        "sample": Review.open(sample_path(), sample_truth_path()),
        "short": Review.open(short_clip, short_truth),
    }
    assert reviews["short"].home == short_clip.with_name("short_analysis")
    reviews["short"].folder = tmp_path / "file" / "inside"
    (tmp_path / "file").write_text("no folder")
    for stem, review in reviews.items():
        room = Workbench(review)
        review.decide([1], redact=False)
        folder = tmp_path / "redactkit-output" / f"{stem}_analysis"
        assert review.autosave == folder / f"{stem}_autosave.jsonl" and review.autosave.exists()
        assert review.save().parent == folder
        assert Path(room.redact.output.value).parent == folder
        room.close()
        review.close()
    assert not [path for path in sample_path().parent.iterdir() if "autosave" in path.name]
