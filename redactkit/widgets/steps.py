"""The head of the workbench: the video's name, and the steps with how each stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets

from redactkit.widgets.stage import read_static

__all__ = ["StepBar"]


class StepBar(anywidget.AnyWidget):
    """The front end of the steps.

    Parameters
    ----------
    steps : sequence of str
        Their names, in order.

    Attributes
    ----------
    step : str
        The current one.
    states : dict
        For each step a few words, and their colour: good, doubtful, bad or empty.
    name : list of str
        The video's name, and its facts.
    """

    _esm = read_static(("dom", "steps"), "js")
    _css = read_static(("steps",), "css")

    steps: traitlets.List[Any] = traitlets.List().tag(sync=True)
    step = traitlets.Unicode("").tag(sync=True)
    states = traitlets.Dict().tag(sync=True)
    name: traitlets.List[Any] = traitlets.List(["", ""]).tag(sync=True)

    def __init__(self, steps: Sequence[str]) -> None:
        super().__init__(steps=list(steps), step=steps[0])
