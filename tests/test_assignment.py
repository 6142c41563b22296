"""The assignment of rows to columns, beside SciPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.optimize import linear_sum_assignment

from redactkit.tracking.assignment import assign

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)
COSTS = arrays(np.float64, SHAPES, elements=st.floats(-20, 0))


def test_assign_of_nothing_is_nothing():
    for shape in ((0, 0), (0, 3), (3, 0), (2, 2)):
        rows, columns = assign(np.zeros(shape))
        assert len(rows) == len(columns) == 0


@given(COSTS)
def test_assign_costs_what_scipy_finds(cost):
    rows, columns = assign(cost)
    assert len({*rows.tolist()}) == len({*columns.tolist()}) == len(rows)
    assert (np.diff(rows) > 0).all()
    assert (cost[rows, columns] < 0).all()
    np.testing.assert_allclose(cost[rows, columns].sum(), cost[linear_sum_assignment(cost)].sum(), atol=1e-9)


@given(SHAPES, st.integers(0, 2**32 - 1), st.floats(0.1, 1))
def test_assign_makes_the_pairs_that_scipy_makes(shape, seed, share):
    random = np.random.default_rng(seed)
    cost = np.where(random.random(shape) < share, -random.random(shape), 0.0)
    row, column = linear_sum_assignment(cost)
    real = cost[row, column] < 0
    rows, columns = assign(cost)
    np.testing.assert_array_equal(rows, row[real])
    np.testing.assert_array_equal(columns, column[real])
