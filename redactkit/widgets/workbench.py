"""Everything in one view."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import ipywidgets

from redactkit.analysis import find_annotations
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError
from redactkit.review import Review
from redactkit.widgets.editor import BoxEditor
from redactkit.widgets.faces import FaceGrid
from redactkit.widgets.idlist import IdList
from redactkit.widgets.markup import escape
from redactkit.widgets.panels import AnalyzePanel, RedactPanel
from redactkit.widgets.runner import Runner
from redactkit.widgets.timeline import Timeline
from redactkit.widgets.tracks import TrackTable
from redactkit.widgets.view import View, row
from redactkit.widgets.viewer import FrameViewer

__all__ = ["Workbench", "open"]

_OPEN: weakref.WeakKeyDictionary[Review, weakref.ref[Workbench]] = weakref.WeakKeyDictionary()
"""The workbench of each review, so that a cell run again takes the old one out of the page."""


class Workbench(View):
    """The analyst's room: frame, faces, tracks, boxes, ID list and both passes, over one review.

    A second workbench on the same review closes the first, so that a cell can be run again.

    Parameters
    ----------
    review : Review
    height : int
        Most pixels that the picture is high.

    Attributes
    ----------
    viewer, faces, tracks, editor, ids, redact, analyze, timeline : View
    """

    def __init__(self, review: Review, *, height: int = 330) -> None:
        before = _OPEN[review]() if review in _OPEN else None
        if before is not None:
            before.close()
        super().__init__(review, css="rk-workbench")
        _OPEN[review] = weakref.ref(self)
        self.runner = Runner()
        self._build(height)
        self.watch(self._show_header, "revision", "current_face")
        self._show_header()

    def _build(self, height: int) -> None:
        review = self.review
        self.viewer = FrameViewer(review, height=height)
        self.timeline = Timeline(review, height=72)
        self.faces = FaceGrid(review, height=f"{height + 14}px")
        self.tracks = TrackTable(review, height=f"{height + 14}px", timeline=False)
        self.editor, self.ids = BoxEditor(review), IdList(review)
        self.redact = RedactPanel(review, runner=self.runner, examples=False)
        self.analyze = AnalyzePanel(review, runner=self.runner)
        self.tabs = ipywidgets.Tab(
            [self.faces, self.tracks, self.editor, self.ids, self.redact, self.analyze],
            titles=["Faces", "Tracks", "Boxes", "IDs", "Redact", "Analyze"],
            layout={"flex": "1 1 440px", "min_width": "400px"},
        )
        self.tabs.add_class("rk-tabs")
        for view in self.tabs.children:
            view.layout.height, view.layout.overflow = f"{height + 104}px", "hidden auto"
        self.tabs.observe(self._on_tab, "selected_index")
        if review.detections.empty:
            self.tabs.selected_index = 5
        self.viewer.layout.flex = "1.3 1 480px"
        self.header = ipywidgets.HTML()
        self.header.add_class("rk-header")
        body = ipywidgets.HBox([self.viewer, self.tabs], layout={"flex_flow": "row wrap", "align_items": "flex-start"})
        self.show(row(self.header), body, self.timeline)

    def _on_tab(self, change: Any) -> None:
        if self.tabs.children[change["new"] or 0] is self.redact and self.review.reader is not None:
            self.redact.show_kinds()

    def _show_header(self, _: Any = None) -> None:
        review, info = self.review, self.review.video
        name = escape(info.path.name if info.path else "no video")
        faces, hidden = len(review.decisions), len(review.selected_ids)
        size = f"{info.width}x{info.height}, {float(info.frame_rate):.3f} fps, {info.frame_count} frames"
        self.header.value = (
            f'<b>{name}</b> <span class="rk-faint">{size}</span> &middot; {hidden} of {faces} faces redacted'
        )

    def close(self) -> None:
        """Stop a running pass, close every view and blank the pictures; the review stays open."""
        if not self._closed:
            self.runner.cancel_all()
        super().close()


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
