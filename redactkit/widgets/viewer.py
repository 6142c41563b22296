"""The frame viewer: a frame with its boxes, to look at, play and edit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from redactkit.errors import OptionError
from redactkit.following import Ending
from redactkit.review import Review
from redactkit.review.rows import same_column
from redactkit.runtime.progress import ProgressLike
from redactkit.tables import BOX, FACE
from redactkit.widgets.actions import ACTIONS, mark
from redactkit.widgets.edits import correct_box
from redactkit.widgets.found import FoundSoFar
from redactkit.widgets.framed import FramedView
from redactkit.widgets.geometry import Region
from redactkit.widgets.pictures import jpeg, redacted
from redactkit.widgets.runner import BackgroundPass, Runner
from redactkit.widgets.stage import BoxRows

__all__ = ["FrameViewer"]

_TO_THE_END = "to the end of the shot"


class FrameViewer(FramedView):
    """The current frame of a review with its boxes.

    A drag moves a box, a handle resizes it, a drag on empty ground draws a new face; Shift+click marks faces for a
    merge. Keys work once the picture was clicked; the question mark shows them.

    Parameters
    ----------
    review : Review
    height : int
        Most pixels that the picture is high on the page; 0 for all there is.
    width : int
        Most pixels across of the pictures sent to the page.
    runner : Runner, optional
        Shared with panels, so that following waits for a pass under way.

    Attributes
    ----------
    zoom, preview, both : bool
        Zoomed to the current face; redacted as it will be; original and redacted side by side.
    speed : float
        Of playing, 0.25 to 4.
    stage : Stage
        The front end; ``shown_frame`` is the frame that it shows.
    found : FoundSoFar or None
        Whose boxes are shown instead of the review's while a search runs.

    Examples
    --------
    >>> FrameViewer(review, height=360)  # doctest: +SKIP
    """

    zoom = traitlets.Bool(False)
    preview = traitlets.Bool(False)
    both = traitlets.Bool(False)
    actions = ACTIONS
    found: FoundSoFar | None = None
    _following: BackgroundPass | None = None

    def __init__(self, review: Review, *, height: int = 480, width: int = 1280, runner: Runner | None = None) -> None:
        self.runner = runner or Runner()
        self._last_box: tuple[int, int, list[float], int] | None = None
        self._range: tuple[int | None, int, int] | None = None
        self._known_kinds: tuple[pd.DataFrame | None, dict[int, str]] = (None, {})
        super().__init__(review, css="rk-viewer", height=height, width=width)
        self._state_worker = self.worker(self._show_state, interval=0.05)
        self.watch(self._on_tables, "revision")
        self.watch(lambda _: self._state_worker.submit(), "marked")
        self.watch(self._on_face, "current_face")
        self.watch(lambda _: self.stage.forget_pictures("redacted"), "blur", "margin", "strength", "shape")
        self.stage.observe(self._pick, "current")
        self.stage.observe(self._on_look, "look")
        self.observe(self._set_look, ["preview", "both"])
        traitlets.link((self, "zoom"), (self.stage, "zoom"))
        self.show(self.stage)

    def _state(self) -> dict[str, Any]:
        review = self.review
        return {
            "editable": True,
            "current": review.current_face,
            "marked": list(review.marked),
            **self._session_state(),
        }

    def _session_state(self) -> dict[str, Any]:
        """Return what the page must know of the faces and of the history."""
        review = self.review
        with review.lock:
            decisions, done, names = review.decisions, review.history_position, review.history
        rows = zip(decisions.index.tolist(), decisions["redact"], decisions["label"], strict=True)
        kinds = self._kinds()
        faces = {
            str(face): {"redact": bool(redact), "label": str(label), "kind": kinds.get(face, FACE)}
            for face, redact, label in rows
        }
        undo, redo = names[done - 1] if done else "", names[done] if done < len(names) else ""
        return {"faces": faces, "history": [undo, redo]}

    def _kinds(self) -> dict[int, str]:
        """Return what the objects are that are no faces."""
        table, (before, known) = self.review.detections, self._known_kinds
        if before is None or not all(same_column(before, table, name) for name in ("face_id", "kind")):
            others = table.take(np.flatnonzero(table["kind"].to_numpy() != FACE))
            known = dict(zip(others["face_id"].tolist(), others["kind"].astype(str).tolist(), strict=True))
            self._known_kinds = (table, known)
        return known

    def rows(self, start: int, stop: int) -> BoxRows:
        """Return the boxes of some frames, as a stage takes them; rows without a place are left out."""
        if self.found is not None:
            return self.found.rows(start, stop)
        table = self.review.detections
        first, last = np.searchsorted(table["frame"].to_numpy(), [start, stop])
        part = table.iloc[first:last]
        part = part[part[BOX].notna().all(axis=1).to_numpy()]
        return BoxRows(
            part["frame"].to_numpy(np.int32),
            part["face_id"].to_numpy(np.int32),
            part[BOX].to_numpy(np.float32),
            part["keyframe"].to_numpy().astype(np.uint8),
        )

    def picture(self, look: str, frame: int, region: Region | None, *, width: int) -> bytes:
        """Return a frame as JPEG, as it is or as `redactkit.redact` would make it."""
        if look == "redacted":
            return jpeg(redacted(self.review, frame, self._region(region), width=width))
        return super().picture(look, frame, region, width=width)

    def seek(self, kind: str, direction: int = 1) -> None:
        """Go to the next frame of a kind, as `Review.seek`; say so where there is none."""
        frame = self.review.seek(kind, direction=direction)
        if frame is not None and kind == "queue":
            queue = self.review.to_review()
            here = queue[queue["frame"] == frame]
            self.say(
                "; ".join(f"face {face}: {why}" for face, why in zip(here["face_id"], here["reason"], strict=True))
            )
        elif frame is None:
            self.say("there is no such frame " + ("after this one" if direction > 0 else "before this one"))

    def save(self) -> None:
        """Write annotations and ID list, and say where."""
        self.say(f"saved {self.review.save()}")

    def _do(self, message: Mapping[str, Any]) -> None:
        review, name = self.review, message.get("name")
        if message.get("do") == "edit":
            self._take_box(int(message["frame"]), int(message["face"]), [float(side) for side in message["box"]])
        elif name == "mark":
            mark(review, int(message["face"]))
        elif name == "name":
            review.decide([self._face(message)], label=str(message.get("text", "")).strip())
        elif name == "only":
            self.apply_to_one_frame()
        elif name == "no-range":
            self._range = None
            self.say()
        elif name == "stop":
            if self._following is not None:
                self.runner.cancel(self._following)
        else:
            if message.get("face") is not None and name != "place":
                review.current_face = self._face(message)
            super()._do(message)

    def _face(self, message: Mapping[str, Any]) -> int:
        face = message.get("face")
        if face is None or int(face) not in self.review.decisions.index:
            raise OptionError("no face is chosen: click a box first, or a card")
        return int(face)

    def _take_box(self, frame: int, face: int, box: list[float]) -> None:
        """Apply a finished drag: of a new face, or of a face's box and its neighbours."""
        self._last_box = None
        self.go_to(frame)
        if face == 0:
            self.review.add_face(box, frame=frame)
            self.stage.current = self.review.current_face
            if self.review.reader is not None:
                self.follow_box()
            return
        applied = correct_box(self.review, face_id=face, frame=frame, box=box)
        if applied.first == applied.last:
            self.say(f"applied to frame {frame}")
            return
        self._last_box = (face, frame, box, self.review.history_position)
        self.say(f"applied to frames {applied.first} to {applied.last}", offers=[["only", "Only this frame"]])

    def apply_to_one_frame(self) -> None:
        """Take the last drag back and make it in its own frame alone."""
        last, self._last_box = self._last_box, None
        if last is None or last[3] != self.review.history_position:
            raise OptionError("there is no drag to take back: only the last edit can be limited to its frame")
        face, frame, box, _ = last
        self.review.undo()
        self.review.set_box(box, face_id=face, frame=frame)
        self.say(f"applied to frame {frame} only")

    def delete_range(self) -> None:
        """Begin a range of frames here; when called again, delete the current face's boxes from there to here.

        Both ends are deleted too, whichever is first. The range is forgotten when another face is chosen, or
        anything else is edited.

        Raises
        ------
        OptionError
            If no face is current.
        """
        review = self.review
        face, here = review.current_face, review.current_frame
        if face is None:
            raise OptionError("no face is chosen: click a box first, or a card")
        begun, self._range = self._range, None
        now = (face, review.history_position)
        if begun is None or begun[::2] != now:
            self._range = (face, here, review.history_position)
            offers = [["delete-range", "Delete to here"], ["no-range", "Cancel"]]
            self.say(f"from frame {here} on: go to the last frame without this face, and press X there", offers=offers)
            return
        first, last = sorted((begun[1], here))
        review.delete_boxes(faces=[face], start=first, stop=last + 1)
        self.say(f"boxes deleted in frames {first} to {last}", offers=[["undo", "Undo"]])

    def follow_box(self) -> BackgroundPass:
        """Follow the current face's box in this frame through its shot, in the background; return the job.

        It goes to the keyframes beside it; where it gets lost it ends, and the page says so.

        Raises
        ------
        OptionError
            If no face is current, or it has no box here.
        """
        review = self.review
        face, frame = review.current_face, review.current_frame
        if face is None or review.box_of(face, frame=frame) is None:
            raise OptionError("there is no box to follow: click one first, or draw one")

        def work(progress: ProgressLike) -> pd.DataFrame:
            return review.follow(face, frame, progress=progress)

        job = self.runner.submit(f"follow {face}", work, finished=self._followed)
        self._following = job
        self.say(f"following {face} ...", offers=[["stop", "Stop"]])
        return job

    def _followed(self, job: BackgroundPass) -> None:
        """Say how far it went, and where it was lost."""
        if self._closed:
            return
        if job.state != "done":
            self.say("" if job.state == "cancelled" else job.error)
            return
        outcome = job.result
        table = self.review.detections
        mine = table.loc[table["face_id"].isin(outcome["face_id"]).to_numpy(), "frame"]
        ended = (_TO_THE_END if ending == Ending.END else str(ending) for ending in outcome["ending"])
        ends = "; ".join(dict.fromkeys(ended))
        self.say(f"followed in frames {mine.min()} to {mine.max()}, {int(outcome['doubtful'].sum())} in doubt ({ends})")

    def _pick(self, change: Any) -> None:
        if change["new"] is None or change["new"] in self.review.decisions.index:
            self.review.current_face = change["new"]

    def _on_face(self, change: Any) -> None:
        self.stage.current, self._range = change["new"], None

    def _on_look(self, change: Any) -> None:
        self.preview, self.both = change["new"] == "redacted", change["new"] == "both"

    def _set_look(self, change: Any) -> None:
        if change["new"]:
            self.stage.look = "both" if change["name"] == "both" else "redacted"
        elif not (self.preview or self.both):
            self.stage.look = "original"

    def _on_tables(self, _: Any) -> None:
        if self.review.autosave is not None:
            self.stage.saved = time.time()  # an edit is on the disk before it is told of
        self.stage.show_boxes()
        self._state_worker.submit()

    def _show_state(self) -> None:
        self.stage.marked = list(self.review.marked)
        for name, value in self._session_state().items():
            setattr(self.stage, name, value)

    def close(self) -> None:
        """Stop following, then close as every view does."""
        if self._following is not None:
            self.runner.cancel(self._following)
        super().close()
