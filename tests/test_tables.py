"""The tables' schema: empty ones keep it, broken ones are refused by row, and tracks are derived from rows alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from redactkit.errors import OptionError, TableError
from redactkit.tables import (
    DETECTIONS,
    TRACKS,
    as_decisions,
    as_detections,
    as_face_ids,
    check_detections,
    empty_detections,
    selected_ids,
    sort_detections,
    summarize_tracks,
)


def _rows(**columns: object) -> pd.DataFrame:
    box = {"x": 10.0, "y": 20.0, "width": 30.0, "height": 40.0}
    return as_detections(pd.DataFrame({"face_id": 1, "source": "detected", **box, **columns}))


def test_empty_tables_keep_columns_and_dtypes():
    empty = empty_detections()
    assert empty.dtypes.to_dict() == {name: np.dtype(t) if isinstance(t, str) else t for name, t in DETECTIONS.items()}
    assert check_detections(empty) is empty
    tracks = summarize_tracks(empty)
    assert list(tracks.columns) == list(TRACKS)
    assert tracks.index.name == "face_id"
    assert selected_ids(empty, as_decisions({})) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"x": [1.0, np.nan]}, "not finite"),
        ({"width": [1.0, -1.0]}, "negative size"),
        ({"frame": [0, -1]}, "negative frame"),
        ({"frame": [3, 3]}, "second box of one face"),
    ],
)
def test_check_refuses_a_broken_row_by_its_number(change, fault):
    table = _rows(**{"frame": [0, 1], **change})
    with pytest.raises(TableError, match=rf"row 1 .*{fault}"):
        check_detections(table)


def test_as_detections_refuses_an_unknown_source():
    with pytest.raises(TableError, match="guessed"):
        as_detections({"frame": [0], "face_id": 1, "x": 0, "y": 0, "width": 1, "height": 1, "source": ["guessed"]})


@pytest.mark.parametrize("missing", ["frame", "face_id", "x", "height"])
def test_as_detections_makes_up_neither_frame_nor_face_nor_box(missing):
    columns = {"frame": [0], "face_id": [1], "x": [0], "y": [0], "width": [1], "height": [1]}
    with pytest.raises(TableError, match=missing):
        as_detections({name: value for name, value in columns.items() if name != missing})


def test_as_detections_leaves_unknown_times_unknown():
    table = as_detections({"frame": [3], "face_id": 1, "x": 0, "y": 0, "width": 1, "height": 1})
    assert table["time"].isna().all()


@pytest.mark.parametrize(
    "ids",
    [
        [0, 3],
        (0, 3),
        range(0, 4, 3),
        np.array([0, 3], np.int8),
        pd.Series([0, 3]),
        pd.Index([0, 3]),
        pd.Series([0, 3], dtype="Int64"),
        (face for face in (0, 3)),
        {0: "a", 3: "b"}.keys(),
    ],
)
def test_as_face_ids_takes_any_iterable_of_whole_numbers(ids):
    found = as_face_ids(ids)
    assert found == [0, 3]
    assert all(type(face) is int for face in found)


@pytest.mark.parametrize("ids", [0, np.int64(0), np.array(0), np.array([0]), pd.Series([0])])
def test_as_face_ids_keeps_a_single_zero(ids):
    assert as_face_ids(ids) == [0]


@pytest.mark.parametrize(
    "ids",
    ["1,4", "14", b"14", True, [True], np.array([True, False]), 1.0, [1.5], np.array([1.0]), [None], None, {1: 2}],
)
def test_as_face_ids_refuses_what_is_no_face_id(ids):
    with pytest.raises(OptionError, match="include must be"):
        as_face_ids(ids, name="include")


def test_summarize_counts_frames_gaps_and_coverage():
    tracks = summarize_tracks(_rows(frame=[2, 3, 8], time=[0.2, 0.3, 0.8]))
    assert tracks.loc[1, ["first_frame", "last_frame", "frames", "longest_gap"]].tolist() == [2, 8, 3, 4]
    assert tracks.loc[1, "coverage"] == pytest.approx(3 / 7)
    assert tracks.loc[1, "duration"] == pytest.approx(0.6)


def test_best_frame_is_one_in_which_the_face_was_seen():
    table = _rows(
        frame=[0, 1, 2],
        width=[30.0, 60.0, 90.0],
        confidence=[0.9, 0.8, 0.7],
        source=["detected", "detected", "tracked"],
    )
    assert summarize_tracks(table).loc[1, "best_frame"] == 1


def test_best_frame_of_a_face_that_was_only_followed_is_one_of_its_own():
    table = _rows(frame=[4, 5], width=[30.0, 60.0], source="interpolated")
    assert summarize_tracks(table).loc[1, "best_frame"] == 5


def test_selected_ids_are_all_but_those_left_visible():
    table = _rows(frame=[0, 0, 0], face_id=[1, 2, 3])
    decisions = as_decisions({2: {"redact": False}})
    assert selected_ids(table, decisions) == [1, 3]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5)), unique=True, max_size=40))
def test_tracks_account_for_every_row_in_any_order(places):
    table = _rows(frame=[frame for frame, _ in places], face_id=[face for _, face in places])
    tracks = summarize_tracks(table)
    assert tracks["frames"].sum() == len(table)
    assert (tracks["longest_gap"] <= tracks["last_frame"] - tracks["first_frame"]).all()
    pd.testing.assert_frame_equal(tracks, summarize_tracks(sort_detections(table)))
