"""Objects show themselves in a notebook by counts and a timeline, and never by a picture of a frame."""

from __future__ import annotations

import re
from fractions import Fraction
from xml.etree import ElementTree

import numpy as np
import pytest

import redactkit as rk
from redactkit.annotations import MOST_LANES, Annotations
from redactkit.jobs.job import Job, as_table, show_jobs
from redactkit.jobs.spec import Spec
from redactkit.media import AudioInfo, VideoInfo
from redactkit.review import Review
from redactkit.runtime.html import Lane, draw_lanes
from redactkit.tables import as_decisions, as_detections, empty_detections

VIDEO = VideoInfo(
    None,
    200,
    100,
    Fraction(25),
    Fraction(1, 25),
    range(50),
    codec="h264",
    pixel_format="yuv420p",
    audio=(AudioInfo(1, "aac", 48000, 2),),
    name="<lobby>.mp4",
)


def _annotations(faces: int = 2) -> Annotations:
    """Each face in frames 0 to 9 and 20 to 29."""
    frames = np.tile(np.r_[0:10, 20:30], faces)
    ids = np.repeat(np.arange(1, faces + 1), 20)
    table = as_detections({"frame": frames, "face_id": ids, "x": 10, "y": 5, "width": 20, "height": 25})
    return Annotations(VIDEO, table, as_decisions({2: {"redact": False, "label": "a & b"}} if faces > 1 else {}))


def _svg(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.search(r"<svg.*</svg>", html, re.DOTALL)[0])


def _bars(html: str) -> list[tuple[str, float]]:
    return [(bar.get("fill"), float(bar.get("width"))) for bar in _svg(html).iter("rect")]


def test_an_empty_one_shows_no_timeline():
    html = Annotations(VIDEO, empty_detections())._repr_html_()
    assert "faces: <b>0</b>" in html
    assert "<svg" not in html


def test_annotations_show_counts_and_a_bar_for_each_run_of_boxes():
    html = _annotations()._repr_html_()
    assert "faces: <b>2</b>" in html
    assert "left visible: <b>1</b>" in html
    bars = _bars(html)
    assert len(bars) == 4
    assert len({color for color, _ in bars}) == 2
    assert [width for _, width in bars] == pytest.approx([560 * 10 / 50] * 4, abs=0.1)
    assert [text.text for text in _svg(html).iter("text")][:2] == ["1", "2 a & b"]


def test_annotations_without_times_are_drawn_over_frames():
    table = as_detections({"frame": [0, 1], "face_id": 1, "x": 1, "y": 1, "width": 5, "height": 5})
    unknown = VideoInfo(None, 0, 0, Fraction(25), Fraction(1, 25), [])
    assert "2 frames</text>" in Annotations(unknown, table.assign(time=np.nan))._repr_html_()


def test_of_many_faces_some_are_drawn_and_the_rest_counted():
    html = _annotations(MOST_LANES + 6)._repr_html_()
    assert len(_bars(html)) == 2 * MOST_LANES
    assert f"The {MOST_LANES} faces with most boxes are drawn" in html


def test_text_from_files_is_escaped_and_no_picture_is_shown():
    html = _annotations()._repr_html_() + Review(_annotations())._repr_html_() + VIDEO._repr_html_()
    assert "<lobby>" not in html
    assert "&lt;lobby&gt;.mp4" in html
    assert "<img" not in html
    assert "data:" not in html


def test_review_says_where_it_stands():
    review = Review(_annotations())
    review.decide([1], redact=False)
    review.current_frame = 12
    assert repr(review) == "<Review: <lobby>.mp4, 2 faces, 0 redacted, 1 edits, at frame 12 of 50>"
    html = review._repr_html_()
    assert "edits: <b>1</b>" in html
    (mark,) = _svg(html).iter("line")
    assert float(mark.get("x1")) == pytest.approx(96 + 560 * 12 / 50, abs=0.1)


def test_video_says_its_size_rate_and_streams():
    shown = "<VideoInfo: <lobby>.mp4, 200x100, 50 frames at 25 per second, h264 yuv420p, aac 48000 Hz>"
    assert repr(VIDEO) == shown
    assert "duration: <b>00:00:02.000</b>" in VIDEO._repr_html_()


def test_jobs_show_states_times_and_what_went_wrong(tmp_path):
    jobs = [Job(number, Spec(f"clip{number}.mp4", str(tmp_path), "combined", {}, {})) for number in range(3)]
    jobs[0].state, jobs[0].began, jobs[0].ended = "done", 1000.0, 1030.0
    jobs[1].state, jobs[1].began, jobs[1].ended, jobs[1].error = "failed", 1030.0, 1040.0, "<no video>"
    html = show_jobs(as_table(jobs), {"queued": 1, "running": 0, "done": 1, "failed": 1}, left=90.0)
    assert "failed: <b>1</b>" in html
    assert "running" not in html
    assert "&lt;no video&gt;" in html
    assert [width for _, width in _bars(html)] == pytest.approx([560 * 30 / 40, 560 * 10 / 40], abs=0.1)


def test_jobs_that_have_not_begun_show_no_bars(tmp_path):
    job = Job(0, Spec("clip.mp4", str(tmp_path), "combined", {}, {}))
    html = show_jobs(as_table([job]), {"queued": 1}, left=float("nan"))
    assert "<svg" not in html
    assert "clip.mp4" in html


def test_runs_closer_than_half_a_pixel_are_one_bar():
    lanes = [Lane("1", "red", [(step, step + 0.9) for step in range(10_000)])]
    assert draw_lanes(lanes, start=0, end=10_000).count("<rect") == 1


@pytest.mark.parametrize(
    "name", ["", *sorted({"effects", "formats", "plots", "tables", "tracking", "video", "widgets"})]
)
def test_dir_lists_only_what_is_ours(name):
    module = getattr(rk, name) if name else rk
    assert dir(module) == sorted(module.__all__)
