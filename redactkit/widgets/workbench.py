"""Everything in one view."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ipywidgets
import traitlets

from redactkit.analysis import find_annotations
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, RedactkitError
from redactkit.review import Review
from redactkit.verification import VerificationReport
from redactkit.widgets.checking import CheckView
from redactkit.widgets.editor import BoxEditor
from redactkit.widgets.export import RedactPanel
from redactkit.widgets.faces import FaceGrid
from redactkit.widgets.idlist import IdList
from redactkit.widgets.panels import AnalyzePanel
from redactkit.widgets.people import PeopleView
from redactkit.widgets.runner import Runner
from redactkit.widgets.steps import StepBar
from redactkit.widgets.timeline import MOST_LISTED, Timeline
from redactkit.widgets.tracks import TrackTable
from redactkit.widgets.view import View, row
from redactkit.widgets.viewer import FrameViewer

__all__ = ["Workbench", "open"]

_OPEN: weakref.WeakKeyDictionary[Review, weakref.ref[Workbench]] = weakref.WeakKeyDictionary()
"""The workbench of each review, so that a cell run again takes the old one out of the page."""


STEPS = ("Find", "Who", "Check", "Export")


class Workbench(View):
    """The analyst's room: a large picture, and beside it the four steps of a redaction, over one review.

    *Find* the faces, decide *who* is hidden, *check* what is doubtful, *export* and see whether a face is left bare.
    A second workbench on the same review closes the first, so that a cell can be run again.

    Parameters
    ----------
    review : Review

    Attributes
    ----------
    step : str
        "Find", "Who", "Check" or "Export".
    viewer, timeline : View
        The picture and the time under it.
    people, check, faces, tracks, editor, ids, redact, analyze : View
        What the steps show; each is made when first asked for.

    Examples
    --------
    >>> Workbench(Review.open("lobby.mp4", annotations))  # doctest: +SKIP
    """

    step = traitlets.Enum(STEPS, "Find")

    def __init__(self, review: Review) -> None:
        before = _OPEN[review]() if review in _OPEN else None
        if before is not None:
            before.close()
        super().__init__(review, css="rk-workbench")
        _OPEN[review] = weakref.ref(self)
        self.runner = Runner()
        self._parts: dict[str, Any] = {}
        self._states_worker = self.worker(self._show_states, interval=0.3)
        self._build()
        self._keep_autosave()
        self.watch(lambda _: self._states_worker.submit(), "revision", "queue")
        self._show_states()

    def _keep_autosave(self) -> None:
        """Write each decision to the disk as it is made, and go on from those of a session that was broken off."""
        path = self.review.video.path
        if path is None:
            return
        try:
            found = self.review.keep_autosave(self.review.home, stem=path.stem)
        except RedactkitError as err:
            self.viewer.say(f"what you decide is not saved by itself: {err}")
            return
        if self.review.is_open_elsewhere:
            self.viewer.say(
                "this review is open in another notebook that runs: what you decide here is kept apart from it, in "
                f"{self.review.autosave.name if self.review.autosave else 'a file of its own'}"
            )
        elif found:
            self.viewer.say(f"opened again with {found} edits of a session that was not saved; Undo takes them back")

    def _build(self) -> None:
        review = self.review
        self.viewer = FrameViewer(review, height=0, runner=self.runner)
        self.timeline = Timeline(review, height=72)
        self.steps = StepBar(STEPS)
        traitlets.link((self, "step"), (self.steps, "step"))
        self.side = ipywidgets.Box()
        self.side.add_class("rk-side")
        shown = {"People": "people", "Grid": "faces", "Table": "tracks", "Box in numbers": "editor", "ID list": "ids"}
        self._who = Choice(shown, self)
        self.observe(lambda _: self._show_step(), "step")
        self.step = "Find" if review.detections.empty else "Who"
        self._show_step()
        main, body = ipywidgets.VBox([self.viewer, self.timeline]), ipywidgets.Box()
        main.add_class("rk-room-main")
        body.add_class("rk-room-body")
        body.children = (main, self.side)
        self.show(row(self.steps, css="rk-room-head"), body)

    def _show_step(self) -> None:
        """Show the panel of the step; one that was made stays in the page, out of sight."""
        parts = {"Find": "analyze", "Check": "check", "Export": "redact"}
        panel = self._who if self.step == "Who" else self.part(parts[self.step])
        if panel not in self.side.children:
            self.side.children = (*self.side.children, panel)
        for one in self.side.children:
            one.layout.display = "" if one is panel else "none"
        if self.step == "Check":
            self.check.begin()
        if self.step == "Export" and self.review.reader is not None:
            self.redact.show_kinds()

    def part(self, name: str) -> Any:
        """Return one of the views by its name; it is made when first asked for, once, whichever threads ask."""
        with self.review.lock:
            if name not in self._parts:
                self._parts[name] = self._make(name)
            return self._parts[name]

    def _make(self, name: str) -> Any:
        makers: dict[str, Callable[[], View]] = {
            "faces": lambda: FaceGrid(self.review, height="auto"),
            "tracks": lambda: TrackTable(self.review, height="auto", timeline=False),
            "editor": lambda: BoxEditor(self.review),
            "ids": lambda: IdList(self.review),
            "people": lambda: PeopleView(self.review),
            "check": lambda: CheckView(self.review, runner=self.runner, done=lambda: self._go("Export")),
            "redact": lambda: RedactPanel(self.review, runner=self.runner, examples=False, checked=self._show_findings),
            "analyze": lambda: AnalyzePanel(self.review, runner=self.runner, viewer=self.viewer),
        }
        made: Any = makers[name]()
        if name == "redact":
            made.see = lambda: self._go("Check")
        if name == "analyze":
            made.go_on = lambda: self._go("Who", came_from="Find")
        for trait in ("state", "left", "answered"):
            if made.has_trait(trait):
                made.observe(lambda _: self._states_worker.submit(), trait)
        return made

    def _go(self, step: str, *, came_from: str = "") -> None:
        """Go to a step, where ``came_from`` is given only from there: nobody is taken away from what he does."""
        if not self._closed and (not came_from or self.step == came_from):
            self.step = step

    def _show_findings(self, report: VerificationReport | None) -> None:
        """Put what a leak check found into the list of places to check."""
        if not self._closed:
            self.check.show_report(report)

    @property
    def people(self) -> PeopleView:
        """The cards of the people."""
        return self.part("people")  # type: ignore[no-any-return]

    @property
    def check(self) -> CheckView:
        """The places to look at."""
        return self.part("check")  # type: ignore[no-any-return]

    @property
    def faces(self) -> FaceGrid:
        """The grid of thumbnails."""
        return self.part("faces")  # type: ignore[no-any-return]

    @property
    def tracks(self) -> TrackTable:
        """The table of tracks."""
        return self.part("tracks")  # type: ignore[no-any-return]

    @property
    def editor(self) -> BoxEditor:
        """The current box in numbers."""
        return self.part("editor")  # type: ignore[no-any-return]

    @property
    def ids(self) -> IdList:
        """The ID list."""
        return self.part("ids")  # type: ignore[no-any-return]

    @property
    def redact(self) -> RedactPanel:
        """The second pass."""
        return self.part("redact")  # type: ignore[no-any-return]

    @property
    def analyze(self) -> AnalyzePanel:
        """The first pass."""
        return self.part("analyze")  # type: ignore[no-any-return]

    def _show_states(self) -> None:
        """Say at each step how it stands."""
        review, info = self.review, self.review.video
        size = f"{info.width}x{info.height}, {float(info.frame_rate):.3f} fps, {info.frame_count} frames"
        self.steps.name = [info.path.name if info.path else "no video", size]
        with review.lock:
            faces, hidden, boxes = len(review.decisions), len(review.selected_ids), len(review.detections)
        check, export = self._parts.get("check"), self._parts.get("redact")
        left = check.left if check is not None else self._places() if boxes <= MOST_LISTED else 0
        found = f"{faces} face{'s' * (faces != 1)}" if faces else "no face yet"
        self.steps.states = {
            "Find": [found, ""],
            "Who": [f"{hidden} of {faces} hidden" if faces else "", ""],
            "Check": [f"{left} left" if left else "", ""],
            "Export": list(export.state) if export is not None else ["", ""],
        }

    def _places(self) -> int:
        """Return how many places are to be checked."""
        return int(self.review.to_review()["matters"].sum())

    def close(self) -> None:
        """Stop a running pass, close every view and blank the pictures; the review stays open."""
        if not self._closed:
            self.runner.cancel_all()
            for view in list(self._parts.values()):  # a pass that ends now may ask for one more
                view.close()
        super().close()


class Choice(ipywidgets.VBox):  # type: ignore[misc]
    """One of several views of a workbench at a time, by a list above it."""

    def __init__(self, views: Mapping[str, str], room: Workbench) -> None:
        self._views, self._room = views, room
        self.list = ipywidgets.Dropdown(options=list(views), description="Show as")
        self.list.add_class("rk-show-as")
        super().__init__()
        self.add_class("rk-choice")
        self.list.observe(lambda _: self.refresh(), "value")
        self.refresh()

    def refresh(self) -> None:
        """Show the view chosen."""
        self.children = (self.list, self._room.part(self._views[self.list.value]))


def open(
    video: str | Path,
    annotations: Annotations | str | Path | None = None,
    *,
    autosave: str | Path | None = None,
    force: bool = False,
) -> Workbench:
    """Open a workbench on a video; the shortest way in.

    Parameters
    ----------
    video : path
    annotations : Annotations or path, optional
        Without them, those that the first pass wrote beside the video; without any, begin with the pass.
    autosave, force
        As in `redactkit.Review.open`.

    Examples
    --------
    >>> open("lobby.mp4")  # doctest: +SKIP
    """
    if annotations is None:
        try:
            annotations = find_annotations(video)
        except AnnotationError:
            annotations = None
    return Workbench(Review.open(video, annotations, autosave=autosave, force=force))
