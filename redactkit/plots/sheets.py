"""Sheets of faces: the best picture of each, with its ID."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.image
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from redactkit.errors import OptionError
from redactkit.plots.figure import NotebookFigure
from redactkit.runtime.files import writing
from redactkit.runtime.html import REDACTED, VISIBLE
from redactkit.runtime.marks import MARK

if TYPE_CHECKING:
    from redactkit.annotations import Annotations
    from redactkit.review import Review

__all__ = ["FaceSheet", "thumbnail_sheet", "thumbnails"]

_SHEETS: dict[str, Any] = {
    "png": {"metadata": {"Software": MARK}},
    "jpg": {"pil_kwargs": {"comment": MARK}},
    "jpeg": {"pil_kwargs": {"comment": MARK}},
}


class FaceSheet(NotebookFigure):
    """A figure that shows faces: saved for its owner alone, whole or not at all, and so that `purge` finds it."""

    def savefig(self, fname: Any, *, overwrite: bool = True, **options: Any) -> None:
        """Save as matplotlib does, to a file as PNG or JPEG, by its ending.

        Raises
        ------
        OptionError
            For another format.
        OutputExistsError
            If the file exists and ``overwrite`` is false.
        """
        if not isinstance(fname, str | os.PathLike):
            super().savefig(fname, **options)
            return
        target = Path(fname) if Path(fname).suffix else Path(f"{os.fspath(fname)}.png")
        kind = str(options.pop("format", None) or target.suffix[1:]).lower()
        if kind not in _SHEETS:
            raise OptionError(f"a sheet of faces is saved as {' or '.join(_SHEETS)}, got {target.name}")
        with writing(target, overwrite=overwrite) as file:
            super().savefig(file, format=kind, **{**_SHEETS[kind], **options})


def thumbnail_sheet(tracks: pd.DataFrame, *, columns: int = 8) -> Figure:
    """Draw the best picture of each face with its ID, in one sheet.

    The sheet shows faces: a notebook that keeps it keeps them.

    Parameters
    ----------
    tracks : DataFrame
        Indexed by face_id, with ``thumbnail``, ``redact`` and ``label``; as `Annotations.tracks` gives it.
    columns : int

    Returns
    -------
    Figure
        A face with no readable thumbnail gets an empty square with its ID.

    Raises
    ------
    OptionError
        If ``columns`` is not positive.

    Examples
    --------
    >>> from redactkit.formats import read_annotations
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> truth = read_annotations(sample_truth_path())
    >>> len(thumbnail_sheet(truth.tracks, columns=4).axes)
    8
    """
    if columns <= 0:
        raise OptionError(f"columns must be positive, got {columns}")
    lines = max(1, -(-len(tracks) // columns))
    figure = FaceSheet(figsize=(1.25 * columns, 1.5 * lines), layout="constrained")
    squares = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in squares:
        axes.set_axis_off()
    for axes, (face, track) in zip(squares, tracks.iterrows(), strict=False):
        _show_thumbnail(axes, track["thumbnail"])
        color = REDACTED if track["redact"] else VISIBLE
        axes.set_title(f"{face} {track['label']}".strip(), fontsize=8, color=color)
    return figure


def thumbnails(annotations: Annotations | Review, *, columns: int = 8) -> Figure:
    """Draw the best picture of each face of annotations, or of a review, with its ID and label.

    The sheet shows faces: a notebook that keeps it keeps them.

    Parameters
    ----------
    annotations : Annotations or Review
        With the thumbnails that `redactkit.analyze` wrote; a face without one gets an empty square.
    columns : int

    Returns
    -------
    Figure

    Raises
    ------
    OptionError
        If ``columns`` is not positive.

    Examples
    --------
    >>> from redactkit.runtime.resources import sample_truth_path
    >>> from redactkit.formats import read_annotations
    >>> len(thumbnails(read_annotations(sample_truth_path()), columns=4).axes)
    8
    """
    return thumbnail_sheet(annotations.tracks, columns=columns)


def _show_thumbnail(axes: Axes, path: Any) -> None:
    if path is not None and Path(path).is_file():
        axes.imshow(matplotlib.image.imread(str(path)))
        return
    axes.add_patch(Rectangle((0, 0), 1, 1, color="#D8DCE0", transform=axes.transAxes))
