"""The findings of a leak check in the review: what is shown, and what the buttons do."""

from __future__ import annotations

from pathlib import Path

import ipywidgets
import pandas as pd
import pytest

from redactkit.annotations import Annotations
from redactkit.review import Review
from redactkit.verification import VerificationReport
from redactkit.verification.findings import bare_table, face_table, leak_table
from redactkit.verification.judging import UnknownFace
from redactkit.widgets.findings import FindingsView


def report_of(clip: Path, truth: Annotations) -> VerificationReport:
    """Return a report that calls face 1 bare in three frames, and the same place later an unknown face."""
    rows = truth.detections
    face = rows[rows["face_id"] == 1]
    bare = bare_table(face[face["frame"].between(30, 32)].assign(shared=1.0, what="bare box").to_dict("records"))
    unknown = UnknownFace(face[face["frame"].between(50, 55)], covered=0.0, support=0.5, near=-1, sure=False)
    fidelity = pd.DataFrame({"check": ["loose bytes"], "expected": [0], "got": [9], "ok": [False], "note": [""]})
    blind = truth.replace(detections=rows[rows["face_id"] != 1].reset_index(drop=True))
    leaks = leak_table([unknown], blind)
    return VerificationReport(clip, clip, face_table(rows, bare, [1]), bare, leaks, fidelity, 60, ("test",))


@pytest.fixture
def view(short_clip: Path, short_truth: Annotations) -> FindingsView:
    made = FindingsView(Review(short_truth), report_of(short_clip, short_truth))
    yield made
    made.close()


def press(view: FindingsView, finding: int, text: str) -> None:
    buttons = {part.description: part for part in view.lines[finding].children if hasattr(part, "click")}
    buttons[text].click()


def test_a_line_shows_source_and_output_and_what_is_wrong(view: FindingsView) -> None:
    assert [view.report.findings["what"].tolist()[k] for k in (0, 1, 2)] == ["container", "bare box", "unknown face"]
    shown = [part for part in view.lines[2].children if isinstance(part, ipywidgets.Image)]
    assert len(shown) == 2 and all(bytes(part.value)[:2] == b"\xff\xd8" for part in shown)
    assert not any(isinstance(part, ipywidgets.Button) for part in view.lines[1].children)


def test_an_answer_changes_the_review_once(view: FindingsView) -> None:
    faces = set(view.review.detections["face_id"])
    press(view, 3, "hide")
    new = set(view.review.detections["face_id"]) - faces
    assert len(new) == 1 and view.review.decisions.loc[new.pop(), "redact"]
    press(view, 3, "hide")
    assert len(view.review.history) == 1
    press(view, 2, "leave visible")
    assert not view.review.decisions.loc[1, "redact"]


def test_go_to_shows_the_frame(view: FindingsView) -> None:
    press(view, 2, "go to")
    assert view.review.current_frame in (30, 31, 32)


def test_closing_blanks_the_pictures(view: FindingsView) -> None:
    pictures = [part for part in view.lines[2].children if isinstance(part, ipywidgets.Image)]
    view.close()
    assert [part.value for part in pictures] == [b"", b""]
