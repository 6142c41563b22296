"""The pages of an inspection and of a comparison: whole in themselves, with what was found and why."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest

from redactkit.annotations import Annotations
from redactkit.cli import main
from redactkit.errors import OutputExistsError
from redactkit.inspection import inspect
from redactkit.inspection.comparison import compare
from redactkit.media import VideoInfo
from redactkit.tables import as_detections, empty_detections
from tests.clips import Clip, make

pytestmark = pytest.mark.filterwarnings("ignore::redactkit.errors.AnnotationWarning")
VIDEO = VideoInfo(None, 160, 96, Fraction(25), Fraction(1, 25), np.arange(12), digest="")
_ELSEWHERE = re.compile(r"(?:src|href)=(?!\"data:)|https?://|<script|@import|url\(", re.IGNORECASE)


def _annotations(**changes: object) -> Annotations:
    """One face that walks, and leaves the picture for a frame."""
    rows = {
        "frame": np.arange(12),
        "time": np.arange(12) / 25,
        "face_id": 1,
        "x": [*range(20, 31), 900],
        "y": 30,
        "width": 20,
        "height": 24,
        "label": "<b>face</b>",
    }
    return Annotations(VIDEO, as_detections({**rows, **changes}))


def test_page_of_no_boxes_says_so(tmp_path):
    text = inspect(Annotations(VIDEO, empty_detections())).save_page(tmp_path / "page.html").read_text()
    assert "0 faces" in text
    assert "0 suspicious" in text
    assert not _ELSEWHERE.search(text)


def test_page_has_timeline_heat_map_labels_and_reasons_and_needs_no_other_file(tmp_path):
    path = inspect(_annotations()).save_page(tmp_path / "page.html")
    text = path.read_text()
    assert not _ELSEWHERE.search(text)
    assert text.count("<svg") == 2
    assert text.count("data:image/png") == 1
    assert "&lt;b&gt;face&lt;/b&gt;" in text
    assert "<b>face</b>" not in text
    assert "box 900.0, 30.0, 20.0 x 24.0" in text
    assert "data:image/jpeg" not in text
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(OutputExistsError):
        inspect(_annotations()).save_page(path)


def test_page_beside_its_video_shows_faces_and_suspicious_places(tmp_path):
    video = make(tmp_path / "a.mp4", Clip())
    path = _annotations().to("csv", tmp_path / "a.csv")
    assert main(["inspect", str(path), "--video", str(video), "--html", str(tmp_path / "page.html")]) == 0
    text = (tmp_path / "page.html").read_text()
    # The face at its best, and where it jumps: outside the picture there is nothing to show.
    assert text.count("data:image/jpeg") == 1
    moved = _annotations(x=[20, 21, 22, 100, 24, 25, 26, 27, 28, 29, 30, 31]).to("csv", tmp_path / "b.csv")
    text = inspect(moved, video=video).save_page(tmp_path / "b.html").read_text()
    assert text.count("data:image/jpeg") == 3


def test_page_of_another_video_has_no_pictures(tmp_path):
    video = make(tmp_path / "a.mp4", Clip(frames=5))
    text = inspect(_annotations(), video=video).save_page(tmp_path / "page.html").read_text()
    assert "data:image/png" in text


def test_compare_is_a_command_with_a_page_and_a_table(tmp_path, capsys):
    first, second = _annotations(), _annotations(x=[*range(20, 31), 31])
    paths = [str(each.to("csv", tmp_path / f"{place}.csv")) for place, each in enumerate((first, second))]
    page, table = tmp_path / "page.html", tmp_path / "table.csv"
    assert main(["compare", *paths, "--html", str(page), "--csv", str(table)]) == 0
    assert "11 matched at IoU 0.5 and above, mean IoU 1.000; 1 missed, 1 extra" in capsys.readouterr().out
    assert "1 missed, 1 extra" in page.read_text()
    assert not _ELSEWHERE.search(page.read_text())
    assert table.read_text().splitlines()[:2] == ["frame,time,missed,extra,lowest_iou", "11,0.44,1,1,"]
    assert main(["compare", *paths, "--html", str(page)]) == 1
    assert main(["compare", *paths, "--iou", "2"]) == 1
    assert compare(first, first).save_page(tmp_path / "same.html").exists()


def test_names_of_others_stay_in_their_place_and_rows_in_a_row_are_one(tmp_path):
    long = _annotations(x=[500.0] * 12).replace(decisions={1: {"label": "\u202e" + "x" * 500}})
    text = inspect(long).save_page(tmp_path / "a.html").read_text()
    assert "\u202e" not in text
    assert "x" * 60 not in text
    assert text.count("<td>outside</td>") == 1
    assert "<td>0 to 11</td>" in text
    assert "picture" not in text.split("suspicious</h2>")[1]
