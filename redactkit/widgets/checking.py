"""What is to be looked at, one card each: the review queue, and what the leak check found in the exported video."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import traitlets

from redactkit.review import Review
from redactkit.runtime.progress import ProgressLike
from redactkit.verification import Answer, VerificationReport, crops
from redactkit.widgets.cards import CardList
from redactkit.widgets.crops import PictureSource
from redactkit.widgets.edits import set_aside
from redactkit.widgets.places import (
    ACTIONS,
    COVERS,
    fold_card,
    kind_of,
    nothing_left_card,
    place_card,
    sheet_card,
)
from redactkit.widgets.runner import BackgroundPass, Runner
from redactkit.widgets.view import View

__all__ = ["CheckView"]

_SAID = {"hide": "hidden", "no-face": "no face", "fine": "fine", "visible": "left visible"}
_SETTLED: dict[str, Answer] = {"hide": "hide", "no-face": "no face", "visible": "leave visible"}

SHEET_FROM = 3
"""Places of one reason from which they are one contact sheet and not a card each. Raising it makes fewer sheets."""

_MOST = 400
"""Cards shown at a time."""

_ANSWERED = "They can be answered otherwise; Z takes the last answer back."
_COVERED = (
    "Boxes that hide lie there already, or the video is the same either way; where a glimpse begins and ends, the leak "
    "check looks. They come back when a decision changes it."
)


class _Made(NamedTuple):
    """Answers given at once, and where the history stood before and after them."""

    keys: list[str]
    before: int
    after: int


class CheckView(View):
    """Places where an answer could matter, the riskiest first; Enter hides one, N is no face, F is fine.

    Three places or more with one reason are one contact sheet: a key answers all of it, and what is clicked is taken
    out of it, to be answered afterwards. What is on a sheet is called fine, or no face, only when it was on the
    screen. One Z takes the answers of a sheet back. With Shift, Enter and F answer all places like the current one.

    Places where hidden boxes lie already are folded away, and not counted; see `redactkit.review.relevance`.
    Picking a card goes to its frame; answering one goes on to the next without an answer. Where a face has no box for
    some frames, or is lost, Enter follows it on. After an export with a leak check its findings stand first, source
    and output side by side.

    Parameters
    ----------
    review : Review
    runner : Runner, optional
        Shared with other panels: following waits for a pass under way.
    done : callable, optional
        Called to go on where nothing is left to check.

    Attributes
    ----------
    left : int
        How many places where an answer could matter have none yet.
    answered : int
        How many places have an answer.

    Examples
    --------
    >>> CheckView(review)  # doctest: +SKIP
    """

    left = traitlets.Int(0)
    answered = traitlets.Int(0)

    def __init__(self, review: Review, *, runner: Runner | None = None, done: Callable[[], None] | None = None) -> None:
        super().__init__(review, css="rk-check-list")
        self.runner = runner or Runner()
        self.report: VerificationReport | None = None
        self._done = done
        self._pictures: dict[int, Any] = {}
        self._places: dict[str, Any] = {}
        self._matter: set[str] = set()
        self._answers: dict[str, str] = {}
        self._out: set[str] = set()
        self._open: set[str] = set()
        self._made: list[_Made] = []
        self._still = False
        self.cards = CardList(
            review,
            title="Places to check",
            actions=ACTIONS,
            places=self._pictures_of,
            act=self.guard(self.do),
            empty="Nothing is to be checked.",
        )
        self.cards.observe(self._on_pick, "current")
        refresh = self.worker(self.refresh, interval=0.2)
        self.watch(lambda _: refresh.submit(), "revision", "queue")
        self.refresh()
        self.show(self.cards)

    def show_report(self, report: VerificationReport | None) -> None:
        """Put the findings of a leak check first, the first of them the current card; those of an earlier one go."""
        self.report = report
        self._pictures = crops(report) if report is not None else {}
        self._answers = {key: said for key, said in self._answers.items() if not key.startswith("leak")}
        self._out = {key for key in self._out if not key.startswith("leak")}
        self.refresh()
        if any(key.startswith("leak") for key in self._to_do()):
            self._pick_quietly(self._first)

    def begin(self) -> None:
        """Make the first card that is to be answered the current one, where none is; the time stays."""
        with self.review.lock:
            if self.cards.current not in [
                one["key"] for one in self.cards.items if one["state"] not in ("done", "fold")
            ]:
                self._pick_quietly(self._first)

    def refresh(self) -> None:
        """Show the places as they stand; the page gets them and the current card at once, or a key finds no card."""
        # Answers come from the page while edits make the list anew.
        with self.review.lock, self.cards.hold_sync():
            self._refresh()

    def _refresh(self) -> None:
        places: dict[str, Any] = {}
        if self.report is not None:
            places |= {f"leak{row.Index}": row for row in self.report.findings.itertuples()}
        self._matter = set(places)
        for row in self.review.to_review().itertuples():
            key = f"{row.reason} {row.face_id} {row.frame}"
            places.setdefault(key, row)
            if row.matters:
                self._matter.add(key)
        self._places = places
        self._forget_undone()
        self._out &= set(places)
        to_do = self._to_do()
        answered = [key for key in places if key in self._answers]
        covered = [key for key in places if key not in self._matter and key not in self._answers]
        self.cards.items = [
            *self._asked(to_do),
            *([nothing_left_card(goes_on=self._done is not None)] if places and not to_do else []),
            *self._folded("answered", answered, f"Answered: {len(answered)}", _ANSWERED),
            *self._folded(
                "covered", covered, f"Nothing to decide now: {len(covered)} places, look if you like", _COVERED
            ),
        ]
        self.left, self.answered = len(to_do), len(answered)
        leaks = sum(key.startswith("leak") for key in to_do)
        counted = f"{len(to_do)} left to check" if to_do else ""
        self.cards.summary = counted + (f", {leaks} of them from the leak check" if leaks else "")
        # An answer, or an edit elsewhere, may have taken the current card away.
        if self.cards.current is not None and self.cards.current not in [one["key"] for one in self.cards.items]:
            self._pick_quietly(self._first)

    def _to_do(self) -> list[str]:
        return [key for key in self._places if key in self._matter and key not in self._answers]

    def _asked(self, keys: list[str]) -> list[dict[str, Any]]:
        """Return the cards of places without an answer: one sheet for each reason that many have."""
        kinds: dict[tuple[str, ...], list[str]] = {}
        for key in keys:
            kinds.setdefault(kind_of(key, self._places[key]), []).append(key)
        cards = []
        for same in kinds.values():
            of_file = same[0].startswith("leak") and not self._places[same[0]].frames
            if len(same) >= SHEET_FROM and not of_file:
                cards.append(sheet_card(self.review, {key: self._places[key] for key in same}, out=self._out))
            else:
                cards += [place_card(self.review, key, self._places[key], alike=len(same)) for key in same]
        return cards[:_MOST]

    def _folded(self, name: str, keys: list[str], title: str, why: str) -> list[dict[str, Any]]:
        """Return the head of places that are folded away, and where it is open their cards."""
        if not keys:
            return []
        is_open = name in self._open
        reasons = [kind_of(key, self._places[key])[-1] for key in keys]
        cards = [
            place_card(self.review, key, self._places[key], answer=self._answers.get(key, ""))
            for key in (keys[:_MOST] if is_open else ())
        ]
        return [fold_card(name, title, reasons, why=why, is_open=is_open), *cards]

    @property
    def _first(self) -> str | None:
        return self.cards.items[0]["key"] if self.cards.items else None

    def _card_of(self, key: str) -> str | None:
        """Return the card, or the sheet, on which a place is."""
        for one in self.cards.items:
            if key in (one["key"], *(crop["key"] for crop in one.get("crops", ()))):
                return str(one["key"])
        return self.cards.current

    def _pick_quietly(self, key: str | None) -> None:
        """Make a card the current one, and leave the time alone: nobody has picked it."""
        self._still = True
        try:
            self.cards.current = key
        finally:
            self._still = False

    def _pictures_of(self, key: str) -> list[PictureSource]:
        row = self._places.get(key)
        if row is None:
            return []
        if key.startswith("leak"):
            return [PictureSource(pixels=np.asarray(picture)) for picture in self._pictures.get(int(row.Index), ())]
        found = self._box(int(row.face_id), int(row.frame), aside=row.reason == "discarded track")
        return [found] if found else []

    def _box(self, face: int, frame: int, *, aside: bool) -> PictureSource | None:
        """Return where a face is in a frame, or was in the nearest one; of one that was set aside its best look."""
        tables = (self.review.discarded, self.review.detections)
        for table in tables if aside else tables[::-1]:
            mine = table[(table["face_id"] == face).to_numpy() & table["x"].notna().to_numpy()]
            if len(mine):
                best = mine["confidence"].fillna(0).to_numpy().argmax()
                row = mine.iloc[int(best if aside else np.abs(mine["frame"].to_numpy() - frame).argmin())]
                box = float(row["x"]), float(row["y"]), float(row["width"]), float(row["height"])
                return PictureSource(int(row["frame"]) if aside else frame, box)
        return None

    def do(self, message: Mapping[str, Any]) -> None:
        """Take an answer."""
        self.say()
        with self.review.lock:
            self._do(message)

    def _do(self, message: Mapping[str, Any]) -> None:
        what, key = str(message.get("do")), str(message.get("key"))
        if what == "undo":
            self._undo()
        elif what == "export":
            if self._done is not None:
                self._done()
        elif what == "open":
            self._open ^= {key.removeprefix("fold ")}
            self.refresh()
        elif what == "click" and key in self._places:
            self._go_to(self._places[key])
        elif what == "out" and key in self._places:
            self._out ^= {key}
            self._go_to(self._places[key])
            self.refresh()
        elif keys := self._answered_by(what, key):
            self._answer(what.removeprefix("sheet-").removesuffix("-all"), keys)
            self._out -= {
                one for one in self._out if kind_of(one, self._places[one]) == kind_of(keys[0], self._places[keys[0]])
            }
            self.refresh()

    def _answered_by(self, what: str, key: str) -> list[str]:
        """Return the places that an answer is about: one, all like it, or those left on a sheet."""
        if what.startswith("sheet-"):
            shown = [crop for one in self.cards.items if one["key"] == key for crop in one.get("crops", ())]
            return [crop["key"] for crop in shown if not crop["out"] and crop["key"] in self._places]
        if key not in self._places:
            return []
        if not what.endswith("-all"):
            return [key]
        kind = kind_of(key, self._places[key])
        return [one for one in self._to_do() if kind_of(one, self._places[one]) == kind]

    def _answer(self, what: str, keys: list[str]) -> None:
        """Give places one answer."""
        if what in ("cover", "fill", "on"):
            gaps: set[int] = set()
            for key in keys:
                row = self._places[key]
                if COVERS[row.reason] == "fill":
                    if row.face_id in gaps:
                        continue  # one job fills all gaps of a face
                    gaps.add(row.face_id)
                self._cover(key, row)
            return
        before = self.review.history_position
        if what != "fine":
            self._settle(what, keys)
        self._made.append(_Made(keys, before, self.review.history_position))
        self._answers |= dict.fromkeys(keys, _SAID[what])

    def _undo(self) -> None:
        """Take the last answers back, and what they changed."""
        position = self.review.history_position
        last = self._made[-1] if self._made else None
        if last is None or last.after < position:
            self.review.undo()
            return
        while self.review.history_position > last.before:
            self.review.undo()
        if self._made and self._made[-1] is last:  # answers that changed nothing
            self._forget(self._made.pop())
        with self.cards.hold_sync():
            self.refresh()
            self._pick_quietly(self._card_of(last.keys[0]))

    def _forget(self, made: _Made) -> None:
        for key in made.keys:
            self._answers.pop(key, None)

    def _forget_undone(self) -> None:
        """Drop answers whose edit was undone."""
        position = self.review.history_position
        for made in self._made:
            if made.after > max(position, made.before):
                self._forget(made)
        self._made = [made for made in self._made if made.after <= max(position, made.before)]

    def _settle(self, what: str, keys: list[str]) -> None:
        review, report = self.review, self.report
        rows = [self._places[key] for key in keys]
        if report is not None and keys[0].startswith("leak"):
            for row in rows:
                report.settle(review, int(row.Index), _SETTLED[what])
            return
        aside = sorted({int(row.face_id) for row in rows if row.reason == "discarded track"})
        faces = sorted({int(row.face_id) for row in rows if row.reason != "discarded track"})
        faces = [face for face in faces if face in review.decisions.index]
        if faces and what == "hide":
            review.decide(faces, redact=True)
        elif faces:
            set_aside(review, faces)
        if aside and what == "hide":
            review.restore_faces(aside, cover_around=True)
        elif aside:
            review.confirm_discarded(aside)

    def _cover(self, key: str, row: Any) -> None:
        """Follow a face to where it has no box, in the background."""
        review, face, frame = self.review, int(row.face_id), int(row.frame)
        if face not in review.selected_ids:
            review.decide([face], redact=True)
        self._answers[key] = "following"
        direction = "forward" if "ends" in row.reason else "backward"

        def work(progress: ProgressLike) -> pd.DataFrame:
            if COVERS[row.reason] == "fill":
                return review.fill_gaps(face, cover=True, progress=progress)
            return review.follow(face, frame, direction=direction, progress=progress)

        def finished(job: BackgroundPass) -> None:
            if job.state == "done":
                self._answers[key] = f"{int(job.result['frames'].sum())} frames covered"
                self._made.append(_Made([key], review.history_position - 1, review.history_position))
            else:
                self._answers.pop(key, None)
                self.say(job.error)
            self.refresh()

        self.runner.submit(f"follow {face}", work, finished=self.guard(finished))

    def _on_pick(self, change: Any) -> None:
        row = self._places.get(change["new"] or "")
        if row is not None and not self._still:
            self._go_to(row)

    def _go_to(self, row: Any) -> None:
        """Show the frame of a place, and make its face the current one."""
        if hasattr(row, "frames") and not row.frames:
            return
        self.review.current_frame = int(row.frame)
        if row.face_id in self.review.decisions.index:
            self.review.current_face = int(row.face_id)

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until everything asked for is shown; return whether that came in time."""
        return super().wait(timeout) and self.cards.wait(timeout)
