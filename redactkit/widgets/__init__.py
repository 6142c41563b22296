"""Views of a `redactkit.Review` for JupyterLab."""

from redactkit.widgets.viewer import FrameViewer

__all__ = ["FrameViewer"]
