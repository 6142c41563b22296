"""A kernel that is killed under the mouse: what was dragged before is there when the cells are run again."""

from __future__ import annotations

import os
import signal

import pytest

from tests.browser.workroom import Workroom

OPEN = """
import redactkit as rk
from redactkit.runtime.resources import sample_truth_path
review = rk.Review.open(rk.sample_path(), rk.read_annotations(sample_truth_path()))
"""
FACE = 1


def test_drag_before_a_kill_is_there_again_and_the_page_says_so(open_notebook):
    lab = open_notebook(OPEN, "room = rk.widgets.Workbench(review)\nroom")
    lab.run_all()
    before = lab.kernel.ask(f"review.box_of({FACE})")
    home = lab.kernel.ask("str(review.home)")
    assert home == str(lab.path.parent / "redactkit-output" / "sample_analysis")  # not in the package's folder
    process = lab.kernel.ask("__import__('os').getpid()")
    room = Workroom(lab)
    middle = (before[0] + before[2] / 2, before[1] + before[3] / 2)
    room.drag(middle, (middle[0] + 60, middle[1] + 30))
    lab.kernel.wait_until("review.history_position")
    lab.restart_after(lambda: os.kill(process, signal.SIGKILL))
    lab.run_all()
    assert lab.kernel.ask("__import__('os').getpid()") != process
    lab.find("rk-viewer").get_by_text("opened again with 1 edits").first.wait_for()
    assert lab.kernel.ask(f"review.box_of({FACE})")[:2] == pytest.approx([before[0] + 60, before[1] + 30], abs=4)
