"""The timeline: one bar a face over the whole video, in as few lanes as they fit."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from functools import partial
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
import traitlets
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

_DIAMOND = "width:7px;height:7px;background:#fff;border:1px solid #000;transform:rotate(45deg);box-sizing:border-box"
_PLACE = "bottom:0;width:2px;height:6px;background:var(--rk-text);pointer-events:none"
_SHOT = "top:0;bottom:0;width:1px;background:var(--rk-faint);pointer-events:none"
_SHOWN = "top:0;bottom:0;border:2px solid var(--rk-now);box-sizing:border-box;pointer-events:none"
_HATCHED = "background:repeating-linear-gradient(90deg,{} 0 1px,transparent 1px 4px)"
_LANE_NAME = (
    "position:absolute;left:3px;top:1px;padding:0 4px;font-size:10px;line-height:13px;border-radius:2px;"
    "color:var(--rk-text);background:var(--rk-ground);pointer-events:none"
)
_FEWEST = 4
"""Lanes for which there is room at least, so that a single bar is not as high as all of them."""

_FEWEST_FRAMES = 20.0
"""Frames that are shown at least."""


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

    Along the top stands a ruler, and under it a lane for the current face alone: its name, diamonds at its keyframes,
    its doubtful stretches and its gaps hatched. Along the bottom the whole video: shots, places to check, and the
    part that is shown above. The current frame is a line. A click or a drag goes to that frame; on a bar it also picks
    the face. The wheel zooms to the pointer, with Shift it moves along.

    Parameters
    ----------
    review : Review
    height : int
        In pixels.

    Attributes
    ----------
    window : tuple of float
        First frame shown, and the one after the last.

    Examples
    --------
    >>> Timeline(review)  # doctest: +SKIP
    """

    window = traitlets.Tuple((0.0, 1.0))

    def __init__(self, review: Review, *, height: int = 84) -> None:
        super().__init__(review, css="rk-timeline")
        self._lanes: dict[int, int] = {}
        self._spans = pd.DataFrame()
        self._sorted: tuple[pd.DataFrame | None, IntArray, list[Any], int] = (None, np.zeros(0, np.int64), [], 0)
        self._drawn: tuple[Any, str] = (None, "")
        self.window = (0.0, float(max(review.frame_count, 1)))
        self.bars, self.line, self.lane = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.ruler, self.whole = ipywidgets.HTML(), ipywidgets.HTML()
        self.ruler.add_class("rk-ruler")
        self.lane.add_class("rk-lane")
        self.whole.add_class("rk-whole")
        self.bars.add_class("rk-bars")
        self.line.add_class("rk-overlay")
        self.stage = ipywidgets.Box([self.bars, self.line], layout={"height": f"{height - 22}px"})
        self.stage.add_class("rk-stage")
        self.stage.add_class("rk-lanes")
        self.show(self.ruler, self.lane, self.stage, self.whole)
        self._bar_worker = self.worker(self.refresh, interval=0.1)
        self._line_worker = self.worker(self._draw_line, interval=0.08)
        self.watch(lambda _: self._bar_worker.submit(), "revision")
        self.watch(lambda _: self._line_worker.submit(), "current_frame", "current_face")
        self.watch(lambda _: self._keep_in_window(), "current_frame")
        self.observe(lambda _: self._bar_worker.submit(), "window")
        for source in (self.bars, self.lane, self.whole):
            self.listen(source, partial(self.on_mouse, part=source), events=["mousedown"])
            self.listen(source, partial(self.on_mouse, part=source), events=["mousemove"], wait=40)
        self.listen(self.bars, self.on_wheel, events=["wheel"])
        self.refresh()

    def refresh(self) -> None:
        """Draw the bars as the review is now."""
        with self.review.lock:
            detections, tracks, cuts = self.review.detections, self.review.tracks, self.review.cuts
        first, last = tracks["first_frame"].to_numpy(), tracks["last_frame"].to_numpy()
        lanes = pack_lanes(first, last, gap=self.review.frame_count // 200)
        self._lanes = dict(zip(tracks.index.tolist(), lanes.tolist(), strict=True))
        self._spans = tracks[["first_frame", "last_frame"]]
        self._drawn = (None, "")
        self.bars.value = self._draw_bars(detections, tracks, cuts)
        self.whole.value = self._draw_whole(cuts)
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
        first, stop = self.window
        lines = "".join(f"M{self._x(int(cut)):.1f} 0V{self._high}" for cut in cuts if first < cut < stop)
        shots = f'<path d="{lines}" stroke="var(--rk-line)" stroke-width="1" vector-effect="non-scaling-stroke"/>'
        view = f'viewBox="0 0 1000 {self._high}" preserveAspectRatio="none"'
        svg = f"<svg {view}>{self._patterns()}{shots}{drawn}</svg>"
        self.ruler.value = self._ruler()
        return svg + self._names(tracks)

    def _runs(self, detections: pd.DataFrame) -> tuple[list[Any], list[Any]]:
        """Return the runs of all boxes, and of doubtful ones; those of a table of the same faces and frames again."""
        before, order, runs, kept = self._sorted
        joined = max(1, int(self._shown_frames // _ACROSS))
        if (
            before is None
            or joined != kept
            or not all(same_column(before, detections, name) for name in ("face_id", "frame"))
        ):
            order = np.argsort(detections["face_id"].to_numpy(), kind="stable")
            faces, frames = detections["face_id"].to_numpy()[order], detections["frame"].to_numpy()[order]
            runs = list(zip(*(part.tolist() for part in runs_of(faces, frames, joined=joined)), strict=True))
            self._sorted = (detections, order, runs, joined)
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
        times, last = self.review.times, self.review.frame_count - 1
        first, stop = (float(times[min(max(int(at), 0), last)]) for at in self.window)
        span = max(stop - first, 1e-9)
        step = next((step for step in _STEPS if span / step <= 10), _STEPS[-1])
        cut = slice(3, 8) if step >= 1 else slice(3, 10)
        marks = [
            _div(f"{_ABSOLUTE};left:{(second - first) / span * 100:.2f}%;{_MARK}", timecode(second)[cut])
            for second in np.arange(np.ceil(first / step) * step, stop, step).tolist()
        ]
        return "".join(marks)

    def _draw_whole(self, cuts: IntArray) -> str:
        """Return the strip of the whole video: shots, places to check, and what is shown above."""
        count = max(self.review.frame_count, 1)
        marks = [_div(f"{_ABSOLUTE};left:{cut / count * 100:.2f}%;{_SHOT}") for cut in cuts[:2000].tolist()]
        if len(self.review.detections) <= MOST_LISTED:
            queue = self.review.to_review()
            places = queue.loc[queue["matters"], "frame"].drop_duplicates().head(300)
            marks += [_div(f"{_ABSOLUTE};left:{frame / count * 100:.2f}%;{_PLACE}") for frame in places]
        first, stop = self.window
        if stop - first < count:
            left, width = first / count * 100, (stop - first) / count * 100
            marks.append(_div(f"{_ABSOLUTE};left:{left:.2f}%;width:{width:.2f}%;{_SHOWN}"))
        return "".join(marks)

    @property
    def _high(self) -> int:
        return max(*self._lanes.values(), _FEWEST - 1, 0) + 1

    @property
    def _shown_frames(self) -> float:
        return float(self.window[1] - self.window[0])

    def _x(self, frame: float) -> float:
        return float((frame - self.window[0]) / max(self._shown_frames, 1e-9) * 1000)

    def _path(self, runs: Any, *, top: float, high: float) -> str:
        parts = []
        for face, first, last in runs:
            left, right = max(self._x(int(first)), -10.0), min(self._x(int(last) + 1), 1010.0)
            if right < 0 or left > 1000:
                continue
            width = max(right - left, 0.6)
            parts.append(f"M{left:.1f} {self._lanes[int(face)] + top:.2f}h{width:.1f}v{high}h-{width:.1f}z")
        return "".join(parts)

    def _names(self, tracks: pd.DataFrame) -> str:
        if len(tracks) > _NAMED or self._high > 6:
            return ""
        style = (
            "position:absolute;color:var(--rk-text);background:var(--rk-ground);font-size:9px;line-height:9px;"
            "padding:0 3px;border-radius:2px;pointer-events:none"
        )
        spans = []
        columns = (tracks.index, tracks["first_frame"], tracks["last_frame"], tracks["label"])
        for face, first, last, label in zip(*columns, strict=True):
            if not (self._x(last) > 0 and self._x(first) < 1000):
                continue
            first = max(first, self.window[0])
            left, top = self._x(first) / 10, (self._lanes[int(face)] + 0.5) / self._high * 100
            place = f"left:calc({left:.2f}% + 3px);top:calc({top:.1f}% - 4.5px)"
            spans.append(f'<span style="{style};{place}">{escape(str(label or int(face))[:24])}</span>')
        return "".join(spans)

    def _draw_line(self) -> None:
        review = self.review
        left = self._x(review.current_frame + 0.5) / 10
        line = _div(f"{_ABSOLUTE};top:0;bottom:0;width:2px;left:{left:.2f}%;background:var(--rk-now)")
        self.line.value = self._frame_of(review.current_face) + line
        state = (review.current_face, review.revision, self.window)
        if self._drawn[0] != state:  # with each frame only the line moves
            self._drawn = (state, self._draw_lane(review.current_face))
        self.lane.value = self._drawn[1] + line

    def _draw_lane(self, face: int | None) -> str:
        """Return the lane of one face: its runs, its gaps and doubtful stretches hatched, its keyframes, its name."""
        if face is None or face not in self._lanes:
            return _div(_LANE_NAME, "click a face: its own lane stands here")
        table = self.review.detections
        mine = table[(table["face_id"] == face).to_numpy()]
        frames, low = mine["frame"].to_numpy(), (mine["confidence"] < _LOW).to_numpy()
        decision = self.review.decisions.loc[face]
        colour = "var(--rk-hide)" if decision["redact"] else "var(--rk-show)"
        faces, joined = np.full(len(frames), face), max(1, int(self._shown_frames // _ACROSS))
        _, first, last = runs_of(faces, frames, joined=joined)
        gaps = zip(last[:-1] + 1, first[1:] - 1, strict=True)
        parts = [self._stretch(one, two, f"background:{colour}") for one, two in zip(first, last, strict=True)]
        parts += [self._stretch(one, two, _HATCHED.format("var(--rk-faint)")) for one, two in gaps]
        doubt = runs_of(faces[low], frames[low], joined=joined)[1:]
        parts += [self._stretch(one, two, _HATCHED.format("#fff")) for one, two in zip(*doubt, strict=True)]
        keys = mine.loc[mine["keyframe"].to_numpy(), "frame"].head(200)
        parts += [_div(f"{_ABSOLUTE};top:4px;{_DIAMOND};left:calc({self._x(at + 0.5) / 10:.2f}% - 4px)") for at in keys]
        name = str(decision["label"])[:24] or f"face {face}"
        return "".join(parts) + _div(_LANE_NAME, escape(f"{name}, {'hidden' if decision['redact'] else 'visible'}"))

    def _stretch(self, first: int, last: int, look: str) -> str:
        left, right = max(self._x(int(first)), 0.0) / 10, min(self._x(int(last) + 1), 1000.0) / 10
        if right <= 0 or left >= 100:
            return ""
        return _div(f"{_ABSOLUTE};top:2px;height:11px;left:{left:.2f}%;width:{max(right - left, 0.1):.2f}%;{look}")

    def _frame_of(self, face: int | None) -> str:
        """Return a frame about the current face's bar."""
        if face is None or face not in self._lanes:
            return ""
        first, last = self._spans.loc[[face]].to_numpy()[0].tolist()
        left, high = self._x(first) / 10, 100 / self._high
        width = self._x(last + 1) / 10 - left
        place = f"left:{left:.2f}%;width:{width:.2f}%;top:{self._lanes[face] * high:.2f}%;height:{high:.2f}%"
        return _div(f"{_ABSOLUTE};{place};min-width:3px;box-sizing:border-box;outline:1px solid var(--rk-now)")

    def on_mouse(self, event: Mapping[str, Any], *, part: Any = None) -> None:
        """Take a click or a drag on the timeline, as ipyevents gives it; ``part`` is where, the bars where left out."""
        down = (event.get("type") or event.get("event")) == "mousedown"
        if not down and event.get("buttons", 0) == 0:
            return
        review = self.review
        across = event["relativeX"] / (event["boundingRectWidth"] or 1)
        first, stop = (0.0, float(review.frame_count)) if part is self.whole else self.window
        frame = int(first + across * (stop - first))
        if down and part in (None, self.bars):
            lane = int(event["relativeY"] / (event["boundingRectHeight"] or 1) * self._high)
            review.current_face = self._face_at(lane, frame) or review.current_face
        review.current_frame = frame

    def on_wheel(self, event: Mapping[str, Any]) -> None:
        """Zoom to the pointer, or with Shift move along."""
        first, stop = self.window
        span, across = stop - first, event["relativeX"] / (event["boundingRectWidth"] or 1)
        turned = float(event.get("deltaY") or event.get("deltaX") or 0.0)
        if event.get("shiftKey"):
            self.look_at(first + span * turned * 0.001, span)
        else:
            wanted = span * float(np.exp(np.clip(turned, -500, 500) * 0.002))
            wanted = min(max(wanted, _FEWEST_FRAMES), float(self.review.frame_count))
            self.look_at(first + across * (span - wanted), wanted)

    def look_at(self, first: float, span: float) -> None:
        """Show some frames from one on, moved such that they lie in the video."""
        count = float(max(self.review.frame_count, 1))
        span = min(span, count)
        start = min(max(first, 0.0), count - span)
        self.window = (start, start + span)

    def _keep_in_window(self) -> None:
        frame, (first, stop) = self.review.current_frame, self.window
        if not first <= frame < stop:
            self.look_at(frame - (stop - first) / 2, stop - first)

    def _face_at(self, lane: int, frame: int) -> int | None:
        reach = max(1, int(self._shown_frames // 300))
        for face, span in self._spans.iterrows():
            inside = span["first_frame"] - reach <= frame <= span["last_frame"] + reach
            if inside and self._lanes.get(int(str(face))) == lane:
                return int(str(face))
        return None


def _div(style: str, text: str = "") -> str:
    return f'<div style="{style}">{text}</div>'
