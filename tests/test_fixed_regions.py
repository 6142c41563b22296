"""Where: regions of the frame that are always hidden, never searched, or alone searched."""

from __future__ import annotations

import json

import numpy as np
import pytest

import redactkit as rk
from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import OptionError
from redactkit.formats import read_annotations
from redactkit.redaction.options import RedactionOptions
from redactkit.redaction.preparation import prepare
from redactkit.review import Review
from redactkit.review.fixed_regions import with_regions
from redactkit.tables import BOX, empty_detections
from redactkit.tracking.regions import FixedRegion, as_regions, split_ignored
from redactkit.video import VideoReader, probe

BOARD = {"box": [10, 20, 100, 60], "kind": "document", "reason": "names on the board"}


def test_no_region_changes_nothing(short_truth):
    assert with_regions(short_truth, ()) is short_truth
    alone = as_regions([{"box": [0, 0, 9, 9], "rule": "only"}])
    assert split_ignored(empty_detections(), short_truth.video, alone) == set()


@pytest.mark.parametrize(
    "wrong",
    [
        {"box": [1, 2, 3]},
        {"box": [1, 2, 0, 4]},
        {"box": [1, 2, 3, 4], "rule": "blur"},
        {"box": [10, 2, 3, 4], "unit": "shares"},
        {"box": [1, 2, 3, 4], "start": 5, "end": 2},
        {"place": [1, 2, 3, 4]},
    ],
)
def test_region_that_is_none_is_refused(wrong):
    with pytest.raises(OptionError):
        as_regions([wrong])


def test_hidden_region_is_an_object_with_a_box_in_each_frame_of_its_range(short_truth):
    held = with_regions(short_truth, as_regions([BOARD | {"start": 0.4, "end": 0.8}]))
    new = int(held.detections["face_id"].max())
    rows = held.detections[held.detections["face_id"] == new]
    assert rows["frame"].tolist() == list(range(10, 20))
    assert (rows[BOX].to_numpy() == BOARD["box"]).all()
    assert held.tracks.loc[new, ["kind", "redact", "reason"]].tolist() == ["document", True, "names on the board"]
    assert held.detections["keyframe"].sum() == 1 + short_truth.detections["keyframe"].sum()
    assert with_regions(held, as_regions([BOARD | {"start": 0.4, "end": 0.8}])) is held


def test_shares_are_of_the_displayed_frame(short_truth):
    region = FixedRegion((0.5, 0.25, 0.5, 0.5), unit="shares")
    assert region.pixels(short_truth.video).tolist() == [320, 90, 320, 180]


def test_tracks_that_live_in_an_ignored_region_are_set_aside_and_who_passes_by_is_kept(short_truth):
    rows = short_truth.detections
    face = int(rows["face_id"].iloc[0])
    own = rows[rows["face_id"] == face]
    left, top = own[["x", "y"]].min()
    right, bottom = (own["x"] + own["width"]).max(), (own["y"] + own["height"]).max()
    around = as_regions([{"box": [left, top, right - left, bottom - top], "rule": "ignore"}])
    ignored = split_ignored(rows, short_truth.video, around)
    assert face in ignored
    held = with_regions(short_truth, around)
    assert set(held.discarded["face_id"]) == ignored and not held.detections["face_id"].isin(ignored).any()
    first = own.iloc[0][BOX].to_numpy(np.float64)
    brief = as_regions([{"box": first.tolist(), "rule": "ignore", "start": 0, "end": 0.2}])
    assert split_ignored(rows, short_truth.video, brief) == set()


def test_only_keeps_every_track_that_touches_the_region(short_truth):
    rows = short_truth.detections
    half = as_regions([{"box": [0, 0, 0.5, 1], "unit": "shares", "rule": "only"}])
    gone = split_ignored(rows, short_truth.video, half)
    middle = rows["x"] + rows["width"] / 2
    assert gone == set(rows["face_id"]) - set(rows.loc[rows["x"] + 0.2 * rows["width"] <= 320, "face_id"])
    assert (middle[rows["face_id"].isin(gone)] > 320).all()


def test_regions_are_kept_and_come_back(short_truth, tmp_path):
    held = with_regions(short_truth, as_regions([BOARD]))
    again = read_annotations(held.to("azure", tmp_path / "a.json"))
    assert again.settings["regions"] == [FixedRegion(**BOARD).as_dict()]
    assert as_regions(again.settings["regions"]) == as_regions([BOARD])


def test_board_is_hidden_without_any_face_and_however_faces_are_chosen(short_clip, short_truth, tmp_path):
    bare = Annotations(probe(short_clip), empty_detections())
    report = rk.redact(short_clip, bare, regions=[BOARD], blur="Black", output=tmp_path / "a.mp4", progress=False)
    assert report.ok and not report.nothing_hidden
    with VideoReader(report.output) as reader:
        luma = reader.frame_at(30).luma()
    assert luma[22:78, 12:108].max() < 24
    assert luma[90:, 120:].max() > 60
    one = int(short_truth.detections["face_id"].iloc[0])
    both = rk.redact(short_clip, short_truth, include=[one], regions=[BOARD], output=tmp_path / "b.mp4", progress=False)
    assert both.faces.loc[both.faces["redact"], "kind"].tolist() == ["face", "document"]
    check = rk.verify(short_clip, both.output, short_truth, include=None, progress=False)
    assert check.bare.empty
    assert 5 in check.faces.index


def test_region_that_is_asked_for_is_hidden_though_the_annotations_have_it_and_leave_its_object_out(
    short_clip, short_truth, tmp_path
):
    held = with_regions(short_truth, as_regions([BOARD]))
    board = int(held.detections["face_id"].max())
    one = int(short_truth.detections["face_id"].iloc[0])
    rows = held.detections
    deleted = held.replace(detections=rows[rows["face_id"] != board].reset_index(drop=True))
    for made, chosen in ((held, {"labels": "face"}), (held, {"include": [one]}), (deleted, {})):
        prepared = prepare(
            short_clip,
            made,
            RedactionOptions(regions=[BOARD], labels=chosen.get("labels")),
            include=chosen.get("include"),
        )
        assert prepared.plan.touched.all()
        hidden = prepared.annotations.detections
        hidden = hidden[hidden["face_id"].isin(prepared.faces) & (hidden["kind"] == "document")]
        assert len(hidden) == 60
        assert prepared.annotations.settings["regions"] == [FixedRegion(**BOARD).as_dict()]


def test_redaction_says_which_places_are_left_bare(short_clip, short_truth, tmp_path):
    left = [{"box": [0, 0, 0.3, 1], "unit": "shares", "rule": "ignore", "end": 1}, BOARD]
    report = rk.redact(short_clip, short_truth, regions=left, output=tmp_path / "a.mp4", progress=False)
    told = (
        "faces that stay in 0, 0, 0.3, 1 (shares) from 00:00:00.000 to 00:00:01.000 are left bare, as the regions say"
    )
    assert told in report.notes


def test_ignored_place_takes_no_object_that_somebody_drew(short_clip, short_truth):
    review = Review(short_truth)
    drawn = review.add_region([10, 20, 60, 40], kind="screen")
    everywhere = as_regions([{"box": [0, 0, 1, 1], "unit": "shares", "rule": "ignore"}])
    left = with_regions(review.annotations, everywhere).detections
    assert set(left["kind"]) == {"screen"} and drawn is not None


def test_region_smaller_than_a_pixel_is_refused():
    with pytest.raises(OptionError, match=r"region of 0.2x0.3 pixels is smaller than one; for shares .* percent"):
        as_regions([{"box": [0.3, 0.3, 0.2, 0.3]}])


def test_region_that_a_review_does_not_search_is_kept_undone_and_recovered(short_truth, tmp_path):
    session = Review(short_truth, autosave=tmp_path / "a.jsonl")
    # Nobody lives there, so that no table changes.
    session.add_region([0.9, 0.9, 0.1, 0.1], rule="ignore", unit="shares", end=1)
    session.add_region([0, 0, 5, 5], rule="hide")
    (kept,) = session.annotations.settings["regions"]
    assert (kept["rule"], kept["unit"], kept["end"]) == ("ignore", "shares", 1)
    again = read_annotations(session.annotations.to("azure", tmp_path / "a.json"))
    assert again.settings["regions"] == [kept]
    session.undo()
    session.undo()
    assert "regions" not in session.annotations.settings
    session.redo()
    assert session.annotations.settings["regions"] == [kept]
    recovered = Review(short_truth, autosave=tmp_path / "a.jsonl")
    assert recovered.annotations.settings["regions"] == [kept]
    assert Review(again).annotations.settings["regions"] == [kept]


def test_review_adds_regions_and_takes_them_back(short_truth):
    review = Review(short_truth)
    new = review.add_region([0, 0, 0.2, 0.2], unit="shares", kind="screen")
    assert review.tracks.loc[new, ["kind", "frames"]].tolist() == ["screen", 60]
    assert review.add_region([0, 0, 1, 1], rule="ignore", unit="shares") is None
    assert set(review.detections["kind"]) == {"screen"}, "what somebody asked for stays"
    review.undo()
    review.undo()
    assert review.detections.equals(short_truth.detections)


def test_commands_take_regions(short_clip, short_truth, tmp_path, capsys):
    path = short_truth.to("azure", tmp_path / "a.json")
    out = tmp_path / "out.mp4"
    given = ["--region", "hide:10,20,100,60@0:00-0:01", "--region", "ignore:0%,90%,10%,10%"]
    assert main(["redact", str(short_clip), "--annotations", str(path), "-o", str(out), "--quiet", *given]) == 0
    regions = json.loads(out.with_suffix(".report.json").read_text())["settings"]["regions"]
    told = [(each["rule"], each["unit"], each["end"]) for each in regions]
    assert told == [("hide", "pixels", 1), ("ignore", "shares", None)]
    with pytest.raises(SystemExit):
        main(["redact", str(short_clip), "--region", "blur:1,2,3,4"])
    assert "a region is RULE:X,Y,W,H" in capsys.readouterr().err
