"""A person at the workbench, in a real browser: what hands and eyes do there is done, counted and timed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from playwright.sync_api import Locator

from tests.browser.lab import LabNotebook

__all__ = ["Person"]

ACTION_SECONDS, LOOK_SECONDS = 1.2, 2.0
"""Seconds of a click, a drag, a key or a typed word; and of one judgement."""

MOST_AT_ONCE = 12
"""Pictures side by side that one look judges."""


@dataclass
class Person:
    """Counts what hands and eyes do in a page."""

    lab: LabNotebook
    rows: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Count what is done until the end of the block as one task."""
        self.clicks = self.keys = self.looks = 0
        begun = time.monotonic()
        yield
        told = {"clicks": self.clicks, "keys": self.keys, "looks": self.looks}
        seconds = ACTION_SECONDS * (self.clicks + self.keys) + LOOK_SECONDS * self.looks
        self.rows.append({"task": name, **told, "person (s)": seconds, "on the clock (s)": time.monotonic() - begun})
        print(self.rows[-1], file=sys.stderr)

    def table(self) -> pd.DataFrame:
        """Return the tasks since the last call."""
        rows, self.rows = self.rows, []
        return pd.DataFrame(rows)

    def find(self, selector: str) -> Locator:
        """Return a part of the workbench."""
        return self.lab.page.locator(f".rk-workbench {selector}")

    def click(self, target: Locator, **how: Any) -> None:
        """Click on something."""
        self.clicks += 1
        target.click(**how)

    def press(self, key: str) -> None:
        """Press a key."""
        self.keys += 1
        self.lab.page.keyboard.press(key)

    def type(self, text: str) -> None:
        """Type a word, which counts as one action."""
        self.keys += 1
        self.lab.page.keyboard.type(text)

    def look(self) -> None:
        """Judge what is seen."""
        self.looks += 1

    def look_through(self, cards: str, count: int) -> None:
        """Judge a list of cards or crops, those on the screen together with one look, but `MOST_AT_ONCE` at most."""
        shown = self.find(cards).first
        shown.wait_for()
        seen = shown.evaluate(
            """card => [...card.parentElement.children].filter(one => {
                const [place, list] = [one, card.closest('.rk-cards-items')].map(each => each.getBoundingClientRect());
                return place.top >= list.top && place.bottom <= Math.min(list.bottom, innerHeight);
            }).length"""
        )
        self.looks += -(-count // min(max(seen, 1), MOST_AT_ONCE))

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the frame is in the page."""
        shown = self.find(".rk-main .rk-picture").bounding_box()
        assert shown is not None
        width, height = self.ask("[review.video.width, review.video.height]")
        return shown["x"] + x / width * shown["width"], shown["y"] + y / height * shown["height"]

    def click_box(self, face: int, *, held: str | None = None) -> None:
        """Click on a face's box in the picture."""
        x, y, width, height = self.ask(f"review.box_of({face})")
        self.clicks += 1
        if held:
            self.lab.page.keyboard.down(held)
        self.lab.page.mouse.click(*self.point(x + width / 2, y + height / 2))
        if held:
            self.lab.page.keyboard.up(held)

    def pick(self, face: int) -> None:
        """Click on a face's box until the workbench has it as the current one."""
        self.click_box(face)
        self.wait(f"review.current_face == {face}", timeout=30)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag in the picture, between two pixels of the frame."""
        self.clicks += 1
        mouse = self.lab.page.mouse
        mouse.move(*self.point(*start))
        mouse.down()
        mouse.move(*self.point(*end), steps=5)
        mouse.up()

    def step(self, name: str) -> None:
        """Go to one of the four steps, if it is not shown."""
        if self.ask("room.step") != name:
            self.click(self.find(".rk-steps").get_by_role("button", name=name))
            self.wait(f"room.step == '{name}'")

    def card(self, face: int) -> None:
        """Pick the card of a face's person, if the answer before did not go on to it."""
        person = self.ask(f"int(review.decisions.loc[{face}, 'person_id'])")
        if self.ask(f"room.people.wait() and room.people.cards.current == 'f{person}'"):
            return
        self.click(self.find(f'.rk-who .rk-card[data-key="f{person}"]'), position={"x": 20, "y": 20})
        self.wait(f"room.people.cards.current == 'f{person}'")

    def ask(self, expression: str) -> Any:
        """Return the value of an expression in the kernel."""
        return self.lab.kernel.ask(expression)

    def wait(self, expression: str, timeout: float = 300) -> Any:
        """Wait until an expression in the kernel is true; return its value."""
        return self.lab.kernel.wait_until(expression, timeout=timeout)

    def stand_on(self, frame: int) -> None:
        """Be at a frame with no face chosen, before a task begins there; not counted."""
        self.lab.kernel.run(f"review.current_frame, review.current_face, review.marked = {frame}, None, ()")
        self.lab.page.wait_for_selector(f'.rk-workbench .rk-front[data-frame="{frame}"]')
        self.find(".rk-main .rk-picture").evaluate("picture => picture.scrollIntoView({block: 'center'})")

    def undo_to(self, position: int) -> None:
        """Take edits back, after a task or before one; not counted."""
        self.lab.kernel.run(f"while review.history_position > {position}: review.undo()")
        assert self.ask("room.viewer.wait()")
