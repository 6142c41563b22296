"""The box editor: the current box as numbers, edits over ranges, and the history."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from redactkit.errors import OptionError
from redactkit.review import Review
from redactkit.widgets.markup import escape, face_name
from redactkit.widgets.view import View, button, row

__all__ = ["BoxEditor"]

SCOPES = ["this frame", "frames", "whole track"]
_SIDES = ("x", "y", "width", "height")


class BoxEditor(View):
    """The current face's box in the current frame, as numbers to change.

    A changed number is applied at once to this frame; with another scope chosen, the same change is made to
    the face's boxes in the frames given, or in all. Every edit can be undone.

    Parameters
    ----------
    review : Review

    Examples
    --------
    >>> BoxEditor(review)  # doctest: +SKIP
    """

    def __init__(self, review: Review) -> None:
        super().__init__(review, css="rk-editor")
        self._following = threading.local()
        self._refresh_worker = self.worker(self.refresh, interval=0.1)
        self._build()
        self.watch(lambda _: self._refresh_worker.submit(), "revision", "current_frame", "current_face")
        self.refresh()

    def _build(self) -> None:
        self.title = ipywidgets.HTML()
        self.unit = ipywidgets.Dropdown(options=["pixels", "% of frame"], layout={"width": "110px"})
        self.unit.observe(lambda _: self.refresh(), "value")
        self.numbers = {name: self._number(name) for name in _SIDES}
        self.scope = ipywidgets.ToggleButtons(options=SCOPES, style={"button_width": "100px"})
        self.scope.add_class("rk-scope")
        last = self.review.frame_count - 1
        self.start = ipywidgets.BoundedIntText(0, 0, last, description="from", layout={"width": "120px"})
        self.end = ipywidgets.BoundedIntText(last, 0, last, description="to", layout={"width": "110px"})
        for name, box in (("start", self.start), ("end", self.end)):
            box.style.description_width = "34px"
            box.add_class(f"rk-{name}")
        self.all_faces = ipywidgets.Checkbox(description="all faces", indent=False, layout={"width": "90px"})
        self.history = ipywidgets.Select(rows=6, layout={"width": "100%"})
        self.history.add_class("rk-history")
        self.history.observe(self._typed(self._travel), "value")
        self.show(
            row(self.title, self.unit),
            row(*self.numbers.values()),
            row(self._label("apply to"), self.scope),
            row(self.start, self.end, self._here("start", self.start), self._here("end", self.end)),
            self._growing(),
            self._copying(),
            row(*self._doing()),
            self._label("history (the edit last made is marked; pick one to go back or on to it)"),
            self.history,
        )

    def _number(self, name: str) -> Any:
        box = ipywidgets.FloatText(description=name, step=1, layout={"width": "122px"})
        box.style.description_width = "42px"
        box.add_class(f"rk-{name}")
        box.observe(self._typed(lambda value: self.apply(name, value)), "value")
        return box

    def _label(self, text: str) -> Any:
        made = ipywidgets.HTML(escape(text))
        made.add_class("rk-hint")
        return made

    def _here(self, name: str, box: Any) -> Any:
        made = button("map-marker", f"{name}: the current frame")
        made.on_click(lambda _: setattr(box, "value", self.review.current_frame))
        return made

    def _act(self, text: str, tip: str, act: Callable[[], Any], *, css: str) -> Any:
        made = button("", tip, text=text, css=css)
        made.on_click(self.press(act))
        return made

    def _growing(self) -> Any:
        self.amount = ipywidgets.FloatText(10, layout={"width": "70px"})
        self.amount.add_class("rk-amount")
        self.amount_unit = ipywidgets.Dropdown(options=["%", "pixels"], layout={"width": "76px"})
        return row(
            self._label("grow by"),
            self.amount,
            self.amount_unit,
            self._act("Grow", "grow the boxes in the scope on each side; negative shrinks", self.grow, css="rk-grow"),
            self.all_faces,
        )

    def _copying(self) -> Any:
        self.count = ipywidgets.BoundedIntText(10, 1, 100_000, layout={"width": "70px"})
        self.count.add_class("rk-count")
        return row(
            self._label("copy this box to the next"),
            self.count,
            self._label("frames"),
            self._act("Copy", "copy this box to the next frames", self._copy, css="rk-copy"),
        )

    def _doing(self) -> list[Any]:
        return [
            self._act(
                "Interpolate", "draw boxes anew between keyframes in the scope", self.interpolate, css="rk-interpolate"
            ),
            self._act("Delete", "delete the boxes in the scope", self.delete, css="rk-delete"),
            self._act("Split", "from this frame on, a face of its own", self.review.split_face, css="rk-split"),
            self._act("New face", "a new face, its box in the middle of the frame", self._add, css="rk-new"),
            self._act("Undo", "take back the last edit", self.review.undo, css="rk-undo"),
            self._act("Redo", "make it again", self.review.redo, css="rk-redo"),
        ]

    def _typed(self, act: Callable[[Any], Any]) -> Callable[[Mapping[str, Any]], None]:
        """Act on a value that a person set, not one that followed the review."""
        guarded = self.guard(act)

        def handler(change: Mapping[str, Any]) -> None:
            if not getattr(self._following, "on", False):
                self.say()
                guarded(change["new"])

        return handler

    @property
    def frames(self) -> tuple[int | None, int | None]:
        """The frames of the scope, from the first up to, not including, the second; None has no end."""
        if self.scope.value == "whole track":
            return None, None
        if self.scope.value == "this frame":
            return self.review.current_frame, self.review.current_frame + 1
        if self.end.value < self.start.value:
            raise OptionError(f"the range ends at frame {self.end.value}, before it starts at {self.start.value}")
        return self.start.value, self.end.value + 1

    def _factors(self) -> list[float]:
        video = self.review.video
        return [1.0] * 4 if self.unit.value == "pixels" else [video.width / 100, video.height / 100] * 2

    def apply(self, name: str, value: float) -> None:
        """Give one side of the box in this frame a new value, in the unit chosen.

        With a wider scope the other boxes of the scope are changed by as much.
        """
        before = self.review.box_of()
        place, factors = _SIDES.index(name), self._factors()
        now = before or [self.numbers[side].value * factor for side, factor in zip(_SIDES, factors, strict=True)]
        change = [0.0] * 4
        change[place] = value * factors[place] - now[place]
        if before is None or self.scope.value == "this frame":
            self.review.set_box([old + more for old, more in zip(now, change, strict=True)])
        else:
            start, stop = self.frames
            self.review.shift_boxes(change, start=start, stop=stop)

    def grow(self) -> None:
        """Grow the boxes of the scope."""
        start, stop = self.frames
        share = self.amount.value / 100 if self.amount_unit.value == "%" else 0.0
        pixels = self.amount.value if self.amount_unit.value == "pixels" else 0.0
        self.review.expand_boxes(share=share, pixels=pixels, faces=self._faces(), start=start, stop=stop)

    def interpolate(self) -> None:
        """Interpolate between the keyframes of the scope; of the whole track where that is one frame."""
        start, stop = (None, None) if self.scope.value == "this frame" else self.frames
        self.review.interpolate_boxes(start=start, stop=stop)

    def delete(self) -> None:
        """Delete the boxes of the scope."""
        start, stop = self.frames
        self.review.delete_boxes(faces=self._faces(), start=start, stop=stop)

    def _faces(self) -> list[int] | None:
        if self.all_faces.value:
            return None
        if self.review.current_face is None:
            raise OptionError("no face is current: click a box or a thumbnail first, or tick all faces")
        return [self.review.current_face]

    def _copy(self) -> None:
        self.review.copy_box(self.count.value)

    def _add(self) -> None:
        video = self.review.video
        side = min(video.width, video.height) / 4
        self.review.add_face([(video.width - side) / 2, (video.height - side) / 2, side, side])

    def _travel(self, position: int | None) -> None:
        if position is None:
            return
        while self.review.history_position > position:
            self.review.undo()
        while self.review.history_position < position:
            self.review.redo()

    def refresh(self) -> None:
        """Show the current box and the history."""
        review = self.review
        box, face = review.box_of(), review.current_face
        self._following.on = True
        try:
            for name, factor, value in zip(_SIDES, self._factors(), box or [0.0] * 4, strict=True):
                self.numbers[name].disabled = face is None
                self.numbers[name].value = round(value / factor, 2)
            self.start.max = self.end.max = review.frame_count - 1
            self._show_history()
        finally:
            self._following.on = False
        self.title.value = self._title(face, box)

    def _title(self, face: int | None, box: list[float] | None) -> str:
        if face is None:
            return '<span class="rk-faint">no face is current</span>'
        name = escape(face_name(face, self.review.decisions["label"].get(face, "")))
        return f"<b>{name}</b>{'' if box else ' <span class=rk-faint>has no box in this frame</span>'}"

    def _show_history(self) -> None:
        names = ["as opened", *self.review.history]
        options = [(f"{number}. {name}", number) for number, name in enumerate(names)]
        if list(self.history.options) != options:
            self.history.options = options
        self.history.value = self.review.history_position
