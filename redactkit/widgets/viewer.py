"""The frame viewer: a frame with its boxes, to look at, play and edit."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np
import traitlets

from redactkit.errors import RedactkitError
from redactkit.review import Review
from redactkit.widgets.actions import ACTIONS
from redactkit.widgets.framed import FramedView
from redactkit.widgets.geometry import Box, Region, region_around
from redactkit.widgets.markup import escape
from redactkit.widgets.overlay import Drawn, boxes_of, draw
from redactkit.widgets.pictures import jpeg, original, redacted
from redactkit.widgets.pointer import Pointer
from redactkit.widgets.stage import Stage
from redactkit.widgets.view import mouse_off, row

__all__ = ["FrameViewer"]

_HINT = (
    "Keys work while the pointer is on the picture (all of them, also Tab and Ctrl+S), and each has a button, whose "
    "tooltip names it. Shift with an arrow moves the box by 10 pixels; 1 to 9 pick a face of the frame."
)


class FrameViewer(FramedView):
    """The current frame of a review with its boxes.

    A drag moves a box, a handle resizes it, a drag on empty ground draws a new face; Shift+click marks
    faces for a merge. Each button's tooltip names its key.

    Parameters
    ----------
    review : Review
    height : int
        Most pixels that the picture is high on the page.
    width : int
        Most pixels across of the pictures sent to the page.

    Attributes
    ----------
    zoom, preview, both : bool
        Zoomed to the current face; redacted as it will be; original and redacted side by side.
    speed : float
        Of playing, 0.25 to 4.
    shown_frame : int
        The frame whose picture the page was sent last.
    region : Region
        The part of the frame shown.
    """

    zoom = traitlets.Bool(False)
    preview = traitlets.Bool(False)
    both = traitlets.Bool(False)
    actions = ACTIONS

    def __init__(self, review: Review, *, height: int = 320, width: int = 960) -> None:
        self.pointer = Pointer(self)
        super().__init__(review, css="rk-viewer", height=height, width=width)

    def _build(self) -> None:
        super()._build()
        self.second = Stage(css="rk-second")
        self.second.layout.display = "none"
        self.pictures = ipywidgets.HBox([self.stage, self.second], layout={"justify_content": "center"})
        self._fit(self.stage, self.second)
        self.preview_box = ipywidgets.Checkbox(description="Blur", indent=False, layout={"width": "auto"})
        self.preview_box.add_class("rk-preview")
        top = row(
            self.frame_box, self.count, self.time_box, self.speed_box, self.preview_box, *self._group("look", "edit")
        )
        off = mouse_off()
        hint = ipywidgets.HTML(
            escape(f"Mouse and keys on the picture are off: {off}. The buttons do it all." if off else _HINT)
        )
        hint.add_class("rk-hint")
        self.show(
            top, self.pictures, self.slider, row(*self._group("move", "seek")), row(*self._group("face", "nudge")), hint
        )

    def _connect(self) -> None:
        super()._connect()
        self.watch(self._on_tables, "revision", "current_face", "marked")
        self.watch(self._on_look, "blur", "margin")
        self.observe(self._on_look, ["zoom", "preview", "both"])
        traitlets.link((self, "preview"), (self.preview_box, "value"))
        self.listen(self.stage.picture, self.pointer.handle, events=[*Pointer.EVENTS, "keydown"])
        self.listen(self.stage.picture, self.pointer.handle, events=["mousemove"], wait=16)

    def _wanted_region(self) -> Region:
        video, box = self.review.video, self.review.box_of() if self.zoom else None
        if box is None or not np.isfinite(box).all():
            return Region(0, 0, video.width, video.height)
        return region_around((box[0], box[1], box[2], box[3]), width=video.width, height=video.height)

    def seek(self, kind: str, direction: int = 1) -> None:
        """Stop playing and go to the next frame of a kind, as `Review.seek`; say so where there is none."""
        self.player.stop()
        frame = self.review.seek(kind, direction=direction)
        if frame is not None and kind == "queue":
            queue = self.review.to_review()
            here = queue[queue["frame"] == frame]
            self.say(
                "; ".join(f"face {face}: {why}" for face, why in zip(here["face_id"], here["reason"], strict=True))
            )
        elif frame is None:
            self.say("there is no such frame " + ("after this one" if direction > 0 else "before this one"))

    def toggle(self, name: str) -> None:
        """Switch ``zoom``, ``preview`` or ``both`` on or off."""
        setattr(self, name, not getattr(self, name))

    def save(self) -> None:
        """Write annotations and ID list, and say where."""
        self.say(f"saved {self.review.save()}")

    def draw_boxes(self, *, face_id: int | None = None, draft: Box | None = None) -> None:
        """Draw the boxes of the frame shown, one of them (or a new one) where a drag has it."""
        review, at = self.review, max(self.shown_frame, 0)
        with review.lock:
            rows, decisions = review.boxes_at(at), review.decisions
        boxes = boxes_of(rows, decisions, current=review.current_face, marked=review.marked)
        if draft is not None:
            boxes = [one._replace(box=draft) if one.face_id == face_id else one for one in boxes]
            if face_id is None:
                boxes.append(Drawn(0, draft, label="new face", current=True))
        self.stage.overlay.value = draw(boxes, self.region, across=self.across, plain=self.preview and draft is None)

    def render(self) -> None:
        """Show the current frame now, in the caller's thread."""
        with self._drawing:
            if not self.pointer.dragging:
                self.region = self._wanted_region()
            frame, region = self.review.current_frame, self.region
            try:
                hidden = (
                    jpeg(redacted(self.review, frame, region, width=self._width)) if self.preview or self.both else b""
                )
                bare = jpeg(original(self.review, frame, region, width=self._width)) if self.both or not hidden else b""
            except RedactkitError as err:
                hidden, bare = b"", self._no_picture(err)
            self.shown_frame = frame
            self.stage.picture.value = bare or hidden
            if self.both:
                self.second.picture.value = hidden
            self.draw_boxes()

    def _on_tables(self, _: Any) -> None:
        self._control_worker.submit()
        if self.preview or self.both or self.zoom:
            self._render_worker.submit()
        else:
            self.draw_boxes()

    def _on_look(self, _: Any) -> None:
        self._fit(self.stage, self.second, percent=50 if self.both else 100)
        self.second.layout.display = "" if self.both else "none"
        for name in ("zoom", "preview", "both"):
            change = self.buttons[name].add_class if getattr(self, name) else self.buttons[name].remove_class
            change("rk-on")
        self._render_worker.submit()

    def _show_controls(self) -> None:
        super()._show_controls()
        review = self.review
        self.buttons["undo"].disabled = not review.history_position
        self.buttons["redo"].disabled = review.history_position == len(review.history)
        self.buttons["merge"].disabled = len(review.marked) < 2
