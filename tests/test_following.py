"""What was drawn is followed to where it goes, and where it is lost that is said."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from redactkit.boxes import iou
from redactkit.errors import OptionError, PassCancelled
from redactkit.following import Ending, Follower, Start, follow_boxes
from redactkit.review import Review
from redactkit.tables import BOX
from redactkit.video import VideoReader
from tests.moving_board import SIDES, SIZE, draw, place, write


def _follow(frames, box, *, start=0, step=1, **options):
    follower = Follower(frames[start], np.asarray(box), frame=start, **options)
    number = start + step
    while 0 <= number < len(frames) and follower.ending is None:
        follower.step(frames[number], number)
        number += step
    return follower


def _worst(places, truth) -> float:
    return min(float(iou(place.box[None], truth[frame][None])[0, 0]) for frame, place in places.items())


def test_board_is_followed_forwards_and_backwards():
    truth = [place(number) for number in range(30)]
    frames = [draw(box) for box in truth]
    for start, step in ((0, 1), (29, -1)):
        follower = _follow(frames, truth[start], start=start, step=step)
        assert len(follower.boxes) == 29
        assert follower.unfinished is Ending.END
        assert _worst(follower.boxes, truth) > 0.9


def test_size_is_followed():
    truth = [np.array([60 - number, 40 - number, 44 + 2 * number, 32 + 1.5 * number]) for number in range(25)]
    follower = _follow([draw(box) for box in truth], truth[0])
    assert _worst(follower.boxes, truth) > 0.9


def test_board_that_leaves_has_left_and_is_covered_to_the_end():
    truth = [place(number, speed=(6.0, 0.0), start=(60.0, 40.0)) for number in range(30)]
    follower = _follow([draw(box) for box in truth], truth[0])
    assert follower.ending is Ending.LEFT
    shown = [number for number in range(1, 30) if truth[number][0] < SIZE[0] - 1]
    assert set(shown) <= set(follower.boxes)


def test_box_of_what_leaves_stays_longer_where_frames_are_far_apart():
    truth = [place(number, speed=(6.0, 0.0), start=(60.0, 40.0)) for number in range(34)]
    frames = [draw(box) for box in truth]
    last = [max(_follow(frames, truth[0], frame_rate=rate).boxes) for rate in (25.0, 12.5)]
    assert last[1] == last[0] + 1


def test_board_behind_a_pillar_is_found_again_and_covered_meanwhile():
    truth = [place(number, start=(5.0, 40.0), speed=(4.0, 0.0)) for number in range(36)]
    follower = _follow([draw(box, pillar=(75, 100)) for box in truth], truth[0])
    assert sorted(follower.boxes) == list(range(1, 36))
    assert follower.boxes[35].seen
    assert _worst(follower.boxes, truth) > 0.5


def test_board_that_vanishes_is_lost_and_not_guessed_on():
    truth = [place(number) for number in range(80)]
    empty = draw(np.array([500.0, 500.0, *SIDES]))
    frames = [draw(box) if number < 20 else empty for number, box in enumerate(truth)]
    follower = _follow(frames, truth[0])
    assert follower.ending in (Ending.LOST, Ending.HIDDEN)
    assert 19 <= max(follower.boxes) < 25
    assert not any(follower.boxes[number].seen for number in range(20, max(follower.boxes) + 1))


def test_plain_box_without_texture_is_lost_at_once():
    frames = [np.full(SIZE[::-1], 90, np.uint8)] * 60
    follower = _follow(frames, [60, 40, 40, 30])
    assert follower.ending is Ending.LOST
    assert not any(place.seen for place in follower.boxes.values())


def test_box_outside_the_picture_has_left():
    assert Follower(draw(place(0)), np.array([900.0, 10.0, 40.0, 30.0]), frame=0).ending is Ending.LEFT


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    frames = [draw(place(number)) for number in range(40)]
    return write(tmp_path_factory.mktemp("board") / "board.mp4", frames)


@pytest.fixture
def review(clip):
    session = Review.open(clip)
    yield session
    session.close()


def _ious(review, face) -> dict[int, float]:
    rows = review.detections[(review.detections["face_id"] == face).to_numpy()]
    boxes = rows[BOX].to_numpy()
    return {
        frame: float(iou(box[None], place(frame)[None])[0, 0])
        for frame, box in zip(rows["frame"].tolist(), boxes, strict=True)
    }


def test_review_follows_both_ways_as_one_edit(review):
    face = review.add_face(place(20).tolist(), frame=20, kind="screen")
    told = review.follow(face, 20)
    assert told["ending"].tolist() == ["followed to the end"] * 2
    overlaps = _ious(review, face)
    assert sorted(overlaps) == list(range(40))
    assert min(overlaps.values()) > 0.85
    rows = review.detections
    assert rows.loc[rows["keyframe"], "frame"].tolist() == [20]
    assert set(rows.loc[~rows["keyframe"], "source"]) == {"tracked"}
    assert set(rows["kind"]) == {"screen"}
    assert review.edits[-1].frames.tolist() == [*range(20), *range(21, 40)]
    review.undo()
    assert review.detections["frame"].tolist() == [20]


def test_direction_and_until_end_it(review):
    face = review.add_face(place(20).tolist(), frame=20, kind="other")
    review.follow(face, 20, direction="forward", until=30)
    assert sorted(_ious(review, face)) == list(range(20, 31))
    review.follow(face, 20, direction="backward", until=15)
    assert sorted(_ious(review, face)) == list(range(15, 31))


def test_following_ends_at_the_edges_of_the_shot_unless_told_otherwise(review):
    review.load(review.annotations.replace(cuts=[10, 25]))
    face = review.add_face(place(20).tolist(), frame=20, kind="other")
    review.follow(face, 20)
    assert sorted(_ious(review, face)) == list(range(10, 25))
    review.follow(face, 20, within_shot=False)
    assert sorted(_ious(review, face)) == list(range(40))


def test_following_anew_says_which_boxes_of_before_are_gone(review):
    face = review.add_face(place(20).tolist(), frame=20, kind="other")
    assert review.follow(face, 20)["removed"].tolist() == [0, 0]
    rows = review.detections.copy()
    rows.loc[rows["frame"] == 20, BOX] = [400, 200, 20, 20]  # nothing is there
    review.load(review.annotations.replace(detections=rows))
    outcome = review.follow(face, 20, direction="forward")
    assert outcome["removed"].item() == 40 - len(review.detections) > 0
    assert review.edits[-1].name.endswith(f"{outcome['removed'].item()} boxes of before are gone")


def test_gap_in_which_an_object_is_lost_is_covered_around_both_sides(tmp_path):
    plain = write(tmp_path / "plain.mp4", [np.full(SIZE[::-1], 90, np.uint8)] * 20)
    with closing(Review.open(plain)) as review:
        face = review.add_face([20, 20, 30, 20], frame=5, kind="other")
        review.set_box([60, 30, 30, 20], face_id=face, frame=15)
        review.fill_gaps(face)
        assert review.holes(face)
        review.undo()
        review.fill_gaps(face, cover=True)
        assert not review.holes(face)
        between = review.detections.query("frame == 10")
        x, y, width, height = between[BOX].iloc[0]
        assert x <= 20 and y <= 20 and x + width >= 90 and y + height >= 50, "it holds the boxes of both sides"
        assert (between["confidence"] < 0.5).all()
        assert "around both sides" in review.edits[-1].name


def test_visible_ranges_and_regions_before_a_late_clock_are_refused(short_truth):
    """A player shows the video from 0, and its clock begins at a second and a half."""
    video = short_truth.video
    late = Review(short_truth.replace(video=replace(video, audio=(), pts=video.pts + round(1.5 / video.time_base))))
    face = int(late.tracks.index[0])
    with pytest.raises(OptionError, match=r"begins at 1\.500 s"):
        late.decide([face], visible=[(0.5, 2)])
    with pytest.raises(OptionError, match=r"begins at 1\.500 s"):
        late.add_region([0, 0, 50, 50], end=2)
    with pytest.raises(OptionError, match="begins after the video's end"):
        late.decide([face], visible=[(90, 99)])
    late.decide([face], visible=[(1.6, 2)])
    late.add_region([0, 0, 50, 50], start=1.5, end=2)


@pytest.mark.parametrize("box", [[900, 10, 20, 20], [10, 10, 0, 20], [10, 10, -5, 20], [10, 10, 20], "badge"])
def test_box_that_hides_nothing_is_refused(short_truth, box):
    review = Review(short_truth)
    with pytest.raises(OptionError, match=r"outside the picture|wider and higher|a box is x, y"):
        review.add_face(box, frame=3)
    with pytest.raises(OptionError, match=r"outside the picture|wider and higher|a box is x, y"):
        review.set_box(box, face_id=1, frame=3)
    assert review.detections.equals(short_truth.detections)


@pytest.mark.parametrize("given", [{"visible": (1, 1.5)}, {"visible": [(1,)]}, {"redact": "no"}])
def test_decision_that_is_none_is_refused_in_words(short_truth, given):
    with pytest.raises(OptionError, match=r"visible range|redact is True or False"):
        Review(short_truth).decide([1], **given)


def test_correction_follows_anew_to_the_next_keyframes_only(review):
    face = review.add_face(place(5).tolist(), frame=5, kind="other")
    review.set_box(place(35).tolist(), face_id=face, frame=35)
    review.follow(face)
    before = review.detections
    corrected = place(20) + np.array([4, 4, 0, 0])
    review.set_box(corrected.tolist(), face_id=face, frame=20)
    review.set_box(place(12).tolist(), face_id=face, frame=12)
    told = review.follow(face, 20)
    assert told["ending"].tolist() == ["met the next known box"] * 4
    assert set(review.edits[-1].frames) <= set(range(13, 35)) - {20}
    kept = ~before["frame"].isin(range(12, 35)).to_numpy()
    after = review.detections
    assert (
        after[~after["frame"].isin(range(12, 35)).to_numpy()]
        .reset_index(drop=True)
        .equals(before[kept].reset_index(drop=True))
    )
    assert np.abs(after.loc[after["frame"] == 20, BOX].to_numpy() - corrected).max() < 1e-9


def test_several_objects_are_followed_in_one_pass(review):
    first = review.add_face(place(10).tolist(), frame=10, kind="other")
    part = place(25)
    part[2:] *= 0.8
    second = review.add_face(part.tolist(), frame=25, kind="other")
    steps = []
    told = review.follow([first, second], progress=lambda *step: steps.append(step))
    assert set(told["face_id"]) == {first, second}
    assert sorted(_ious(review, first)) == sorted(_ious(review, second)) == list(range(40))
    assert steps[-1] == ("follow", 78, 78)


def test_objects_are_followed_alike_by_any_number_of_threads(clip, monkeypatch):
    starts = [Start(number, 10 + number, place(10 + number), 20, "screen") for number in range(3)]
    found = []
    for cores in (1, 3):
        monkeypatch.setattr("redactkit.following.sweep.count_cores", lambda cores=cores: cores)
        with VideoReader(clip) as reader:
            found.append([each.boxes for each in follow_boxes(reader, starts)])
    for one, other in zip(*found, strict=True):
        assert len(one) == len(other) > 0
        assert all((one[frame].box == other[frame].box).all() for frame in one)


def test_cancelled_following_changes_nothing(review):
    face = review.add_face(place(20).tolist(), frame=20, kind="other")
    before = review.detections

    def cancel(stage, done, total):
        if done > 5:
            raise PassCancelled("enough")

    with pytest.raises(PassCancelled):
        review.follow(face, 20, progress=cancel)
    assert review.detections is before


def test_gaps_of_a_track_are_filled(review):
    face = review.add_face(place(3).tolist(), frame=3, kind="other")
    review.follow(face, 3)
    review.delete_boxes(faces=face, start=12, stop=20)
    told = review.fill_gaps(face)
    assert told["ending"].tolist() == ["met the next known box"] * 2
    overlaps = _ious(review, face)
    assert sorted(overlaps) == list(range(40))
    assert min(overlaps.values()) > 0.8


def test_what_others_found_stays_where_following_is_lost(tmp_path):
    empty = draw(np.array([500.0, 500.0, *SIDES]))
    frames = [draw(place(number)) if number < 20 else empty for number in range(70)]
    review = Review.open(write(tmp_path / "vanishing.mp4", frames))
    face = review.add_face(place(5).tolist(), frame=5, kind="other")
    review.copy_box(60, face_id=face, frame=5)
    review.follow(face, 5)
    review.close()
    rows = review.detections
    assert rows.loc[rows["frame"] == 40, "source"].tolist() == ["manual"]
    assert rows.loc[rows["frame"] == 15, "source"].tolist() == ["tracked"]


def test_following_needs_a_box_and_a_video(review):
    face = review.add_face(place(20).tolist(), frame=20)
    with pytest.raises(OptionError, match="no box in frame 3"):
        review.follow(face, 3)
    with pytest.raises(OptionError, match="direction must be one of"):
        review.follow(face, 20, direction="sideways")
    review.set_keyframe(False, face_id=face, frame=20)
    with pytest.raises(OptionError, match="no box set by hand"):
        review.follow(face)
    with pytest.raises(OptionError, match="needs the video's frames"):
        Review(review.annotations).follow(face, 20)


@pytest.mark.parametrize(
    ("reach", "changed"), [("frame", [12]), ("next keyframe", [12, 13, 14]), ("track", list(range(10, 18)))]
)
def test_edit_reaches_as_far_as_asked(review, reach, changed):
    face = review.add_face([20, 20, 10, 10], frame=10)
    review.copy_box(7, face_id=face, frame=10)
    review.set_box([20, 20, 10, 10], face_id=face, frame=15)
    frames = review.set_box([30, 20, 20, 10], face_id=face, frame=12, reach=reach)
    assert frames.tolist() == changed
    rows = review.detections.set_index("frame")
    assert rows.loc[changed, "x"].tolist() == [30] * len(changed)
    assert rows.loc[changed, "width"].tolist() == [20] * len(changed)
    assert rows.index[rows["keyframe"]].tolist() == [10, 12, 15]


def test_edit_refuses_another_reach(review):
    face = review.add_face([20, 20, 10, 10], frame=10)
    with pytest.raises(OptionError, match="an edit reaches to"):
        review.set_box([30, 20, 20, 10], face_id=face, frame=10, reach="video")


def test_merging_offers_to_fill_the_hole_as_one_edit(review):
    first = review.add_face(place(3).tolist(), frame=3, kind="other")
    second = review.add_face(place(20).tolist(), frame=20, kind="other")
    review.follow([first, second], direction="forward", until=24)
    review.delete_boxes(faces=first, start=9)
    review.merge_faces([first, second])
    assert review.holes(first) == [(9, 20)]
    review.undo()
    edits = len(review.edits)
    assert review.merge_faces([first, second], fill=True) == first
    assert len(review.edits) == edits + 1
    assert review.holes() == []
    assert min(_ious(review, first).values()) > 0.8
    review.undo()
    assert set(review.detections["face_id"]) == {first, second}
