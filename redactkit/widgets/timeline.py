"""The timeline: one bar a face over the whole video, in as few lanes as they fit."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from redactkit.review import Review
from redactkit.review.rows import same_column
from redactkit.widgets.markup import escape, timecode
from redactkit.widgets.view import View

__all__ = ["MOST_LISTED", "Timeline", "pack_lanes", "runs_of"]

IntArray = NDArray[np.int64]
_ACROSS = 2000
_LOW = 0.4
_NAMED = 40
_ABSOLUTE = "position:absolute"
_STEPS = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""Seconds between two times of the ruler."""

_MARK = (
    "top:0;font-size:9px;line-height:10px;padding-left:2px;border-left:1px solid var(--rk-faint);pointer-events:none"
)
MOST_LISTED = 100_000
"""Boxes up to which places to check are marked: listing them anew with each edit would hold up larger tables."""

_DIAMOND = "width:7px;height:7px;background:#fff;border:1px solid #000;transform:rotate(45deg)"
_PLACE = "bottom:0;width:2px;height:5px;background:var(--rk-text);pointer-events:none"


def pack_lanes(first: IntArray, last: IntArray, *, gap: int = 0) -> IntArray:
    """Put spans into the fewest lanes in which none overlap.

    Parameters
    ----------
    first, last : ndarray of shape (N,)
        Ends of each span, included.
    gap : int
        Least distance kept between two spans of a lane.

    Returns
    -------
    ndarray of shape (N,)
        Lane of each span, from 0.

    Examples
    --------
    >>> pack_lanes(np.array([0, 2, 6]), np.array([4, 9, 9])).tolist()
    [0, 1, 0]
    """
    lanes = np.zeros(len(first), np.int64)
    free: list[tuple[int, int]] = []
    count = 0
    for span in np.argsort(first, kind="stable"):
        if free and free[0][0] + gap < first[span]:
            lane = heapq.heappop(free)[1]
        else:
            lane, count = count, count + 1
        lanes[span] = lane
        heapq.heappush(free, (int(last[span]), lane))
    return lanes


def runs_of(faces: IntArray, frames: IntArray, *, joined: int = 1) -> tuple[IntArray, IntArray, IntArray]:
    """Return face, first and last frame of each run of frames, for rows sorted by face and frame.

    Parameters
    ----------
    joined : int
        Frames up to this far apart are one run: what a pixel cannot show need not be drawn.
    """
    if not len(faces):
        return faces, frames, frames
    breaks = np.flatnonzero((np.diff(faces) != 0) | (np.diff(frames) > joined))
    start, end = np.r_[0, breaks + 1], np.r_[breaks, len(faces) - 1]
    return faces[start], frames[start], frames[end]


class Timeline(View):
    """Every face as a bar over time: hidden ones red and full, visible ones green and low, doubtful stretches hatched.

    A gap of a track is hatched between its ends. Above stands a ruler; marks under it are places to check, diamonds
    the keyframes of the current face.

    The current frame is a line. A click or a drag goes to that frame; on a bar it also picks the face.

    Parameters
    ----------
    review : Review
    height : int
        In pixels.

    Examples
    --------
    >>> Timeline(review)  # doctest: +SKIP
    """

    def __init__(self, review: Review, *, height: int = 84) -> None:
        super().__init__(review, css="rk-timeline")
        self._lanes: dict[int, int] = {}
        self._spans = pd.DataFrame()
        self._sorted: tuple[pd.DataFrame | None, IntArray, list[Any]] = (None, np.zeros(0, np.int64), [])
        self.bars, self.line = ipywidgets.HTML(), ipywidgets.HTML()
        self.ruler = ipywidgets.HTML()
        self.ruler.add_class("rk-ruler")
        self.bars.add_class("rk-bars")
        self.line.add_class("rk-overlay")
        self.stage = ipywidgets.Box([self.bars, self.line], layout={"height": f"{height}px"})
        self.stage.add_class("rk-stage")
        self.stage.add_class("rk-lanes")
        self.show(self.ruler, self.stage)
        self._bar_worker = self.worker(self.refresh, interval=0.1)
        self._line_worker = self.worker(self._draw_line, interval=0.08)
        self.watch(lambda _: self._bar_worker.submit(), "revision")
        self.watch(lambda _: self._line_worker.submit(), "current_frame", "current_face")
        self.listen(self.bars, self.on_mouse, events=["mousedown"])
        self.listen(self.bars, self.on_mouse, events=["mousemove"], wait=40)
        self.refresh()

    def refresh(self) -> None:
        """Draw the bars as the review is now."""
        with self.review.lock:
            detections, tracks, cuts = self.review.detections, self.review.tracks, self.review.cuts
        first, last = tracks["first_frame"].to_numpy(), tracks["last_frame"].to_numpy()
        lanes = pack_lanes(first, last, gap=self.review.frame_count // 200)
        self._lanes = dict(zip(tracks.index.tolist(), lanes.tolist(), strict=True))
        self._spans = tracks[["first_frame", "last_frame"]]
        self.bars.value = self._draw_bars(detections, tracks, cuts)
        self._draw_line()

    def _draw_bars(self, detections: pd.DataFrame, tracks: pd.DataFrame, cuts: IntArray) -> str:
        hidden = set(tracks.index[tracks["redact"]].tolist())
        runs, pale = self._runs(detections)
        spans = zip(tracks.index, tracks["first_frame"], tracks["last_frame"], strict=True)
        shown = self._path((r for r in runs if r[0] not in hidden), top=0.34, high=0.32)
        paths = (
            ("rk-bar-gap", f"opacity:.7;fill:url(#{self._name}-gap)", self._path(spans, top=0.3, high=0.4)),
            ("rk-bar-hide", "fill:var(--rk-hide)", self._path((r for r in runs if r[0] in hidden), top=0.15, high=0.7)),
            ("rk-bar-show", "fill:var(--rk-show)", shown),
            ("rk-bar-low", f"fill:url(#{self._name}-low)", self._path(pale, top=0.15, high=0.7)),
        )
        drawn = "".join(f'<path class="{css}" style="{style}" d="{d}"/>' for css, style, d in paths if d)
        lines = "".join(f"M{self._x(int(cut)):.1f} 0V{self._high}" for cut in cuts[:2000])
        shots = f'<path d="{lines}" stroke="var(--rk-line)" stroke-width="1" vector-effect="non-scaling-stroke"/>'
        view = f'viewBox="0 0 1000 {self._high}" preserveAspectRatio="none"'
        svg = f"<svg {view}>{self._patterns()}{shots}{drawn}</svg>"
        self.ruler.value = self._ruler()
        return svg + self._names(tracks) + self._places()

    def _runs(self, detections: pd.DataFrame) -> tuple[list[Any], list[Any]]:
        """Return the runs of all boxes, and of doubtful ones; those of a table of the same faces and frames again."""
        before, order, runs = self._sorted
        joined = max(1, self.review.frame_count // _ACROSS)
        if before is None or not all(same_column(before, detections, name) for name in ("face_id", "frame")):
            order = np.argsort(detections["face_id"].to_numpy(), kind="stable")
            faces, frames = detections["face_id"].to_numpy()[order], detections["frame"].to_numpy()[order]
            runs = list(zip(*(part.tolist() for part in runs_of(faces, frames, joined=joined)), strict=True))
            self._sorted = (detections, order, runs)
        low = order[detections["confidence"].to_numpy()[order] < _LOW]
        faces, frames = detections["face_id"].to_numpy()[low], detections["frame"].to_numpy()[low]
        pale = zip(*(part.tolist() for part in runs_of(faces, frames, joined=joined)), strict=True)
        return runs, list(pale)

    @property
    def _name(self) -> str:
        return f"rk-{id(self):x}"

    def _patterns(self) -> str:
        """Return the hatchings: of gaps, in the colour of text, and of doubtful stretches, in that of the ground."""
        return (
            "<defs>"
            + "".join(
                f'<pattern id="{self._name}-{name}" width="4" height="1" patternUnits="userSpaceOnUse">'
                f'<rect width="{width}" height="1" fill="{colour}"/></pattern>'
                for name, width, colour in (("gap", 1.2, "var(--rk-faint)"), ("low", 2, "var(--rk-ground)"))
            )
            + "</defs>"
        )

    def _ruler(self) -> str:
        """Return the times along the top."""
        span = float(self.review.times[-1] - self.review.times[0])
        step = next((step for step in _STEPS if span / step <= 10), _STEPS[-1])
        marks = [
            _div(f"{_ABSOLUTE};left:{second / max(span, 1e-9) * 100:.2f}%;{_MARK}", timecode(second)[3:8])
            for second in np.arange(step, span, step).tolist()
        ]
        return "".join(marks)

    def _places(self) -> str:
        """Return a mark for each place to check."""
        if len(self.review.detections) > MOST_LISTED:
            return ""
        places = self.review.to_review()["frame"].drop_duplicates().head(300)
        return "".join(_div(f"{_ABSOLUTE};left:{self._x(frame) / 10:.2f}%;{_PLACE}") for frame in places)

    @property
    def _high(self) -> int:
        return max(self._lanes.values(), default=0) + 1

    def _x(self, frame: float) -> float:
        return frame / self.review.frame_count * 1000

    def _path(self, runs: Any, *, top: float, high: float) -> str:
        parts = []
        for face, first, last in runs:
            left, right = self._x(int(first)), self._x(int(last) + 1)
            width = max(right - left, 0.6)
            parts.append(f"M{left:.1f} {self._lanes[int(face)] + top:.2f}h{width:.1f}v{high}h-{width:.1f}z")
        return "".join(parts)

    def _names(self, tracks: pd.DataFrame) -> str:
        if len(tracks) > _NAMED or self._high > 6:
            return ""
        style = (
            "position:absolute;color:var(--rk-text);background:var(--rk-ground);font-size:10px;line-height:12px;"
            "padding:0 3px;border-radius:2px;pointer-events:none"
        )
        spans = []
        for face, first, label in zip(tracks.index, tracks["first_frame"], tracks["label"], strict=True):
            left, top = self._x(first) / 10, (self._lanes[int(face)] + 0.5) / self._high * 100
            place = f"left:calc({left:.2f}% + 3px);top:calc({top:.1f}% - 6px)"
            spans.append(f'<span style="{style};{place}">{escape(str(label or int(face))[:24])}</span>')
        return "".join(spans)

    def _draw_line(self) -> None:
        review, frame = self.review, self.review.current_frame
        left = self._x(frame + 0.5) / 10
        line = f"{_ABSOLUTE};top:0;bottom:0;width:2px;left:{left:.2f}%;background:var(--rk-now)"
        side = f"right:{100 - left:.2f}%" if left > 80 else f"left:{left:.2f}%"
        text = f"{_ABSOLUTE};bottom:0;font-size:10px;background:var(--rk-ground);padding:0 3px;margin:0 4px;{side}"
        time = timecode(float(review.times[frame]))
        keys = self._keyframes(review.current_face)
        self.line.value = f"{self._frame_of(review.current_face)}{keys}{_div(line)}{_div(text, time)}"

    def _keyframes(self, face: int | None) -> str:
        """Return a diamond at each frame in which a person set the current face's box."""
        table = self.review.detections
        if face is None or face not in self._lanes:
            return ""
        frames = table.loc[(table["face_id"] == face).to_numpy() & table["keyframe"].to_numpy(), "frame"].head(200)
        top = (self._lanes[face] + 0.5) / self._high * 100
        style = f"{_ABSOLUTE};top:calc({top:.1f}% - 4px);{_DIAMOND}"
        places = [f"{style};left:calc({self._x(frame + 0.5) / 10:.2f}% - 5px)" for frame in frames]
        return "".join(_div(place, "") for place in places)

    def _frame_of(self, face: int | None) -> str:
        """Return a frame about the current face's bar."""
        if face is None or face not in self._lanes:
            return ""
        first, last = self._spans.loc[[face]].to_numpy()[0].tolist()
        left, high = self._x(first) / 10, 100 / self._high
        width = self._x(last + 1) / 10 - left
        place = f"left:{left:.2f}%;width:{width:.2f}%;top:{self._lanes[face] * high:.2f}%;height:{high:.2f}%"
        return _div(f"{_ABSOLUTE};{place};min-width:3px;box-sizing:border-box;outline:2px solid var(--rk-now)")

    def on_mouse(self, event: Mapping[str, Any]) -> None:
        """Take a click or a drag on the timeline, as ipyevents gives it."""
        down = (event.get("type") or event.get("event")) == "mousedown"
        if not down and event.get("buttons", 0) == 0:
            return
        review = self.review
        across = event["relativeX"] / (event["boundingRectWidth"] or 1)
        frame = int(across * review.frame_count)
        if down:
            lane = int(event["relativeY"] / (event["boundingRectHeight"] or 1) * self._high)
            review.current_face = self._face_at(lane, frame) or review.current_face
        review.current_frame = frame

    def _face_at(self, lane: int, frame: int) -> int | None:
        reach = max(1, self.review.frame_count // 300)
        for face, span in self._spans.iterrows():
            inside = span["first_frame"] - reach <= frame <= span["last_frame"] + reach
            if inside and self._lanes.get(int(str(face))) == lane:
                return int(str(face))
        return None


def _div(style: str, text: str = "") -> str:
    return f'<div style="{style}">{text}</div>'
