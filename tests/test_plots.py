"""Figures say what the tables hold, take empty tables, and need neither a video nor pyplot."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from PIL import Image

from redactkit import plots
from redactkit.annotations import Annotations
from redactkit.errors import OptionError, TableError
from redactkit.media import VideoInfo
from redactkit.review import Review
from redactkit.tables import as_decisions, as_detections, empty_detections, sort_detections, summarize_tracks


def _face(face: int, frames: list[int], *, confidence: float = 0.9, source: str = "detected") -> pd.DataFrame:
    box = {"x": 10.0 * face, "y": 20.0, "width": 30.0, "height": 40.0}
    columns = {"frame": frames, "time": np.array(frames) / 25, "face_id": face, "confidence": confidence}
    return as_detections(pd.DataFrame({**columns, "source": source, **box}))


def _table(*faces: pd.DataFrame) -> pd.DataFrame:
    return sort_detections(pd.concat(faces, ignore_index=True).astype(empty_detections().dtypes))


def _bars(figure, alpha: float) -> list[tuple[float, float, float]]:
    shown = [one for one in figure.axes[0].collections if isinstance(one, PolyCollection) and one.get_alpha() == alpha]
    corners = [path.vertices for one in shown for path in one.get_paths()]
    return sorted((round(float(c[:, 1].mean())), round(c[:, 0].min(), 3), round(c[:, 0].max(), 3)) for c in corners)


def test_every_figure_takes_an_empty_table():
    empty = empty_detections()
    for figure in (plots.timeline(empty), plots.faces_per_second(empty), plots.confidence_histogram(empty)):
        assert [text.get_text() for text in figure.axes[0].texts] == ["no faces"]
    assert plots.heat_map(empty, width=64, height=36).axes[0].images[0].get_array().max() == 0
    assert plots.thumbnail_sheet(summarize_tracks(empty)).axes


def test_thumbnails_take_annotations_and_a_review():
    video = VideoInfo(None, 64, 36, Fraction(25), Fraction(1, 25), range(3))
    annotations = Annotations(video, _table(_face(1, [0, 1]), _face(7, [0])))
    for shown in (annotations, Review(annotations)):
        assert [axes.get_title() for axes in plots.thumbnails(shown, columns=2).axes] == ["1", "7"]


def test_timeline_breaks_a_bar_at_a_gap_and_pales_what_is_unsure():
    table = _table(_face(1, [0, 1, 2, 10, 11]), _face(7, [0, 1], confidence=0.1))
    figure = plots.timeline(table)
    assert _bars(figure, 1.0) == [(0, 0.0, 0.12), (0, 0.4, 0.48)]
    assert _bars(figure, 0.35) == [(1, 0.0, 0.08)]


def test_timeline_shows_an_interpolated_box_as_sure_as_its_confidence_says():
    between = [_face(1, [1], confidence=sure, source="interpolated") for sure in (0.8, 0.2, np.nan)]
    pale = [len(_bars(plots.timeline(_table(_face(1, [0, 2]), one)), 0.35)) for one in between]
    assert pale == [0, 1, 1]


def test_timeline_of_one_face_names_it_once():
    figure = plots.timeline(_face(3, [0, 1]))
    figure.draw_without_rendering()
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels() if tick.get_text()] == ["3"]


def test_timeline_takes_a_coarse_step_for_usual_and_not_for_gaps():
    figure = plots.timeline(_face(1, [0, 10, 20, 30]))
    assert _bars(figure, 1.0) == [(0, 0.0, 1.6)]


def test_timeline_colours_and_names_by_decision():
    decisions = as_decisions({7: {"redact": False, "label": "guard"}})
    figure = plots.timeline(_table(_face(1, [0, 1]), _face(7, [0, 1])), decisions=decisions)
    colors = figure.axes[0].collections[0].get_facecolors()
    assert not np.allclose(colors[0], colors[1])
    assert figure.axes[0].yaxis.get_major_formatter()(1, None) == "7 guard"


def test_faces_per_second_counts_different_faces_and_empty_seconds():
    figure = plots.faces_per_second(_table(_face(1, [0, 1, 30, 80]), _face(2, [3])))
    (steps,) = figure.axes[0].patches
    assert steps.get_data().values.tolist() == [2, 1, 0, 1]


def test_heat_map_counts_boxes_over_a_place_and_ignores_what_is_outside():
    table = as_detections(
        {"frame": [0, 1], "face_id": 1, "x": [0, -50], "y": [0, 0], "width": [20, 60], "height": [10, 10]}
    )
    counts = plots.heat_map(table, width=40, height=20, cells=4).axes[0].images[0].get_array()
    assert counts.tolist() == [[2, 1, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("size", [{"width": 0, "height": 5}, {"width": 5, "height": -1}])
def test_heat_map_refuses_a_size_that_means_nothing(size):
    with pytest.raises(OptionError, match="must be positive"):
        plots.heat_map(empty_detections(), **size)


def test_face_history_leaves_gaps_open():
    figure = plots.face_history(_table(_face(1, [0, 1, 2, 50, 51]), _face(2, [5])), 1)
    width = figure.axes[0].lines[0].get_ydata()
    assert np.isnan(width).tolist() == [False, False, False, True, False, False]


def test_boxes_without_confidence_are_said_to_have_none():
    table = _face(1, [0, 1], confidence=np.nan)
    for figure in (plots.face_history(table, 1), plots.confidence_histogram(table)):
        assert [text.get_text() for text in figure.axes[-1].texts] == ["these boxes have no confidence"]
        assert figure.axes[-1].get_legend() is None


def test_face_history_refuses_an_unknown_face():
    with pytest.raises(OptionError, match="no face has the ID 9"):
        plots.face_history(_face(1, [0]), 9)


def test_confidence_histogram_counts_each_source_once():
    table = _table(
        _face(1, [0, 1, 2]), _face(2, [0], confidence=0.2, source="tracked"), _face(3, [0], confidence=np.nan)
    )
    figure = plots.confidence_histogram(table)
    assert sum(bar.get_height() for bars in figure.axes[0].containers[:1] for bar in bars) == 3
    assert {text.get_text() for text in figure.axes[0].get_legend().get_texts()} == {"detected", "tracked"}


def test_thumbnail_sheet_shows_pictures_and_squares_for_missing_ones(tmp_path):
    tracks = summarize_tracks(
        _table(_face(1, [0]), _face(2, [0])), as_decisions({2: {"redact": False, "label": "guard"}})
    )
    Image.new("RGB", (20, 30), "red").save(tmp_path / "face.jpg")
    tracks.loc[1, "thumbnail"] = str(tmp_path / "face.jpg")
    first, second = plots.thumbnail_sheet(tracks, columns=2).axes
    assert len(first.images) == 1
    assert len(second.images) == 0
    assert second.get_title() == "2 guard"


def test_plots_refuse_a_table_without_the_schema():
    with pytest.raises(TableError, match="lacks the columns"):
        plots.timeline(pd.DataFrame({"frame": [1]}))


@pytest.mark.slow
def test_plots_show_in_a_notebook_without_pyplot():
    script = (
        "import sys; from redactkit import plots, tables;"
        "png = plots.timeline(tables.empty_detections())._repr_png_();"
        "print(png[:4], 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "b'\\x89PNG' False"
