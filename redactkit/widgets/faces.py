"""The face grid: a thumbnail of every face, with its tick."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import traitlets

from redactkit.review import Review
from redactkit.tables import summarize_tracks
from redactkit.widgets.actions import mark, merge_marked
from redactkit.widgets.markup import escape, face_name
from redactkit.widgets.thumbnails import Thumbnails
from redactkit.widgets.view import View, button, row, show_choice

__all__ = ["FaceGrid", "order_tracks", "filter_tracks"]

SORTS = {"ID": "id", "first seen": "time", "longest": "duration", "largest": "size", "riskiest": "risk"}
SHOWN = ["all", "redacted", "visible", "marked", "set aside"]
_CLICKED = re.compile(r"\brk-([tf])(-?\d+)\b")


def order_tracks(tracks: pd.DataFrame, by: str, *, queue: pd.DataFrame | None = None) -> pd.DataFrame:
    """Sort tracks by ``id``, ``time``, ``duration``, ``size`` or ``risk``, the most wanted first.

    Risk is that of a face's riskiest place in a review queue.
    """
    if by == "id" or (by == "risk" and queue is None):
        return tracks.sort_index()
    if by == "risk" and queue is not None:
        risk = queue.groupby("face_id")["risk"].max().reindex(tracks.index).fillna(0.0)
        return tracks.loc[risk.sort_values(ascending=False, kind="stable").index]
    keys = {
        "time": tracks["first_frame"],
        "duration": -tracks["frames"],
        "size": -(tracks["median_width"] * tracks["median_height"]),
    }
    return tracks.loc[keys[by].sort_values(kind="stable").index]


def filter_tracks(tracks: pd.DataFrame, text: str) -> pd.DataFrame:
    """Return the tracks whose ID, label or reason holds a text, in any case."""
    wanted = text.strip().lower()
    if not wanted:
        return tracks
    named = zip(tracks.index, tracks["label"], tracks["reason"], strict=True)
    return tracks[np.array([wanted in f"{face:04d} {label} {reason}".lower() for face, label, reason in named], bool)]


class FaceGrid(View):
    """Thumbnails of the faces, all ticked at the start: a ticked face will be redacted.

    A click goes to the face's first appearance; a click on the tick redacts it or leaves it visible;
    Shift+click or Ctrl+click marks faces, to be merged. Faces that the tracker set aside are among those
    that can be shown; a click on their tick brings them back.

    Parameters
    ----------
    review : Review
    page_size : int
        Faces on a page.
    height : str
        CSS height of the scrolled part.

    Examples
    --------
    >>> FaceGrid(review, page_size=20)  # doctest: +SKIP
    """

    sort = traitlets.Enum(list(SORTS.values()), "id")
    shown = traitlets.Enum(SHOWN, "all")
    filter = traitlets.Unicode("")
    page = traitlets.Int(0)

    def __init__(self, review: Review, *, page_size: int = 50, height: str = "330px") -> None:
        super().__init__(review, css="rk-faces")
        self._page_size = page_size
        self._listed: list[int] = []
        self._drawn: tuple[Any, ...] = ()
        self._refresh_worker = self.worker(self.refresh, interval=0.05)
        self.thumbnails = Thumbnails(review, changed=self._refresh_worker.submit)
        self._workers.append(self.thumbnails.worker)
        self._build(height)
        self.watch(lambda _: self._refresh_worker.submit(), "revision", "marked", "current_face")
        self.observe(self._on_choice, ["sort", "shown", "filter", "page"])
        self.refresh()

    def _build(self, height: str) -> None:
        narrow = {"width": "104px"}
        self.sort_box = ipywidgets.Dropdown(options=list(SORTS.items()), layout=narrow)
        self.shown_box = ipywidgets.Dropdown(options=SHOWN, layout=narrow)
        self.filter_box = ipywidgets.Text(placeholder="ID or label", layout=narrow)
        for name, box in (("sort", self.sort_box), ("shown", self.shown_box), ("filter", self.filter_box)):
            box.add_class(f"rk-{name}")
            traitlets.link((self, name), (box, "value"))
        self.face_box = ipywidgets.Dropdown(layout={"width": "150px"}, tooltip="the current face")
        self.face_box.add_class("rk-face")
        self.face_box.observe(self._on_face, "value")
        self.tick_button = button("check-square", "redact this face, or leave it visible", css="rk-toggle")
        self.tick_button.on_click(self.press(self._toggle_current))
        self.mark_button = button("thumb-tack", "mark this face for a merge", css="rk-mark")
        self.mark_button.on_click(self.press(self._mark_current))
        self.merge_button = button("object-group", "merge the marked faces", text="Merge", css="rk-merge")
        self.merge_button.on_click(self.press(lambda: merge_marked(self.review)))
        self.grid = ipywidgets.HTML()
        self.grid.add_class("rk-grid")
        self._states = ipywidgets.HTML(layout={"display": "none"})
        self.place = ipywidgets.HTML()
        scrolled = ipywidgets.Box([self.grid], layout={"height": height, "display": "block"})
        scrolled.add_class("rk-scroll")
        self.listen(self.grid, self.on_click, events=["click"])
        self.add_class(self._name)
        self.show(
            row(self.sort_box, self.shown_box, self.filter_box, *self._all_buttons()),
            scrolled,
            row(*self._page_buttons(), self.face_box, self.tick_button, self.mark_button, self.merge_button),
            self._states,
        )

    @property
    def _name(self) -> str:
        """A class of this view alone, so that its state's style touches no other."""
        return f"rk-{id(self):x}"

    def _all_buttons(self) -> list[Any]:
        made = []
        for name, tip, act in (
            ("All", "redact every face listed", self.select_all),
            ("None", "leave every face listed visible", self.select_none),
            ("Invert", "swap redacted and visible faces", self.invert),
        ):
            one = button("", tip, text=name, css=f"rk-{name.lower()}")
            one.on_click(self.press(act))
            made.append(one)
        return made

    def _page_buttons(self) -> list[Any]:
        back, on = button("chevron-left", "last page"), button("chevron-right", "next page")
        back.on_click(self.press(lambda: self._turn(-1)))
        on.on_click(self.press(lambda: self._turn(1)))
        return [back, self.place, on]

    def _turn(self, pages: int) -> None:
        self.page = min(max(self.page + pages, 0), max(0, (len(self._listed) - 1) // self._page_size))

    @property
    def listed(self) -> list[int]:
        """The faces that the filter lets through, in order, on all pages."""
        return list(self._listed)

    def select_all(self) -> None:
        """Redact every face listed."""
        self.review.decide(self._decidable(), redact=True)

    def select_none(self) -> None:
        """Leave every face listed visible."""
        self.review.decide(self._decidable(), redact=False)

    def invert(self) -> None:
        """Redact the listed faces that are visible, and leave visible those that are redacted."""
        faces = set(self._decidable())
        decisions = self.review.decisions.copy()
        chosen = decisions.index.isin(faces)
        decisions.loc[chosen, "redact"] = ~decisions.loc[chosen, "redact"]
        self.review.edit(f"{len(faces)} faces inverted", decisions=decisions)

    def _decidable(self) -> list[int]:
        return [] if self.shown == "set aside" else self._listed

    def _toggle_current(self) -> None:
        if self.review.current_face is not None:
            self._tick(self.review.current_face)

    def _mark_current(self) -> None:
        if self.review.current_face is not None:
            mark(self.review, self.review.current_face)

    def _tick(self, face_id: int) -> None:
        if self.shown == "set aside":
            self.review.restore_face(face_id)
        else:
            self.review.decide([face_id], redact=face_id not in self.review.selected_ids)

    def on_click(self, event: Mapping[str, Any]) -> None:
        """Take a click on the grid, as ipyevents gives it."""
        found = _CLICKED.search(str(event.get("target", {}).get("className", "")))
        if found is None:
            return
        self.say()
        face = int(found[2])
        if found[1] == "t":
            self._tick(face)
        elif self.shown == "set aside":
            first = self.review.discarded.loc[self.review.discarded["face_id"] == face, "frame"].min()
            self.review.current_frame = int(first)
        elif event.get("shiftKey") or event.get("ctrlKey") or event.get("metaKey"):
            mark(self.review, face)
        else:
            self.review.go_to_face(face)

    def _on_face(self, change: Mapping[str, Any]) -> None:
        if change["new"] is not None and change["new"] != self.review.current_face:
            self.review.go_to_face(change["new"])

    def _on_choice(self, change: Mapping[str, Any]) -> None:
        if change["name"] != "page":
            self.page = 0
        self._refresh_worker.submit()

    def refresh(self) -> None:
        """Show the grid as the review is now."""
        with self.review.lock:
            aside = self.shown == "set aside"
            table = self.review.discarded if aside else self.review.detections
            tracks = summarize_tracks(table) if aside else self.review.tracks
        queue = self.review.to_review() if self.sort == "risk" else None
        listed = order_tracks(filter_tracks(self._shown_of(tracks), self.filter), self.sort, queue=queue)
        self._listed = listed.index.tolist()
        start = min(self.page * self._page_size, max(0, (len(listed) - 1) // self._page_size * self._page_size))
        page = listed.iloc[start : start + self._page_size]
        pictures = self.thumbnails.get(page, table)
        self._draw(page, pictures)
        self._states.value = self._state_style(page)
        last = start + len(page)
        self.place.value = f'<span class="rk-faint">{start + 1 if last else 0}&ndash;{last} of {len(listed)}</span>'
        self._follow(tracks)

    def _shown_of(self, tracks: pd.DataFrame) -> pd.DataFrame:
        if self.shown == "marked":
            return tracks[tracks.index.isin(self.review.marked)]
        if self.shown in ("redacted", "visible"):
            return tracks[tracks["redact"] == (self.shown == "redacted")]
        return tracks

    def _draw(self, page: pd.DataFrame, pictures: list[str]) -> None:
        labels = page["label"].tolist()
        drawn = (page.index.tolist(), labels, pictures, page["frames"].tolist())
        if drawn == self._drawn and self.grid.value:
            return
        self._drawn = drawn
        rows = zip(page.index, labels, page["frames"], page["duration"], pictures, strict=True)
        cells = [_cell(int(face), str(label), int(n), float(s), uri) for face, label, n, s, uri in rows]
        empty = '<p class="rk-faint">no face here</p>'
        self.grid.value = f'<div class="rk-cells">{"".join(cells)}</div>' if cells else empty

    def _state_style(self, page: pd.DataFrame) -> str:
        """Say by style which cells are ticked, marked and current, so that the pictures are not sent anew."""
        me = f".rk-view.{self._name}"
        rules: list[str] = []
        sign = "+" if self.shown == "set aside" else "\\2713"
        ticked = page.index[page["redact"]] if sign != "+" else page.index
        rules += [f"{me} .rk-t{face}::before {{ content: '{sign}'; }}" for face in ticked]
        if sign != "+":
            rules += [f"{me} .rk-cell .rk-t{face} {{ background: var(--rk-hide); color: #fff; }}" for face in ticked]
        rules += [f"{me} .rk-cells .rk-f{face} {{ border-color: var(--rk-now); }}" for face in self.review.marked]
        if self.review.current_face is not None:
            rules.append(f"{me} .rk-f{self.review.current_face} {{ outline: 3px solid var(--jp-brand-color1); }}")
        return f"<style>{''.join(rules)}</style>"

    def _follow(self, tracks: pd.DataFrame) -> None:
        """Let the list of faces and the buttons follow the review."""
        named = self.review.tracks if self.shown == "set aside" else tracks
        show_choice(self.face_box, named, self.review.current_face)
        count = len(self.review.marked)
        self.merge_button.description = f"Merge {count}" if count else "Merge"
        self.merge_button.disabled = count < 2


def _cell(face: int, label: str, frames: int, seconds: float, picture: str) -> str:
    image = f'<img alt="" src="{picture}">' if picture else '<div class="rk-blank"></div>'
    name = escape(face_name(face, label))
    return (
        f'<div class="rk-cell rk-f{face}" title="{name}">{image}<span class="rk-tick rk-t{face}"></span>'
        f'<div class="rk-name">{name}</div><div class="rk-faint">{frames} fr, {seconds:.1f} s</div></div>'
    )
