import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.runtime.streams import buffered, side_by_side


def running():
    return [thread for thread in threading.enumerate() if thread.name == "redactkit-buffered"]


def test_buffered_nothing_gives_nothing():
    assert list(buffered([])) == []
    assert running() == []


@given(st.lists(st.integers(), max_size=30), st.integers(0, 5))
def test_buffered_keeps_items_and_order(items, ahead):
    assert list(buffered(items, ahead=ahead)) == items


def test_buffered_passes_items_that_are_none():
    assert list(buffered([None, 0, None])) == [None, 0, None]


@pytest.mark.parametrize("allowed", [0, 3])
def test_buffered_runs_no_further_ahead_than_allowed(allowed):
    started = []

    def items():
        for number in range(50):
            started.append(number)
            yield number

    ahead = buffered(items(), ahead=allowed)
    next(ahead)
    time.sleep(0.05)
    assert len(started) <= 1 + allowed + 1
    ahead.close()


def test_buffered_raises_what_the_source_raises_after_its_items():
    def items():
        yield 1
        raise ZeroDivisionError("at item 2")

    seen = []
    with pytest.raises(ZeroDivisionError, match="item 2"):
        seen.extend(item for item in buffered(items()))
    assert seen == [1]
    assert running() == []


def test_buffered_ends_its_thread_and_its_source_when_the_consumer_fails():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    ahead = buffered(items(), ahead=2)
    with pytest.raises(KeyError):
        for _ in ahead:
            raise KeyError
    ahead.close()
    assert closed.is_set()
    assert running() == []


def test_buffered_chains():
    doubled = (2 * item for item in buffered(range(100), ahead=2))
    assert list(buffered(doubled, ahead=2)) == list(range(0, 200, 2))


def test_side_by_side_of_nothing_gives_nothing():
    assert list(side_by_side([])) == list(side_by_side([[], []])) == []


@given(st.lists(st.lists(st.integers(), max_size=12), max_size=4), st.integers(0, 3))
def test_side_by_side_keeps_all_items_and_the_order_of_each_source(sources, ahead):
    marked = [[(number, item) for item in items] for number, items in enumerate(sources)]
    seen = list(side_by_side(marked, ahead=ahead))
    assert [[each for each in seen if each[0] == number] for number in range(len(sources))] == marked


def test_side_by_side_ends_all_sources_when_one_fails():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    def failing():
        yield 1
        raise ZeroDivisionError("at item 2")

    with pytest.raises(ZeroDivisionError, match="item 2"):
        for _ in side_by_side([endless(), failing()]):
            pass
    assert closed.is_set()
    assert running() == []
