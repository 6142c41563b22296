"""Tests of the looks: of everybody and of one object, and what a preview makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.review import Review
from redactkit.tables import empty_detections
from redactkit.widgets.geometry import Region
from redactkit.widgets.looks import LookChooser
from redactkit.widgets.pictures import redacted


@pytest.fixture
def review(short_clip: Path, short_truth: Annotations) -> Iterator[Review]:
    opened = Review.open(short_clip, short_truth)
    yield opened
    opened.close()


def test_without_a_face_there_is_everybody_and_no_picture(short_clip: Path) -> None:
    review = Review.open(short_clip)
    assert review.detections.equals(empty_detections())
    looks = LookChooser(review)
    looks.show_kinds()
    assert looks.wait()
    assert list(looks.whose.options) == [("everybody", 0)]
    assert all(image.value == "" for _, image, _ in looks.kinds.values())
    looks.close()
    review.close()


def test_look_is_of_everybody_or_of_one_object_and_goes_with_undo(review: Review) -> None:
    looks = LookChooser(review)
    looks.kinds["High"][2].click()
    looks.margin.value = 30
    assert (review.blur, review.margin, review.history) == ("High", 0.3, ())
    looks.whose.value = 1
    assert looks.look == {"blur": "High", "margin": 0.3, "strength": 1.0, "shape": "rectangle"}
    looks.kinds["Black"][2].click()
    looks.shape.value = "ellipse"
    assert review.decisions.loc[1, "look"] == "blur=Black shape=ellipse"
    assert (review.blur, review.decisions.loc[2, "look"]) == ("High", "")
    assert "its own way" in looks.whose.options[1][0]
    assert looks.kinds["Black"][2].button_style == "primary"
    looks.whose.value = 0
    assert (looks.shape.value, looks.kinds["High"][2].button_style) == ("rectangle", "primary")
    looks.whose.value = 1
    review.undo()
    assert (looks.shape.value, review.decisions.loc[1, "look"]) == ("rectangle", "blur=Black")
    looks.alike.click()
    assert review.decisions.loc[1, "look"] == ""
    looks.close()


def test_kinds_are_shown_on_a_face_of_the_video_where_the_frame_has_none(review: Review) -> None:
    review.delete_boxes(stop=30)
    looks = LookChooser(review)
    looks.show_kinds()
    assert looks.wait(30)
    pictures = [image.value for _, image, _ in looks.kinds.values()]
    assert len(set(pictures)) == len(pictures) == 5
    assert all("data:image/jpeg" in picture for picture in pictures)
    looks.close()


def test_preview_paints_each_object_by_its_own_look(review: Review) -> None:
    face = int(review.boxes_at()["face_id"].iloc[0])
    x, y, width, height = review.box_of(face) or (0, 0, 1, 1)
    inside = Region(x + width / 4, y + height / 4, width / 2, height / 2)
    blurred = redacted(review, 0, inside, width=32)
    review.decide([face], look={"blur": "Black"})
    black = redacted(review, 0, inside, width=32)
    assert black.max() < 24 < blurred.mean()
    review.decide([face], redact=False)
    bare = redacted(review, 0, inside, width=32)
    tried = redacted(review, 0, inside, width=32, looks={face: {"blur": "Black"}})
    assert tried.max() < 24 < bare.mean()
    review.decide([face], redact=True, look={})
    review.strength = 3.0
    assert not np.array_equal(redacted(review, 0, inside, width=32), blurred)
