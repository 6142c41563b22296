"""`redactkit add` puts a box into the annotations and follows it."""

from __future__ import annotations

import numpy as np
import pytest

from redactkit.cli import main
from redactkit.formats import read_annotations
from tests.moving_board import SIZE, draw, place, write


@pytest.fixture
def clip(tmp_path):
    return write(tmp_path / "board.mp4", [draw(place(number)) for number in range(25)])


def _box(number: int) -> str:
    return ",".join(f"{value:g}" for value in place(number))


def test_added_box_is_followed_and_saved(clip, capsys):
    arguments = ["--box", _box(10), "--frame", "10", "--kind", "screen", "--label", "board", "--follow", "--quiet"]
    assert main(["add", str(clip), *arguments, "--new"]) == 0
    told = capsys.readouterr().out
    assert "screen 1 added in frame 10" in told
    assert "followed forwards to frame 24: 14 boxes" in told
    read = read_annotations(clip.with_name("board_analysis") / "board_annotations.json")
    rows = read.detections
    assert rows["frame"].tolist() == list(range(25))
    assert rows.loc[rows["keyframe"], "frame"].tolist() == [10]
    assert read.decisions["label"].tolist() == ["board"]
    # What was added stays, and the next one gets an ID of its own.
    assert main(["add", str(clip), "--box", "5,5,20,20", "--frame", "3", "--quiet"]) == 0
    both = read_annotations(clip.with_name("board_analysis") / "board_annotations.json")
    assert both.detections["face_id"].value_counts().to_dict() == {1: 25, 2: 1}


def test_without_an_analysis_one_has_to_say_so(clip, capsys):
    assert main(["add", str(clip), "--box", "5,5,20,20", "--frame", "3"]) == 1
    assert "board_annotations.json" in capsys.readouterr().err
    assert not clip.with_name("board_analysis").exists()


@pytest.mark.parametrize("box", ["5,5,20", "5,5,0,20", "a,b,c,d"])
def test_box_that_means_nothing_is_wrong_usage(clip, box):
    with pytest.raises(SystemExit) as stop:
        main(["add", str(clip), "--box", box, "--frame", "3", "--new"])
    assert stop.value.code == 2


def test_object_that_is_lost_is_said_and_changes_the_exit_code(tmp_path, capsys):
    plain = write(tmp_path / "plain.mp4", [np.full(SIZE[::-1], 90, np.uint8)] * 25)
    assert main(["add", str(plain), "--box", "60,40,40,30", "--frame", "10", "--follow", "--quiet", "--new"]) == 3
    said = capsys.readouterr().out
    assert "1: followed nowhere" in said and "LOST: 1; draw it where it shows after that" in said


def test_box_outside_the_picture_is_refused(clip, capsys):
    assert main(["add", str(clip), "--box", "5000,20,20,20", "--frame", "10", "--new"]) == 1
    assert "lies outside the picture" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("until", "fault"), [("5", "beyond frame 10"), ("-3", "0 to 24, got -3"), ("1000", "0 to 24, got 1000")]
)
def test_until_on_the_wrong_side_or_beyond_the_video_is_refused(clip, capsys, until, fault):
    arguments = ["--box", _box(10), "--frame", "10", "--follow", "--direction", "forward", "--until", until, "--quiet"]
    assert main(["add", str(clip), *arguments, "--new"]) == 1
    assert fault in capsys.readouterr().err
    assert not clip.with_name("board_analysis").exists()
