"""Views of a `redactkit.Review` for JupyterLab: each works alone, all follow the review and one another.

`CompareViewer` alone is a view of two sets of annotations.

Everything that the mouse can do is a method of the review. ``close()`` takes a view out of the page and
blanks its pictures. The picture and what is drawn over it live in the
browser (`redactkit.widgets.stage`); the kernel gets finished edits. For finding parts in the page, each has a class:
``rk-workbench``; ``rk-viewer`` with ``rk-front`` (whose ``data-frame`` is the frame shown), ``rk-picture``,
``rk-overlay``, ``rk-slider``, ``rk-time``, ``rk-note``, and ``rk-do-NAME`` for each button named in
`redactkit.widgets.actions`; ``rk-faces`` with ``rk-grid``,
``rk-f3`` and ``rk-t3`` (cell and tick of face 3); ``rk-tracks`` with ``rk-table`` and ``rk-r3``;
``rk-timeline``; ``rk-editor`` with ``rk-x``; ``rk-ids``; ``rk-redact`` and ``rk-analyze`` with ``rk-run``,
``rk-cancel``, ``rk-output``; ``rk-jobs-panel`` with ``rk-job``; ``rk-compare`` with
``rk-legend`` and ``rk-w12`` (the row of frame 12); ``rk-message`` for what a view has to say.
"""

from redactkit.widgets.checking import CheckView
from redactkit.widgets.comparison import CompareViewer
from redactkit.widgets.editor import BoxEditor
from redactkit.widgets.export import RedactPanel
from redactkit.widgets.faces import FaceGrid
from redactkit.widgets.idlist import IdList
from redactkit.widgets.jobs_panel import JobsPanel
from redactkit.widgets.panels import AnalyzePanel
from redactkit.widgets.people import PeopleView
from redactkit.widgets.runner import Runner
from redactkit.widgets.timeline import Timeline
from redactkit.widgets.tracks import TrackTable
from redactkit.widgets.viewer import FrameViewer
from redactkit.widgets.workbench import Workbench, open

__all__ = [
    "AnalyzePanel",
    "BoxEditor",
    "CheckView",
    "CompareViewer",
    "FaceGrid",
    "FrameViewer",
    "IdList",
    "JobsPanel",
    "PeopleView",
    "RedactPanel",
    "Runner",
    "Timeline",
    "TrackTable",
    "Workbench",
    "open",
]


def __dir__() -> list[str]:
    return sorted(__all__)
