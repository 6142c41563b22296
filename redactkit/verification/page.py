"""The findings as a page: one row each, with what source and output show at the place."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.errors import VideoError
from redactkit.runtime.timecode import timecode
from redactkit.video import Frame, VideoReader, as_jpeg

__all__ = ["crops", "findings_html", "page_html"]

SIDE = 144
"""Pixels along a picture of a place."""

AROUND = 2.0
"""Size of the place shown, in sizes of the box."""

MOST = 50
"""Findings that have pictures."""

Image = NDArray[np.uint8]


class Checked(Protocol):
    """What a page shows of a `redactkit.verification.VerificationReport`."""

    @property
    def source(self) -> Path:
        """The source."""

    @property
    def redacted(self) -> Path:
        """What was made of it."""

    @property
    def faces(self) -> pd.DataFrame:
        """The faces that should be hidden."""

    @property
    def fidelity(self) -> pd.DataFrame:
        """The checks of the file."""

    @property
    def findings(self) -> pd.DataFrame:
        """One row for each appearance to act on."""

    @property
    def verdict(self) -> str:
        """The verdict in a word or a few."""

    @property
    def headline(self) -> list[str]:
        """The verdict in sentences."""


_STYLE = """<style>
.rk-findings { border-collapse: collapse; font: 13px/1.4 system-ui, sans-serif; }
.rk-findings th, .rk-findings td { border: 1px solid #ccc; padding: 4px 8px; text-align: left; vertical-align: top; }
.rk-findings img { width: 144px; height: 144px; display: block; }
.rk-checked { font: 15px/1.5 system-ui, sans-serif; padding: 6px 10px; border-left: 6px solid #868e96; }
.rk-exposed { border-color: #e03131; } .rk-look { border-color: #f08c00; } .rk-clean { border-color: #2f9e44; }
</style>"""
_COLORS = {"clean": "rk-clean", "to be looked at": "rk-look", "unproven": "rk-look"}


def crops(report: Checked) -> dict[int, tuple[Image, Image]]:
    """Return what source and output show at the place of each finding that has one, by its number."""
    found = report.findings
    placed = found[(found["frame"] >= 0) & found["x"].notna()].head(MOST).sort_values("frame")
    pictures: dict[int, tuple[Image, Image]] = {}
    if not len(placed):
        return pictures
    with VideoReader(report.source) as before, VideoReader(report.redacted) as after:
        for number, row in placed.iterrows():
            try:
                frames = [
                    reader.frame_at(min(int(row["frame"]), reader.info.frame_count - 1)) for reader in (before, after)
                ]
            except VideoError:
                continue
            source, output = (_crop(frame, row) for frame in frames)
            pictures[int(str(number))] = source, output
    return pictures


def _frame_at(reader: VideoReader, number: int) -> Frame:
    return reader.frame_at(min(number, reader.info.frame_count - 1))


def _crop(frame: Frame, row: pd.Series[float]) -> Image:
    """Return the place of a box, square, the box outlined."""
    import cv2

    width, height = frame.size
    side = max(8.0, AROUND * max(row["width"], row["height"]))
    left, top = row["x"] + row["width"] / 2 - side / 2, row["y"] + row["height"] / 2 - side / 2
    x0, y0 = max(0, round(left)), max(0, round(top))
    x1, y1 = min(width, round(left + side)), min(height, round(top + side))
    picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return picture
    scale = SIDE / side
    part = np.asarray(
        cv2.resize(frame.rgb_part(x0, y0, x1, y1), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )
    at_x, at_y = round((x0 - left) * scale), round((y0 - top) * scale)
    room = picture[at_y : at_y + part.shape[0], at_x : at_x + part.shape[1]]
    room[:] = part[: room.shape[0], : room.shape[1]]
    corner = np.array([row["x"] - left, row["y"] - top]) * scale
    far = corner + np.array([row["width"], row["height"]]) * scale
    (a, b), (c, d) = corner.round().astype(int).tolist(), far.round().astype(int).tolist()
    return np.asarray(cv2.rectangle(picture, (a, b), (c, d), (240, 62, 62), 1))


def findings_html(report: Checked) -> str:
    """Return the verdict and a table of the findings with their pictures as HTML."""
    color = _COLORS.get(report.verdict, "rk-exposed")
    said = "<br>".join(escape(line) for line in report.headline)
    head = f'{_STYLE}<p class="rk-checked {color}">{said}</p>'
    found = report.findings
    if not len(found):
        return head
    pictures = crops(report)
    names = ("", "verdict", "what", "face", "frames", "time", "how sure", "source", "output")
    rows = [_row(row, pictures.get(int(str(row.Index)))) for row in found.itertuples()]
    titles = "".join(f"<th>{name}</th>" for name in names)
    return f'{head}<table class="rk-findings"><tr>{titles}</tr>{"".join(rows)}</table>{_HOW}'


_HOW = (
    "<p>Each finding wants one answer: <code>report.settle(review, 1, &quot;hide&quot;)</code>, "
    "<code>&quot;no face&quot;</code> or <code>&quot;leave visible&quot;</code>; "
    "on the command line <code>redactkit settle</code> with <code>--hide 1</code>, <code>--not-a-face 1</code> or "
    "<code>--leave 1</code>. Then redact again.</p>"
)


def _row(row: Any, pictures: tuple[Image, Image] | None) -> str:
    face = "" if row.face_id < 0 else str(row.face_id)
    place = row.frames > 0
    frames = f"{row.first_frame} to {row.last_frame} ({row.frames})" if place else ""
    times = f"{timecode(row.start)} to {timecode(row.end)}" if place else ""
    what = f"{row.what}, {row.note}" if row.note else str(row.what)
    cells = (str(row.Index), row.verdict, what, face, frames, times, f"{row.sure:.2f}")
    shown = [_image(picture) for picture in pictures] if pictures else ["", ""]
    texts = "".join(f"<td>{escape(str(cell))}</td>" for cell in cells)
    return f"<tr>{texts}{''.join(f'<td>{cell}</td>' for cell in shown)}</tr>"


def _image(picture: Image) -> str:
    data = base64.b64encode(as_jpeg(picture)).decode("ascii")
    return f'<img alt="" src="data:image/jpeg;base64,{data}">'


def page_html(report: Checked) -> str:
    """Return the whole report as one HTML file that needs no other."""
    title = escape(report.redacted.name)
    faces = report.faces.to_html(escape=True)
    fidelity = report.fidelity.to_html(escape=True, index=False)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Leak check of {title}</title>'
        f"<body><h1>Leak check of {title}</h1>{findings_html(report)}"
        f"<details><summary>Faces to be hidden</summary>{faces}</details>"
        f"<details><summary>Fidelity</summary>{fidelity}</details></body></html>"
    )
