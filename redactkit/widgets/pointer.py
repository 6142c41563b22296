"""What the mouse and the keys on the picture do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from redactkit.review import Review
from redactkit.widgets.actions import ACTIONS, key_of, mark, nudge
from redactkit.widgets.geometry import Box, Drag, Region, face_at, handle_at
from redactkit.widgets.overlay import boxes_of
from redactkit.widgets.player import Player

__all__ = ["Pointer"]

_REACH = 9.0
_CLICK = 4.0
_KEYS = {key: action for action in ACTIONS for key in action.keys}
_ARROWS = {"arrowleft": (-1, 0), "arrowright": (1, 0), "arrowup": (0, -1), "arrowdown": (0, 1)}


class Canvas(Protocol):
    """What the pointer needs of the view whose picture it is on; `redactkit.widgets.FrameViewer` is one."""

    review: Review
    player: Player
    region: Region
    across: float

    def say(self, text: str = "") -> None:
        """Show a message, or clear it."""

    def draw_boxes(self, *, face_id: int | None = None, draft: Box | None = None) -> None:
        """Draw the boxes of the frame shown, one of them where a drag has it."""

    def refresh(self) -> None:
        """Show the current frame and its boxes again, soon."""


class Pointer:
    """Turns the browser's events on a viewer's picture into edits of its review.

    A drag is followed by a flag of its own: a throttled move can come after the button is up, and a button
    let go outside the picture is never seen.
    """

    EVENTS = ("mousedown", "mouseup", "mouseleave")

    def __init__(self, viewer: Canvas) -> None:
        self._viewer = viewer
        self._drag: Drag | None = None
        self._last: Mapping[str, Any] | None = None

    @property
    def dragging(self) -> bool:
        """Whether a drag is under way."""
        return self._drag is not None

    def handle(self, event: Mapping[str, Any]) -> None:
        """Take one event, as ipyevents gives it."""
        kind = event.get("type") or event.get("event")
        if kind == "keydown":
            self._press(event)
            return
        self._viewer.across = float(event["boundingRectWidth"] or self._viewer.across)
        if kind == "mousedown" and event.get("button", 0) == 0:
            self._begin(event)
        elif self._drag is not None:
            if kind == "mousemove" and event.get("buttons", 1) != 0:
                self._move(event)
            elif kind in ("mouseup", "mousemove"):
                self._end(event if kind == "mouseup" else self._last or event)
            elif kind == "mouseleave":
                self._end(self._last or event)

    def _begin(self, event: Mapping[str, Any]) -> None:
        viewer, review = self._viewer, self._viewer.review
        viewer.player.stop(wait=0.5)
        viewer.say()
        point = viewer.region.point(event)
        drawn = boxes_of(review.boxes_at(), review.decisions, current=review.current_face)
        boxes = {one.face_id: one.box for one in drawn}
        self._last = event
        handle = self._handle_of(boxes, point)
        face = review.current_face if handle else face_at(boxes.items(), point)
        if event.get("shiftKey") and face is not None:
            mark(review, face)
            return
        if face is None:
            self._drag = Drag(point, (*point, 0.0, 0.0))
            return
        self._drag = Drag(point, boxes[face], face_id=face, handle=handle)
        review.current_face = face

    def _handle_of(self, boxes: Mapping[int, Box], point: tuple[float, float]) -> tuple[int, int] | None:
        current = self._viewer.review.current_face
        if current is None or current not in boxes:
            return None
        side = min(boxes[current][2:])
        reach = min(_REACH * self._scale, max(side / 4, 2 * self._scale))
        return handle_at(boxes[current], point, reach=reach)

    @property
    def _scale(self) -> float:
        """Pixels of the frame in one of the page."""
        return self._viewer.region.width / max(self._viewer.across, 1)

    def _move(self, event: Mapping[str, Any]) -> None:
        assert self._drag is not None
        self._last = event
        box = self._drag.to(self._viewer.region.point(event))
        self._viewer.draw_boxes(face_id=self._drag.face_id, draft=box)

    def _end(self, event: Mapping[str, Any]) -> None:
        drag, self._drag = self._drag, None
        assert drag is not None
        review, point = self._viewer.review, self._viewer.region.point(event)
        box = drag.to(point)
        if drag.moved(point) < _CLICK * self._scale:
            self._viewer.refresh()
        elif drag.face_id is not None:
            review.set_box(box, face_id=drag.face_id)
        elif min(box[2:]) >= _CLICK * self._scale:
            review.add_face(box)
        else:
            self._viewer.refresh()

    def _press(self, event: Mapping[str, Any]) -> None:
        viewer, key = self._viewer, key_of(event)
        bare = key.removeprefix("shift+")
        viewer.say()
        if key != bare and bare in _ARROWS:
            nudge(viewer.review, *(10 * way for way in _ARROWS[bare]))
        elif key.isdecimal():
            self._pick(int(key))
        elif key in _KEYS:
            _KEYS[key].act(viewer)

    def _pick(self, number: int) -> None:
        """Make the frame's first, second, ... face the current one."""
        faces = self._viewer.review.boxes_at()["face_id"].tolist()
        if 1 <= number <= len(faces):
            self._viewer.review.current_face = faces[number - 1]
