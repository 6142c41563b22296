"""A contact sheet of exposed frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from redactkit.video import VideoReader

if TYPE_CHECKING:
    from redactkit.plots import FaceSheet

__all__ = ["contact_sheet"]

_COLUMNS = 4
_COLORS = {"bare": "#d62728", "leak": "#ff7f0e"}


def contact_sheet(video: Path, exposures: pd.DataFrame, *, title: str, count: int = 12) -> FaceSheet:
    """Draw the first ``count`` frames of a table of exposed boxes, the worst first, with the boxes outlined."""
    from redactkit.plots import FaceSheet

    frames = exposures["frame"].drop_duplicates().head(count).to_list()
    rows = max(1, -(-len(frames) // _COLUMNS))
    figure = FaceSheet(figsize=(3.2 * _COLUMNS, 2.2 * rows), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    with VideoReader(video) as reader:
        for axis, frame in zip(axes, frames, strict=False):
            _draw(axis, reader, int(frame), exposures)
    return figure


def _draw(axis: Any, reader: VideoReader, index: int, exposures: Any) -> None:
    from matplotlib.patches import Rectangle

    index = min(index, reader.info.frame_count - 1)
    frame = reader.frame_at(index)
    axis.imshow(frame.rgb())
    axis.set_title(f"frame {index}, {frame.time:.3f} s", fontsize=8)
    for row in exposures[exposures["frame"] == index].itertuples():
        outline = Rectangle(
            (row.x, row.y), row.width, row.height, fill=False, edgecolor=_COLORS[row.kind], linewidth=1.5
        )
        axis.add_patch(outline)
