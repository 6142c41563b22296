"""Charts of a detections table: who is seen when, where, how large and how surely."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from redactkit.boxes import clip, count_cover, to_corners
from redactkit.errors import OptionError
from redactkit.plots.figure import NotebookFigure
from redactkit.runtime.html import REDACTED, VISIBLE
from redactkit.runtime.runs import run_starts
from redactkit.tables import BOX, SOURCES, as_decisions, check_detections, known_face_ids

__all__ = [
    "confidence_histogram",
    "face_history",
    "faces_per_second",
    "heat_map",
    "timeline",
]

NEUTRAL = "#5B6770"
SOURCE_COLORS = dict(zip(SOURCES, ["#0072B2", "#56B4E9", "#CC79A7", "#E69F00", "#5B6770"], strict=True))
UNSURE = 0.5


def timeline(detections: pd.DataFrame, *, decisions: pd.DataFrame | None = None, unsure: float = UNSURE) -> Figure:
    """Draw each face as a bar over time, broken where it has no box.

    Parameters
    ----------
    detections : DataFrame
    decisions : DataFrame, optional
        Indexed by face_id; colours the faces that stay visible differently, and gives labels.
    unsure : float
        Boxes with less confidence than this, and interpolated ones that have none, are drawn pale.

    Returns
    -------
    Figure

    Raises
    ------
    TableError
        If ``detections`` breaks the schema.

    Examples
    --------
    >>> from redactkit.tables import empty_detections
    >>> timeline(empty_detections()).axes[0].get_xlabel()
    'time (s)'
    """
    rows = check_detections(detections).sort_values(["face_id", "frame"], kind="stable", ignore_index=True)
    faces = np.unique(rows["face_id"].to_numpy())
    decided = as_decisions({} if decisions is None else decisions, faces=faces.tolist()).reindex(faces)
    figure, axes = _new("", "time (s)", "face", height=np.clip(1.2 + 0.22 * len(faces), 2.5, 12))
    if not len(faces):
        return _say_nothing(figure, axes)
    runs = _runs(rows, unsure)
    places = np.searchsorted(faces, runs["face_id"])
    colors = np.where(decided["redact"].to_numpy(bool)[places], REDACTED, VISIBLE)
    _draw_bars(axes, runs, places, colors)
    _name_faces(axes, faces, decided["label"].tolist())
    axes.set_xlim(min(0.0, float(runs["start"].min())), float(runs["end"].max()))
    keys = [Patch(color=REDACTED, label="redacted"), Patch(color=VISIBLE, label="visible")]
    axes.legend(handles=[*keys, Patch(color=REDACTED, alpha=0.35, label="unsure")], **_BESIDE)
    return figure


def faces_per_second(detections: pd.DataFrame) -> Figure:
    """Draw how many different faces are seen in each second.

    Parameters
    ----------
    detections : DataFrame

    Returns
    -------
    Figure

    Raises
    ------
    TableError
        If ``detections`` breaks the schema.

    Examples
    --------
    >>> from redactkit.tables import empty_detections
    >>> faces_per_second(empty_detections()).axes[0].get_ylabel()
    'faces in each second'
    """
    rows = check_detections(detections)
    figure, axes = _new("", "time (s)", "faces in each second", height=3)
    if rows.empty:
        return _say_nothing(figure, axes)
    second = np.floor(rows["time"].to_numpy()).astype(np.int64)
    first, last = int(second.min()), int(second.max())
    count = rows["face_id"].groupby(second).nunique().reindex(range(first, last + 1), fill_value=0)
    axes.stairs(count.to_numpy(), np.arange(first, last + 2), fill=True, color=NEUTRAL)
    axes.set_xlim(first, last + 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def heat_map(detections: pd.DataFrame, *, width: int, height: int, cells: int = 96) -> Figure:
    """Draw where in the frame faces are: how many boxes lie over each place.

    Parameters
    ----------
    detections : DataFrame
    width, height : int
        Size of the displayed frame in pixels.
    cells : int
        Resolution of the map, in cells across its width.

    Returns
    -------
    Figure

    Raises
    ------
    OptionError
        If a size is not positive.
    TableError
        If ``detections`` breaks the schema.

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> truth = read_annotations(sample_truth_path())
    >>> heat_map(truth.detections, width=1280, height=720).axes[0].get_title()
    ''
    """
    if min(width, height, cells) <= 0:
        raise OptionError(f"width, height and cells must be positive, got {width}, {height} and {cells}")
    boxes = clip(check_detections(detections)[BOX].to_numpy(), width=width, height=height)
    counts = count_cover(to_corners(boxes) * cells / width, (max(1, round(cells * height / width)), cells))
    figure, axes = _new("", "x (pixels)", "y (pixels)", height=1 + 6.5 * height / width, width=8.5)
    picture = axes.imshow(counts, extent=(0, width, height, 0), cmap="magma", vmin=0, vmax=max(1, int(counts.max())))
    figure.colorbar(picture, ax=axes, label="boxes over this place", shrink=0.85)
    return figure


def face_history(detections: pd.DataFrame, face_id: int) -> Figure:
    """Draw one face's size and confidence over time.

    Parameters
    ----------
    detections : DataFrame
    face_id : int

    Returns
    -------
    Figure
        Two axes, one above the other: width and height in pixels, and confidence, where there is one,
        coloured by source.

    Raises
    ------
    OptionError
        If ``detections`` has no such face.

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> truth = read_annotations(sample_truth_path())
    >>> len(face_history(truth.detections, 1).axes)
    2
    """
    known_face_ids(face_id, check_detections(detections)["face_id"].unique(), name="face_id")
    rows = detections.query("face_id == @face_id").sort_values("frame", kind="stable")
    figure = NotebookFigure(figsize=(9, 4.5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    gaps = run_starts(rows)
    for name, color in (("width", REDACTED), ("height", VISIBLE)):
        above.plot(*_broken(rows["time"], rows[name], gaps), color=color, label=name)
    known = rows[rows["confidence"].notna()]
    for source in known["source"].cat.remove_unused_categories().cat.categories:
        group = known[known["source"] == source]
        below.plot(group["time"], group["confidence"], ".", markersize=4, color=SOURCE_COLORS[source], label=source)
    _dress(above, f"face {face_id}", "", "size (pixels)")
    _dress(below, "", "time (s)", "confidence")
    above.set_ylim(bottom=0)
    below.set_ylim(-0.02, 1.02)
    above.legend(**_BESIDE)
    if known.empty:
        _say_nothing(figure, below, "these boxes have no confidence")
    else:
        below.legend(**_BESIDE)
    return figure


def confidence_histogram(detections: pd.DataFrame, *, bins: int = 20) -> Figure:
    """Draw how many boxes have which confidence, by source; boxes without one are not counted.

    Parameters
    ----------
    detections : DataFrame
    bins : int

    Returns
    -------
    Figure

    Raises
    ------
    TableError
        If ``detections`` breaks the schema.

    Examples
    --------
    >>> from redactkit.tables import empty_detections
    >>> confidence_histogram(empty_detections()).axes[0].get_xlabel()
    'confidence'
    """
    rows = check_detections(detections).dropna(subset=["confidence"])
    figure, axes = _new("", "confidence", "boxes", height=3)
    if rows.empty:
        return _say_nothing(figure, axes, "these boxes have no confidence" if len(detections) else "no faces")
    groups = [(str(source), group["confidence"]) for source, group in rows.groupby("source", observed=True)]
    axes.hist(
        [values for _, values in groups],
        bins=np.linspace(0, 1, bins + 1).tolist(),
        stacked=True,
        label=[source for source, _ in groups],
        color=[SOURCE_COLORS[source] for source, _ in groups],
    )
    axes.set_xlim(0, 1)
    axes.legend(**_BESIDE)
    return figure


_BESIDE: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "frameon": False, "fontsize": 8}


def _new(title: str, across: str, up: str, *, height: float, width: float = 9) -> tuple[Figure, Axes]:
    figure = NotebookFigure(figsize=(width, float(height)), layout="constrained")
    return figure, _dress(figure.subplots(), title, across, up)


def _dress(axes: Axes, title: str, across: str, up: str) -> Axes:
    axes.set(title=title, xlabel=across, ylabel=up)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _say_nothing(figure: Figure, axes: Axes, text: str = "no faces") -> Figure:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=NEUTRAL)
    return figure


def _runs(rows: pd.DataFrame, unsure: float) -> pd.DataFrame:
    """Join rows to runs of one face without a gap, and of one sureness: face_id, start, end, pale."""
    pale = (rows["confidence"] < unsure) | (rows["confidence"].isna() & (rows["source"] == "interpolated"))
    breaks = run_starts(rows)
    number = np.cumsum(breaks | (pale != pale.shift(fill_value=False)))
    time = rows["time"].to_numpy()
    following = np.append(time[1:], np.nan)
    lasts = np.append(breaks[1:], True)
    spacing = np.median((following - time)[~lasts]) if (~lasts).any() else 0.04
    ends = np.where(lasts, time + spacing, following)
    joined = pd.DataFrame({"face_id": rows["face_id"], "start": time, "end": ends, "pale": pale}).groupby(number)
    return joined.agg({"face_id": "first", "start": "first", "end": "last", "pale": "first"})


def _draw_bars(axes: Axes, runs: pd.DataFrame, places: NDArray[np.intp], colors: NDArray[np.str_]) -> None:
    start, end = runs["start"].to_numpy(), runs["end"].to_numpy()
    low, high = places - 0.36, places + 0.36
    corners = np.stack([start, low, start, high, end, high, end, low], axis=1).reshape(-1, 4, 2)
    pale = runs["pale"].to_numpy(bool)
    for chosen, alpha in ((~pale, 1.0), (pale, 0.35)):
        paint: dict[str, Any] = {"facecolors": colors[chosen], "edgecolors": colors[chosen], "linewidths": 0.3}
        axes.add_collection(PolyCollection(corners[chosen], alpha=alpha, **paint))
    axes.set_ylim(float(places.max()) + 0.7, -0.7)


def _name_faces(axes: Axes, faces: NDArray[np.int64], labels: list[str]) -> None:
    names = [f"{face} {label}".strip() for face, label in zip(faces, labels, strict=True)]

    def name(place: float, _: int) -> str:
        return names[round(place)] if 0 <= round(place) < len(names) else ""

    axes.yaxis.set_major_locator(MaxNLocator(nbins=40, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(name))


def _broken(time: pd.Series, values: pd.Series, breaks: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Put a NaN before each break, so that no line is drawn across a gap."""
    places = np.flatnonzero(breaks)[1:]
    return np.insert(time.to_numpy(), places, np.nan), np.insert(values.to_numpy(), places, np.nan)
