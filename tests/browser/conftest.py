"""Fixtures of the browser tests: one JupyterLab and one Chromium for all, a notebook and a page for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.lab import CHROMIUM_FLAGS, LabNotebook, LabServer, find_chromium, write_notebook
from tests.browser.workroom import OPEN, WORKBENCH, Workroom


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder ``browser``."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests."""
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def lab_server(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One JupyterLab for all browser tests, with every folder of its own."""
    server = LabServer(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


@pytest.fixture(params=["perCommTarget", "disabled"])
def subshells(request: pytest.FixtureRequest, lab_server: LabServer) -> str:
    """Both ways in which JupyterLab sends a widget's messages: beside a running cell, or after it."""
    lab_server.configure(kernels_settings={"commsOverSubshells": request.param})
    return str(request.param)


@pytest.fixture
def open_notebook(
    lab_server: LabServer, browser: Browser, request: pytest.FixtureRequest
) -> Iterator[Callable[..., LabNotebook]]:
    """Open a notebook of these cells, or a copy of one by its path, in a folder of this test's own."""
    folder = lab_server.root / request.node.name.replace("[", "-").rstrip("]")
    opened: list[LabNotebook] = []
    if "subshells" not in request.fixturenames:
        lab_server.configure()

    def open_one(*cells: str, notebook: Path | None = None, size: dict[str, int] | None = None) -> LabNotebook:
        folder.mkdir(exist_ok=True)
        path = folder / (notebook.name if notebook else f"test{len(opened)}.ipynb")
        if notebook:
            shutil.copyfile(notebook, path)
        else:
            write_notebook(path, *cells)
        opened.append(LabNotebook(lab_server, browser, path, size=size))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def labs(lab_server: LabServer, browser: Browser) -> Iterator[dict[str, LabNotebook]]:
    """Notebooks that several tests use in turn, by the setting they were opened with."""
    opened: dict[str, LabNotebook] = {}
    yield opened
    for lab in opened.values():
        lab.close()


@pytest.fixture
def room(
    labs: dict[str, LabNotebook], lab_server: LabServer, browser: Browser, request: pytest.FixtureRequest
) -> Workroom:
    """A fresh workbench on the sample clip with its true boxes; the page and the kernel are used again."""
    mode = request.getfixturevalue("subshells") if "subshells" in request.fixturenames else "perCommTarget"
    if mode not in labs:
        lab_server.configure(kernels_settings={"commsOverSubshells": mode})
        folder = lab_server.root / f"room-{mode}"
        folder.mkdir()
        labs[mode] = LabNotebook(lab_server, browser, write_notebook(folder / "room.ipynb", OPEN, WORKBENCH))
    labs[mode].run_all()
    labs[mode].page.locator(".rk-workbench").scroll_into_view_if_needed()
    return Workroom(labs[mode])
