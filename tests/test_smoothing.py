"""The maximum over a window within runs is what SciPy's is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter1d

from redactkit.tracking.smoothing import _windowed_max


@given(st.lists(st.integers(1, 9), max_size=5), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_windowed_max_is_that_of_each_run_alone(lengths: list[int], reach: int, seed: int) -> None:
    values = np.random.default_rng(seed).random((sum(lengths), 2))
    run = np.repeat(np.arange(len(lengths)), lengths)
    parts = [maximum_filter1d(values[run == k], 2 * reach + 1, axis=0, mode="constant") for k in range(len(lengths))]
    assert np.array_equal(_windowed_max(values, run, reach), np.concatenate([values[:0], *parts]))
