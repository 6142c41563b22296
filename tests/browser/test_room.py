"""The room as a whole: how large its picture is, whether everybody can use it, and how it plays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

import redactkit.widgets
from redactkit.runtime.resources import sample_path

RULES = {"resultTypes": ["violations"]}
SERIOUS = ("serious", "critical")
SIZES = """() => {
  const box = name => document.querySelector(name).getBoundingClientRect();
  const [room, port] = [box('.rk-workbench'), box('.rk-main')];
  const inner = [...document.querySelectorAll('.rk-workbench *')].filter(one =>
    /auto|scroll/.test(getComputedStyle(one).overflowY) && one.scrollHeight > one.clientHeight + 1
    && one.offsetParent && one.clientHeight > 0);
  const nested = inner.filter(one => inner.some(other => other !== one && other.contains(one)));
  return {room: [room.width, room.height], port: [port.width, port.height], nested: nested.map(one => one.className)};
}"""


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (1000, 800)], ids=str)
def test_picture_has_two_thirds_of_the_width_and_nothing_scrolls_twice(room, size):
    room.page.set_viewport_size({"width": size[0], "height": size[1]})
    try:
        for step in ("Find", "Who", "Check", "Export"):
            room.open_step(step)
            room.page.wait_for_timeout(300)
            found = room.page.evaluate(SIZES)
            assert found["port"][0] >= 0.66 * found["room"][0]
            assert found["room"][1] >= 0.7 * size[1]
            assert found["port"][1] >= found["room"][1] - 220  # head, slider, buttons and timeline
            assert found["nested"] == []
    finally:
        room.page.set_viewport_size({"width": 1366, "height": 768})


def test_no_serious_finding_of_axe_in_any_step(room):
    room.kernel.run("review.decide([4], redact=False, label='Eileen'); review.current_face = 1")
    for step in ("Find", "Who", "Check", "Export"):
        room.open_step(step)
        room.page.wait_for_timeout(400)
        found = Axe().run(room.page, context=".rk-workbench", options=RULES).response["violations"]
        told = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found if one["impact"] in SERIOUS]
        assert told == [], step


def test_video_below_the_servers_root_is_played_by_the_browser(open_notebook, lab_server):
    folder = lab_server.root / "films"
    folder.mkdir(exist_ok=True)
    clip = folder / "the film.mp4"
    shutil.copyfile(sample_path(), clip)
    lab = open_notebook(
        f"import redactkit as rk\nviewer = rk.widgets.FrameViewer(rk.Review.open({str(clip)!r}))\nviewer"
    )
    lab.run_all()
    lab.page.wait_for_function("document.querySelector('.rk-front video')?.readyState >= 2", timeout=20_000)
    lab.page.locator(".rk-do-play").click()
    lab.page.wait_for_selector(".rk-by-video")
    lab.kernel.wait_until("viewer.review.current_frame > 20")
    lab.page.locator(".rk-do-play").click()
    frame = lab.kernel.wait_until("viewer.shown_frame > 20 and viewer.shown_frame")
    lab.page.wait_for_selector(f'.rk-front[data-frame="{frame}"]')
    assert not lab.page.locator(".rk-by-video").count()


def test_rare_actions_stand_in_a_menu_in_words_and_few_buttons_are_seen(room):
    seen = room.find("button:visible", has_not=room.page.locator(".rk-step-number"))
    assert seen.count() <= 10
    assert all(text.strip() for text in seen.all_inner_texts())
    room.kernel.run("review.delete_boxes(faces=[1], start=20, stop=40); review.undo()")
    room.find(".rk-more").click()
    room.find(".rk-menu").get_by_role("menuitem", name="Redo").click()
    room.kernel.wait_until("review.history_position == 1")
    room.find(".rk-menu").wait_for(state="detached")
    room.find(".rk-more").click()
    room.page.keyboard.press("ArrowUp")
    room.page.keyboard.press("Enter")
    room.find(".rk-help").wait_for()
    room.page.keyboard.press("Escape")


def test_room_that_nobody_uses_changes_nothing_in_the_page(room):
    room.kernel.run("import time; room.viewer.stage.saved = time.time() - 3600")
    room.find(".rk-saved").get_by_text("60 min").wait_for()
    watch = """async () => {
        const changed = [];
        const told = ({type, target}) => [type, (target.outerHTML || target.data).slice(0, 200)];
        const watch = new MutationObserver(found => changed.push(...found.map(told)));
        watch.observe(document.querySelector('.rk-workbench'),
            {subtree: true, childList: true, characterData: true, attributes: true});
        await new Promise(done => setTimeout(done, 2500));
        watch.disconnect();
        return [changed, document.getAnimations().filter(one => one.playState === 'running').length]; }"""
    # The last pictures may still be on their way; what comes again and again is seen in each of the four.
    changes = next((seen for _ in range(4) if (seen := room.page.evaluate(watch)) == [[], 0]), None)
    assert changes == [[], 0], room.page.evaluate(watch)


def test_no_style_moves_for_ever():
    styles = [path.read_text("utf-8") for path in (Path(redactkit.widgets.__file__).parent / "static").glob("*.css")]
    assert styles and not any("infinite" in style for style in styles)
