"""The frame viewer: a frame with its boxes, to look at, play and edit."""

from __future__ import annotations

import threading
from typing import Any

import ipywidgets
import numpy as np
import traitlets

from redactkit.errors import RedactkitError
from redactkit.review import Review
from redactkit.widgets.actions import ACTIONS, Action
from redactkit.widgets.geometry import Box, Region, region_around
from redactkit.widgets.markup import escape, parse_timecode, timecode
from redactkit.widgets.overlay import Drawn, boxes_of, draw
from redactkit.widgets.pictures import jpeg, original, redacted
from redactkit.widgets.player import Player
from redactkit.widgets.pointer import Pointer
from redactkit.widgets.stage import Stage
from redactkit.widgets.view import View, button, mouse_off, row

__all__ = ["FrameViewer"]

_SPEEDS = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0]
_HINT = (
    "Keys work while the pointer is on the picture (all of them, also Tab and Ctrl+S). Each has a button, but for the "
    "arrows, which move the box as the numbers of the box editor do."
)


class FrameViewer(View):
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
    speed = traitlets.Float(1.0, min=0.25, max=4.0)
    shown_frame = traitlets.Int(-1)

    def __init__(self, review: Review, *, height: int = 320, width: int = 960) -> None:
        super().__init__(review, css="rk-viewer")
        self._height, self._width = height, width
        self.across = min(width, height * review.video.width / max(review.video.height, 1))
        self.region: Region = Region(0, 0, review.video.width, review.video.height)
        self._following = threading.local()
        self._drawing = threading.RLock()
        self.player = Player(
            times=lambda: review.times,
            position=lambda: review.current_frame,
            show=self._show_played,
            ended=self._playing_ended,
        )
        self.pointer = Pointer(self)
        self._build()
        self._render_worker = self.worker(self.render)
        self._control_worker = self.worker(self._show_controls, interval=0.12)
        self._connect()
        self._show_controls()
        self._render_worker.submit()

    def _build(self) -> None:
        review = self.review
        self.stage, self.second = Stage(css="rk-main"), Stage(css="rk-second")
        self.second.layout.display = "none"
        self.pictures = ipywidgets.HBox([self.stage, self.second], layout={"justify_content": "center"})
        self._fit()
        last = review.frame_count - 1
        self.slider = ipywidgets.IntSlider(0, 0, last, readout=False, layout={"width": "auto", "margin": "0"})
        self.slider.add_class("rk-slider")
        self.frame_box = ipywidgets.BoundedIntText(0, 0, last, layout={"width": "76px"})
        self.frame_box.add_class("rk-frame")
        self.time_box = ipywidgets.Text(continuous_update=False, layout={"width": "106px"})
        self.time_box.add_class("rk-time")
        self.count = ipywidgets.HTML()
        self.speed_box = ipywidgets.Dropdown(
            options=[(f"{speed:g}x", speed) for speed in _SPEEDS], value=1.0, layout={"width": "66px"}
        )
        self.speed_box.add_class("rk-speed")
        self.preview_box = ipywidgets.Checkbox(description="Blur", indent=False, layout={"width": "auto"})
        self.preview_box.add_class("rk-preview")
        self.buttons = {action.name: self._button(action) for action in ACTIONS}
        top = row(
            self.frame_box, self.count, self.time_box, self.speed_box, self.preview_box, *self._group("look", "edit")
        )
        off = mouse_off()
        hint = ipywidgets.HTML(
            escape(f"Mouse and keys on the picture are off: {off}. The buttons do it all." if off else _HINT)
        )
        hint.add_class("rk-hint")
        self.show(top, self.pictures, self.slider, row(*self._group("move", "seek")), row(*self._group("face")), hint)

    def _button(self, action: Action) -> Any:
        keys = " or ".join("Space" if key == " " else key.title() for key in action.keys)
        made = button(action.icon, f"{action.tip} ({keys})", css=f"rk-do-{action.name}")
        made.on_click(self.press(lambda: action.act(self)))
        return made

    def _group(self, *groups: str) -> list[Any]:
        shown: list[Any] = []
        for group in groups:
            gap = ipywidgets.Box()
            gap.add_class("rk-gap")
            shown += [*([gap] if shown else []), *(self.buttons[a.name] for a in ACTIONS if a.group == group)]
        return shown

    def _connect(self) -> None:
        self.watch(self._on_frame, "current_frame")
        self.watch(self._on_tables, "revision", "current_face", "marked")
        self.watch(self._on_look, "blur", "margin")
        self.observe(self._on_look, ["zoom", "preview", "both"])
        self.observe(self._on_speed, "speed")
        self.slider.observe(lambda change: self._typed(self.go_to, change["new"]), "value")
        self.frame_box.observe(lambda change: self._typed(self.go_to, change["new"]), "value")
        self.time_box.observe(lambda change: self._typed(self._go_to_time, change["new"]), "value")
        traitlets.link((self, "speed"), (self.speed_box, "value"))
        traitlets.link((self, "preview"), (self.preview_box, "value"))
        self.listen(self.stage.picture, self.pointer.handle, events=[*Pointer.EVENTS, "keydown"])
        self.listen(self.stage.picture, self.pointer.handle, events=["mousemove"], wait=16)

    def _typed(self, act: Any, value: Any) -> None:
        """Act on a value that a person set, not one that followed the review."""
        if not getattr(self._following, "on", False):
            self.guard(act)(value)

    def _fit(self) -> None:
        video = self.review.video
        shape = max(video.width, 1) / max(video.height, 1)
        for stage in (self.stage, self.second):
            stage.layout.width = f"min({50 if self.both else 100}%, {round(self._height * shape)}px)"

    def _wanted_region(self) -> Region:
        video, box = self.review.video, self.review.box_of() if self.zoom else None
        if box is None or not np.isfinite(box).all():
            return Region(0, 0, video.width, video.height)
        return region_around((box[0], box[1], box[2], box[3]), width=video.width, height=video.height)

    def go_to(self, frame: int) -> None:
        """Show a frame."""
        self.review.current_frame = int(frame)

    def _go_to_time(self, text: str) -> None:
        seconds = parse_timecode(text) + 1e-4
        self.go_to(max(0, int(np.searchsorted(self.review.times, seconds, side="right")) - 1))

    def step(self, frames: int) -> None:
        """Stop playing and go some frames on, or back."""
        self.player.stop()
        self.review.step(frames)

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

    def toggle_play(self) -> None:
        """Play, or pause."""
        if self.player.playing:
            self.player.stop()
        else:
            self.play()

    def play(self) -> None:
        """Play from the current frame at the video's rate times ``speed``."""
        self.buttons["play"].icon = "pause"
        self.player.start()

    def pause(self) -> None:
        """Stop playing."""
        self.player.stop(wait=1.0)

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
                hidden, bare = b"", jpeg(np.full((36, 64, 3), 96, np.uint8))
                self.say(str(err))
            self.shown_frame = frame
            self.stage.picture.value = bare or hidden
            if self.both:
                self.second.picture.value = hidden
            self.draw_boxes()

    def _show_played(self, frame: int) -> None:
        self.review.current_frame = frame
        self.render()

    def _playing_ended(self) -> None:
        self.buttons["play"].icon = "play"
        self._control_worker.submit()

    def _on_frame(self, _: Any) -> None:
        self._control_worker.submit()
        if not self.player.is_here:
            self._render_worker.submit()

    def refresh(self) -> None:
        """Show the current frame and its boxes again, soon."""
        self._render_worker.submit()

    def _on_tables(self, _: Any) -> None:
        self._control_worker.submit()
        if self.preview or self.both or self.zoom:
            self._render_worker.submit()
        else:
            self.draw_boxes()

    def _on_look(self, _: Any) -> None:
        self._fit()
        self.second.layout.display = "" if self.both else "none"
        for name in ("zoom", "preview", "both"):
            change = self.buttons[name].add_class if getattr(self, name) else self.buttons[name].remove_class
            change("rk-on")
        self._render_worker.submit()

    def _on_speed(self, _: Any) -> None:
        self.player.speed = self.speed

    def _show_controls(self) -> None:
        """Let slider, numbers and buttons follow the review."""
        review, frame = self.review, self.review.current_frame
        self._following.on = True
        try:
            last = review.frame_count - 1
            self.slider.max = self.frame_box.max = last
            self.slider.value = self.frame_box.value = frame
            self.time_box.value = timecode(float(review.times[frame]))
            self.count.value = f'<span class="rk-faint">of {last}</span>'
        finally:
            self._following.on = False
        self.buttons["undo"].disabled = not review.history_position
        self.buttons["redo"].disabled = review.history_position == len(review.history)
        self.buttons["merge"].disabled = len(review.marked) < 2

    def close(self) -> None:
        """Stop playing, then close as every view does."""
        if not self._closed:
            self.player.stop(wait=2.0)
        super().close()
