"""A picture with an SVG over it, and the pointer on it in pixels of the frame."""

from __future__ import annotations

import ipywidgets

__all__ = ["Stage"]


class Stage(ipywidgets.Box):  # type: ignore[misc]
    """A still image under a layer that can be changed many times a second.

    Attributes
    ----------
    picture : ipywidgets.Image
        Watch this one for the mouse: the layer lets it through.
    overlay : ipywidgets.HTML
    """

    def __init__(self, *, css: str = "") -> None:
        self.picture = ipywidgets.Image(format="jpeg")
        self.picture.add_class("rk-picture")
        self.overlay = ipywidgets.HTML()
        self.overlay.add_class("rk-overlay")
        super().__init__([self.picture, self.overlay])
        self.add_class("rk-stage")
        if css:
            self.add_class(css)
