"""How quickly the widgets answer, through a real JupyterLab and a real Chromium: ``python -m benchmarks.widgets``.

Every time is taken in the page, from the browser's own event to the first frame painted after the change; with the
server here and, through a proxy, 80 and 200 ms away.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

from benchmarks.clips import make_clip, repeat_clip
from benchmarks.delay import DelayProxy
from benchmarks.speed import FOLDER
from tests.browser.lab import CHROMIUM_FLAGS, LabNotebook, LabServer, find_chromium, write_notebook

LIMITS = {
    "first picture, from Run (s)": 2,
    "drag, median (ms)": 16,
    "drag, p95 (ms)": None,
    "next frame by key, median (ms)": 100,
    "next frame by key, p95 (ms)": None,
    "frame anywhere by the slider, median (ms)": None,
    "played, frames a second of 25": 22.5,
    "played as pictures, frames a second of 25": None,
    "workbench on 2 h and 500 faces opens (s)": 3,
    "edit on 2 h and 500,000 boxes, median (ms)": 500,
    "edit by mouse on 500,000 boxes, median (ms)": 300,
    "undo of it, median (ms)": 300,
    "memory of the kernel (MB)": None,
    "memory after 1,000 frames (MB more)": 20,
}
"""What is measured, and the limit; for frames a second the least, else the most."""

DELAYS = (0, 80, 200)
NEAR = ["ArrowRight"] * 25 + ["ArrowLeft"] * 10

WATCH = """() => {
  window.seen = []; window.sent = []; window.frames = [];
  const overlay = document.querySelector('.rk-main .rk-overlay'), front = document.querySelector('.rk-front');
  new MutationObserver(() => {
    const box = overlay.querySelector('.rk-now');
    if (box) { const x = parseFloat(box.getAttribute('x'));
      requestAnimationFrame(() => setTimeout(() => window.seen.push([performance.now(), x]), 0)); }
  }).observe(overlay, {childList: true});
  new MutationObserver(() => requestAnimationFrame(() =>
    window.frames.push([performance.now(), Number(front.dataset.frame)])))
    .observe(front, {attributes: true, attributeFilter: ['data-frame']});
  document.addEventListener('pointermove', e => window.sent.push([performance.now(), e.clientX]), true);
  for (const name of ['keydown', 'pointerdown'])
    document.addEventListener(name, () => { window.asked = performance.now() }, true);
}"""

OPEN = """import numpy as np, pandas as pd, redactkit as rk, redactkit.widgets, time
from redactkit.annotations import Annotations
from redactkit.video import probe
info = probe({clip!r})
count = info.frame_count
frames = np.concatenate([np.arange(2500) + start for start in np.linspace(0, count - 2501, 199).astype(int)])
faces = np.repeat(np.arange(2, 201), 2500)
places = dict(x=faces * 97 % 1800 * 1.0, y=faces * 31 % 900 + frames % 50 * 1.0, width=40.0, height=50.0)
rows = pd.DataFrame(dict(frame=frames, time=info.times[frames], face_id=faces, **places))
mine = dict(frame=np.arange(2500), time=info.times[:2500], face_id=1, x=800.0, y=400.0, width=240.0, height=300.0)
table = pd.concat([rows, pd.DataFrame(mine)]).assign(confidence=0.9, source='detected')
table = rk.tables.as_detections(rk.tables.sort_detections(rk.tables.as_detections(table)))
annotations = Annotations(info, table)"""
READY = """review = rk.Review.open({clip!r}, annotations)
review.current_face = 1"""
SHOW = "workbench = rk.widgets.Workbench(review)\nworkbench"

LARGE = """import numpy as np, redactkit as rk
from fractions import Fraction
from redactkit.annotations import Annotations
from redactkit.media import VideoInfo
frames = np.concatenate([start + np.arange(1000) for start in np.linspace(0, 178_999, 500).astype(int)])
boxes = dict(x=frames % 1800, y=frames % 900, width=60.0, height=80.0)
rows = dict(frame=frames, time=frames / 25, face_id=np.repeat(np.arange(1, 501), 1000), **boxes)
rows = rk.tables.as_detections(rows).assign(confidence=0.8, source='detected')
rows = rk.tables.as_detections(rk.tables.sort_detections(rows))
video = VideoInfo(None, 1920, 1080, Fraction(25), Fraction(1, 25), np.arange(180_000))
picture = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)
review = rk.Review(Annotations(video, rows), frames=lambda n: picture)
import redactkit.widgets"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.widgets", description=__doc__)
    parser.add_argument("--times", type=int, default=15, help="how often the 40 s of the 1080p clip are repeated")
    parser.add_argument("--pictures", action="store_true", help="also play where the server does not reach the file")
    parser.add_argument("--delays", type=int, nargs="*", default=DELAYS, help="round trips in ms")
    parser.add_argument("--large", action="store_true", help="also 2 h, 500 faces and 500,000 boxes")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    once = make_clip(FOLDER / "1080p-40s-5.mp4", size="1080p", seconds=40, faces=5)[0]
    clip = repeat_clip(once, FOLDER / f"1080p-40s-5-{options.times}x.mp4", times=options.times)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory(dir=FOLDER) as home:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        server = LabServer(Path(home))
        server.configure()
        try:
            found = {}
            for delay in options.delays:
                found[f"{delay} ms"] = measure_clip(server, browser, clip, delay, pictures=options.pictures)
                print(f"{delay} ms: {found[f'{delay} ms']}", file=sys.stderr)
            if options.large:
                found["0 ms"] = found.get("0 ms", {}) | measure_large(server, browser)
        finally:
            server.close()
            browser.close()
    print(as_markdown(found))


def as_markdown(found: dict[str, dict[str, float]]) -> str:
    """Return the measurements as a table, one column for each distance."""
    lines = [f"| what | {' | '.join(found)} | limit |", f"|---|{'---:|' * (len(found) + 1)}"]
    for name, limit in LIMITS.items():
        values = [f"{column[name]:.1f}" if name in column else "" for column in found.values()]
        if any(values):
            lines.append(f"| {name} | {' | '.join(values)} | {limit or ''} |")
    return "\n".join(lines)


def measure_clip(
    server: LabServer, browser: Any, clip: Path, delay: int, *, pictures: bool = False
) -> dict[str, float]:
    """Use a workbench on a clip through the proxy: where the server reaches the file, then where it does not."""
    here = server.root / f"clip-{delay}.mp4"
    try:
        os.link(clip, here)
    except OSError:
        shutil.copyfile(clip, here)
    proxy, port = DelayProxy(server.port, milliseconds=delay), server.port
    server.port = proxy.port
    try:
        found = _measure(server, browser, here, delay)
        return found | (_measure(server, browser, clip, delay, by_video=False) if pictures else {})
    finally:
        proxy.close()
        server.port = port


def _measure(server: LabServer, browser: Any, clip: Path, delay: int, *, by_video: bool = True) -> dict[str, float]:
    path = server.root / f"clip-{delay}-{by_video}.ipynb"
    notebook = LabNotebook(server, browser, write_notebook(path, READY.format(clip=str(clip)), SHOW))
    try:
        page = notebook.page
        notebook.kernel.run(OPEN.format(clip=str(clip)))
        begun = time.monotonic()
        notebook.start_all()
        page.wait_for_selector(".rk-front[data-frame]")
        first = time.monotonic() - begun
        page.evaluate("document.querySelector('.rk-workbench').scrollIntoView()")
        page.evaluate(WATCH)
        page.wait_for_timeout(2500)
        if not by_video:
            return play(page, by_video=False)
        found = {"first picture, from Run (s)": first, **drag(page), **step(page), **play(page)}
        return found | ({**edit_by_mouse(notebook), **grow(notebook)} if delay == 0 else {})
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
    for number in range(240):
        page.mouse.move(start[0] + 80 * np.sin(number / 18), start[1])
    page.wait_for_timeout(100)
    sent, seen = np.array(page.evaluate("window.sent")), np.array(page.evaluate("window.seen"))
    page.mouse.up()
    page.wait_for_timeout(800)
    expected = 800 + (sent[:, 1] - start[0]) / scale
    waits = [wait for wait in (_wait_of(when, x, sent[:, 0], expected, scale) for when, x in seen) if wait is not None]
    return {"drag, median (ms)": float(np.median(waits)), "drag, p95 (ms)": float(np.percentile(waits, 95))}


def _wait_of(when: float, x: float, sent: Any, expected: Any, scale: float) -> float | None:
    """Return how long before it was seen the pointer was last where the box is."""
    match = np.flatnonzero((sent <= when) & (abs(expected - x) <= 1.5 / scale))
    return float(when - sent[match[-1]]) if match.size else None


def _until_shown(page: Page, act: Callable[[], Any], pause: int) -> float:
    """Press a key or the mouse; return milliseconds to the next frame painted."""
    page.evaluate("() => { window.frames = [] }")
    act()
    page.wait_for_function("window.frames.length > 0", polling=10)
    took = float(page.evaluate("window.frames[0][0] - window.asked"))
    page.wait_for_timeout(pause)
    return took


def step(page: Page) -> dict[str, float]:
    """Go on and back by keys, and to frames that nobody has seen by clicks on the slider."""
    page.locator(".rk-front").focus()
    near = [_until_shown(page, lambda key=key: page.keyboard.press(key), 60) for key in NEAR]
    bar = page.locator(".rk-front input[type=range]").bounding_box()
    assert bar is not None
    places = [bar["x"] + share * bar["width"] for share in (0.83, 0.31, 0.67, 0.12, 0.94, 0.45, 0.22, 0.58, 0.76, 0.05)]
    middle = bar["y"] + bar["height"] / 2
    far = [_until_shown(page, lambda x=x: page.mouse.click(x, middle), 700) for x in places]
    return {
        "next frame by key, median (ms)": float(np.median(near)),
        "next frame by key, p95 (ms)": float(np.percentile(near, 95)),
        "frame anywhere by the slider, median (ms)": float(np.median(far)),
    }


COUNT = """async () => {
  const times = new Set(), text = document.querySelector('.rk-frame'), end = performance.now() + 5000;
  await new Promise(done => { const look = () => { times.add(text.textContent);
    performance.now() < end ? requestAnimationFrame(look) : done() }; requestAnimationFrame(look) });
  return times.size / 5; }"""


def play(page: Page, *, by_video: bool = True) -> dict[str, float]:
    """Play for five seconds and count the frames shown."""
    page.locator(".rk-front").focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(1500)
    page.locator(".rk-front .rk-do-play").click()
    page.wait_for_timeout(1500)
    found = page.evaluate("Boolean(document.querySelector('.rk-by-video'))")
    assert found == by_video, f"played by video: {found}"
    name = "played" if by_video else "played as pictures"
    shown = {f"{name}, frames a second of 25": float(page.evaluate(COUNT))}
    page.locator(".rk-front .rk-do-play").click()
    page.locator(".rk-front").focus()
    return shown


TIMED = """edited, undone = [], []
stage = workbench.viewer.stage
def timed(act, into):
    begun = time.monotonic(); act(); into.append((time.monotonic() - begun) * 1000)
for number in range(8):
    message = dict(do='edit', frame=50, face=1, box=[810.0 + number, 400, 240, 300], edit=number)
    timed(lambda: stage._receive(stage, message), edited)
    time.sleep(0.7)
for number in range(6):
    timed(review.undo, undone)
    time.sleep(0.7)"""


def edit_by_mouse(notebook: LabNotebook) -> dict[str, float]:
    """Let the kernel take drags of a box with 2,499 neighbours, one after the other, while every view follows."""
    kernel = notebook.kernel
    kernel.run(TIMED)
    return {
        "edit by mouse on 500,000 boxes, median (ms)": float(np.median(kernel.ask("edited"))),
        "undo of it, median (ms)": float(np.median(kernel.ask("undone"))),
        "memory of the kernel (MB)": _resident(kernel.ask("__import__('os').getpid()")),
    }


def grow(notebook: LabNotebook) -> dict[str, float]:
    """Step through 1,000 frames; return by how much the kernel grew.

    Nobody else listens to the kernel meanwhile: what a listener does not read, the kernel would keep for it.
    """
    page, pid = notebook.page, notebook.kernel.ask("__import__('os').getpid()")
    notebook.kernel.close()
    notebook._kernel = None
    before = _resident(pid)
    for number in range(100):
        page.keyboard.press("Shift+ArrowRight" if number % 90 < 80 else "Home")
        page.wait_for_timeout(150)
    return {"memory after 1,000 frames (MB more)": _resident(pid) - before}


def _resident(pid: int) -> float:
    """Return a process's resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def measure_large(server: LabServer, browser: Any) -> dict[str, float]:
    """Open a workbench on two hours, 500 faces and 500,000 boxes, and edit."""
    notebook = LabNotebook(server, browser, write_notebook(server.root / "large.ipynb", SHOW))
    try:
        page = notebook.page
        notebook.kernel.run(LARGE)
        begun = time.monotonic()
        notebook.start_all()
        page.wait_for_selector(".rk-front[data-frame]", timeout=60_000)
        opened = time.monotonic() - begun
        page.wait_for_timeout(3000)
        return {"workbench on 2 h and 500 faces opens (s)": opened, **edit(notebook)}
    finally:
        notebook.close()


def edit(notebook: LabNotebook, faces: Sequence[int] = range(5)) -> dict[str, float]:
    """Edit a box of the large table, with every view following."""
    kernel = notebook.kernel
    kernel.run("import time; review.current_face = 7; times = []")
    for number in faces:
        kernel.run(f"t = time.time(); review.set_box([{number}, 9, 30, 30], frame=2600); times.append(time.time() - t)")
    return {"edit on 2 h and 500,000 boxes, median (ms)": float(pd.Series(kernel.ask("times")).median() * 1000)}


if __name__ == "__main__":
    main()
