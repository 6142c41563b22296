"""The harness itself: cells run, widgets answer, the kernel can be asked, the settings arrive."""

from __future__ import annotations

import pytest

SLIDER = """
import threading, ipywidgets
seen = []
slider = ipywidgets.IntSlider(max=10)
slider.observe(lambda change: seen.append([change["new"], threading.current_thread().name]), "value")
slider.add_class("probe")
slider
"""


def test_run_all_shows_output_and_the_kernel_answers(open_notebook):
    lab = open_notebook("print('made by a cell')", "answer = 6 * 7")
    lab.run_all()
    assert lab.page.locator(".jp-OutputArea-output", has_text="made by a cell").is_visible()
    assert lab.kernel.ask("answer") == 42


def test_run_all_raises_with_the_error_of_a_cell(open_notebook):
    lab = open_notebook("1 / 0")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        lab.run_all()


def test_widget_callback_runs_where_the_setting_says(open_notebook, subshells):
    lab = open_notebook(SLIDER)
    lab.run_all()
    lab.find("probe").locator(".noUi-handle").focus()
    for value in (1, 2, 3):
        lab.page.keyboard.press("ArrowRight")
        lab.kernel.wait_until(f"slider.value == {value}")
    thread = lab.kernel.ask("seen[-1][1]")
    assert thread.startswith("subshell") == (subshells == "perCommTarget")


def test_use_theme_turns_the_page_dark_and_light(open_notebook):
    lab = open_notebook("1")
    for name in ("Dark", "Light"):
        lab.use_theme(name)
        dark = lab.page.evaluate("document.body.dataset.jpThemeLight")
        assert dark == str(name == "Light").lower()
