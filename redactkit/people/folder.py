"""The same person in many clips: one table of people over a folder of analyses, with no server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from redactkit import identities
from redactkit.errors import OptionError
from redactkit.people.answers import read_answers, read_page_answers, save_answers
from redactkit.people.clips import Clip, read_clips
from redactkit.people.gathering import all_decisions, all_rows, all_vectors, number_tracks
from redactkit.people.matching import face_pairs, similarity_of, unlike
from redactkit.people.page import save_page
from redactkit.review.editing import set_decision
from redactkit.runtime.html import show, show_facts, show_table
from redactkit.tables import FaceIds, as_decisions, known_face_ids

__all__ = ["People"]


@dataclass(frozen=True)
class _Tables:
    """Decisions and pairs of all tracks of all clips, by track number."""

    decisions: pd.DataFrame
    pairs: pd.DataFrame


class People:
    """People over a folder of analyses: who is in which clip, suggestions, and decisions for all clips at once.

    Tracks are numbered through all clips; a person is called by the lowest number of its tracks. Nothing is joined
    without an answer, and who is not known stays redacted. Changes are kept in memory until `save`.

    Parameters
    ----------
    folder : path
        With ``foo_annotations.json`` of each clip, and the files beside them; folders below it are looked into.

    Raises
    ------
    OptionError
        If there is no analysis.
    AnnotationError
        If no analysis in it can be read, or the answers that were saved there.

    Warns
    -----
    AnnotationWarning
        For each file that cannot be read; `left_out` lists them.

    Examples
    --------
    >>> people = People("bodycams/")  # doctest: +SKIP
    >>> for pair in people.suggestions(sure=True).itertuples():  # doctest: +SKIP
    ...     people.accept_suggestion(pair.face_id, pair.other_id)
    >>> people.hide_all_but([4])  # doctest: +SKIP
    >>> people.save()  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._clips, self._left_out = read_clips(folder)
        self._number = number_tracks(self._clips)
        self._rows, self._cuts = all_rows(self._clips, self._number)
        self._vectors = all_vectors(self._clips, self._number)
        decisions, pairs = all_decisions(self._clips, self._number), self._found()
        self._now = self._saved = _Tables(decisions, pairs)
        self._now = self._saved = self._answered_before()
        self._past: list[_Tables] = []

    def __repr__(self) -> str:
        missing = f", {len(self._left_out)} files left out" if self._left_out else ""
        return f"<People: {len(self.people)} people, {len(self._number)} tracks in {len(self._clips)} clips{missing}>"

    def _repr_html_(self) -> str:
        rows = self.people[["clips", "tracks", "seconds", "decision", "label"]]
        facts = {"clips": len(self._clips), "tracks": len(self._number), "to answer": len(self.suggestions())}
        facts |= {"files left out": len(self._left_out)} if self._left_out else {}
        table = show_table(
            ["person", *rows], [[key, *row] for key, row in zip(rows.index, rows.to_numpy(), strict=True)]
        )
        return show("People", show_facts(facts), table)

    @property
    def clips(self) -> list[str]:
        """The names of the clips."""
        return [clip.name for clip in self._clips]

    @property
    def left_out(self) -> pd.DataFrame:
        """One row per file that cannot be read: ``clip``, ``file``, ``whole`` (or only its vectors), and ``reason``.

        What was decided and answered about such clips stays as it is.
        """
        rows = [(one.clip, one.path, one.whole, one.reason) for one in self._left_out]
        return pd.DataFrame(rows, columns=["clip", "file", "whole", "reason"])

    @property
    def tracks(self) -> pd.DataFrame:
        """One row per track, indexed by its number: ``clip``, ``face_id``, and the columns of a clip's own tracks."""
        table = self._known_tracks
        decided = self._now.decisions.reindex(table.index)
        return table.assign(**{str(name): decided[name] for name in decided})

    @property
    def people(self) -> pd.DataFrame:
        """One row per person: ``clips``, ``faces`` (clip and face ID of each track), ``tracks``, ``seconds`` and more.

        ``tracks`` is how many, ``track_numbers`` which; ``seconds`` how long in all; ``thumbnail`` of the largest
        face; ``decision`` is ``redact``, ``visible`` or ``mixed``.
        """
        rates = {clip.name: float(clip.annotations.video.frame_rate) for clip in self._clips}
        table = self.tracks.reset_index()
        table["seconds"] = table["frames"] / table["clip"].map(rates).astype("float64")
        table["area"] = table["median_width"] * table["median_height"]
        rows = {int(str(person)): _person(mine) for person, mine in table.groupby("person_id")}
        columns = ["clips", "faces", "tracks", "track_numbers", "seconds", "thumbnail", "decision", "label", "reason"]
        summary = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
        return summary.set_index(summary.index.astype("int64")).rename_axis("person_id")

    def track(self, clip: str, face_id: int) -> int:
        """Return the number of a clip's track.

        Raises
        ------
        OptionError
            If there is no such clip, or no such face in it.
        """
        number = self._number.get((clip, int(face_id)))
        if number is None:
            faces = [face for name, face in self._number if name == clip]
            known = f"its faces are {faces[:20]}" if faces else f"the clips are {', '.join(self.clips[:20])}"
            raise OptionError(f"no face {face_id} in a clip {clip!r}; {known}")
        return number

    def suggestions(self, *, sure: bool = False) -> pd.DataFrame:
        """Return pairs of tracks that may be one person and are not answered yet, the most alike first.

        Parameters
        ----------
        sure : bool
            Only those that are called sure.

        Returns
        -------
        DataFrame
            Columns of `redactkit.identities.PAIRS`, with track numbers as IDs.
        """
        now = self._now
        return identities.open_pairs(now.pairs, now.decisions, detections=self._rows, cuts=self._cuts, sure=sure)

    def find(self, track: int, *, most: int = 20) -> pd.DataFrame:
        """Return the tracks whose faces are most like one: "find this person".

        Parameters
        ----------
        track : int
            A track number.
        most : int
            How many to return.

        Returns
        -------
        DataFrame
            Indexed by track: ``clip``, ``face_id``, ``similarity`` (below 0.5 they are hardly the same), ``person_id``.

        Raises
        ------
        OptionError
            If there is no such track, or no picture of it was good enough to compare.
        """
        known_face_ids([track], self._now.decisions.index, name="tracks")
        tables = []
        for vectors in self._vectors:
            faces, means, _ = vectors.means()
            if track in faces:
                distance = unlike(means[faces == track], means)[0]
                similarity = similarity_of(distance, vectors.alignment.likely)
                tables.append(pd.Series(similarity, index=pd.Index(faces, name="track"), name="similarity"))
        if not tables:
            raise OptionError(
                f"no picture of track {track} was good enough to compare it with others; look at it by eye"
            )
        alike = pd.concat(tables).drop(track).sort_values(ascending=False, kind="stable").head(most)
        shown = self.tracks.loc[alike.index, ["clip", "face_id", "person_id"]]
        return shown.assign(similarity=alike)[["clip", "face_id", "similarity", "person_id"]]

    def accept_suggestion(self, track: int, other: int) -> int:
        """Say that two tracks are one person; return the person's number. See `join_people`."""
        return self.join_people([track, other])

    def reject_suggestion(self, track: int, other: int) -> None:
        """Say that two tracks are different people; neither they nor others of the two are suggested again.

        Raises
        ------
        OptionError
            If there is no such track.
        """
        known_face_ids([track, other], self._now.decisions.index, name="tracks")
        pairs = identities.answer_pair(self._now.pairs, track, other, answer="different")
        self._change(replace(self._now, pairs=pairs))

    def join_people(self, tracks: FaceIds) -> int:
        """Say that tracks, with all others of their people, are one person; return the person's number.

        Where their decisions differ all are redacted, until the person is decided.

        Raises
        ------
        OptionError
            If there is no such track, or two of the people are seen in one frame.
        """
        ids = known_face_ids(tracks, self._now.decisions.index, name="tracks")
        joined = _joined(self._now, ids, self._rows, self._cuts)
        self._change(joined)
        return int(joined.decisions["person_id"][ids[0]])

    def part_people(self, tracks: FaceIds) -> None:
        """Say that each of these tracks is a person of its own; the others of its person stay together.

        Raises
        ------
        OptionError
            If there is no such track.
        """
        decisions = identities.part_people(self._now.decisions, tracks)
        pairs = identities.parted_pairs(self._now.pairs, decisions)
        self._change(_Tables(decisions, pairs))

    def decide_people(
        self, people: FaceIds, *, redact: bool | None = None, label: str | None = None, reason: str | None = None
    ) -> None:
        """Decide about people in all clips. What is None stays as it was.

        Raises
        ------
        OptionError
            If there is no such person.
        """
        mine = identities.faces_of_people(self._now.decisions, people)
        decided = set_decision(self._now.decisions, faces=mine, redact=redact, label=label, reason=reason)
        self._change(replace(self._now, decisions=decided))

    def hide_all_but(self, people: FaceIds, *, reason: str = "") -> None:
        """Leave these people visible in all clips, and redact everybody else, also who is not known.

        Raises
        ------
        OptionError
            If there is no such person.
        """
        visible = identities.faces_of_people(self._now.decisions, people)
        decisions = self._now.decisions.assign(redact=True)
        decisions = set_decision(decisions, faces=visible, redact=False, reason=reason or None)
        self._change(replace(self._now, decisions=decisions))

    def answer(self, path: str | Path) -> int:
        """Take the answers that the page of `save_page` has put into a file; return how many there were.

        Raises
        ------
        AnnotationError
            If the file is none, or of other clips.
        """
        answers = read_page_answers(path)
        for item in answers:
            pair = [self.track(item.clip, item.face_id), self.track(item.other_clip, item.other_id)]
            (self.join_people(pair) if item.answer == "same" else self.reject_suggestion(*pair))
        return len(answers)

    def undo(self) -> None:
        """Take back the last change; nothing happens where there is none."""
        if self._past:
            self._now = self._past.pop()

    def save(self) -> list[Path]:
        """Write what has changed: annotations and ID lists of clips, and the answers about people of several clips.

        Returns
        -------
        list of Path
            The annotations that were written.
        """
        changed = []
        for place, clip in enumerate(self._clips):
            new = clip.decided(*self._of_clip(clip, self._now))
            if not new.annotations.equals(clip.decided(*self._of_clip(clip, self._saved)).annotations):
                new.save()
                changed.append(new.path)
            self._clips[place] = new
        missing = {one.clip for one in self._left_out if one.whole}
        save_answers(self.folder, self._clips, self._number, self._now.decisions, self._now.pairs, missing=missing)
        self._saved = self._now
        return changed

    def save_page(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write a page that shows the suggestions side by side and collects answers for `answer`.

        Raises
        ------
        OutputExistsError
            If the file exists and ``overwrite`` is false.
        """
        return save_page(path, self.tracks, self.people, self.suggestions(), overwrite=overwrite)

    @cached_property
    def _known_tracks(self) -> pd.DataFrame:
        """One row per track, without what is decided, which alone changes."""
        parts = []
        for clip in self._clips:
            own = clip.annotations.tracks
            own = own.assign(thumbnail=pd.Series(clip.thumbnails, dtype="object").reindex(own.index).to_numpy())
            own.insert(0, "face_id", own.index)
            own.insert(0, "clip", clip.name)
            parts.append(own)
        table = pd.concat(parts, ignore_index=True)
        table.index = pd.Index(np.arange(1, len(table) + 1), dtype="int64", name="track")
        return table

    def _change(self, tables: _Tables) -> None:
        self._past.append(self._now)
        self._now = tables

    def _found(self) -> pd.DataFrame:
        """Return the pairs of all clips: those of each clip, with its answers, and those of faces across clips."""
        parts = [face_pairs(vectors, self._rows, cuts=self._cuts) for vectors in self._vectors]
        for clip in self._clips:
            number_of = {face: number for (name, face), number in self._number.items() if name == clip.name}
            pairs = clip.annotations.pairs
            known = pairs["face_id"].isin(list(number_of)) & pairs["other_id"].isin(list(number_of))
            ids = {name: pairs.loc[known, name].map(number_of) for name in ("face_id", "other_id")}
            parts.append(pairs[known].assign(**ids))
        return identities.as_pairs(pd.concat(parts, ignore_index=True)) if parts else identities.empty_pairs()

    def _answered_before(self) -> _Tables:
        """Return the tables with what was answered about people of several clips when the folder was last saved."""
        joined, different = read_answers(self.folder, self._clips, self._number)
        tables = self._now
        for tracks in joined:
            try:
                tables = _joined(tables, tracks, self._rows, self._cuts)
            except OptionError:  # an analysis done anew has shown them at once
                continue
        pairs = tables.pairs
        for a, b in different:
            pairs = identities.answer_pair(pairs, a, b, answer="different")
        return replace(tables, pairs=pairs)

    def _of_clip(self, clip: Clip, tables: _Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return a clip's own decisions and pairs."""
        face_of = {number: face for (name, face), number in self._number.items() if name == clip.name}
        mine = tables.decisions.loc[list(face_of)]
        decisions = as_decisions(mine.set_axis(pd.Index(list(face_of.values()), name="face_id")))
        inside = tables.pairs["face_id"].isin(list(face_of)) & tables.pairs["other_id"].isin(list(face_of))
        ids = {name: tables.pairs.loc[inside, name].map(face_of) for name in ("face_id", "other_id")}
        return decisions, identities.as_pairs(tables.pairs[inside].assign(**ids))


def _joined(tables: _Tables, ids: list[int], rows: pd.DataFrame, cuts: Any) -> _Tables:
    identities.check_one_person(tables.decisions, ids, detections=rows, cuts=cuts)
    decisions = identities.join_people(tables.decisions, ids)
    return _Tables(decisions, identities.joined_pairs(tables.pairs, decisions, ids[0]))


def _person(mine: pd.DataFrame) -> list[Any]:
    shown = mine[mine["thumbnail"].notna()]
    best = (shown if len(shown) else mine).sort_values("area", kind="stable").iloc[-1]
    decisions = set(mine["redact"])
    return [
        mine["clip"].nunique(),
        tuple(zip(mine["clip"], mine["face_id"].tolist(), strict=True)),
        len(mine),
        tuple(mine["track"].tolist()),
        float(mine["seconds"].sum()),
        best["thumbnail"],
        "mixed" if len(decisions) > 1 else "redact" if True in decisions else "visible",
        next((text for text in mine["label"] if text), ""),
        next((text for text in mine["reason"] if text), ""),
    ]
