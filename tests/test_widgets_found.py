"""Tests of what is seen while a search runs: boxes in the picture, and a card for each face that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from redactkit.review import Review
from redactkit.widgets import AnalyzePanel, FrameViewer
from redactkit.widgets.found import FoundSoFar


def test_nothing_found_has_no_box_and_no_card(short_clip: Path) -> None:
    review = Review.open(short_clip)
    found = FoundSoFar(review)
    found.add({0: np.zeros((0, 5))})
    assert found.wait()
    assert (len(found.rows(0, 9).frames), found.cards.items) == (0, [])
    found.close()
    review.close()


def test_face_that_moves_on_has_one_card_and_a_doubtful_one_none(short_clip: Path) -> None:
    review = Review.open(short_clip)
    found = FoundSoFar(review)
    found.add({0: np.array([[10, 10, 20, 20, 0.9]]), 6: np.array([[14, 10, 20, 20, 0.8], [60, 60, 9, 9, 0.2]])})
    found.add({12: np.array([[100, 50, 20, 20, 0.9]])})
    assert found.wait()
    assert [one["key"] for one in found.cards.items] == ["s1", "s0"]
    assert found.cards.items[1]["lines"] == ["0.2 s long so far"]
    rows = found.rows(0, 12)
    assert rows.frames.tolist() == [0, 6, 6]
    assert rows.places[1].tolist() == [14, 10, 20, 20]
    assert (rows.faces < 0).all()
    found.clear()
    assert (found.cards.items, len(found.rows(0, 99).frames)) == ([], 0)
    found.close()
    review.close()


def test_search_shows_its_boxes_goes_along_and_gives_way_to_the_tracks(short_clip: Path, tmp_path: Path) -> None:
    review = Review.open(short_clip)
    viewer = FrameViewer(review)
    panel = AnalyzePanel(review, viewer=viewer)
    panel.output.value = str(tmp_path / "found")
    gone_to: list[int] = []
    shown: list[Any] = []

    def see(change: Any) -> None:
        gone_to.append(change["new"])
        shown.append(viewer.found)

    review.observe(see, "current_frame")
    job = panel.run()
    assert job.over.wait(120)
    assert (job.state, job.error) == ("done", "")
    assert max(gone_to) > 0 and shown[0] is panel.found
    assert len(panel.found.rows(0, review.frame_count).frames) > 0
    assert (viewer.found, review.current_frame, panel.found.layout.display) == (None, 0, "none")
    assert len(viewer.rows(0, 1).frames) == len(review.boxes_at(0))
    panel.close()
    viewer.close()
    review.close()
