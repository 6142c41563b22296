"""What a person does in the steps with few keys: contact sheets, what is folded away, and going on by itself."""

from __future__ import annotations

ASIDE = """
import pandas as pd
rows = review.detections
rows = rows[rows["face_id"] == 1]
parts = [rows.iloc[at : at + 3].assign(face_id=100 + at, x=900.0, y=500.0) for at in range({count})]
review.edit("set aside", discarded=pd.concat(parts, ignore_index=True))
"""
SAID = "sorted(set(review.discarded.loc[review.discarded['source'] == 'manual', 'face_id']))"
FOCUS = (
    "() => document.activeElement.className + ' ' + (document.activeElement.closest('.rk-workbench') ? 'in' : 'out')"
)


def sheet_of(room, count):
    room.kernel.run(ASIDE.format(count=count))
    room.open_step("Check")
    room.find(".rk-crop").nth(count - 1).wait_for(state="attached")
    room.page.wait_for_function(
        "count => [...document.querySelectorAll('.rk-crop img')].slice(0, count).every(one => one.naturalWidth > 20)",
        arg=min(count, 8),
    )
    room.find(".rk-card-title", has_text="taken for no face").click()
    room.kernel.wait_until("room.check.cards.current == 'sheet discarded track'")
    return room.find(".rk-card", has=room.page.locator(".rk-sheet")).first


def test_sheet_is_answered_by_one_key_and_what_was_clicked_afterwards(room):
    sheet = sheet_of(room, 7)
    assert "7 tracks were taken for no face" in sheet.inner_text()
    assert sheet.locator(".rk-crop img").first.bounding_box()["width"] >= 80
    sheet.locator(".rk-crop").nth(2).click()
    room.find(".rk-crop[aria-pressed=true]").wait_for()
    taken = int(room.find(".rk-crop[aria-pressed=true]").get_attribute("data-key").split()[2])
    room.page.keyboard.press("n")
    room.kernel.wait_until(f"{SAID} == {sorted({*range(100, 107)} - {taken})}")
    room.find(f".rk-card[data-key^='discarded track {taken} ']").wait_for()
    room.page.keyboard.press("z")
    room.kernel.wait_until(f"{SAID} == []")
    room.find(".rk-crop").nth(6).wait_for()
    room.page.keyboard.press("Enter")
    room.kernel.wait_until("set(range(100, 107)) <= set(review.selected_ids)")
    room.page.keyboard.press("z")
    room.kernel.wait_until("not set(range(100, 107)) & set(review.selected_ids)")


def test_what_was_not_on_the_screen_is_not_called_no_face(room):
    sheet_of(room, 60)
    presses = 0
    while not room.kernel.ask(SAID):
        room.page.keyboard.press("n")
        room.page.wait_for_timeout(700)
        presses += 1
        assert presses < 12
    assert presses > 1
    assert room.kernel.ask(f"len({SAID})") == 60


def test_crops_are_reached_and_taken_out_by_keys(room):
    sheet_of(room, 7)
    room.page.keyboard.press("Tab")
    room.page.keyboard.press("ArrowRight")
    room.page.keyboard.press("Space")
    room.find(".rk-crop[aria-pressed=true]").wait_for()
    assert room.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    room.page.keyboard.press("n")
    room.kernel.wait_until(f"len({SAID}) == 6")


def test_what_is_covered_is_folded_away_opened_and_answered(room):
    room.kernel.run(
        "import pandas as pd\nreview.queue = pd.DataFrame({'face_id': [1, 2], 'frame': [9, 19], 'time': [0.3, 0.7], "
        "'reason': 'filled gap', 'frames': 3, 'risk': 0.5})"
    )
    room.open_step("Check")
    room.find(".rk-steps").get_by_text("left").wait_for(state="detached")
    room.find(
        ".rk-card.rk-current", has_text="Nothing is left to check"
    ).wait_for()  # a step begins with its first card
    room.find(".rk-fold").click()
    cards = room.find(".rk-check-list .rk-card", has_text="boxes filled in")
    cards.nth(1).click()
    room.kernel.wait_until("review.current_frame == 19")
    room.page.keyboard.press("f")
    room.kernel.wait_until("room.check.answered == 1")
    room.kernel.run("review.decide([1], redact=False)")
    room.find(".rk-steps").get_by_text("1 left").wait_for()
    room.kernel.run("review.undo()")
    room.find(".rk-steps").get_by_text("1 left").wait_for(state="detached")
    room.find(".rk-card", has_text="Nothing is left").click()
    room.page.keyboard.press("Enter")
    room.kernel.wait_until("room.step == 'Export'")


def test_after_the_search_the_room_goes_on_and_takes_nobody_from_elsewhere(room):
    room.open_step("Find")
    room.find(".rk-analyze .rk-run").focus()
    room.kernel.run("room.analyze.go_on()")
    room.page.wait_for_function("document.activeElement.className === 'rk-cards-items'")
    room.page.keyboard.press("ArrowRight")
    room.kernel.wait_until("room.people.cards.current")
    room.open_step("Find")
    room.page.locator(".jp-Cell .cm-content").first.click()
    room.kernel.run("room.analyze.go_on()")
    room.find(".rk-who .rk-card").first.wait_for()
    room.page.wait_for_timeout(500)
    assert room.page.evaluate(FOCUS).endswith("out")
    room.open_step("Export")
    room.kernel.run("room.analyze.go_on()")
    assert room.kernel.ask("room.step") == "Export"


def test_people_stand_side_by_side_and_arrows_go_between_rows(room):
    people = room.find(".rk-who .rk-tile")
    people.nth(5).wait_for()
    boxes = [one.bounding_box() for one in people.all()]
    assert len({round(box["y"]) for box in boxes}) < len(boxes)
    people.first.click()
    first = people.first.get_attribute("data-key")
    room.kernel.wait_until(f"room.people.cards.current == {first!r}")
    room.find(".rk-cards-foot .rk-card-visible").wait_for()
    room.page.keyboard.press("ArrowDown")
    below = room.kernel.wait_until(f"room.people.cards.current != {first!r} and room.people.cards.current")
    keys = [one.get_attribute("data-key") for one in people.all()]
    where = boxes[keys.index(below)]
    assert where["x"] == boxes[0]["x"] and where["y"] > boxes[0]["y"]
    room.page.keyboard.press("ArrowUp")
    room.kernel.wait_until(f"room.people.cards.current == {first!r}")


FOUND = """
import numpy as np
room.analyze.found.layout.display = ""
room.analyze.found.add({at: np.array([[100.0 * at, 60, 80, 80, 0.9]]) for at in range(12)})
"""


def test_what_is_found_so_far_stands_clear_of_what_is_around_it(room):
    room.open_step("Find")
    room.kernel.run(FOUND)
    cards = room.find(".rk-found .rk-card")
    cards.nth(11).wait_for()
    try:
        head, first, last = (
            one.bounding_box() for one in (room.find(".rk-found .rk-cards-head"), cards.first, cards.nth(11))
        )
        advanced = room.find(".rk-analyze .jupyter-widget-Collapse").bounding_box()
        assert head["height"] > 10 and head["y"] + head["height"] <= first["y"]
        assert advanced["y"] >= last["y"] + last["height"] or advanced["y"] + advanced["height"] <= head["y"]
    finally:
        room.kernel.run("room.analyze.found.clear(); room.analyze.found.layout.display = 'none'")


def test_after_the_last_card_comes_what_was_passed_over(room):
    room.kernel.run(
        "import pandas as pd\nreview.queue = pd.DataFrame({'face_id': [1, 2, 1], 'frame': [9, 19, 29], 'time': [0.3, "
        "0.7, 1.1], 'reason': ['gap', 'track ends inside the frame', 'filled gap'], 'frames': [12, 1, 3], 'risk': 0.5})"
    )
    room.open_step("Check")
    cards = room.find(".rk-check-list .rk-card")
    cards.nth(2).wait_for()
    cards.nth(1).click()
    last = cards.nth(1).get_attribute("data-key")
    room.kernel.wait_until(f"room.check.cards.current == {last!r}")
    room.page.keyboard.press("f")
    room.kernel.wait_until("room.check.answered == 1")
    room.kernel.wait_until(f"room.check.cards.current != {last!r} and room.check.cards.current in room.check._to_do()")
