"""Notebook 7 and Voilà show the same workbench, and what the mouse does there is in the autosave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from redactkit.formats import read_annotations
from redactkit.review import Review
from redactkit.runtime.resources import sample_path, sample_truth_path
from tests.browser.lab import LAPTOP, LabServer, write_notebook
from tests.browser.workroom import OPEN, WORKBENCH, frame_point
from tests.waiting import wait_until

RUN = """() => { const { currentWidget } = jupyterapp.shell;
  currentWidget.sessionContext.ready.then(() => jupyterapp.commands.execute('notebook:run-all-cells')) }"""
FACE, MOVED = 1, (60.0, 40.0)


class Kernels:
    """The kernels that were started since."""

    def __init__(self, server: LabServer) -> None:
        self._server, self._before = server, set(server.kernels())

    def end_all(self) -> None:
        for kernel in set(self._server.kernels()) - self._before:
            self._server.end_kernel(kernel)


@pytest.fixture
def kernels(lab_server: LabServer) -> Iterator[Kernels]:
    started = Kernels(lab_server)
    yield started
    started.end_all()


@pytest.fixture
def open_page(lab_server: LabServer, browser: Browser) -> Iterator[Callable[[str, Path], Page]]:
    """Open a page of the server on a notebook."""
    context = browser.new_context(viewport=LAPTOP)

    def open_one(address: str, notebook: Path) -> Page:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(lab_server.url(f"{address}/{notebook.relative_to(lab_server.root).as_posix()}"))
        return page

    yield open_one
    context.close()


@pytest.mark.parametrize("name", ["notebook7", "voila"])
def test_box_dragged_in_another_page_is_in_the_autosave(
    name: str, lab_server: LabServer, kernels: Kernels, open_page: Callable[[str, Path], Page]
) -> None:
    folder = lab_server.root / name
    folder.mkdir()
    notebook = write_notebook(folder / "room.ipynb", OPEN, WORKBENCH)
    if name == "voila":
        page = open_page("voila/render", notebook)
    else:
        page = open_page("notebooks", notebook)
        page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.isReady", polling=100)
        page.evaluate(RUN)
    page.wait_for_selector('.rk-workbench .rk-front[data-frame="0"]')
    picture = page.locator(".rk-workbench .rk-main .rk-picture")
    picture.scroll_into_view_if_needed()
    assert picture.evaluate(
        "one => new Set(one.getContext('2d').getImageData(0, 0, one.width, one.height).data).size > 50"
    )
    truth = read_annotations(sample_truth_path())
    x, y, width, height = before = Review(truth).box_of(FACE, frame=0) or [0.0] * 4
    start = (x + width / 2, y + height / 2)
    page.mouse.move(*frame_point(picture, *start))
    page.mouse.down()
    page.mouse.move(*frame_point(picture, start[0] + MOVED[0], start[1] + MOVED[1]), steps=6)
    page.mouse.up()
    autosave = folder / "decided" / "sample_autosave.jsonl"
    wait_until(lambda: autosave.exists() and autosave.read_bytes().count(b"\n") > 1, 20)
    kernels.end_all()  # while one runs, the file is its own
    again = Review.open(sample_path(), truth)
    try:
        assert again.keep_autosave(folder / "decided", stem="sample") == 1
        box = again.box_of(FACE, frame=0) or [0.0] * 4
        assert box == pytest.approx([before[0] + MOVED[0], before[1] + MOVED[1], *before[2:]], abs=4)
    finally:
        again.close()
