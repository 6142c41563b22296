"""What an analyst says about people: suggested pairs accepted or rejected, and decisions that hold for all tracks."""

from __future__ import annotations

from typing import Any

import pandas as pd

from redactkit import identities
from redactkit.review.commands import Commands
from redactkit.review.relevance import pairs_matter
from redactkit.tables import FaceIds, as_face_ids, known_face_ids

__all__ = ["PeopleCommands"]


class PeopleCommands(Commands):
    """Commands about people. A person is one or more tracks, called by the lowest of their face IDs.

    Tracks are never joined but by these commands, and each of them can be undone.
    """

    @property
    def people(self) -> pd.DataFrame:
        """One row per person, columns of `redactkit.identities.PEOPLE`; a fresh copy."""
        return identities.summarize_people(self.tracks, frame_rate=float(self.video.frame_rate))

    def suggestions(self, *, sure: bool = False) -> pd.DataFrame:
        """Return pairs of tracks that may be one person and are not answered yet, the most alike first.

        Parameters
        ----------
        sure : bool
            Only those that are called sure.

        Returns
        -------
        DataFrame
            Columns of `redactkit.identities.PAIRS`. ``similarity`` is 1 for equal faces and 0.5 for those that are
            just alike enough to ask; ``basis`` is ``face`` or ``colours``, on which nothing is ever sure.
            And ``matters``: whether the two are decided differently, so that an answer changes the result.
        """
        with self.lock:
            pairs, decisions, detections = self.pairs, self.decisions, self.detections
        found = identities.open_pairs(pairs, decisions, detections=detections, cuts=self.cuts, sure=sure)
        return found.assign(matters=pairs_matter(found, decisions=decisions))

    def accept_suggestion(self, face_id: int, other_id: int) -> int:
        """Say that two tracks are one person; return the person's number. See `join_people`."""
        return self.join_people([face_id, other_id])

    def reject_suggestion(self, face_id: int, other_id: int) -> None:
        """Say that two tracks are different people; neither this pair nor others of the two are suggested again.

        Raises
        ------
        OptionError
            If no face has one of the IDs.
        """
        known_face_ids([face_id, other_id], self.decisions.index, name="faces")
        with self.lock:
            pairs = identities.answer_pair(self.pairs, face_id, other_id, answer="different")
            self.edit(f"faces {face_id}, {other_id} are different people", pairs=pairs)

    def join_people(self, faces: FaceIds) -> int:
        """Say that tracks, with all others of their people, are one person; return the person's number.

        Where their decisions differ all are redacted, until the person is decided.

        Raises
        ------
        OptionError
            If no face has one of the IDs, or two of the people are seen in one frame.
        """
        ids = as_face_ids(faces, name="faces")
        with self.lock:
            identities.check_one_person(self.decisions, ids, detections=self.detections, cuts=self.cuts)
            decided = identities.join_people(self.decisions, ids)
            person = int(decided["person_id"][ids[0]])
            pairs = identities.joined_pairs(self.pairs, decided, ids[0])
            self.edit(f"faces {', '.join(map(str, ids[:6]))} are one person", decisions=decided, pairs=pairs)
        return person

    def part_people(self, faces: FaceIds) -> None:
        """Say that each of these tracks is a person of its own; the others of its person stay together.

        Raises
        ------
        OptionError
            If no face has one of the IDs.
        """
        ids = as_face_ids(faces, name="faces")
        with self.lock:
            decided = identities.part_people(self.decisions, ids)
            pairs = identities.parted_pairs(self.pairs, decided)
            self.edit(f"faces {', '.join(map(str, ids[:6]))} taken out of their person", decisions=decided, pairs=pairs)

    def decide_people(
        self, people: FaceIds, *, redact: bool | None = None, label: str | None = None, reason: str | None = None
    ) -> None:
        """Decide about people: about all tracks of each. What is None stays as it was.

        Raises
        ------
        OptionError
            If there is no such person.
        """
        with self.lock:
            faces = identities.faces_of_people(self.decisions, people)
            given: dict[str, Any] = {"redact": redact, "label": label, "reason": reason}
            self.decide(faces, **given)
