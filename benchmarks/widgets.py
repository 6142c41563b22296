"""How quickly the widgets answer, through a real JupyterLab and a real Chromium: ``python -m benchmarks.widgets``.

Every time is taken in the page, from the browser's own event to the first frame painted after the change.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

from benchmarks.clips import make_clip
from benchmarks.speed import FOLDER
from tests.browser.lab import CHROMIUM_FLAGS, LabNotebook, LabServer, find_chromium, write_notebook

LIMITS = {
    "drag, median (ms)": None,
    "drag, p95 (ms)": 120,
    "drag, redraws a second": 30,
    "slider step in a visited region, p95 (ms)": 120,
    "slider to anywhere, p95 (ms)": 400,
    "playback, frames a second": 20,
    "workbench on 2 h and 500 faces opens (s)": 3,
    "page of 50 of 500 faces (s)": 1,
    "edit on 500,000 boxes, median (ms)": 500,
    "memory after 2,000 frames (MB more)": 20,
}
"""What is measured, and the limit; for redraws and frames a second the least, else the most."""

WATCH = """() => {
  window.seen = []; window.sent = []; window.loads = [];
  const overlay = document.querySelector('.rk-main .rk-overlay');
  new MutationObserver(() => requestAnimationFrame(() => {
    const box = overlay.querySelector('.rk-now');
    if (box) window.seen.push([performance.now(), parseFloat(box.getAttribute('x'))]);
  })).observe(overlay, {childList: true, subtree: true, attributes: true});
  const image = document.querySelector('.rk-main .rk-picture');
  image.addEventListener('load', () => requestAnimationFrame(() => window.loads.push(performance.now())));
  document.addEventListener('mousemove', e => window.sent.push([performance.now(), e.clientX]), true);
  for (const name of ['keydown', 'mousedown'])
    document.addEventListener(name, () => { window.asked = performance.now() }, true);
}"""

OPEN = """import redactkit as rk
review = rk.Review.open({clip!r})
review.add_face([800, 400, 240, 300], frame=0)
review.copy_box(100, face_id=1, frame=0)
workbench = rk.widgets.Workbench(review)
workbench"""

LARGE = """import numpy as np, redactkit as rk
from fractions import Fraction
from redactkit.annotations import Annotations
from redactkit.media import VideoInfo
frames = np.concatenate([start + np.arange(1000) for start in np.linspace(0, 178_999, 500).astype(int)])
boxes = dict(x=frames % 1800, y=frames % 900, width=60.0, height=80.0)
rows = dict(frame=frames, time=frames / 25, face_id=np.repeat(np.arange(1, 501), 1000), **boxes)
rows = rk.tables.sort_detections(rk.tables.as_detections(rows).assign(confidence=0.8, source='detected'))
rows = rk.tables.as_detections(rows)
video = VideoInfo(None, 1920, 1080, Fraction(25), Fraction(1, 25), np.arange(180_000))
picture = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)"""

LARGE_OPEN = """review = rk.Review(Annotations(video, rows), frames=lambda n: picture)
workbench = rk.widgets.Workbench(review)
workbench"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.widgets", description=__doc__)
    parser.add_argument("--seconds", type=int, default=40, help="length of the 1080p clip")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    clip = make_clip(FOLDER / f"1080p-{options.seconds}s-5.mp4", size="1080p", seconds=options.seconds, faces=5)[0]
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as home:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        server = LabServer(Path(home))
        server.configure()
        try:
            found = {**measure_clip(server, browser, clip), **measure_large(server, browser)}
        finally:
            server.close()
            browser.close()
    print(as_markdown(found))


def as_markdown(found: dict[str, float]) -> str:
    lines = ["| what | measured | limit |", "|---|---:|---:|"]
    return "\n".join([*lines, *(f"| {name} | {found[name]:.1f} | {LIMITS[name] or ''} |" for name in LIMITS)])


def measure_clip(server: LabServer, browser: Any, clip: Path) -> dict[str, float]:
    notebook = LabNotebook(server, browser, write_notebook(server.root / "clip.ipynb", OPEN.format(clip=str(clip))))
    try:
        notebook.run_all()
        page = notebook.page
        page.wait_for_function("document.querySelector('.rk-main .rk-picture')?.naturalWidth > 100")
        page.evaluate("document.querySelector('.rk-workbench').scrollIntoView()")
        page.evaluate(WATCH)
        page.wait_for_timeout(1500)
        return {**drag(page), **slide(page), **play(page), **grow(notebook)}
    finally:
        notebook.close()


def drag(page: Page) -> dict[str, float]:
    """Drag a box to and fro as quickly as the browser takes moves: one to each of its frames."""
    box = page.locator(".rk-main .rk-picture").bounding_box()
    assert box is not None
    scale = box["width"] / 1920
    start = (box["x"] + 920 * scale, box["y"] + 550 * scale)
    page.mouse.move(*start)
    page.mouse.down()
    page.evaluate("() => { window.seen = []; window.sent = [] }")
    for number in range(360):
        page.mouse.move(start[0] + 80 * np.sin(number / 18), start[1])
    page.mouse.up()
    page.wait_for_timeout(500)
    page.mouse.move(5, 5)
    sent, seen = np.array(page.evaluate("window.sent")), np.array(page.evaluate("window.seen"))
    expected = 800 + (sent[:, 1].round() - round(start[0])) / scale
    waits = [wait for wait in (_wait_of(when, x, sent[:, 0], expected, scale) for when, x in seen) if wait is not None]
    return {
        "drag, median (ms)": float(np.median(waits)),
        "drag, p95 (ms)": float(np.percentile(waits, 95)),
        "drag, redraws a second": (len(seen) - 1) / (seen[-1, 0] - seen[0, 0]) * 1000,
    }


def _wait_of(when: float, x: float, sent: Any, expected: Any, scale: float) -> float | None:
    """Return how long before it was seen the pointer was last where the box is."""
    match = np.flatnonzero((sent <= when) & (abs(expected - x) <= 1.5 / scale))
    return float(when - sent[match[-1]]) if match.size else None


def _until_loaded(page: Page, act: Callable[[], None]) -> float:
    """Do something and return milliseconds from the event in the page to the next picture painted."""
    page.evaluate("() => { window.loads = [] }")
    act()
    page.wait_for_function("window.loads.length > 0", polling=10)
    return float(page.evaluate("window.loads[0] - window.asked"))


def slide(page: Page) -> dict[str, float]:
    """Step the slider by its keys to and fro, then click it anywhere."""
    slider = page.locator(".rk-slider .noUi-target")
    handle = page.locator(".rk-slider .noUi-handle")
    handle.focus()
    steps = [*["ArrowRight"] * 15, *["ArrowLeft", "ArrowRight"] * 20]
    near = [_until_loaded(page, lambda key=key: page.keyboard.press(key)) for key in steps]  # type: ignore[misc]
    place = slider.bounding_box()
    assert place is not None
    chance = np.random.default_rng(0)
    far = []
    for share in chance.uniform(0.02, 0.98, 40):
        at = (place["x"] + place["width"] * float(share), place["y"] + place["height"] / 2)
        far.append(_until_loaded(page, lambda at=at: page.mouse.click(*at)))  # type: ignore[misc]
        page.wait_for_timeout(250)
    return {
        "slider step in a visited region, p95 (ms)": float(np.percentile(near[15:], 95)),
        "slider to anywhere, p95 (ms)": float(np.percentile(far, 95)),
    }


def play(page: Page) -> dict[str, float]:
    """Play for six seconds and count the pictures painted."""
    page.locator(".rk-do-first").click()
    page.wait_for_timeout(500)
    page.locator(".rk-do-play").click()
    page.wait_for_timeout(1000)
    page.evaluate("() => { window.loads = [] }")
    page.wait_for_timeout(6000)
    loads = page.evaluate("window.loads")
    page.locator(".rk-do-play").click()
    return {"playback, frames a second": (len(loads) - 1) / (loads[-1] - loads[0]) * 1000}


def grow(notebook: LabNotebook) -> dict[str, float]:
    """Play on until 2,000 frames more were painted; return by how much the kernel grew.

    Nobody else listens to the kernel meanwhile: what a listener does not read, the kernel would keep for it.
    """
    page, pid = notebook.page, notebook.kernel.ask("__import__('os').getpid()")
    notebook.kernel.close()
    notebook._kernel = None
    before, end = _resident(pid), time.monotonic() + 300
    page.evaluate("() => { window.loads = [] }")
    while page.evaluate("window.loads.length") < 2000 and time.monotonic() < end:
        page.locator(".rk-do-play").click()
        page.wait_for_timeout(1000)
        page.wait_for_selector(".rk-do-play .fa-play", timeout=120_000)
    return {"memory after 2,000 frames (MB more)": _resident(pid) - before}


def _resident(pid: int) -> float:
    """Return a process's resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def measure_large(server: LabServer, browser: Any) -> dict[str, float]:
    notebook = LabNotebook(server, browser, write_notebook(server.root / "large.ipynb", LARGE, LARGE_OPEN))
    try:
        page = notebook.page
        notebook.kernel.run("import redactkit.widgets")
        begun = time.monotonic()
        notebook.start_all()
        page.wait_for_function("document.querySelector('.rk-main .rk-picture')?.naturalWidth > 100", timeout=60_000)
        page.wait_for_function("document.querySelectorAll('.rk-cell').length == 50", timeout=60_000)
        opened = time.monotonic() - begun
        page.wait_for_timeout(3000)
        return {"workbench on 2 h and 500 faces opens (s)": opened, **turn(page), **edit(notebook)}
    finally:
        notebook.close()


def turn(page: Page) -> dict[str, float]:
    """Turn the page of the face grid."""
    begun = time.monotonic()
    page.locator(".rk-faces .fa-chevron-right").click()
    page.wait_for_selector(".rk-f51")
    return {"page of 50 of 500 faces (s)": time.monotonic() - begun}


def edit(notebook: LabNotebook) -> dict[str, float]:
    """Edit a box of the large table, with every view following."""
    kernel = notebook.kernel
    kernel.run("import time; review.current_face = 7; times = []")
    for number in range(5):
        kernel.run(f"t = time.time(); review.set_box([{number}, 9, 30, 30], frame=2600); times.append(time.time() - t)")
    return {"edit on 500,000 boxes, median (ms)": float(pd.Series(kernel.ask("times")).median() * 1000)}


if __name__ == "__main__":
    main()
