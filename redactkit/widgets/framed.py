"""A frame on the page with boxes over it: what the viewers of a review and of a comparison share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import traitlets

from redactkit.review import Review
from redactkit.widgets.actions import MOVES, Action, as_plain
from redactkit.widgets.geometry import Region
from redactkit.widgets.markup import parse_timecode
from redactkit.widgets.pictures import jpeg, original
from redactkit.widgets.playback import addresses_of
from redactkit.widgets.stage import BoxRows, Stage
from redactkit.widgets.view import View

__all__ = ["FramedView"]


class FramedView(View):
    """A view of the current frame of a review; which boxes it has, `rows` of the class made from it says.

    Parameters
    ----------
    review : Review
        Its current frame is the one shown.
    css : str
        Class by which the page's tests find it.
    height : int
        Most pixels that the picture is high on the page; 0 for all there is.
    width : int
        Most pixels across of the pictures sent to the page.

    Attributes
    ----------
    speed : float
        Of playing, 0.25 to 4.
    stage : Stage
        The front end.
    """

    speed = traitlets.Float(1.0, min=0.25, max=4.0)
    actions: ClassVar[tuple[Action, ...]] = MOVES

    def __init__(self, review: Review, *, css: str, height: int, width: int) -> None:
        super().__init__(review, css=css)
        path = review.video.path
        self.stage = Stage(
            self,
            review.video,
            sources=addresses_of(path) if path is not None else (),
            most=width,
            height=height,
            actions=as_plain(self.actions),
            frame=review.current_frame,
            **self._state(),
        )
        self.stage.failed = self._no_picture
        self.stage.observe(lambda change: self.go_to(change["new"]), "frame")
        traitlets.link((self, "speed"), (self.stage, "speed"))
        self.watch(self._on_frame, "current_frame")

    def _state(self) -> dict[str, Any]:
        """Return what the stage begins with, besides what every such view has."""
        return {}

    @property
    def shown_frame(self) -> int:
        """The frame that the page shows, as it told last; -1 without a page."""
        return int(self.stage.shown)

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until everything asked for is sent; return whether that came in time."""
        return super().wait(timeout) and self.stage.wait(timeout)

    def go_to(self, frame: int) -> None:
        """Show a frame."""
        self.review.current_frame = int(frame)

    def step(self, frames: int) -> None:
        """Stop playing and go some frames on, or back."""
        self.pause()
        self.review.step(frames)

    def play(self) -> None:
        """Let the page play from the current frame at the video's rate times ``speed``."""
        self.stage.play()

    def pause(self) -> None:
        """Stop playing."""
        self.stage.play(False)

    def rows(self, start: int, stop: int) -> BoxRows:
        """Return the boxes of some frames, as a stage takes them."""
        raise NotImplementedError

    def picture(self, look: str, frame: int, region: Region | None, *, width: int) -> bytes:
        """Return a frame as JPEG, grey where there is no video."""
        return jpeg(original(self.review, frame, self._region(region), width=width))

    def _region(self, region: Region | None) -> Region:
        video = self.review.video
        return region or Region(0, 0, max(video.width, 1), max(video.height, 1))

    def do(self, message: Mapping[str, Any]) -> None:
        """Take what a person did on the page."""
        self.say()
        self.guard(self._do)(message)

    def _do(self, message: Mapping[str, Any]) -> None:
        name = message.get("name")
        if name == "place":
            self._go_to_place(str(message.get("text", "")))
            return
        self.go_to(int(message.get("frame", self.review.current_frame)))
        for action in self.actions:
            if action.name == name and action.act is not None:
                action.act(self)

    def _go_to_place(self, text: str) -> None:
        """Go to a frame's number, or to the frame seen at a time."""
        if text.strip().isdecimal():
            self.go_to(int(text))
            return
        seconds = parse_timecode(text) + 1e-4
        self.go_to(max(0, int(np.searchsorted(self.review.times, seconds, side="right")) - 1))

    def say(self, text: str = "", **more: Any) -> None:
        """Show a line of plain text over the picture, or take it away."""
        if not hasattr(self, "stage"):
            super().say(text)
        else:
            self.stage.note = {"text": text, **more} if text else {}

    def _no_picture(self, reason: str) -> None:
        self.say(reason)

    def _on_frame(self, _: Any) -> None:
        self.stage.frame = self.review.current_frame

    def close(self) -> None:
        """Stop playing, then close as every view does."""
        if not self._closed:
            self.stage.close()
        super().close()
