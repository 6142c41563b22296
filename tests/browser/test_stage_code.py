"""What the page computes by itself: handles, drags, times, and the drawing of boxes; in a page without a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from redactkit.widgets.cards import CardList
from redactkit.widgets.stage import Stage, read_static

PARTS = ("dom", "times", "boxes", "lens", "drawing")


@pytest.fixture(scope="module")
def page(browser: Any) -> Any:
    page = browser.new_page()
    page.add_script_tag(content=f"{read_static(PARTS, 'js')}\nwindow.run = code => eval(code);")
    yield page
    page.close()


def run(page: Any, code: str) -> Any:
    return page.evaluate("code => window.run(code)", code)


@pytest.mark.parametrize(
    ("point", "handle"),
    [((10, 20), [-1, -1]), ((50, 21), [1, -1]), ((30, 60), [0, 1]), ((30, 40), None), ((5, 5), None)],
)
def test_handle_is_the_one_near_the_pointer(page, point, handle):
    assert run(page, f"handleAt([10, 20, 40, 40], {list(point)}, 4)") == handle


def test_smallest_box_under_the_pointer_is_hit(page):
    rows = [{"face": 1, "box": [0, 0, 9, 9]}, {"face": 2, "box": [2, 2, 3, 3]}]
    assert run(page, f"faceAt({json.dumps(rows)}, [3, 3]).face") == 2
    assert run(page, "faceAt([], [3, 3])") is None


@pytest.mark.parametrize("to", [(60, 10), (-7, 90), (3, 4)])
def test_drag_of_a_box_keeps_its_size_and_of_a_handle_its_other_side(page, to):
    moved = run(page, f"dragged({{start: [5, 6], box: [5, 6, 20, 30], face: 1, handle: null}}, {list(to)})")
    assert moved == [*to, 20, 30]
    x, y, width, height = run(
        page, f"dragged({{start: [5, 6], box: [5, 6, 20, 30], face: 1, handle: [-1, 0]}}, {list(to)})"
    )
    assert 25 in (x, x + width) and width >= 0 and (y, height) == (6, 30)
    drawn = run(page, f"dragged({{start: [5, 6], box: [5, 6, 0, 0], face: 0}}, {list(to)})")
    assert drawn == [min(5, to[0]), min(6, to[1]), abs(to[0] - 5), abs(to[1] - 6)]


def test_times_of_every_frame_lead_back_to_it(page):
    even = "const t = new Times({first: 0.5, rate: 29.97, count: 900}, null)"
    assert run(page, f"{even}; [...Array(900).keys()].every(n => t.frameAt(t.of(n)) === n)")
    varying = "const t = new Times({count: 3}, new DataView(new Float64Array([0, 0.1, 0.5]).buffer))"
    assert run(page, f"{varying}; [-1, 0, 0.0999, 0.3, 0.5, 9].map(x => t.frameAt(x))") == [0, 0, 1, 1, 2, 2]


def test_zoom_keeps_the_point_under_the_pointer_and_the_frame_in_the_port(page):
    lens = "const l = new Lens({width: 1280, height: 720}); l.port = [640, 400]"
    share = "const s = () => { const [x, y, w, h] = l.place; return [(100 - x) / w, (150 - y) / h] }"
    before, after = run(page, f"{lens}; {share}; const a = s(); l.zoom(100, 150, 4); [a, s()]")
    assert after == pytest.approx(before, abs=0.002)
    x, y, _, height = run(page, f"{lens}; l.zoom(0, 0, 4); l.pan(9999, -9999); l.place")
    assert x == 0 and y + height == pytest.approx(400)
    assert run(page, f"{lens}; l.zoom(9, 9, 0.1); l.place") == [0, 20, 640, 360]
    region = run(page, f"{lens}; l.showBox([600, 300, 60, 80]); l.region")
    assert region[0] < 600 and region[0] + region[2] > 660 and region[1] < 300 and region[1] + region[3] > 380


def test_bar_stands_under_its_box_unless_it_would_cover_another(page):
    box, under, above = [300, 200, 20, 20], [310, 245, 16, 16], [290, 160, 16, 16]

    def place(*others, of=box):
        return run(page, f"besideBox({of}, {[of, *others]}, [200, 30], [640, 400])")

    assert place() == [210, 232]
    assert place(under) == [210, 144]
    assert place(under, above) == [332, 195]
    assert place(of=[300, 370, 20, 20]) == [210, 314]
    assert run(page, "besideBox([0, 0, 90, 90], [[0, 0, 90, 90]], [200, 30], [180, 60])") == [0, 26]


def test_boxes_are_drawn_as_text_and_states_differ_by_more_than_colour(page):
    evil = "<script>alert(1)</script>\"'"
    scene = {
        "rows": [{"face": 3, "box": [10, 50, 20, 20], "mark": 1}, {"face": 4, "box": [100, 50, 20, 20], "mark": 0}],
        "faces": {"3": {"redact": True, "label": evil}, "4": {"redact": False, "label": ""}},
        "current": 3,
        "marked": [4],
        "kinds": [],
        "hovered": None,
        "labels": True,
        "plain": False,
        "editable": True,
        "unit": 1,
        "width": 640,
        "height": 360,
    }
    drawn = run(page, f"drawBoxes({json.dumps(scene)})")
    assert "<script" not in drawn and "&#60;script" in drawn
    assert 'class="rk-box rk-show rk-marked" data-face="4"' in drawn
    assert 'class="rk-box rk-hide rk-now" data-face="3"' in drawn
    assert "· visible" in drawn and "◆" in drawn
    assert drawn.count("rk-handles") == 1
    plain = run(page, f"drawBoxes({json.dumps(scene | {'plain': True})})")
    assert plain.count('class="rk-box') == 1 and "<text" not in plain
    assert run(page, f"drawBoxes({json.dumps(scene | {'rows': []})})") == ""


def test_drafts_stand_until_the_kernel_knows_them(page):
    load = (
        "const b = new Boxes(); const give = edit => b.load({start: 0, stop: 9, edit}, [new Int32Array([2, 2]), "
        "new Int32Array([1, 5]), new Float32Array([0, 0, 5, 5, 9, 9, 5, 5]), new Uint8Array([0, 1])]"
        ".map(a => new DataView(a.buffer))); give(0);"
    )
    assert run(page, f"{load} b.at(2).map(r => [r.face, r.box[0], r.mark])") == [[1, 0, 0], [5, 9, 1]]
    assert run(page, f"{load} b.at(3)") == []
    found = run(
        page,
        f"{load} b.draft(2, 1, [7, 7, 5, 5], 3); give(2); const a = b.at(2)[0].box[0]; give(3); [a, b.at(2)[0].box[0]]",
    )
    assert found == [7, 0]


@pytest.mark.parametrize("widget", [Stage, CardList])
def test_each_front_end_is_a_module_that_the_browser_takes(page, widget):
    load = """async code => {
        const address = URL.createObjectURL(new Blob([code], {type: 'text/javascript'}));
        return typeof (await import(address)).default.render; }"""
    assert page.evaluate(load, str(widget._esm)) == "function"


def test_playing_of_pictures_that_never_come_ends_by_itself(browser):
    page = browser.new_page()
    page.clock.install()
    page.add_script_tag(content=f"{read_static(('times', 'player'), 'js')}\nwindow.run = code => eval(code);")
    page.evaluate(
        """() => window.run(`window.stage = {frame: 0, info: {count: 100},
        model: {get: name => name === 'speed' ? 1 : 'redacted'}, timeOf: frame => frame / 25,
        frameAt: time => Math.floor(time * 25), hasPicture: frame => frame < 3,
        wantAhead() {}, showPlayed(frame) { this.frame = frame }, showPlaying() {}, go() {}, video: {pause() {}}};
        window.player = new Player(stage); player.start()`)"""
    )
    page.clock.run_for(20_000)
    assert page.evaluate("[player.playing, stage.frame]") == [True, 2]
    page.clock.run_for(20_000)
    assert page.evaluate("[player.playing, stage.frame]") == [False, 2]
    page.close()
