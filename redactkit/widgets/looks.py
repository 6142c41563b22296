"""How faces are hidden: for everybody, or for one object; each kind is shown on a face of this video."""

from __future__ import annotations

from functools import partial
from typing import Any

import ipywidgets

from redactkit.effects import BLUR_KINDS, HIDING_KINDS
from redactkit.effects.look import SHAPES, parse_look
from redactkit.review import Review
from redactkit.widgets.geometry import Region
from redactkit.widgets.pictures import redacted
from redactkit.widgets.thumbnails import Frames, Place, candidates, clearest, data_uri
from redactkit.widgets.view import View, button, row

__all__ = ["DRAFTS", "LookChooser"]

DRAFTS = {name: kind for name, kind in BLUR_KINDS.items() if kind.cosmetic}
"""The kinds that hide nobody, by name: what is written with one is a draft."""

_EVERYBODY = 0

_AROUND = 1.8
"""Side of what an example shows, in sides of the face."""


class LookChooser(View):
    """Blur kind, margin, strength and shape, of all or of one object, with a picture of each kind.

    Parameters
    ----------
    review : Review
        Its ``blur``, ``margin``, ``strength`` and ``shape`` are those of everybody; the looks of single objects stand
        in its decisions.

    Attributes
    ----------
    kinds : dict
        For each kind its box, picture and button.
    whose : ipywidgets.Dropdown
        0 for everybody, or a face.
    """

    def __init__(self, review: Review) -> None:
        super().__init__(review, css="rk-looks")
        self._shown = self._quiet = False
        self._compared: list[Place] = []
        self._clearest: Place | None = None
        self.whose = ipywidgets.Dropdown(options=[("everybody", _EVERYBODY)], description="Hide")
        self.whose.add_class("rk-whose")
        self.kinds = {name: self._kind(name) for name in HIDING_KINDS}
        self.margin = ipywidgets.BoundedFloatText(0.0, min=0.0, max=200.0, step=5.0, description="Margin, %")
        self.strength = ipywidgets.BoundedFloatText(1.0, min=1.0, max=10.0, step=0.5, description="Strength")
        self.shape = ipywidgets.Dropdown(options=list(SHAPES), description="Shape")
        self.alike = button("", "no look of its own", text="As everybody", css="rk-as-everybody")
        self.alike.on_click(self.press(lambda: self.review.decide([self.whose.value], look={})))
        self.margin.tooltip = "what is hidden around the box, on each side; more hides more of hair, ears and chin"
        self.strength.tooltip = "1 is as measured to hide; more is coarser"
        tiles = row(*(box for box, _, _ in self.kinds.values()), css="rk-kinds")
        self.show(row(self.whose, self.alike), tiles, row(self.margin, self.strength, self.shape, css="rk-numbers"))
        for field, name, unit in self._fields:
            field.add_class(f"rk-{name}")
            field.observe(partial(self._on_field, name, unit), "value")
        self.whose.observe(lambda _: self._follow(), "value")
        self._pictures = self.worker(self._show_kinds, interval=0.5)
        self.watch(lambda _: self._follow(), "blur", "margin", "strength", "shape", "revision")
        self._follow()

    @property
    def _fields(self) -> tuple[tuple[Any, str, float], ...]:
        """The fields, what each sets, and how much of that one of the field is; 0 where it is no number."""
        return (self.margin, "margin", 0.01), (self.strength, "strength", 1.0), (self.shape, "shape", 0.0)

    def _on_field(self, name: str, unit: float, change: Any) -> None:
        self._set(**{name: round(change["new"] * unit, 6) if unit else change["new"]})

    def _kind(self, name: str) -> tuple[Any, Any, Any]:
        image = ipywidgets.HTML()
        kind = BLUR_KINDS[name]
        chosen = button("", f"{name}: {kind.summary}", text=kind.label, css=f"rk-kind-{name}")
        chosen.on_click(lambda _: self._set(blur=name))
        box = ipywidgets.VBox([image, chosen])
        box.add_class("rk-kind")
        return box, image, chosen

    @property
    def _own(self) -> dict[str, Any]:
        """The look of the chosen object alone."""
        text = self.review.decisions["look"].get(self.whose.value, "") if self.whose.value else ""
        return parse_look(str(text)) if text else {}

    @property
    def look(self) -> dict[str, Any]:
        """How the chosen object, or everybody, is hidden."""
        review = self.review
        shared = {"blur": review.blur, "margin": review.margin, "strength": review.strength, "shape": review.shape}
        return shared | self._own

    def _set(self, **changed: Any) -> None:
        if self._quiet or all(self.look[name] == value for name, value in changed.items()):
            return
        if self.whose.value:
            self.review.decide([self.whose.value], look=self._own | changed)
            return
        for name, value in changed.items():
            setattr(self.review, name, value)

    def _follow(self) -> None:
        """Show the look as it stands."""
        self._quiet = True
        try:
            self._list_objects()
            look = self.look
            for name, (_, _, chosen) in self.kinds.items():
                chosen.button_style = "primary" if name == look["blur"] else ""
            for field, name, unit in self._fields:
                field.value = round(look[name] / unit, 6) if unit else look[name]
            self.alike.layout.display = "" if self._own else "none"
        finally:
            self._quiet = False
        self._draw()

    def _draw(self) -> None:
        if self._shown:
            self._pictures.submit()

    def _list_objects(self) -> None:
        decisions = self.review.decisions
        own = decisions["look"].astype(bool)
        options = [("everybody", _EVERYBODY)]
        for face in decisions.index[decisions["redact"]].tolist():
            mark = ", its own way" if own[face] else ""
            options.append((f"{str(decisions.loc[face, 'label'])[:30] or f'face {face}'}{mark}", face))
        if list(self.whose.options) != options:
            kept = self.whose.value
            self.whose.options = options
            self.whose.value = kept if kept in [face for _, face in options] else _EVERYBODY

    def show_kinds(self) -> None:
        """Show what each kind makes of a face, from now on also when the look or the faces change."""
        self._shown = True
        self._pictures.submit()

    def _show_kinds(self) -> None:
        found = self._example()
        if found is None:
            return
        face, frame, region = found
        revision = self.review.revision
        for name, (_, image, _) in self.kinds.items():
            picture = redacted(self.review, frame, region, width=112, looks={face: self.look | {"blur": name}})
            if self.review.revision != revision:
                return  # an edit took the face from under it; a call for that edit waits already
            image.value = f'<img alt="" src="{data_uri(picture)}">'

    def _example(self) -> tuple[int, int, Region] | None:
        """Return a face with a frame and a region that shows it: the chosen one, or the clearest of those hidden."""
        review, video = self.review, self.review.video
        with review.lock:
            table = review.detections
            faces = [self.whose.value] if self.whose.value else review.selected_ids or review.decisions.index
            places = candidates(table[table["face_id"].isin(faces)], width=video.width, height=video.height)
        if places != self._compared:
            frames = Frames(review)
            try:
                self._clearest = clearest(frames, places)
            finally:
                frames.close()
            self._compared = places
        if self._clearest is None:
            return None
        face, frame, (x, y, width, height) = self._clearest
        side = min(_AROUND * max(width, height), video.width, video.height)
        left = min(max(x + (width - side) / 2, 0), video.width - side)
        top = min(max(y + (height - side) / 2, 0), video.height - side)
        return face, frame, Region(left, top, side, side)
