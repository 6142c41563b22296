"""What a person does with the widgets: point at a pixel of the frame, drag, look at the picture."""

from __future__ import annotations

import re
import time
from typing import Any

from playwright.sync_api import Locator

from tests.browser.lab import LabNotebook

OPEN = """
import pathlib, shutil
import redactkit as rk
from redactkit.runtime.resources import sample_truth_path
if "review" in globals():
    room.close()
    review.close()
shutil.rmtree("decided", ignore_errors=True)
review = rk.Review.open(rk.sample_path(), rk.read_annotations(sample_truth_path()))
review.folder = pathlib.Path("decided").absolute()
"""
WORKBENCH = "room = rk.widgets.Workbench(review)\nroom"
WIDTH, HEIGHT = 1280, 720


class Workroom:
    """A notebook with a workbench on the sample clip and its true boxes."""

    def __init__(self, lab: LabNotebook) -> None:
        self.lab, self.page, self.kernel = lab, lab.page, lab.kernel
        self.picture = self.find(".rk-main .rk-picture")
        self.wait_for_frame(0)

    def find(self, selector: str, **how: Any) -> Locator:
        """Return parts of the workbench."""
        return self.page.locator(f".rk-workbench {selector}", **how)

    def press(self, name: str) -> None:
        """Press a button under the picture, or beside a box, by the name of what it does."""
        self.find(f".rk-viewer .rk-do-{name}").click()

    def open_step(self, step: str, show: str = "") -> None:
        """Go to a step, and to one of the views that it offers."""
        self.find(".rk-steps").get_by_role("button", name=re.compile(f"^{step}")).click()
        if show:
            self.find(".rk-show-as select").select_option(show)

    def focus(self) -> None:
        """Give the picture the keys, as a person with Tab would."""
        self.find(".rk-front").focus()

    def wait_for_frame(self, frame: int) -> None:
        """Wait until the picture of a frame is in the page."""
        self.page.wait_for_selector(f'.rk-workbench .rk-front[data-frame="{frame}"]')

    def pixels(self, box: tuple[float, float, float, float] | None = None) -> list[float]:
        """Return the mean and the spread of the picture's light, all over or in a box of the frame."""
        x, y, width, height = box or (0, 0, WIDTH, HEIGHT)
        area = [x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT]
        return list(
            self.picture.evaluate(
                """(picture, [x, y, w, h]) => {
                const [W, H] = [picture.width, picture.height];
                const [across, down] = [Math.max(1, Math.round(w * W)), Math.max(1, Math.round(h * H))];
                const data = picture.getContext('2d').getImageData(
                    Math.round(x * W), Math.round(y * H), across, down).data;
                let sum = 0, steps = 0, count = 0;
                for (let i = 4; i < data.length; i += 4) {
                    sum += data[i]; steps += Math.abs(data[i] - data[i - 4]); count += 1;
                }
                return [sum / count, steps / count]; }""",
                area,
            )
        )

    def wait_for_pixels(self, test: Any, *, box: Any = None, seconds: float = 15) -> list[float]:
        """Look at the picture until it is as a test wants it."""
        end = time.monotonic() + seconds
        while not test(seen := self.pixels(box)):
            assert time.monotonic() < end, f"the picture stayed {seen}"
            self.page.wait_for_timeout(50)
        return seen

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return where a pixel of the frame is in the page."""
        return frame_point(self.picture, x, y)

    @property
    def pixel(self) -> float:
        """How many pixels of the frame one of the page is."""
        shown = self.picture.bounding_box()
        assert shown is not None
        return WIDTH / shown["width"]

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, steps: int = 8) -> None:
        """Press the mouse at one pixel of the frame, move, and let go at another."""
        mouse = self.page.mouse
        mouse.move(*self.point(*start))
        mouse.down()
        for step in range(1, steps + 1):
            share = step / steps
            mouse.move(*self.point(*(a + (b - a) * share for a, b in zip(start, end, strict=True))))
            self.page.wait_for_timeout(20)
        mouse.up()

    def click(self, x: float, y: float, **how: Any) -> None:
        """Click on a pixel of the frame."""
        self.page.mouse.click(*self.point(x, y), **how)

    def box(self, face: int) -> list[float] | None:
        """Return a face's box in the current frame, as the review has it."""
        return self.kernel.ask(f"review.box_of({face})")


def frame_point(picture: Locator, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of the sample's frame is in a page that shows its picture."""
    shown = picture.bounding_box()
    assert shown is not None
    return shown["x"] + x / WIDTH * shown["width"], shown["y"] + y / HEIGHT * shown["height"]
