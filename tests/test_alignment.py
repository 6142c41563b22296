"""Boxes laid on the frames of a video: exact where they can be, never bare in between."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redactkit import boxes as bx
from redactkit.annotations import Annotations
from redactkit.errors import AnnotationError, AnnotationWarning, MismatchError
from redactkit.formats import align, read_annotations
from redactkit.media import VideoInfo
from redactkit.tables import BOX, as_detections, check_detections, empty_detections


def make_video(times, **changes):
    given = {"path": None, "width": 640, "height": 360, "frame_rate": Fraction(25), "time_base": Fraction(1, 1000)}
    return VideoInfo(**{**given, "pts": np.round(np.array(times) * 1000).astype(np.int64), **changes})


def make_annotations(times, rows, **changes):
    """Rows are (entry, face, x); every box is 10 wide and 20 high at y = 0."""
    video = make_video(times)
    frames = np.array([row[0] for row in rows], np.int64)
    table = {
        "frame": frames,
        "time": video.times[frames],
        "face_id": [row[1] for row in rows],
        "x": [row[2] for row in rows],
        "y": 0,
        "width": 10,
        "height": 20,
    }
    return Annotations(video, as_detections(table), **changes)


def boxes_of(annotations, face):
    rows = annotations.detections[annotations.detections["face_id"] == face]
    return {int(frame): (float(x), float(x + width)) for frame, x, width in rows[["frame", "x", "width"]].to_numpy()}


FRAMES = np.arange(11) / 10


def test_align_of_nothing_is_nothing():
    video = make_video(FRAMES)
    aligned = align(Annotations(make_video([0, 1]), empty_detections()), video)
    assert aligned.detections.equals(empty_detections())
    assert aligned.video is video


def test_entries_that_are_frames_are_taken_as_they_are():
    rows = [(frame, 1, 3.0 * frame) for frame in range(11)]
    annotations = make_annotations(FRAMES, rows)
    assert align(annotations, make_video(FRAMES)).detections.equals(annotations.detections)


def test_entries_a_little_beside_frames_are_taken_as_they_are():
    rows = [(frame, 1, 3.0 * frame) for frame in range(11)]
    aligned = align(make_annotations(FRAMES + 0.03, rows), make_video(FRAMES))
    assert aligned.detections["x"].tolist() == [3.0 * frame for frame in range(11)]
    assert aligned.detections["time"].tolist() == pytest.approx(FRAMES)


def test_box_between_two_entries_covers_where_the_face_may_be():
    aligned = align(make_annotations([0, 0.4], [(0, 1, 0), (1, 1, 100)]), make_video(FRAMES[:5]))
    assert boxes_of(aligned, 1) == {
        0: (0, 10),
        1: (0, 60),
        2: (0, 110),
        3: (pytest.approx(50), 110),
        4: (100, 110),
    }
    assert aligned.detections["source"].tolist() == ["imported", *["interpolated"] * 3, "imported"]


def test_face_of_one_entry_is_held_both_ways_until_the_next_entry():
    rows = [(0, 1, 50), (1, 2, 0), (2, 1, 70)]
    aligned = align(make_annotations([0, 0.3, 0.6], rows), make_video(FRAMES[:7]))
    assert boxes_of(aligned, 1) == {0: (50, 60), 1: (50, 60), 2: (50, 60), 4: (70, 80), 5: (70, 80), 6: (70, 80)}
    assert sorted(boxes_of(aligned, 2)) == [1, 2, 3, 4, 5]


def test_boxes_are_held_for_one_interval_before_the_first_entry_and_after_the_last():
    aligned = align(make_annotations([0.4, 0.6], [(0, 1, 5), (1, 1, 5)]), make_video(FRAMES))
    assert sorted(boxes_of(aligned, 1)) == [2, 3, 4, 5, 6, 7, 8]


def test_entries_denser_than_frames_are_joined():
    rows = [(0, 1, 0), (1, 1, 4), (2, 1, 8), (3, 1, 12), (4, 1, 16), (1, 2, 99)]
    aligned = align(make_annotations([0, 0.02, 0.1, 0.12, 0.2], rows), make_video(FRAMES[:3]))
    assert boxes_of(aligned, 1) == {0: (0, 14), 1: (8, 22), 2: (16, 26)}
    assert boxes_of(aligned, 2) == {0: (99, 109)}


def test_times_that_count_from_the_first_frame_are_shifted_and_told():
    rows = [(frame, 1, 3.0 * frame) for frame in range(11)]
    with pytest.warns(AnnotationWarning, match=r"count from the video's first frame; 0.852 s"):
        aligned = align(make_annotations(FRAMES, rows), make_video(FRAMES + 0.852))
    assert aligned.detections["frame"].tolist() == list(range(11))


def test_times_of_the_container_are_not_shifted():
    rows = [(frame, 1, 3.0 * frame) for frame in range(11)]
    aligned = align(make_annotations(FRAMES + 0.852, rows), make_video(FRAMES + 0.852))
    assert aligned.detections["frame"].tolist() == list(range(11))


def test_boxes_outside_the_video_are_left_out_and_told():
    with pytest.warns(AnnotationWarning, match="1 boxes lie before"):
        aligned = align(make_annotations([0, 0.1, 7], [(0, 1, 0), (1, 1, 0), (2, 1, 0)]), make_video(FRAMES))
    assert sorted(boxes_of(aligned, 1))[:2] == [0, 1]


def test_annotations_of_another_time_are_refused():
    with pytest.raises(MismatchError, match="no box of the annotations lies within"):
        align(make_annotations([100, 100.1], [(0, 1, 0), (1, 1, 0)]), make_video(FRAMES))


def test_boxes_without_times_go_by_frame_number():
    annotations = make_annotations(FRAMES, [(2, 1, 0), (5, 1, 9)])
    timeless = annotations.replace(detections=annotations.detections.assign(time=np.nan))
    aligned = align(timeless, make_video(FRAMES * 2))
    assert aligned.detections["frame"].tolist() == [2, 5]
    assert aligned.detections["time"].tolist() == pytest.approx([0.4, 1.0])
    with pytest.raises(MismatchError, match="frame 5 has a box, but the video has only 5"):
        align(timeless, make_video(FRAMES[:5]))


def test_faces_without_boxes_are_refused():
    annotations = make_annotations(FRAMES, [(2, 1, 0)])
    boxless = annotations.replace(detections=annotations.detections.assign(x=np.nan))
    with pytest.raises(AnnotationError, match="when faces are seen but not where"):
        align(boxless, make_video(FRAMES))


def test_cuts_and_decisions_move_along():
    annotations = make_annotations([0, 0.4, 0.8], [(0, 1, 0), (2, 1, 0)], cuts=[2], decisions={1: {"redact": False}})
    aligned = annotations.align(make_video(FRAMES))
    assert aligned.cuts.tolist() == [8]
    assert aligned.selected_ids == []


def test_variable_rate_frames_get_the_entries_nearest_in_time():
    times = [0, 0.1, 0.15, 0.5, 0.52]
    rows = [(entry, 1, 10 * entry) for entry in range(6)]
    aligned = align(make_annotations(np.arange(6) / 10, rows), make_video(times))
    assert {frame: left for frame, (left, _) in boxes_of(aligned, 1).items()} == {0: 0, 1: 10, 2: 20, 3: 40, 4: 50}


def test_read_annotations_lays_boxes_on_the_video(tmp_path):
    rows = [(0, 1, 0), (1, 1, 64)]
    path = make_annotations([0, 0.4], rows).to("azure", tmp_path / "a.json")
    video = make_video(FRAMES)
    annotations = read_annotations(path, video=video)
    assert annotations.video is video
    assert sorted(boxes_of(annotations, 1)) == list(range(9))


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    gaps=st.lists(st.integers(1, 15), min_size=1, max_size=30),
    moves=st.lists(st.integers(-80, 80), min_size=7, max_size=7),
    start=st.integers(0, 20),
)
def test_no_frame_between_two_entries_is_bare(entries, gaps, moves, start):
    """A face at every entry is covered in every frame between: at least one end or the straight line."""
    instants = (start + np.cumsum([0, *entries])) / 100
    rows = [(entry, 1, float(move)) for entry, move in zip(range(len(instants)), moves, strict=False)]
    annotations = make_annotations(instants, rows)
    video = make_video(np.cumsum([0, *gaps]) / 100)
    inside = (video.times >= instants[0]) & (video.times <= instants[-1])
    if instants[-1] > video.times[-1] or not inside.any():
        return
    aligned = align(annotations, video)
    check_detections(aligned.detections)
    covered = aligned.detections.set_index("frame")
    for frame in np.flatnonzero(inside):
        row = covered.loc[[frame], BOX].to_numpy()
        before = max(np.searchsorted(instants, video.times[frame], side="right") - 1, 0)
        ends = annotations.detections[BOX].to_numpy()[before : before + 2]
        share = (video.times[frame] - instants[before]) / np.diff(instants, append=instants[-1] + 1)[before]
        line = bx.interpolate(ends[0], ends[-1], [share])
        assert max(*bx.union_cover(ends, row), *bx.union_cover(line, row)) > 0.999


def test_cuts_that_a_file_names_beyond_its_frames_are_left_out():
    video = VideoInfo(None, 640, 360, Fraction(25), Fraction(1, 25), np.arange(10), digest="")
    rows = {"frame": [0], "face_id": 1, "x": 1, "y": 2, "width": 30, "height": 40, "time": 0.0}
    given = Annotations(video, as_detections(rows), cuts=[4, 275])
    assert align(given, video).cuts.tolist() == [4]
