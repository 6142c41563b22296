"""Thumbnails, tracks and IDs in a real page, and what they decide in the redacted file."""

from __future__ import annotations

import pytest

SHARPNESS = """
from redactkit.video import VideoReader
def sharpness(path, face):
    with VideoReader(path) as reader:
        gray = reader.frame_at(3).gray().astype(float)
    x, y, w, h = (round(value) for value in review.box_of(face, frame=3))
    return abs(gray[y:y + h, x + 1:x + w] - gray[y:y + h, x:x + w - 1]).mean()
"""
SCRIPT = "<script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"


def test_person_is_decided_named_and_gone_to_by_keys_on_the_cards(room, subshells):
    room.find(".rk-who .rk-card").nth(5).wait_for()
    assert "6 of 6 hidden" in room.find(".rk-who .rk-cards-head").inner_text()
    room.find(".rk-who .rk-card").first.click()
    first = room.kernel.wait_until("review.current_face")
    room.page.keyboard.press("v")
    room.kernel.wait_until(f"{first} not in review.selected_ids")
    room.kernel.wait_until(f"review.current_face != {first}")
    room.find(f".rk-card[data-key='f{first}']").get_by_text("visible", exact=True).wait_for()
    room.page.keyboard.press("ArrowLeft")
    room.page.keyboard.press("e")
    room.page.keyboard.type("Ana")
    room.page.keyboard.press("Enter")
    room.kernel.wait_until(f"review.decisions.loc[{first}, 'label'] == 'Ana'")
    assert room.kernel.ask("review.current_frame") == 0
    room.page.keyboard.press("Enter")
    room.kernel.wait_until(f"{first} in review.selected_ids")
    assert room.page.evaluate("[...document.querySelectorAll('.rk-card img')].every(one => one.naturalWidth > 20)")


def test_places_are_checked_one_after_the_other(room):
    room.kernel.run("review.delete_boxes(faces=[1], start=20, stop=40)")
    room.kernel.run("review.queue = review.to_review().query('face_id == 1 and reason == \"gap\" and frame == 20')")
    room.open_step("Check")
    card = room.find(".rk-check-list .rk-card", has_text="has no box").first
    card.click()
    room.kernel.wait_until("review.current_face == 1 and review.current_frame in range(19, 41)")
    left = room.kernel.ask("room.check.left")
    room.page.keyboard.press("f")
    room.kernel.wait_until(f"room.check.left == {left - 1}")
    card.wait_for(state="detached")
    room.find(".rk-fold", has_text="Answered: 1").wait_for()


def test_thumbnail_click_arrives_at_the_first_frame(room):
    room.open_step("Who", "Grid")
    room.find(".rk-faces .rk-f5").click()
    room.kernel.wait_until("review.current_frame == 275")
    assert room.kernel.ask("review.current_face") == 5
    room.wait_for_frame(275)


def test_untick_changes_the_id_list_and_undo_restores_it(room):
    room.open_step("Who", "ID list")
    text = room.find(".rk-id-text")
    assert "4" in text.inner_text() + text.locator("textarea").input_value()
    room.open_step("Who", "Grid")
    room.find(".rk-faces .rk-t4").click()
    room.kernel.wait_until("review.selected_ids == [1, 2, 3, 5, 6]")
    room.open_step("Who", "ID list")
    room.page.wait_for_function("list => !list.value.includes('4')", arg=text.locator("textarea").element_handle())
    room.press("undo")
    room.kernel.wait_until("review.selected_ids == [1, 2, 3, 4, 5, 6]")


def test_unticked_face_stays_visible_in_the_redacted_file(room):
    room.open_step("Who", "Grid")
    room.find(".rk-faces .rk-t1").click()
    room.kernel.wait_until("1 not in review.selected_ids")
    room.kernel.run("review.delete_boxes(start=8)")
    room.open_step("Export")
    room.find(".rk-redact .rk-check input").uncheck()
    room.find(".rk-redact .rk-output input").fill("unticked.mp4")
    room.find(".rk-redact .rk-output input").press("Enter")
    room.find(".rk-redact .rk-run").click()
    room.find(".rk-player").wait_for(timeout=240_000)
    room.find(".rk-said-doubtful").get_by_text("not checked").wait_for()
    room.kernel.run(SHARPNESS)
    before = room.kernel.ask("[sharpness(rk.sample_path(), face) for face in (1, 3)]")
    after = room.kernel.ask("[sharpness('unticked.mp4', face) for face in (1, 3)]")
    assert after[0] == pytest.approx(before[0], rel=0.15)
    assert after[1] < before[1] / 2


def test_label_with_a_script_is_shown_as_text(room):
    room.kernel.run(f"review.decide([1, 3], label={SCRIPT!r}); review.current_face = 1")
    room.find(".rk-who .rk-card-title").get_by_text("<script>").first.wait_for()
    room.open_step("Who", "Grid")
    room.find(".rk-faces .rk-f1").get_by_text("<script>").wait_for()
    for view in ("Table", "Box in numbers", "ID list"):
        room.open_step("Who", view)
        room.page.wait_for_timeout(200)
    room.open_step("Who", "Table")
    room.find(".rk-table").get_by_text("<script>").first.wait_for()
    room.find(".rk-main svg.rk-overlay").get_by_text("<script>").first.wait_for()
    assert room.page.evaluate("window.broken === undefined")


def test_label_typed_in_the_page_is_text_everywhere(room):
    room.kernel.run("review.current_face = 1")
    room.open_step("Who", "Table")
    field = room.find(".rk-tracks .rk-label input")
    field.fill(SCRIPT)
    field.press("Enter")
    room.kernel.wait_until(f"review.decisions.loc[1, 'label'] == {SCRIPT!r}")
    room.find(".rk-table").get_by_text("<script>").first.wait_for()
    assert room.page.evaluate("window.broken === undefined")


def test_track_row_click_goes_to_the_face(room):
    room.open_step("Who", "Table")
    room.find(".rk-tracks tr.rk-r6, .rk-tracks .rk-r6 >> nth=0").click()
    room.kernel.wait_until("review.current_face == 6 and review.current_frame == 275")


def test_timeline_click_goes_to_the_time(room):
    bars = room.find(".rk-timeline .rk-lanes")
    shown = bars.bounding_box()
    bars.click(position={"x": shown["width"] * 0.5, "y": shown["height"] / 2})
    room.kernel.wait_until("abs(review.current_frame - 250) < 10")
