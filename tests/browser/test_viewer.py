"""The frame viewer in a real page: frames, playing, and boxes drawn, moved and resized with the mouse."""

from __future__ import annotations

import pytest

GRACE = 1


def test_slider_shows_other_pixels(room):
    before = room.pixels()
    slider = room.find(".rk-front .rk-slider")
    size = slider.bounding_box()
    slider.click(position={"x": size["width"] * 0.8, "y": size["height"] / 2})
    room.kernel.wait_until("review.current_frame > 350")
    frame = room.kernel.ask("review.current_frame")
    room.wait_for_frame(frame)
    assert abs(room.wait_for_pixels(lambda seen: seen != before)[0] - before[0]) > 2
    assert f"frame {frame} of 499" in room.find(".rk-frame").inner_text()
    room.kernel.wait_until(f"room.viewer.shown_frame == {frame}")


def test_play_shows_one_frame_after_another_and_stops(room):
    room.press("play")
    room.kernel.wait_until("review.current_frame > 25")
    room.press("play")
    room.find(".rk-do-play", has_text="Play").wait_for()
    room.page.wait_for_timeout(300)
    stopped = room.kernel.ask("review.current_frame")
    room.wait_for_frame(stopped)
    room.page.wait_for_timeout(300)
    assert room.kernel.ask("review.current_frame") == stopped


def test_place_typed_goes_to_its_time_or_frame(room):
    place = room.find(".rk-front .rk-time")
    for text, frame in (("00:00:12.000", 300), ("17", 17)):
        place.fill(text)
        place.press("Enter")
        room.kernel.wait_until(f"review.current_frame == {frame}")
        room.wait_for_frame(frame)


def test_drag_moves_a_box_and_its_neighbours_or_only_this_frame(room, subshells):
    x, y, width, height = room.box(GRACE)
    later = room.kernel.ask(f"review.box_of({GRACE}, frame=10)")
    room.drag((x + width / 2, y + height / 2), (x + width / 2 + 100, y + height / 2 + 40))
    room.kernel.wait_until("review.history_position == 1")
    assert room.box(GRACE) == pytest.approx([x + 100, y + 40, width, height], abs=2 * room.pixel)
    assert room.kernel.ask(f"review.box_of({GRACE}, frame=10)[0]") == pytest.approx(later[0] + 100, abs=2 * room.pixel)
    room.find(".rk-note").get_by_text("applied to frames 0 to").wait_for()
    room.find(".rk-offer-only").click()
    room.kernel.wait_until(f"review.box_of({GRACE}, frame=10) == {later}")
    assert room.box(GRACE) == pytest.approx([x + 100, y + 40, width, height], abs=2 * room.pixel)
    assert room.kernel.ask("review.history_position") == 1


def test_box_follows_the_mouse_before_the_kernel_knows(room):
    x, y, width, height = room.box(GRACE)
    mouse = room.page.mouse
    mouse.move(*room.point(x + width / 2, y + height / 2))
    mouse.down()
    mouse.move(*room.point(x + width / 2 + 80, y + height / 2))
    drawn = float(room.find(".rk-front .rk-now").get_attribute("x"))
    assert drawn == pytest.approx(x + 80, abs=2 * room.pixel)
    room.page.keyboard.press("Escape")
    assert float(room.find(f".rk-front .rk-box[data-face='{GRACE}']").get_attribute("x")) == pytest.approx(x, abs=1)
    mouse.up()
    assert room.kernel.ask("review.history") == []


def test_handle_resizes_a_box_and_undo_takes_it_back(room):
    before = x, y, width, height = room.box(GRACE)
    room.click(x + width / 2, y + height / 2)
    room.kernel.wait_until(f"review.current_face == {GRACE}")
    room.drag((x + width, y + height), (x + width + 60, y + height + 30))
    room.kernel.wait_until("review.history_position == 1")
    assert room.box(GRACE) == pytest.approx([x, y, width + 60, height + 30], abs=2 * room.pixel)
    room.press("undo")
    room.kernel.wait_until("review.history_position == 0")
    assert room.box(GRACE) == before


def test_drag_on_empty_ground_draws_a_face_that_is_redacted(room):
    room.drag((600, 560), (720, 700))
    room.kernel.wait_until("len(review.decisions) == 7")
    assert room.box(7) == pytest.approx([600, 560, 120, 140], abs=2 * room.pixel)
    assert room.kernel.ask("review.selected_ids") == [1, 2, 3, 4, 5, 6, 7]
    assert room.kernel.ask("review.detections.query('face_id == 7 and frame == 0')['source'].tolist()") == ["manual"]


def test_drag_goes_on_outside_the_picture_and_ends_where_the_button_is_let_go(room):
    x, y, width, height = room.box(GRACE)
    room.drag((x + width / 2, y + height / 2), (x + width / 2, -60))
    room.kernel.wait_until("review.history_position == 1")
    room.page.mouse.move(*room.point(900, 500))
    assert room.box(GRACE)[1] == pytest.approx(-60 - height / 2, abs=2 * room.pixel)


def test_preview_hides_what_is_redacted_and_shows_what_is_not(room):
    box = room.box(GRACE)
    plain = room.pixels(box)
    room.press("preview")
    hidden = room.wait_for_pixels(lambda seen: seen[1] < plain[1] / 2, box=box)
    room.kernel.run(f"review.decide([{GRACE}], redact=False)")
    shown = room.wait_for_pixels(lambda seen: seen[1] > 1.5 * hidden[1], box=box)
    assert shown[1] == pytest.approx(plain[1], rel=0.15)


def test_keys_work_with_the_focus_and_only_with_it(room):
    room.page.mouse.move(*room.point(640, 60))
    room.page.keyboard.press("Shift+ArrowRight")
    room.focus()
    for key in ("Shift+D", "a", "ArrowRight", "ArrowRight"):
        room.page.keyboard.press(key)
    room.kernel.wait_until("review.current_frame == 11")
    room.page.keyboard.press("?")
    room.find(".rk-help").get_by_text("10 frames on").wait_for()
    room.page.keyboard.press("Escape")
    room.find(".rk-help").wait_for(state="detached")


def test_burst_of_nudges_is_one_undo(room):
    room.focus()
    room.page.keyboard.press("1")
    room.kernel.wait_until(f"review.current_face == {GRACE}")
    before = room.box(GRACE)
    for _ in range(5):
        room.page.keyboard.press("Alt+ArrowRight")
    room.page.keyboard.press("Alt+Shift+ArrowDown")
    room.kernel.wait_until("review.history_position == 1")
    assert room.box(GRACE)[:2] == pytest.approx([before[0] + 5, before[1] + 10], abs=0.01)
    room.page.keyboard.press("z")
    room.kernel.wait_until("review.history_position == 0")


def test_code_in_another_cell_is_seen_at_once(room):
    room.kernel.run("review.current_frame = 300")
    room.wait_for_frame(300)
    assert "frame 300 of" in room.find(".rk-frame").inner_text()


def test_split_and_merge_by_the_boxes_own_bar_and_a_key(room):
    room.kernel.run(f"review.current_face, review.current_frame = {GRACE}, 50")
    room.wait_for_frame(50)
    room.press("split")
    room.kernel.wait_until("7 in review.tracks.index")
    assert room.kernel.ask("[int(review.tracks.loc[f, 'first_frame']) for f in (1, 7)]") == [0, 50]
    room.kernel.run(f"review.marked = [{GRACE}, 7]")
    room.focus()
    room.page.keyboard.press("m")
    room.kernel.wait_until("7 not in review.tracks.index")
    assert room.kernel.ask("int(review.tracks.loc[1, 'frames'])") == 356


def test_wheel_zooms_to_the_pointer_once_the_picture_was_clicked(room):
    room.page.mouse.move(*room.point(400, 200))
    room.focus()
    before = room.picture.bounding_box()
    room.page.mouse.wheel(0, -600)
    room.page.wait_for_function(
        "([picture, width]) => picture.getBoundingClientRect().width > 2 * width",
        arg=[room.picture.element_handle(), before["width"]],
    )
    after = room.picture.bounding_box()
    share = [(400 / 1280 * box["width"] + box["x"], 200 / 720 * box["height"] + box["y"]) for box in (before, after)]
    assert share[0] == pytest.approx(share[1], abs=3)
    room.find(".rk-detail").wait_for(state="visible")
    room.drag((400, 200), (430, 230))
    room.kernel.wait_until("len(review.decisions) == 7")
    assert room.box(7) == pytest.approx([400, 200, 30, 30], abs=2)


def test_full_window_fills_the_page_and_comes_back(room):
    small = room.picture.bounding_box()["width"]
    room.press("full")
    place = room.page.locator(".rk-workbench").bounding_box()
    assert [place[side] for side in ("x", "y", "width", "height")] == pytest.approx([0, 0, 1366, 768], abs=1)
    room.page.keyboard.press("ArrowRight")
    room.kernel.wait_until("review.current_frame == 1")
    room.page.keyboard.press("Escape")
    room.page.wait_for_function("document.querySelector('.jp-Notebook .rk-workbench')")
    assert room.picture.bounding_box()["width"] == pytest.approx(small, abs=2)
