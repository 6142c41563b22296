"""Linking, evidence, gaps, ends and smoothing, each on tables alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redactkit.errors import OptionError, TableError
from redactkit.tables import BOX, as_detections, check_detections, empty_detections
from redactkit.tracking import (
    discard_strays,
    extend,
    fill_gaps,
    filter_weak,
    hold_occluded,
    link,
    long_gaps,
    renumber,
    smooth,
)

TIMES = np.arange(200) / 25


def path(face: int, frames, *, x=100.0, y=100.0, vx=0.0, vy=0.0, size=40.0, confidence=0.9) -> pd.DataFrame:
    """One face on a straight path."""
    frames = np.asarray(frames)
    return as_detections(
        {
            "frame": frames,
            "time": frames / 25,
            "face_id": face,
            "x": x + vx * frames,
            "y": y + vy * frames,
            "width": size,
            "height": size * 1.25,
            "confidence": confidence,
            "source": "detected",
        }
    )


def table(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def identities(truth: pd.DataFrame, **options) -> list[set[int]]:
    """IDs that `link` gives each true face."""
    linked = link(truth.assign(face_id=0), frame_rate=25, **options)
    return [set(linked["face_id"][rows.index]) for _, rows in truth.groupby("face_id")]


def test_link_of_nothing_is_an_empty_table():
    linked = link(empty_detections(), frame_rate=25)
    assert check_detections(linked).empty


def test_link_gives_one_id_to_one_face():
    assert identities(path(1, range(50), vx=3)) == [{1}]


def test_link_keeps_rows_and_their_order():
    rows = table(path(2, range(30), x=500), path(1, range(30))).sample(frac=1, random_state=3)
    linked = link(rows.assign(face_id=0), frame_rate=25)
    assert linked.index.equals(rows.index)
    pd.testing.assert_frame_equal(linked.drop(columns="face_id"), rows.drop(columns="face_id"))


def test_link_numbers_faces_by_first_appearance_then_from_the_left():
    rows = table(path(1, range(10, 30), x=0), path(2, range(30), x=500), path(3, range(30), x=300))
    assert identities(rows) == [{3}, {2}, {1}]


def test_link_does_not_depend_on_row_order():
    rows = table(path(1, range(40), vx=5), path(2, range(40), x=300, y=110, vx=-5)).assign(face_id=0)
    shuffled = rows.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(link(rows, frame_rate=25), link(shuffled, frame_rate=25).sort_index())


@pytest.mark.parametrize("gap", [1, 5, 12, 40])
def test_link_bridges_a_gap_within_a_shot(gap):
    frames = [*range(20), *range(20 + gap, 60 + gap)]
    assert identities(path(1, frames, vx=2)) == [{1}]


def test_link_does_not_bridge_three_seconds():
    assert len(identities(path(1, [*range(20), *range(95, 120)]))[0]) == 2


def test_link_never_spans_a_cut():
    ids = identities(path(1, range(40)), cuts=[20])
    assert ids == [{1, 2}]


@pytest.mark.parametrize(("stride", "speed"), [(1, 14), (3, 14), (8, 5)])
def test_link_follows_a_face_that_is_fast_or_seldom_seen(stride, speed):
    """Near a walking camera a face crosses eight of its sizes in a second, and a service looks three times in it."""
    frames = np.arange(0, 48, stride)
    ids = identities(path(1, frames, vx=speed).assign(width=40.0 * 1.01**frames, height=50.0 * 1.01**frames))
    assert ids == [{1}]


def test_link_takes_single_boxes_in_over_short_gaps_only():
    """What nobody can foretell is met by chance: two single boxes a second apart are no track."""
    assert identities(path(1, [0, 3])) == [{1}]
    assert identities(path(1, [0, 25])) == [{1, 2}]


def test_link_joins_long_tracklets_over_a_gap_that_single_boxes_are_not_joined_over():
    assert identities(path(1, [*range(30), *range(65, 95)], vx=2)) == [{1}]
    assert identities(path(1, [29, 65], vx=2)) == [{1, 2}]


def test_link_does_not_join_a_face_to_one_of_another_size_nearby():
    rows = table(path(1, range(20), size=40), path(2, range(24, 44), x=95, size=85))
    assert identities(rows) == [{1}, {2}]


def test_link_lets_a_face_turn_sharply_over_a_gap():
    """A walker stops dead while hidden: the speed before the gap says little about the one after it."""
    there = path(1, range(25), vx=5)
    back = path(1, range(35, 60), x=240)
    assert identities(table(there, back)) == [{1}]


def test_link_keeps_crossing_faces_apart():
    rows = table(path(1, range(50), x=0, vx=8), path(2, range(50), x=400, y=110, vx=-8))
    assert identities(rows) == [{1}, {2}]


def test_link_splits_in_doubt():
    """Two faces go in, one way each out, and nothing tells which is which."""
    rows, _ = parted()
    assert link(rows.assign(face_id=0), frame_rate=25)["face_id"].nunique() == 4


@pytest.mark.parametrize("stride", [2, 3, 5])
def test_link_follows_when_only_every_nth_frame_was_looked_at(stride):
    frames = range(0, 150, stride)
    rows = table(path(1, frames, vx=3), path(2, frames, x=600, vx=-3, y=110))
    assert identities(rows) == [{1}, {2}]


def test_link_prefers_confident_boxes():
    rows = table(path(1, range(30)), path(2, [15], x=104, confidence=0.25))
    assert identities(rows)[0] == {1}


def parted() -> tuple[pd.DataFrame, np.ndarray]:
    """Two faces that vanish side by side and come back where motion alone cannot tell them, with their looks."""
    before = table(path(1, range(20), x=100), path(2, range(20), x=135))
    after = table(path(1, range(50, 70), x=82), path(2, range(50, 70), x=117))
    rows = table(before, after)
    return rows, np.eye(2)[rows["face_id"] - 1] + np.random.default_rng(0).normal(0, 0.05, (len(rows), 2))


def test_link_resolves_doubts_by_appearance():
    rows, looks = parted()
    assert len(identities(rows)[0]) == 2
    assert identities(rows, appearance=looks) == [{1}, {2}]


def test_link_does_not_join_faces_that_look_different():
    rows = path(1, [*range(20), *range(30, 50)])
    looks = np.eye(2)[(rows["frame"] >= 30).astype(int)]
    assert identities(rows) == [{1}]
    assert identities(rows, appearance=looks) == [{1, 2}]


@pytest.mark.parametrize("unknown", [np.nan, 0.0])
def test_link_lives_with_appearances_that_are_not_known(unknown):
    rows, looks = parted()
    np.testing.assert_array_equal(
        link(rows, frame_rate=25, appearance=np.full_like(looks, unknown))["face_id"],
        link(rows, frame_rate=25)["face_id"],
    )


def occluded(*, behind: bool = True):
    """A face that goes behind a large one and comes out a while after its pace predicted, with their looks."""
    front = path(1, range(120), x=300 if behind else 900, size=160)
    into = path(2, range(30), x=546, vx=-4.0, size=80)
    out = path(2, range(75, 110), x=880, vx=-6.0, size=80)
    rows = table(front, into, out)
    return rows, np.eye(2)[rows["face_id"] - 1] + np.random.default_rng(0).normal(0, 0.05, (len(rows), 2))


def test_link_knows_a_face_again_that_went_behind_another():
    rows, looks = occluded()
    assert len(identities(rows)[1]) == 2
    assert identities(rows, appearance=looks) == [{1}, {2}]


def test_link_does_not_take_another_look_for_a_face_that_went_behind_one():
    rows, looks = occluded()
    looks[len(rows) - 35 :] = looks[len(rows) - 35 :, ::-1]
    assert len(identities(rows, appearance=looks)[1]) == 2


def test_link_does_not_join_a_face_that_came_out_from_behind_nobody():
    rows, looks = occluded(behind=False)
    assert len(identities(rows, appearance=looks)[1]) == 2


def test_link_refuses_boxes_without_size():
    with pytest.raises(TableError, match=r"row 2 .*without size"):
        link(path(1, range(3)).assign(width=[5.0, 5.0, 0.0]), frame_rate=25)


def test_link_refuses_a_wrong_appearance():
    with pytest.raises(TableError, match=r"appearance must have shape \(3, D\)"):
        link(path(1, range(3)), frame_rate=25, appearance=np.zeros((2, 4)))


def test_link_refuses_cuts_in_seconds():
    with pytest.raises(OptionError, match="frames, not seconds"):
        link(path(1, range(3)), frame_rate=25, cuts=[0.5])


def test_link_refuses_a_frame_rate_of_zero():
    with pytest.raises(OptionError, match="frame_rate must be above 0"):
        link(path(1, range(3)), frame_rate=0)


boxes_strategy = st.lists(
    st.tuples(st.integers(0, 30), st.floats(0, 500), st.floats(0, 500), st.floats(5, 90), st.floats(5, 90)),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(boxes_strategy, st.lists(st.integers(1, 30), max_size=3))
def test_link_gives_a_valid_table_for_any_boxes(rows, cuts):
    columns = dict(zip(["frame", "x", "y", "width", "height"], np.array(rows).reshape(-1, 5).T, strict=True))
    linked = link(as_detections({"face_id": 0, **columns}), frame_rate=25, cuts=cuts)
    check_detections(linked)
    assert sorted(linked["face_id"].unique()) == list(range(1, linked["face_id"].nunique() + 1))
    for cut in cuts:
        late = linked["frame"] >= cut
        assert not set(linked["face_id"][late]) & set(linked["face_id"][~late])


def test_renumber_of_nothing_is_empty():
    assert renumber(empty_detections()).empty


def test_filter_weak_of_nothing_is_two_empty_tables():
    kept, discarded = filter_weak(empty_detections())
    assert check_detections(kept).empty and check_detections(discarded).empty


def test_filter_weak_sets_blips_aside_and_keeps_strong_boxes():
    rows = table(path(1, range(5), confidence=0.4), path(2, [3], x=300, confidence=0.3), path(3, [9], confidence=0.8))
    kept, discarded = filter_weak(rows)
    assert set(kept["face_id"]) == {1, 3} and set(discarded["face_id"]) == {2}


@pytest.mark.parametrize("source", ["manual", "imported"])
def test_filter_weak_keeps_what_a_person_drew_or_imported(source):
    kept, _ = filter_weak(path(1, [3], confidence=0.1).assign(source=pd.Categorical([source])).pipe(as_detections))
    assert len(kept) == 1


def test_discard_strays_of_nothing_is_two_empty_tables():
    kept, strays = discard_strays(empty_detections(), longest=3)
    assert check_detections(kept).empty and check_detections(strays).empty


def test_discard_strays_takes_doubtful_boxes_beyond_a_gap_at_both_ends():
    face = table(
        path(1, [0, 1], confidence=0.2), path(1, range(9, 12), confidence=0.7), path(1, [30, 31], confidence=0.29)
    )
    rows = table(face, path(2, [30, 31], x=300, confidence=0.5))
    kept, strays = discard_strays(rows, longest=3)
    assert check_detections(kept)["frame"].tolist() == [9, 10, 11, 30, 31]
    assert check_detections(strays)["frame"].tolist() == [0, 1, 30, 31]
    assert strays["face_id"].map(strays["face_id"].value_counts()).tolist() == [2, 2, 2, 2]
    assert not strays["face_id"].isin(rows["face_id"]).any()


def test_discard_strays_takes_doubtful_boxes_aside_of_the_line_between_surer_ones():
    aside = path(1, [10, 11], x=260, confidence=[0.2, 0.1])
    rows = table(
        path(1, range(3)), aside, path(1, range(20, 23)), path(2, [0, 9, 20], x=500, confidence=[0.9, 0.2, 0.9])
    )
    kept, strays = discard_strays(rows.set_index(np.zeros(len(rows))), longest=3)
    assert strays[["frame", "x"]].to_numpy().tolist() == [[10, 260], [11, 260]]
    assert strays["face_id"].nunique() == 1 and not strays["face_id"].isin(kept["face_id"]).any()
    # Where one box of the run is near the line, all of it stays.
    back = table(path(1, range(3)), aside, path(1, [12], x=130, confidence=0.2), path(1, range(20, 23)))
    assert discard_strays(back, longest=3)[1].empty


def test_discard_strays_keeps_what_may_be_the_face():
    rows = [
        path(1, [0, 1], confidence=0.7),
        # Reached without a gap, or over one that is short enough.
        path(1, [2, 6], confidence=0.1),
        # Between two surer boxes.
        path(1, [20], x=110, confidence=0.1),
        path(1, [40], confidence=0.4),
        # Doubtful throughout: the track was believed as a whole.
        path(2, [0, 20], x=300, confidence=0.2),
        # Drawn by a person, or imported.
        path(3, [0, 20], x=600, confidence=[0.8, np.nan]),
    ]
    kept, strays = discard_strays(table(*rows), longest=3)
    assert len(kept) == 10 and strays.empty


def test_fill_gaps_of_nothing_is_empty():
    assert check_detections(fill_gaps(empty_detections(), times=TIMES, cuts=[], longest=5)).empty


def test_fill_gaps_fills_short_gaps_and_leaves_long_ones():
    rows = path(1, [0, 1, 4, 20], vx=2)
    filled = check_detections(fill_gaps(rows, times=TIMES, cuts=[], longest=5))
    assert filled["frame"].tolist() == [0, 1, 2, 3, 4, 20]
    assert filled["source"].tolist().count("interpolated") == 2
    np.testing.assert_allclose(filled["x"], 100 + 2 * filled["frame"])
    np.testing.assert_allclose(filled["time"], filled["frame"] / 25)
    assert long_gaps(filled)["frames"].tolist() == [15]


def test_fill_gaps_stops_at_a_cut():
    filled = fill_gaps(path(1, [0, 4]), times=TIMES, cuts=[2], longest=9)
    assert filled["frame"].tolist() == [0, 4]
    assert long_gaps(filled, cuts=[2]).empty


def test_fill_gaps_goes_by_time_not_by_frame():
    filled = fill_gaps(path(1, [0, 2], vx=5), times=[0.0, 0.9, 1.0], cuts=[], longest=3)
    assert filled["x"].tolist() == pytest.approx([100, 109, 110])


def test_fill_gaps_refuses_times_that_are_too_short():
    with pytest.raises(OptionError, match="times has 3 frames"):
        fill_gaps(path(1, [5]), times=[0, 1, 2], cuts=[], longest=3)


def going_behind(stop, *, speed=4.0):
    """Return a face that stands at 100, and one that goes behind it, last seen in frame ``stop - 1``."""
    return table(path(1, range(40), size=60), path(2, range(stop), x=20, y=110, vx=speed, size=30))


def test_hold_occluded_of_nothing_is_empty():
    assert hold_occluded(empty_detections(), times=[], longest=9).empty


def test_hold_occluded_holds_a_face_until_the_other_one_hides_it():
    held = hold_occluded(going_behind(15), times=TIMES[:40], longest=12).query("face_id == 2")
    assert held["frame"].tolist() == list(range(20)), "at frame 20 it is at 100, behind the other one"
    assert held["x"].to_numpy()[15:].tolist() == [80, 84, 88, 92, 96]
    assert set(held["source"][15:]) == {"interpolated"}


def test_hold_occluded_holds_a_face_that_comes_out():
    frames = going_behind(15).assign(frame=lambda rows: 39 - rows["frame"])
    held = hold_occluded(frames, times=TIMES[:40], longest=12).query("face_id == 2")
    assert held["frame"].tolist() == list(range(20, 40))


@pytest.mark.parametrize(
    ("faces", "cuts", "longest"),
    [
        (going_behind(10), [], 12),  # ends at 56 to 86, before it comes to the other one
        (going_behind(40, speed=0.0), [], 12),
        (going_behind(15), [15], 12),
        (going_behind(15), [], 0),
    ],
    ids=["ended for itself", "never ended", "at a cut", "not asked"],
)
def test_hold_occluded_adds_nothing_where_no_face_goes_behind_another(faces, cuts, longest):
    held = hold_occluded(faces, times=TIMES[:40], cuts=cuts, longest=longest)
    assert len(held) == len(faces)


def test_hold_occluded_leaves_a_face_that_stands_beside_another():
    faces = going_behind(15).assign(x=lambda rows: rows["x"].where(rows["face_id"] == 1, 85.0))
    assert len(hold_occluded(faces, times=TIMES[:40], longest=12)) == len(faces)


def test_hold_occluded_has_one_box_of_a_face_where_two_ends_of_a_gap_meet():
    faces = going_behind(40, speed=4.0)
    away = faces["face_id"].eq(2) & faces["frame"].between(14, 18)
    held = hold_occluded(faces[~away], times=TIMES[:40], longest=12).query("face_id == 2")
    assert held["frame"].is_unique
    assert {14, 15, 16, 17, 18} <= set(held["frame"])


def test_hold_occluded_holds_a_face_that_faded_for_a_moment():
    faded = path(1, range(20), vx=2).assign(confidence=lambda rows: rows["confidence"].where(rows["frame"] < 18, 0.2))
    held = hold_occluded(faded, times=TIMES[:40], longest=12)
    assert held["frame"].tolist() == list(range(23)), "a quarter of twelve frames after the last"
    assert held["x"].to_numpy()[20:].tolist() == [140, 142, 144]


def test_hold_occluded_refuses_times_that_are_too_short():
    with pytest.raises(OptionError, match="times has 3 frames"):
        hold_occluded(going_behind(15), times=[0, 1, 2], longest=9)


def test_extend_of_nothing_is_empty():
    assert check_detections(extend(empty_detections(), before=3, after=3, times=TIMES)).empty


def test_extend_stays_within_shot_and_clip():
    rows = table(path(1, [2, 3]), path(2, [22, 23]))
    longer = check_detections(extend(rows, before=5, after=5, times=TIMES[:25], cuts=[6, 20]))
    assert longer["frame"][longer["face_id"] == 1].tolist() == [0, 1, 2, 3, 4, 5]
    assert longer["frame"][longer["face_id"] == 2].tolist() == [20, 21, 22, 23, 24]


def test_extend_covers_where_the_face_was_and_where_it_went():
    longer = extend(path(1, range(10), vx=4), after=3, times=TIMES)
    last = longer.iloc[-1]
    assert last["frame"] == 12
    assert last["x"] == 136 and last["x"] + last["width"] == pytest.approx(136 + 40 + 12)


def test_smooth_covers_the_line_where_confidence_dips():
    # For four frames the detector finds the face aside of where it is, doubtfully.
    boxes = path(1, range(20), confidence=np.where(np.arange(20) // 4 == 2, 0.1, 0.8))
    aside = boxes.assign(y=boxes["y"] - np.where(boxes["confidence"] < 0.3, 25, 0))
    smoothed = smooth(aside, dip=3)
    doubtful = smoothed["frame"].between(8, 11)
    assert (smoothed["y"] + smoothed["height"])[doubtful].min() >= 150 - 1e-9
    # Not for longer than a dip, nor without a surer box on both sides, nor where the boxes are sure.
    for rows in (aside, aside[aside["frame"] < 12], aside.assign(confidence=0.8)):
        longer = smooth(rows, dip=1 if rows is aside else 3)
        assert (longer["y"] + longer["height"])[longer["frame"].between(10, 11)].max() < 149


def test_smooth_of_nothing_is_empty():
    assert check_detections(smooth(empty_detections())).empty


def jittered(seed: int, frames: int = 100, jitter: float = 0.04) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = path(1, range(frames), vx=3)
    return rows.assign(**{name: rows[name] + random.normal(0, jitter * 40, frames) for name in BOX})


@given(st.integers(0, 1000), st.integers(0, 6))
@settings(max_examples=30, deadline=None)
def test_smooth_always_covers_the_box_it_came_from(seed, reach):
    rows = jittered(seed)
    calm = smooth(rows, reach=reach)
    assert (calm["x"] <= rows["x"] + 1e-9).all() and (calm["y"] <= rows["y"] + 1e-9).all()
    assert (calm["x"] + calm["width"] >= rows["x"] + rows["width"] - 1e-9).all()
    assert (calm["y"] + calm["height"] >= rows["y"] + rows["height"] - 1e-9).all()


def test_smooth_calms_without_ballooning():
    rows = jittered(5)
    calm = smooth(rows)
    assert np.diff(calm["width"]).std() < 0.5 * np.diff(rows["width"]).std()
    assert (calm["width"] / rows["width"]).mean() < 1.2


def test_smooth_leaves_a_steady_face_and_a_drawn_box_alone():
    steady = path(1, range(20), vx=3)
    pd.testing.assert_frame_equal(smooth(steady), steady)
    drawn = jittered(2).assign(source="manual").pipe(as_detections)
    pd.testing.assert_frame_equal(smooth(drawn), drawn)


def test_smooth_keeps_the_size_of_a_face_that_something_passes_before():
    rows = path(1, range(40), size=60)
    hidden = rows["frame"].between(15, 22)
    dipped = rows.assign(width=rows["width"].where(~hidden, 35.0), x=rows["x"].where(~hidden, rows["x"] + 12))
    assert smooth(dipped)["width"].min() < 50
    whole = smooth(dipped, dip=10)
    assert whole["width"].min() >= 60 - 1e-9
    assert whole["width"].max() < 70


def test_smooth_keeps_the_size_of_a_face_that_goes_behind_something():
    rows = path(1, range(40), size=60)
    left = np.clip((rows["frame"] - 35) * 10, 0, None)
    rows = rows.assign(x=rows["x"] + left, width=rows["width"] - left)
    assert smooth(rows)["width"].min() < 40
    assert smooth(rows, dip=10)["width"].min() >= 60 - 1e-9


def test_smooth_lets_a_face_that_goes_away_grow_smaller():
    rows = path(1, range(80)).assign(width=np.linspace(80, 40, 80), height=np.linspace(100, 50, 80))
    calm = smooth(rows, dip=10)
    assert calm["width"].iloc[-1] < 48
    assert (calm["width"] <= rows["width"].shift(12).fillna(90)).all()


def test_smooth_carries_nothing_over_a_cut_or_a_gap():
    rows = table(path(1, range(10)), path(1, range(10, 20), x=900), path(1, range(30, 40), x=50))
    calm = smooth(rows, cuts=[10], reach=5)
    pd.testing.assert_frame_equal(calm, rows)
