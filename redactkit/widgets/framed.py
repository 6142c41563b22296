"""A frame on the page with boxes over it, and what moves it: slider, number, time, playing."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, ClassVar

import ipywidgets
import numpy as np
import traitlets

from redactkit.errors import RedactkitError
from redactkit.review import Review
from redactkit.widgets.actions import Action, key_name
from redactkit.widgets.geometry import Region
from redactkit.widgets.markup import parse_timecode, timecode
from redactkit.widgets.pictures import jpeg, original
from redactkit.widgets.player import Player
from redactkit.widgets.stage import Stage
from redactkit.widgets.view import View, button

__all__ = ["FramedView"]

_SPEEDS = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0]


class FramedView(View):
    """A view of the current frame of a review; what is drawn over it, `draw_boxes` of the class made from it says.

    Parameters
    ----------
    review : Review
        Its current frame is the one shown.
    css : str
        Class by which the page's tests find it.
    height : int
        Most pixels that the picture is high on the page.
    width : int
        Most pixels across of the pictures sent to the page.

    Attributes
    ----------
    speed : float
        Of playing, 0.25 to 4.
    shown_frame : int
        The frame whose picture the page was sent last.
    region : Region
        The part of the frame shown.
    """

    speed = traitlets.Float(1.0, min=0.25, max=4.0)
    shown_frame = traitlets.Int(-1)
    actions: ClassVar[Sequence[Action]] = ()

    def __init__(self, review: Review, *, css: str, height: int, width: int) -> None:
        super().__init__(review, css=css)
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
        self._build()
        self._render_worker = self.worker(self.render)
        self._control_worker = self.worker(self._show_controls, interval=0.12)
        self._connect()
        self._show_controls()
        self._render_worker.submit()

    def _build(self) -> None:
        """Make the parts that every such view has; a class made from it puts them in place."""
        self.stage = Stage(css="rk-main")
        self._fit(self.stage)
        last = self.review.frame_count - 1
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
        self.buttons = {action.name: self._button(action) for action in self.actions}

    def _button(self, action: Action) -> Any:
        keys = " or ".join(map(key_name, action.keys))
        made = button(action.icon, f"{action.tip} ({keys})", css=f"rk-do-{action.name}")
        made.on_click(self.press(lambda: action.act(self)))
        return made

    def _group(self, *groups: str) -> list[Any]:
        shown: list[Any] = []
        for group in groups:
            gap = ipywidgets.Box()
            gap.add_class("rk-gap")
            shown += [*([gap] if shown else []), *(self.buttons[a.name] for a in self.actions if a.group == group)]
        return shown

    def _connect(self) -> None:
        self.watch(self._on_frame, "current_frame")
        self.observe(self._on_speed, "speed")
        self.slider.observe(lambda change: self._typed(self.go_to, change["new"]), "value")
        self.frame_box.observe(lambda change: self._typed(self.go_to, change["new"]), "value")
        self.time_box.observe(lambda change: self._typed(self._go_to_time, change["new"]), "value")
        traitlets.link((self, "speed"), (self.speed_box, "value"))

    def _typed(self, act: Any, value: Any) -> None:
        """Act on a value that a person set, not one that followed the review."""
        if not getattr(self._following, "on", False):
            self.guard(act)(value)

    def _fit(self, *stages: Stage, percent: int = 100) -> None:
        video = self.review.video
        shape = max(video.width, 1) / max(video.height, 1)
        for stage in stages:
            stage.layout.width = f"min({percent}%, {round(self._height * shape)}px)"

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

    def draw_boxes(self) -> None:
        """Draw the boxes of the frame shown."""
        raise NotImplementedError

    def render(self) -> None:
        """Show the current frame now, in the caller's thread."""
        with self._drawing:
            frame = self.review.current_frame
            picture = self._picture(frame)
            self.shown_frame = frame
            self.stage.picture.value = picture
            self.draw_boxes()

    def _picture(self, frame: int) -> bytes:
        try:
            return jpeg(original(self.review, frame, self.region, width=self._width))
        except RedactkitError as err:
            return self._no_picture(err)

    def _no_picture(self, err: RedactkitError) -> bytes:
        self.say(str(err))
        return jpeg(np.full((36, 64, 3), 96, np.uint8))

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

    def close(self) -> None:
        """Stop playing, then close as every view does."""
        if not self._closed:
            self.player.stop(wait=2.0)
        super().close()
