"""Two sets of annotations of one video in one picture: what both have, what only one of them has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.annotations import Annotations
from redactkit.errors import OptionError
from redactkit.formats.alignment import frames_in
from redactkit.inspection.comparison import Comparison, compare
from redactkit.media import VideoInfo
from redactkit.review import Review
from redactkit.review.navigation import nearest
from redactkit.tables import BOX, empty_detections
from redactkit.video import VideoReader
from redactkit.widgets.actions import MOVES, Action
from redactkit.widgets.framed import FramedView
from redactkit.widgets.markup import escape, timecode
from redactkit.widgets.stage import BoxRows
from redactkit.widgets.view import button, row

__all__ = ["BOX_MARKS", "CompareViewer", "boxes_between"]

Source = Annotations | str | Path
_ROWS = 200
_ROW = re.compile(r"\brk-w(\d+)\b")
_HEADS = ("frame", "time", "missed", "extra", "lowest IoU")
BOX_MARKS = ("a", "b", "missed", "extra")
"""What a box may be: of both sets, drawn once for each, or of one of them alone."""


class CompareViewer(FramedView):
    """Two sets of annotations of one video, over its frames or, without the video, over grey ground.

    Boxes of ``a`` are blue, boxes of ``b`` orange. What both have is thin; what only one has is thick and
    filled, and named *missed* (only in ``a``) or *extra* (only in ``b``). A click on a row of the table of worst
    frames goes there.

    Parameters
    ----------
    a : Comparison, Annotations or path
        A comparison made before, or the first of two sets of annotations.
    b : Annotations or path, optional
        The second set; left out where ``a`` is a comparison.
    video : path, optional
        The video of both.
    names : sequence of str, optional
        What the legend calls the two sets; left out, the names of their files, else "a" and "b".
    height : int
        Most pixels that the picture is high on the page.
    width : int
        Most pixels across of the pictures sent to the page.

    Attributes
    ----------
    comparison : Comparison
    review : Review
        Its ``current_frame`` is the frame shown, numbered as in the comparison; it holds no boxes.
    speed, shown_frame
        As in `FrameViewer`.

    Raises
    ------
    OptionError
        If ``a`` is a comparison and ``b`` is given too, or neither.
    MismatchError
        If the two have no instant in common, or the video is of another time.
    VideoError
        If the video cannot be read.

    Examples
    --------
    >>> CompareViewer("before.json", "after.json", video="lobby.mp4")  # doctest: +SKIP
    """

    actions = (
        *MOVES,
        Action("differ-back", "last frame that differs", ("[",), lambda v: v.differ(-1)),
        Action("differ-on", "next frame that differs", ("]",), lambda v: v.differ(1)),
        Action("worse", "one up in the table of worst frames", ("shift+q",), lambda v: v.worst(-1)),
        Action("milder", "one down in the table of worst frames", ("q",), lambda v: v.worst(1)),
    )

    def __init__(
        self,
        a: Comparison | Source,
        b: Source | None = None,
        *,
        video: str | Path | None = None,
        names: Sequence[str] | None = None,
        height: int = 360,
        width: int = 960,
    ) -> None:
        self.comparison = _compared(a, b)
        self.names = tuple(names or (_name(a, "a"), _name(b, "b")))
        self._place = -1
        worst = self.comparison.worst_frames
        wrong = worst[(worst["missed"] > 0) | (worst["extra"] > 0)]
        self._worst = worst["frame"].to_numpy(np.int64)
        self._differing: NDArray[np.int64] = np.sort((wrong if len(wrong) else worst)["frame"].to_numpy(np.int64))
        self._height = height
        super().__init__(_session(self.comparison, video), css="rk-compare", height=height, width=width)
        self._build()
        self.listen(self.table, self.on_click, events=["click"])
        controls = self.worker(self._show_controls, interval=0.12)
        self.watch(lambda _: controls.submit(), "current_frame")
        self._show_controls()

    def _state(self) -> dict[str, Any]:
        return {"kinds": list(BOX_MARKS)}

    def _build(self) -> None:
        self.legend = ipywidgets.HTML(_legend(self.comparison, self.names))
        self.here, self._current = ipywidgets.HTML(), ipywidgets.HTML(layout={"display": "none"})
        self.table = ipywidgets.HTML(_table(self.comparison.worst_frames))
        self.table.add_class("rk-table")
        name = f"rk-{id(self):x}"
        self.add_class(name)
        self._mark = f"<style>.{name} .rk-w%d {{ background: var(--jp-brand-color3, #bbdefb); }}</style>"
        scrolled = ipywidgets.Box([self.table], layout={"height": f"{self._height}px", "display": "block"})
        scrolled.add_class("rk-scroll")
        scrolled.layout.flex = "1 1 300px"
        shape = self.review.video.width / max(self.review.video.height, 1)
        picture = ipywidgets.Box([self.stage], layout={"flex": f"2 1 {round(self._height * shape)}px"})
        self.buttons = {action.name: self._button(action) for action in self.actions if action.act is not None}
        body = ipywidgets.HBox([picture, scrolled], layout={"flex_flow": "row wrap", "align_items": "flex-start"})
        self.show(self.legend, row(*self.buttons.values(), self.here), body, self._current)

    def _button(self, action: Action) -> Any:
        words = {"differ-back": "Last difference", "differ-on": "Next difference", "worse": "Worse", "milder": "Milder"}
        tip = f"{action.tip} ({' or '.join(action.keys)})"
        made = button("", tip, text=words[action.name], css=f"rk-do-{action.name}")
        made.on_click(self.press(lambda: self.guard(lambda: action.act and action.act(self))()))
        return made

    def on_click(self, event: Mapping[str, Any]) -> None:
        """Take a click on the table, as ipyevents gives it."""
        found = _ROW.search(str(event.get("target", {}).get("className", "")))
        if found is not None:
            self._place = int(np.flatnonzero(self._worst == int(found[1]))[0])
            self.worst(0)

    def differ(self, direction: int = 1) -> None:
        """Go to the next frame in which a box is missed or extra, or with a negative ``direction`` the last one.

        Where no box is missed or extra, to one in which two boxes do not lie wholly on one another.
        """
        frame = nearest(self._differing, self.review.current_frame, direction=direction)
        if frame is None:
            self.say("no frame differs " + ("after this one" if direction > 0 else "before this one"))
        else:
            self.step(frame - self.review.current_frame)

    def worst(self, step: int = 1) -> None:
        """Go down the table of worst frames from the row last gone to, up where negative."""
        if not len(self._worst):
            self.say("no frame differs")
            return
        self._place = min(max(self._place + step, 0), len(self._worst) - 1)
        self.step(int(self._worst[self._place]) - self.review.current_frame)

    def rows(self, start: int, stop: int) -> BoxRows:
        """Return the boxes of both sets in some frames, as a stage takes them."""
        return boxes_between(self.comparison, start, stop)

    def _show_controls(self) -> None:
        frame = self.review.current_frame
        counts = np.bincount(self.rows(frame, frame + 1).marks, minlength=len(BOX_MARKS))
        matched, missed, extra = (
            counts[BOX_MARKS.index("b")],
            counts[BOX_MARKS.index("missed")],
            counts[BOX_MARKS.index("extra")],
        )
        text = f"matched {matched}, missed {missed}, extra {extra}"
        known = frame in self.comparison.frames
        self.here.value = f'<span class="rk-faint">{text if known else "not in both"}</span>'
        self._current.value = self._mark % frame

    def close(self) -> None:
        """Stop playing, close as every view does, and close the video."""
        if not self._closed:
            super().close()
            self.review.close()


def boxes_between(comparison: Comparison, start: int, stop: int) -> BoxRows:
    """Return the boxes of both sets in frames ``start`` up to ``stop``; marks are positions in `BOX_MARKS`."""
    parts = []
    for rows, alone, kinds in (
        (comparison.a, comparison.missed, ("a", "missed")),
        (comparison.b, comparison.extra, ("b", "extra")),
    ):
        here, only = _between(rows, start, stop), _between(alone, start, stop)
        keys = pd.MultiIndex.from_arrays([here["frame"], here["face_id"]])
        single = keys.isin(pd.MultiIndex.from_arrays([only["frame"], only["face_id"]]))
        parts.append(here.assign(mark=np.where(single, BOX_MARKS.index(kinds[1]), BOX_MARKS.index(kinds[0]))))
    table = pd.concat(parts, ignore_index=True).sort_values("frame", kind="stable")
    columns = table["frame"].to_numpy(np.int32), table["face_id"].to_numpy(np.int32)
    return BoxRows(*columns, table[BOX].to_numpy(np.float32), table["mark"].to_numpy(np.uint8))


def _between(table: pd.DataFrame, start: int, stop: int) -> pd.DataFrame:
    first, last = np.searchsorted(table["frame"].to_numpy(), [start, stop])
    return table.iloc[first:last]


def _compared(a: Comparison | Source, b: Source | None) -> Comparison:
    if isinstance(a, Comparison):
        if b is not None:
            raise OptionError("a comparison holds both sets; pass it alone, or two sets of annotations")
        return a
    if b is None:
        raise OptionError("two sets of annotations are compared; pass the second, or a comparison made before")
    return compare(a, b)


def _name(source: Comparison | Source | None, otherwise: str) -> str:
    return Path(source).stem if isinstance(source, str | Path) else otherwise


def _session(comparison: Comparison, video: str | Path | None) -> Review:
    """Return a review without boxes: the comparison's frames and, where the video is given, their pictures."""
    info = _sized(comparison)
    blank = Annotations(info, empty_detections())
    if video is None:
        return Review(blank)
    reader = VideoReader(video)
    try:
        shown = frames_in(reader.info, Annotations(info, comparison.a)).tolist()
        review = Review(blank, frames=lambda number: reader.frame_at(shown[number] if shown else 0))
    except BaseException:
        reader.close()
        raise
    review.reader = reader
    return review


def _sized(comparison: Comparison) -> VideoInfo:
    """Return the comparison's video; a size that no file told is that of the ground its boxes cover."""
    info = comparison.video
    if info.width > 0 and info.height > 0:
        return info
    rows = pd.concat([comparison.a, comparison.b])
    right, bottom = (rows["x"] + rows["width"]).max(), (rows["y"] + rows["height"]).max()
    size = [int(np.ceil(value)) if value == value and value > 0 else 16 for value in (right, bottom)]
    return replace(info, width=size[0], height=size[1])


def _legend(comparison: Comparison, names: Sequence[str]) -> str:
    summary = comparison.summary
    parts = (
        ("a", f"{names[0]}, {summary['boxes_a']} boxes"),
        ("b", f"{names[1]}, {summary['boxes_b']} boxes"),
        ("missed", f"missed: only in {names[0]}, {summary['missed']}"),
        ("extra", f"extra: only in {names[1]}, {summary['extra']}"),
    )
    shown = "".join(f"<span>{_sample(kind)}{escape(text)}</span>" for kind, text in parts)
    mean = "" if summary["mean_iou"] is None else f", mean IoU {summary['mean_iou']:.3f}"
    matched = f"{summary['matched']} matched at IoU {comparison.iou:g} and above{mean}"
    notes = "".join(f'<span class="rk-faint">{escape(note)}</span>' for note in summary["notes"])
    return f'<div class="rk-legend">{shown}<span class="rk-faint">{matched}</span>{notes}</div>'


def _sample(kind: str) -> str:
    return f'<svg><rect class="rk-box rk-{kind}" x="2" y="2" width="30" height="10" fill="none"/></svg>'


def _table(worst: pd.DataFrame) -> str:
    heads = "".join(f"<th>{head}</th>" for head in _HEADS)
    rows = "".join(_row(*values) for values in worst.head(_ROWS)[list(worst.columns)].itertuples(index=False))
    more = f'<p class="rk-faint">and {len(worst) - _ROWS} more</p>' if len(worst) > _ROWS else ""
    none = "" if len(worst) else '<p class="rk-faint">no frame differs</p>'
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}{none}"


def _row(frame: int, time: float, missed: int, extra: int, lowest: float) -> str:
    texts = (
        str(frame),
        timecode(time) if time == time else "",
        str(missed or ""),
        str(extra or ""),
        f"{lowest:.2f}" if lowest == lowest else "",
    )
    return "<tr>" + "".join(f'<td class="rk-w{frame}">{text}</td>' for text in texts) + "</tr>"
