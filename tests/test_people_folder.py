"""The same person in many clips: one table over a folder of analyses, decisions for all, a page to answer on."""

from __future__ import annotations

import json
import shutil
import stat
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import redactkit as rk
from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import AnnotationError, AnnotationWarning, OptionError
from redactkit.formats import read_ids, write_annotations
from redactkit.media import VideoInfo
from redactkit.people.embedder import Alignment
from redactkit.people.storage import save_vectors
from redactkit.people.vectors import FaceVectors
from redactkit.runtime.purge import purge
from redactkit.tables import as_detections

ANA, BEN, CIM = [0.0, 0.0], [3.0, 0.0], [0.0, 3.0]


def make_clip(folder: Path, name: str, faces: dict[int, tuple[int, int, list[float]]], **changes: object) -> Path:
    """Write an analysis: for each face its first frame, the one after its last, and what its face is like."""
    rows = [(frame, face, 100.0 * face, 20.0, 40.0, 40.0) for face, (a, b, _) in faces.items() for frame in range(a, b)]
    table = pd.DataFrame(rows, columns=["frame", "face_id", "x", "y", "width", "height"])
    video = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), np.arange(100), name=f"{name}.mp4")
    table = as_detections(table.assign(time=table["frame"] / 25, confidence=0.9, source="detected"))
    home = folder / f"{name}_analysis"
    home.mkdir(parents=True, exist_ok=True)
    path = home / f"{name}_annotations.json"
    write_annotations(Annotations(video, table, **changes), path)  # type: ignore[arg-type]
    if not faces:
        return path
    face_id = np.repeat(list(faces), 2)
    frame = np.repeat([first for first, _, _ in faces.values()], 2)
    box = np.array([[100.0 * face, 20, 40, 40] for face in face_id])
    vector = np.repeat([like for _, _, like in faces.values()], 2, axis=0)
    alignment = Alignment(likely=0.5, sure=0.3)
    save_vectors(
        FaceVectors("test", "", alignment, face_id, frame, box, np.ones(len(face_id)), vector),
        home / f"{name}_embeddings.npz",
    )
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_clip(tmp_path, "hall", {1: (0, 50, ANA), 2: (0, 60, BEN)})
    make_clip(tmp_path, "lobby", {1: (0, 30, BEN), 4: (10, 40, [0.1, 0.0]), 7: (50, 90, CIM)})
    return tmp_path


def listed(pairs: pd.DataFrame) -> list[tuple[int, int, bool]]:
    return list(pairs[["face_id", "other_id", "sure"]].itertuples(index=False, name=None))


def test_people_of_no_analysis_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="holds no analysis"):
        rk.People(tmp_path)
    with pytest.raises(OptionError, match="not a folder"):
        rk.People(tmp_path / "none")


def test_tracks_of_all_clips_are_numbered_and_suggested_across_clips(folder: Path) -> None:
    people = rk.People(folder)
    assert people.clips == ["hall", "lobby"]
    assert list(zip(people.tracks["clip"], people.tracks["face_id"], strict=True))[2:] == [
        ("lobby", 1),
        ("lobby", 4),
        ("lobby", 7),
    ]
    assert listed(people.suggestions()) == [(2, 3, True), (1, 4, True)]
    assert len(people.people) == 5
    assert "5 people, 5 tracks in 2 clips" in repr(people)


def test_find_this_person_ranks_the_tracks_of_all_clips(folder: Path) -> None:
    people = rk.People(folder)
    found = people.find(people.track("lobby", 4))
    assert found.index[0] == people.track("hall", 1)
    assert found["similarity"].iloc[0] == pytest.approx(0.9)
    assert found["similarity"].iloc[1] < 0.5
    with pytest.raises(OptionError, match="no face 9 in a clip 'lobby'"):
        people.track("lobby", 9)


def test_hide_everybody_but_these_reaches_the_files_of_all_clips(folder: Path) -> None:
    people = rk.People(folder)
    ana = people.accept_suggestion(1, 4)
    people.hide_all_but([ana], reason="staff")
    assert len(people.save()) == 2
    hall, lobby = (
        rk.read_annotations(folder / f"{name}_analysis" / f"{name}_annotations.json") for name in ("hall", "lobby")
    )
    assert (hall.selected_ids, lobby.selected_ids) == ([2], [1, 7])
    assert read_ids(folder / "lobby_analysis" / "lobby_IDList.txt") == [1, 7]
    assert lobby.decisions["reason"].to_dict() == {1: "", 4: "staff", 7: ""}
    assert people.save() == []


def test_answers_come_back_also_when_faces_have_other_ids_by_then(folder: Path) -> None:
    people = rk.People(folder)
    people.accept_suggestion(2, 3)
    people.reject_suggestion(1, 4)
    people.save()
    assert stat.S_IMODE((folder / "people.json").stat().st_mode) == 0o600
    lobby = folder / "lobby_analysis" / "lobby_annotations.json"
    found = rk.read_annotations(lobby)
    other = found.detections["face_id"].replace({1: 12})
    write_annotations(Annotations(found.video, found.detections.assign(face_id=other)), lobby, overwrite=True)
    again = rk.People(folder)
    assert again.people.loc[2, "faces"] == (("hall", 2), ("lobby", 12))
    assert listed(again.suggestions()) == []


def test_people_are_undone_parted_and_never_those_seen_at_once(folder: Path) -> None:
    people = rk.People(folder)
    people.join_people([2, 3])
    people.undo()
    assert len(people.people) == 5
    with pytest.raises(OptionError, match="seen at once"):
        people.join_people([1, 2])
    people.join_people([2, 3])
    people.part_people([3])
    assert len(people.people) == 5
    assert listed(people.suggestions()) == [(1, 4, True)]


def test_page_shows_pairs_and_its_answers_are_taken(folder: Path, tmp_path: Path) -> None:
    people = rk.People(folder)
    page = people.save_page(folder / "people.html").read_text()
    assert page.count('class="pair"') == 2
    assert "hall: face 2" in page
    answers = [
        {"clip": "hall", "face_id": 2, "other_clip": "lobby", "other_id": 1, "answer": "same"},
        {"clip": "hall", "face_id": 1, "other_clip": "lobby", "other_id": 4, "answer": "different"},
    ]
    path = folder / "people_answers.json"
    path.write_text(json.dumps({"redactkit": "people", "answers": answers}))
    assert people.answer(path) == 2
    assert people.people.loc[2, "clips"] == 2
    assert people.suggestions().empty
    path.write_text("{}")
    with pytest.raises(AnnotationError, match=r"people_answers\.json holds no answers"):
        people.answer(path)


def test_a_broken_file_is_left_out_by_name_and_the_others_are_there(folder: Path) -> None:
    people = rk.People(folder)
    people.join_people([2, 3])
    people.reject_suggestion(1, 4)
    people.save()
    lobby = folder / "lobby_analysis" / "lobby_annotations.json"
    whole = lobby.read_bytes()
    lobby.write_bytes(whole[:200])
    (folder / "hall_analysis" / "hall_embeddings.npz").write_bytes(b"PK")
    with pytest.warns(AnnotationWarning) as told:
        fewer = rk.People(folder)
    texts = [str(one.message) for one in told]
    assert any("clip lobby: the clip is left out" in text and "analyze the video anew" in text for text in texts)
    assert any("hall_embeddings.npz" in text and "vectors" in text for text in texts)
    assert fewer.clips == ["hall"]
    assert fewer.left_out[["clip", "whole"]].to_numpy().tolist() == [["hall", False], ["lobby", True]]
    assert "2 files left out" in repr(fewer)
    # What was answered about the clip that cannot be read holds again once it can.
    fewer.decide_people([1], label="Ana")
    fewer.save()
    lobby.write_bytes(whole)
    with pytest.warns(AnnotationWarning, match="hall_embeddings"):
        again = rk.People(folder)
    assert again.people.loc[2, "faces"] == (("hall", 2), ("lobby", 1))
    assert again._now.pairs.query("answer == 'different'")[["face_id", "other_id"]].to_numpy().tolist() == [[1, 4]]


def test_a_folder_of_broken_files_alone_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in folder.rglob("*_annotations.json"):
        path.write_text("{")
    with pytest.raises(AnnotationError, match="none of the 2 analyses"):
        rk.People(folder)
    assert main(["people", str(folder)]) == 1
    assert "hall_annotations.json" in capsys.readouterr().err


def test_videos_without_faces_are_clips_of_nobody(tmp_path: Path) -> None:
    make_clip(tmp_path, "empty", {})
    people = rk.People(tmp_path)
    assert (people.clips, len(people.people), len(people.suggestions())) == (["empty"], 0, 0)
    people.hide_all_but([])
    assert people.save_page(tmp_path / "people.html").is_file()
    make_clip(tmp_path, "hall", {1: (0, 50, ANA)})
    make_clip(tmp_path, "later", {1: (0, 50, ANA)})
    people = rk.People(tmp_path)
    assert listed(people.suggestions()) == [(1, 2, True)]
    people.accept_suggestion(1, 2)
    people.save()
    assert rk.People(tmp_path).people["clips"].tolist() == [2]


def test_two_copies_of_a_video_are_two_clips_whose_people_are_suggested(folder: Path) -> None:
    shutil.copytree(folder / "hall_analysis", folder / "copies" / "hall_analysis")
    for path in (folder / "hall_analysis").iterdir():
        shutil.copy(path, folder / path.name)
    people = rk.People(folder)
    assert sorted(people.clips) == ["copies/hall", "hall", "hall_analysis/hall", "lobby"]
    assert people.tracks.index.tolist() == list(range(1, 10))
    found = people.find(people.track("hall", 1))
    assert {("copies/hall", 1), ("hall_analysis/hall", 1)} <= set(zip(found["clip"], found["face_id"], strict=True))
    while len(sure := people.suggestions(sure=True)):
        people.accept_suggestion(int(sure["face_id"][0]), int(sure["other_id"][0]))
    assert sorted(people.people["tracks"].tolist()) == [1, 4, 4]


def test_purge_removes_page_answers_and_vectors(folder: Path) -> None:
    people = rk.People(folder)
    people.accept_suggestion(2, 3)
    people.save()
    people.save_page(folder / "people.html")
    gone = {path.name for path in purge(folder)}
    assert {"people.html", "people.json", "hall_embeddings.npz", "lobby_annotations.json"} <= gone


def test_command_accepts_hides_and_writes_the_page(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = folder / "people.html"
    assert main(["people", str(folder), "--accept-sure", "--page", str(page)]) == 0
    assert "0 pairs may be one person" in capsys.readouterr().out
    assert page.is_file()
    assert main(["people", str(folder), "--hide-all-but", "1"]) == 0
    assert "visible" in capsys.readouterr().out
    assert main(["people", str(folder), "--find", "lobby:4"]) == 0
    assert "hall" in capsys.readouterr().out
    assert main(["people", str(folder), "--hide-all-but", "99"]) == 1
