"""How: blur kind, margin, strength and shape of one object; ellipses; heads."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from redactkit import boxes as bx
from redactkit.effects import HIDING_KINDS, Effect, Look, PixelLayout
from redactkit.effects.look import as_look, ellipse_mask, ellipse_share, parse_look
from redactkit.errors import OptionError
from redactkit.passes import redact
from redactkit.redaction import RedactionOptions
from redactkit.redaction.heads import grow_to_heads
from redactkit.redaction.plan import covered_rows, lay_out
from redactkit.review import Review
from redactkit.tables import BOX
from redactkit.verification import verify

SAMPLE = Path(__file__).parents[1] / "sample_media"


def planes(height=120, width=160, seed=0):
    chance = np.random.default_rng(seed)
    return [
        chance.integers(16, 235, shape, dtype=np.uint8) for shape in [(height, width), *[(height // 2, width // 2)] * 2]
    ]


@pytest.mark.parametrize(
    "text", ["blur=Smudge", "shape=star", "margin=9", "strength=0.5", "colour=red", "black", "head=maybe"]
)
def test_look_that_is_none_is_refused(text):
    with pytest.raises(OptionError):
        parse_look(text)


def test_look_says_only_what_was_said():
    assert as_look({}) == {}
    assert as_look({"head": False, "blur": "fill"}) == {"blur": "Fill", "head": False}


@pytest.mark.parametrize("kind", HIDING_KINDS)
def test_ellipse_hides_the_whole_box_and_leaves_the_corners_around_it(kind):
    before, after = planes(), planes()
    box = np.array([[40.0, 30.0, 60.0, 50.0]])
    around = bx.expand(box, share=float(ellipse_share(0)))
    Effect(kind, PixelLayout()).apply(after, around, faces=[1], frame=0, looks=[Look(kind, shape="ellipse")])
    changed = before[0] != after[0]
    # Noise equals what is painted over it now and then; a whole row never does.
    assert changed[30:80, 40:100].mean() > 0.95
    left, top, right, bottom = np.rint(bx.to_corners(around)[0]).astype(int)
    corner = changed[top : top + 6, left : left + 8], changed[bottom - 6 : bottom, right - 8 : right]
    assert not any(each.any() for each in corner)
    changed[top - 2 : bottom + 2, left - 2 : right + 2] = False
    assert not changed.any()


def test_ellipse_keeps_no_more_of_the_box_than_a_rectangle():
    rectangle, ellipse = planes(), planes()
    box = bx.expand([[40.0, 30.0, 60.0, 50.0]], share=float(ellipse_share(0)))
    Effect("Med", PixelLayout()).apply(rectangle, box, faces=[1], frame=0)
    Effect("Med", PixelLayout()).apply(ellipse, box, faces=[1], frame=0, looks=[Look("Med", shape="ellipse")])
    mask = ellipse_mask(tuple(box[0]), slice(0, 120), slice(0, 160), step=(1, 1))
    assert np.array_equal(rectangle[0][mask], ellipse[0][mask])


def test_looks_of_several_boxes_paint_as_each_alone():
    boxes, looks = [[8, 8, 40, 40], [80, 40, 40, 40]], [Look("Black"), Look("Pixelate", 2.0)]
    together = planes()
    Effect("Med", PixelLayout()).apply(together, boxes, faces=[1, 2], frame=0, looks=looks)
    for box, look, face in zip(boxes, looks, (1, 2), strict=True):
        alone = planes()
        Effect(look.kind, PixelLayout(), strength=look.strength).apply(alone, [box], faces=[face], frame=0)
        x, y, width, height = box
        assert np.array_equal(together[0][y : y + height, x : x + width], alone[0][y : y + height, x : x + width])


@pytest.mark.parametrize("margin", [0.0, 0.15, 0.5, 2.0])
def test_ellipse_holds_the_box_with_its_margin(margin):
    box = np.array([[100.0, 100.0, 80.0, 40.0]])
    left, top, right, bottom = np.rint(bx.to_corners(bx.expand(box, share=margin))[0]).astype(int)
    around = tuple(bx.expand(box, share=float(ellipse_share(margin)))[0])
    mask = ellipse_mask(around, slice(top, bottom), slice(left, right), step=(1, 1))
    assert mask.all()


def test_decision_looks_go_before_the_options(short_truth):
    review = Review(short_truth)
    first, second = review.tracks.index[:2].tolist()
    review.decide([first], look={"blur": "Black", "margin": 0.5})
    plan = lay_out(
        review.annotations, short_truth.video, faces=[first, second], options=RedactionOptions(shape="ellipse")
    )
    kinds = {face: {plan.looks[place] for place in plan.look_of[plan.faces == face]} for face in (first, second)}
    assert kinds == {first: {Look("Black", shape="ellipse")}, second: {Look("Med", shape="ellipse")}}
    for face, share in ((first, float(ellipse_share(0.5))), (second, float(ellipse_share(0.15)))):
        own = short_truth.detections[short_truth.detections["face_id"] == face][BOX].to_numpy()
        assert np.allclose(plan.boxes[plan.faces == face], bx.expand(own, share=share))


def test_what_counts_as_covered_is_covered(short_truth):
    options = RedactionOptions(shape="ellipse", margin=0.0)
    rows = covered_rows(short_truth, short_truth.video, faces=short_truth.selected_ids, options=options)
    assert np.allclose(rows[BOX], short_truth.detections[BOX])


def test_redaction_with_looks_is_checked_as_it_was_painted(short_clip, short_truth, tmp_path):
    review = Review(short_truth)
    first = int(review.tracks.index[0])
    review.decide([first], look={"blur": "Black", "head": True})
    report = redact(short_clip, review.annotations, output=tmp_path / "a.mp4", shape="ellipse", progress=False)
    assert report.ok
    assert report.faces["blur"].value_counts().to_dict() == {"Med": len(report.faces) - 1, "Black": 1}
    check = verify(short_clip, report.output, review.annotations, progress=False)
    assert check.bare.empty, check
    assert check.verdict == "clean"


def test_cosmetic_look_of_one_object_is_never_clean(short_clip, short_truth, tmp_path):
    review = Review(short_truth)
    first = int(review.tracks.index[0])
    review.decide([first], look={"blur": "Box"})
    report = redact(short_clip, review.annotations, output=tmp_path / "a.mp4", progress=False)
    assert not report.ok and report.bare_faces == [first]
    assert report.settings["cosmetic"]
    check = verify(short_clip, report.output, review.annotations, progress=False)
    assert check.verdict == "exposed"
    assert set(check.bare["face_id"]) == {first}


def test_head_box_holds_hair_ears_and_chin_of_every_head_of_the_sample():
    sys.path.insert(0, str(SAMPLE))
    try:
        people = __import__("people")
    finally:
        sys.path.remove(str(SAMPLE))
    for look in people.LOOKS.values():
        outline = np.array(look.portrait.outline, np.float64)  # of hat or hair, ears and neck
        face = np.array(look.portrait.face, np.float64)
        chin = face[1] + face[3]
        head = outline[outline[:, 1] <= chin]  # what is below the chin is the neck
        left, top, right, bottom = bx.to_corners(grow_to_heads(face[None]))[0]
        assert left <= head[:, 0].min() and head[:, 0].max() <= right
        assert top <= head[:, 1].min() and head[:, 1].max() <= bottom
