"""Stills of the views, for pages that cannot run them: drawn in the notebook's own kernel while the site is built."""

from __future__ import annotations

import io
import tempfile
from typing import Any

import numpy as np
from IPython.display import Image as Picture
from IPython.display import display
from PIL import Image, ImageDraw

import redactkit as rk
from redactkit.tables import frame_rows
from redactkit.video import VideoReader

WIDTH = 720
REDACTED, VISIBLE = (240, 62, 62), (47, 158, 68)
FIRST, SECOND = (0, 114, 178), (230, 159, 0)
BUSIEST = 96


def show_still(view: Any) -> None:
    """Show what a view shows as a picture, if it is one of those known."""
    draw = _STILLS.get(type(view).__name__)
    if draw is not None:
        draw(view)


def _show(picture: np.ndarray, boxes: list[tuple[list[float], tuple[int, int, int], str]], caption: str) -> None:
    """Show a frame with boxes: each x, y, width, height, a colour and a name."""
    scale = WIDTH / picture.shape[1]
    image = Image.fromarray(picture).resize((WIDTH, round(picture.shape[0] * scale)))
    pen = ImageDraw.Draw(image)
    for (x, y, width, height), color, name in boxes:
        pen.rectangle([x * scale, y * scale, (x + width) * scale, (y + height) * scale], outline=color, width=2)
        pen.text((x * scale, y * scale - 13), name, fill=color, stroke_width=2, stroke_fill="white")
    file = io.BytesIO()
    image.save(file, "jpeg", quality=85)
    display(Picture(file.getvalue(), format="jpeg"), metadata={"caption": caption})


def _boxes(rows: Any) -> list[list[float]]:
    return rows[["x", "y", "width", "height"]].to_numpy().tolist()


def _frame_of(view: Any) -> None:
    review = view.review
    frame = review.current_frame or min(BUSIEST, review.frame_count - 1)
    rows = review.boxes_at(frame)
    chosen = set(review.selected_ids)
    faces = rows["face_id"].tolist()
    named = [
        (box, REDACTED if face in chosen else VISIBLE, f"{face}") for box, face in zip(_boxes(rows), faces, strict=True)
    ]
    _show(review.picture(frame), named, f"Frame {frame} as the view shows it: red is redacted, green left visible")


def _sheet(view: Any) -> None:
    display(rk.plots.thumbnails(view.review))


def _compared(view: Any) -> None:
    comparison = view.comparison
    frame = int(comparison.worst_frames["frame"].iloc[0])
    boxes = []
    for rows, color in ((comparison.a, FIRST), (comparison.b, SECOND)):
        mine = rows.iloc[frame_rows(rows["frame"].to_numpy(), frame)]
        boxes += [(box, color, f"{face}") for box, face in zip(_boxes(mine), mine["face_id"].tolist(), strict=True)]
    with VideoReader(rk.sample_path()) as reader:
        picture = reader.frame_at(frame).rgb()
    _show(picture, boxes, f"Frame {frame}: the first file in blue, the second in orange")


def _played(player: Any) -> None:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(player.value)
        file.flush()
        with VideoReader(file.name) as reader:
            frame = min(BUSIEST, reader.info.frame_count - 1)
            _show(reader.frame_at(frame).rgb(), [], f"Frame {frame} of the redacted video")


_STILLS = {
    "Video": _played,
    "Workbench": _frame_of,
    "FrameViewer": _frame_of,
    "FaceGrid": _sheet,
    "CompareViewer": _compared,
}
