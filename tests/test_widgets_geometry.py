"""Tests of what the widgets compute without a widget."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.errors import OptionError
from redactkit.widgets import CompareViewer
from redactkit.widgets.actions import ACTIONS, Action
from redactkit.widgets.geometry import region_around
from redactkit.widgets.markup import escape, parse_timecode, timecode
from redactkit.widgets.timeline import pack_lanes, runs_of
from redactkit.widgets.worker import LatestWorker

place = st.floats(-100, 2000)
side = st.floats(1, 800)


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


@pytest.mark.parametrize("actions", [ACTIONS, CompareViewer.actions])
def test_no_two_actions_share_a_key_and_each_says_what_it_does(actions: tuple[Action, ...]) -> None:
    keys = [key for action in actions for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len({action.name for action in actions}) == len(actions)
    assert all(action.tip for action in actions)


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
