"""The frame viewer in a real page: frames, playing, and boxes drawn, moved and resized with the mouse."""

from __future__ import annotations

import pytest

GRACE = 1


def test_slider_shows_other_pixels(room):
    before = room.pixels()
    slider = room.find(".rk-slider .noUi-base")
    width = slider.bounding_box()["width"]
    slider.click(position={"x": width * 0.8, "y": 3})
    room.kernel.wait_until("review.current_frame > 350")
    frame = room.kernel.ask("review.current_frame")
    room.wait_for_frame(frame)
    assert abs(room.wait_for_pixels(lambda seen: seen != before)[0] - before[0]) > 2
    assert room.find(".rk-frame input").input_value() == str(frame)


def test_play_shows_one_frame_after_another_and_stops(room):
    room.press("play")
    room.kernel.wait_until("review.current_frame > 25")
    room.press("play")
    room.kernel.wait_until("not room.viewer.player.playing")
    stopped = room.kernel.ask("review.current_frame")
    room.page.wait_for_timeout(400)
    assert room.kernel.ask("review.current_frame") == stopped


def test_time_typed_goes_to_its_frame(room):
    box = room.find(".rk-time input")
    box.fill("00:00:12.000")
    box.press("Enter")
    room.kernel.wait_until("review.current_frame == 300")


def test_drag_moves_a_box(room, subshells):
    x, y, width, height = room.box(GRACE)
    room.drag((x + width / 2, y + height / 2), (x + width / 2 + 100, y + height / 2 + 40))
    room.kernel.wait_until("review.history_position == 1")
    moved = room.box(GRACE)
    assert moved == pytest.approx([x + 100, y + 40, width, height], abs=2 * room.pixel)


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
    assert room.kernel.ask("review.detections.query('face_id == 7')['source'].tolist()") == ["manual"]


def test_drag_that_leaves_the_picture_ends_there(room):
    x, y, width, height = room.box(GRACE)
    room.drag((x + width / 2, y + height / 2), (x + width / 2, -60))
    room.page.mouse.move(*room.point(900, 500))
    room.kernel.wait_until("not room.viewer.pointer.dragging")
    assert room.box(GRACE)[1] < y


def test_preview_hides_what_is_redacted_and_shows_what_is_not(room):
    box = room.box(GRACE)
    plain = room.pixels(box)
    room.find(".rk-preview input").check()
    hidden = room.wait_for_pixels(lambda seen: seen[1] < plain[1] / 2, box=box)
    room.find(".rk-faces .rk-t1").click()
    shown = room.wait_for_pixels(lambda seen: seen[1] > 1.5 * hidden[1], box=box)
    assert shown[1] == pytest.approx(plain[1], rel=0.15)


def test_keys_work_over_the_picture(room):
    room.page.mouse.move(*room.point(640, 60))
    room.page.keyboard.press("v")
    room.kernel.wait_until("review.current_frame == 10")
    room.page.keyboard.press("d")
    room.kernel.wait_until("review.current_frame == 9")


def test_code_in_another_cell_is_seen_at_once(room):
    room.kernel.run("review.current_frame = 300")
    room.wait_for_frame(300)
    assert room.find(".rk-frame input").input_value() == "300"


def test_split_and_merge_by_buttons(room):
    room.kernel.run(f"review.current_face, review.current_frame = {GRACE}, 50")
    room.press("split")
    room.kernel.wait_until("7 in review.tracks.index")
    assert room.kernel.ask("[int(review.tracks.loc[f, 'first_frame']) for f in (1, 7)]") == [0, 50]
    room.find(".rk-faces .rk-f7").wait_for()  # the grid is drawn anew: a click into the one before is lost
    for face in (GRACE, 7):
        room.find(f".rk-faces .rk-f{face}").click(modifiers=["Shift"])
        room.kernel.wait_until(f"{face} in review.marked")
    room.find(".rk-faces .rk-merge").click()
    room.kernel.wait_until("7 not in review.tracks.index")
    assert room.kernel.ask("int(review.tracks.loc[1, 'frames'])") == 356
