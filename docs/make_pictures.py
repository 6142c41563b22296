"""Make the pictures of the README from the sample clip: ``python -m docs.make_pictures``.

``picture.jpg`` is one frame with its boxes beside the same frame redacted; ``workbench.png`` is the workbench in a
real JupyterLab, for which Chromium and the ``test`` extra are needed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright

import redactkit as rk
from redactkit.video import VideoReader
from tests.browser.lab import CHROMIUM_FLAGS, LabNotebook, LabServer, find_chromium, write_notebook

FRAME = 96
SIZE = (640, 360)
MARGIN = 10
OUTLINE = {"stroke_width": 2, "stroke_fill": "white"}
SCREEN = {"width": 1366, "height": 860}
HIDDEN, SHOWN = (240, 62, 62), (47, 158, 68)
CELLS = (
    "import redactkit as rk\nreview = rk.Review.open(rk.sample_path(), ANNOTATIONS)",
    f"shown = int(review.boxes_at({FRAME})['face_id'].iloc[-1])\n"
    "review.decide([shown], redact=False, label='presenter')\n"
    f"review.current_face, review.current_frame = 1, {FRAME}\n"
    "room = rk.widgets.Workbench(review)\n"
    "room",
)


def draw_boxes(picture: np.ndarray, annotations: rk.Annotations) -> Image.Image:
    """Return the frame with the boxes and IDs of its faces."""
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    scale = SIZE[0] / annotations.video.width
    selected = annotations.selected_ids
    for row in annotations.detections.query(f"frame == {FRAME}").itertuples():
        color = HIDDEN if row.face_id in selected else SHOWN
        corners = (np.array([row.x, row.y, row.x + row.width, row.y + row.height]) * scale).tolist()
        pen.rectangle(corners, outline=color, width=2)
        name = (corners[0], corners[1] - 15)
        pen.text(name, f"{row.face_id:04d}", fill=color, font=ImageFont.load_default(13), **OUTLINE)
    return image


def make_before_and_after(target: Path, folder: Path) -> None:
    """Write one frame with its boxes beside the same frame as `redactkit.redact` wrote it."""
    annotations = rk.analyze(rk.sample_path(), output=folder)
    visible = int(annotations.detections.query(f"frame == {FRAME}")["face_id"].iloc[-1])
    chosen = annotations.select([face for face in annotations.selected_ids if face != visible])
    report = rk.redact(rk.sample_path(), chosen, output=folder / "redacted.mp4")
    pictures = []
    for path in (rk.sample_path(), report.output):
        with VideoReader(path) as reader:
            pictures.append(reader.frame_at(FRAME).rgb(width=SIZE[0], height=SIZE[1]))
    sheet = Image.new("RGB", (2 * SIZE[0] + 8, SIZE[1]), "white")
    sheet.paste(draw_boxes(pictures[0], chosen), (0, 0))
    sheet.paste(Image.fromarray(pictures[1]), (SIZE[0] + 8, 0))
    sheet.save(target, quality=88)


def make_workbench(target: Path, folder: Path) -> None:
    """Write what a person sees of the workbench on a laptop's screen."""
    server = LabServer(folder / "lab")
    cells = [cell.replace("ANNOTATIONS", repr(str(folder / "sample_annotations.json"))) for cell in CELLS]
    server.configure()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        lab = LabNotebook(server, browser, write_notebook(server.root / "workbench.ipynb", *cells), size=SCREEN)
        lab.run_all()
        lab.kernel.wait_until(f"room.viewer.shown_frame == {FRAME} and room.wait() and room.people.wait()")
        lab.page.wait_for_function(
            "[...document.querySelectorAll('.rk-card img')].slice(0, 5).every(one => one.naturalWidth > 20)"
        )
        lab.find("rk-workbench").evaluate("room => room.scrollIntoView({block: 'start'})")
        lab.page.wait_for_timeout(1500)
        shown = lab.find("rk-workbench").bounding_box()
        clip = {"x": shown["x"] - MARGIN, "y": shown["y"] - MARGIN}
        clip |= {name: shown[name] + 2 * MARGIN for name in ("width", "height")}
        clip["y"] = shown["y"]  # above it the cell's code is scrolled away
        lab.page.screenshot(path=target, clip=clip)
        lab.close()
        browser.close()
    server.close()


if __name__ == "__main__":
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as scratch:
        make_before_and_after(here / "picture.jpg", Path(scratch))
        make_workbench(here / "workbench.png", Path(scratch))
