"""Tests of what the widgets compute without a widget."""

from __future__ import annotations

import re
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.errors import OptionError
from redactkit.tables import as_decisions, as_detections, empty_decisions, empty_detections
from redactkit.widgets.actions import ACTIONS, key_of
from redactkit.widgets.geometry import Drag, Region, face_at, handle_at, region_around
from redactkit.widgets.markup import escape, parse_timecode, timecode
from redactkit.widgets.overlay import Drawn, boxes_of, draw
from redactkit.widgets.player import Player
from redactkit.widgets.timeline import pack_lanes, runs_of
from redactkit.widgets.worker import LatestWorker

place = st.floats(-100, 2000)
side = st.floats(1, 800)
WHOLE = Region(0, 0, 640, 360)


def test_no_box_draws_an_empty_picture_and_holds_no_point() -> None:
    rows = boxes_of(empty_detections(), empty_decisions(), current=None)
    assert rows == []
    assert "<rect" not in draw(rows, WHOLE)
    assert face_at([], (3, 3)) is None


@given(st.integers(0, 900), st.integers(0, 500), st.floats(50, 4000), st.floats(50, 4000))
def test_pointer_on_the_page_is_the_same_share_of_the_frame(x: int, y: int, across: float, down: float) -> None:
    region = Region(100, 50, 320, 180)
    event = {"relativeX": x, "relativeY": y, "boundingRectWidth": across, "boundingRectHeight": down}
    point = region.point(event)
    assert (point[0] - 100) / 320 == pytest.approx(x / across)
    assert (point[1] - 50) / 180 == pytest.approx(y / down)


@given(place, place, side, side)
def test_zoomed_region_lies_in_the_frame_and_has_its_shape(x: float, y: float, width: float, height: float) -> None:
    region = region_around((x, y, width, height), width=1920, height=1080)
    assert region.width / region.height == pytest.approx(1920 / 1080)
    assert region.x >= 0
    assert region.y >= 0
    assert region.x + region.width <= 1920 + 1e-6
    assert region.y + region.height <= 1080 + 1e-6
    inside = x >= 0 and x + width <= 1920 and y >= 0 and y + height <= 1080
    if inside:
        assert region.x <= x + 1e-6
        assert region.x + region.width >= x + width - 1e-6


@given(place, place, side, side, place, place)
def test_drag_of_a_box_keeps_its_size_and_of_a_handle_its_other_side(
    x: float, y: float, width: float, height: float, to_x: float, to_y: float
) -> None:
    moved = Drag((x, y), (x, y, width, height), face_id=1).to((to_x, to_y))
    assert moved[2:] == (width, height)
    assert moved[:2] == pytest.approx((to_x, to_y), abs=1e-6)
    right = x + width
    stretched = Drag((x, y), (x, y, width, height), face_id=1, handle=(-1, 0)).to((to_x, to_y))
    assert min(abs(stretched[0] - right), abs(stretched[0] + stretched[2] - right)) < 1e-6
    assert stretched[2] >= 0
    assert (stretched[1], stretched[3]) == (y, height)


@given(place, place, place, place)
def test_new_box_spans_the_drag_in_any_direction(x: float, y: float, to_x: float, to_y: float) -> None:
    box = Drag((x, y), (x, y, 0, 0)).to((to_x, to_y))
    assert box == pytest.approx((min(x, to_x), min(y, to_y), abs(to_x - x), abs(to_y - y)), abs=1e-6)


@pytest.mark.parametrize(
    ("point", "handle"),
    [((10, 20), (-1, -1)), ((50, 21), (1, -1)), ((30, 60), (0, 1)), ((30, 40), None), ((5, 5), None)],
)
def test_handle_is_the_one_near_the_pointer(point: tuple[float, float], handle: tuple[int, int] | None) -> None:
    assert handle_at((10, 20, 40, 40), point, reach=4) == handle


def test_overlay_shows_labels_as_text_and_states_as_classes() -> None:
    label = "<script>alert(1)</script>\"'\x1b"
    drawn = [
        Drawn(3, (10, 50, 20, 20), redact=True, label=label, current=True),
        Drawn(4, (100, 50, 20, 20), redact=False, marked=True, keyframe=True),
    ]
    svg = draw(drawn, WHOLE)
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg
    assert "\x1b" not in svg
    assert [match.split() for match in re.findall(r'class="(rk-box[^"]*)"', svg)] == [
        ["rk-box", "rk-show", "rk-marked"],
        ["rk-box", "rk-hide", "rk-now"],
    ]
    assert svg.count("rk-handles") == 1
    assert draw(drawn, WHOLE, plain=True).count("<rect") == 1


def test_rows_that_do_not_say_where_the_face_is_are_not_drawn() -> None:
    rows = as_detections({"frame": [0, 0], "face_id": [1, 2], "x": [np.nan, 1], "y": 1, "width": 5, "height": 5})
    assert [one.face_id for one in boxes_of(rows, as_decisions({}, faces=[1, 2]), current=None)] == [2]


@given(st.floats(0, 360_000))
def test_timecode_is_read_back_to_the_millisecond(seconds: float) -> None:
    assert parse_timecode(timecode(seconds)) == pytest.approx(seconds, abs=0.0006)


@pytest.mark.parametrize("text", ["", "abc", "1:2:3:4", "-5", "1e3", "00:00:"])
def test_timecode_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(OptionError, match="a time is"):
        parse_timecode(text)


@given(st.text())
def test_escaped_text_holds_nothing_that_the_page_would_act_on(text: str) -> None:
    assert not set(escape(text)) & set("<>\"'\x00\x1b\u202e")


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 50)), max_size=30))
def test_lanes_hold_no_two_spans_that_overlap(spans: list[tuple[int, int]]) -> None:
    first = np.array([start for start, _ in spans], np.int64)
    last = first + np.array([length for _, length in spans], np.int64)
    lanes = pack_lanes(first, last)
    for a in range(len(spans)):
        for b in range(a):
            assert lanes[a] != lanes[b] or last[a] < first[b] or last[b] < first[a]


@given(st.sets(st.tuples(st.integers(1, 4), st.integers(0, 40))))
def test_runs_cover_every_frame_and_no_other(rows: set[tuple[int, int]]) -> None:
    ordered = sorted(rows)
    runs = runs_of(np.array([r[0] for r in ordered], np.int64), np.array([r[1] for r in ordered], np.int64))
    covered = {(face, frame) for face, start, end in zip(*runs, strict=True) for frame in range(start, end + 1)}
    assert covered == rows


def test_no_two_actions_share_a_key_and_each_has_a_button() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert all(action.icon and action.tip for action in ACTIONS)
    assert key_of({"key": "S", "metaKey": True}) == "ctrl+s"


def test_worker_does_only_what_was_asked_last() -> None:
    asked, done, gate = [0], [], threading.Event()

    def work() -> None:
        gate.wait(5)
        done.append(asked[0])

    worker = LatestWorker(work)
    for number in range(1, 50):
        asked[0] = number
        worker.submit()
    gate.set()
    assert worker.wait()
    assert done[-1] == 49
    assert len(done) <= 2


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_worker_goes_on_after_a_fault_and_ends_when_stopped() -> None:
    done: list[int] = []

    def work() -> None:
        done.append(len(done))
        if len(done) == 1:
            raise ValueError("once")

    worker = LatestWorker(work)
    for _ in range(2):
        worker.submit()
        assert worker.wait()
        time.sleep(0.05)
    worker.stop()
    worker.submit()
    assert worker.wait()
    assert len(done) == 2


class Screen:
    """What a player shows, and where it stands."""

    def __init__(self, frames: int, rate: float, *, cost: float = 0.0) -> None:
        self.at, self.shown, self.cost = 0, [], cost
        self.ended = threading.Event()
        self.player = Player(
            times=lambda: 7.0 + np.arange(frames) / rate,
            position=lambda: self.at,
            show=self.show,
            ended=self.ended.set,
        )

    def show(self, frame: int) -> None:
        self.at = frame
        self.shown.append(frame)
        time.sleep(self.cost)


def test_player_shows_every_frame_at_its_time_and_stops_at_the_end() -> None:
    screen = Screen(20, 50.0)
    begun = time.monotonic()
    screen.player.start()
    assert screen.ended.wait(10)
    assert time.monotonic() - begun >= 19 / 50 - 0.02
    assert screen.shown[0] == 0
    assert screen.shown[-1] == 19
    assert screen.shown == sorted(set(screen.shown))
    assert not screen.player.playing


def test_player_leaves_frames_out_rather_than_fall_behind() -> None:
    screen = Screen(60, 100.0, cost=0.05)
    begun = time.monotonic()
    screen.player.start()
    assert screen.ended.wait(10)
    assert time.monotonic() - begun < 60 * 0.05
    assert len(screen.shown) < 30
    assert screen.shown[-1] == 59


def test_player_goes_on_from_where_it_was_moved_to() -> None:
    screen = Screen(1000, 25.0)
    screen.player.start()
    time.sleep(0.1)
    screen.at = 900
    time.sleep(0.3)
    screen.player.stop(wait=2)
    assert screen.shown[-1] > 900


def test_player_at_the_last_frame_begins_anew_and_twice_the_speed_takes_half_the_time() -> None:
    screen = Screen(40, 50.0)
    screen.at, screen.player.speed = 39, 4.0
    begun = time.monotonic()
    screen.player.start()
    assert screen.ended.wait(10)
    assert screen.shown[0] == 0
    assert time.monotonic() - begun < 39 / 50


def test_drag_far_enough_is_told_from_a_click() -> None:
    drag = Drag((10, 10), (0, 0, 50, 50), face_id=1)
    assert drag.moved((12, 11)) == 2


@pytest.mark.parametrize("x", [-20.0, 0.0, 300.0, 610.0])
def test_name_is_whole_within_what_is_shown(x: float) -> None:
    region = Region(0, 0, 640, 360)
    drawn = draw([Drawn(1, (x, 350.0, 60.0, 30.0), label="Ana", kind="missed")], region, across=640)
    left, baseline = (float(value) for value in re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)"', drawn)[0])
    assert 0 <= left <= 640 - len("0001 Ana") * 7
    assert 0 <= baseline <= 360


def test_no_name_is_written_for_a_box_beside_what_is_shown() -> None:
    assert "<text" not in draw([Drawn(1, (10.0, 10.0, 50.0, 50.0))], Region(300, 100, 200, 112))
