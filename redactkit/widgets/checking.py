"""What is to be looked at, one card each: the review queue, and what the leak check found in the exported video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import traitlets

from redactkit.review import Review
from redactkit.runtime.progress import ProgressLike
from redactkit.verification import Answer, VerificationReport, crops
from redactkit.widgets.cards import CardAction, CardList
from redactkit.widgets.crops import PictureSource
from redactkit.widgets.edits import set_aside
from redactkit.widgets.markup import timecode
from redactkit.widgets.runner import BackgroundPass, Runner
from redactkit.widgets.view import View

__all__ = ["CheckView"]

_ACTIONS = (
    CardAction("hide", "Hide", "hide it", "enter"),
    CardAction("fill", "Cover the gap", "follow the face into the frames without a box, and hide it there", "enter"),
    CardAction("on", "Follow on", "follow the face further from here, and hide it there", "enter"),
    CardAction("no-face", "No face", "it is no face", "n"),
    CardAction("fine", "Fine", "nothing is to be done", "f"),
    CardAction("visible", "Leave visible", "it may be seen", "v"),
    CardAction("hide-all", "Hide all like this", "hide all places left with this reason", "shift+enter"),
    CardAction("cover-all", "Cover all like this", "follow the faces at all places with this reason", "shift+enter"),
    CardAction("fine-all", "All like this fine", "nothing is to be done about places with this reason", "shift+f"),
)
_SAID = {"hide": "hidden", "no-face": "no face", "fine": "fine", "visible": "left visible"}
_SETTLED: dict[str, Answer] = {"hide": "hide", "no-face": "no face", "visible": "leave visible"}
_COVERS = {"gap": "fill", "track ends inside the frame": "on", "track starts inside the frame": "on"}
"""Reasons whose answer is more boxes, and the action that draws them."""

_SENTENCES = {
    "gap": "{name} has no box for {frames} frames",
    "track ends inside the frame": "{name} is lost here, inside the picture",
    "track starts inside the frame": "{name} is first found here, inside the picture",
    "followed in doubt": "{name} was followed in doubt",
    "short track": "{name} is seen for {frames} frames only",
    "filled gap": "{name}: boxes filled in between two sightings",
    "confidence dip": "{name} is hard to see here",
    "crossing": "{name} meets another face",
    "discarded track": "{name} was set aside as no face",
    "touches the edge": "{name} is at the edge of the picture",
}
_MOST = 400
"""Cards shown at a time."""


class _Made(NamedTuple):
    """Answers given at once, and where the history stood before and after them."""

    keys: list[str]
    before: int
    after: int


class CheckView(View):
    """Places to look at, the riskiest first, each answered by a key: Enter hides, N is no face, F is fine.

    With Shift, Enter and F answer all places left that have the same reason; one Z takes all these answers back.
    Picking a card goes to its frame; answering one goes on to the next without an answer. Where a face has no box for
    some frames, or is lost, Enter follows it on. After an export with a leak check its findings stand first, source
    and output side by side.

    Parameters
    ----------
    review : Review
    runner : Runner, optional
        Shared with other panels: following waits for a pass under way.

    Attributes
    ----------
    answered : int
        How many places have an answer.

    Examples
    --------
    >>> CheckView(review)  # doctest: +SKIP
    """

    answered = traitlets.Int(0)

    def __init__(self, review: Review, *, runner: Runner | None = None) -> None:
        super().__init__(review, css="rk-check-list")
        self.runner = runner or Runner()
        self.report: VerificationReport | None = None
        self._pictures: dict[int, Any] = {}
        self._places: dict[str, Any] = {}
        self._answers: dict[str, str] = {}
        self._made: list[_Made] = []
        self.cards = CardList(
            review,
            title="Places to check",
            actions=_ACTIONS,
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
        """Put the findings of a leak check first; those of an earlier one go."""
        self.report = report
        self._pictures = crops(report) if report is not None else {}
        self._answers = {key: said for key, said in self._answers.items() if not key.startswith("leak")}
        self.refresh()

    @property
    def left(self) -> int:
        """How many places have no answer yet."""
        return sum(key not in self._answers for key in self._places)

    def refresh(self) -> None:
        """Show the places as they stand."""
        with self.review.lock:  # answers come from the page while edits make the list anew
            self._refresh()

    def _refresh(self) -> None:
        places: dict[str, Any] = {}
        if self.report is not None:
            places |= {f"leak{row.Index}": row for row in self.report.findings.itertuples()}
        queue = self.review.to_review()
        for row in queue.itertuples():
            places.setdefault(f"{row.reason} {row.face_id} {row.frame}", row)
        self._places = places
        self._forget_undone()
        counts = Counter(_kind(key, row) for key, row in places.items() if key not in self._answers)
        shown = list(places.items())[:_MOST]
        self.cards.items = [self._item(key, row, alike=counts[_kind(key, row)]) for key, row in shown]
        self.answered = sum(key in self._answers for key in places)
        left, leaks = self.left, sum(key.startswith("leak") and key not in self._answers for key in places)
        counted = f"{left} of {len(places)} left to check" if places else ""
        self.cards.summary = counted + (f", {leaks} of them from the leak check" if leaks else "")

    def _item(self, key: str, row: Any, *, alike: int) -> dict[str, Any]:
        answer, leak = self._answers.get(key, ""), key.startswith("leak")
        hide = "hide" if leak or self.review.reader is None else _COVERS.get(str(row.reason), "hide")
        actions = [hide, "no-face", "visible" if leak else "fine"]
        title, lines = self._finding(row) if leak else self._queued(row)
        if leak and not row.frames:
            actions = ["fine"]  # what is wrong with the file has no place, and no answer but another export
        elif alike > 1 and not answer:
            actions += ["hide-all" if hide == "hide" else "cover-all", *([] if leak else ["fine-all"])]
        return {
            "key": key,
            "title": title,
            "lines": lines,
            "badge": answer,
            "state": "done" if answer else "hide" if leak and row.verdict == "exposed" else "plain",
            "pictures": 2 if leak else 1,
            "group": " ".join(_kind(key, row)),
            "actions": actions,
        }

    def _finding(self, row: Any) -> tuple[str, list[str]]:
        whose = f" {'near' if row.leak >= 0 else 'of'} face {row.face_id}" if row.face_id >= 0 else ""
        span = [f"{row.frames} frames from {timecode(row.start)}, source and output"] if row.frames else []
        return f"{row.verdict.capitalize()}: {row.what}{whose}", [*span, *([row.note] if row.note else [])]

    def _queued(self, row: Any) -> tuple[str, list[str]]:
        label = self.review.decisions["label"].get(row.face_id, "") or f"Face {row.face_id}"
        told = _SENTENCES.get(str(row.reason), f"{{name}}: {row.reason}").format(name=label, frames=row.frames)
        span = f" to {row.frame + row.frames - 1}" if row.frames > 1 else ""
        return told, [f"at {timecode(row.time)[3:10]}, frame{'s' * (row.frames > 1)} {row.frame}{span}"]

    def _pictures_of(self, key: str) -> list[PictureSource]:
        row = self._places.get(key)
        if row is None:
            return []
        if key.startswith("leak"):
            return [PictureSource(pixels=np.asarray(picture)) for picture in self._pictures.get(int(row.Index), ())]
        box = self._box(int(row.face_id), int(row.frame))
        return [PictureSource(int(row.frame), box)] if box else []

    def _box(self, face: int, frame: int) -> tuple[float, float, float, float] | None:
        """Return where a face is in a frame, or was in the nearest one; also one that was set aside."""
        for table in (self.review.detections, self.review.discarded):
            mine = table[(table["face_id"] == face).to_numpy() & table["x"].notna().to_numpy()]
            if len(mine):
                near = mine.iloc[int(np.abs(mine["frame"].to_numpy() - frame).argmin())]
                return float(near["x"]), float(near["y"]), float(near["width"]), float(near["height"])
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
            return
        if key not in self._places:
            return
        keys = self._alike(key) if what.endswith("-all") else [key]
        self._answer(what.removesuffix("-all"), keys)
        self.refresh()

    def _alike(self, key: str) -> list[str]:
        """Return the places without an answer that have a place's reason."""
        kind = _kind(key, self._places[key])
        return [
            other for other, row in self._places.items() if other not in self._answers and _kind(other, row) == kind
        ]

    def _answer(self, what: str, keys: list[str]) -> None:
        """Give places one answer."""
        if what in ("cover", "fill", "on"):
            gaps: set[int] = set()
            for key in keys:
                row = self._places[key]
                if _COVERS[row.reason] == "fill":
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
            self.refresh()

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
        faces = sorted({int(row.face_id) for row in rows})
        known = [face for face in faces if face in review.decisions.index]
        if known and what == "hide":
            review.decide(known, redact=True)
        elif known:
            set_aside(review, known)
        for face in set(faces) - set(known) if what == "hide" else ():
            review.restore_face(face)

    def _cover(self, key: str, row: Any) -> None:
        """Follow a face to where it has no box, in the background."""
        review, face, frame = self.review, int(row.face_id), int(row.frame)
        if face not in review.selected_ids:
            review.decide([face], redact=True)
        self._answers[key] = "following"
        direction = "forward" if "ends" in row.reason else "backward"

        def work(progress: ProgressLike) -> pd.DataFrame:
            if _COVERS[row.reason] == "fill":
                return review.fill_gaps(face, progress=progress)
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
        if row is None or (hasattr(row, "frames") and not row.frames):
            return
        self.review.current_frame = int(row.frame)
        if row.face_id in self.review.decisions.index:
            self.review.current_face = int(row.face_id)

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until everything asked for is shown; return whether that came in time."""
        return super().wait(timeout) and self.cards.wait(timeout)


def _kind(key: str, row: Any) -> tuple[str, ...]:
    """Return what places have in common that get one answer."""
    return ("leak", str(row.verdict), str(row.what)) if key.startswith("leak") else (str(row.reason),)
