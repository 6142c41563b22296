"""Who is hidden: one card for each person, and pairs of tracks that may be the same person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from redactkit.identities import summarize_people
from redactkit.review import Review
from redactkit.tables import BOX
from redactkit.widgets.cards import CardAction, CardList
from redactkit.widgets.crops import PictureSource
from redactkit.widgets.edits import set_aside
from redactkit.widgets.markup import timecode
from redactkit.widgets.places import fold_card
from redactkit.widgets.view import View, button, row

__all__ = ["PeopleView"]

_ACTIONS = (
    CardAction("hide", "Hide", "hide this person", "enter"),
    CardAction("visible", "Leave visible", "this person may be seen", "v"),
    CardAction("no-face", "No face", "it is no face: set it aside", "n"),
    CardAction("go", "Go to", "show the frame of the first appearance", "g", advances=False),
    CardAction("apart", "Not one person", "its tracks are different people", "x", advances=False),
    CardAction("same", "Same person", "both are one person", "y"),
    CardAction("different", "Two people", "they are different people", "x"),
    CardAction("open", "Look at them", "show what is folded here, or hide it again", "enter", advances=False),
)
_BADGES = {"redact": ("hide", "hidden"), "visible": ("show", "visible"), "mixed": ("mixed", "partly hidden")}
_PAIRS_FIRST = 2
"""Pairs that stand above the people."""

_SAME_EITHER_WAY = "Both are decided alike, so that the video is the same either way. They come back when one is not."

_STRIP = 8
"""Pictures of a track that a card plays under the pointer."""


class PeopleView(View):
    """One small card for each person, the largest faces first, all hidden; above them pairs to be answered.

    Enter hides the person of the current card, V leaves them visible, N says that it is no face, E names them; each
    goes on to the next. Picking a card does not move the time; G does. Pairs whose answer would change nothing, since
    both are decided alike, are folded away under the people.

    Parameters
    ----------
    review : Review

    Examples
    --------
    >>> PeopleView(review)  # doctest: +SKIP
    """

    def __init__(self, review: Review) -> None:
        super().__init__(review, css="rk-who")
        self._people = pd.DataFrame()
        self._pairs_open = False
        self.hide_all_button = button("", "hide every person", text="Hide everybody", css="rk-hide-everybody")
        self.hide_all_button.on_click(self.press(self.hide_everybody))
        self.cards = CardList(
            review,
            title="People",
            actions=_ACTIONS,
            places=self._places,
            strip=self._strip,
            act=self.guard(self.do),
            empty="No face was found. Find them in the first step, or draw a box in the picture.",
        )
        self.cards.observe(self._on_pick, "current")
        refresh = self.worker(self.refresh, interval=0.1)
        self.watch(lambda _: refresh.submit(), "revision")
        self.watch(lambda _: self._follow(), "current_face")
        self.refresh()
        self.show(row(self.hide_all_button), self.cards)

    def refresh(self) -> None:
        """Show the people as they stand."""
        with self.review.lock:
            tracks = self.review.tracks
            people = summarize_people(tracks, frame_rate=float(self.review.video.frame_rate))
            pairs = self.review.suggestions()
            aside = int(self.review.discarded["face_id"].nunique())
        area = (tracks["median_width"] * tracks["median_height"]).groupby(tracks["person_id"]).max()
        self._people = people.loc[area.reindex(people.index).sort_values(ascending=False, kind="stable").index]
        asked = [self._pair(pair) for pair in pairs[pairs["matters"]].itertuples()]
        cards = [self._person(person) for person in self._people.itertuples()]
        with self.cards.hold_sync():  # the page gets the cards and the current one at once, or a key finds no card
            # Few pairs first, or they would push the people off the page; others move up as these are answered.
            self.cards.items = [*asked[:_PAIRS_FIRST], *cards, *asked[_PAIRS_FIRST:], *self._folded(pairs)]
            self._follow()
        hidden = int((people["decision"] == "redact").sum())
        self.hide_all_button.layout.display = "none" if hidden == len(people) else ""
        counted = [f"{hidden} of {len(people)} hidden"]
        counted += [f"{len(asked)} pair{'s' * (len(asked) > 1)} to answer"] if asked else []
        counted += [f"{aside} set aside as no face"] if aside else []
        self.cards.summary = ", ".join(counted)

    def _person(self, person: Any) -> dict[str, Any]:
        state, badge = _BADGES[person.decision]
        tracks = f", {person.tracks} tracks" if person.tracks > 1 else ""
        when = f"{timecode(person.start)[3:10]} to {timecode(person.end)[3:10]}"
        actions = ["hide", "visible", "no-face", "go", *(["apart"] if person.tracks > 1 else [])]
        return {
            "key": f"f{person.Index}",
            "title": person.label or f"Person {person.Index}",
            "name": person.label,
            "badge": badge,
            "state": state,
            "tile": True,
            "lines": [f"{person.seconds:.1f} s, {when}{tracks}"],
            "actions": actions,
        }

    def _pair(self, pair: Any) -> dict[str, Any]:
        names = [self._named(face) for face in (pair.face_id, pair.other_id)]
        how = "looks sure" if pair.sure else f"alike by {'face' if pair.basis == 'face' else 'colours'}"
        return {
            "key": f"p{pair.face_id}-{pair.other_id}",
            "title": "Same person?",
            "badge": "",
            "state": "plain",
            "lines": [f"{names[0]} and {names[1]}: {how}"],
            "pictures": 2,
            "actions": ["same", "different", "go"],
        }

    def _folded(self, pairs: pd.DataFrame) -> list[dict[str, Any]]:
        """Return the head of the pairs that change nothing, and where it is open their cards."""
        pairs = pairs[~pairs["matters"]]
        if pairs.empty:
            return []
        count = f"{len(pairs)} pair{'s' * (len(pairs) > 1)}"
        cards = [self._pair(pair) for pair in pairs.itertuples()] if self._pairs_open else []
        how = ["looks sure" if sure else "alike" for sure in pairs["sure"]]
        title = f"{count} that may be one person: nothing depends on it now"
        return [fold_card("pairs", title, how, why=_SAME_EITHER_WAY, is_open=self._pairs_open), *cards]

    def hide_everybody(self) -> None:
        """Hide every person; one edit."""
        with self.review.lock:
            self.review.decide(self.review.decisions.index.tolist(), redact=True)

    def _named(self, face: int) -> str:
        label = self.review.decisions["label"].get(face, "")
        return str(label) or f"face {face}"

    def _faces(self, key: str) -> list[int]:
        if key.startswith("p"):
            return [int(face) for face in key[1:].split("-")]
        if not key or key.startswith("fold"):
            return []
        person = int(key[1:])
        return list(self._people["faces"].to_dict().get(person, ()))

    def _places(self, key: str) -> list[PictureSource]:
        faces = self._faces(key)
        if key.startswith("f") and faces:
            faces = [int(self._people["best_face"].to_dict()[int(key[1:])])]
        tracks = self.review.tracks
        tracks = tracks.loc[[face for face in faces if face in tracks.index]]
        return [self._place(int(str(one.Index)), one) for one in tracks.itertuples()]

    def _place(self, face: int, track: Any) -> PictureSource:
        frame = int(track.best_frame)
        box = self.review.box_of(face, frame=frame) or [0.0, 0.0, 1.0, 1.0]
        return PictureSource(frame, (box[0], box[1], box[2], box[3]), track.thumbnail or None)

    def _strip(self, key: str) -> list[PictureSource]:
        """Return places along the tracks of a card, in their order."""
        table = self.review.detections
        rows = table[table["face_id"].isin(self._faces(key)).to_numpy() & table["x"].notna().to_numpy()]
        chosen = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, _STRIP).astype(int))] if len(rows) else rows
        boxes = chosen[BOX].to_numpy(np.float64).tolist()
        return [PictureSource(int(at), (x, y, w, h)) for at, (x, y, w, h) in zip(chosen["frame"], boxes, strict=True)]

    def do(self, message: Mapping[str, Any]) -> None:
        """Take what a person did with a card."""
        review, what = self.review, message.get("do")
        self.say()
        if what == "undo":
            review.undo()
            return
        if what == "open":
            self._pairs_open = not self._pairs_open
            self.refresh()
            return
        faces = self._faces(str(message["key"]))
        if not faces:
            return
        if what == "name":
            review.decide(faces, label=str(message.get("text", "")).strip())
        elif what in ("hide", "visible"):
            review.decide(faces, redact=what == "hide")
        elif what == "no-face":
            set_aside(review, faces)
        elif what == "same":
            self._join(faces)
        elif what == "different":
            review.reject_suggestion(*faces)
        elif what == "apart":
            review.part_people(faces)
        elif what == "go":
            review.go_to_face(faces[0])

    def _join(self, faces: list[int]) -> None:
        """Make a pair one person; say so where that hides one who was to be seen."""
        review = self.review
        with review.lock:
            names, before = [self._named(face) for face in faces], len(review.selected_ids)
            review.accept_suggestion(*faces)
            if len(review.selected_ids) > before:
                self.say(f"{names[0]} and {names[1]} are one person now, and hidden, since one of them was")

    def _on_pick(self, change: Any) -> None:
        faces = self._faces(change["new"] or "")
        if faces and self.review.current_face not in faces:
            self.review.current_face = faces[0]

    def _follow(self) -> None:
        """Let the current card be that of the current face."""
        face, current = self.review.current_face, self.cards.current
        if face is None or (current and face in self._faces(current)):
            return
        mine = [f"f{person}" for person, faces in self._people["faces"].items() if face in faces]
        self.cards.current = mine[0] if mine else None

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until everything asked for is shown; return whether that came in time."""
        return super().wait(timeout) and self.cards.wait(timeout)
