"""What every view shares: it follows the review, tells what went wrong, and can be closed."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any

import ipywidgets
import pandas as pd
import traitlets

from redactkit.errors import RedactkitError
from redactkit.review import Review
from redactkit.widgets.markup import STYLE, escape, face_name
from redactkit.widgets.worker import LatestWorker

__all__ = ["Panel", "View", "button", "listen", "mouse_off", "row", "show_choice"]

Handler = Callable[[dict[str, Any]], None]


def mouse_off() -> str:
    """Return why the mouse and keys on a picture do nothing here; empty where they work."""
    if find_spec("ipyevents") is None:
        return "ipyevents is not installed (pip install ipyevents)"
    if "VSCODE_PID" in os.environ or "VSCODE_CWD" in os.environ:
        return "ipyevents does not load in VS Code"
    if "google.colab" in sys.modules:
        return "ipyevents does not load in Colab"
    return ""


def listen(source: Any, handler: Handler, *, events: Iterable[str], wait: int = 0) -> Any:
    """Send the browser's events on a widget to a handler; None where ipyevents is missing.

    Parameters
    ----------
    wait : int
        Least milliseconds between two events; only for moves, never where keys are watched.
    """
    if find_spec("ipyevents") is None:
        return None
    from ipyevents import Event

    throttle = {"wait": wait, "throttle_or_debounce": "throttle"} if wait else {}
    event = Event(source=source, watched_events=list(events), prevent_default_action=True, **throttle)
    event.on_dom_event(handler)
    return event


def button(icon: str, tip: str, *, text: str = "", css: str = "") -> Any:
    """Return a small button; without ``text`` it shows only its icon."""
    made = ipywidgets.Button(icon=icon, tooltip=tip, description=text)
    if not text:
        made.add_class("rk-key")
    else:
        made.layout.width = "auto"
    if css:
        made.add_class(css)
    return made


def row(*children: Any, css: str = "") -> Any:
    """Return widgets side by side, wrapped where there is no room."""
    box = ipywidgets.HBox(children)
    box.add_class("rk-row")
    if css:
        box.add_class(css)
    return box


def show_choice(box: Any, tracks: pd.DataFrame, current: int | None) -> None:
    """Let a dropdown list the faces of a tracks table, with the current one chosen."""
    faces = [int(face) for face in tracks.index]
    options = [
        ("no face", None),
        *((face_name(face, label)[:40], face) for face, label in zip(faces, tracks["label"], strict=True)),
    ]
    chosen = current if current in faces else None
    if list(box.options) != options:
        box.options = options
    box.value = chosen


class Panel(ipywidgets.VBox):  # type: ignore[misc]
    """What is in the page: it tells what went wrong, works in threads of its own, and can be closed.

    Parameters
    ----------
    css : str
        Class by which the page's tests find it.
    """

    _closed = True

    def __init__(self, *, css: str) -> None:
        super().__init__()
        self.message = ipywidgets.HTML(layout={"display": "none"})
        self.message.add_class("rk-message")
        self._style = ipywidgets.HTML(STYLE, layout={"display": "none"})
        self._watched: list[tuple[traitlets.HasTraits, Any, list[str]]] = []
        self._workers: list[LatestWorker] = []
        self._events: list[Any] = []
        self._closed = False
        self.add_class("rk-view")
        self.add_class(css)

    def show(self, *children: Any) -> None:
        """Put the view's parts in place, with its style and its message line."""
        self.children = (self._style, *children, self.message)

    def say(self, text: str = "") -> None:
        """Show a line of plain text under the view; nothing takes it away."""
        self.message.value = escape(text)
        self.message.layout.display = "" if text else "none"

    def follow(self, source: traitlets.HasTraits, handler: Callable[[Any], None], *names: str) -> None:
        """Call a handler when traits of ``source`` change, until the panel is closed."""
        source.observe(handler, list(names))
        self._watched.append((source, handler, list(names)))

    def listen(self, source: Any, handler: Handler, *, events: Iterable[str], wait: int = 0) -> None:
        """Send the browser's events on a widget to a handler, until the view is closed."""
        self._events.append(listen(source, self.guard(handler), events=events, wait=wait))

    def worker(self, work: Callable[[], None], *, interval: float = 0.0) -> LatestWorker:
        """Return a worker that ends when the view is closed."""
        made = LatestWorker(self.guard(self._blanked(work)), interval=interval)
        self._workers.append(made)
        return made

    def _blanked(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return ``work`` so that what it draws into a view closed meanwhile goes again."""

        def work_and_blank() -> None:
            try:
                work()
            finally:
                if self._closed:
                    _blank_all(self.children)

        return work_and_blank

    def guard(self, act: Callable[..., Any]) -> Callable[..., None]:
        """Return ``act`` so that what redactkit refuses is told under the view, not raised into the page."""

        @functools.wraps(act)
        def guarded(*arguments: Any) -> None:
            try:
                act(*arguments)
            except RedactkitError as err:
                self.say(str(err))

        return guarded

    def press(self, act: Callable[[], Any]) -> Callable[[Any], None]:
        """Return a button's handler that takes the last message away and does ``act``."""
        guarded = self.guard(act)

        def handler(_: Any) -> None:
            self.say()
            guarded()

        return handler

    def wait(self, timeout: float = 10.0) -> bool:
        """Wait until everything asked for is shown; return whether that came in time."""
        return all(worker.wait(timeout) for worker in self._workers)

    def close(self) -> None:
        """Take the view out of the page, blank its pictures and stop following the review; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        for worker in self._workers:
            worker.stop()
        for watched, handler, names in self._watched:
            watched.unobserve(handler, names)
        for event in filter(None, self._events):
            event.close()
        _close_all(self.children)
        super().close()


class View(Panel):
    """A view of a review.

    Parameters
    ----------
    review : Review
    css : str
        Class by which the page's tests find it.
    """

    def __init__(self, review: Review, *, css: str) -> None:
        super().__init__(css=css)
        self.review = review

    def watch(self, handler: Callable[[Any], None], *names: str, source: traitlets.HasTraits | None = None) -> None:
        """Call a handler when traits of the review, or of ``source``, change, until the view is closed."""
        self.follow(self.review if source is None else source, handler, *names)


def _close_all(widgets: Iterable[Any]) -> None:
    for widget in widgets:
        if isinstance(widget, Panel):
            widget.close()
            continue
        _close_all(getattr(widget, "children", ()))
        _blank(widget)
        widget.close()


def _blank_all(widgets: Iterable[Any]) -> None:
    for widget in widgets:
        _blank_all(getattr(widget, "children", ()))
        _blank(widget)


def _blank(widget: Any) -> None:
    if isinstance(widget, ipywidgets.Image | ipywidgets.Video):
        widget.value = b""
    if isinstance(widget, ipywidgets.HTML):
        widget.value = ""
