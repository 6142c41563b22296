"""What was answered about people of several clips: a private file in the folder, and answers that a page collects."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pandas as pd
from msgspec import Struct

from redactkit.boxes import iou
from redactkit.errors import AnnotationError
from redactkit.people.clips import Clip
from redactkit.runtime.files import write_bytes
from redactkit.runtime.marks import PEOPLE_MARK
from redactkit.tables import BOX

__all__ = ["Answer", "answers_path", "read_answers", "read_page_answers", "save_answers"]

NAME = "people.json"
MIN_IOU = 0.5
"""Least IoU of a box with that of a known track in its best frame, to be that track after an analysis done anew."""

Numbers = Mapping[tuple[str, int], int]


class _Track(Struct):
    """A track by where it is best seen, since face IDs change when a video is analyzed anew."""

    clip: str
    frame: int
    box: tuple[float, float, float, float]


class _File(Struct):
    redactkit: str
    people: list[list[_Track]] = []
    different: list[tuple[_Track, _Track]] = []


class Answer(Struct):
    """An answer about two tracks."""

    clip: str
    face_id: int
    other_clip: str
    other_id: int
    answer: Literal["same", "different"]


class _Answers(Struct):
    redactkit: str
    answers: list[Answer]


def answers_path(folder: Path) -> Path:
    """Return the file with the answers about people of several clips."""
    return folder / NAME


def save_answers(
    folder: Path,
    clips: Sequence[Clip],
    number: Numbers,
    decisions: pd.DataFrame,
    pairs: pd.DataFrame,
    *,
    missing: Collection[str] = (),
) -> None:
    """Write who is one person, and which pairs are different people, over all clips.

    What the file says of clips that are ``missing`` stays in it, so that it holds again once they can be read.
    """
    where, before = _places(clips, number), _read(folder) if missing else _File(PEOPLE_MARK)
    people = {
        int(str(one)): [where[track] for track in mine.index if track in where]
        for one, mine in decisions.groupby("person_id")
    }
    names = {clip.name: clip for clip in clips}
    apart = []
    for group in before.people:
        kept = [track for track in group if track.clip in missing]
        now = next((_number(track, names, number) for track in group if track.clip not in missing), 0)
        if now:
            people[int(decisions["person_id"][now])] += kept
        else:
            apart.append(kept)
    different = pairs.loc[pairs["answer"] == "different", ["face_id", "other_id"]].to_numpy().tolist()
    known = [(where[a], where[b]) for a, b in different if a in where and b in where]
    known += [pair for pair in before.different if any(track.clip in missing for track in pair)]
    document = _File(PEOPLE_MARK, [mine for mine in [*people.values(), *apart] if len(mine) > 1], known)
    if document.people or document.different:
        write_bytes(answers_path(folder), msgspec.json.encode(document), overwrite=True)
    else:
        answers_path(folder).unlink(missing_ok=True)


def _read(folder: Path) -> _File:
    path = answers_path(folder)
    if not path.is_file():
        return _File(PEOPLE_MARK)
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError) as err:
        raise AnnotationError(f"{path} should hold answers about people and cannot be read: {err}; remove it") from err


def _places(clips: Sequence[Clip], number: Numbers) -> dict[int, _Track]:
    places = {}
    for clip in clips:
        rows = clip.annotations.detections.set_index(["face_id", "frame"])[BOX]
        for face, frame in clip.annotations.tracks["best_frame"].items():
            key = (int(str(face)), int(frame))
            box = rows.loc[[key]].to_numpy(np.float64)[0]
            # A file may say when a face is seen but not where; such a track cannot be found again.
            if np.isfinite(box).all():
                x, y, width, height = box.tolist()
                places[number[clip.name, key[0]]] = _Track(clip.name, key[1], (x, y, width, height))
    return places


def read_answers(folder: Path, clips: Sequence[Clip], number: Numbers) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """Return groups of tracks that are one person, and pairs that are not; of tracks that are still there.

    Raises
    ------
    AnnotationError
        If the file cannot be read.
    """
    document = _read(folder)
    by_name = {clip.name: clip for clip in clips}
    people = [[_number(track, by_name, number) for track in group] for group in document.people]
    pairs = [(_number(a, by_name, number), _number(b, by_name, number)) for a, b in document.different]
    groups = [sorted({one for one in group if one}) for group in people]
    return [group for group in groups if len(group) > 1], [(a, b) for a, b in pairs if a and b and a != b]


def _number(track: _Track, clips: Mapping[str, Clip], number: Numbers) -> int:
    """Return the number that a track has by now, 0 where it is not there any more."""
    clip = clips.get(track.clip)
    if clip is None:
        return 0
    rows = clip.annotations.detections
    here = rows[rows["frame"] == track.frame]
    overlap = iou(np.array([track.box]), here[BOX].to_numpy(np.float64))[0] if len(here) else np.zeros(0)
    if not overlap.max(initial=0) >= MIN_IOU:
        return 0
    return number[clip.name, int(here["face_id"].iloc[int(overlap.argmax())])]


def read_page_answers(path: str | Path) -> list[Answer]:
    """Return the answers that a page of suggestions has put into a file.

    Raises
    ------
    AnnotationError
        If it is no such file.
    """
    try:
        document = msgspec.json.decode(Path(path).read_bytes(), type=_Answers)
    except (OSError, msgspec.MsgspecError) as err:
        raise AnnotationError(
            f"{path} holds no answers of a page of suggestions: {err}; save them from it anew"
        ) from err
    if document.redactkit != PEOPLE_MARK:
        raise AnnotationError(f"{path} holds no answers of a page of suggestions; save them from the page anew")
    return document.answers
