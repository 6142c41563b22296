"""The record that passes share."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from redactkit.annotations import Annotations, thumbnail_name
from redactkit.errors import AnnotationError, OptionError, TableError
from redactkit.media import VideoInfo
from redactkit.tables import TRACKS, as_detections, empty_detections


def make_video(frames=10, **changes):
    given = {"path": None, "width": 100, "height": 50, "frame_rate": Fraction(25), "time_base": Fraction(1, 25)}
    return VideoInfo(**{**given, "pts": np.arange(frames), **changes})


def make_annotations(**changes):
    detections = as_detections(
        {"frame": [0, 1, 1], "time": [0, 0.04, 0.04], "face_id": [1, 1, 4], "x": 5, "y": 6, "width": 7, "height": 8}
    )
    return Annotations(**{"video": make_video(), "detections": detections, **changes})


def test_annotations_empty_has_empty_tracks():
    annotations = Annotations(make_video(0), empty_detections())
    assert annotations.tracks.empty
    assert list(annotations.tracks.columns) == list(TRACKS)
    assert annotations.selected_ids == []
    assert annotations.has_boxes
    assert annotations.has_times


def test_annotations_refuses_a_table_without_columns():
    with pytest.raises(TableError, match="lacks the columns"):
        Annotations(make_video(), pd.DataFrame({"frame": [1]}))


ROWS = {"frame": [0, 2], "face_id": [1, 1], "x": [5, 6], "y": [5, 6], "width": [7, 7], "height": [8, 8]}


@pytest.mark.parametrize("missing", ["frame", "face_id", "width"])
def test_annotations_makes_up_neither_frame_nor_face_nor_box(missing):
    rows = pd.DataFrame({name: values for name, values in ROWS.items() if name != missing})
    with pytest.raises(TableError, match=missing):
        Annotations(make_video(), rows)


def test_annotations_takes_missing_times_from_the_video():
    annotations = Annotations(make_video(), pd.DataFrame(ROWS))
    assert annotations.detections["time"].tolist() == [0, 0.08]
    assert annotations.detections["source"].tolist() == ["imported"] * 2


def test_annotations_refuses_missing_times_that_the_video_does_not_know():
    with pytest.raises(TableError, match="lacks the column time"):
        Annotations(make_video(2), pd.DataFrame(ROWS))


def test_annotations_leaves_times_unknown_where_the_frames_are_only_numbered():
    assert not Annotations(make_video(), as_detections(ROWS)).has_times
    assert Annotations(make_video(path=Path("a.mp4")), as_detections(ROWS)).has_times


@pytest.mark.parametrize("ids", [4, np.array([4]), pd.Index([4]), {4}])
def test_select_takes_one_id_or_any_iterable_of_them(ids):
    assert make_annotations().select(ids).selected_ids == [4]


def test_annotations_gives_every_face_a_decision_to_redact():
    annotations = make_annotations()
    assert annotations.decisions["redact"].to_dict() == {1: True, 4: True}
    assert annotations.selected_ids == [1, 4]


def test_select_redacts_only_the_named_faces():
    chosen = make_annotations().select([4])
    assert chosen.selected_ids == [4]
    assert chosen.tracks["redact"].to_dict() == {1: False, 4: True}


def test_select_of_nothing_redacts_all():
    assert make_annotations().select([4]).select([]).selected_ids == [1, 4]


def test_select_names_an_unknown_face():
    with pytest.raises(OptionError, match="ID 7; the faces are 1, 4"):
        make_annotations().select([4, 7])


def test_replace_leaves_the_original_alone():
    annotations = make_annotations()
    changed = annotations.replace(cuts=[3])
    assert changed.cuts.tolist() == [3]
    assert annotations.cuts.tolist() == []
    with pytest.raises(ValueError, match="read-only"):
        changed.cuts[0] = 4


def test_equals_compares_everything_but_paths():
    annotations = make_annotations()
    assert annotations == make_annotations(video=make_video(path=Path("somewhere.mp4")), thumbnails=Path("t"))
    assert annotations != make_annotations(video=make_video(width=99))
    assert annotations != make_annotations(video=make_video(11))
    assert annotations != make_annotations(settings={"detector": "yunet"})
    assert annotations != make_annotations(cuts=[2])
    assert annotations != annotations.select([4])
    assert annotations != "annotations"


def test_equals_allows_the_tolerance_asked_for():
    annotations = make_annotations()
    moved = annotations.replace(detections=annotations.detections.assign(x=5.001))
    assert not annotations.equals(moved)
    assert annotations.equals(moved, tolerance=0.01)


def test_thumbnail_name_has_six_digits():
    assert thumbnail_name("foo", 1138) == "foo_thumb001138.jpg"
    with pytest.raises(AnnotationError, match="0 to 999999, got 1000000"):
        thumbnail_name("foo", 1_000_000)


def test_tracks_find_thumbnails(tmp_path):
    (tmp_path / "foo_thumb000004.jpg").write_bytes(b"")
    (tmp_path / "foo_thumbnail.jpg").write_bytes(b"")
    tracks = make_annotations(thumbnails=tmp_path).tracks
    assert tracks.loc[4, "thumbnail"] == tmp_path / "foo_thumb000004.jpg"
    assert tracks.loc[1, "thumbnail"] is None


def test_repr_counts():
    assert repr(make_annotations()) == "<Annotations: 2 faces, 3 boxes, 10 frames of 100x50>"


def test_thumbnails_are_found_by_the_whole_stem_of_the_video(tmp_path):
    stems = ["foo", "foo_thumb000001", "fo", "foo2", "FOO", "*", "f[o]o", "foo\n"]
    for stem in stems:
        (tmp_path / f"{stem}_thumb000001.jpg").write_bytes(b"")
    for stem in stems:
        video = replace(make_annotations().video, path=tmp_path / f"{stem}.mp4")
        tracks = make_annotations(video=video, thumbnails=tmp_path).tracks
        assert tracks.loc[1, "thumbnail"] == tmp_path / f"{stem}_thumb000001.jpg"
        assert tracks.loc[4, "thumbnail"] is None
    video = replace(make_annotations().video, path=tmp_path / "none.mp4")
    assert make_annotations(video=video, thumbnails=tmp_path).tracks["thumbnail"].isna().all()


def test_thumbnails_of_an_unknown_video_are_not_taken_from_several(tmp_path):
    (tmp_path / "foo_thumb000001.jpg").write_bytes(b"")
    assert make_annotations(thumbnails=tmp_path).tracks["thumbnail"].notna().sum() == 1
    (tmp_path / "bar_thumb000004.jpg").write_bytes(b"")
    assert make_annotations(thumbnails=tmp_path).tracks["thumbnail"].isna().all()
    assert make_annotations(thumbnails=tmp_path / "none").tracks["thumbnail"].isna().all()


@pytest.mark.parametrize("ending", ["_thumb000004.JPG", "_THUMB000004.jpg", "_thumb000004.jpeg"])
def test_thumbnails_are_found_with_an_ending_in_any_case(tmp_path, ending):
    (tmp_path / f"foo{ending}").write_bytes(b"")
    tracks = make_annotations(thumbnails=tmp_path).tracks
    assert tracks.loc[4, "thumbnail"] == tmp_path / f"foo{ending}"


def test_thumbnails_of_long_stems_are_found(tmp_path):
    for letter in "xy":
        (tmp_path / thumbnail_name("é" * 124 + letter, 1)).write_bytes(b"")
    video = replace(make_annotations().video, path=tmp_path / f"{'é' * 124}y.mp4")
    found = make_annotations(video=video, thumbnails=tmp_path).tracks.loc[1, "thumbnail"]
    assert found == tmp_path / thumbnail_name("é" * 124 + "y", 1)
