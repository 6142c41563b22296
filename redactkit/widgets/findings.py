"""What the leak check found, one line each: source and output side by side, and a button for each answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ipywidgets

from redactkit.review import Review
from redactkit.runtime.timecode import timecode
from redactkit.verification import ANSWERS, Answer, VerificationReport, crops
from redactkit.widgets.markup import escape
from redactkit.widgets.pictures import jpeg
from redactkit.widgets.view import View, button, row

__all__ = ["FindingsView"]

PICTURE_PIXELS = 96
"""Width and height of a picture of a place."""

_TIPS: dict[Answer, str] = {
    "hide": "hide it when you redact again",
    "no face": "it is no face: no later check asks about it",
    "leave visible": "it may be seen",
}


class FindingsView(View):
    """The findings of a leak check with their pictures; each is answered by one button, and undone with the review.

    Parameters
    ----------
    review : Review
        Gets what is decided.
    report : VerificationReport
    """

    def __init__(self, review: Review, report: VerificationReport) -> None:
        super().__init__(review, css="rk-findings-view")
        self.report = report
        self.pictures = crops(report)
        self._answered: set[int] = set()
        found = report.findings
        self.lines = {int(str(line.Index)): self._line(line) for line in found.itertuples()}
        self.show(ipywidgets.VBox(list(self.lines.values())))

    def answer(self, finding: int, action: Answer) -> None:
        """Act on a finding, once, and say so in its line."""
        if finding in self._answered:
            return
        self.report.settle(self.review, finding, action)
        self._answered.add(finding)
        line = self.lines[finding]
        line.children[-1].value = f"<b>{escape(action)}</b>"
        for part in line.children:
            if isinstance(part, ipywidgets.Button) and part.description in ANSWERS:
                part.disabled = True

    def _line(self, found: Any) -> Any:
        number = int(found.Index)
        shown = [self._picture(picture) for picture in self.pictures.get(number, ())]
        whose = f" {'near' if found.leak >= 0 else 'of'} face {found.face_id}" if found.face_id >= 0 else ""
        where = f"<br>{found.frames} frames from {timecode(found.start)}" if found.frames else ""
        note = f"<br>{escape(found.note)}" if found.note else ""
        css = "rk-bad" if found.verdict == "exposed" else ""
        text = ipywidgets.HTML(
            f'<b class="{css}">{escape(found.verdict)}</b>: {escape(found.what)}{whose}{where}{note}',
            layout={"width": "260px"},
        )
        buttons = []
        if found.frames:  # what is wrong with the file has no place, and no answer but another redaction
            buttons = [self._button(action, tip, partial(self.answer, number, action)) for action, tip in _TIPS.items()]
            buttons.append(self._button("go to", "show the frame", partial(self._go_to, int(found.frame))))
        return row(*shown, text, *buttons, ipywidgets.HTML())

    def _button(self, text: str, tip: str, act: Callable[[], Any]) -> Any:
        made = button("", tip, text=text, css=f"rk-answer-{text.replace(' ', '-')}")
        made.on_click(self.press(act))
        return made

    def _go_to(self, frame: int) -> None:
        self.review.current_frame = frame

    def _picture(self, picture: Any) -> Any:
        size = f"{PICTURE_PIXELS}px"
        return ipywidgets.Image(format="jpeg", value=jpeg(picture), layout={"width": size, "height": size})
