import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.errors import OptionError
from redactkit.runtime.timecode import check_ranges, parse_range, parse_ranges

TIMES = st.floats(0, 100)


def test_no_ranges_are_none():
    assert check_ranges([], end=0) == ()
    assert parse_ranges(" ;\n") == ()


@given(st.lists(st.tuples(TIMES, TIMES).filter(lambda pair: pair[0] < pair[1]), max_size=8), TIMES)
def test_ranges_in_order_hold_what_the_given_ones_held(ranges, time):
    checked = check_ranges(ranges, end=100)
    assert any(first <= time <= last for first, last in ranges) == any(first <= time <= last for first, last in checked)
    assert all(one[1] < other[0] for one, other in pairwise(checked))
    assert check_ranges(checked, end=100) == checked


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        ([(-1, 2)], "starts before 0"),
        ([(3, 2)], "does not end after its start"),
        ([(2, 2)], "does not end after its start"),
        ([(1, 2), (5, 11)], r"ends after the end at 10\.000 s"),
        ([(math.nan, 2)], "finite"),
        ([(1, math.inf)], "finite"),
        ([(1, 2, 3)], "pair of seconds"),
        ([5], "pair of seconds"),
        ([("a", "b")], "pair of seconds"),
        ("1-2", "got the text"),
        (5, "pairs of seconds"),
    ],
)
def test_ranges_that_mean_nothing_are_refused(ranges, message):
    with pytest.raises(OptionError, match=message):
        check_ranges(ranges, end=10)


@pytest.mark.parametrize("text", ["", "5", "5-", "-5-7", "a-b", "1-2-3"])
def test_text_that_is_no_range_is_refused(text):
    with pytest.raises(OptionError, match="a time"):
        parse_range(text)
