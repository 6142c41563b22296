"""The benchmark of real kinds: its clips are what it says, and its commands run."""

from __future__ import annotations

from pathlib import Path

from benchmarks.crowd import make_crowd, make_hand_held
from benchmarks.footage import COMMANDS, summarize, words_of
from redactkit.video import VideoReader, probe


def test_a_crowd_has_one_keyframe_and_true_boxes_of_every_other_head(tmp_path: Path) -> None:
    clip, truth = make_crowd(tmp_path / "crowd.mp4", size="360p", frames=6, faces=8)
    info = probe(clip)
    assert (info.frame_count, info.keyframes.tolist()) == (6, [0])
    assert sorted(truth["face_id"].unique()) == [1, 3, 5, 7]
    with VideoReader(clip) as reader:
        assert reader.frame_at(5).luma().std() > 10


def test_a_hand_held_pan_has_boxes_of_every_frame(tmp_path: Path) -> None:
    _, truth = make_hand_held(tmp_path / "pan.mp4", size="360p", frames=12)
    face = truth[truth["face_id"] == truth["face_id"].iloc[0]]
    assert face["frame"].tolist() == list(range(len(face)))


def test_commands_name_the_clip_and_the_scale() -> None:
    assert words_of("deface 640x360", Path("a.mp4"))[-2:] == ["--scale", "640x360"]
    assert "--overwrite" in words_of("combined", Path("a.mp4"))
    assert all("a.mp4" in words_of(command, Path("a.mp4")) for command in COMMANDS)


def test_rounds_give_medians_and_ratios_of_medians() -> None:
    def one(command: str, seconds: float, *, peak: float = 100.0) -> dict[str, object]:
        return {"clip": "a", "command": command, "seconds": seconds, "core seconds": 2 * seconds, "peak": peak}

    ours = [one("combined", 3), one("combined", 1, peak=200), one("combined", 50)]
    rows = summarize([*ours, one("deface", 30)]).set_index("command")
    assert rows.loc["combined", ["seconds", "core seconds", "peak", "rounds"]].tolist() == [3, 6, 200, 3]
    assert rows.loc["combined", ["/ deface s", "/ deface core-s"]].tolist() == [10, 10]
