"""The track table: one row a face, sortable, with the analyst's decision in a form under it."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any

import ipywidgets
import pandas as pd
import traitlets

from redactkit.review import Review
from redactkit.widgets.faces import filter_tracks
from redactkit.widgets.markup import escape, timecode
from redactkit.widgets.timeline import Timeline
from redactkit.widgets.view import View, button, row, show_choice

__all__ = ["COLUMNS", "TrackTable"]

COLUMNS = {
    "face_id": ("ID", "{:04d}"),
    "label": ("label", "{}"),
    "redact": ("hide", "{}"),
    "start": ("start", "{}"),
    "duration": ("s", "{:.1f}"),
    "frames": ("frames", "{}"),
    "coverage": ("cover", "{:.0%}"),
    "longest_gap": ("gap", "{}"),
    "mean_confidence": ("conf", "{:.2f}"),
    "median_height": ("px", "{:.0f}"),
    "reason": ("reason", "{}"),
}
"""Columns shown: name in `redactkit.tables.TRACKS`, heading, format."""

_LEFT = ("label", "reason")
_CLICKED = re.compile(r"\brk-(?:(h)-(\w+)|([rt])(-?\d+))\b")


class TrackTable(View):
    """The tracks as a table, and the current face's decision as a form.

    A click on a heading sorts, again reverses; a click on a row goes to the face's first frame, a click
    in its ``hide`` column redacts it or leaves it visible. The data stays a DataFrame: ``review.tracks``.

    Parameters
    ----------
    review : Review
    page_size : int
        Rows on a page.
    height : str
        CSS height of the scrolled part.
    timeline : bool
        Show the timeline above the table.

    Examples
    --------
    >>> TrackTable(review, timeline=False)  # doctest: +SKIP
    """

    sort = traitlets.Enum(list(COLUMNS), "face_id")
    descending = traitlets.Bool(False)
    filter = traitlets.Unicode("")
    page = traitlets.Int(0)

    def __init__(self, review: Review, *, page_size: int = 100, height: str = "270px", timeline: bool = True) -> None:
        super().__init__(review, css="rk-tracks")
        self._page_size, self._count = page_size, 0
        self._following = threading.local()
        self._refresh_worker = self.worker(self.refresh, interval=0.05)
        self.timeline = Timeline(review) if timeline else None
        self._build(height)
        self.watch(lambda _: self._refresh_worker.submit(), "revision", "current_face")
        self.observe(lambda _: self._refresh_worker.submit(), ["sort", "descending", "filter", "page"])
        self.refresh()

    def _build(self, height: str) -> None:
        self.table = ipywidgets.HTML()
        self.table.add_class("rk-table")
        self.listen(self.table, self.on_click, events=["click"])
        self._current = ipywidgets.HTML(layout={"display": "none"})
        self.place = ipywidgets.HTML()
        self.filter_box = ipywidgets.Text(placeholder="ID, label or reason", layout={"width": "150px"})
        self.filter_box.add_class("rk-filter")
        traitlets.link((self, "filter"), (self.filter_box, "value"))
        self.sort_box = ipywidgets.Dropdown(
            options=[(heading, name) for name, (heading, _) in COLUMNS.items()], layout={"width": "90px"}
        )
        self.sort_box.add_class("rk-sort")
        traitlets.link((self, "sort"), (self.sort_box, "value"))
        turn = button("sort", "reverse the order")
        turn.on_click(lambda _: setattr(self, "descending", not self.descending))
        scrolled = ipywidgets.Box([self.table], layout={"height": height, "display": "block"})
        scrolled.add_class("rk-scroll")
        self.add_class(self._name)
        above = [self.timeline] if self.timeline is not None else []
        pages = self._page_buttons()
        self.show(*above, row(self.sort_box, turn, self.filter_box, *pages), scrolled, self._form(), self._current)

    def _form(self) -> Any:
        self.face_box = ipywidgets.Dropdown(layout={"width": "130px"}, tooltip="the current face")
        self.redact_box = ipywidgets.Checkbox(description="hide", indent=False, layout={"width": "60px"})
        self.label_box = ipywidgets.Text(placeholder="label", continuous_update=False, layout={"width": "120px"})
        self.reason_box = ipywidgets.Text(placeholder="reason", continuous_update=False, layout={"width": "170px"})
        self.face_box.add_class("rk-face")
        self.face_box.observe(self._typed(self._pick), "value")
        for name, box in (("redact", self.redact_box), ("label", self.label_box), ("reason", self.reason_box)):
            box.add_class(f"rk-{name}")
            box.observe(self._typed(lambda value, name=name: self._decide(name, value)), "value")
        return row(self.face_box, self.redact_box, self.label_box, self.reason_box)

    @property
    def _name(self) -> str:
        return f"rk-{id(self):x}"

    def _page_buttons(self) -> list[Any]:
        back, on = button("chevron-left", "last page"), button("chevron-right", "next page")
        back.on_click(lambda _: self._turn(-1))
        on.on_click(lambda _: self._turn(1))
        return [back, self.place, on]

    def _turn(self, pages: int) -> None:
        self.page = min(max(self.page + pages, 0), max(0, (self._count - 1) // self._page_size))

    def _typed(self, act: Any) -> Any:
        """Act on a value that a person set, not one that followed the review."""
        guarded = self.guard(act)

        def handler(change: Mapping[str, Any]) -> None:
            if not getattr(self._following, "on", False):
                guarded(change["new"])

        return handler

    def _pick(self, face: int | None) -> None:
        if face is not None:
            self.review.go_to_face(face)

    def _decide(self, name: str, value: Any) -> None:
        face = self.review.current_face
        if face is not None and self.review.decisions.loc[face, name] != value:
            self.review.decide([face], **{name: value})

    def on_click(self, event: Mapping[str, Any]) -> None:
        """Take a click on the table, as ipyevents gives it."""
        found = _CLICKED.search(str(event.get("target", {}).get("className", "")))
        if found is None:
            return
        self.say()
        if found[1]:
            self._sort_by(found[2])
        elif found[3] == "t":
            face = int(found[4])
            self.review.decide([face], redact=face not in self.review.selected_ids)
        else:
            self.review.go_to_face(int(found[4]))

    def _sort_by(self, name: str) -> None:
        if name in COLUMNS:
            self.descending = not self.descending if name == self.sort else False
            self.sort = name

    def refresh(self) -> None:
        """Show the table as the review is now."""
        tracks = self.review.tracks
        listed = filter_tracks(tracks, self.filter).reset_index()
        listed = listed.sort_values(self.sort, ascending=not self.descending, kind="stable")
        self._count = len(listed)
        start = min(self.page * self._page_size, max(0, (self._count - 1) // self._page_size * self._page_size))
        page = listed.iloc[start : start + self._page_size]
        self.table.value = _table(page, self.sort, self.descending)
        last = start + len(page)
        self.place.value = f'<span class="rk-faint">{start + 1 if last else 0}&ndash;{last} of {self._count}</span>'
        self._follow(tracks)

    def _follow(self, tracks: pd.DataFrame) -> None:
        """Let the form and the highlight follow the current face."""
        face = self.review.current_face
        known = face in tracks.index
        self._current.value = (
            f"<style>.{self._name} .rk-r{face} {{ background: var(--jp-brand-color3, #bbdefb); }}</style>"
            if known
            else ""
        )
        self._following.on = True
        try:
            show_choice(self.face_box, tracks, face)
            decision = tracks.loc[face] if known else pd.Series({"redact": False, "label": "", "reason": ""})
            for box, name in ((self.redact_box, "redact"), (self.label_box, "label"), (self.reason_box, "reason")):
                box.disabled = not known
                box.value = decision[name] if name != "redact" else bool(decision[name])
        finally:
            self._following.on = False


def _table(page: pd.DataFrame, sort: str, descending: bool) -> str:
    arrow = " \u25bc" if descending else " \u25b2"
    heads = "".join(
        f'<th class="rk-h-{name}{_side(name)}">{heading}{arrow if name == sort else ""}</th>'
        for name, (heading, _) in COLUMNS.items()
    )
    columns = {name: _cells(page[name], name, pattern) for name, (_, pattern) in COLUMNS.items()}
    rows = []
    for number, face in enumerate(page["face_id"].tolist()):
        cells = "".join(_cell(name, face, texts[number]) for name, texts in columns.items())
        rows.append(f"<tr>{cells}</tr>")
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _cell(name: str, face: int, text: str) -> str:
    tick = f"rk-t{face} " if name == "redact" else ""
    title = f' title="{text}"' if name in _LEFT else ""
    return f'<td class="{tick}rk-r{face}{_side(name)}"{title}>{text}</td>'


def _side(name: str) -> str:
    return " rk-left" if name in _LEFT else ""


def _cells(column: pd.Series[Any], name: str, pattern: str) -> list[str]:
    if name == "redact":
        return ["\u2713" if value else "" for value in column]
    if name == "start":
        return [timecode(value) for value in column]
    return [escape(pattern.format(value)) if value == value else "" for value in column]
