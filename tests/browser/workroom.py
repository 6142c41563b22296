"""What a person does with the widgets: point at a pixel of the frame, drag, look at the picture."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Locator

from tests.browser.lab import LabNotebook

OPEN = """
import redactkit as rk
from redactkit.runtime.resources import sample_truth_path
if "review" in globals():
    review.close()
review = rk.Review.open(rk.sample_path(), rk.read_annotations(sample_truth_path()))
"""
WORKBENCH = "room = rk.widgets.Workbench(review)\nroom"
WIDTH, HEIGHT = 1280, 720


class Workroom:
    """A notebook with a workbench on the sample clip and its true boxes."""

    def __init__(self, lab: LabNotebook) -> None:
        self.lab, self.page, self.kernel = lab, lab.page, lab.kernel
        self.picture = self.find(".rk-main .rk-picture")
        self.wait_for_frame(0)

    def find(self, selector: str) -> Locator:
        """Return parts of the workbench."""
        return self.page.locator(f".rk-workbench {selector}")

    def press(self, name: str) -> None:
        """Press a button of the viewer by the name of what it does."""
        self.find(f".rk-viewer .rk-do-{name}").click()

    def open_tab(self, title: str) -> None:
        """Bring a tab to the front."""
        self.find(".rk-tabs").get_by_role("tab", name=title).click()

    def wait_for_frame(self, frame: int) -> None:
        """Wait until the picture of a frame is in the page."""
        self.kernel.wait_until(f"room.viewer.shown_frame == {frame} and room.viewer.wait()")
        self.page.wait_for_function(
            "image => image.complete && image.naturalWidth > 0", arg=self.picture.element_handle()
        )

    def pixels(self, box: tuple[float, float, float, float] | None = None) -> list[float]:
        """Return the mean and the spread of the picture's light, all over or in a box of the frame.

        A picture that is replaced while the browser decodes it is asked for again.
        """
        x, y, width, height = box or (0, 0, WIDTH, HEIGHT)
        area = [x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT]
        return list(
            self.picture.evaluate(
                """async (image, [x, y, w, h]) => {
                for (let asked = 0; ; asked += 1) {
                    try { await image.decode(); break; } catch (error) { if (asked == 20) throw error; }
                    await new Promise(done => setTimeout(done, 50));
                }
                const [W, H] = [image.naturalWidth, image.naturalHeight];
                const canvas = new OffscreenCanvas(Math.max(1, Math.round(w * W)), Math.max(1, Math.round(h * H)));
                const pen = canvas.getContext('2d');
                pen.drawImage(image, Math.round(-x * W), Math.round(-y * H));
                const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
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
        shown = self.picture.bounding_box()
        assert shown is not None
        return shown["x"] + x / WIDTH * shown["width"], shown["y"] + y / HEIGHT * shown["height"]

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
