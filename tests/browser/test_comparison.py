"""The comparison's viewer in a real page: legend, two sets in one picture, and the table that leads to a frame."""

from __future__ import annotations

import pytest

VIEWER = """
import redactkit as rk
from redactkit.runtime.resources import sample_truth_path
truth = rk.read_annotations(sample_truth_path())
rows = truth.detections.query("not (frame == 40 and face_id == 1)")
moved = rows["frame"].eq(60) & rows["face_id"].eq(4)
found = truth.replace(detections=rows.assign(x=rows["x"].where(~moved, 20.0)))
viewer = rk.widgets.CompareViewer(truth, found, video=rk.sample_path(), names=("truth", "<i>ours"))
viewer
"""


def test_row_of_the_table_leads_to_boxes_in_two_colours(open_notebook, subshells):
    lab = open_notebook(VIEWER)
    lab.run_all()
    assert lab.find("rk-legend").get_by_text("<i>ours, 1919 boxes").is_visible()
    lab.page.locator(".rk-compare td.rk-w60").first.click()
    lab.page.wait_for_selector('.rk-compare .rk-front[data-frame="60"]')
    missed, extra = (lab.page.locator(f".rk-compare .rk-overlay .rk-box.rk-{kind}") for kind in ("missed", "extra"))
    missed.wait_for()
    colours = [one.evaluate("box => getComputedStyle(box).stroke") for one in (missed, extra)]
    dashes = [one.evaluate("box => getComputedStyle(box).strokeDasharray") for one in (missed, extra)]
    assert len(set(colours)) == len(set(dashes)) == 2
    shown, picture = extra.bounding_box(), lab.page.locator(".rk-compare .rk-main .rk-picture").bounding_box()
    assert shown["x"] - picture["x"] == pytest.approx(20 / 1280 * picture["width"], abs=3)
    lab.page.locator(".rk-compare .rk-do-differ-back").click()
    lab.kernel.wait_until("viewer.review.current_frame == 40")
    lab.page.locator(".rk-compare .rk-front").focus()
    lab.page.keyboard.press("ArrowRight")
    lab.kernel.wait_until("viewer.review.current_frame == 41")
    lab.kernel.run("viewer.close()")
    lab.find("rk-compare").wait_for(state="detached")
