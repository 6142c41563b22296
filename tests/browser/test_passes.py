"""Passes run from the page: the first notebook from top to bottom, and cancelling."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_two_passes_notebook_runs_in_the_page_and_leaves_a_redacted_file(open_notebook):
    lab = open_notebook(notebook=NOTEBOOKS / "01_two_passes.ipynb")
    lab.run_all()
    assert lab.kernel.ask("report.ok")
    written = lab.path.parent / "redactkit-output" / "01_two_passes"
    assert (written / "sample_redacted.mp4").stat().st_size > 500_000
    assert (written / "sample_IDList.txt").read_text().split()
    assert lab.kernel.ask("longest not in review.selected_ids")


@pytest.mark.parametrize("tab", ["Redact", "Analyze"])
def test_cancelled_pass_leaves_no_file(room, subshells, tab):
    folder = room.lab.path.parent
    room.open_step("Export" if tab == "Redact" else "Find")
    panel = room.find(f".rk-{tab.lower()}")
    if tab == "Analyze":
        panel.get_by_text("Advanced").click()
    panel.locator(".rk-output input").first.fill("cancelled.mp4" if tab == "Redact" else "cancelled")
    panel.locator(".rk-output input").first.press("Enter")
    panel.locator(".rk-run").click()
    room.kernel.wait_until("room.runner.jobs and room.runner.jobs[-1].done > 20", timeout=240)
    panel.locator(".rk-cancel").first.click()
    room.kernel.wait_until("room.runner.jobs[-1].state == 'cancelled'")
    assert [path for path in folder.rglob("*cancelled*") if path.is_file()] == []


BUSY_CELL = """
import time
for _ in range(60):
    state = room.runner.jobs[-1].state
    if state == "cancelled":
        break
    time.sleep(0.25)
"""


def test_cancel_works_while_a_cell_runs(room):
    room.open_step("Export")
    panel = room.find(".rk-redact")
    # On a busy machine ipykernel may leave a request in its socket until a cell ends
    # (https://github.com/ipython/ipykernel/issues/1554), which no widget can help: three tries.
    for attempt in range(3):
        output = f"busy{attempt}.mp4"
        panel.locator(".rk-output input").fill(output)
        panel.locator(".rk-output input").press("Enter")
        panel.locator(".rk-run").click()
        room.kernel.wait_until(f"len(room.runner.jobs) > {attempt} and room.runner.jobs[-1].done > 5", timeout=240)
        room.lab.page.evaluate(
            "(code) => { jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}) }",
            BUSY_CELL,
        )
        room.page.wait_for_timeout(300)
        panel.locator(".rk-cancel").first.click()
        if room.kernel.ask("state", timeout=240) == "cancelled":
            break
        room.kernel.wait_until("room.runner.jobs[-1].state in ('cancelled', 'done')", timeout=240)
    assert room.kernel.ask("state") == "cancelled"
    assert not (room.lab.path.parent / output).exists()
