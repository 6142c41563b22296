"""Tests of the looks: of everybody and of one object, and what a preview makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.review import Review
from redactkit.tables import as_detections, empty_detections
from redactkit.widgets.geometry import Region
from redactkit.widgets.looks import LookChooser
from redactkit.widgets.pictures import redacted
from redactkit.widgets.thumbnails import candidates, clearest


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


def test_example_is_the_clearest_face_and_stays_when_another_is_looked_at(review: Review) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (100, 100, 3), np.uint8)
    pictures = {0: noise // 12, 1: noise, 2: np.full_like(noise, 200)}
    rows = {"frame": [0, 1, 2], "face_id": [1, 2, 3], "x": 20, "y": 20, "width": [60, 40, 60], "height": [60, 40, 60]}
    places = candidates(as_detections(rows), width=100, height=100)
    assert [place.face_id for place in places] == [1, 3, 2]
    assert clearest(SimpleNamespace(at=pictures.get), places).frame == 1
    assert clearest(SimpleNamespace(at=pictures.get), []) is None
    outside = as_detections({**rows, "x": [-5, 20, 95]})
    assert [place.face_id for place in candidates(outside, width=100, height=100)] == [2]
    assert [place.face_id for place in candidates(outside[:1], width=100, height=100)] == [1]
    looks = LookChooser(review)
    shown = looks._example()
    assert shown is not None and shown[0] in review.selected_ids
    _, frame, region = shown
    box = review.box_of(shown[0], frame=frame)
    assert region.x <= box[0] and box[0] + box[2] <= region.x + region.width
    review.current_face, review.current_frame = review.selected_ids[-1], review.frame_count - 1
    assert looks._example() == shown
    other = next(face for face in review.selected_ids if face != shown[0])
    looks.whose.value = other
    assert looks._example()[0] == other
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
